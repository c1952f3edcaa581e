# SPDX-License-Identifier: GPL-3.0-or-later
"""What laying and blending cost in renders, against one image a map. No engine, no pictures of its own; no bpy here.

Processor seconds of one thread, so that other work on the machine counts little. In $BLENDER if that is set, with EEVEE
then, where it finds a graphics library; else in the module, which has no EEVEE without a screen.
"""

import argparse
import json
import tempfile
from pathlib import Path

from tools import environments, package
from tools.demo import run_in_blender
from tools.environments import BLENDER, say
from tools.machine import ROOT, MachineError

SCENE = ROOT / "tools" / "shader_cost_scene.py"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `tools/dev.py shader-cost`."""
    parser.add_argument("--size", type=int, default=256, help="pixels of the render, default: %(default)s")
    parser.add_argument("--samples", type=int, default=16, help="that are timed, default: %(default)s")
    parser.add_argument("--runs", type=int, default=3, help="in turn; the median counts, default: %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Print the costs. Raises `MachineError`."""
    module = environments.ensure(BLENDER)
    with tempfile.TemporaryDirectory(prefix="tilewright-cost-") as name:
        folder = Path(name)
        wanted = {"size": arguments.size, "samples": arguments.samples, "runs": arguments.runs}
        settings = folder / "settings.json"
        settings.write_text(json.dumps({**wanted, "zip": str(package.build()), "folder": name}), encoding="utf-8")
        (folder / "profile").mkdir()
        variables = environments.clean_environment() | {"BLENDER_USER_RESOURCES": str(folder / "profile")}
        log, report = folder / "blender.log", folder / "report.json"
        run_in_blender(module, settings, variables, log, SCENE)
        if not report.is_file():
            raise MachineError(f"Blender measured nothing:\n{log.read_text(encoding='utf-8')[-2000:]}")
        columns: dict[str, dict[str, float]] = json.loads(report.read_text(encoding="utf-8"))
    rows = list(next(iter(columns.values())))
    say("| Material | " + " | ".join(columns) + " |")
    say("|---" * (len(columns) + 1) + "|")
    for row in rows:
        plain = {column: values[rows[0]] for column, values in columns.items()}
        say(f"| {row} | " + " | ".join(f"{values[row] / plain[name]:.2f}" for name, values in columns.items()) + " |")
    return 0
