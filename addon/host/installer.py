# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's end of the installer's process; nothing here blocks. Imports core and the standard library only."""

import sys
from pathlib import Path

from ..core.errors import ErrorKind, UserError
from .child import START
from .errand import Errand
from .installer_messages import MAX_LINE, InstallerProgress, InstallerTask, Outcome, Stage, decode


class Installer(Errand[InstallerProgress, Outcome]):
    """One run of the installer, from the moment that this is made."""

    name = "installer"
    max_line = MAX_LINE
    ends = Outcome

    def __init__(self, task: InstallerTask, log: Path, python: str = sys.executable) -> None:
        self.task = task
        command = [python, "-I", "-B", "-X", "utf8", str(START), "installer", task.dumps()]
        super().__init__(command, log, InstallerProgress(Stage.LOOKING), f"{task.action}, {task.root}")

    def decode(self, line: bytes) -> InstallerProgress | Outcome:
        return decode(line)

    def without_start(self, reason: str) -> Outcome:
        return Outcome(UserError(ErrorKind.RUNTIME, f"The installer could not be started: {reason}."))

    def without_word(self, ended: str) -> Outcome:
        message = f"The installer ended early ({ended})."
        return Outcome(UserError(ErrorKind.RUNTIME, message, "Press the button again."))

    def when_cancelled(self) -> Outcome:
        return Outcome(UserError(ErrorKind.RUNTIME, "The installation was cancelled.", "Install continues from there."))
