# SPDX-License-Identifier: GPL-3.0-or-later
"""One worker's process, which never blocks the caller. Imports core and the standard library only.

Starting, reading, writing and reaping happen in background threads, since each can block: Popen of a large Blender
takes its time, and so does a pipe that nobody empties. The caller puts into and takes from queues.
"""

import contextlib
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path

from ..core.protocol import FrameReader, Heartbeat, Message, ProtocolError, Quit, encode
from .log import CappedLog

_logger = logging.getLogger(__name__)

BOOTSTRAP = Path(__file__).resolve().parents[1] / "engine" / "bootstrap.py"
# Without a console, and leaving the processor to Blender where both want it; elsewhere `engine.bootstrap` does that.
_WINDOWS_FLAGS = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
_CHUNK = 1 << 16  # bytes read at once
_TAIL = 1 << 14  # bytes of stderr that are kept in memory
# Promise 5 of the design: whatever a library would like to look up, it does not.
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
}


@dataclass(frozen=True)
class Ended:
    """The worker is gone; nothing follows.

    returncode: its exit code, negative for a signal, None if it never ran or could not be ended.
    start_error: why it could not be started. nonsense: it was ended because it sent what is no message.
    """

    returncode: int | None
    start_error: str = ""
    nonsense: bool = False


class WorkerProcess:
    """One worker, starting from the moment that this is made.

    cleanup: called in a background thread when the process is gone, before `Ended` is told; must not raise.
    idle_seconds: without a job, after which the worker lets go of its models.
    """

    def __init__(
        self,
        python: Path,
        log: CappedLog,
        cleanup: Callable[[], object] = lambda: None,
        idle_seconds: float = 600.0,
    ) -> None:
        self._command = [str(python), "-I", "-X", "utf8", str(BOOTSTRAP), f"{idle_seconds:g}"]
        self._log = log
        self._cleanup = cleanup
        self._inbox: queue.SimpleQueue[Message | Ended] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # held for a system call, never longer
        self._process: subprocess.Popen[bytes] | None = None  # while its process id is ours
        self._kill_wanted = False
        self._nonsense = False
        self._tail = b""
        self._signs = 0
        self._gone = threading.Event()
        self._life = threading.Thread(target=self._live, name="tilewright-worker", daemon=True)
        self._life.start()

    @property
    def signs(self) -> int:
        """Grows with everything that the worker sends: its signs of life."""
        return self._signs

    @property
    def tail(self) -> bytes:
        """The end of what the worker wrote to stderr, at most 16 KiB."""
        return self._tail

    def send(self, message: Message) -> None:
        """Put a message on its way. One that the worker cannot take any more is dropped; `Ended` tells of that."""
        self._outbox.put(encode(message))

    def receive(self) -> Message | Ended | None:
        """What came next, None if nothing is there yet. Heartbeats only count as `signs`. `Ended` is the last, once."""
        try:
            return self._inbox.get_nowait()
        except queue.Empty:
            return None

    def kill(self) -> None:
        """End the process and what it started, at once. `Ended` follows when they are gone."""
        with self._lock:
            self._kill_wanted = True
            if self._process:
                kill_group(self._process)

    def finish(self, grace: float = 0.5, limit: float = 1.0) -> bool:
        """Block until the worker is gone, killed if `grace` seconds do not do. False if it is not within `limit`."""
        begin = time.monotonic()
        self.send(Quit())
        self._outbox.put(None)
        if not self._gone.wait(grace):
            self.kill()
        self._life.join(max(limit - (time.monotonic() - begin), 0.0))
        return not self._life.is_alive()

    # --- background threads --------------------------------------------------------------------------------------

    def _live(self) -> None:
        ended = Ended(None)
        try:
            ended = self._run()
        except (OSError, ValueError) as error:  # ValueError: a path that the system cannot take
            ended = Ended(None, start_error=getattr(error, "strerror", None) or str(error))
        finally:
            self._cleanup()
            self._log.close()
            self._inbox.put(ended)
            self._gone.set()

    def _run(self) -> Ended:
        folder = self._log.path.parent
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environment(os.environ),
            cwd=folder if folder.is_dir() else None,  # Blender's own may be gone, or in somebody's way
            # A group of its own, so that what the worker starts ends with it.
            start_new_session=True,
            creationflags=_WINDOWS_FLAGS,
        )
        with self._lock:
            self._process = process
            if self._kill_wanted:
                kill_group(process)
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        self._log.write(f"--- {stamp} worker {process.pid}: {self._command[0]}\n".encode(errors="replace"))
        jobs = ((self._read, process.stdout), (self._write, process.stdin), (self._drain, process.stderr))
        threads = [
            threading.Thread(target=target, args=(pipe,), name="tilewright-pipe", daemon=True) for target, pipe in jobs
        ]
        for thread in threads:
            thread.start()
        returncode = self._reap(process)
        self._outbox.put(None)
        for thread in threads:
            thread.join(1.0)
            if thread.is_alive():  # somebody who left the group holds the pipe; the thread ends when he does
                _logger.warning("A pipe of worker %d is still held by another process.", process.pid)
        _logger.info("Worker %d ended with %d.", process.pid, returncode)
        return Ended(returncode, nonsense=self._nonsense)

    def _reap(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for the worker's end, end what it left behind, and free its process id."""
        await_end(process)
        with self._lock:
            kill_group(process)
            self._process = None
            return process.wait()

    def _read(self, pipe: RawIOBase) -> None:
        reader = FrameReader()
        with pipe:
            try:
                while data := pipe.read(_CHUNK):
                    for message in reader.feed(data):
                        # Not kept: an idle worker that nobody pumps would pile them up.
                        if not isinstance(message, Heartbeat):
                            self._inbox.put(message)
                    self._signs += 1
                if reader.pending:
                    _logger.error("The worker stopped in the middle of a message.")
            except ProtocolError as error:
                _logger.error("The worker sent nonsense: %s", error)
                self._nonsense = True
                self.kill()

    def _write(self, pipe: RawIOBase) -> None:
        if sys.platform != "win32":
            # An embedded Python need not ignore SIGPIPE, which would end Blender with the worker. Only in this thread.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
        # The end of the pipe is the worker's end, of which `Ended` tells.
        with contextlib.suppress(BrokenPipeError, ConnectionError), pipe:
            while (frame := self._outbox.get()) is not None:
                rest = memoryview(frame)
                while rest:
                    rest = rest[pipe.write(rest) :]

    def _drain(self, pipe: RawIOBase) -> None:
        with pipe:
            while data := pipe.read(_CHUNK):
                self._tail = (self._tail + data)[-_TAIL:]
                self._log.write(data)


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """The worker's environment variables: `base` without what leads a Python astray, and with the libraries offline."""
    return {name: value for name, value in base.items() if name not in ("PYTHONHOME", "PYTHONPATH")} | _OFFLINE


def await_end(process: subprocess.Popen[bytes]) -> None:
    """Block until it has ended. Not yet reaped where the system can do that: so its id is still its own."""
    if sys.platform != "win32" and hasattr(os, "waitid"):
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait()


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the process and what it started (on Windows to itself alone; what it started ends with its pipes)."""
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # gone; macOS says so of a group of zombies
            os.killpg(process.pid, signal.SIGKILL)
