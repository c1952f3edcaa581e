# SPDX-License-Identifier: GPL-3.0-or-later
"""The start of the worker's process: `start.py worker [IDLE SECONDS [normal]]`.

Imports the standard library, then `worker`.

Takes the standard streams for the protocol before any library can write into them, and closes the way to the network's
model hubs.
"""

import contextlib
import faulthandler
import logging
import os
import signal
import sys
from pathlib import Path
from typing import BinaryIO, NoReturn

# Half of an ordinary process' share where both want a core. The threads of a layer wait for each other, so less costs
# far more: beside two busy programs on two cores, a picture of 512 that takes 0.4 s alone took 3 s at 0, 7 s at 3, 15 s
# at 5 and over 30 s at 7.
NICENESS = 3

ENVIRONMENT = {
    # nothing leaves the machine, nothing is looked up
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    # we find and report what is wrong with a model; their warnings only fill the log
    "DIFFUSERS_VERBOSITY": "error",
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def take_streams() -> tuple[BinaryIO, BinaryIO]:
    """The pipes from and to the host. From here on what libraries print goes to stderr, and stdin is empty."""
    commands, replies = os.dup(0), os.dup(1)
    if sys.platform == "win32":
        import msvcrt

        for handle in (commands, replies):
            msvcrt.setmode(handle, os.O_BINARY)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(commands, "rb", buffering=0), os.fdopen(replies, "wb")


def step_back() -> None:
    """Leave the processor to Blender where both want it, so that its window stays smooth.

    On Windows `host.child` has done so. A Linux that shares cores by session, of which the host gives the worker one
    of its own, takes the wish for that too.
    """
    if sys.platform != "win32":
        os.nice(NICENESS)
        if os.getsid(0) == os.getpid():  # otherwise the wish would be made for others
            with contextlib.suppress(OSError):  # a kernel that was built without it
                Path("/proc/self/autogroup").write_text(str(NICENESS), encoding="ascii")


def main(arguments: list[str]) -> NoReturn:
    """Run the worker, and end the process with its exit code."""
    commands, replies = take_streams()
    if arguments[1:] != ["normal"]:  # the user's word: it is not to step back
        step_back()
    faulthandler.enable()
    # Ctrl-C in the terminal that started Blender is meant for Blender; its end reaches us through stdin
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(ENVIRONMENT)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    from . import worker

    idle = {"idle_seconds": float(arguments[0])} if arguments else {}
    worker.leave(worker.Worker(commands, replies, **idle).run())
