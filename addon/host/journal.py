# SPDX-License-Identifier: GPL-3.0-or-later
"""What a far end notes of its job, so that a later connection can take the job up. Imports core.

A connection whose line broke finishes its job. The next one from the same Blender is asked for that same job: it tells
how far the first one is, sends what that one has made, and how it ended. They speak by files in the first one's folder.
"""

import json
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.protocol import TERMINAL, Message, Progress, ProtocolError, decode, encode
from ..core.single_holder import only_holder

_logger = logging.getLogger(__name__)
_NAME = "job.json"
_TAKEN, _CANCEL = "taken", "cancel"  # of the later connection: I have the job; I want it cancelled


@dataclass
class Journal:
    """The last job of a connection.

    job: its id, "" for none. images: which of its pictures each result's folder is. last: its progress, or its end.
    """

    job: str = ""
    images: dict[str, int] = field(default_factory=dict)
    last: Message | None = None

    @property
    def ended(self) -> bool:
        return isinstance(self.last, TERMINAL)

    def about(self, folder: str) -> dict[str, Any]:
        """What the files of a result are announced with."""
        return {"job": self.job, "image": self.images[folder]} if folder in self.images else {}

    def write(self, run: Path) -> None:
        """Note it in a connection's folder, whole or not at all. What cannot be written is logged."""
        last = json.loads(encode(self.last)[4:]) if self.last else None
        part = run / f"{_NAME}.part"
        try:
            part.write_text(json.dumps({"job": self.job, "images": self.images, "last": last}), encoding="ascii")
            os.replace(part, run / _NAME)
        except OSError as error:
            _logger.error("the job could not be noted: %s", error)


def read(run: Path) -> Journal:
    """What was noted in a connection's folder; an empty one where nothing was."""
    try:
        said = json.loads((run / _NAME).read_bytes())
        images = {str(folder): int(image) for folder, image in said["images"].items()}
        last = decode(json.dumps(said["last"]).encode("ascii")) if said["last"] else None
        return Journal(str(said["job"]), images, last)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ProtocolError):
        return Journal()


def take(run: Path) -> None:
    """Tell the connection there that its line is gone, even if it does not know yet."""
    (run / _TAKEN).touch()


def is_taken(run: Path) -> bool:
    return (run / _TAKEN).exists()


def cancel(run: Path) -> None:
    """Tell the connection there that nobody wants its job any more."""
    (run / _CANCEL).touch()


def is_cancelled(run: Path) -> bool:
    return (run / _CANCEL).exists()


class Followed:
    """A job that earlier connections were asked for. runs: their folders, the oldest first."""

    def __init__(self, job: str, runs: list[Path]) -> None:
        self.journal = Journal(job)
        self.runs = runs
        self._left = list(runs)
        for run in runs:
            take(run)

    def look(self) -> Progress | None:
        """See how far they are; the last progress while one is still at work."""
        for run in list(self._left):
            with only_holder(run) as over:
                journal = read(run)
            self.journal.images |= journal.images
            if journal.ended or not self.journal.ended:
                self.journal.last = journal.last
            if over:
                self._left.remove(run)
        return self.journal.last if self._left and isinstance(self.journal.last, Progress) else None

    @property
    def over(self) -> bool:
        """Whether none of them is at work any more."""
        return not self._left

    def cancel(self) -> None:
        for run in self._left:
            cancel(run)
