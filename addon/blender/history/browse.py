# SPDX-License-Identifier: GPL-3.0-or-later
"""The history in Blender: read in the background, searched, shown page by page, never broken. Imports bpy, core, host.

Nothing here is kept in Blender's data, so undo and other files do not touch it. Drawing reads `state.current.view`.
"""

import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import bpy
import bpy.utils.previews
from bpy.app.handlers import persistent

from ...core import history as core_history
from ...core import ways
from ...core.errors import ErrorKind, UserError, bug
from ...core.history import Entry, Which
from ...core.naming import title
from ...core.results import THUMBNAIL, Result
from ...host.history import History
from ...host.store import Store, adopt
from ..common import package, preferences, state
from ..common.drawing import redraw_sidebars
from ..common.languages import rpt_
from ..jobs import pump
from ..pictures import images
from ..settings.properties import facts_of

_logger = logging.getLogger(__name__)
PAGE = 12  # results on a page: whole rows of 2, 3, 4 or 6
_MOST_SECONDS = 4 * PAGE
_MAX_PREVIEWS = 8 * PAGE  # a thumbnail takes a quarter of a megabyte
_INTERVAL = 0.1  # seconds
_GIGABYTE = 1e9


def get() -> History:
    """The history of the store that the preferences name; in a window it begins to be read when first asked for."""
    current = state.current
    root = preferences.store_folder()
    if current.history is None or current.history.store.root != root:
        if current.history is not None:
            current.history.close(wait=False)
            current.view.offered, current.view.doomed = (), set()
        old, new = package.old_results_folder(), package.results_folder()
        if bpy.app.background:
            adopt(old, new)
        current.history = History(Store(root), background=not bpy.app.background, before=lambda: adopt(old, new))
        if not bpy.app.background:  # where it would take its time here and now, only a script's word has it read
            refresh()
    return current.history


def result(name: str) -> Result:
    """The result in that folder of the store. Raises `UserError` where there is none."""
    entry = get().find(name)
    if entry is None:
        raise UserError(ErrorKind.REQUEST, rpt_("The history has no result {name}.").format(name=name))
    return entry.result


def add(made: Result) -> None:
    """A new result from the engine. It is selected, unless the user is looking at another one.

    Of several of one job it is the first, which goes into the material.
    """
    get().add(made)
    current = state.current
    show()
    first = not current.results or current.results[0] == made
    if current.view.follows and first:
        current.view.selected = made.folder.name
        _list_pictures()
    clean_up()


def refresh() -> None:
    """Look at the store again."""
    get().refresh()
    _watch()


# --- what the panel shows ------------------------------------------------------------------------------------------


def show(page: int | None = None) -> None:
    """Search again, turn to a page (the same one unless it is named), and load its thumbnails."""
    view, history = state.current.view, state.current.history
    if history is None:
        return
    listed = [entry for entry in history.entries if entry.name not in view.doomed]
    view.found = core_history.search(listed, view.text, view.which)
    view.page = min(max(view.page if page is None else page, 0), max(pages(view) - 1, 0))
    if not any(entry.name == view.selected for entry in listed):  # one that a search leaves out stays selected
        view.selected = next((entry.name for entry in (*view.found, *listed)), "")
    _load_thumbnails(entries_on_page(view))
    _list_pictures()
    redraw_sidebars()


