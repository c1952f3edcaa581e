# SPDX-License-Identifier: GPL-3.0-or-later
"""How large pieces are, by the picture's size, the words and the detail size: `python -m tools.starter.scale`.

Mean frequency in cycles a picture, of the starter in the package, through the whole engine. May import core and engine.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from addon.core.families.catalogue import resolve
from addon.core.requests.detail import Detail
from addon.core.requests.texture import STARTER, Size, TextureRequest
from addon.engine.models import ModelCache
from tools.sets import make_pictures

NOUNS = ("bricks", "wooden planks", "cobblestone", "ceramic tiles", "roof tiles")
SIZES = (256, 512, 1024)
WORDS = ("small", "", "large")
HIGHEST = 64  # cycles a picture: grain lies above, pieces below


def mean_frequency(pixels: NDArray[np.uint8]) -> float:
    """Cycles a picture of a square (N, N, 3): the geometric mean over 2 to `HIGHEST`, weighed by power."""
    grey = pixels.astype(np.float64).mean(2)
    side = len(grey)
    power = np.abs(np.fft.fft2(grey - grey.mean())) ** 2
    along = np.fft.fftfreq(side) * side
    frequency = np.hypot(along[:, None], along)
    kept = (frequency > 2) & (frequency < HIGHEST)
    return float(np.exp((power[kept] * np.log(frequency[kept])).sum() / power[kept].sum()))


def measure(cache: ModelCache, prompt: str, side: int, detail: Detail, seeds: int) -> float:
    """The mean of some seeds."""
    defaults = resolve(STARTER).defaults
    request = TextureRequest(
        prompt,
        size=Size(side, side),
        steps=defaults.steps,
        guidance_scale=defaults.guidance_scale,
        count=seeds,
        detail=detail,
    )
    with tempfile.TemporaryDirectory() as store:
        pictures, _seconds = make_pictures(cache, request, Path(store))
    return float(np.mean([mean_frequency(picture) for picture in pictures]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each noun and size."""
    parser = argparse.ArgumentParser(prog="python -m tools.starter.scale", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--nouns", nargs="+", default=NOUNS)
    options = parser.parse_args(arguments)
    cache = ModelCache()
    for side in options.sizes:
        for noun in options.nouns:
            by_detail = {detail.value.lower(): measure(cache, noun, side, detail, options.seeds) for detail in Detail}
            by_word = {
                f"{word} {noun}": measure(cache, f"{word} {noun}", side, Detail.MEDIUM, options.seeds)
                for word in filter(None, WORDS)
            }
            found = ", ".join(f"{name} {value:.1f}" for name, value in (by_detail | by_word).items())
            print(f"{side} px, {noun}: {found}", flush=True)


if __name__ == "__main__":
    main()
