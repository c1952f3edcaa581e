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
from . import blend, feeds, shown, without_repeat
from .operators import OnMaterial


def _image_or_attribute(material: bpy.types.Material) -> Any:
    """The image or the name of the attribute that is painted on; None where other nodes make the mask."""
    found = blend.blends(material)
    if not found:
        return without_repeat.mask_of(shown.nodes(material))
    node: Any = blend.mask_node(found[0])
    if node is not None and node.bl_idname == "ShaderNodeVertexColor":
        return node.layer_name
    return node.image if node is not None and node.bl_idname == feeds.IMAGE else None


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


class TILEWRIGHT_OT_paint_blend(OnMaterial):
    """Paint where the second material is: white for it, black for the first one"""

    bl_idname = "tilewright.paint_blend"
    bl_label = "Paint Mask"

    @classmethod
    def problem_with(cls, material: bpy.types.Material, context: bpy.types.Context) -> UserError | None:
        if _image_or_attribute(material) is None:
            if blend.blends(material):
                return targets.refusal("The mask is made by other nodes.", "Change it in the Shader Editor.")
            return targets.refusal(rpt_("Nothing is blended into {name}.").format(name=material.name))
        if context.object is None or context.object.type != "MESH":
            return targets.refusal("No mesh is active.")
        return None

    def act(self, context: bpy.types.Context) -> None:
        obj: Any = context.object
        material: Any = targets.material_of(context)
        mask = _image_or_attribute(material)
        tools: Any = context.tool_settings
        mode: Any
        if isinstance(mask, str):
            blend.ensure_attribute(obj, mask, 0.0)
            obj.data.color_attributes.active_color_name = mask
            mode, paint = "VERTEX_PAINT", tools.vertex_paint
        else:
            tools.image_paint.mode, tools.image_paint.canvas = "IMAGE", mask
            mode, paint = "TEXTURE_PAINT", tools.image_paint
        bpy.ops.object.mode_set(mode=mode)
        editors.take_white(context, paint)


CLASSES = (TILEWRIGHT_OT_remove_blend, TILEWRIGHT_OT_paint_blend)
