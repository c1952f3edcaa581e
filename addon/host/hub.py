# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's end of the process that talks to a model hub; nothing here blocks. Imports core."""

from pathlib import Path

from ..core.errors import ErrorKind, UserError
from ..core.hub.messages import MAX_LINE, HubOutcome, HubProgress, HubStage, HubTask, decode
from .child import START
from .errand import Errand


class HubErrand(Errand[HubProgress, HubOutcome]):
    """One search, look or download, from the moment that this is made, in the engine's Python."""

    name = "hub"
    max_line = MAX_LINE
    ends = HubOutcome

    def __init__(self, task: HubTask, log: Path, python: Path) -> None:
        self.task = task
        command = [str(python), "-I", "-X", "utf8", str(START), "hub"]
        about = f"{task.action}, {task.plan.repository if task.plan else task.repository or task.text}"
        super().__init__(command, log, HubProgress(HubStage.ASKING), about, f"{task.dumps()}\n".encode())

    def decode(self, line: bytes) -> HubProgress | HubOutcome:
        return decode(line)

    def without_start(self, reason: str) -> HubOutcome:
        return HubOutcome(UserError(ErrorKind.RUNTIME, f"The engine's Python could not be started: {reason}."))

    def without_word(self, ended: str) -> HubOutcome:
        message = f"The download ended early ({ended})."
        return HubOutcome(UserError(ErrorKind.RUNTIME, message, "Download continues from there. The log says more."))

    def when_cancelled(self) -> HubOutcome:
        message = "The download was cancelled."
        return HubOutcome(UserError(ErrorKind.NETWORK, message, "Download continues from there."))
