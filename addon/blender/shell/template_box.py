# SPDX-License-Identifier: GPL-3.0-or-later
"""The template box below the prompt: a picture to start from, how far, which part. Draws only. Imports bpy, core."""

from typing import Any

import bpy

from ...core.requests.template import Region
from ..common import targets
from ..common.drawing import paragraph
from ..common.languages import iface_
from ..history import browse
from ..material import color_node
from ..settings.properties import REGION_ITEMS, TILEWRIGHT_PG_settings

_WITH_FEATHER = {Region.MASK, Region.ALPHA, Region.SEAM}  # wear has a border of its own


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, settings: TILEWRIGHT_PG_settings) -> None:
    """One line until it is opened. layout: of the panel itself."""
    header, body = layout.panel("TILEWRIGHT_template", default_closed=True)
    text = iface_("Template Image") if body or settings.template_image is None else _chosen(settings)
    header.label(text=text, icon="IMAGE_REFERENCE", translate=False)
    if body is None:
        return
    column: Any = body.column()
    column.template_ID(settings, "template_image", open="image.open")
    _draw_sources(column, context)
    if settings.template_image is None:
        return
    column = body.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(settings, "region")
    _draw_region(column, context, settings)
    column.prop(settings, "strength")
    if settings.region != "GROW":  # which tiles it
        column.prop(settings, "fit")
    row = column.row()
    row.active = settings.tiling != "NONE"
    row.prop(settings, "make_tileable")
    if settings.region in (Region.ALL, Region.WEAR):
        column.prop(settings, "keep_edges")


def _chosen(settings: TILEWRIGHT_PG_settings) -> str:
    """What is started from, while the box is closed; the name comes last, for it may be cut."""
    part = next(name for value, name, *_rest in REGION_ITEMS if value == settings.region)
    words = [f"{settings.strength:.0%}"]
    if settings.region != Region.ALL:
        words.append(iface_(part))
    return ", ".join([*words, settings.template_image.name])


def _draw_sources(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Pictures that are at hand: what the object shows, and the selected one of the history."""
    material = targets.material_of(context)
    node = color_node.image_node(material) if material else None
    image = node.image if node is not None else None
    row = layout.row(align=True)
    mine = row.row(align=True)
    mine.enabled = image is not None
    button: Any = mine.operator("tilewright.use_as_template", text="This Texture", icon="MATERIAL")
    button.image = image.name if image is not None else ""
    entry = browse.selected()
    past = row.row(align=True)
    past.enabled = entry is not None
    button = past.operator("tilewright.use_as_template", text="Selected Result", icon="TEMP")
    button.result = entry.name if entry is not None else ""


def _draw_region(layout: Any, context: bpy.types.Context, settings: TILEWRIGHT_PG_settings) -> None:
    region = Region(settings.region)
    if region is Region.MASK:
        layout.use_property_split = False
        layout.template_ID(settings, "mask", open="image.open")
        row = layout.row(align=True)
        row.operator("tilewright.paint_mask", icon="BRUSH_DATA")
        row.operator("tilewright.mask_from_faces", text="From Faces", icon="UV_FACESEL")
        layout.use_property_split = True
        layout.prop(settings, "cover")
    elif region is Region.SEAM and settings.tiling == "NONE":
        paragraph(layout, context, "Tiling is off, so there is no seam.", icon="INFO")
    elif region is Region.GROW:
        _draw_grow(layout, context, settings)
    elif region is Region.WEAR:
        layout.prop(settings, "wear_amount")
    if region in _WITH_FEATHER:
        layout.prop(settings, "feather")


def _draw_grow(layout: bpy.types.UILayout, context: bpy.types.Context, settings: TILEWRIGHT_PG_settings) -> None:
    """The texture has to be a multiple of the image: three that are, one click each."""
    row = layout.row(align=True)
    for text, across, down in (("2 x 2", 2, 2), ("2 x 1", 2, 1), ("1 x 2", 1, 2)):
        button: Any = row.operator("tilewright.size_from_template", text=text, translate=False)
        button.across, button.down = across, down
    words = iface_("{width} x {height}").format(width=settings.width, height=settings.height)
    layout.label(text=words, icon="FULLSCREEN_ENTER", translate=False)
