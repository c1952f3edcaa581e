# SPDX-License-Identifier: GPL-3.0-or-later
"""The history in the panel: a page of thumbnails, and what can be done with one. Draws only, and reads no disk.

Imports bpy and core.
"""

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, PointerProperty, StringProperty

from ...core.history import Which
from ...core.naming import title
from ..common import drawing, package, state
from ..common.languages import iface_
from . import browse, compare

_WHICH = (
    (Which.ALL.value, "All", "All textures", "IMGDISPLAY", 0),
    (Which.FAVOURITES.value, "Favorites", "Favorites only", "SOLO_ON", 1),
    (Which.UNTAKEN.value, "In No File", "Textures not used by any saved file", "GHOST_ENABLED", 2),
)
_UNIT = 20  # pixels of a button's height, at a scale of 1
_MARGIN = 40  # pixels beside the thumbnails, at a scale of 1


def _set_text(self: Any, text: str) -> None:
    state.current.view.text = text
    browse.show(0)


def _set_which(self: Any, number: int) -> None:
    state.current.view.which = tuple(Which)[number]
    browse.show(0)


def _set_comparing(self: Any, held: bool) -> None:
    state.current.view.comparing = held


def _selected_number(self: Any) -> int:
    view = state.current.view
    return next((item[4] for item in view.pictures if item[0] == view.selected), 0)


def _select_number(self: Any, number: int) -> None:
    browse.select(next(item[0] for item in state.current.view.pictures if item[4] == number))


class TILEWRIGHT_PG_history(bpy.types.PropertyGroup):
    """`window_manager.tilewright_history`: how the panel shows the history. Nothing is stored in Blender's data."""

    search: StringProperty(
        name="Search",
        description="Words of the prompt, the model, the size or the seed",
        get=lambda self: state.current.view.text,
        set=_set_text,
        options={"TEXTEDIT_UPDATE", "SKIP_SAVE"},
    )
    which: EnumProperty(
        name="Show",
        description="Which textures to show",
        items=_WHICH,
        get=lambda self: tuple(Which).index(state.current.view.which),
        set=_set_which,
        options={"SKIP_SAVE"},
    )
    comparing: BoolProperty(
        name="Compare",
        description="See the previous texture or, if the object shows another one, this one. Hold the button, or "
        "click it and click again",
        get=lambda self: state.current.view.comparing,
        set=_set_comparing,
        update=compare.hold,
        options={"SKIP_SAVE"},
    )
    picture: EnumProperty(
        name="Texture",
        description="The selected texture. Click to choose another one on this page",
        items=lambda self, context: state.current.view.pictures,
        get=_selected_number,
        set=_select_number,
        options={"SKIP_SAVE"},
    )


def _shown(context: bpy.types.Context) -> TILEWRIGHT_PG_history:
    return context.window_manager.tilewright_history  # type: ignore[attr-defined]


class TILEWRIGHT_MT_result(bpy.types.Menu):
    bl_idname = "TILEWRIGHT_MT_result"
    bl_label = "More"

    def draw(self, context: bpy.types.Context) -> None:
        layout, name = self.layout, state.current.view.selected
        layout.operator("tilewright.restore_settings", icon="LOOP_BACK").result = name
        layout.operator("tilewright.blend_with", text="Blend With...", icon="MOD_OPACITY").result = name
        layout.separator()
        layout.operator("tilewright.open_in_image_editor", icon="IMAGE").result = name
        layout.operator("tilewright.show_file", icon="FILE_FOLDER").result = name
        layout.separator()
        layout.operator("tilewright.delete", text="Delete...", icon="TRASH").result = name
        layout.separator()
        layout.operator("tilewright.history_refresh", icon="FILE_REFRESH")
        layout.operator("tilewright.clean_up")


