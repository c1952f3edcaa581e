# SPDX-License-Identifier: GPL-3.0-or-later
"""The selected texture in the panel: its picture, what is known of it, where it is, and what can be done with it.

Draws only, and reads no disk. Imports bpy and core.
"""

import time
from typing import Any

import bpy

from ...core.history import Entry
from ...core.naming import title
from ...core.requests.texture import Axes
from ...core.results import BASE_COLOR, Result
from ..common import drawing, state, targets
from ..common.drawing import paragraph
from ..common.languages import iface_
from ..material import color_node, old_maps, shown
from ..settings.properties import facts_of
from . import browse, viewport


def draw(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Nothing where no texture is selected."""
    entry = browse.selected()
    if entry is None:
        return
    name, result = entry.name, entry.result
    place: Any = context.window_manager.tilewright_history  # type: ignore[attr-defined]
    box = layout.box().column()
    _draw_title(box, entry)
    if state.current.view.pictures and state.current.thumbnails is not None:
        box.template_icon_view(place, "picture", show_labels=True, scale=8, scale_popup=5)
    _draw_steps(box, name)
    text, icon = _seam_text(result)
    box.label(text=text, icon=icon, translate=False)
    if icon == "ERROR":
        if result.recipe.request.is_sampled:
            box.operator("tilewright.repair_seam").result = name
        _draw_make_tileable(box, result)
    _draw_facts(box, result)
    image = _image_of(name)
    worn = _is_worn(context, image)
    _draw_notes(box, context, result, _where(image, worn))
    if worn and image is not None:
        _draw_old_maps(box, context, image, result)
    if not worn and image is not None:
        _draw_group(box, context, name)
    row = box.row(align=True)
    row.operator("tilewright.apply").result = name
    row.operator("tilewright.try_on", icon="HIDE_OFF").result = name
    row = box.row(align=True)
    row.prop(place, "comparing", text="Compare", toggle=True)
    row.menu("TILEWRIGHT_MT_going_on")
    row.menu("TILEWRIGHT_MT_result", text="", icon="DOWNARROW_HLT")
    if worn and viewport.blind(context):  # the last: it goes when it is pressed, and nothing may move under the mouse
        row = box.row(align=True)
        row.operator("tilewright.show_in_viewport", icon="SHADING_TEXTURE").shading = "MATERIAL"
        row.operator("tilewright.show_in_viewport", text="", icon="SHADING_SOLID").shading = "TEXTURE"


def _draw_title(layout: bpy.types.UILayout, entry: Entry) -> None:
    row = layout.row(align=True)
    row.label(text=title(entry.result.recipe.request.prompt, 80), translate=False)
    marked = entry.marks.favourite
    star: Any = row.operator("tilewright.favourite", text="", icon="SOLO_ON" if marked else "SOLO_OFF", emboss=False)
    star.result, star.favourite = entry.name, not marked


def _draw_steps(layout: bpy.types.UILayout, name: str) -> None:
    """From one texture to the next of the job that made the selected one, where that was the last."""
    names = [made.folder.name for made in state.current.results]
    if len(names) < 2 or name not in names:
        return
    row = layout.row(align=True)
    row.operator("tilewright.show", text="", icon="TRIA_LEFT").step = -1
    middle = row.row(align=True)
    middle.alignment = "CENTER"
    words = iface_("{number} of {count}")
    middle.label(text=words.format(number=names.index(name) + 1, count=len(names)), translate=False)
    row.operator("tilewright.show", text="", icon="TRIA_RIGHT").step = 1


def _draw_facts(layout: bpy.types.UILayout, result: Result) -> None:
    request = result.recipe.request
    facts = layout.column(align=True)
    facts.scale_y = 0.8
    text = _duration(result.seconds)
    if request.is_sampled:
        size = "x".join(map(str, request.result_size))
        words = iface_("{size}, seed {seed}, {duration}")
        text = words.format(size=size, seed=request.seed, duration=text)
    else:
        text = iface_("Made from another picture, {duration}").format(duration=text)
    facts.label(text=text, icon="BLANK1", translate=False)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(result.created))
    if request.sheet.count > 1:
        when = iface_("{time}, {count} tiles").format(time=when, count=request.sheet.count)
    facts.label(text=when, icon="BLANK1", translate=False)


def _draw_notes(layout: bpy.types.UILayout, context: bpy.types.Context, result: Result, where: str) -> None:
    """What was said while it was made, and where it is now."""
    current = state.current
    made_last = current.last is not None and result in current.results
    for note in dict.fromkeys((*(current.last.notes if made_last and current.last else ()), *result.notes)):
        paragraph(layout, context, note, icon="INFO")
    paragraph(layout, context, where, icon="MATERIAL")


def _image_of(name: str) -> bpy.types.Image | None:
    """The result's color in this file."""
    wanted = name, BASE_COLOR
    facts = ((image, facts_of(image)) for image in bpy.data.images)
    return next((image for image, fact in facts if (fact.result, fact.kind) == wanted), None)


def _is_worn(context: bpy.types.Context, image: bpy.types.Image | None) -> bool:
    """Whether the active material shows it as its color."""
    material = context.object.active_material if context.object else None
    node: Any = color_node.image_node(material) if material and image else None
    return node is not None and node.image == image


def _where(image: bpy.types.Image | None, worn: bool) -> str:
    """Where the texture is now: what delivery said, as long as it still holds. Undo takes the texture out again."""
    current = state.current
    if image is None:
        if current.outcome_of == current.view.selected and current.outcome and not current.outcome_placed:
            return current.outcome
        return "Not in this file. Press Apply to use it."
    used = image.users > image.use_fake_user
    if current.outcome_of == current.view.selected and current.outcome and (used or not current.outcome_placed):
        return current.outcome
    if worn:
        return "In the active material."
    return "In this file." if used else "In this file, but in no material. Press Apply to use it."


def _draw_old_maps(
    layout: bpy.types.UILayout, context: bpy.types.Context, image: bpy.types.Image, result: Result
) -> None:
    """The remedies for maps that are of another texture than the color is now."""
    material = context.object.active_material
    if not old_maps.find(material):
        return
    row = layout.row(align=True)
    with drawing.without_asking(layout):
        button: Any = row.operator("tilewright.make_maps", text="Remake Maps", icon="FILE_REFRESH")
        button.image, button.axes = image.name, result.recipe.request.axes.value
        row.operator("tilewright.unlink_old_maps", icon="UNLINKED")


def _draw_group(layout: bpy.types.UILayout, context: bpy.types.Context, name: str) -> None:
    """What to do with a group that the material's Principled BSDF is in and that others use too."""
    material = targets.material_of(context)
    shared = shown.surface(material.node_tree).shared if material and material.node_tree else None
    if shared is None:
        return
    column = layout.column(align=True)
    words = iface_("Edit for All {count} Users")
    button: Any = column.operator(
        "tilewright.apply_in_group", text=words.format(count=shown.users(shared.node_tree)), icon="LINKED"
    )
    button.result, button.own = name, False
    button = column.operator("tilewright.apply_in_group", text="Make a Copy for This Material", icon="DUPLICATE")
    button.result, button.own = name, True


def _draw_make_tileable(layout: bpy.types.UILayout, result: Result) -> None:
    """The remedy for a seam, where the texture is an image in this file."""
    image = _image_of(result.folder.name)
    if image is None:
        return
    axes = result.recipe.request.axes
    if axes is Axes.NONE:
        layout.operator("tilewright.make_tileable", text="Make Tileable...").image = image.name
        return
    with drawing.without_asking(layout):  # nothing is left to ask
        button: Any = layout.operator("tilewright.make_tileable")
        button.image, button.axes = image.name, axes.value


def _seam_text(result: Result) -> tuple[str, Any]:
    score = result.seam_score
    if score is None:
        return iface_("Seam not measured"), "BLANK1"
    icon = "CHECKMARK"
    if result.recipe.request.axes is Axes.NONE:
        words, icon = iface_("Tiling was off ({score:.2f})"), "BLANK1"
    elif result.seam_shows:
        words, icon = iface_("Seam visible ({score:.2f})"), "ERROR"
    elif result.seam_p is not None:  # made by a chain without edges: its score is that of many a cut through it
        words = iface_("Seamless ({score:.2f}, roll test {p:.2f})")
    else:
        words = iface_("Seamless ({score:.2f})")
    return words.format(score=score, p=result.seam_p or 0.0), icon


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
