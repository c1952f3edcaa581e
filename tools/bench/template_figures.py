# SPDX-License-Identifier: GPL-3.0-or-later
"""What a picture as template costs. Imports the standard library."""

from tools.bench import child
from tools.bench.figures import Figure, median_ratio, show, spread
from tools.bench.setup import Setup

PATIENCE = 1200.0  # seconds


def template_encode_over_bare(setup: Setup) -> list[Figure]:
    """From a picture's file to latents, the starter's, over a bare script."""
    side = 64 if setup.quick else 512
    told = child.call(setup.python, "template_chain:encode", side, setup.runs(15), seconds=PATIENCE)
    note = f"{side}x{side}: worker {spread(told['worker'])} s, bare {spread(told['bare'])} s"
    return [Figure("template_encode_over_bare", median_ratio(told["worker"], told["bare"]), "ratio", 1.05, note)]


def template_memory_ratio(setup: Setup) -> list[Figure]:
    """The most memory that a large picture from a picture takes, over one from words; each in a process of its own."""
    side = 128 if setup.quick else 2048
    words, picture = (
        float(child.call(setup.python, "template_chain:peak", side, is_from_picture, seconds=PATIENCE))
        for is_from_picture in (False, True)
    )
    layers, width = (128, 8) if setup.quick else (512, 64)
    told = child.call(setup.python, "template_chain:kl_peaks", layers, width, seconds=PATIENCE)
    note = f"starter, {side}x{side}: from words {words / 1e6:.0f} MB, from a picture {picture / 1e6:.0f} MB"
    parts = f"KL autoencoder, layer by layer, {layers}x{layers}: " + ", ".join(
        f"{what} {show(bytes_ / 1e6)} MB" for what, bytes_ in told.items()
    )
    return [
        Figure("template_memory_ratio", picture / words, "ratio", 1.1, note),
        Figure("template_memory_ratio.kl_encode_over_decode", told["encode"] / told["decode"], "ratio", None, parts),
    ]
