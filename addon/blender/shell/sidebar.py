# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel, in the sidebars of the 3D View and the Shader Editor. Draws only, and reads no disk. Imports bpy, core."""

from collections.abc import Callable
from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ...core.errors import ErrorKind
from ...core.naming import title
from ...core.requests.texture import Axes, TextureRequest
from ...core.results import BASE_COLOR, Result
from ..common import package, state, target
from ..common.drawing import PLACES, paragraph
from ..install import panel as setup_panel
from ..jobs import panel as queue_panel
from ..material import color_node, coordinates
from ..material import panel as material_panel
from ..settings import models, presets

_EXAMPLE = "mossy red brick wall"


def _draw_main(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    now = state.current
    now.shown_in.add(context.region.as_pointer())
    settings = context.scene.tilewright
    if setup_panel.is_wanted():
        setup_panel.draw_box(layout, context)
    elif now.lost_engine and now.error is None:
        _draw_lost_engine(layout, context)
    column = layout.column()
    if hasattr(column, "textbox"):  # from 5.2 on: several lines
        column.textbox(settings, "prompt", initial_visible_lines=2, placeholder=_EXAMPLE)
    else:
        column.prop(settings, "prompt", text="", placeholder=_EXAMPLE)
    button = column.row()
    button.scale_y = 1.6
    words = iface_("Generate {count}") if settings.count > 1 else iface_("Generate")
    button.operator("tilewright.generate", text=words.format(count=settings.count), translate=False)
    _draw_target_line(layout, context)
    jobs = list(now.session.jobs) if now.session else []
    if jobs:
        queue_panel.draw(layout, jobs)
    if now.hindrance:
        paragraph(layout, context, now.hindrance, icon="TIME")
    if now.error:
        _draw_error(layout, context)
    if now.result:
        _draw_result(layout, context, now.result)


def _draw_lost_engine(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    error = state.current.lost_engine
    box = layout.box().column()
    paragraph(box, context, error.message, icon="ERROR")
    paragraph(box, context, error.hint)
    box.operator("preferences.addon_show", text="Open Preferences", icon="PREFERENCES").module = package.NAME


def _draw_target_line(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Where the texture will go, or why it cannot."""
    obj, material = context.object, target.material_of(context)
    error = target.problem(context, context.scene.tilewright.target)
    if error:
        paragraph(layout, context, error.message, icon="INFO")
    elif obj:
        place = material.name if material else iface_("a new material")
        layout.label(text=f"{obj.name}: {place}", icon="MATERIAL", translate=False)
    if coordinates.lacks_uv_map(color_node.image_node(material) if material else None, obj):
        row = layout.row()
        label = row.row()
        label.alert = True
        label.label(text="No UV map", icon="ERROR")
        row.operator("tilewright.add_uv_map", text="Add UV Map")


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _draw_error(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    error = state.current.error
    box = layout.box().column()
    row = box.row()
    paragraph(row.column(), context, error.message, icon="ERROR", margin=2)
    row.operator("tilewright.dismiss", text="", icon="X", emboss=False)
    if error.hint:
        # the whole path says little here, and may name the user: the button opens the file
        paragraph(box, context, error.hint.replace(str(package.data_folder("logs")), "…"))
    row = box.row(align=True)
    if error.kind is ErrorKind.RUNTIME:
        row.operator("preferences.addon_show", text="Preferences").module = package.NAME
    row.operator("tilewright.open_log", icon="TEXT")


def _draw_result(layout: bpy.types.UILayout, context: bpy.types.Context, result: Result) -> None:
    now = state.current
    request = result.recipe.request
    box = layout.box().column()
    previews = now.previews
    if previews is not None and result.folder.name in previews:
        box.template_icon(icon_value=previews[result.folder.name].icon_id, scale=8)
    count = len(now.results)
    if count > 1:
        row = box.row(align=True)
        row.operator("tilewright.show", text="", icon="TRIA_LEFT").step = -1
        middle = row.row(align=True)
        middle.alignment = "CENTER"
        words = iface_("{number} of {count}")
        middle.label(text=words.format(number=now.shown % count + 1, count=count), translate=False)
        row.operator("tilewright.show", text="", icon="TRIA_RIGHT").step = 1
    paragraph(box, context, title(request.prompt))
    text, icon = _seam_text(result)
    box.label(text=text, icon=icon, translate=False)
    if icon == "ERROR":
        _draw_make_tileable(box, result)
    text = _duration(result.seconds)
    if isinstance(request, TextureRequest):
        text = iface_("Seed {seed}, {duration}").format(seed=request.seed, duration=text)
    box.label(text=text, icon="BLANK1", translate=False)
    for note in dict.fromkeys((*(now.last.notes if now.last else ()), *result.notes)):
        paragraph(box, context, note, icon="INFO")
    if now.outcome:
        paragraph(box, context, now.outcome, icon="INFO")
    box.operator("tilewright.apply")


def _draw_make_tileable(layout: bpy.types.UILayout, result: Result) -> None:
    """The remedy for a seam, where the texture is an image in this file."""
    wanted = result.folder.name, BASE_COLOR
    facts = ((image, image.tilewright) for image in bpy.data.images)
    image = next((image for image, fact in facts if (fact.result, fact.kind) == wanted), None)
    if image is None:
        return
    axes = result.recipe.request.axes
    row = layout.row()
    if axes is not Axes.NONE:
        row.operator_context = "EXEC_DEFAULT"  # nothing is left to ask
    button = row.operator("tilewright.make_tileable")
    button.image = image.name
    if axes is not Axes.NONE:
        button.axes = axes.value


def _seam_text(result: Result) -> tuple[str, str]:
    score = result.seam_score
    if score is None:
        return iface_("Seam not measured"), "BLANK1"
    if result.recipe.request.axes is Axes.NONE:
        words, icon = iface_("Tiling was off ({score:.2f})"), "BLANK1"
    elif result.seam_shows:
        words, icon = iface_("Seam visible ({score:.2f})"), "ERROR"
    elif result.seam_p is not None:  # made by a chain without edges: its score is that of many a cut through it
        words, icon = iface_("Seamless ({score:.2f}, roll test {p:.2f})"), "CHECKMARK"
    else:
        words, icon = iface_("Seamless ({score:.2f})"), "CHECKMARK"
    return words.format(score=score, p=result.seam_p or 0.0), icon


def _draw_texture(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    settings = context.scene.tilewright
    layout.use_property_split = True
    layout.use_property_decorate = False
    presets.draw_template(layout, settings)
    layout.prop(settings, "negative_prompt", text="Negative")
    column = layout.column(align=True)
    column.prop(settings, "width")
    column.prop(settings, "height")
    layout.prop(settings, "tiling")
    layout.prop(settings, "upscale")
    if settings.upscale != "1":
        layout.prop(settings, "upscaler")
    layout.prop(settings, "maps")
    if settings.maps:
        layout.prop(settings, "map_networks")
    layout.prop(settings, "count")
    layout.prop(settings, "use_random_seed")
    row = layout.row()
    row.active = not settings.use_random_seed
    row.prop(settings, "seed")


def _draw_model(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    settings = context.scene.tilewright
    info = models.peek(settings.model)
    layout.use_property_split = True
    layout.use_property_decorate = False
    layout.prop(settings, "model")
    steps, guidance = iface_("Steps"), iface_("Guidance")
    if info and not settings.steps:
        steps = iface_("Steps (model: {steps})").format(steps=info.defaults.steps)
    if info and not settings.guidance_scale:
        value = info.defaults.guidance_for(settings.negative_prompt)
        guidance = iface_("Guidance (model: {guidance:g})").format(guidance=value)
    whole = layout.column(align=True)
    whole.use_property_split = False  # the label is too long for half of the width
    whole.prop(settings, "steps", text=steps, translate=False)
    whole.prop(settings, "guidance_scale", text=guidance, translate=False)
    layout.prop(settings, "scheduler")
    layout.operator("tilewright.free")


def _draw_target(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    layout.column().prop(context.scene.tilewright, "target", expand=True)


def _panels(place: type, name: str) -> tuple[type, ...]:
    """The panel and its closed parts for one kind of editor."""

    def panel(suffix: str, label: str, draw: Callable[..., None], parent: str = "") -> Any:
        id_ = f"TILEWRIGHT_PT_{name}_{suffix}"
        members: dict[str, Any] = {"bl_label": label, "draw": lambda self, context: draw(self.layout, context)}
        if not parent:
            members["draw_header_preset"] = presets.draw_header
        else:
            members |= {"bl_parent_id": parent, "bl_options": {"DEFAULT_CLOSED"}, "bl_order": 1}  # after the history
        return type(id_, (place, bpy.types.Panel), members)

    main = panel("main", package.TITLE, _draw_main)
    parts = (
        ("texture", "Texture", _draw_texture),
        ("model", "Model", _draw_model),
        ("target", "Target", _draw_target),
        ("material", "Material", material_panel.draw),
    )
    return (main, *(panel(suffix, label, draw, main.__name__) for suffix, label, draw in parts))


CLASSES = tuple(cls for place, name in PLACES for cls in _panels(place, name))
