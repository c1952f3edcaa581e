# SPDX-License-Identifier: GPL-3.0-or-later
"""The store as a list in memory that is read and written in the background. Imports core and the standard library only.

All methods are called on one thread and return at once; a second thread does what touches the disk, one thing after
the other, and ends when nothing is left to do. `pump` takes over what it has found. Where nobody can wait for a second
thread (`background=False`: Blender without a window) all is done within the call.
"""

import contextlib
import json
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path

from ..core import history
from ..core.errors import UserError, bug
from ..core.history import Entry, Marks
from ..core.results import Result, disk_errors
from . import marks as marks_file
from .store import Store

_logger = logging.getLogger(__name__)
_DISMISSED = ".dismissed"  # in the store: up to when results were offered and not wanted
# Blender 5.2 writes a .tx of each image in here, beside the image, when it generates its texture cache. It goes with
# the result's folder, see `Store.delete`.
_TEXTURE_CACHE = "blender_tx"
_Outcome = Callable[[], None]
_Stamp = tuple[int, int]  # see `_stamp`


class History:
    """The results in one store, the newest first, with their marks.

    entries: replaced when something changes, never changed. ready: whether the store was read.
    dismissed: what was made before (seconds since 1970) is not offered any more. error: what went wrong last.
    """

    def __init__(self, store: Store, *, background: bool, before: Callable[[], object] = lambda: None) -> None:
        """before: called, where the disk is read, before each reading of the store."""
        self.store = store
        self._before = before
        self.entries: tuple[Entry, ...] = ()
        self.ready = False
        self.dismissed = 0.0
        self.error: UserError | None = None
        self._background = background
        self._known: dict[str, tuple[_Stamp, Entry]] = {}  # of the last reading, and when it had changed last
        self._changed: dict[str, Entry | None] = {}  # since the last reading began; None: deleted
        self._reading = False
        self._expendable: list[str] = []
        self._tasks: queue.SimpleQueue[Callable[[], _Outcome]] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
        self._pending = 0  # tasks whose outcome `pump` has not taken
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = threading.Event()

    # --- what there is -------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether `pump` has something to take, now or soon."""
        return self._pending > 0

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(entry.size for entry in self.entries)

    def find(self, name: str) -> Entry | None:
        """The entry of that name. One that is not listed yet is looked for on disk, for scripts that know its name."""
        if name in self._changed:
            return self._changed[name]
        for entry in self.entries:
            if entry.name == name:
                return entry
        result = None if self.ready else self.store.find(name)
        return _entry(result) if result else None

    def refresh(self) -> None:
        """Read the store again; folders that have not changed since are not read."""
        if not self._reading:
            self._reading = True
            self._changed.clear()
            self._do(self._read)

    def add(self, result: Result) -> None:
        """A result that has just been made."""
        if result.folder.parent != self.store.root:
            return
        # its size is counted at the next reading; until then the picture's share of memory is a fair guess
        request = result.recipe.request
        width, height = request.result_size or (0, 0)
        self._change(Entry(result, size=width * height * 3))

    # --- what the user does ---------------------------------------------------------------------------------------

    def mark(self, name: str, change: Callable[[Marks], Marks]) -> None:
        """Change the marks of a result; one that is not in the store is left alone."""
        entry = next((entry for entry in self.entries if entry.name == name), None)
        if entry:
            changed = change(entry.marks)
            if changed == entry.marks:
                return
            self._change(replace(entry, marks=changed))
        folder = self.store.root / name

        def write() -> _Outcome:
            # what stands there counts, since another Blender may have changed it
            if self.store.find(name):
                before = marks_file.load(folder)
                after = change(before)
                if after != before:
                    marks_file.save(folder, after)
            return lambda: None

        self._do(write)

    def delete(self, name: str) -> None:
        """Remove a result. It is gone from the list at once."""
        entry = self.find(name)
        if entry is None:
            return
        self._changed[name] = None
        self.entries = tuple(entry for entry in self.entries if entry.name != name)
        result = entry.result

        def remove() -> _Outcome:
            self.store.delete(result)
            return lambda: None

        self._do(remove)

    def dismiss(self, before: float) -> None:
        """Offer no more what was made before that time."""
        self.dismissed = before

        def write() -> _Outcome:
            with disk_errors(self.store.root):
                self.store.root.mkdir(parents=True, exist_ok=True)
                (self.store.root / _DISMISSED).write_text(json.dumps(before), encoding="ascii")
            return lambda: None

        self._do(write)

    def look_for_expendable(self, limit: int, keep: Collection[str]) -> None:
        """Find out what could go, see `core.history.expendable`; `take_expendable` names it later."""
        entries, kept = self.entries, frozenset(keep)

        def look() -> _Outcome:
            found = history.expendable(entries, limit, kept, time.time(), os.path.isfile)
            return lambda: self._expendable.extend(found)

        self._do(look)

    def take_expendable(self) -> list[str]:
        """What was found since the last call."""
        found, self._expendable = self._expendable, []
        return found

    # --- the second thread ------------------------------------------------------------------------------------------

    def pump(self) -> bool:
        """Take over what was done in the background. True if anything was."""
        took = False
        while True:
            try:
                outcome = self._done.get_nowait()
            except queue.Empty:
                return took
            self._pending -= 1
            outcome()
            took = True

    def wait(self, seconds: float = 10.0) -> None:
        """Pump until nothing is left to do."""
        end = time.monotonic() + seconds
        while self.busy and time.monotonic() < end:
            if not self.pump():
                time.sleep(0.002)

    def close(self, *, wait: bool = True) -> None:
        """Do what is left to be written, and end the thread."""
        self._closed.set()
        if not wait:
            return
        with self._lock:
            thread = self._thread
        if thread:
            thread.join(timeout=5.0)
            if thread.is_alive():
                _logger.error("The history could not be written in time.")
        self.pump()

    def _do(self, task: Callable[[], _Outcome]) -> None:
        self._pending += 1
        if not self._background:
            self._done.put(self._attempt(task))
            self.pump()
            return
        with self._lock:
            self._tasks.put(task)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="tilewright-history", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                try:
                    task = self._tasks.get_nowait()
                except queue.Empty:
                    self._thread = None
                    return
            self._done.put(self._attempt(task))

    def _attempt(self, task: Callable[[], _Outcome]) -> _Outcome:
        try:
            return task()
        except UserError as error:
            _logger.error("%s", error)
            failure = error
        except Exception as error:
            _logger.exception("The history could not be read or written.")
            failure = bug(error)
        return lambda: self._fail(failure)

    def _fail(self, error: UserError) -> None:
        self.error, self._reading = error, False

    def _read(self) -> _Outcome:
        """Runs on the second thread, and so changes nothing but what it returns."""
        problem: UserError | None = None
        try:
            self._before()
        except UserError as error:  # what is there is shown all the same
            _logger.error("%s", error)
            problem = error
        known: dict[str, tuple[_Stamp, Entry]] = {}
        for count, name in enumerate(self.store.names()):
            if self._closed.is_set():
                break
            if count % 50 == 49:
                time.sleep(0.001)  # the main thread draws meanwhile
            try:
                stamp = _stamp(self.store.root / name)
            except OSError:
                continue
            before = self._known.get(name)
            if before and before[0] == stamp:
                known[name] = before
            elif result := self.store.find(name):
                known[name] = (stamp, _entry(result))
        fresh = history.newest_first(entry for _stamp, entry in known.values())
        dismissed = _read_time(self.store.root / _DISMISSED)
        return lambda: self._take_over(known, fresh, dismissed, problem)

    def _take_over(
        self,
        known: dict[str, tuple[_Stamp, Entry]],
        fresh: Iterable[Entry],
        dismissed: float,
        problem: UserError | None,
    ) -> None:
        self.error = problem or self.error
        self._known, self._reading, self.ready = known, False, True
        self.dismissed = max(self.dismissed, dismissed)
        changed = self._changed
        if not changed:  # the usual case, and with thousands of results sorting takes its time
            self.entries = tuple(fresh)
            return
        kept = [entry for entry in fresh if entry.name not in changed]
        self.entries = history.newest_first([*kept, *(entry for entry in changed.values() if entry)])

    def _change(self, entry: Entry) -> None:
        self._changed[entry.name] = entry
        others = [other for other in self.entries if other.name != entry.name]
        self.entries = history.newest_first([*others, entry])


def _entry(result: Result) -> Entry:
    return Entry(result, marks_file.load(result.folder), _size(result.folder))


def _size(folder: Path) -> int:
    """Bytes of all files in a folder and in those within it, as far as they can be read."""
    size = 0
    with contextlib.suppress(OSError), os.scandir(folder) as files:
        for file in files:
            is_folder = file.is_dir(follow_symlinks=False)
            size += _size(Path(file.path)) if is_folder else file.stat(follow_symlinks=False).st_size
    return size


def _stamp(folder: Path) -> _Stamp:
    """When a result, and Blender's textures beside it, changed last. Raises OSError where there is no such folder."""
    textures = 0
    with contextlib.suppress(OSError):
        textures = os.stat(folder / _TEXTURE_CACHE).st_mtime_ns
    return os.stat(folder).st_mtime_ns, textures


def _read_time(file: Path) -> float:
    try:
        with file.open("rb") as opened:
            value = json.loads(opened.read(100))
    except (OSError, ValueError):
        return 0.0
    return float(value) if isinstance(value, int | float) and value == value else 0.0
