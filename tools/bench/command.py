# SPDX-License-Identifier: GPL-3.0-or-later
"""The command behind `tools/dev.py bench`. Imports the standard library; what measures is imported when needed.

$BLENDER names a Blender with a window, for what only shows there. On a machine without a screen let it name a script
that starts one on a virtual screen.
"""

import argparse
import contextlib
import importlib
import math
import os
import platform
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import environments, package
from tools.bench import child
from tools.bench.figures import Figure, show, to_json, to_table
from tools.bench.setup import Setup
from tools.environments import ENGINE, say
from tools.machine import MachineError


@dataclass(frozen=True)
class Measure:
    """How a figure is measured: the module and function, its unit and goal for when that fails.

    alone: only measured where it is named: it takes long, or much of the disk.
    """

    function: str
    unit: str
    goal: float | None
    in_blender: bool = False
    alone: bool = False


# The order is that of the table.
MEASURES = {
    "worker_over_bare": Measure("against_bare:worker_over_bare", "ratio", 1.03),
    "cold_over_bare": Measure("against_bare:cold_over_bare", "ratio", 1.05),
    "seamless_over_plain": Measure("chain_figures:seamless_over_plain", "ratio", 1.05),
    "lora_over_bare": Measure("chain_figures:lora_over_bare", "ratio", 1.03),
    "transformer_seamless_over_plain": Measure("chain_figures:transformer_seamless_over_plain", "ratio", 1.02),
    "heartbeat_gap_ms": Measure("blender:heartbeat_gap_ms", "ms", 16, in_blender=True),
    "heartbeat_gap_4096_ms": Measure("blender:heartbeat_gap_4096_ms", "ms", 16, in_blender=True),
    "starter_512_s": Measure("blender:starter_512_s", "s", 1.0, in_blender=True),
    "starter_over_fourth": Measure("earlier_figures:starter_over_fourth", "ratio", 0.45, alone=True),
    "cancel_s": Measure("cancelling:cancel_s", "s", 0.2),
    "preview_over_none": Measure("previews:preview_over_none", "ratio", 1.02),
    "ssh_over_local": Measure("elsewhere_figures:ssh_over_local", "ratio", 1.05),
    "idle_cpu_percent": Measure("blender:idle_cpu_percent", "%", 0.1, in_blender=True),
    "fresh_start_s": Measure("fresh:fresh_start_s", "s", 60.0, in_blender=True, alone=True),
    "seam_metric_ms": Measure("chain_figures:seam_metric_ms", "ms", 50),
    "periodicity_starter": Measure("chain_figures:periodicity_starter", "levels", 1),
    "upscale_memory_ratio": Measure("picture_figures:upscale_memory_ratio", "ratio", 1.1),
    "set_memory_ratio": Measure("picture_figures:set_memory_ratio", "ratio", 1.5, alone=True),
    "decode_peak_over_plan": Measure("picture_figures:decode_peak_over_plan", "ratio", 1),
    "tiled_over_untiled": Measure("picture_figures:tiled_over_untiled", "ratio", 1.15),
    "upscale_color_drift": Measure("picture_figures:upscale_color_drift", "dE00", 1),
    "periodicity_worst": Measure("picture_figures:periodicity_worst", "ratio", 1e-5),
    "template_encode_over_bare": Measure("template_figures:template_encode_over_bare", "ratio", 1.05),
    "template_memory_ratio": Measure("template_figures:template_memory_ratio", "ratio", 1.1),
    "import_over_read": Measure("loading_figures:import_over_read", "ratio", 1.1),
    "import_peak_over_weights": Measure("loading_figures:import_peak_over_weights", "ratio", 1.05),
    "turns_peak_over_weights": Measure("loading_figures:turns_peak_over_weights", "ratio", 1.1),
    "control_over_bare": Measure("guide_figures:control_over_bare", "ratio", 1.03),
    "batch_skip_s": Measure("batch_figures:batch_skip_s", "s", 2.0),
    "batch_ray_over_loop": Measure("batch_figures:batch_ray_over_loop", "ratio", 1.03, alone=True),
    "batch_clusters": Measure("batch_figures:batch_clusters", "ratio", 1 / 0.95, alone=True),
    "batch_kills": Measure("batch_figures:batch_kills", "wrong", 0, alone=True),
    "batch_two_actors": Measure("batch_figures:batch_two_actors", "ratio", 2 / 1.9, alone=True),
    "material_2048_s": Measure("picture_figures:material_2048_s", "s", None),
    "upscale_4096_s": Measure("card_figures:upscale_4096_s", "s", None),
    "card_over_bare": Measure("card_figures:card_over_bare", "ratio", 1.03, alone=True),
    "card_seamless_over_plain": Measure("card_figures:card_seamless_over_plain", "ratio", 1.02, alone=True),
    "card_wrap": Measure("card_figures:card_wrap", "ratio", 1.1, alone=True),
    "card_levels": Measure("card_figures:card_levels", "levels", 1, alone=True),
    "card_decode": Measure("card_figures:card_decode", "ratio", 3, alone=True),
    "card_modes": Measure("card_figures:card_modes", "ratio", 1, alone=True),
}
# What `--card` measures; some three minutes on an H100's machine, of which most is importing torch.
CARD = (
    "card_levels",
    "card_seamless_over_plain",
    "card_wrap",
    "card_over_bare",
    "card_decode",
    "card_modes",
    "upscale_4096_s",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `tools/dev.py bench`."""
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"figures to measure: {', '.join(MEASURES)}")
    parser.add_argument("--json", action="store_true", help="only an array of name, value, unit, goal")
    parser.add_argument("--card", action="store_true", help=f"measure on the graphics card: {', '.join(CARD)}")
    parser.add_argument("--device", help="the worker's for those figures: auto, cuda:1, cpu ...")
    parser.add_argument("--seconds", type=float, help="begin no figure after so many, as where a card is lent")
    parser.add_argument("--quick", action="store_true", help="small and few: the values mean nothing")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print. 0 if all could be measured, whether good enough or not."""
    usual = CARD if arguments.card else [name for name, how in MEASURES.items() if not how.alone]
    names = arguments.names or list(usual)
    if unknown := [name for name in names if name not in MEASURES]:
        raise MachineError(f"There is no figure {unknown[0]}: choose from {', '.join(MEASURES)}.")
    # What making the environments says, and what goes on, is not part of the result.
    with contextlib.redirect_stdout(sys.stderr):
        device = arguments.device or ("auto" if arguments.card else "cpu")
        setup = make_setup(names, quick=arguments.quick, device=device)
        before = machine(setup)
        deadline = time.monotonic() + (math.inf if arguments.seconds is None else arguments.seconds)
        figures = [figure for name in names for figure in measure(name, setup, deadline)]
        after = machine(setup)
    product = f"{show(1000 * before['matrix_product'])} ms before, {show(1000 * after['matrix_product'])} ms after"
    note = f"{product}: two float32 matrices of 2048 x 2048 on {before['threads']} threads"
    figures.append(Figure("matrix_product_ms", 1000 * before["matrix_product"], "ms", None, note))
    if arguments.json:
        print(to_json(figures))
    else:
        print(to_table(figures))
        print(about(before, quick=arguments.quick))
    return 0 if all(figure.value is not None for figure in figures) else 1


def make_setup(names: Sequence[str], *, quick: bool, device: str = "cpu") -> Setup:
    """What the figures of these names need, made first."""
    python = os.environ.get("TILEWRIGHT_PYTHON") or environments.ensure(ENGINE)
    zip_file = None
    if any(MEASURES[name].in_blender for name in names):
        zip_file = Path(os.environ.get("TILEWRIGHT_ZIP") or package.build())
    blender = None
    if named := os.environ.get("BLENDER"):
        blender = shutil.which(named)
        if blender is None:
            raise MachineError(f"BLENDER names {named}, which is no program.")
    return Setup(python=Path(python), quick=quick, blender=blender, zip_file=zip_file, device=device)


def measure(name: str, setup: Setup, deadline: float = math.inf) -> list[Figure]:
    """A figure and its parts; without a value where that fails, with the reason.

    deadline: by `time.monotonic`; after it nothing is begun.
    """
    how = MEASURES[name]
    if time.monotonic() > deadline:
        return [Figure(name, None, how.unit, how.goal, "The time is over.")]
    module, _, function = how.function.partition(":")
    begun = time.monotonic()
    say(f"measuring {name} ...")
    try:
        figures: list[Figure] = getattr(importlib.import_module(f"tools.bench.{module}"), function)(setup)
    except MachineError as error:
        figures = [Figure(name, None, how.unit, how.goal, str(error))]
    say(f"{to_table(figures)}\n... after {time.monotonic() - begun:.0f} s")
    return figures


def machine(setup: Setup) -> dict[str, Any]:
    """See `chain.machine`."""
    return dict(child.call(setup.python, "chain:machine"))


def about(machine: dict[str, Any], *, quick: bool) -> str:
    """What the figures were measured with, for below the table."""
    names = ("python", "torch", "diffusers", "transformers", "numpy")
    packages = ", ".join(f"{name} {machine[name]}" for name in names)
    lines = [f"{platform.system()} {platform.machine()}, {machine['threads']} threads of torch, {packages}"]
    if quick:
        lines.append("QUICK: small models and single runs; these values mean nothing.")
    return "\n".join(lines)
