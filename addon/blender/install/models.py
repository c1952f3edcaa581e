# SPDX-License-Identifier: GPL-3.0-or-later
"""Models: listed, searched for, looked up, downloaded, checked, removed. Begun by a click, gone on with by a timer.

Nothing here waits, but in background mode, where timers do not run and scripts read from top to bottom.
Imports bpy, core and host.
"""

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bpy

from ...core.errors import ErrorKind, UserError, bug
from ...core.families import worth_having
from ...core.families.worth_having import WORTH_HAVING, Use, WorthHaving
from ...core.hub.messages import HubAction, HubTask
from ...core.hub.stored import Plan
from ...host import library as host_library
from ...host.hub import HubErrand
from ...host.library import Entry
from ..common import package, preferences, state
from ..common.environments import Chore
from ..common.languages import iface_, rpt_
from ..common.models import Look
from . import setup

_logger = logging.getLogger(__name__)
_TICK = 0.1  # seconds
_DEBOUNCE = 0.5  # seconds after the last letter
_LIMIT = 30  # models that a search brings

BUSY = UserError(ErrorKind.RUNTIME, "Something else goes on with the models.", "Wait until it is done.")
_OFFLINE = UserError(
    ErrorKind.NETWORK, "Blender isn't allowed online.", "Turn on Allow Online Access in Preferences > System."
)


def log() -> Path:
    """What the process writes that talks to the hub."""
    return package.data_folder("logs") / "models.log"


def offline() -> UserError | None:
    """Why the hub may not be asked."""
    return None if bpy.app.online_access else _OFFLINE


def refresh() -> None:
    """List the models anew, in the background."""
    library = preferences.library()

    def look(stop: threading.Event) -> str:
        library.identify(stop.is_set)
        return ""

    if not state.current.models.busy:  # else it is done at the end of that
        _start_chore("Looking for models", look, quiet=True)


def want_list(is_empty: bool = False) -> None:
    """Have the models listed soon where they never were; for draw functions.

    is_empty: the list shows none: what hangs on the window manager goes when another file is opened (4.5 to 5.2).
    """
    wanted = is_empty or not state.current.models.listed
    if wanted and not bpy.app.background and not bpy.app.timers.is_registered(_begin):
        bpy.app.timers.register(_begin, first_interval=0.0)


def _begin() -> None:
    state.current.models.listed = True
    refresh()
    _tell_lists()


def entry_of(path: str) -> Entry:
    """The model of the list that lies there. Raises `UserError`."""
    for entry in preferences.library().entries():
        if path in (str(entry.path), entry.id, entry.title):
            return entry
    raise UserError(ErrorKind.MODEL, rpt_("There is no model {path}.").format(path=path), "Look into the list.")


def add(path: Path) -> Entry:
    """Remember a folder or a file; nothing is copied. Raises `UserError`."""
    added = preferences.library().add(path)
    current = state.current.models
    current.error, current.message = None, rpt_("{title} was added.").format(title=added.title)
    refresh()
    return added


def verify(entry: Entry) -> None:
    """Check all its files. Raises `UserError` where something else goes on."""

    def check(stop: threading.Event) -> str:
        def tell(piece: int) -> None:
            if stop.is_set():
                raise UserError(ErrorKind.RUNTIME, "Stopped.")

        damage = host_library.check(entry, tell)
        state.current.models.damaged.pop(entry.path, None)
        if damage:
            state.current.models.damaged[entry.path] = tuple(damage)
            words = rpt_("{title} is damaged: {what}.").format(
                title=entry.title, what=", ".join(damage[:3]).rstrip(".")
            )
            raise UserError(ErrorKind.MODEL, words, "Press Repair." if entry.plan else "")
        if entry.plan:
            return rpt_("All files of {title} are as they should be.").format(title=entry.title)
        return rpt_("{title} looks whole. Only downloads can be compared with hashes.").format(title=entry.title)

    _start_chore(rpt_("Checking {title}").format(title=entry.title), check)


