# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in a second Blender without a window, so that this one is never blocked. Imports bpy, core and host.

Blender's own pixels, writers and bakes are seconds of work, and no thread but the main one may use them. So another
Blender has its own. What goes there and back lies in a scratch folder.
"""

import json
import logging
import os
import shutil
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import ErrorKind, UserError
from ...host import child

_logger = logging.getLogger(__name__)
_TASK, _ANSWER, _DONE, _PID = "task.json", "answer.json", "done.txt", "pid.txt"


class Errand:
    """One piece of work, running from `begin` on. Reading its attributes never blocks.

    made, count: what is done, of how many. scratch: an empty folder, which goes with it.
    """

    def __init__(self, what: str, scratch: Path, count: int) -> None:
        """what: the argument of `start.py`."""
        self.count = count
        self.answer: dict[str, Any] = {}  # what the other Blender said
        self._error: UserError | None = None
        self._reason = ""
        self._code: int | None = None
        self._scratch = scratch
        self._cancelled = threading.Event()
        self._bytes: dict[str, Any] = {}
        self._command = _command(what, scratch)
        self._thread = threading.Thread(target=self._run, name=f"tilewright-{what}", daemon=True)

    def begin(self, task: Mapping[str, Any], files: Mapping[str, Any]) -> None:
        """Start. task: for JSON. files: bytes by name, which a thread writes into the scratch folder."""
        self._bytes = {**files, _TASK: json.dumps(task).encode()}
        self._thread.start()

    def failed(self, reason: str) -> str:
        """The sentence about a system's error."""
        raise NotImplementedError

    def ended(self, code: int) -> str:
        """The sentence about the other Blender's end."""
        raise NotImplementedError

    @property
    def error(self) -> UserError | None:
        if self._reason:
            return UserError(ErrorKind.WORKER, self.failed(self._reason))
        if self._code is not None:
            return UserError(ErrorKind.WORKER, self.ended(self._code), "Look into the log.")
        return self._error

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    @property
    def made(self) -> int:
        try:
            return len((self._scratch / _DONE).read_bytes())
        except OSError:
            return 0

    def cancel(self) -> None:
        """End it; files that are written stay, each whole. It is over a moment later."""
        self._cancelled.set()

    def finish(self) -> None:
        """Cancel it, and wait until it is over: less than a second."""
        self.cancel()
        self._thread.join(2.0)

    def wait(self) -> None:
        """Until it is over, for background mode."""
        self._thread.join()

    # --- in the thread -------------------------------------------------------------------------------------------

    def take(self, answer: Mapping[str, Any]) -> None:
        """What is to be done in the thread with the answer, before the scratch folder goes."""

    def clean(self, pid: str) -> None:
        """What is to be deleted after another Blender of that process id was killed."""

    def _run(self) -> None:
        try:
            for name, data in self._bytes.items():
                (self._scratch / name).write_bytes(data)
            self._bytes.clear()
            code, output = child.run(self._command, variables=child.environment(), tick=self._tick, own_group=True)
            self._take_answer(code, output)
        except _CancelledError:
            with suppress(OSError):
                self.clean((self._scratch / _PID).read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            self._reason = getattr(error, "strerror", None) or str(error)
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _tick(self) -> None:
        if self._cancelled.is_set():
            raise _CancelledError

    def _take_answer(self, code: int, output: str) -> None:
        file = self._scratch / _ANSWER
        if not file.is_file():
            _logger.error("The other Blender ended with %d: %s", code, output[-2000:])
            self._code = code
            return
        answer = json.loads(file.read_text(encoding="utf-8"))
        if answer["error"]:
            kind, message, hint = answer["error"]
            self._error = UserError(ErrorKind(kind), message, hint)
        self.answer = answer
        self.take(answer)


class _CancelledError(Exception):
    pass


def _command(what: str, scratch: Path) -> list[str]:
    rest = [what, str(scratch)]
    if not bpy.app.binary_path:  # bpy as a module
        return [sys.executable, "-I", "-X", "utf8", str(child.START), *rest]
    flags = ["--background", "--factory-startup", "--python-exit-code", "1"]
    return [bpy.app.binary_path, *flags, "--python", str(child.START), "--", *rest]


# --- in the other Blender ------------------------------------------------------------------------------------------


def answer(
    arguments: list[str], work: Callable[[Path, Mapping[str, Any], Callable[[], object]], Mapping[str, Any]]
) -> int:
    """Do the work that an `Errand` asks for in the folder that the argument names, and say what came of it. Always 0.

    work: is given the scratch folder, the task and what to call after each part. Its `UserError` is handed on.
    """
    scratch = Path(arguments[0])
    (scratch / _PID).write_text(str(os.getpid()), encoding="ascii")
    task = json.loads((scratch / _TASK).read_text(encoding="utf-8"))
    told: dict[str, Any] = {"files": [], "error": None}
    try:
        with (scratch / _DONE).open("ab", buffering=0) as done:
            told |= work(scratch, task, lambda: done.write(b"."))
    except UserError as error:
        told["error"] = [error.kind.value, error.message, error.hint]
    part = scratch / "answer.part"
    part.write_text(json.dumps(told), encoding="utf-8")
    part.rename(scratch / _ANSWER)
    return 0
