# SPDX-License-Identifier: GPL-3.0-or-later
"""What the installer's process is asked and what it tells, in lines of JSON. Imports core.

The process gets one `Task` on its command line's end, tells any number of `Step`s on stdout, and last one `Outcome`.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ..core.errors import UserError

MAX_LINE = 1 << 16  # bytes


class Work(StrEnum):
    """INSTALL makes, mends and updates: whatever is missing. VERIFY reads every file."""

    INSTALL = "install"
    VERIFY = "verify"


class Stage(StrEnum):
    """Where it is. What a user reads instead stands in Blender's room."""

    WAITING = "WAITING"  # for another Blender
    LOOKING = "LOOKING"  # at what is there
    DOWNLOADING = "DOWNLOADING"
    INSTALLING = "INSTALLING"
    CHECKING = "CHECKING"


@dataclass(frozen=True)
class Task:
    """lock: the file. root: the folder of all environments. wheels: a folder of the user's, or "". index: "" for pip's.

    online: whether the network may be used.
    """

    work: Work
    lock: str
    root: str
    wheels: str = ""
    index: str = ""
    online: bool = False

    def dumps(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> "Task":
        """The reverse of `dumps`. Raises KeyError, TypeError or ValueError on anything else."""
        data = json.loads(text)
        return cls(**(data | {"work": Work(data["work"])}))


@dataclass(frozen=True)
class Step:
    """How far it is. done, total: bytes of wheels downloaded or installed. left: seconds, None if not known."""

    stage: Stage
    package: str = ""
    done: int = 0
    total: int = 0
    left: float | None = None

    @property
    def fraction(self) -> float:
        """Of the whole work, from 0 to 1. Most of it is the download."""
        begin, end = _SHARES[self.stage]
        return begin + (end - begin) * (min(self.done / self.total, 1.0) if self.total else 0.0)


@dataclass(frozen=True)
class Outcome:
    """The end. error: why it failed. text: what to tell where it did not."""

    error: UserError | None = None
    text: str = ""


_SHARES = {
    Stage.WAITING: (0.0, 0.0),
    Stage.LOOKING: (0.0, 0.05),
    Stage.DOWNLOADING: (0.05, 0.75),
    Stage.INSTALLING: (0.75, 0.95),
    Stage.CHECKING: (0.95, 1.0),
}


def encode(told: Step | Outcome) -> bytes:
    """One line."""
    data: dict[str, Any]
    if isinstance(told, Step):
        data = {"step": asdict(told)}
    else:
        data = {"outcome": {"error": told.error.to_json() if told.error else None, "text": told.text}}
    return json.dumps(data).encode("ascii") + b"\n"


def decode(line: bytes) -> Step | Outcome:
    """The reverse of `encode`. Raises KeyError, TypeError or ValueError on anything else."""
    data = json.loads(line)
    if "step" in data:
        step = data["step"]
        return Step(**(step | {"stage": Stage(step["stage"])}))
    error = data["outcome"]["error"]
    return Outcome(UserError.from_json(error) if error else None, str(data["outcome"]["text"]))
