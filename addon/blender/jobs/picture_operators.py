# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to images that exist: upscaled, with maps, or made tileable; the menu for it. Imports bpy and core."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from ...core.errors import ErrorKind, UserError
from ...core.naming import title
from ...core.requests import Request
from ...core.requests.finish import Finish, MapKind
from ...core.requests.picture import Content, PictureRequest
from ...core.requests.texture import Axes
from ...core.results import SEAM_THRESHOLD
from ...core.surface_kinds import SurfaceKind, surface_of
from ..common import preferences, reporting, state, targets
from ..common.languages import iface_, rpt_
from ..common.targets import Target
from ..material import color_node
from ..pictures import sources
from ..settings import properties
from ..settings.properties import facts_of
from ..settings.request import network
from . import generation, pump

_AXES = (
    ("XY", "Both", "Repeats both ways"),
    ("X", "X", "Repeats left and right"),
    ("Y", "Y", "Repeats up and down"),
    ("NONE", "None", "Doesn't repeat"),
)
_CONTENTS = (
    ("AUTO", "From the Image", "Color, or data if the image's color space is Non-Color"),
    ("NORMAL", "Normals", "A normal map: normals keep unit length"),
)


def find(context: bpy.types.Context, name: str = "") -> bpy.types.Image | None:
    """The image of that name; without one the Image Editor's, or the selected image node's.

    Where none is selected: the one that is the base color, or the first.
    """
    if name:
        return bpy.data.images.get(name)
    space = context.space_data
    if isinstance(space, bpy.types.SpaceImageEditor):
        return space.image
    material = context.object.active_material if context.object else None
    if material is None or material.node_tree is None:
        return None
    nodes = [node for node in material.node_tree.nodes if isinstance(node, bpy.types.ShaderNodeTexImage) and node.image]
    active = material.node_tree.nodes.active
    first = [node for node in (active, color_node.image_node(material)) if node in nodes]
    return next((node.image for node in [*first, *nodes]), None)


def _choose(context: bpy.types.Context, name: str) -> bpy.types.Image:
    """What `find` finds. Raises `UserError` where that is nothing, or nothing can be made of it."""
    image = find(context, name)
    if name and image is None:
        raise UserError(ErrorKind.REQUEST, rpt_("There is no image {name}.").format(name=repr(name)))
    if error := sources.problem(image):
        raise error
    return image


def _kind(context: bpy.types.Context, name: str) -> SurfaceKind:
    """The one that was chosen when the image was made. Else AUTO, unless the image's own words name no kind of surface
    and the active material's name does."""
    image, material = find(context, name), context.object.active_material if context.object else None
    asked = _asked_of(image) if image else None
    if asked and asked.finish.kind is not SurfaceKind.AUTO:
        return asked.finish.kind
    said = [image.name if image else "", asked.prompt if asked else ""]
    found = surface_of(SurfaceKind.AUTO, material.name) if material else None
    return SurfaceKind.AUTO if found is None or surface_of(SurfaceKind.AUTO, ", ".join(said)) else found.kind


def _asked_of(image: bpy.types.Image) -> Request | None:
    """What was asked for when the image was made; None where that is not known or cannot be read."""
    recipe = properties.readable_recipe_of(image)
    return recipe.request if recipe else None


def _is_normals(image: bpy.types.Image) -> bool:
    """Whether the image is a normal map of ours, or was made from one."""
    asked = _asked_of(image)
    return (asked is not None and asked.holds_normals) or facts_of(image).kind == MapKind.NORMAL.value


def _content_property() -> EnumProperty:
    return EnumProperty(
        name="Content", items=_CONTENTS, description="What the image's numbers mean", options={"SKIP_SAVE"}
    )


class _OnImage(reporting.Operator):
    """What the operators share. `image`: a name, for scripts; empty: what `find` finds."""

    keeps_error = True

    image: StringProperty(name="Image", description="Its name. Empty: the one shown", options={"SKIP_SAVE"})
    axes: EnumProperty(name="Tiling", items=_AXES, description="Where the picture repeats", options={"SKIP_SAVE"})

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        # which image it will be is not known here: buttons and scripts name others than the one that is shown
        error = sources.problem(find(context))
        return error if error and all(map(sources.problem, bpy.data.images)) else None

    def start(self, context: bpy.types.Context, *, into_material: bool = False, **wanted: Any) -> None:
        """Queue the job and return at once; in background mode when it is done."""
        current = state.current
        current.error = None
        image = _choose(context, self.image)
        target = Target(current.document, "IMAGE", 0, 0, "", image.name)
        if into_material:
            target = targets.choose(context, "BASE_COLOR", current.document)
        preferences.check_engine()
        wanted["source_recipe"] = properties.as_source(image)
        folder = sources.new_folder()
        try:
            path, content = sources.prepare(image, folder)
            if getattr(self, "content", "AUTO") == "NORMAL" or _is_normals(image):
                content = Content.NORMAL
            job = generation.session().submit(
                PictureRequest(str(path), axes=Axes(self.axes), content=content, **wanted)
            )
        except BaseException:  # nobody is left who would read what was written
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if sources.has_layers(image):
            words = rpt_("{name} has several layers. The Combined of the first is used.")
            self.report({"INFO"}, words.format(name=image.name))
        current.folders[job.id] = folder
        current.targets[job.id] = replace(target, look=sources.look(image), source=image.session_uid)
        pump.ensure_running()
        if bpy.app.background:
            generation.wait(job)

    def _title(self, context: bpy.types.Context, word: str) -> str:
        image = find(context, self.image)
        if image is None:
            return ""
        asked = _asked_of(image)
        return f"{title(asked.prompt) if asked else Path(image.name).stem} {word}"