def remove(entry: Entry) -> None:
    """Delete a download, or take what was added off the list. Raises `UserError` where something else goes on."""
    library = preferences.library()

    def delete(stop: threading.Event) -> str:
        library.remove(entry)
        return rpt_("{title} was removed.").format(title=entry.title)

    setup.close_session()  # the worker lets go of the files
    _start_chore(rpt_("Removing {title}").format(title=entry.title), delete)


# --- the hub ------------------------------------------------------------------------------------------------------


def search_soon(words: str) -> None:
    """Search when nothing more has been typed for a moment."""
    current = state.current.models
    current.words, current.due = words.strip(), time.monotonic() + _DEBOUNCE
    if not current.words:
        current.due, current.found, current.found_for = 0.0, (), ""
    _watch(quiet=True)


def look_up(repository: str, revision: str = "", wanted: tuple[str, ...] = ()) -> None:
    """Ask the hub what would be downloaded of it. Raises `UserError`."""
    if error := offline() or (BUSY if state.current.models.busy else None):
        raise error
    row = worth_having.known(repository, wanted)
    if row and row.refused:
        raise UserError(ErrorKind.MODEL, row.refused, "Choose another model.")
    current = state.current.models
    current.look, current.message, current.error = Look(repository, wanted), "", None
    current.looking = errand(HubTask(HubAction.LOOK, repository=repository, revision=revision, wanted=wanted))
    _watch()


def download(plan: Plan) -> None:
    """Download it, or mend what is there of it. Raises `UserError`."""
    if error := offline() or (BUSY if state.current.models.busy else None):
        raise error
    current = state.current.models
    folder = preferences.models_folder()
    current.message, current.error = "", None
    if os.path.isdir(folder / plan.folder_name):
        setup.close_session()  # the worker lets go of the files that change
    current.download = errand(HubTask(HubAction.DOWNLOAD, plan=plan, models=str(folder)))
    _watch()


def cancel() -> None:
    """Stop what goes on; what was downloaded is kept."""
    current = state.current.models
    for running in (current.looking, current.download):
        if running is not None:
            running.cancel()
    if current.chore:
        current.chore.stop.set()


def rows() -> list[tuple[str, WorthHaving | None, str]]:
    """What the list of more models shows: repository, its row of the table, licence. Touches no disk."""
    current = state.current.models
    if not current.words:
        return [(row.repository, row, row.licence) for row in WORTH_HAVING]
    return [(model.repository, worth_having.known(model.repository), model.licence) for model in current.found]


def commercial(licence: str, row: WorthHaving | None = None) -> str:
    """A licence in a line for people: its name, and whether what is made with the model may be sold."""
    use = row.use if row and (not licence or row.licence == licence) else worth_having.use_of(licence)
    words = {
        Use.YES: iface_("Commercial use: yes"),
        Use.NO: iface_("Commercial use: no"),
        Use.READ: iface_("Commercial use: read the licence"),
    }[use]
    return f"{licence or iface_('No licence named')}. {words}"


def revision_of(row: WorthHaving | None) -> str:
    """The revision that the table pins, "" for the newest."""
    return row.revision if row else ""


def close() -> None:
    """End what goes on; for when the extension is disabled."""
    for timer in (tick, _begin):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    current = state.current.models
    cancel()
    for running in (current.search, current.looking, current.download):
        if running is not None:
            running.close()
    if current.chore:
        current.chore.thread.join(2.0)


# --- going on -----------------------------------------------------------------------------------------------------


def tick() -> float | None:
    """The timer: read what the processes tell and redraw, until nothing goes on any more."""
    try:
        _advance()
    except Exception as error:  # a timer that raises is dropped by Blender
        _logger.exception("The list of models made a mistake.")
        state.current.models.error, state.current.models.chore = bug(error), None
    return _TICK if state.current.models.active else None


