# SPDX-License-Identifier: GPL-3.0-or-later
"""What the installer's process is asked and what it answers, in lines of JSON. Imports core.

The process gets one `InstallerTask` on its command line's end, sends any number of `InstallerProgress` on stdout, and
last one `Outcome`.
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ..core.errors import UserError

MAX_LINE = 1 << 16  # bytes


class InstallerAction(StrEnum):
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
    PREPARING = "PREPARING"


@dataclass(frozen=True)
class InstallerTask:
    """lock: the file. root: the folder of all environments. wheels: a folder of the user's, or "". index: "" for pip's.

    online: whether the network may be used.
    """

    action: InstallerAction
    lock: str
    root: str
    wheels: str = ""
    index: str = ""
    online: bool = False

    def dumps(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> "InstallerTask":
        """The reverse of `dumps`. Raises KeyError, TypeError or ValueError on anything else."""
        data = json.loads(text)
        return cls(**(data | {"action": InstallerAction(data["action"])}))


@dataclass(frozen=True)
class InstallerProgress:
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
    Stage.CHECKING: (0.95, 0.97),
    Stage.PREPARING: (0.97, 1.0),
}


def encode(message: InstallerProgress | Outcome) -> bytes:
    """One line."""
    data: dict[str, Any]
    if isinstance(message, InstallerProgress):
        data = {"progress": asdict(message)}
    else:
        data = {"outcome": {"error": message.error.to_json() if message.error else None, "text": message.text}}
    return json.dumps(data).encode("ascii") + b"\n"


def decode(line: bytes) -> InstallerProgress | Outcome:
    """The reverse of `encode`. Raises KeyError, TypeError or ValueError on anything else."""
    data = json.loads(line)
    if "progress" in data:
        progress = data["progress"]
        return InstallerProgress(**(progress | {"stage": Stage(progress["stage"])}))
    error = data["outcome"]["error"]
    return Outcome(UserError.from_json(error) if error else None, str(data["outcome"]["text"]))
