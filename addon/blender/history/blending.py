# SPDX-License-Identifier: GPL-3.0-or-later
"""*Blend With*: another material, or a result, into the active material by a mask. Imports bpy and core."""

from collections.abc import Iterator
from typing import Any

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty, StringProperty

from ...core.naming import title
from ...core.results import BASE_COLOR, MAPS
from ..common import reporting, targets
from ..common.languages import iface_, rpt_
from ..material import blend, color_node, masks
from ..material.operators import OnMaterial, active_material
from ..pictures import images
from . import browse


def _choices(self: Any, context: bpy.types.Context, text: str) -> Iterator[str]:
    """The other materials that show a texture."""
    active = targets.material_of(context)
    names = []
    for material in bpy.data.materials:
        node = color_node.image_node(material) if material != active and not material.is_grease_pencil else None
        if node is not None and node.image is not None:
            names.append(material.name)
    # what is chosen is the text when the list opens: there all are to be seen
    yield from (name for name in names if text in names or text.casefold() in name.casefold())


class TILEWRIGHT_OT_blend_with(OnMaterial):
    """Blend another material into this one by a mask, with a border that follows the heights of both"""

    bl_idname = "tilewright.blend_with"
    bl_label = "Blend With"

    material: StringProperty(
        name="Material",
        description="What is blended into the active material",
        search=_choices,
        search_options=set(),
        options={"SKIP_SAVE"},
    )
    result: StringProperty(description="Or a result: its folder in the history", options={"SKIP_SAVE", "HIDDEN"})
    mask: EnumProperty(
        name="Mask",
        description="What says where each material is: black for the first, white for the second",
        items=[
            ("COLORS", "Vertex Colors", "A color attribute of the mesh, as fine as its vertices"),
            ("IMAGE", "Image", "An image on the UV map, to be painted"),
        ],
    )
    name: StringProperty(
        name="Name",
        description="Of the color attribute or image. One that is there is used as it is",
        default=blend.ATTRIBUTE,
        options={"SKIP_SAVE"},
    )
    size: IntProperty(name="Image Size", description="Of a new image", subtype="PIXEL", default=1024, min=16, max=8192)
    amount: FloatProperty(
        name="Amount",
        description="How much of the second material a new mask shows, before you paint on it",
        subtype="FACTOR",
        default=0.5,
        min=0.0,
        max=1.0,
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        obj = context.object
        if not self.properties.is_property_set("mask"):
            is_fine = obj is not None and obj.type == "MESH" and len(obj.data.vertices) >= blend.FEWEST
            self.mask = "COLORS" if is_fine else "IMAGE"
        if not (self.material or self.result):
            self.material = next(_choices(self, context, ""), "")
        return context.window_manager.invoke_props_dialog(self, confirm_text=iface_("Blend"))

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        if self.result:
            layout.label(text=title(browse.result(self.result).recipe.request.prompt), translate=False)
        else:
            layout.prop(self, "material", icon="MATERIAL")
        layout.prop(self, "mask")
        layout.prop(self, "name")
        new = layout.column()
        new.active = not self._is_there(context)
        if self.mask == "IMAGE":
            new.prop(self, "size")
        new.prop(self, "amount")

    def act(self, context: bpy.types.Context) -> None:
        material = active_material(context)
        second = self._second(material)
        mask: bpy.types.Image | str
        if self.mask == "COLORS":
            mask = self.name or blend.ATTRIBUTE
            blend.ensure_attribute(context.object, mask, self.amount)
        else:
            mask = bpy.data.images.get(self.name) or masks.new(self.name, self.size, self.amount)
        blend.mix(material, second, mask)
        words = rpt_("glTF and USD files get {name} without the blend. For engines, bake it.")
        self.report({"INFO"}, words.format(name=material.name))

    def _is_there(self, context: bpy.types.Context) -> bool:
        """Whether the mask is one that is there, and is taken as it is."""
        if self.mask == "IMAGE":
            return self.name in bpy.data.images
        obj: Any = context.object
        return obj is not None and obj.type == "MESH" and (self.name or blend.ATTRIBUTE) in obj.data.color_attributes

    def _second(self, material: bpy.types.Material) -> blend.Second:
        if self.result:
            result = browse.result(self.result)
            pictures = {kind: images.load(result, kind) for kind in (BASE_COLOR, *MAPS) if kind in result.files}
            name = title(result.recipe.request.prompt, 40)
            return blend.second_of_pictures(name, pictures, result.recipe.relief, material)
        other: bpy.types.Material | None = bpy.data.materials.get(self.material)
        if other is None:
            raise targets.refusal("No second material is chosen.", "Choose one that has a texture.")
        if other == material:
            raise targets.refusal("A material cannot be blended with itself.", "Choose another one.")
        return blend.second_of(other)


CLASSES = (TILEWRIGHT_OT_blend_with,)
