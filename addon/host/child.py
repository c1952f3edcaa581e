# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes: the one place that starts, reads and ends them. Imports the standard library only.

Everything here may block, and Popen of a large Blender takes its time: call it in a background thread. Only `kill` is
for any thread.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from io import RawIOBase
from pathlib import Path
from typing import IO

START = Path(__file__).resolve().parents[1] / "start.py"
CHUNK = 1 << 16  # bytes read at once
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # no console's window on Windows
_LOW_PRIORITY = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
# Promise 5 of the design: whatever a library would like to look up, it does not.
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
}


def environment(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of our own processes: `base` without what leads a Python astray, and the libraries offline."""
    return {name: value for name, value in base.items() if name not in ("PYTHONHOME", "PYTHONPATH")} | _OFFLINE


class Child:
    """A process in a group of its own, with three pipes, which is ended with all that it started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held for a system call, never longer
        self._process: subprocess.Popen[bytes] | None = None  # while its process id is ours
        self._kill_wanted = False

    def start(self, command: list[str], *, folder: Path | None = None, low: bool = False) -> subprocess.Popen[bytes]:
        """Start it, at once killed where `kill` came first. Raises OSError, and ValueError on a path that cannot be.

        folder: where it works; Blender's own folder may be gone, or in somebody's way.
        low: on Windows, leave the processor to Blender where both want it; elsewhere a process asks for that itself.
        """
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environment(),
            cwd=folder if folder and folder.is_dir() else None,
            start_new_session=True,
            creationflags=_NO_WINDOW | (_LOW_PRIORITY if low else 0),
        )
        with self._lock:
            self._process = process
            if self._kill_wanted:
                _kill_group(process)
        return process

    def kill(self) -> None:
        """End it and what it started, at once; returns at once too."""
        with self._lock:
            self._kill_wanted = True
            if self._process:
                _kill_group(self._process)

    def reap(self) -> int:
        """Wait for its end, end what it left behind, free its process id. Returns the exit code."""
        process = self._process
        assert process
        _await_end(process)
        with self._lock:
            _kill_group(process)
            self._process = None
            return process.wait()


def drain(pipe: RawIOBase | IO[bytes], use: Callable[[bytes], object]) -> None:
    """Read a pipe to its end, and close it."""
    with pipe:  # unbuffered: `read` returns what is there
        while data := pipe.read(CHUNK):
            use(data)


def run(
    command: list[str],
    *,
    variables: Mapping[str, str],
    errors: int = subprocess.DEVNULL,
    limit: float = float("inf"),
    tick: Callable[[], object] = lambda: None,
    pause: float = 0.1,
    own_group: bool = False,
) -> tuple[int, str]:
    """Run a short command to its end: its exit code, and what it wrote, as text.

    errors: where its stderr goes, in words of `subprocess`. tick: called every `pause` seconds; what it raises ends the
    process, and is passed on. own_group: what it started is ended with it; without one of its own, it is itself ended
    with the group that this process is in. variables: its environment.
    Raises OSError and ValueError where it cannot be started, TimeoutError after `limit` seconds.
    """
    begin = time.monotonic()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=variables,
        start_new_session=own_group,
        creationflags=_NO_WINDOW,
    ) as process:
        try:
            while True:
                tick()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    output, _ = process.communicate(timeout=pause)
                    return process.returncode, output
                if time.monotonic() - begin > limit:
                    raise TimeoutError(f"{command[0]} took longer than {limit:g} s")
        except BaseException:
            if own_group:
                _kill_group(process)
            process.kill()
            raise


def _await_end(process: subprocess.Popen[bytes]) -> None:
    """Block until it has ended. Not yet reaped where the system can do that: so its id is still its own."""
    if sys.platform != "win32" and hasattr(os, "waitid"):
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait()


def _kill_group(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """SIGKILL to the process and what it started (on Windows to itself alone; what it started ends with its pipes)."""
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # gone; macOS says so of a group of zombies
            os.killpg(process.pid, signal.SIGKILL)
