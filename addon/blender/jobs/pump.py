# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from the worker into Blender: a timer while there is something to do, and handlers. Imports bpy and core.

All of it runs on the main thread. Background mode has no timer: whoever waits calls `handle` and `deliver_waiting`.
"""

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import bpy
import bpy.utils.previews
from bpy.app.handlers import persistent

from ...core.errors import ErrorKind, UserError, bug
from ...core.jobs import Job
from ...core.naming import title
from ...core.protocol import TERMINAL, Cancelled, Failed, Finished, ImageDone, Preview, Progress
from ...core.results import THUMBNAIL, Result
from ...host.session import Event, Session
from ..common import drawing, preferences, state
from ..common.drawing import redraw_sidebars
from ..common.languages import rpt_
from ..pictures import images
from ..settings import models
from . import delivery, previews, status, templates

_logger = logging.getLogger(__name__)
_INTERVAL = 0.1  # seconds between ticks
_BUSY_AFTER = 15.0  # seconds in one phase, before anybody asks what takes so long
_CROWDED = 1.5  # programs for each core: the engine itself keeps all of them busy, and no more
# Their jobs tell when they have ended; the operators themselves stay modal until the next move of the mouse.
_SEEN_AS_JOBS = {"RENDER_OT_render", "OBJECT_OT_bake"}
result_handlers: list[Callable[[Result], None]] = []  # called with each result as soon as it arrives


def ensure_running() -> None:
    """Have the timer run, until nothing is left to do. Blender 4.5 hangs at exit with one in background mode."""
    if not bpy.app.background and not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=_INTERVAL, persistent=True)


def tick() -> float | None:
    """The timer: never raises, since Blender drops a timer that does."""
    try:
        return _tick()
    except Exception as error:
        _logger.exception("A tick failed.")
        state.current.error = bug(error)
        return _INTERVAL


def _tick() -> float | None:
    session = state.current.session
    if session is None:
        return None
    current = state.current
    before = current.status, current.hindrance
    events = session.pump()
    handle(events)
    for result in session.arrived():  # of a job whose connection broke
        for handler in result_handlers:
            handler(result)
    delivered = deliver_waiting()
    _watch_clock(session)
    current.status = status.text()
    if current.status != before[0]:
        status.redraw()
    # progress is seen by its words, which do not change with every message
    something_ended = any(not isinstance(event.message, Progress) for event in events)
    if delivered or something_ended or (current.status, current.hindrance) != before:
        redraw_sidebars()
    return _INTERVAL if len(session.jobs) or current.waiting else None


def _watch_clock(session: Session) -> None:
    """Since when the running job does what it does, and whether other programs want the processor."""
    current, job = state.current, session.jobs.current
    phase = (job.id, job.progress.phase.name if job.progress else "") if job else ("", "")
    now = time.monotonic()
    if phase != current.phase:
        current.phase, current.phase_began = phase, now
    elif int(now) != int(now - _INTERVAL):
        current.busy = bool(job) and now - current.phase_began > _BUSY_AFTER and _wanted() > _CROWDED


def _wanted() -> float:
    """How many programs want a core, for each that there is; 0 where the system does not tell."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return load / (os.cpu_count() or 1)


def handle(events: Iterable[Event]) -> None:
    """Remember what the worker said. A job that has finished waits for `deliver_waiting`."""
    current = state.current
    for event in events:
        job = event.job
        if isinstance(event.message, TERMINAL):
            templates.drop(current.folders.pop(job.id, None))
        match event.message:
            case Preview():
                previews.show(event.message)
            case ImageDone():
                if current.last is not job:
                    current.last, current.shown, current.outcome, current.outcome_of = job, 0, "", ""
                _load_thumbnails(job)
                for handler in result_handlers:
                    handler(event.message.result)
            case Finished():
                current.waiting.append(job)
            case Failed() | Cancelled():
                current.error = job.error or current.error
                current.targets.pop(job.id, None)
                if job is current.last and current.results:
                    words = "The job ended early. Press Apply to use this texture."
                    delivery.tell(words, current.results[0].folder.name)


