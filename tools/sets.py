# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of tiles that fit each other, by the starter: does any field of them hide its seams and its repeat, and at what
cost. Run by `tools/dev.py sets` in the worker's environment.

Seams: the metric over the inner edges of random legal fields of 4x4 tiles, against cuts anywhere in the same fields;
and of how many edges no cut of 99 at random scores as badly, which is one in a hundred by chance. Peak: how much of an
8x8 field comes back after one tile, 1 for all of it, the mean of such fields. Time: sampling and decoding a set against
as many plain tiles.
"""

import argparse
import random
import tempfile
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from addon.core import seams
from addon.core.protocol import Phase, Start
from addon.core.requests.texture import Axes, Size, TextureRequest
from addon.core.results import SEAM_CHANCE, SEAM_THRESHOLD, Draft, Result
from addon.core.variants import Sheet
from addon.engine.generate import make_images
from addon.engine.models import ModelCache
from tools.environments import say

PROMPTS = ("large red bricks", "grey cobblestone", "rusty metal")
FIELDS = 8  # random fields of each set
SMALL = 128  # pixels of a tile where the peak is measured


class _Watch:
    """Takes what a job says, and keeps its results."""

    def __init__(self) -> None:
        self.done: list[Result] = []

    def check(self) -> None:
        """Nothing ends it."""

    def progress(self, phase: Phase, image: int = 0, step: int = 0, steps: int = 0) -> None:
        """Nobody waits for it."""

    def note(self, text: str) -> None:
        say(text)

    def preview(self, image: int, step: int, path: Path) -> None:
        """Nobody looks."""

    def publish(self, _index: int, draft: Draft, result: Result) -> None:
        published = draft.publish(result)
        if published is not None:
            self.done.append(published)


def make_pictures(cache: ModelCache, request: TextureRequest, store: Path) -> tuple[list[NDArray[np.uint8]], float]:
    """The pictures (uint8, H x W x 3), and seconds; results are left in `store`."""
    watch, begin = _Watch(), time.monotonic()
    make_images(cache, Start("1", request, str(store), "cpu"), watch)
    seconds = time.monotonic() - begin
    pictures = []
    for result in watch.done:
        with Image.open(result.path()) as image:
            pictures.append(np.asarray(image.convert("RGB")))
    return pictures, seconds


def _field(picture: NDArray[np.uint8], sheet: Sheet, length: int, dice: random.Random) -> NDArray[np.uint8]:
    height, width = picture.shape[0] // sheet.rows, picture.shape[1] // sheet.columns
    rows = [
        np.concatenate([picture[y * height :, x * width :][:height, :width] for x, y in row], 1)
        for row in sheet.lay(length, length, dice.randrange)
    ]
    return np.concatenate(rows)


def _misses(fields: list[NDArray[np.uint8]], side: int, dice: random.Random) -> tuple[int, int, int, int]:
    """How many cuts count as seams, at edges and elsewhere; how many at edges are worse than all rolls; of how many."""
    at_edges = elsewhere = worst = count = 0
    for field, number in product(fields, range(4)):
        count += 1
        for is_edge in (True, False):
            down, across = (
                number * side + (0 if is_edge else dice.randrange(side // 4, 3 * side // 4)) for _axis in range(2)
            )
            rolled = np.roll(field, (-down, -across), (0, 1))
            miss = seams.measure(rolled, Axes.XY).value > SEAM_THRESHOLD
            at_edges, elsewhere = at_edges + (miss and is_edge), elsewhere + (miss and not is_edge)
            if is_edge:
                worst += seams.roll_p(rolled, Axes.XY, np.random.default_rng(count), enough=1) <= SEAM_CHANCE
    return at_edges, elsewhere, worst, count


def _peaks(field: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
    """After one tile up and after one along."""
    light = field.astype(np.float64).mean(-1)
    light -= light.mean()
    return np.array([(light * np.roll(light, side, axis)).mean() for axis in (0, 1)]) / (light**2).mean()


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="tools/dev.py sets", description=__doc__)
    parser.add_argument("--count", type=int, default=8, choices=(4, 8, 16), help="tiles, default: %(default)s")
    parser.add_argument("--size", type=int, default=512, help="pixels of a tile, default: %(default)s")
    parser.add_argument("--prompts", nargs="+", default=PROMPTS, metavar="TEXT", help="what they show")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="8x8 fields, of one tile and of the set")
    options = parser.parse_args()
    sheet, size = Sheet(options.count), Size(options.size, options.size)
    cache = ModelCache()
    rows: list[NDArray[np.uint8]] = []
    say("| Prompt | seams at edges | seams elsewhere | worse than 99 rolls | peak | time, set / tiles |")
    say("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="tilewright-sets-") as folder:
        plain = TextureRequest("", size=size, steps=4, guidance_scale=1.0)  # as the starter is sampled
        make_pictures(cache, replace(plain, prompt="sand"), Path(folder))  # loads it
        for prompt in options.prompts:
            tiles, seconds = make_pictures(cache, replace(plain, prompt=prompt, count=options.count), Path(folder))
            (picture,), seconds_set = make_pictures(
                cache, replace(plain, prompt=prompt, variants=options.count), Path(folder)
            )
            dice = random.Random(1)
            fields = [_field(picture, sheet, 4, dice) for _ in range(FIELDS)]
            at_edges, elsewhere, worst, count = _misses(fields, options.size, dice)
            small = np.asarray(Image.fromarray(picture).resize((SMALL * sheet.columns, SMALL * sheet.rows)))
            one = np.asarray(Image.fromarray(tiles[0]).resize((SMALL, SMALL)))
            laid = [_field(small, sheet, 8, dice) for _ in range(FIELDS)]
            rows.append(np.concatenate([np.tile(one, (3, 8, 1)), laid[0][: 3 * SMALL]], 1))
            peak = np.mean([_peaks(field, SMALL) for field in laid], 0).max()
            misses = [f"{found} of {count}" for found in (at_edges, elsewhere, worst)]
            say("| " + " | ".join([prompt, *misses, f"{peak:.3f}", f"{seconds_set / seconds:.2f}"]) + " |")
    if options.picture:
        Image.fromarray(np.concatenate(rows)).save(options.picture, quality=72, method=6)


if __name__ == "__main__":
    main()
