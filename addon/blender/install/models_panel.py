# SPDX-License-Identifier: GPL-3.0-or-later
"""The models' part of the preferences. Draws only, and reads no disk. Imports bpy and core."""

from typing import Any

import bpy

from ...core.families.worth_having import WorthHaving
from ...core.hub.messages import HubProgress, HubStage
from ...host.library import Entry, Source
from ..common import package, state
from ..common.drawing import lines, size_text, time_text
from ..common.languages import iface_, message_of
from . import models, models_operators

_STAGES = {
    HubStage.WAITING: "Waiting for another Blender",
    HubStage.ASKING: "Asking the hub",
    HubStage.CHECKING: "Checking what is there",
    HubStage.DOWNLOADING: "Downloading",
}
_SOURCES = {
    Source.PACKAGE: "Part of Tilewright.",
    Source.HUB: "Downloaded from the hub.",
    Source.FOLDER: "Found in the models folder.",
    Source.ADDED: "Added by you, and left where it is.",
    Source.UNFINISHED: "The download is not finished.",
    Source.GONE: "It is no longer there. Remove takes it off the list.",
}

_UNUSUAL = {Source.UNFINISHED: "unfinished", Source.GONE: "gone"}


class TILEWRIGHT_UL_models(bpy.types.UIList):
    """What is on the disk."""

    def draw_item(
        self, context: Any, layout: Any, data: Any, item: Any, icon: Any, active: Any, name: str, *more: Any
    ) -> None:
        entries = state.current.models.entries
        if item.number < len(entries):
            entry = entries[item.number]
            damaged = entry.path in state.current.models.damaged
            sign = "ERROR" if damaged else models_operators.ICONS[entry.source]
            what = _UNUSUAL.get(entry.source, "not looked at yet") if not entry.what else entry.what
            _row(layout, entry.title, iface_(what), entry.size, sign)


class TILEWRIGHT_UL_found_models(bpy.types.UIList):
    """What can be had."""

    def draw_item(
        self, context: Any, layout: Any, data: Any, item: Any, icon: Any, active: Any, name: str, *more: Any
    ) -> None:
        rows = models.rows()
        if item.number < len(rows):
            repository, row, licence = rows[item.number]
            title = row.title if row else repository
            sign = "CANCEL" if row and row.refused else "URL"
            _row(layout, title, iface_(row.what) if row else licence, row.size if row else 0, sign)


def _row(layout: Any, title: str, what: str, size: int, icon: Any) -> None:
    split = layout.split(factor=0.5)
    split.label(text=title, icon=icon, translate=False)
    inner = split.split(factor=0.7)
    inner.label(text=what, translate=False)
    inner.label(text=size_text(size) if size else "", translate=False)


def draw_preferences(layout: bpy.types.UILayout, chosen: Any) -> None:
    """The section of the preferences. chosen: the preferences."""
    current, shown = state.current.models, models_operators.lists()
    models.want_list(is_empty=not shown.rows)
    box = layout.box().column()
    box.label(text="Models", icon="ASSET_MANAGER")
    box.prop(chosen, "models", placeholder=str(package.models_folder()))
    row = box.row()
    row.template_list("TILEWRIGHT_UL_models", "", shown, "rows", shown, "active", rows=5)
    side = row.column(align=True)
    side.operator("tilewright.add_model", text="", icon="ADD")
    side.operator("tilewright.remove_model", text="", icon="REMOVE")
    side.separator()
    side.operator("tilewright.refresh_models", text="", icon="FILE_REFRESH")
    entry = models_operators.selected()
    if entry:
        _draw_entry(box, entry)
    _draw_state(box)
    more = box.box().column()
    more.label(text="Get More Models", icon="IMPORT")
    if error := models.offline():
        lines(more, message_of(error), "INTERNET_OFFLINE")
    more.prop(shown, "words", icon="VIEWZOOM", text="Search")
    more.template_list("TILEWRIGHT_UL_found_models", "", shown, "found", shown, "chosen", rows=6)
    if current.searching or current.due:
        more.label(text="Searching...", icon="TIME")
    elif current.words and current.found_for == current.words and not current.found:
        more.label(text="The hub has no such model.", icon="INFO")
    more.prop(shown, "repository", placeholder="owner/model")
    _draw_choice(more, shown)
    more.prop(chosen, "hub_token")
    more.prop(chosen, "hub", placeholder="huggingface.co, or HF_ENDPOINT")


def _draw_entry(layout: Any, entry: Entry) -> None:
    """What is known of the selected model, and what can be done with it."""
    damage = state.current.models.damaged.get(entry.path)
    lines(layout, _SOURCES[entry.source], "INFO")
    if entry.plan:
        place = f"{entry.plan.repository}, {entry.plan.revision[:12]}"
        layout.label(text=place, icon="BLANK1", translate=False)
    if entry.licence:
        layout.label(text=models.commercial(entry.licence), icon="BLANK1", translate=False)
    if damage:
        lines(layout, iface_("Damaged: {files}").format(files=", ".join(damage)), "ERROR")
    row = layout.row(align=True)
    row.operator("tilewright.verify_model", icon="CHECKMARK")
    if entry.plan:
        label = "Continue" if entry.source is Source.UNFINISHED else "Repair"
        row.operator("tilewright.repair_model", text=label, icon="IMPORT")
    row.operator("tilewright.open_model_folder", icon="FILE_FOLDER")