def deliver_waiting() -> bool:
    """Deliver finished jobs, unless the user is in the middle of something. True if any was."""
    current = state.current
    current.hindrance = hindrance() if current.waiting else ""
    if not current.waiting or current.hindrance:
        return False
    while current.waiting:
        _deliver(current.waiting.pop(0))
    return True


def _deliver(job: Job) -> None:
    current = state.current
    target = current.targets.pop(job.id, None)
    results = [job.results[index] for index in sorted(job.results)]
    if not results:
        return
    if target is None:
        outcome = "Not in a material yet. Press Apply to use it."
    elif not delivery.is_here(target):
        outcome = "Made for what was open before. Press Apply to use it here."
    else:
        try:
            outcome = delivery.deliver(results, target)
            delivery.push_undo(f"Tilewright: {title(job.request.prompt)}")
        except UserError as error:
            current.error, outcome = error, ""
        except Exception as error:  # whatever Blender's data was like: the results are in the store
            _logger.exception("A result could not be delivered.")
            current.error, outcome = bug(error), ""
    if job is current.last:
        delivery.tell(outcome, results[0].folder.name)


def hindrance() -> str:
    """Why nothing may be changed now, "" if it may. A grab half done must not end up in an undo step."""
    if bpy.app.background:
        return ""
    manager = bpy.context.window_manager
    if manager.is_interface_locked or bpy.app.is_job_running("RENDER"):
        return "Waiting for the render to finish"
    if bpy.app.is_job_running("OBJECT_BAKE"):
        return "Waiting for the bake to finish"
    for window in manager.windows:
        for operator in window.modal_operators:
            if operator.bl_idname in _SEEN_AS_JOBS:
                continue
            return rpt_("Waiting for {name} to finish").format(name=operator.name or operator.bl_idname)
    return ""


def _load_thumbnails(job: Job) -> None:
    """Load the thumbnails of a job's results for the panel."""
    if bpy.app.background:
        return
    if state.current.thumbnails is None:
        state.current.thumbnails = bpy.utils.previews.new()
    for result in job.results.values():
        if result.folder.name not in state.current.thumbnails and THUMBNAIL in result.files:
            state.current.thumbnails.load(result.folder.name, str(result.path(THUMBNAIL)), "IMAGE")


@persistent
def _on_save(path: str = "", *_: object) -> None:
    stores = {*state.current.stores, preferences.store_folder()}
    lost = images.pack_made()
    if preferences.get().on_save == "COPY" and path:
        lost += images.copy_all(stores, Path(path))
    else:
        lost += images.pack_all(stores)
    if lost:
        words = rpt_("Could not be saved into the file: {names}.")
        # not the outcome, which is shown beside a result of this session only
        state.current.error = UserError(ErrorKind.DISK, words.format(names=", ".join(lost)))
        redraw_sidebars()


@persistent
def _on_load(*_: object) -> None:
    """Another file: what was started in the old one must not touch it. This only forgets, and reads nothing."""
    current = state.current
    current.document = state.new_document()
    current.outcome = current.outcome_of = ""  # what the file shows of it is seen in the file


def register() -> None:
    bpy.app.handlers.save_pre.append(_on_save)
    bpy.app.handlers.load_post.append(_on_load)
    preferences.check_engine()
    models.try_resolve("starter")


def unregister() -> None:
    """Stop the timer, end the session, forget everything."""
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    drawing.unregister()
    for handlers, handler in ((bpy.app.handlers.load_post, _on_load), (bpy.app.handlers.save_pre, _on_save)):
        if handler in handlers:
            handlers.remove(handler)
    if state.current.session:
        state.current.session.close()
    for folder in state.current.folders.values():
        shutil.rmtree(folder, ignore_errors=True)
    if state.current.thumbnails is not None:
        bpy.utils.previews.remove(state.current.thumbnails)
    previews.unregister()
    state.reset()
    models.forget()
