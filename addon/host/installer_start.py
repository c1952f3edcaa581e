# SPDX-License-Identifier: GPL-3.0-or-later
"""The start of the installer's process, in which Blender's own Python runs: `start.py installer TASK`."""

import logging
import os
import signal
import sys
import threading

from . import maker


def end_with_stdin() -> None:
    """End this process, and what it started, when stdin ends: so it does when Blender is gone."""
    while os.read(0, 1024):
        pass
    if sys.platform != "win32":
        os.killpg(os.getpgrp(), signal.SIGKILL)  # its own group: `installer` starts it in a new session
    os._exit(1)


def main(arguments: list[str]) -> int:
    """Do the task; 0 if it went well."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints, prints into the log
    if sys.platform != "win32":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for Blender, whose end is ours
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    threading.Thread(target=end_with_stdin, daemon=True).start()
    return maker.main(arguments[0], replies)
