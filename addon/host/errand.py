# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that does one piece of work and tells about it, seen from Blender; nothing here blocks.

Imports the standard library only.
"""

import contextlib
import logging
import queue
import threading
from pathlib import Path
from typing import Generic, TypeVar, cast

from .child import Child, drain
from .log import CappedLog

_logger = logging.getLogger(__name__)
Progress = TypeVar("Progress")
Outcome = TypeVar("Outcome")


class Errand(Generic[Progress, Outcome]):
    """One run of such a process, from the moment that this is made.

    progress: how far it is. outcome: how it ended, None while it runs. `pump` brings both up to date.
    """

    name = ""  # in the log
    max_line = 1 << 16  # bytes
    ends: type[Outcome]  # the class of the one message that is the last

    def __init__(self, command: list[str], log: Path, start: Progress, about: str, feed: bytes = b"") -> None:
        """start: the progress before it has told any. about: what the log says of it. feed: what it finds on stdin,
        which then stays open for as long as Blender lives.
        """
        self.progress = start
        self.outcome: Outcome | None = None
        self._command = command
        self._about = about
        self._feed = feed
        self._log = CappedLog(log)
        self._inbox: queue.SimpleQueue[Progress | Outcome] = queue.SimpleQueue()
        self._child = Child()
        self._cancelled = False
        self._rest = b""  # of a line that is not whole
        self._last: Outcome | None = None
        self._thread = threading.Thread(target=self._live, name=f"tilewright-{self.name}", daemon=True)
        self._thread.start()

    def decode(self, line: bytes) -> Progress | Outcome:
        """What a line says. Raises KeyError, TypeError or ValueError where it says nothing."""
        raise NotImplementedError

    def without_start(self, reason: str) -> Outcome:
        """How it ended where it could not be started."""
        raise NotImplementedError

    def without_word(self, ended: str) -> Outcome:
        """How it ended where it did not say so itself; ended: "signal 9", "exit code 1"."""
        raise NotImplementedError

    def when_cancelled(self) -> Outcome:
        """How it ended where that was asked for."""
        raise NotImplementedError

    def pump(self) -> bool:
        """Read its new messages. True if there were any."""
        changed = False
        with contextlib.suppress(queue.Empty):
            while self.outcome is None:
                message = self._inbox.get_nowait()
                changed = True
                if isinstance(message, self.ends):
                    self.outcome = message
                else:
                    self.progress = cast(Progress, message)
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
        outcome = None
        try:
            outcome = self._run()
        except (OSError, ValueError) as error:
            outcome = self.without_start(getattr(error, "strerror", None) or str(error))
        finally:
            self._log.close()
            self._inbox.put(outcome or self.without_word("no reason"))

    def _run(self) -> Outcome:
        process = self._child.start(self._command)
        self._log.write(f"--- {self.name} {process.pid}: {self._about}\n".encode(errors="replace"))
        assert process.stdout
        log = threading.Thread(
            target=drain, args=(process.stderr, self._log.write), name="tilewright-pipe", daemon=True
        )
        log.start()
        if self._feed and process.stdin:
            with contextlib.suppress(OSError):  # it has ended already
                process.stdin.write(self._feed)
        drain(process.stdout, self._hear)
        outcome = self._last
        returncode = self._child.reap()
        if process.stdin:
            process.stdin.close()
        log.join(1.0)
        if outcome is not None:
            return outcome
        if self._cancelled:
            return self.when_cancelled()
        return self.without_word(f"signal {-returncode}" if returncode < 0 else f"exit code {returncode}")

    def _hear(self, data: bytes) -> None:
        """Take the next bytes that it said."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                said = self.decode(line)
            except (KeyError, TypeError, ValueError):
                _logger.error("The %s said what is no message: %.200r", self.name, line)
                continue
            if isinstance(said, self.ends):
                self._last = said
            else:
                self._inbox.put(said)
        if len(self._rest) > self.max_line:
            self._rest = b""
