# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel, in the sidebars of the 3D View and the Shader Editor. Draws only, and reads no disk. Imports bpy, core."""

from collections.abc import Callable
from typing import Any

import bpy

from ...core.errors import ErrorKind
from ...core.prompts import EXAMPLE
from ...core.requests.texture import STARTER
from ...core.surface_kinds import SurfaceKind
from ..common import package, preferences, state, targets
from ..common.drawing import PLACES, paragraph
from ..common.languages import iface_
from ..history import selected
from ..install import models as setup_models
from ..install import panel as setup_panel
from ..jobs import baking
from ..jobs import panel as queue_panel
from ..material import color_node, coordinates
from ..material import panel as material_panel
from ..settings import extras, models, presets, request
from ..settings.properties import MAP_ITEMS, TILEWRIGHT_PG_settings, kind_title, settings_of, target_problem
from . import guides_panel, loras, model_choice, pickers, template_box


def _draw_main(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    current = state.current
    current.shown_in.add(context.region.as_pointer())
    settings = settings_of(context.scene)
    if setup_panel.is_wanted():
        setup_panel.draw_box(layout, context)
    elif current.engine_error and current.error is None:
        _draw_engine_error(layout, context)
    column = layout.column()
    if hasattr(column, "textbox"):  # from 5.2 on: several lines
        column.textbox(settings, "prompt", initial_visible_lines=2, placeholder=EXAMPLE)
    else:
        column.prop(settings, "prompt", text="", placeholder=EXAMPLE)
    _draw_reading(column, context, settings)
    template_box.draw(layout, context, settings)
    column = layout.column()
    row = column.row(align=True)
    row.prop(context.window_manager.tilewright, "makes", expand=True)  # type: ignore[attr-defined]
    row = column.row(align=True)
    row.scale_y = 1.6
    words = iface_("Generate {count}") if settings.count > 1 else iface_("Generate")
    row.operator("tilewright.generate", text=words.format(count=settings.count), translate=False)
    row.operator("tilewright.generate_lines", text="", icon="TEXT")
    _draw_target_line(layout, context)
    if (info := models.peek(settings.model)) and not info.exact and settings.tiling != "NONE":
        paragraph(layout, context, "This model's textures repeat nearly, not exactly.", icon="INFO")
    jobs = list(current.session.jobs) if current.session else []
    if jobs:
        queue_panel.draw(layout, context, jobs)
    if current.hindrance:
        paragraph(layout, context, current.hindrance, icon="TIME")
    if current.error:
        _draw_error(layout, context)
    selected.draw(layout, context)


def _draw_reading(layout: bpy.types.UILayout, context: bpy.types.Context, settings: TILEWRIGHT_PG_settings) -> None:
    """What the model reads where that is not what was typed, and what it does not know."""
    reading = request.reading(settings)
    if settings.template.strip():
        row = layout.row()
        words = iface_("Final prompt: {text}").format(text=reading.text)
        paragraph(row.column(), context, words, icon="RIGHTARROW_THIN", margin=2)
        row.operator("tilewright.clear_template", text="", icon="X", emboss=False)
    elif reading.read_as:
        paragraph(layout, context, iface_("Read as: {text}").format(text=reading.text), icon="RIGHTARROW_THIN")
    if reading.unknown:
        words = iface_("The model does not know: {words}.").format(words=", ".join(reading.unknown))
        paragraph(layout, context, words, icon="QUESTION")


def _draw_engine_error(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    error = state.current.engine_error
    box = layout.box().column()
    paragraph(box, context, error.message, icon="ERROR")
    paragraph(box, context, error.hint)
    box.operator("preferences.addon_show", text="Open Preferences", icon="PREFERENCES").module = package.NAME


def _draw_target_line(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Where the texture will go, or why it cannot."""
    obj, material = context.object, targets.material_of(context)
    error = target_problem(context)
    if preferences.get().previews_first:
        paragraph(layout, context, "Into the history: Previews First", icon="TEMP")
    elif error:
        paragraph(layout, context, error.message, icon="INFO")
        paragraph(layout, context, "The texture will go into the history.", icon="TEMP")
    elif obj:
        place = material.name if material else iface_("a new material")
        layout.label(text=f"{obj.name}: {place}", icon="MATERIAL", translate=False)
    if coordinates.lacks_uv_map(color_node.image_node(material) if material else None, obj):
        row = layout.row()
        label = row.row()
        label.alert = True
        label.label(text="No UV map", icon="ERROR")
        row.operator("tilewright.add_uv_map", text="Add UV Map")


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


def _draw_texture(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    settings = settings_of(context.scene)
    layout.use_property_split = True
    layout.use_property_decorate = False
    presets.draw_template(layout, settings)
    layout.prop(settings, "negative_prompt", text="Negative")
    column = layout.column(align=True)
    column.prop(settings, "width")
    column.prop(settings, "height")
    _draw_detail(layout, context, settings)
    layout.prop(settings, "tiling")
    layout.prop(settings, "upscale")
    if settings.upscale != "1":
        layout.prop(settings, "upscaler")
    if settings.maps:
        _draw_map_kinds(layout, settings)
        layout.prop(settings, "map_networks")
        layout.prop(settings, "kind")
        if settings.kind == SurfaceKind.AUTO and (kind := request.read_as(settings)):
            words = iface_("The prompt says: {kind}.").format(kind=iface_(kind_title(kind)))
            paragraph(layout, context, words, icon="RIGHTARROW_THIN")
        layout.prop(settings, "invert_relief")
    layout.prop(settings, "delight")
    layout.prop(settings, "count")
    _draw_variants(layout, context, settings)
    layout.prop(settings, "use_random_seed")
    row = layout.row()
    row.active = not settings.use_random_seed or settings.variation > 0
    row.prop(settings, "seed")
    layout.prop(settings, "variation")
    if settings.variation:
        row = layout.row()
        row.active = not settings.use_random_seed
        row.prop(settings, "variation_seed")


def _draw_detail(layout: bpy.types.UILayout, context: bpy.types.Context, settings: TILEWRIGHT_PG_settings) -> None:
    """Greyed where the worker refuses any but medium, with the reason once another is chosen."""
    info = models.peek(settings.model)
    elsewhere = info is not None and not info.defaults.periodic
    refused = elsewhere or settings.template_image is not None or settings.variants != "1"
    row = layout.row()
    row.active = not refused
    row.prop(settings, "detail")
    if refused and settings.detail != "MEDIUM":
        words = "Detail Size needs the starter, no template image and one tile. Choose Medium."
        paragraph(layout, context, words, icon="ERROR")


def _draw_variants(layout: bpy.types.UILayout, context: bpy.types.Context, settings: TILEWRIGHT_PG_settings) -> None:
    """Greyed where the worker refuses more than one tile, with the reason once more are asked for."""
    guided = settings.style_picture is not None or any(control.use for control in settings.controls)
    refused = settings.tiling != "XY" or settings.template_image is not None or guided
    row = layout.row()
    row.active = not refused
    row.prop(settings, "variants")
    if refused and settings.variants != "1":
        words = "Variants need Tiling set to Both, no template image and no guide pictures."
        paragraph(layout, context, words, icon="ERROR")


def _draw_map_kinds(layout: bpy.types.UILayout, settings: TILEWRIGHT_PG_settings) -> None:
    """One line, which says which maps are made and opens the list of them."""
    chosen = [iface_(name) for kind, name, *_rest in MAP_ITEMS if kind in settings.map_kinds]
    text = iface_("All") if len(chosen) == len(MAP_ITEMS) else ", ".join(chosen) or iface_("None")
    layout.row(heading="Maps").prop_menu_enum(settings, "map_kinds", text=text, translate=False)


def _draw_model(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    setup_models.want_list()
    settings = settings_of(context.scene)
    info = models.peek(settings.model)
    info = info and info.with_extras(extras.named(settings))
    layout.use_property_split = True
    layout.use_property_decorate = False
    if preferences.get().host.strip():
        layout.prop(preferences.get(), "place")
    model_choice.draw(layout, context, info)
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
    if len(models.sigmas_items(settings.model, settings.get_scheduler())) > 1:
        layout.prop(settings, "sigmas")
    if settings.model != STARTER or settings.vae:
        row = layout.row(align=True)
        row.prop(settings, "vae", placeholder="Model's Own")
        pickers.draw_button(row, "TILEWRIGHT_MT_vaes")
    if info and info.alone:
        layout.prop(settings, "parts", placeholder="Found by Itself")
    if info and (warning := info.warning(settings.steps or info.defaults.steps, settings.get_scheduler())):
        paragraph(layout, context, warning, icon="INFO")
    layout.operator("tilewright.free")


def _draw_target(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    settings = settings_of(context.scene)
    layout.column().prop(settings, "target", expand=True)


def _draw_material(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    material_panel.draw(layout, context)
    if targets.material_of(context) is not None:
        baking.draw(layout, context)


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
        ("guides", "Guide Pictures", guides_panel.draw),
        ("target", "Target", _draw_target),
        ("material", "Material", _draw_material),
    )
    closed = [panel(suffix, label, draw, main.__name__) for suffix, label, draw in parts]
    model = next(part for part in closed if part.__name__.endswith("_model"))
    return (main, *closed, panel("loras", "LoRAs", loras.draw, model.__name__))


CLASSES = tuple(cls for place, name in PLACES for cls in _panels(place, name))
