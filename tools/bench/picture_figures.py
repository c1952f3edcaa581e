# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of upscaling and maps, which `picture_chain` measures. Standard library only."""

import statistics

from tools.bench import child
from tools.bench.figures import Figure, median_ratio, show, spread
from tools.bench.setup import Setup

PATIENCE = 3600.0  # seconds


def upscale_memory_ratio(setup: Setup) -> list[Figure]:
    """How much more memory eight times takes than two times, each in a process of its own."""
    side = 64 if setup.quick else 512
    told = {
        factor: child.call(setup.python, "picture_chain:upscale_peak", side, factor, seconds=PATIENCE)
        for factor in (2, 8)
    }
    more = {factor: values["peak"] - values["before"] for factor, values in told.items()}
    note = ", ".join(
        f"{side} -> {side * factor}: {more[factor] / 1e6:.0f} MB over {told[factor]['before'] / 1e6:.0f} MB, "
        f"{show(told[factor]['seconds'])} s"
        for factor in more
    )
    return [Figure("upscale_memory_ratio", more[8] / more[2], "ratio", 1.1, note)]


def set_memory_ratio(setup: Setup) -> list[Figure]:
    """The most memory that a process takes for a set of 16 tiles, over one tile; each in a process of its own."""
    side = 64 if setup.quick else 512
    told = {
        count: child.call(setup.python, "picture_chain:set_peak", side, count, False, seconds=PATIENCE)
        for count in (1, 16)
    }
    note = ", ".join(
        f"{count} of {side}x{side}: {(values['peak'] - values['before']) / 1e6:.0f} MB over "
        f"{values['before'] / 1e6:.0f} MB, {show(values['seconds'])} s"
        for count, values in told.items()
    )
    return [Figure("set_memory_ratio", told[16]["peak"] / told[1]["peak"], "ratio", 1.5, note)]


def decode_peak_over_plan(setup: Setup) -> list[Figure]:
    """What SDXL's decoder takes for a large picture, over what is planned for it."""
    side, width = (128, 32) if setup.quick else (1024, 128)
    told = child.call(setup.python, "picture_chain:decode_peak", side, width, seconds=PATIENCE)
    peak, planned = told["peak"] - told["before"], told["planned"]
    note = (
        f"{side}x{side} layer by layer, float32: {peak / 1e6:.0f} MB over {told['before'] / 1e6:.0f} MB, "
        f"{planned / 1e6:.0f} MB planned, {show(told['seconds'])} s"
    )
    return [Figure("decode_peak_over_plan", peak / planned, "ratio", 1, note)]


def tiled_over_untiled(setup: Setup) -> list[Figure]:
    """One pass of the starter upscaler, in tiles over in one piece."""
    side = 64 if setup.quick else 1024
    told = child.call(setup.python, "picture_chain:tiled_and_whole", side, setup.runs(5), seconds=PATIENCE)
    note = (
        f"{side}x{side} in tiles of {told['tile'][0]} with a halo of {told['halo'][0]}: {spread(told['tiled'])} s, "
        f"in one piece {spread(told['whole'])} s"
    )
    return [Figure("tiled_over_untiled", median_ratio(told["tiled"], told["whole"]), "ratio", 1.15, note)]


def upscale_color_drift(setup: Setup) -> list[Figure]:
    """The mean color difference of textures enlarged eight times and shrunk back."""
    count, side = (2, 64) if setup.quick else (20, 128)
    drifts = child.call(setup.python, "picture_chain:color_drift", count, side, 8, seconds=PATIENCE)
    note = f"CIEDE2000 over {count} textures of {side}x{side}; single ones {spread(drifts)}"
    return [Figure("upscale_color_drift", statistics.mean(drifts), "dE00", 1, note)]


def periodicity_worst(setup: Setup) -> list[Figure]:
    """The worst of the networks in the package for pictures."""
    told = child.call(setup.python, "picture_chain:periodicity", 64 if setup.quick else 192, seconds=PATIENCE)
    worst = max(told, key=lambda name: told[name])
    note = "greatest error over greatest value: " + ", ".join(f"{name} {show(value)}" for name, value in told.items())
    return [Figure("periodicity_worst", told[worst], "ratio", 1e-5, note)]


def material_2048_s(setup: Setup) -> list[Figure]:
    """From a color of 512 to a whole material of 2048."""
    side, factor = (64, 2) if setup.quick else (512, 4)
    told = child.call(setup.python, "picture_chain:material", side, factor, seconds=PATIENCE)
    parts = [Figure(f"material_2048_s.{name.lower()}", seconds, "s") for name, seconds in told.items()]
    note = f"{side} -> {side * factor} with height, normal, roughness, metallic and occlusion; networks warm"
    return [Figure("material_2048_s", sum(told.values()), "s", None, note), *parts]
