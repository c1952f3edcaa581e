# SPDX-License-Identifier: GPL-3.0-or-later
"""What processes that Blender starts have in common, seen from inside. Imports the standard library only."""

import logging
import os
import signal
import sys
import threading
from typing import BinaryIO


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
