# SPDX-License-Identifier: GPL-3.0-or-later
"""What guides a texture besides words: structure by ControlNets, style by an IP-Adapter. Draws only. Imports core."""

import os
from typing import Any

import bpy

from ...core.model_files.kinds import Role
from ...core.requests.texture import STARTER
from ..common import state
from ..common.drawing import paragraph
from ..common.languages import iface_
from ..settings import models, told
from ..settings.properties import AUTO, CONTROL_ITEMS, TILEWRIGHT_PG_control, TILEWRIGHT_PG_settings, settings_of
from . import pickers


def draw(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Grey, with the reason, where the model takes no guides; what is there can be turned off all the same."""
    settings = settings_of(context.scene)
    if reason := _reason(settings):
        paragraph(layout, context, reason, icon="INFO")
    whole = layout.column()
    whole.active = not reason
    whole.label(text="Structure (ControlNet)")
    for index, control in enumerate(settings.controls):
        _draw_control(whole.box().column(), context, control, index)
    whole.operator("tilewright.add_control", icon="ADD")
    whole.separator()
    whole.label(text="Style (IP-Adapter)")
    _draw_style(whole.column(), context, settings)


def _reason(settings: TILEWRIGHT_PG_settings) -> str:
    """Why the model takes no guides, "" where it does, or that is not known yet. Reads no disk."""
    if settings.model == STARTER:
        return iface_("There are no ControlNets or IP-Adapters for the starter. Choose another model.")
    info = models.peek(settings.model)
    if info is None or info.takes_guides:
        return ""
    return iface_("{model} takes no ControlNet and no IP-Adapter.").format(model=info.title)


def _draw_file(layout: Any, context: bpy.types.Context, file: str, role: Role) -> None:
    """What the file is, as far as that was seen; with a mark where it is no such file, or for another model."""
    kind = models.seen(file)
    if kind is None:
        return
    info = models.peek(settings_of(context.scene).model)
    known = kind.base is not None and info is not None and info.base is not None
    fits = kind.role is role and not (known and info is not None and kind.base is not info.base)
    said = told.sentence(kind, file)
    if not fits and kind.role is role and info is not None and info.base is not None:
        said = f"{said} {iface_('The model is {base}.').format(base=info.base.title)}"
    paragraph(layout, context, said, icon="INFO" if fits else "ERROR")


def _draw_control(column: Any, context: bpy.types.Context, control: TILEWRIGHT_PG_control, index: int) -> None:
    row = column.row(align=True)
    row.prop(control, "use", text="")
    row.prop(control, "model", text="", placeholder=iface_("ControlNet"))
    pickers.draw_control_button(row, control)
    button: Any = row.operator("tilewright.remove_control", text="", icon="X")
    button.index = index
    if not control.use:
        return
    _draw_file(column, context, control.model, Role.CONTROLNET)
    column.template_ID(control, "picture", open="image.open")
    row = column.row(align=True)
    button = row.operator("tilewright.control_from_material", icon="MATERIAL")
    button.index = index
    button = row.operator("tilewright.control_from_bake", icon="RENDER_STILL")
    button.index = index
    bake = state.current.bake
    if bake is not None and bake.index == index:
        row = column.row(align=True)
        row.label(text="Baking...", icon="TIME")
        row.operator("tilewright.stop_bake", text="", icon="X")
    column = column.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(control, "kind")
    if control.kind == AUTO and control.model:
        name = next(name for value, name, _told in CONTROL_ITEMS if value == control.get_kind())
        paragraph(column, context, iface_("The name says: {kind}.").format(kind=iface_(name)), icon="RIGHTARROW_THIN")
    column.prop(control, "strength")
    steps = column.column(align=True)
    steps.prop(control, "start")
    steps.prop(control, "end")
    column.prop(control, "make_tileable")


def _draw_style(column: Any, context: bpy.types.Context, settings: TILEWRIGHT_PG_settings) -> None:
    column.template_ID(settings, "style_picture", open="image.open")
    column = column.column()
    column.use_property_split = True
    column.use_property_decorate = False
    row = column.row(align=True)
    row.prop(settings, "style_file")
    pickers.draw_button(row, "TILEWRIGHT_MT_ip_adapters")
    if settings.style_file:
        _draw_file(column, context, settings.style_file, Role.IP_ADAPTER)
        _draw_encoder(column, context, settings)
        column.prop(settings, "style_strength", text="Strength")


def _draw_encoder(column: Any, context: bpy.types.Context, settings: TILEWRIGHT_PG_settings) -> None:
    """The image encoder; where none was chosen, which one is taken."""
    row = column.row(align=True)
    row.prop(settings, "style_encoder", placeholder="Found by Itself")
    pickers.draw_button(row, "TILEWRIGHT_MT_image_encoders")
    if settings.style_encoder or (found := told.encoder(settings.style_file)) is None:
        return
    place = os.path.join(found.parent.name, found.name)
    paragraph(column, context, iface_("Image encoder: {place}").format(place=place), icon="CHECKMARK")
