# SPDX-License-Identifier: GPL-3.0-or-later
"""The history as values: marks on a result, what a search finds, what a clean-up may take. Imports core only."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from .errors import ErrorKind, UserError
from .results import Result

YOUNG = 86400.0  # seconds: another Blender may have it in a file that was never saved
_MAX_FILES = 1000  # .blend files that are remembered for one result


class Which(StrEnum):
    """The parts of the history that can be shown alone."""

    ALL = "ALL"
    FAVOURITES = "FAVOURITES"
    UNTAKEN = "UNTAKEN"  # in no saved .blend


@dataclass(frozen=True)
class Marks:
    """What the user and the extension note about a result.

    taken_by: absolute paths of the .blend files that were saved with it, the oldest first.
    used: when it was put into a material from the history, seconds since 1970; 0: never.
    """

    favourite: bool = False
    taken_by: tuple[str, ...] = ()
    used: float = 0.0

    def taken(self, file: str) -> "Marks":
        """With one more file that has it."""
        return self if file in self.taken_by else replace(self, taken_by=(*self.taken_by, file)[-_MAX_FILES:])

    def left(self, file: str) -> "Marks":
        """Without a file that has it no more."""
        return replace(self, taken_by=tuple(known for known in self.taken_by if known != file))

    def to_json(self) -> dict[str, Any]:
        return {"favourite": self.favourite, "taken_by": list(self.taken_by), "used": self.used}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Marks":
        """The reverse of `to_json`. Raises `UserError` (kind `DISK`) on anything else."""
        try:
            favourite, files, used = data["favourite"], data["taken_by"], float(data["used"])
            if not isinstance(favourite, bool) or not isinstance(files, list) or not math.isfinite(used):
                raise TypeError("a truth, a list and a time")
            if not all(isinstance(file, str) and "\0" not in file for file in files):
                raise TypeError("paths")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UserError(ErrorKind.DISK, "The marks of a result cannot be read.") from error
        return cls(favourite, tuple(files[-_MAX_FILES:]), used)


@dataclass(frozen=True)
class Entry:
    """One line of the history. size: bytes on disk, of all files of the result together."""

    result: Result
    marks: Marks = Marks()
    size: int = 0

    @property
    def name(self) -> str:
        """The name of its folder, by which all else refers to it."""
        return self.result.folder.name

    def fits(self, words: Iterable[str]) -> bool:
        """Whether each of the words, in lower case, occurs in the prompt, the model's name, the size or the seed."""
        text = self.result.recipe.request.search_text.casefold()
        return all(word in text for word in words)


def newest_first(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: (entry.result.created, entry.name), reverse=True))


def search(entries: Iterable[Entry], text: str = "", which: Which = Which.ALL) -> tuple[Entry, ...]:
    """Those that hold every word of the text, upper and lower case alike, in the order given."""
    words = text.casefold().split()
    found = (entry for entry in entries if entry.fits(words))
    match which:
        case Which.FAVOURITES:
            return tuple(entry for entry in found if entry.marks.favourite)
        case Which.UNTAKEN:
            return tuple(entry for entry in found if not entry.marks.taken_by)
        case _:
            return tuple(found)


def left_behind(entries: Iterable[Entry], after: float, before: float) -> tuple[Entry, ...]:
    """What was made between two times (seconds since 1970), and no .blend has: a crash, another file, a lost target."""
    return tuple(entry for entry in entries if not entry.marks.taken_by and after < entry.result.created < before)


def expendable(
    entries: Sequence[Entry],
    limit: int,
    keep: Collection[str],
    now: float,
    exists: Callable[[str], bool],
) -> list[str]:
    """The names of what may go so that the rest takes at most `limit` bytes, the oldest first; as few as possible.

    Never among them: favourites; the names in `keep`, which the open .blend refers to; what a saved .blend took that
    still exists; what was made or used less than a day ago. `now`: seconds since 1970.
    """
    total = sum(entry.size for entry in entries)
    going = []
    for entry in reversed(newest_first(entries)):
        if total <= limit:
            break
        if entry.marks.favourite or entry.name in keep or now - max(entry.result.created, entry.marks.used) < YOUNG:
            continue
        if any(exists(file) for file in entry.marks.taken_by):
            continue
        going.append(entry.name)
        total -= entry.size
    return going
