# SPDX-License-Identifier: GPL-3.0-or-later
"""What is started as a process: `[python, -I, -X, utf8, start.py, WHAT]`, with one of `MODULES`.

A user starts by hand `start.py batch TABLE --output FOLDER`, with the worker's Python, and `start.py send HOST`.

Imports the standard library, then the package that this file lies in, under a name of its own, since its folder may
have any; and nothing that lies beside it.
"""

import importlib
import importlib.util
import sys
from pathlib import Path

PACKAGE = "tilewright"
MODULES = {
    "worker": "engine.bootstrap",
    "prepare": "engine.prepare",
    "batch": "engine.batch.command",
    "installer": "host.installer_start",
    "hub": "engine.hub_start",
    "elsewhere": "host.settling",  # on another machine
    "send": "host.elsewhere",
    "exporter": "blender.material.export_job",  # in a Blender
    "baker": "blender.material.bake",  # in a Blender
    "control_baker": "blender.jobs.bake_job",  # in a Blender
}


def load_package(folder: Path) -> None:
    """Make the package in `folder` importable as `PACKAGE`."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} is no package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


def main() -> int:
    """Run what the first argument names, with the others; returns its exit code."""
    own = sys.argv.index("--") if "--" in sys.argv else 0  # before that stands what is Blender's
    what, *arguments = sys.argv[own + 1 :]
    load_package(Path(__file__).resolve().parent)
    return int(importlib.import_module(f"{PACKAGE}.{MODULES[what]}").main(arguments))


if __name__ == "__main__":
    sys.exit(main())
