# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a batch is, on standard error. Imports the standard library only."""

import time
from collections.abc import Callable
from typing import TextIO

_EVERY = 10.0  # seconds between lines where there is no terminal, which one line is enough for


class Progress:
    """Counts textures, with their rate and the time that is left. clock: seconds."""

    def __init__(self, total: int, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._stream, self._clock = total, stream, clock
        self._first: float | None = None  # when the first one was over: what comes before is mostly loading
        self._told = clock()
        self._done = self._failed = 0
        self._is_open = False  # a line that has no end yet

    def count(self, failed: bool = False) -> None:
        """One more is over."""
        self._done += 1
        self._failed += failed
        now = self._clock()
        self._first = now if self._first is None else self._first
        if self._stream.isatty():
            self._stream.write(f"\r{self.line()}\x1b[K")
            self._stream.flush()
            self._is_open = True
        elif now - self._told >= _EVERY or self._done == self._total:
            self._told = now
            self.say(self.line())

    def say(self, text: str) -> None:
        """A line of its own."""
        self.close()
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def close(self) -> None:
        """End a line that was being written over."""
        if self._is_open:
            self._stream.write("\n")
            self._is_open = False

    def line(self) -> str:
        """Such as "12 of 100, 1 failed, 18 a minute, 5 min left"."""
        parts = [f"{self._done} of {self._total}"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        seconds = self._clock() - (self._first or 0.0)
        if self._done > 1 and seconds > 0:
            rate = (self._done - 1) / seconds
            parts.append(f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute")
            if self._done < self._total:
                parts.append(f"{_in_words((self._total - self._done) / rate)} left")
        return ", ".join(parts)


def _in_words(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
