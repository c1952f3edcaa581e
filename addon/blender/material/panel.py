# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the panel for a whole material: its size, relief, occlusion, asset. Draws only. Imports bpy."""

import bpy

from ...core.errors import UserError
from ..common import drawing, state
from ..common.languages import iface_, message_of, rpt_
from ..settings.properties import facts_of
from . import blend, color_node, map_nodes, physical_size, shown, without_repeat
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
    is_laid = without_repeat.is_laid(shown.nodes(material))
    layout.operator("tilewright.lay_without_repeat", depress=is_laid)
    image = color_node.image_node(material) if is_laid else None
    if image is not None and without_repeat.sheet_of(image.image).count == 1:
        column = layout.column(align=True)
        for name in ("lay_strength", "lay_patch", "lay_columns", "lay_rows"):
            column.prop(scale, name)
    if is_laid and image is not None and without_repeat.is_transition(image.image):
        layout.operator("tilewright.paint_blend", icon="BRUSH_DATA")
    _draw_blend(layout, material)
    text = "Update Asset" if material.asset_data else "Mark as Asset"
    _draw_export(layout, context)
    layout.operator("tilewright.mark_asset", text=text, icon="ASSET_MANAGER")


def _draw_blend(layout: bpy.types.UILayout, material: bpy.types.Material) -> None:
    """The button, and the sliders of the blend that was added last."""
    layout.operator("tilewright.blend_with", text="Blend With...")
    base = color_node.image_node(material)
    if base is not None and base.image is not None and facts_of(base.image).result:
        layout.operator("tilewright.transition", text="Transition...")
    for node in blend.blends(material)[:1]:
        box = layout.box().column()
        second = blend.second_node(node)
        row = box.row()
        row.label(text=second.label if second is not None else node.label, icon="MATERIAL", translate=False)
        row.operator("tilewright.remove_blend", text="", icon="X", emboss=False)
        sliders = box.column(align=True)
        sliders.prop(node.inputs["Contrast"], "default_value", text="Contrast")
        sliders.prop(node.inputs["Offset"], "default_value", text="Offset")
        if second is not None and "Scale" in second.inputs:
            sliders.prop(second.inputs["Scale"], "default_value", text="Scale")
        box.operator("tilewright.paint_blend", icon="BRUSH_DATA")


def _draw_export(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The button, or how far its export is; below, what came of the last one."""
    export = state.current.export
    if export is None:
        layout.operator("tilewright.export_maps", icon="EXPORT")
        return
    if not export.is_over:
        row = layout.row(align=True)
        text = iface_("Exporting {done} of {count}").format(done=min(export.made + 1, export.count), count=export.count)
        row.progress(factor=export.made / export.count, text=text)
        row.operator("tilewright.close_export", text="", icon="X")
        return
    layout.operator("tilewright.export_maps", icon="EXPORT")
    if export.error:
        told, icon = message_of(export.error), "ERROR"
    elif export.is_cancelled and not export.files:
        told, icon = iface_("The export was cancelled."), "INFO"
    else:
        names = ", ".join(path.name for path in export.files)
        told, icon = rpt_("In {folder}: {names}.").format(folder=export.folder, names=names), "CHECKMARK"
    row = layout.row()
    drawing.paragraph(row, context, told, icon=icon, margin=1)
    row.operator("tilewright.close_export", text="", icon="X", emboss=False)
