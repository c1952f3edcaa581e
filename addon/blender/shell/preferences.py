# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's preferences: what there is to choose, and how it is shown. Imports bpy."""

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..common import environments, package, preferences, state
from ..common.languages import iface_
from ..install import panel as setup_panel


def _store_changed() -> None:
    for handler in preferences.store_handlers:
        handler()


class TILEWRIGHT_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = package.NAME

    python: StringProperty(
        name="Own Python",
        description="Use this Python, which has the engine's packages, instead of what Install makes. "
        "Empty: what Install makes. The variable TILEWRIGHT_PYTHON goes before both",
        subtype="FILE_PATH",
        update=lambda self, context: preferences.check_engine(),
    )
    device: EnumProperty(
        name="Device",
        description="What computes the textures. A change takes effect with the next job",
        items=(
            ("auto", "Automatic", "The fastest one that is there"),
            ("cuda", "NVIDIA or AMD", "CUDA or ROCm"),
            ("xpu", "Intel", "Intel's graphics"),
            ("mps", "Apple", "Apple's graphics"),
            ("cpu", "Processor", "Slow, and always there"),
        ),
        default="auto",
    )
    memory: EnumProperty(
        name="Memory",
        description="How much of the device's memory to use. What does not fit is tried again leaner",
        items=(
            ("auto", "Automatic", "As much as is free"),
            ("full", "All on the Device", "Fastest"),
            ("offload", "Parts Take Turns", "Slower, needs about half"),
            ("lean", "Lean", "Slower still"),
            ("minimal", "Least", "Slowest, for the smallest cards"),
        ),
        default="auto",
    )
    priority: EnumProperty(
        name="Priority",
        description="How much of the processor the engine takes where other programs want it too. A change takes "
        "effect with the next job",
        items=(
            ("LOW", "Behind Others", "Blender stays smooth; on a busy computer a texture takes long"),
            ("NORMAL", "Like Others", "Textures come sooner; Blender may stutter meanwhile"),
        ),
        default="LOW",
    )
    previews: BoolProperty(
        name="Step Previews",
        description="Show the picture while it is being made, twice a second, small and without its details",
        default=False,
    )
    environment: StringProperty(
        name="Install Into",
        description="Folder for the engine's packages, also on another drive. Empty: in Blender's folder of this user. "
        "What is in the old folder stays there until it is removed",
        subtype="DIR_PATH",
        update=lambda self, context: preferences.check_engine(),
    )
    backend: EnumProperty(
        name="Packages",
        description="Which build of torch Install takes, each with its own list of versions and hashes",
        items=environments.BACKEND_ITEMS,
        default=environments.BACKEND_ITEMS[0][0],
        update=lambda self, context: preferences.check_engine(),
    )
    wheels: StringProperty(
        name="Folder of Wheels",
        description="Install takes packages from here first, so that it works without a network. "
        "Each is checked against its hash",
        subtype="DIR_PATH",
    )
    index: StringProperty(
        name="Package Index",
        description="Address that Install downloads from. Empty: the one that pip and uv are set to on this machine",
    )
    idle_minutes: IntProperty(
        name="Free After (Minutes)",
        description="Without a job, after so many minutes the engine lets go of its models and their memory. "
        "The next job loads them again",
        default=10,
        min=1,
        max=24 * 60,
    )
    yield_to_render: BoolProperty(
        name="Free for Renders",
        description="When a render starts, the engine lets go of its models, so that the render has the graphics "
        "card's memory. The next texture loads them again",
        default=True,
    )
    store: StringProperty(
        name="Results",
        description="Folder that keeps every texture. Empty: one of yours that stays when Tilewright is uninstalled",
        subtype="DIR_PATH",
        update=lambda self, context: _store_changed(),
    )
    store_limit: FloatProperty(
        name="Size Limit (GB)",
        description="Gigabytes for the results; 0: no limit. The oldest go first, but nothing younger than a day, "
        "no favourite, and nothing that the open file or a saved .blend has",
        default=0.0,
        min=0.0,
        soft_max=100.0,
        precision=1,
    )
    on_save: EnumProperty(
        name="On Save",
        description="How a saved file keeps its textures, so that it shows them on another machine too",
        items=(
            ("PACK", "Pack", "The textures are inside the .blend"),
            ("COPY", "Copy Beside", "The textures are in the folder “textures” beside the .blend"),
        ),
        default="PACK",
    )
    previews_first: BoolProperty(
        name="Previews First",
        description="Nothing is put into a material by itself: new textures wait in the history until they are applied",
        default=False,
    )
    fit_new: BoolProperty(
        name="Fit New Textures",
        description="Scale the mapping that a new texture is given, so that one repeat is as large on the object as "
        "the material's Tile Size says",
        default=True,
    )
    tell_unsaved: BoolProperty(
        name="Tell of Unsaved Textures",
        description="When Blender starts, tell of textures from before that no saved file has",
        default=True,
    )
    # not shown: the choice beside Generate sets it
    whole_material: BoolProperty(
        name="Whole Material", description="What Generate makes in a new file: maps too", default=False
    )
    models: StringProperty(
        name="Models",
        description="Folder with diffusers models to choose from",
        subtype="DIR_PATH",
    )
    author: StringProperty(name="Author", description="Whom materials that are marked as assets name as their author")

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        setup_panel.draw_preferences(layout, self)
        part = _part(layout, "Computing", "MEMORY")
        for name in ("device", "memory", "priority", "idle_minutes", "yield_to_render"):
            part.prop(self, name)
        part = _part(layout, "In Blender", "BLENDER")
        for name in ("previews", "previews_first", "fit_new", "on_save"):
            part.prop(self, name)
        part = _part(layout, "Textures on the Disk", "FILE_FOLDER")
        part.prop(self, "store", placeholder=str(package.results_folder()))
        part.prop(self, "store_limit")
        part.prop(self, "tell_unsaved")
        history = state.current.history
        if history is not None and history.ready:
            words = iface_("{count} textures, {size:.2f} GB")
            text = words.format(count=len(history.entries), size=history.size / 1e9)
            part.label(text=text, translate=False)
        part = _part(layout, "Models and Assets", "ASSET_MANAGER")
        part.prop(self, "models")
        part.prop(self, "author")
        layout.operator("tilewright.open_manual", icon="HELP")


def _part(layout: bpy.types.UILayout, heading: str, icon: Any) -> bpy.types.UILayout:
    """A part of the preferences under its heading."""
    column = layout.box().column()
    column.label(text=heading, icon=icon)
    return column


CLASSES = (TILEWRIGHT_AP_preferences,)
