# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's end of the installer's process; nothing here blocks. Imports core and the standard library only."""

import contextlib
import logging
import queue
import sys
import threading
from pathlib import Path

from ..core.errors import ErrorKind, UserError
from .child import START, Child, drain
from .installer_messages import MAX_LINE, InstallerProgress, InstallerTask, Outcome, Stage, decode
from .log import CappedLog

_logger = logging.getLogger(__name__)


class Installer:
    """One run of the installer, from the moment that this is made.

    progress: how far it is. outcome: how it ended, None while it runs. `pump` brings both up to date.
    """

    def __init__(self, task: InstallerTask, log: Path, python: str = sys.executable) -> None:
        self.task = task
        self.progress = InstallerProgress(Stage.LOOKING)
        self.outcome: Outcome | None = None
        self._command = [python, "-I", "-B", "-X", "utf8", str(START), "installer", task.dumps()]
        self._log = CappedLog(log)
        self._inbox: queue.SimpleQueue[InstallerProgress | Outcome] = queue.SimpleQueue()
        self._child = Child()
        self._cancelled = False
        self._rest = b""  # of a line that is not whole
        self._last: Outcome | None = None
        self._thread = threading.Thread(target=self._live, name="tilewright-installer", daemon=True)
        self._thread.start()

    def pump(self) -> bool:
        """Read its new messages. True if there were any."""
        changed = False
        with contextlib.suppress(queue.Empty):
            while self.outcome is None:
                message = self._inbox.get_nowait()
                changed = True
                if isinstance(message, InstallerProgress):
                    self.progress = message
                else:
                    self.outcome = message
        return changed

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> None:
        """End it at once; what was downloaded is kept. The outcome follows."""
        self._cancelled = True
        self._child.kill()

    def close(self, limit: float = 1.0) -> bool:
        """Cancel it and wait until it is gone. False if it is not within `limit` seconds."""
        self.cancel()
        self._thread.join(limit)
        return not self._thread.is_alive()

    # --- the background thread -----------------------------------------------------------------------------------

    def _live(self) -> None:
        outcome: Outcome | None = None
        try:
            outcome = self._run()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            outcome = Outcome(UserError(ErrorKind.RUNTIME, f"The installer could not be started: {reason}."))
        finally:
            self._log.close()
            self._inbox.put(outcome or Outcome(UserError(ErrorKind.BUG, "The installer failed.", "Open the log.")))

    def _run(self) -> Outcome:
        process = self._child.start(self._command)
        self._log.write(f"--- installer {process.pid}: {self.task.action}, {self.task.root}\n".encode(errors="replace"))
        assert process.stdout
        log = threading.Thread(
            target=drain, args=(process.stderr, self._log.write), name="tilewright-pipe", daemon=True
        )
        log.start()
        drain(process.stdout, self._hear)
        outcome = self._last
        returncode = self._child.reap()
        if process.stdin:
            process.stdin.close()
        log.join(1.0)
        if self._cancelled and outcome is None:
            return Outcome(
                UserError(ErrorKind.RUNTIME, "The installation was cancelled.", "Install continues from there.")
            )
        ended = f"signal {-returncode}" if returncode < 0 else f"exit code {returncode}"
        lost = UserError(ErrorKind.RUNTIME, f"The installer ended early ({ended}).", "Press the button again.")
        return outcome or Outcome(lost)

    def _hear(self, data: bytes) -> None:
        """Take the next bytes that it said."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                said = decode(line)
            except (KeyError, TypeError, ValueError):
                _logger.error("The installer said what is no message: %.200r", line)
                continue
            if isinstance(said, Outcome):
                self._last = said
            else:
                self._inbox.put(said)
        if len(self._rest) > MAX_LINE:
            self._rest = b""