def _draw_download(layout: Any) -> None:
    progress = state.current.models.download.progress
    column = layout.column(align=True)
    column.progress(factor=progress.fraction, text=progress_text(progress))
    column.operator("tilewright.cancel_download", text="Cancel")


def _draw_state(layout: Any) -> None:
    """What goes on, or how it ended."""
    current = state.current.models
    if current.downloading:
        if current.look is None or current.look.plan != current.download.task.plan:  # else it stands at its button
            _draw_download(layout)
    elif current.chore:
        row = layout.row(align=True)
        row.label(text=f"{iface_(current.chore.title)}...", icon="TIME", translate=False)
        row.operator("tilewright.cancel_download", text="Stop")
    elif current.error:
        lines(layout, message_of(current.error), "ERROR")
        row = layout.row(align=True)
        row.operator("tilewright.open_models_log", icon="TEXT")
        row.operator("tilewright.dismiss_models", text="Close")
    elif current.message:
        lines(layout, current.message, "CHECKMARK")


def progress_text(progress: HubProgress) -> str:
    """ "812 of 3103 MB, 40 s left"."""
    if progress.stage is not HubStage.DOWNLOADING:
        return iface_(_STAGES[progress.stage])
    words = iface_("{done:.0f} of {total:.0f} MB")
    text = words.format(done=progress.done / 1e6, total=progress.total / 1e6)
    left = "" if progress.left is None else iface_("{duration} left").format(duration=time_text(progress.left))
    return f"{text}, {left}" if left else text


def _figures(row: WorthHaving | None) -> list[str]:
    """What the table says of a model's needs."""
    said = []
    if row and row.memory:
        said.append(iface_("Runs whole in {memory:g} GB of graphics memory").format(memory=row.memory))
    if row and row.steps:
        words = iface_("Made for {steps} steps and guidance {guidance:g}")
        said.append(words.format(steps=row.steps, guidance=row.guidance))
    if row and not row.is_verified and not row.refused:
        said.append(iface_("Unverified: we know no revision of it; Look Up pins the newest"))
    return said


def _draw_choice(layout: Any, shown: Any) -> None:
    """What is known of the model that was chosen from what can be had, and the way to it."""
    current, rows = state.current.models, models.rows()
    repository = shown.repository.strip()
    row: WorthHaving | None = None
    licence = ""
    if not repository and 0 <= shown.chosen < len(rows):
        repository, row, licence = rows[shown.chosen]
    if not repository:
        return
    if row and row.note:
        lines(layout, row.note, "INFO")
    for text in _figures(row):
        layout.label(text=text, icon="BLANK1", translate=False)
    if row and row.refused:
        lines(layout, row.refused, "CANCEL")
        layout.operator("tilewright.open_model_page", icon="URL").repository = repository
        return
    look = current.look if current.look and current.look.repository == repository else None
    if look is None or look.plan is None:
        if licence:
            layout.label(text=models.commercial(licence, row), icon="BLANK1", translate=False)
        buttons = layout.row(align=True)
        button = buttons.operator("tilewright.look_up_model", icon="VIEWZOOM")
        button.repository, button.revision = repository, models.revision_of(row)
        button.files = ",".join(row.wanted) if row else ""
        buttons.operator("tilewright.open_model_page", icon="URL").repository = repository
        for name in look.loose if look else ():
            button = layout.operator("tilewright.look_up_model", text=name, icon="FILE", translate=False)
            button.repository, button.files = repository, name
        if current.looking and current.looking.outcome is None:
            layout.label(text="Asking the hub...", icon="TIME")
        return
    plan = look.plan
    words = iface_("{count} files, {size}; {free} free")
    text = words.format(count=len(plan.files), size=size_text(plan.size), free=size_text(look.free))
    layout.label(text=f"{plan.repository}, {plan.revision[:12]}", icon="BLANK1", translate=False)
    layout.label(text=text, icon="DISK_DRIVE", translate=False)
    layout.label(text=models.commercial(plan.licence, row), icon="BLANK1", translate=False)
    if plan.gated:
        layout.label(text="The hub wants you to agree to its terms, and a token.", icon="LOCKED")
    if current.downloading and current.download.task.plan == plan:
        _draw_download(layout)
        return
    buttons = layout.row(align=True)
    buttons.scale_y = 1.4
    words = iface_("Download {size}")
    buttons.operator(
        "tilewright.download_model", text=words.format(size=size_text(plan.size)), icon="IMPORT", translate=False
    )
    buttons.operator("tilewright.open_model_page", icon="URL").repository = repository


CLASSES = (TILEWRIGHT_UL_models, TILEWRIGHT_UL_found_models)
