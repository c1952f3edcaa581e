# SPDX-License-Identifier: GPL-3.0-or-later
"""The running job and those that wait: what the panel shows of them. Imports bpy and core."""

import time
from typing import Any

import bpy

from ...core.jobs import Job, JobState
from ...core.naming import title
from ...core.protocol import Phase
from ..common import drawing, phases, state
from ..common.languages import iface_
from . import previews

SHOWN = 5  # jobs that wait; there may be many more, and the panel has other things to show


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, jobs: list[Job]) -> None:
    """The jobs that have not ended, the running one first."""
    job, *waiting = jobs
    for one in state.current.lists:
        if one.left:
            _draw_list(layout, one)
    column = layout.column(align=True)
    column.progress(factor=job.fraction, text=progress_text(job))
    row = column.row(align=True)
    row.operator("tilewright.cancel").job = job.id
    if state.current.busy:
        words = (
            "Other programs keep the computer busy. Raise Priority in the preferences to give the engine more of it."
        )
        drawing.paragraph(layout, context, words, icon="INFO")
    if waiting:
        row.operator("tilewright.cancel", text=iface_("Cancel All ({})").format(len(jobs))).job = ""
    picture = previews.icon(job)
    if picture:
        layout.template_icon(icon_value=picture, scale=8)
    if waiting:
        _draw_waiting(layout, waiting)


def _draw_list(layout: bpy.types.UILayout, one: state.PromptList) -> None:
    """How far a list is, and the button that ends it."""
    row = layout.row(align=True)
    done = len(one.jobs) - len(one.left)
    text = iface_("{name}: {done} of {count}").format(name=one.title, done=done, count=len(one.jobs))
    if one.failed:
        text += iface_(", {count} failed").format(count=one.failed)
    row.progress(factor=one.fraction, text=text)
    cancel = row.operator("tilewright.cancel", text="", icon="X")
    cancel.job, cancel.of_list = one.left[0].id, True


def _draw_waiting(layout: bpy.types.UILayout, waiting: list[Job]) -> None:
    column = layout.column(align=True)
    left = seconds_text(state.current.session.seconds_left(waiting[-1]))
    text = iface_("{} waiting").format(len(waiting))
    column.label(text=f"{text}, {left}" if left else text, icon="SORTTIME")
    for number, job in enumerate(waiting[:SHOWN]):
        row = column.row(align=True)
        row.label(text=title(job.request.prompt), icon="BLANK1", translate=False)
        buttons = row.row(align=True)
        buttons.alignment = "RIGHT"
        moves: tuple[tuple[Any, int, int], ...] = (("TRIA_UP", -1, 0), ("TRIA_DOWN", 1, len(waiting) - 1))
        for icon, places, last in moves:
            button = buttons.row(align=True)
            button.enabled = number != last
            move = button.operator("tilewright.move_job", text="", icon=icon, emboss=False)
            move.job, move.places = job.id, places
        buttons.operator("tilewright.cancel", text="", icon="X", emboss=False).job = job.id
    if len(waiting) > SHOWN:
        column.label(text=iface_("and {} more").format(len(waiting) - SHOWN), icon="BLANK1")


def progress_text(job: Job) -> str:
    """What a job is doing, and how long it will take."""
    if job.state is JobState.CANCELLING:
        return iface_("Cancelling")
    if host := state.current.session.broken_line:
        return iface_("The line to {host} broke: trying again").format(host=host)
    progress = job.progress
    text = iface_(phases.WORDS[progress.phase if progress else Phase.STARTING])
    if progress and progress.steps:
        text += f" {progress.step}/{progress.steps}"
    if job.request.count > 1:
        number = progress.image + 1 if progress else 1
        text = iface_("{number} of {count}: {phase}").format(number=number, count=job.request.count, phase=text)
    seconds = state.current.session.seconds_left(job)
    left = seconds_text(seconds) if seconds else _elapsed(job)  # 0: it takes longer than such jobs did
    return f"{text}, {left}" if left else text


def _elapsed(job: Job) -> str:
    """How long it does what it does, for where nobody knows how long it will; "" in the first seconds."""
    current = state.current
    seconds = int(time.monotonic() - current.phase_began) if current.phase[0] == job.id else 0
    return f"{seconds // 60}:{seconds % 60:02}" if seconds >= 3 else ""


def seconds_text(seconds: float | None) -> str:
    """Time that is left, in whole numbers of what people count in; "" where it is not known."""
    if seconds is None:
        return ""
    if seconds < 99.5:
        return iface_("{} s left").format(max(round(seconds), 1))
    minutes = round(seconds / 60)
    return iface_("{} min left").format(minutes) if minutes < 100 else iface_("{} h left").format(round(seconds / 3600))
