# SPDX-License-Identifier: GPL-3.0-or-later
"""What processes that Blender starts have in common, seen from inside. Imports the standard library only."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, BinaryIO

_TELL_SECONDS = 0.2  # between two steps of the same kind


def begin() -> BinaryIO:
    """Take stdout for what is told; whatever prints, prints into the log, which is stderr."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if sys.platform != "win32":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for Blender, whose end is ours
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return replies


def end_with_stdin() -> None:
    """From now on, end this process, and what it started, when stdin ends: so it does when Blender is gone."""
    threading.Thread(target=_end_with_stdin, daemon=True).start()


def _end_with_stdin() -> None:
    while os.read(0, 1024):
        pass
    if sys.platform != "win32":
        os.killpg(os.getpgrp(), signal.SIGKILL)  # its own group: it was started in a new session
    os._exit(1)


class Teller:
    """Says what goes on, and not too often. Nobody left to hear it ends the process.

    encode: makes a line of a message. kind: what two steps have in common of which one may be left out; a step has
    `done` and `total`.
    """

    def __init__(self, replies: BinaryIO, encode: Callable[[Any], bytes], kind: Callable[[Any], object]) -> None:
        self._replies = replies
        self._encode = encode
        self._kind = kind
        self._last: object = None
        self._at = 0.0

    def progress(self, progress: Any) -> None:
        """Tell a step, unless one of its kind was told just now."""
        now, kind = time.monotonic(), self._kind(progress)
        if kind != self._last or now - self._at >= _TELL_SECONDS or progress.done == progress.total:
            self._last, self._at = kind, now
            self.tell(progress)

    def tell(self, message: Any) -> None:
        try:
            self._replies.write(self._encode(message))
            self._replies.flush()
        except OSError:
            os._exit(1)
