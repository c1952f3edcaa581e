# SPDX-License-Identifier: GPL-3.0-or-later
"""What `installer` starts with Blender's own Python: `[python, -I, -X, utf8, installer_start.py, TASK]`.

Imports the standard library, then its package, under a name of its own, since its folder may have any.
"""

import importlib
import importlib.util
import logging
import os
import signal
import sys
import threading
from pathlib import Path

PACKAGE = "tilewright"


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


def end_with_stdin() -> None:
    """End this process, and what it started, when stdin ends: so it does when Blender is gone."""
    while os.read(0, 1024):
        pass
    if sys.platform != "win32":
        os.killpg(os.getpgrp(), signal.SIGKILL)  # its own group: `installer` starts it in a new session
    os._exit(1)


def main() -> int:
    """Do the task; 0 if it went well."""
    sys.dont_write_bytecode = True
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints, prints into the log
    if sys.platform != "win32":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for Blender, whose end is ours
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    load_package(Path(__file__).resolve().parents[1])
    threading.Thread(target=end_with_stdin, daemon=True).start()
    maker = importlib.import_module(f"{PACKAGE}.host.maker")
    return int(maker.main(sys.argv[1], replies))


if __name__ == "__main__":
    sys.exit(main())
