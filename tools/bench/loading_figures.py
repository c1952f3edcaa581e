# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of reading a checkpoint in one file, which `loading` measures. Standard library only."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.bench import child
from tools.bench.figures import Figure, median_ratio, spread
from tools.bench.setup import Setup

PATIENCE = 1800.0  # seconds


@contextmanager
def _checkpoint(setup: Setup) -> Iterator[tuple[str, int]]:
    """A made-up checkpoint and its bytes: 2.1 GB."""
    with tempfile.TemporaryDirectory(prefix="tilewright-bench-") as folder:
        path = str(Path(folder) / "made up.safetensors")
        yield path, child.call(setup.python, "loading:write", path, 32 if setup.quick else 320, seconds=PATIENCE)


def import_over_read(setup: Setup) -> list[Figure]:
    """Loading the networks of a checkpoint over reading the file into memory, from the system's cache."""
    with _checkpoint(setup) as (path, size):
        told = child.call(setup.python, "loading:times", path, setup.runs(5), seconds=PATIENCE)
    note = (
        f"{size / 1e9:.2f} GB at 16 bits: {spread(told['load'])} s of the processor, read {spread(told['read'])} s; "
        f"widened to float32 {spread(told['widen'])} s"
    )
    return [Figure("import_over_read", median_ratio(told["load"], told["read"]), "ratio", 1.1, note)]


def import_peak_over_weights(setup: Setup) -> list[Figure]:
    """The most memory that loading a checkpoint takes, over what its weights take; the worse of two modes."""
    with _checkpoint(setup) as (path, _size):
        told = {
            mode: child.call(setup.python, "loading:peak", path, mode, seconds=PATIENCE) for mode in ("full", "lean")
        }
    ratios = {mode: (values["peak"] - values["before"]) / values["weights"] for mode, values in told.items()}
    note = ", ".join(
        f"{mode} {ratio:.3f} of {told[mode]['weights'] / 1e9:.2f} GB in {told[mode]['seconds']:.1f} s"
        for mode, ratio in ratios.items()
    )
    return [Figure("import_peak_over_weights", max(ratios.values()), "ratio", 1.05, note)]


def turns_peak_over_weights(setup: Setup) -> list[Figure]:
    """The most memory that reading a prompt and then the denoiser takes, over the weights of the larger of the two.

    The work of reading a prompt is in it, and what the libraries hold.
    """
    with _checkpoint(setup) as (path, _size):
        told = child.call(setup.python, "loading:turns_peak", path, seconds=PATIENCE)
    ratio = (told["peak"] - told["before"]) / told["weights"]
    note = f"of {told['weights'] / 1e9:.2f} GB, all together {told['all'] / 1e9:.2f} GB, in {told['seconds']:.1f} s"
    return [Figure("turns_peak_over_weights", ratio, "ratio", 1.1, note)]