def show_selected() -> None:
    """Turn to the page that the selected result is on."""
    view = state.current.view
    place = next((number for number, entry in enumerate(view.found) if entry.name == view.selected), 0)
    show(place // PAGE)


def pages(view: state.View) -> int:
    return -(-len(view.found) // PAGE)


def entries_on_page(view: state.View) -> Sequence[Entry]:
    return view.found[view.page * PAGE : (view.page + 1) * PAGE]


def selected() -> Entry | None:
    """The entry that the buttons are about, which a search may leave out; reads nothing."""
    current = state.current
    entries = current.history.entries if current.history else ()
    return next((entry for entry in entries if entry.name == current.view.selected), None)


def select(name: str) -> None:
    """The user looks at this one: what is made next is selected only where this is what was made last."""
    current = state.current
    view, made = current.view, [made.folder.name for made in current.results]
    view.selected, view.follows = name, name in made
    current.shown = made.index(name) if name in made else current.shown
    _list_pictures()
    redraw_sidebars()


def _list_pictures() -> None:
    """What a click on the selected one's picture offers: the page, and the selected one where it is on another."""
    view = state.current.view
    entries = list(entries_on_page(view))
    chosen = selected()
    if chosen is not None and chosen not in entries:
        _load_thumbnails([chosen])
        entries.append(chosen)
    view.pictures = _items(entries)


def list_seconds(first: Result) -> None:
    """What a transition from a result may lead to: the newest others with tiles of its size."""
    size, found = ways.tile_size(first), []
    for entry in get().entries:
        with suppress(UserError):  # one that nobody can tell the size of
            if entry.result.folder != first.folder and ways.tile_size(entry.result) == size:
                found.append(entry)
        if len(found) == _MOST_SECONDS:
            break
    _load_thumbnails(found)
    state.current.view.seconds = _items(found)


def _items(entries: Sequence[Entry]) -> tuple[tuple[str, str, str, int, int], ...]:
    """As an enumeration has them."""
    return tuple(
        (
            entry.name,
            title(entry.result.recipe.request.prompt),
            title(entry.result.recipe.request.prompt, 400),
            icon(entry.name),
            number,
        )
        for number, entry in enumerate(entries)
    )


def icon(name: str) -> int:
    """Of a result's thumbnail; 0 where that was not asked for."""
    thumbnails = state.current.thumbnails
    return thumbnails[name].icon_id if thumbnails is not None and name in thumbnails else 0


def _load_thumbnails(entries: Sequence[Entry]) -> None:
    """Blender reads the files later, in a thread of its own, when they are drawn."""
    if bpy.app.background:
        return
    current = state.current
    if current.thumbnails is None:
        current.thumbnails = bpy.utils.previews.new()
    wanted = {entry.name for entry in entries} | {made.folder.name for made in current.results}
    wanted |= {current.view.selected}
    if len(current.thumbnails) + len(wanted) > _MAX_PREVIEWS:  # or a day's thumbnails would all stay in memory
        for name in [name for name in current.thumbnails if name not in wanted]:
            del current.thumbnails[name]
    for entry in entries:
        if entry.name not in current.thumbnails and THUMBNAIL in entry.result.files:
            current.thumbnails.load(entry.name, str(entry.result.path(THUMBNAIL)), "IMAGE")


# --- offers --------------------------------------------------------------------------------------------------------


def offer() -> None:
    """Note what earlier sessions left behind, in no .blend: the panel offers it until it is dismissed."""
    view, history = state.current.view, state.current.history
    if history is not None and preferences.get().tell_unsaved:
        left = core_history.left_behind(history.entries, history.dismissed, view.begun)
        view.offered = tuple(entry.name for entry in left)


def dismiss() -> None:
    """Do not offer it again."""
    view = state.current.view
    get().dismiss(view.begun)
    view.offered = ()
    if view.which is Which.UNTAKEN:
        view.which = Which.ALL
    show(0)
    _watch()


# --- what is in use ------------------------------------------------------------------------------------------------


def in_use() -> set[str]:
    """Names of the results that the open file has, may get back by undo, or is about to get."""
    current = state.current
    names = {facts_of(image).result for image in bpy.data.images if facts_of(image).result}
    waiting = [
        *current.waiting,
        *(current.session.jobs if current.session else ()),
        *([current.last] if current.last else []),
    ]
    return names | current.view.placed | {made.folder.name for job in waiting for made in job.results.values()}


def delete(name: str) -> str:
    """Delete a result, and say what became of it. Raises `UserError` where the open file shows its file.

    What undo could bring back into the open file goes when that is closed; until then it is not listed.
    """
    view = state.current.view
    image = _shown_by(result(name).folder)
    if image is not None:
        raise UserError(
            ErrorKind.REQUEST,
            rpt_("The open file uses this texture, as the image {name}.").format(name=image.name),
            rpt_("Save the file, so it has its own copy, or remove the image."),
        )
    if name in view.placed:
        view.doomed.add(name)
        outcome = rpt_("It will be deleted when you open another file; until then, undo may need it.")
    else:
        get().delete(name)
        outcome = rpt_("Texture deleted.")
    view.offered = tuple(offered for offered in view.offered if offered != name)
    show()
    _watch()
    return outcome


def _shown_by(folder: Path) -> bpy.types.Image | None:
    """The image of the open file that is read from this result's folder, None where there is none."""
    for image in bpy.data.images:
        ours = facts_of(image).result == folder.name and not image.packed_file
        if ours and Path(os.path.abspath(bpy.path.abspath(image.filepath))).parent == folder:
            return image
    return None


def mark_favourite(name: str, favourite: bool) -> None:
    result(name)
    get().mark(name, lambda marks: replace(marks, favourite=favourite))
    show()
    _watch()


def note_use(name: str) -> None:
    """It was put into a material: another Blender's clean-up must not take it before this file is saved."""
    now = time.time()
    get().mark(name, lambda marks: replace(marks, used=now))
    _watch()


def limit() -> int:
    """Bytes that the store may have; 0: as many as it likes."""
    return int(preferences.get().store_limit * _GIGABYTE)


def clean_up() -> None:
    """Bring the store below its limit, if it has one. What goes is found in the background, see `_take_over`."""
    history = state.current.history
    if limit() and history is not None and history.ready and history.size > limit():
        history.look_for_expendable(limit(), in_use())
        _watch()


# --- the timer and the handlers ------------------------------------------------------------------------------------


def _watch() -> None:
    """Take over what the background does: with a timer while it lasts; in background mode it is done already."""
    if bpy.app.background:
        _take_over()
    elif not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=_INTERVAL, persistent=True)


def tick() -> float | None:
    """The timer: never raises, since Blender drops a timer that does."""
    history = state.current.history
    if history is None:
        return None
    try:
        ready = history.ready
        if history.pump():
            _take_over()
            if history.ready and not ready:
                clean_up()
    except Exception as error:
        _logger.exception("The history could not be shown.")
        state.current.error = bug(error)
    return _INTERVAL if history.busy else None


def _take_over() -> None:
    history = state.current.history
    if history is None:
        return
    going = history.take_expendable()
    for name in going:
        if name not in in_use():  # it may have been applied meanwhile
            history.delete(name)
    if going:
        _logger.info("Cleaned up, for the size limit: %s", ", ".join(going))
    images.follow(package.old_results_folder(), package.results_folder())
    if history.error:
        state.current.error, history.error = history.error, None
    if history.ready and not state.current.view.offered:
        offer()
    show()


@persistent
def _on_saved(path: str = "", *_: object) -> None:
    """Note which results a .blend has taken."""
    file = os.path.abspath(path or bpy.data.filepath)
    view = state.current.view
    if os.path.abspath(bpy.data.filepath) != file:  # a copy was saved, and this one is still what is open
        images.paths_back()
    view.paths_before.clear()
    names = {facts_of(image).result for image in bpy.data.images if facts_of(image).result and not image.library}
    if not names and state.current.history is None:
        return
    history = get()
    for name in names:
        history.mark(name, lambda marks: marks.taken(file))
    for entry in history.entries:
        if file in entry.marks.taken_by and entry.name not in names:
            history.mark(entry.name, lambda marks: marks.left(file))
    view.offered = tuple(name for name in view.offered if name not in names)
    show()
    _watch()


@persistent
def _on_save_failed(*_: object) -> None:
    images.paths_back()


@persistent
def _on_load(*_: object) -> None:
    """Another file: undo cannot bring back anything now. Only what the user has deleted is touched."""
    view = state.current.view
    doomed, view.doomed, view.placed = view.doomed, set(), set()
    view.paths_before.clear()
    images.follow(package.old_results_folder(), package.results_folder())
    for name in doomed:
        if _shown_by(get().store.root / name) is None:  # a recovered file may refer to it after all
            get().delete(name)
    if doomed:
        show()
        _watch()


def _on_store() -> None:
    """The user has named another folder."""
    get()
    show()


_HANDLERS = (
    (bpy.app.handlers.save_post, _on_saved),
    (bpy.app.handlers.save_post_fail, _on_save_failed),
    (bpy.app.handlers.load_post, _on_load),
)


def register() -> None:
    for handlers, handler in _HANDLERS:
        handlers.append(handler)
    pump.result_handlers.append(add)
    preferences.store_handlers.append(_on_store)
    state.current.view.begun = time.time()
    if not bpy.app.background:
        bpy.app.timers.register(_begin, first_interval=1.0, persistent=True)


def _begin() -> None:
    """Once Blender has started, find out what earlier sessions left behind."""
    try:
        get()
    except Exception as error:  # a timer's edge
        _logger.exception("The history could not be read.")
        state.current.error = bug(error)


def unregister() -> None:
    """Stop the timers, and write what is left to be written."""
    for timer in (tick, _begin):
        if bpy.app.timers.is_registered(timer):
            bpy.app.timers.unregister(timer)
    preferences.store_handlers.remove(_on_store)
    pump.result_handlers.remove(add)
    for handlers, handler in reversed(_HANDLERS):
        if handler in handlers:
            handlers.remove(handler)
    current = state.current
    if current.history is not None:
        for name in current.view.doomed:
            current.history.delete(name)
        current.history.close()
        current.history = None
