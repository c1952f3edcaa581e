# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the 3D View shows textures at all, and one click that has it show them. Imports bpy."""

from typing import Any

import bpy
from bpy.props import EnumProperty

from ...core.errors import ErrorKind, UserError
from ..common import reporting
from ..common.drawing import redraw_sidebars
from ..material import color_node


def _views(context: bpy.types.Context) -> list[Any]:
    """The 3D View that the panel is in; from elsewhere all of the screen."""
    space = context.space_data
    if isinstance(space, bpy.types.SpaceView3D):
        return [space]
    areas = context.screen.areas if context.screen else ()
    return [area.spaces.active for area in areas if area.type == "VIEW_3D"]


def blind(context: bpy.types.Context) -> bool:
    """Whether none of them shows textures; False where there is none."""
    return all(_is_blind(space.shading) for space in _views(context)) and bool(_views(context))


def _is_blind(shading: Any) -> bool:
    return shading.type == "WIREFRAME" or (shading.type == "SOLID" and shading.color_type != "TEXTURE")


class TILEWRIGHT_OT_show_in_viewport(reporting.Operator):
    bl_idname = "tilewright.show_in_viewport"
    bl_label = "Show in Viewport"
    # no undo step: how a view is shaded is no part of what undo goes through

    shading: EnumProperty(
        name="Show As",
        items=(
            ("MATERIAL", "Material Preview", "The whole material, lit by Blender"),
            ("TEXTURE", "Solid, Texture", "Color only: fastest, but ignores the scale of the mapping"),
        ),
        default="MATERIAL",
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if getattr(properties, "shading", "") == "TEXTURE":
            return "Show only the color in the 3D View: fastest, but ignores the scale of the mapping"
        return "Show the whole material in the 3D View: Material Preview"

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return None if _views(context) else UserError(ErrorKind.REQUEST, "No 3D View is open.")

    def act(self, context: bpy.types.Context) -> None:
        for space in _views(context):
            if self.shading == "MATERIAL":
                space.shading.type = "MATERIAL"
            else:
                space.shading.type, space.shading.color_type = "SOLID", "TEXTURE"
        material = context.object.active_material if context.object else None
        node = color_node.image_node(material) if material else None
        if self.shading == "TEXTURE" and material and node is not None:
            material.node_tree.nodes.active = node  # the image that Solid shading shows
        redraw_sidebars()


CLASSES = (TILEWRIGHT_OT_show_in_viewport,)