def _advance() -> None:
    current = state.current.models
    if 0 < current.due <= time.monotonic() and not current.searching:
        current.due = 0.0
        _start_search()
    changed = _heard_search()
    changed = _heard_look() or changed
    changed = _heard_download() or changed
    if current.chore and current.chore.future.done():
        text, error = current.chore.ended()
        current.chore, changed = None, True
        current.message, current.error = text or current.message, error or current.error
        _list()
    if changed:
        setup.redraw()


def _start_search() -> None:
    current = state.current.models
    if error := offline():
        current.error = error
        return
    try:
        current.search = errand(HubTask(HubAction.SEARCH, text=current.words, limit=_LIMIT))
    except UserError as error:  # there is no engine
        current.error = error


def _heard_search() -> bool:
    current = state.current.models
    if current.search is None or not current.search.pump():
        return False
    outcome = current.search.outcome
    if outcome and current.search.task.text == current.words:  # else somebody has typed on
        current.found, current.found_for = outcome.found, current.words
        current.error = outcome.error
        _tell_lists()
    return True


def _heard_look() -> bool:
    current = state.current.models
    if current.looking is None or not current.looking.pump():
        return False
    outcome = current.looking.outcome
    if outcome and current.look:
        current.look.plan, current.look.loose = outcome.plan, outcome.loose
        current.error = None if current.looking.cancelled else outcome.error
        if outcome.plan:
            current.look.free = _free(preferences.models_folder())
    return True


def _heard_download() -> bool:
    current = state.current.models
    if current.download is None or not current.download.pump():
        return False
    outcome = current.download.outcome
    if outcome:
        current.error = None if current.download.cancelled else outcome.error
        if current.download.cancelled:
            current.message = "Cancelled. What was downloaded is kept, and Download continues from there."
        elif outcome.plan and not outcome.error:
            words = rpt_("{name} is here: choose it under Model.")
            current.message, current.look = words.format(name=outcome.plan.repository), None
            current.damaged.pop(Path(outcome.folder), None)
        refresh()
    return True


def _list() -> None:
    """Take what is on the disk now; a few milliseconds."""
    current = state.current.models
    current.entries = tuple(preferences.library().entries())
    _tell_lists()


def _tell_lists() -> None:
    for handler in preferences.models_handlers:
        handler()


def _free(folder: Path) -> int:
    """Bytes that are free where the folder is, or will be."""
    place = folder
    while not place.is_dir() and place != place.parent:
        place = place.parent
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return 0


def errand(task: HubTask) -> HubErrand:
    """Start a process for it, with the user's token and hub. Raises `UserError` where there is no engine."""
    python = preferences.find_engine().python
    prefs = preferences.get()
    return HubErrand(replace(task, token=prefs.hub_token.strip(), endpoint=prefs.hub.strip()), log(), python)


def _watch(quiet: bool = False) -> None:
    """Have it gone on with. quiet: nobody asked for it, so nobody is told what goes wrong but by the panel."""
    current = state.current.models
    if bpy.app.background:
        while current.active:
            _advance()
            time.sleep(0.02)
        if current.error and not quiet:
            raise current.error
    elif not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, persistent=True)
    setup.redraw()


def _start_chore(title: str, function: Callable[[threading.Event], str], *, quiet: bool = False) -> None:
    current = state.current.models
    if current.busy:
        raise BUSY
    if not quiet:
        current.message, current.error = "", None
    current.chore = Chore.begin(title, function)
    _watch(quiet)


def page_of(repository: str) -> str:
    """The address of a repository's page; those of the table that are no hub's are on GitHub."""
    row = worth_having.known(repository)
    if row and row.on_github:
        return f"https://github.com/{repository}"
    hub = preferences.get().hub.strip() or os.environ.get("HF_ENDPOINT", "") or "https://huggingface.co"
    return f"{hub.rstrip('/')}/{repository}"
