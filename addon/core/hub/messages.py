# SPDX-License-Identifier: GPL-3.0-or-later
"""What the downloading process is asked and what it answers, in lines of JSON. Imports core.

The process gets one `HubTask` as a line on stdin, sends any number of `HubProgress` on stdout, and last one
`HubOutcome`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from ..errors import UserError
from .stored import Plan

MAX_LINE = 1 << 22  # bytes; a repository of 10,000 files has a list of 1.5 MB


class HubAction(StrEnum):
    """SEARCH finds repositories, LOOK says what would be downloaded of one, DOWNLOAD does it, or mends it."""

    SEARCH = "search"
    LOOK = "look"
    DOWNLOAD = "download"


class HubStage(StrEnum):
    """Where it is. What a user reads instead stands in Blender's room."""

    WAITING = "WAITING"  # for another Blender
    ASKING = "ASKING"  # the hub
    CHECKING = "CHECKING"  # what is there
    DOWNLOADING = "DOWNLOADING"


@dataclass(frozen=True)
class HubTask:
    """text: what is searched for. repository, revision ("" for the newest), wanted: what is looked at, see `choose`.

    plan: what is downloaded. models: the folder of all models. token: "" for the one that the hub's own tools keep.
    endpoint: the hub's address, "" for the one of HF_ENDPOINT, or the usual one. pause: seconds before another try.
    """

    action: HubAction
    text: str = ""
    limit: int = 20
    repository: str = ""
    revision: str = ""
    wanted: tuple[str, ...] = ()
    plan: Plan | None = None
    models: str = ""
    token: str = field(default="", repr=False)
    endpoint: str = ""
    pause: float = 1.0

    def dumps(self) -> str:
        data = {name: value for name, value in self.__dict__.items() if name != "plan"}
        return json.dumps(data | {"plan": self.plan.to_json() if self.plan else None})

    @classmethod
    def loads(cls, text: str) -> "HubTask":
        """The reverse of `dumps`. Raises KeyError, TypeError or ValueError on anything else."""
        data = json.loads(text)
        plan = Plan.from_json(data["plan"]) if data["plan"] else None
        changes = {"action": HubAction(data["action"]), "wanted": tuple(data["wanted"]), "plan": plan}
        return cls(**(data | changes))


@dataclass(frozen=True)
class HubProgress:
    """How far it is. file: which one it is at. done, total: bytes of all files. left: seconds, None if not known."""

    stage: HubStage
    file: str = ""
    done: int = 0
    total: int = 0
    left: float | None = None

    @property
    def fraction(self) -> float:
        """From 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0


@dataclass(frozen=True)
class HubModel:
    """What a search finds. licence: its name on the hub. gated: as `Plan` has it."""

    repository: str
    downloads: int = 0
    licence: str = ""
    gated: bool = False


@dataclass(frozen=True)
class HubOutcome:
    """The end. error: why it failed. found: of a search. plan: of a look. folder: where a download is now.

    loose: the safetensors at a repository's root, where it holds no model as a whole and one has to be named.
    """

    error: UserError | None = None
    found: tuple[HubModel, ...] = ()
    plan: Plan | None = None
    folder: str = ""
    loose: tuple[str, ...] = ()


def encode(message: HubProgress | HubOutcome) -> bytes:
    """One line."""
    if isinstance(message, HubProgress):
        data: dict[str, Any] = {"progress": asdict(message)}
    else:
        data = {
            "outcome": {
                "error": message.error.to_json() if message.error else None,
                "found": [asdict(model) for model in message.found],
                "plan": message.plan.to_json() if message.plan else None,
                "folder": message.folder,
                "loose": message.loose,
            }
        }
    return json.dumps(data).encode("ascii") + b"\n"


def decode(line: bytes) -> HubProgress | HubOutcome:
    """The reverse of `encode`. Raises KeyError, TypeError or ValueError on anything else."""
    data: Mapping[str, Any] = json.loads(line)
    if "progress" in data:
        progress = data["progress"]
        return HubProgress(**(progress | {"stage": HubStage(progress["stage"])}))
    said = data["outcome"]
    return HubOutcome(
        UserError.from_json(said["error"]) if said["error"] else None,
        tuple(HubModel(**model) for model in said["found"]),
        Plan.from_json(said["plan"]) if said["plan"] else None,
        str(said["folder"]),
        tuple(map(str, said["loose"])),
    )
