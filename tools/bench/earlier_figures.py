# SPDX-License-Identifier: GPL-3.0-or-later
"""This build beside one from the repository's history. Imports the standard library and core."""

import functools
import io
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from addon.core.families.catalogue import resolve
from addon.core.requests.texture import STARTER
from tools.bench import child
from tools.bench.against_bare import PREFIX
from tools.bench.figures import Figure, in_turn, median_ratio, spread
from tools.bench.setup import Setup
from tools.machine import ROOT, MachineError

FOURTH = "688cbe5f690f03e7e69ef2b39cc956d24ea80158"  # the last commit with the starter's fourth version
FOURTH_STEPS = 8


def starter_over_fourth(setup: Setup) -> list[Figure]:
    """From the prompt to the files, warm: each build with its own weights, its own steps and its own environment."""
    defaults = resolve(STARTER).defaults
    side, steps, before = (256, 1, 1) if setup.quick else (defaults.size, defaults.steps, FOURTH_STEPS)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        root = Path(name)
        _take_out(FOURTH, root)
        builds = (setup.python, ROOT, steps), (_engine(root), root, before)

        def seconds(python: Path, root: Path, steps: int) -> float:
            parts = child.call(python, "chain:breakdown", side, steps, setup.runs(7), root=root)
            return statistics.median(parts["all"])

        mine, others = in_turn([functools.partial(seconds, *build) for build in builds], setup.runs(4))
    note = f"now {spread(mine)} s in {steps} steps, the fourth {spread(others)} s in {before}; {side}x{side}"
    return [Figure("starter_over_fourth", median_ratio(mine, others), "ratio", 0.45, note)]


def _take_out(commit: str, folder: Path) -> None:
    """The files of a commit. Raises `MachineError`."""
    try:
        archive = subprocess.run(
            ["git", "archive", "--format=zip", commit], cwd=ROOT, capture_output=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        short = commit[:7]
        raise MachineError(f"The figure needs git and this repository with its history, down to {short}.") from error
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        files.extractall(folder)


def _engine(root: Path) -> Path:
    """The Python of the worker's environment as that build wants it, which is made first if there is none."""
    made = subprocess.run(
        [sys.executable, "tools/dev.py", "engine"], cwd=root, stdout=subprocess.PIPE, text=True, check=False
    )
    if made.returncode != 0 or not made.stdout.strip():
        raise MachineError("The earlier build's environment could not be made; what is wrong stands above.")
    return Path(made.stdout.strip().splitlines()[-1])
