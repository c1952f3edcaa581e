# SPDX-License-Identifier: GPL-3.0-or-later
"""The link to a worker that is a child of this process, and never blocks the caller. Imports core.

Starting, reading, writing and reaping happen in background threads, since each can block: Popen of a large Blender
takes its time, and so does a pipe that nobody empties. The caller puts into and takes from queues.
"""

import contextlib
import logging
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from io import RawIOBase
from pathlib import Path

from ..core.protocol import FrameReader, Heartbeat, Message, ProtocolError, Quit, encode
from .child import CHUNK, START, Child, drain
from .link import Arrived, Ended, StartWorker
from .log import CappedLog

_logger = logging.getLogger(__name__)
_TAIL = 1 << 14  # bytes of stderr that are kept in memory


def local_workers(
    log: Path, cleanup: Callable[[], object], idle_seconds: float = 600.0, *, low: bool = True
) -> StartWorker:
    """What starts workers on this machine; see `WorkerProcess`. log: the file that takes their stderr."""
    capped = CappedLog(log)
    return lambda runtime: WorkerProcess(runtime.python, capped, cleanup, idle_seconds, low=low)


class ChildLink:
    """A `Link` through the pipes of a child, starting from the moment that `begin` is called; the last of a `__init__`.

    command: what is started. cleanup: called in a background thread when the process is gone, before `Ended`; must not
    raise. low: it leaves the processor to Blender where both want it.
    """

    ping_seconds: float | None = None  # after which `ping` is written where nothing else was

    def __init__(self, command: list[str], log: CappedLog, cleanup: Callable[[], object], *, low: bool) -> None:
        self._command = command
        self._low = low
        self._log = log
        self._cleanup = cleanup
        self._inbox: queue.SimpleQueue[Message | Ended | Arrived] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[Iterable[bytes] | None] = queue.SimpleQueue()
        self._child = Child()
        self._nonsense = False
        self._tail = b""
        self._signs = 0
        self._gone = threading.Event()
        self._life = threading.Thread(target=self._live, name="tilewright-worker", daemon=True)

    def begin(self) -> None:
        """Start the process, in the background."""
        self._life.start()

    # what each kind of worker has its own way of; all in background threads but `frames`

    def frames(self, message: Message) -> Iterable[bytes]:
        """What is written to say that, piece by piece."""
        raise NotImplementedError

    def ping(self) -> bytes:
        """What is written to show that somebody is there."""
        raise NotImplementedError

    def hear(self, data: bytes) -> None:
        """Take the next bytes of its stdout. Raises ProtocolError where they are nonsense."""
        raise NotImplementedError

    def in_the_middle(self) -> bool:
        """Whether what was heard last is not whole."""
        raise NotImplementedError

    def ended(self, returncode: int) -> Ended:
        """What its end is called. It says no more, but its pipes may still hold something."""
        return Ended(returncode, nonsense=self._nonsense)

    def not_started(self, reason: str) -> Ended:
        """What it is called that the process could not be started."""
        return Ended(None, start_error=reason)

    @property
    def place(self) -> str:
        return self._command[0]

    @property
    def log(self) -> Path:
        return self._log.path

    @property
    def signs(self) -> int:
        return self._signs

    @property
    def tail(self) -> bytes:
        return self._tail

    def send(self, message: Message) -> None:
        self._outbox.put(self.frames(message))

    def receive(self) -> Message | Ended | Arrived | None:
        try:
            return self._inbox.get_nowait()
        except queue.Empty:
            return None

    def kill(self) -> None:
        self._child.kill()

    def finish(self, grace: float = 0.5, limit: float = 1.0) -> bool:
        begin = time.monotonic()
        self.send(Quit())
        self._outbox.put(None)
        if not self._gone.wait(grace):
            self._child.kill()
        self._life.join(max(limit - (time.monotonic() - begin), 0.0))
        return not self._life.is_alive()

    # --- background threads --------------------------------------------------------------------------------------

    def _live(self) -> None:
        ended = Ended(None)
        try:
            ended = self._run()
        except (OSError, ValueError) as error:  # ValueError: a path that the system cannot take
            ended = self.not_started(getattr(error, "strerror", None) or str(error))
        finally:
            self._cleanup()
            self._log.close()
            self._inbox.put(ended)
            self._gone.set()

    def _run(self) -> Ended:
        process = self._child.start(self._command, folder=self._log.path.parent, low=self._low)
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        self._log.write(f"--- {stamp} worker {process.pid}: {self._command[0]}\n".encode(errors="replace"))
        jobs = ((self._read, process.stdout), (self._write, process.stdin), (self._drain, process.stderr))
        threads = [
            threading.Thread(target=target, args=(pipe,), name="tilewright-pipe", daemon=True) for target, pipe in jobs
        ]
        for thread in threads:
            thread.start()
        returncode = self._child.reap()
        self._outbox.put(None)
        for thread in threads:
            thread.join(1.0)
            if thread.is_alive():  # somebody who left the group holds the pipe; the thread ends when he does
                _logger.warning("A pipe of worker %d is still held by another process.", process.pid)
        _logger.info("Worker %d ended with %d.", process.pid, returncode)
        return self.ended(returncode)

    def _read(self, pipe: RawIOBase) -> None:
        with pipe:
            try:
                while data := pipe.read(CHUNK):
                    self.hear(data)
                    self._signs += 1
                if self.in_the_middle():
                    _logger.error("The worker stopped in the middle of a message.")
            except ProtocolError as error:
                _logger.error("The worker sent nonsense: %s", error)
                self._nonsense = True
                self._child.kill()

    def _write(self, pipe: RawIOBase) -> None:
        if sys.platform != "win32":
            # An embedded Python need not ignore SIGPIPE, which would end Blender with the worker. Only in this thread.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
        # The end of the pipe is the worker's end, of which `Ended` tells.
        with contextlib.suppress(BrokenPipeError, ConnectionError), pipe:
            while (frames := self._next_frames()) is not None:
                for frame in frames:
                    rest = memoryview(frame)
                    while rest:
                        rest = rest[pipe.write(rest) :]

    def _next_frames(self) -> Iterable[bytes] | None:
        try:
            return self._outbox.get(timeout=self.ping_seconds)
        except queue.Empty:
            return (self.ping(),)

    def _drain(self, pipe: RawIOBase) -> None:
        drain(pipe, self._note)

    def _note(self, data: bytes) -> None:
        self._tail = (self._tail + data)[-_TAIL:]
        self._log.write(data)


class WorkerProcess(ChildLink):
    """A worker on this machine, starting from the moment that this is made.

    idle_seconds: without a job, after which the worker lets go of its models. Otherwise see `ChildLink`.
    """

    def __init__(
        self,
        python: Path,
        log: CappedLog,
        cleanup: Callable[[], object] = lambda: None,
        idle_seconds: float = 600.0,
        *,
        low: bool = True,
    ) -> None:
        command = [str(python), "-I", "-X", "utf8", str(START), "worker", f"{idle_seconds:g}"]
        super().__init__(command + ([] if low else ["normal"]), log, cleanup, low=low)
        self._reader = FrameReader()
        self.begin()

    def frames(self, message: Message) -> Iterable[bytes]:
        return (encode(message),)

    def hear(self, data: bytes) -> None:
        for message in self._reader.feed(data):
            # Not kept: an idle worker that nobody pumps would pile them up.
            if not isinstance(message, Heartbeat):
                self._inbox.put(message)

    def in_the_middle(self) -> bool:
        return self._reader.pending > 0
