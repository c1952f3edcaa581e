# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's preferences: what there is to choose, and how it is shown. Imports bpy."""

from functools import lru_cache
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..common import environments, package, preferences, state
from ..common.languages import iface_
from ..install import models, models_panel, setup
from ..install import panel as setup_panel


def _store_changed() -> None:
    for handler in preferences.store_handlers:
        handler()


def _place_items(self: Any, context: bpy.types.Context | None) -> tuple[tuple[str, str, str, int], ...]:
    """Where textures are made: here, or on the machine that is named."""
    return _places_with(self.host.strip())


@lru_cache(maxsize=8)
def _places_with(host: str) -> tuple[tuple[str, str, str, int], ...]:
    """The same tuple each time: Blender asks more than once while it draws, and shows the first answer's texts."""
    return (
        ("HERE", "This Computer", "Textures are made on this computer", 0),
        ("ELSEWHERE", host or "Another Machine", "Textures are made on that machine, reached by ssh", 1),
    )


def _place_changed() -> None:
    preferences.check_engine()
    setup.redraw()


class TILEWRIGHT_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = package.NAME

    python: StringProperty(
        name="Own Python",
        description="A Python that has the engine's packages, to use instead of what Install makes. The environment "
        "variable TILEWRIGHT_PYTHON overrides both",
        subtype="FILE_PATH",
        update=lambda self, context: preferences.check_engine(),
    )
    device: EnumProperty(
        name="Compute Device",
        description="What computes the textures on this machine. Takes effect with the next job",
        items=(
            ("auto", "Automatic", "The fastest one available"),
            ("cuda", "NVIDIA or AMD", "CUDA or ROCm"),
            ("xpu", "Intel", "Intel graphics"),
            ("mps", "Apple", "Apple graphics"),
            ("cpu", "Processor", "Slow, but always available"),
        ),
        default="auto",
    )
    memory: EnumProperty(
        name="Memory",
        description="How much of the device's memory to use. What doesn't fit is tried again with less",
        items=(
            ("auto", "Automatic", "As much as is free"),
            ("full", "All on the Device", "Fastest"),
            ("offload", "Parts Take Turns", "Slower, needs about half"),
            ("lean", "Lean", "Slower still"),
            ("minimal", "Least", "Slowest, for the smallest cards"),
            (
                "eight_bits",
                "Weights in 8 Bits",
                "Half the memory for a larger model's weights, a little slower. Pictures change: about 1 % off",
            ),
        ),
        default="auto",
    )
    priority: EnumProperty(
        name="Priority",
        description="How the engine shares the processor with other programs. Takes effect with the next job",
        items=(
            ("LOW", "Behind Others", "Blender stays smooth, but textures take long on a busy computer"),
            ("NORMAL", "Like Others", "Textures come sooner, but Blender may stutter"),
        ),
        default="LOW",
    )
    previews: BoolProperty(
        name="Step Previews",
        description="Show a small, rough picture while it is being made, twice a second",
        default=False,
    )
    host: StringProperty(
        name="Host",
        description="A machine that makes the textures in place of this one, as in ~/.ssh/config, or user@name. ssh "
        "must get in without asking",
        update=lambda self, context: _place_changed(),
    )
    host_folder: StringProperty(
        name="Folder There",
        description="Where Tilewright is on that machine",
        default="~/tilewright",
        update=lambda self, context: _place_changed(),
    )
    place: EnumProperty(
        name="Device",
        description="Which machine makes the textures. Takes effect with the next job",
        items=_place_items,
        update=lambda self, context: _place_changed(),
    )
    environment: StringProperty(
        name="Install Into",
        description="Folder for the engine's packages, for example on another drive. Empty: Blender's user folder. "
        "What is in the old folder stays until you remove it",
        subtype="DIR_PATH",
        update=lambda self, context: preferences.check_engine(),
    )
    backend: EnumProperty(
        name="Packages",
        description="Which build of torch to install. Each has its own list of versions and hashes",
        items=environments.BACKEND_ITEMS,
        default=environments.BACKEND_ITEMS[0][0],
        update=lambda self, context: preferences.check_engine(),
    )
    wheels: StringProperty(
        name="Folder of Wheels",
        description="Install looks for packages here first, so it works without a network. Each is checked against "
        "its hash",
        subtype="DIR_PATH",
    )
    index: StringProperty(
        name="Package Index",
        description="Address to download packages from. Empty: the one pip and uv use on this machine",
    )
    idle_minutes: IntProperty(
        name="Free After (Minutes)",
        description="Unload the models after this many idle minutes. The next job loads them again",
        default=10,
        min=1,
        max=24 * 60,
    )
    yield_to_render: BoolProperty(
        name="Free for Renders",
        description="Unload the models when a render starts, so the render gets the graphics card's memory. The "
        "next texture loads them again",
        default=True,
    )
    store: StringProperty(
        name="Results",
        description="Folder where every texture is kept. Empty: a folder of yours that stays when you uninstall "
        "Tilewright",
        subtype="DIR_PATH",
        update=lambda self, context: _store_changed(),
    )
    store_limit: FloatProperty(
        name="Size Limit (GB)",
        description="Gigabytes for the results. 0: no limit. The oldest go first, but no favorites, nothing less "
        "than a day old, and nothing that the open file or a saved .blend uses",
        default=0.0,
        min=0.0,
        soft_max=100.0,
        precision=1,
    )
    on_save: EnumProperty(
        name="On Save",
        description="How a saved file keeps its textures, so they show on other machines too",
        items=(
            ("PACK", "Pack", "The textures are inside the .blend"),
            ("COPY", "Copy Beside", "The textures are in the folder “textures” beside the .blend"),
        ),
        default="PACK",
    )
    previews_first: BoolProperty(
        name="Previews First",
        description="Don't change materials by yourself: new textures wait in the history until you apply them",
        default=False,
    )
    fit_new: BoolProperty(
        name="Fit New Textures",
        description="Scale the mapping of a new texture so that one repeat on the object is as large as the "
        "material's Tile Size",
        default=True,
    )
    lay_sets: BoolProperty(
        name="Lay Sets",
        description="Lay a set of tiles without repeat when it comes into a material",
        default=True,
    )
    tell_unsaved: BoolProperty(
        name="Show Unsaved Textures",
        description="When Blender starts, show earlier textures that are in no saved file",
        default=True,
    )
    # not shown: the choice beside Generate sets it
    whole_material: BoolProperty(
        name="Whole Material", description="What Generate makes in a new file: maps too", default=True
    )
    models: StringProperty(
        name="Models Folder",
        description="Folder with your models, where downloads go too. Empty: a folder of yours that all Blenders share",
        subtype="DIR_PATH",
        update=lambda self, context: models.refresh(),
    )
    hub: StringProperty(
        name="Hub",
        description="Address of the hub to download models from, for mirrors. Empty: the variable HF_ENDPOINT, or "
        "huggingface.co",
    )
    hub_token: StringProperty(
        name="Token",
        description="Your token for models that the hub gives to members only. Kept in Blender's preferences, readable "
        "by anyone who can read that file. Empty: the one that “hf auth login” or HF_TOKEN has set",
        subtype="PASSWORD",
    )
    author: StringProperty(name="Author", description="Author of materials that you mark as assets")

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        setup_panel.draw_preferences(layout, self)
        models_panel.draw_preferences(layout, self)
        setup_panel.draw_elsewhere(layout, self)
        part = _part(layout, "Computing", "MEMORY")
        for name in ("device", "memory", "priority", "idle_minutes", "yield_to_render"):
            part.prop(self, name)
        part = _part(layout, "In Blender", "BLENDER")
        for name in ("previews", "previews_first", "fit_new", "lay_sets", "on_save"):
            part.prop(self, name)
        part = _part(layout, "Textures on Disk", "FILE_FOLDER")
        part.prop(self, "store", placeholder=str(package.results_folder()))
        part.prop(self, "store_limit")
        part.prop(self, "tell_unsaved")
        history = state.current.history
        if history is not None and history.ready:
            words = iface_("{count} textures, {size:.2f} GB")
            text = words.format(count=len(history.entries), size=history.size / 1e9)
            part.label(text=text, translate=False)
        part = _part(layout, "Assets", "ASSET_MANAGER")
        part.prop(self, "author")
        layout.operator("tilewright.open_manual", icon="HELP")


def _part(layout: bpy.types.UILayout, heading: str, icon: Any) -> bpy.types.UILayout:
    """A part of the preferences under its heading."""
    column = layout.box().column()
    column.label(text=iface_(heading), icon=icon, translate=False)
    return column


CLASSES = (TILEWRIGHT_AP_preferences,)
