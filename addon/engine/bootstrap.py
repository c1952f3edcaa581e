# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host starts, as `[python, -I, -X, utf8, bootstrap.py]`. Imports the standard library, then its package.

Takes the standard streams for the protocol before any library can write into them, closes the way to the network's
model hubs, and loads the package under a name of its own, since its folder may have any.
"""

import contextlib
import faulthandler
import importlib.util
import logging
import os
import signal
import sys
from pathlib import Path
from typing import BinaryIO

PACKAGE = "tilewright"
NICENESS = 10  # a tenth of an ordinary process' share where both want a core

_ENVIRONMENT = {
    # nothing leaves the machine, nothing is looked up
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    # what goes wrong with a model is found out and told by us; their warnings only fill the log
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


def load_package(folder: Path) -> None:
    """Make the package in `folder` importable as `PACKAGE`, and nothing that lies beside it."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} is no package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


def step_back() -> None:
    """Leave the processor to Blender where both want it, so that its window stays smooth.

    On Windows `host.process` has done so. A Linux that shares cores by session, of which the host gives the worker one
    of its own, takes the wish for that too.
    """
    if sys.platform != "win32":
        os.nice(NICENESS)
        if os.getsid(0) == os.getpid():  # otherwise the wish would be made for others
            with contextlib.suppress(OSError):  # a kernel that was built without it
                Path("/proc/self/autogroup").write_text(str(NICENESS), encoding="ascii")


def main() -> None:
    """Run the worker, and end the process with its exit code."""
    commands, replies = take_streams()
    step_back()
    faulthandler.enable()
    # Ctrl-C in the terminal that started Blender is meant for Blender; its end reaches us through stdin
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(_ENVIRONMENT)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    load_package(Path(__file__).resolve().parents[1])
    worker = importlib.import_module(f"{PACKAGE}.engine.worker")
    idle = {"idle_seconds": float(sys.argv[1])} if len(sys.argv) > 1 else {}
    worker.leave(worker.Worker(commands, replies, **idle).run())


if __name__ == "__main__":
    main()