class _Asking(_OnImage):
    """Asks for the settings first, where it is chosen from a menu. asked: their names."""

    asked: tuple[str, ...] = ()

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> reporting.Outcome:
        return self.attempt(lambda: self.ask(context))  # what is wrong is said before the settings are asked for

    def ask(self, context: bpy.types.Context) -> reporting.Outcome:
        asked = _asked_of(_choose(context, self.image))
        axes = asked.axes.value if asked else ""
        offered = self.properties.bl_rna.properties["axes"].enum_items  # type: ignore[attr-defined]
        if axes in offered and not self.properties.is_property_set("axes"):
            self.axes = axes
        if asked and "invert_relief" in self.asked and not self.properties.is_property_set("invert_relief"):
            self.invert_relief = asked.finish.invert_relief  # as the image's maps were made
        return context.window_manager.invoke_props_dialog(self, confirm_text=iface_(self.bl_label))

    def draw(self, _context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        for name in self.asked:
            self.layout.prop(self, name)


class TILEWRIGHT_OT_upscale(_Asking):
    """Enlarge the image, keeping it seamless and its colors unchanged. Makes a new image"""

    bl_idname = "tilewright.upscale"
    bl_label = "Upscale"
    asked = ("scale", "upscaler", "axes", "content")

    scale: EnumProperty(
        name="Scale",
        description="How many times larger",
        items=(("2", "2x", "Twice"), ("4", "4x", "Four times"), ("8", "8x", "Eight times")),
        default="4",
    )
    upscaler: properties.upscaler_property()
    content: _content_property()

    def act(self, context: bpy.types.Context) -> None:
        finish = Finish(int(self.scale), network(self.upscaler))
        self.start(context, finish=finish, title=self._title(context, f"{self.scale}x"))


class TILEWRIGHT_OT_make_maps(_Asking):
    """Make height, normal, roughness, metallic and occlusion maps from the image, for the active material"""

    bl_idname = "tilewright.make_maps"
    bl_label = "Make Material from Image"
    asked = ("kind", "invert_relief", "delight", "map_networks", "axes")

    kind: properties.kind_property(options={"SKIP_SAVE"})
    invert_relief: properties.invert_relief_property(options={"SKIP_SAVE"})
    delight: properties.delight_property(options={"SKIP_SAVE"})
    map_networks: properties.map_networks_property()

    def act(self, context: bpy.types.Context) -> None:
        finish = Finish(
            maps=tuple(MapKind),
            map_networks=network(self.map_networks),
            kind=_kind(context, self.image) if self.kind == SurfaceKind.AUTO else SurfaceKind(self.kind),
            delight=self.delight,
            invert_relief=self.invert_relief,
        )
        self.start(context, into_material=True, finish=finish, title=self._title(context, "material"))


class TILEWRIGHT_OT_make_tileable(_Asking):
    """Make the image repeat without a seam. Makes a new image"""

    bl_idname = "tilewright.make_tileable"
    bl_label = "Make Tileable"
    asked = ("axes", "content", "delight")

    axes: EnumProperty(
        name="Tiling", items=_AXES[:3], description="Where the picture should repeat", options={"SKIP_SAVE"}
    )
    content: _content_property()
    delight: properties.delight_property(options={"SKIP_SAVE"})

    def draw(self, context: bpy.types.Context) -> None:
        image = find(context, self.image)
        asked = _asked_of(image) if image else None
        score = facts_of(image).seam_score if image else properties.NOT_MEASURED
        if asked is not None and asked.axes is not Axes.NONE and 0.0 <= score <= SEAM_THRESHOLD:
            words = iface_("It already repeats without a seam ({score:.2f}).")
            self.layout.label(text=words.format(score=score), icon="CHECKMARK", translate=False)
        super().draw(context)

    def act(self, context: bpy.types.Context) -> None:
        finish = Finish(delight=self.delight)
        self.start(context, tileable=True, finish=finish, title=self._title(context, "tileable"))


class TILEWRIGHT_MT_image(bpy.types.Menu):
    bl_idname = "TILEWRIGHT_MT_image"
    bl_label = "Tilewright"

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.enabled = sources.problem(find(context)) is None
        self.layout.operator("tilewright.upscale", text="Upscale...")
        self.layout.operator("tilewright.make_tileable", text="Make Tileable...")
        self.layout.operator("tilewright.make_maps", text="Make Material from Image...")


def _draw_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.separator()
    self.layout.menu("TILEWRIGHT_MT_image")


def _draw_node_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    node: Any = getattr(context, "active_node", None)
    if getattr(node, "image", None) is not None:
        _draw_menu(self, context)


CLASSES = (TILEWRIGHT_OT_upscale, TILEWRIGHT_OT_make_maps, TILEWRIGHT_OT_make_tileable, TILEWRIGHT_MT_image)


def register() -> None:
    """The menus of the editors that show one image: all of ours is in one submenu."""
    bpy.types.IMAGE_MT_image.append(_draw_menu)
    bpy.types.NODE_MT_context_menu.append(_draw_node_menu)


def unregister() -> None:
    bpy.types.NODE_MT_context_menu.remove(_draw_node_menu)
    bpy.types.IMAGE_MT_image.remove(_draw_menu)
