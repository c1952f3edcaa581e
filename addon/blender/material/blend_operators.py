# SPDX-License-Identifier: GPL-3.0-or-later
"""What the buttons of a blend do: paint its mask, remove it. Adding one also takes results: `history.blending`.

Imports bpy and core.
"""

from typing import Any

import bpy

from ...core.errors import UserError
from ..common import targets
from ..common.languages import rpt_
from ..pictures import editors
from . import blend, feeds
from .operators import OnMaterial


class _OnBlend(OnMaterial):
    """An operator on the blend that was added last."""

    @classmethod
    def problem_with(cls, material: bpy.types.Material, context: bpy.types.Context) -> UserError | None:
        if blend.blends(material):
            return None
        return targets.refusal(rpt_("Nothing is blended into {name}.").format(name=material.name))


class TILEWRIGHT_OT_remove_blend(_OnBlend):
    """Take the second material out again. The mask stays in the file"""

    bl_idname = "tilewright.remove_blend"
    bl_label = "Remove Blend"

    def act(self, context: bpy.types.Context) -> None:
        material: Any = targets.material_of(context)
        blend.take_out(material, blend.blends(material)[0])


class TILEWRIGHT_OT_paint_blend(_OnBlend):
    """Paint where the second material is: white for it, black for the first one"""

    bl_idname = "tilewright.paint_blend"
    bl_label = "Paint Mask"

    @classmethod
    def problem_with(cls, material: bpy.types.Material, context: bpy.types.Context) -> UserError | None:
        if error := super().problem_with(material, context):
            return error
        node: Any = blend.mask_node(blend.blends(material)[0])
        if node is None or node.bl_idname not in ("ShaderNodeVertexColor", feeds.IMAGE):
            return targets.refusal("The mask is made by other nodes.", "Change it in the Shader Editor.")
        if context.object is None or context.object.type != "MESH":
            return targets.refusal("No mesh is active.")
        return None

    def act(self, context: bpy.types.Context) -> None:
        obj: Any = context.object
        node: Any = blend.mask_node(blend.blends(targets.material_of(context))[0])
        tools: Any = context.tool_settings
        mode: Any
        if node.bl_idname == feeds.IMAGE:
            if node.image is None:
                raise targets.refusal("The mask has no image.", "Choose one in the Shader Editor.")
            tools.image_paint.mode, tools.image_paint.canvas = "IMAGE", node.image
            mode, paint = "TEXTURE_PAINT", tools.image_paint
        else:
            blend.ensure_attribute(obj, node.layer_name, 0.0)
            obj.data.color_attributes.active_color_name = node.layer_name
            mode, paint = "VERTEX_PAINT", tools.vertex_paint
        bpy.ops.object.mode_set(mode=mode)
        editors.take_white(context, paint)


CLASSES = (TILEWRIGHT_OT_remove_blend, TILEWRIGHT_OT_paint_blend)
