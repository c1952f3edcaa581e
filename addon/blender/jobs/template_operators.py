# SPDX-License-Identifier: GPL-3.0-or-later
"""What the buttons of the template box do: masks to paint, masks from faces, the size. Imports bpy and core."""

from array import array
from collections.abc import Iterator
from typing import Any

import bmesh
import bpy
from bpy.props import IntProperty
from mathutils import Matrix
from mathutils.geometry import tessellate_polygon

from ...core import torus_fill
from ...core.errors import ErrorKind, UserError
from ...core.naming import image_name
from ...core.requests.texture import GRID, MAX_SIDE, MIN_SIDE
from ...core.results import MASK
from ...core.torus_fill import Point
from ..common import reporting, targets
from ..common.languages import rpt_
from ..material import color_node, coordinates
from ..pictures import editors
from ..settings.properties import TILEWRIGHT_PG_settings, facts_of, settings_of

NO_TEMPLATE = UserError(ErrorKind.REQUEST, "There is no template image.", "Choose one first.")
_LARGEST = 4096  # pixels of a mask's side: what is larger is scaled anyway, and slow to paint on


class _OnTemplate(reporting.Operator):
    """An operator that needs a template image."""

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        if context.scene is None:
            return reporting.NO_SCENE
        return NO_TEMPLATE if settings_of(context.scene).template_image is None else None


def _mask_of(settings: TILEWRIGHT_PG_settings) -> bpy.types.Image:
    """The mask that is chosen, where it fits the template, or else a new black one, which is chosen then."""
    template = settings.template_image
    width, height = (min(side, _LARGEST) for side in template.size)
    if not (width and height):
        width, height = settings.width, settings.height  # its file is missing, which Generate tells
    mask = settings.mask
    if mask is None or mask.library or facts_of(mask).kind != MASK or tuple(mask.size) != (width, height):
        mask = bpy.data.images.new(image_name(template.name, None, "mask"), width, height, alpha=False)
        mask.generated_color = (0.0, 0.0, 0.0, 1.0)
        facts_of(mask).kind = MASK
        settings.mask = mask
    settings.region = "MASK"
    return mask


class TILEWRIGHT_OT_paint_mask(_OnTemplate):
    """Paint what is made anew, white on black, in an Image Editor or a new window. Adds a mask where there is none"""

    bl_idname = "tilewright.paint_mask"
    bl_label = "Paint Mask"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context: bpy.types.Context) -> None:
        mask = _mask_of(settings_of(context.scene))
        if bpy.app.background:
            return
        editors.show(context, mask).mode = "PAINT"
        editors.take_white(context, context.tool_settings.image_paint)


class TILEWRIGHT_OT_mask_from_faces(_OnTemplate):
    """Add the selected faces of the active mesh to the mask, where they lie in the texture"""

    bl_idname = "tilewright.mask_from_faces"
    bl_label = "Mask from Faces"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        if error := super().problem(context):
            return error
        if context.object is None or context.object.type != "MESH":
            return targets.refusal("No mesh is active.", "Select one, and faces of it in Edit Mode.")
        return None

    def act(self, context: bpy.types.Context) -> None:
        obj: Any = context.object
        material = targets.material_of(context)
        node = color_node.image_node(material) if material else None
        name = coordinates.layout(node, obj).uv_map if node else ""
        matrix = coordinates.matrix(node) if node else Matrix.Identity(4)
        corners = list(_triangles(obj, name, matrix))
        if not corners:
            raise targets.refusal("No face with UV coordinates is selected.", "Select faces in Edit Mode.")
        mask = _mask_of(settings_of(context.scene))
        width, height = mask.size
        rows = torus_fill.fill(([(x * width, y * height) for x, y in three] for three in corners), width, height)
        _whiten(mask, rows)


def _triangles(obj: Any, name: str, matrix: Matrix) -> Iterator[list[Point]]:
    """The selected faces as triangles in the texture, whose sides are 1. name: of the UV map, "" for the active one."""
    mesh = bmesh.new()
    try:
        source = bmesh.from_edit_mesh(obj.data) if obj.mode == "EDIT" else mesh
        if source is mesh:
            mesh.from_mesh(obj.data)
        layer = source.loops.layers.uv.get(name) if name else source.loops.layers.uv.active
        for face in source.faces if layer else ():
            if face.select and not face.hide:
                points = [(matrix @ loop[layer].uv.to_3d()).to_2d() for loop in face.loops]
                for three in tessellate_polygon([[point.to_3d() for point in points]]):
                    yield [(points[corner].x, points[corner].y) for corner in three]
    finally:
        mesh.free()


def _whiten(mask: bpy.types.Image, rows: list[bytearray]) -> None:
    """Make these pixels white. rows: from the bottom, as Blender has them."""
    target: Any = mask.pixels
    pixels = array("f", [0.0]) * len(target)
    target.foreach_get(pixels)
    marks, channels = array("f", iter(b"".join(rows))), mask.channels  # bytes themselves would be read as floats
    for channel in range(min(channels, 3)):
        pixels[channel::channels] = array("f", map(max, pixels[channel::channels], marks))
    target.foreach_set(pixels)
    mask.update()


class TILEWRIGHT_OT_size_from_template(_OnTemplate):
    """Set the texture's size to the image's, or a multiple of it"""

    bl_idname = "tilewright.size_from_template"
    bl_label = "Size of the Image"
    bl_options = {"REGISTER", "UNDO"}

    across: IntProperty(name="Across", description="How many times as wide", default=1, min=1, max=8)
    down: IntProperty(name="Down", description="How many times as high", default=1, min=1, max=8)

    def act(self, context: bpy.types.Context) -> None:
        settings = settings_of(context.scene)
        image = settings.template_image
        if not all(image.size):
            raise UserError(ErrorKind.REQUEST, rpt_("{name} has no pixels.").format(name=image.name))
        settings.width, settings.height = (
            min(max(round(times * side / GRID) * GRID, MIN_SIDE), MAX_SIDE)
            for times, side in zip((self.across, self.down), image.size, strict=True)
        )


CLASSES = (TILEWRIGHT_OT_paint_mask, TILEWRIGHT_OT_mask_from_faces, TILEWRIGHT_OT_size_from_template)
