# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the panel for a whole material: its size, relief, occlusion, asset. Draws only. Imports bpy."""

import bpy

from ...core.errors import UserError
from . import color_node, map_nodes, physical_size
from . import operators as material_operators


def draw(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    try:
        material = material_operators.active_material(context)
    except UserError as error:
        layout.label(text=error.message, icon="INFO")
        return
    layout.use_property_split = True
    layout.use_property_decorate = False
    column = layout.column(align=True)
    scale = physical_size.scale_of(material)
    column.prop(scale, "tile_size")
    column.prop(scale, "relief")
    if color_node.image_node(material) is not None and not physical_size.is_fitted(material):
        layout.label(text="Not fitted to the object", icon="INFO")
    layout.operator("tilewright.fit_to_object")
    whole = layout.column(align=True)
    whole.use_property_split = False  # half of the width is too little for its words
    whole.label(text="Displacement")
    whole.prop(material, "displacement_method", text="")
    if map_nodes.is_outdated(material, context.scene.render.engine, context.object):
        layout.operator("tilewright.follow_displacement", icon="FILE_REFRESH")
    if map_nodes.occlusion_node(material) is not None:
        multiplied = map_nodes.multiply_node(material) is not None
        layout.operator("tilewright.multiply_occlusion", depress=multiplied)
    text = "Update Asset" if material.asset_data else "Mark as Asset"
    layout.operator("tilewright.export_maps", icon="EXPORT")
    layout.operator("tilewright.mark_asset", text=text, icon="ASSET_MANAGER")