def draw(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The history, for a sidebar of any width."""
    current = state.current
    view = current.view
    place = _shown(context)
    row = layout.row(align=True)
    row.prop(place, "search", text="", icon="VIEWZOOM", placeholder="Search")
    row.prop(place, "which", text="", expand=True, icon_only=True)
    _draw_filters(layout)
    if view.offered and view.which is not Which.UNTAKEN:
        _draw_offer(layout, context, len(view.offered))
    if current.history is None or not (current.history.ready or view.found):
        layout.label(text="Reading the results…", icon="TIME")
        return
    if not view.found:
        layout.label(text="Nothing found" if current.history.entries else "No textures yet", icon="INFO")
        return
    _draw_page(layout, context)
    _draw_pager(layout)


def _draw_filters(layout: bpy.types.UILayout) -> None:
    """What is left out, so that nobody looks for it in vain."""
    view, history = state.current.view, state.current.history
    if history is None or not (view.text.strip() or view.which is not Which.ALL):
        return
    row = layout.row()
    label = next(name for which, name, *_rest in _WHICH if which == view.which.value)
    words = iface_("{label}: {found} of {count}").format(
        label=iface_(label), found=len(view.found), count=len(history.entries)
    )
    row.label(text=words, icon="FILTER", translate=False)
    row.operator("tilewright.clear_filters", text="", icon="X", emboss=False)


def _draw_offer(layout: bpy.types.UILayout, context: bpy.types.Context, count: int) -> None:
    box = layout.box().column()
    row = box.row()
    words = iface_("1 earlier texture is not in any saved file.")
    if count > 1:
        words = iface_("{count} earlier textures are not in any saved file.").format(count=count)
    words = f"{words} {iface_('Apply the ones you want and save the file. Favorites always stay.')}"
    drawing.paragraph(row.column(), context, words, icon="RECOVER_LAST", margin=2)
    row.operator("tilewright.dismiss_offers", text="", icon="X", emboss=False)
    row = box.row(align=True)
    row.operator("tilewright.show_offers")
    row.operator("tilewright.dismiss_offers", text="Never Show").for_good = True


def _draw_page(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Thumbnails in as many columns as the sidebar has room for; the button below each selects it."""
    view, thumbnails = state.current.view, state.current.thumbnails
    entries = browse.entries_on_page(view)
    room = context.region.width / (context.preferences.system.ui_scale or 1.0) - _MARGIN  # 0 without a window
    columns = next((count for count in (6, 4, 3) if room / count >= 3.5 * _UNIT), 2)
    scale = min(max(room / columns / _UNIT - 0.4, 2.0), 8.0)
    grid = layout.grid_flow(row_major=True, columns=columns, even_columns=True, even_rows=True, align=False)
    for entry in entries:
        cell = grid.column(align=True)
        icon = thumbnails[entry.name].icon_id if thumbnails is not None and entry.name in thumbnails else 0
        cell.template_icon(icon_value=icon, scale=scale)
        cell.operator(
            "tilewright.select",
            text=title(entry.result.recipe.request.prompt),
            icon="SOLO_ON" if entry.marks.favourite else "NONE",
            depress=entry.name == view.selected,
            translate=False,
        ).result = entry.name
    for _ in range(-len(entries) % columns):  # the last row's cells are as wide as the others
        grid.column().label(text="")


def _draw_pager(layout: bpy.types.UILayout) -> None:
    view = state.current.view
    pages = browse.pages(view)
    row = layout.row(align=True)
    if pages > 1:
        left = row.row(align=True)
        left.enabled = view.page > 0
        left.operator("tilewright.turn_page", text="", icon="TRIA_LEFT").step = -1
        middle = row.row(align=True)
        middle.alignment = "CENTER"
        words = iface_("{page} of {pages}").format(page=view.page + 1, pages=pages)
        middle.label(text=words, translate=False)
        right = row.row(align=True)
        right.enabled = view.page < pages - 1
        right.operator("tilewright.turn_page", text="", icon="TRIA_RIGHT").step = 1


def _classes() -> tuple[type, ...]:
    made = []
    for place, name in drawing.PLACES:
        members = {
            "bl_label": "History",
            "bl_translation_context": package.TITLE,  # Blender's own word for it is another in some languages
            "bl_parent_id": f"TILEWRIGHT_PT_{name}_main",
            "bl_order": 0,  # before the settings that are rarely touched
            "draw": lambda self, context: draw(self.layout, context),
        }
        made.append(type(f"TILEWRIGHT_PT_{name}_history", (place, bpy.types.Panel), members))
    return tuple(made)


CLASSES = (TILEWRIGHT_PG_history, TILEWRIGHT_MT_result, *_classes())


def register() -> None:
    bpy.types.WindowManager.tilewright_history = PointerProperty(type=TILEWRIGHT_PG_history)  # type: ignore[attr-defined]


def unregister() -> None:
    del bpy.types.WindowManager.tilewright_history  # type: ignore[attr-defined]
