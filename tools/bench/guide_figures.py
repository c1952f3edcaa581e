# SPDX-License-Identifier: GPL-3.0-or-later
"""What a picture that guides costs. Imports the standard library."""

from tools.bench import child
from tools.bench.figures import Figure, median_ratio, spread
from tools.bench.setup import Setup

PATIENCE = 1200.0  # seconds


def control_over_bare(setup: Setup) -> list[Figure]:
    """Sampling with a ControlNet, over diffusers' own pipeline for it."""
    width, side, steps = (32, 128, 2) if setup.quick else (96, 256, 2)
    told = child.call(setup.python, "guide_chain:sampling_seconds", width, side, steps, setup.runs(9), seconds=PATIENCE)
    note = (
        f"{side}x{side}, {steps} steps: worker {spread(told['worker'])} s, bare {spread(told['bare'])} s; "
        f"{told['weights'] / 1e6:.0f} M weights"
    )
    return [Figure("control_over_bare", median_ratio(told["worker"], told["bare"]), "ratio", 1.03, note)]
