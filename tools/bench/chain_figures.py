# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the worker's chain alone, which `chain` and `networks` measure. Standard library and core."""

import statistics

from addon.core.families.catalogue import resolve
from addon.core.requests.texture import STARTER
from tools.bench import child
from tools.bench.figures import Figure, median_ratio, spread
from tools.bench.setup import Setup


def seamless_over_plain(setup: Setup) -> list[Figure]:
    """A step of a U-Net of Stable Diffusion 1.5's size, wrapped over plain."""
    width, side = (32, 16) if setup.quick else (320, 32)
    told = child.call(setup.python, "networks:step_seconds", width, side, setup.runs(7))
    wrapped, plain = told["seamless"], told["plain"]
    note = (
        f"seamless {spread(wrapped)} s, plain {spread(plain)} s; {told['weights'] / 1e6:.0f} M weights, float32, "
        f"channels_last, latents 2x4x{side}x{side}"
    )
    return [Figure("seamless_over_plain", median_ratio(wrapped, plain), "ratio", 1.05, note)]


def lora_over_bare(setup: Setup) -> list[Figure]:
    """A step of such a U-Net with a LoRA, by our hooks over diffusers with peft; neither is wrapped."""
    width, side = (32, 16) if setup.quick else (320, 32)
    told = child.call(setup.python, "networks:lora_step_seconds", width, side, setup.runs(7))
    mine, others = told["ours"], told["bare"]
    note = f"ours {spread(mine)} s, diffusers {spread(others)} s; rank 16 on {told['layers']} layers"
    return [Figure("lora_over_bare", median_ratio(mine, others), "ratio", 1.03, note)]


def transformer_seamless_over_plain(setup: Setup) -> list[Figure]:
    """Four steps of two blocks of a sixth of FLUX.2 klein's width, with positions on a torus over plain."""
    heads, side = (2, 8) if setup.quick else (4, 32)
    told = child.call(setup.python, "networks:transformer_seconds", heads, side, setup.runs(5))
    torus, plain = told["seamless"], told["plain"]
    note = (
        f"seamless {spread(torus)} s, plain {spread(plain)} s; {told['weights'] / 1e6:.0f} M weights, float32, "
        f"{side}x{side} tokens, four steps, of which the first makes the table; real models have ten times the blocks"
    )
    return [Figure("transformer_seamless_over_plain", median_ratio(torus, plain), "ratio", 1.02, note)]


def seam_metric_ms(setup: Setup) -> list[Figure]:
    """The seam metric on small and large pictures; the slower one counts."""
    told = child.call(setup.python, "chain:seam_metric", [512, 4096], setup.runs(15))
    milliseconds = {side: 1000 * statistics.median(seconds) for side, seconds in told.items()}
    parts = [
        Figure(f"seam_metric_ms.{side}", milliseconds[side], "ms", None, f"{spread([1000 * s for s in told[side]])} ms")
        for side in told
    ]
    return [Figure("seam_metric_ms", max(milliseconds.values()), "ms", 50, "the slower of both sizes"), *parts]


def periodicity_starter(setup: Setup) -> list[Figure]:
    """The starter from its latents to 8-bit pixels, rolled and not."""
    defaults = resolve(STARTER).defaults
    side, steps, seeds = (256, 2, 1) if setup.quick else (defaults.size, defaults.steps, 6)
    found = child.call(setup.python, "chain:periodicity", side, steps, seeds)
    share = max(picture["share"] for picture in found)
    note = (
        f"{len(found)} pictures of {side}x{side}, {steps} steps, each rolled both ways; "
        f"at most {100 * share:.2g} % of the values differ at all"
    )
    return [Figure("periodicity_starter", max(picture["levels"] for picture in found), "levels", 1, note)]
