# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's end of the installer's process; nothing here blocks. Imports core and the standard library only."""

import contextlib
import logging
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

from ..core.errors import ErrorKind, UserError
from .log import CappedLog
from .process import await_end, kill_group
from .process import environment as worker_environment
from .steps import MAX_LINE, Outcome, Stage, Step, Task, decode

_logger = logging.getLogger(__name__)
START = Path(__file__).resolve().parent / "installer_start.py"


class Installer:
    """One run of the installer, from the moment that this is made.

    step: how far it is. outcome: how it ended, None while it runs. `pump` brings both up to date.
    """

    def __init__(self, task: Task, log: Path, python: str = sys.executable) -> None:
        self.task = task
        self.step = Step(Stage.LOOKING)
        self.outcome: Outcome | None = None
        self._command = [python, "-I", "-B", "-X", "utf8", str(START), task.dumps()]
        self._log = CappedLog(log)
        self._told: queue.SimpleQueue[Step | Outcome] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._cancelled = False
        self._thread = threading.Thread(target=self._live, name="tilewright-installer", daemon=True)
        self._thread.start()

    def pump(self) -> bool:
        """Take what it told. True if anything is new."""
        changed = False
        with contextlib.suppress(queue.Empty):
            while self.outcome is None:
                told = self._told.get_nowait()
                changed = True
                if isinstance(told, Step):
                    self.step = told
                else:
                    self.outcome = told
        return changed

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> None:
        """End it at once; what was downloaded is kept. The outcome follows."""
        with self._lock:
            self._cancelled = True
            if self._process:
                kill_group(self._process)

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
            self._told.put(outcome or Outcome(UserError(ErrorKind.BUG, "The installer failed.", "Open the log.")))

    def _run(self) -> Outcome:
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=worker_environment(os.environ),
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        with self._lock:
            self._process = process
            if self._cancelled:
                kill_group(process)
        self._log.write(f"--- installer {process.pid}: {self.task.work}, {self.task.root}\n".encode(errors="replace"))
        drain = threading.Thread(target=self._drain, args=(process,), name="tilewright-pipe", daemon=True)
        drain.start()
        outcome = self._read(process)
        returncode = self._reap(process)
        if process.stdin:
            process.stdin.close()
        drain.join(1.0)
        if self._cancelled and outcome is None:
            return Outcome(
                UserError(ErrorKind.RUNTIME, "The installation was cancelled.", "Install goes on from there.")
            )
        ended = f"signal {-returncode}" if returncode < 0 else f"exit code {returncode}"
        lost = UserError(ErrorKind.RUNTIME, f"The installer ended early ({ended}).", "Press the button again.")
        return outcome or Outcome(lost)

    def _reap(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for its end, end what it left behind, and free its process id."""
        await_end(process)
        with self._lock:
            kill_group(process)
            self._process = None
            return process.wait()

    def _read(self, process: subprocess.Popen[bytes]) -> Outcome | None:
        outcome = None
        assert process.stdout
        rest = b""
        with process.stdout as pipe:
            while data := os.read(pipe.fileno(), 1 << 16):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    try:
                        told = decode(line)
                    except (KeyError, TypeError, ValueError):
                        _logger.error("The installer said what is no message: %.200r", line)
                        continue
                    if isinstance(told, Outcome):
                        outcome = told
                    else:
                        self._told.put(told)
                if len(rest) > MAX_LINE:
                    rest = b""
        return outcome

    def _drain(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr
        with process.stderr as pipe:
            while data := os.read(pipe.fileno(), 1 << 16):
                self._log.write(data)
