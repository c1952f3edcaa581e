# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder that a batch fills: a folder for each texture, whole or not there. Imports core, and numpy when it packs.

The folders themselves tell what is made: each holds the recipe with the task's id. `results.jsonl` and the contact
sheet are made of that again each time. Any number of processes may put textures into one shelf, on any machine that
reaches it.
"""

import json
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ...core import results
from ...core.errors import UserError
from ...core.results import BASE_COLOR, INDEX, MAPS, PART, THUMBNAIL, Draft, Result, disk_errors
from .rows import Task

LIST = "results.jsonl"
OWN = ".tilewright"  # for what is being made
_EXPORTED = "export "  # before a number: the kind of a packed file
_ID = "batch"  # in the recipe's environment
STALE = 86_400.0  # seconds after which what nobody finished is thrown away


class Shelf:
    """See above. root: is made with the first texture. Methods raise `UserError` (kind `DISK`)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def address(self) -> str:
        """By which other processes find it."""
        return str(self.root)

    def made(self) -> dict[str, Result]:
        """All whole textures of batches below the root, by the ids of their tasks, in the order of their folders."""
        found = {}
        for place, folders, files in os.walk(self.root):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            if INDEX in files:
                folders.clear()
                with suppress(UserError):
                    result = results.load(Path(place))
                    if id_ := id_of(result):
                        found[id_] = result
        return found

    def is_taken(self, task: Task) -> bool:
        """Whether something else is in its place already.

        Its own texture may have come since it was looked for: processes of a batch that was killed live on for a while.
        """
        return (self.root / task.folder).exists() and self.find(task) is None

    def find(self, task: Task) -> Result | None:
        """The task's texture, if it is in its place and whole."""
        try:
            result = results.load(self.root / task.folder)
        except UserError:
            return None
        return result if id_of(result) == task.id else None

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A store for `protocol.Start`, on the shelf's own disk; it is removed on leaving."""
        folder = self.root / OWN / f"{PART}{os.getpid()}-{secrets.token_hex(4)}"
        with disk_errors(self.root):
            folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Throw away what processes that died left half made, a day ago or earlier: others may be at work."""
        before = time.time() - STALE
        with suppress(OSError):  # others sweep as well
            for folder in (self.root / OWN).iterdir():
                if folder.name.startswith(PART) and folder.stat().st_mtime < before:
                    shutil.rmtree(folder, ignore_errors=True)
            (self.root / OWN).rmdir()  # where nobody is at work

    def put(self, task: Task, draft: Draft, result: Result) -> Result:
        """Put a texture that is whole in its draft into its place: its files named, its maps packed, then one rename.

        Where somebody else has put it there meanwhile, theirs stays, and is returned.
        """
        target = self.root / task.folder
        with disk_errors(self.root):
            target.parent.mkdir(parents=True, exist_ok=True)
            whole = finished(task, draft, result)
        placed = Draft(target.parent, draft.folder, target.name)
        try:
            done = placed.publish(whole, allowed=lambda: self.find(task) is None)
        except UserError:  # what comes between that question and the rename makes the rename fail
            done = self.find(task)
            if done is None:
                raise
        theirs = done or self.find(task)
        assert theirs is not None  # that is what `allowed` has seen
        return theirs

    def line(self, result: Result) -> str:
        """What `results.jsonl` says of a texture: paths are relative to the shelf."""

        def path(kind: str) -> str:
            return result.path(kind).relative_to(self.root).as_posix()

        maps = {kind.value: path(kind) for kind in MAPS if kind in result.files}
        exported = [path(kind) for kind in result.files if kind.startswith(_EXPORTED)]
        return json.dumps(
            {
                "file": path(BASE_COLOR),
                **({"thumbnail": path(THUMBNAIL)} if THUMBNAIL in result.files else {}),
                **({"maps": maps} if maps else {}),
                **({"export": exported} if exported else {}),
                "recipe": result.recipe.to_json(),
                "seam_score": result.seam_score,
                "seconds": round(result.seconds, 3),
                **({"notes": list(result.notes)} if result.notes else {}),
            }
        )

    def write_list(self, made: Iterable[Result]) -> None:
        """Write `results.jsonl` anew, whole or not at all."""
        self.write(LIST, "".join(f"{self.line(result)}\n" for result in made))

    def append(self, result: Result) -> None:
        """Add a line to it. For one process only."""
        with disk_errors(self.root), (self.root / LIST).open("a", encoding="ascii") as file:
            file.write(self.line(result) + "\n")

    def close(self) -> None:
        """Nothing: all that was appended is in the list."""

    def write(self, name: str, text: str) -> None:
        """A text file beside the folders, whole or not at all."""
        part = self.root / f"{PART}{os.getpid()}-{secrets.token_hex(4)}"
        with disk_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            part.write_text(text, encoding="utf-8", newline="\n")
            os.replace(part, self.root / name)


def id_of(result: Result) -> str:
    """That of its task; "" where no batch made it."""
    return result.recipe.environment.get(_ID, "")


def finished(task: Task, draft: Draft, result: Result) -> Result:
    """The result as it goes onto a shelf: its files named in the draft, its maps packed, its task noted.

    Raises OSError.
    """
    files = {kind: _rename(draft.folder, name, kind, task.stem) for kind, name in result.files.items()}
    if task.export:
        from . import packed  # numpy, pillow and torch

        names = packed.write(draft.folder, files, task.stem, task.export)
        files |= {f"{_EXPORTED}{number}": name for number, name in enumerate(names, start=1)}
    return replace(result, files=files, recipe=result.recipe.noting({_ID: task.id}))


def _rename(folder: Path, name: str, kind: str, stem: str) -> str:
    if kind == THUMBNAIL:
        return name
    new = f"{stem}{Path(name).suffix}" if kind == BASE_COLOR else f"{stem}-{kind}{Path(name).suffix}"
    os.rename(folder / name, folder / new)
    return new
