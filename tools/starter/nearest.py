# SPDX-License-Identifier: GPL-3.0-or-later
"""A sheet of pictures, each beside the training tile nearest to it: `python -m tools.starter.nearest --output FILE`.

Shows whether the model copies what it was trained on: all real tiles, and as many of the drawn ones as are asked for,
drawn again from their numbers. Needs the judge. May import torch, diffusers and Pillow.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from . import cache, real
from . import judge as judging
from .data import read_tiles
from .prompts import SEEN, UNSEEN
from .scores import Nearest, nearest_tiles
from .sheet import load_pipeline
from .workers import as_bytes, draw


def make_sheet(pairs: Sequence[Nearest], columns: int = 5, cell: int = 96) -> Image.Image:
    """Pairs under their prompt: the picture at the left, the training tile at the right, `cell` px each."""
    wide, high = 2 * cell + 10, cell + 18
    sheet = Image.new("RGB", (columns * wide, -(-len(pairs) // columns) * high), "white")
    pen = ImageDraw.Draw(sheet)
    for number, pair in enumerate(pairs):
        left, top = number % columns * wide, number // columns * high
        pen.text((left + 2, top + 2), f"{pair.prompt[:24]} {pair.correlation:.2f}", fill="black")
        for place, pixels in enumerate((pair.picture, pair.tile)):
            small = Image.fromarray(pixels).resize((cell, cell), Image.Resampling.LANCZOS)
            sheet.paste(small, (left + place * (cell + 1), top + 15))
    return sheet


def training_tiles(
    count: int, seed: int, workers: int, real_folder: Path | None, kept: Path | None = None
) -> np.ndarray:
    """The first `count` tiles that so many workers drew, or those in `kept`, and all real ones: uint8 (N, s, s, 3)."""
    size = judging.SIZE
    if kept is not None:
        drawn = read_tiles(kept, size).pixels
    else:
        numbers = ((seed, n % workers, size, n // workers) for n in range(count))
        drawn = np.stack([as_bytes(draw(np.random.default_rng(number), size)) for number in numbers])
    return drawn if real_folder is None else np.concatenate((drawn, real.for_training(real_folder, size).pixels))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.starter.nearest", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--model", type=Path, default=cache.MODEL, metavar="DIR")
    parser.add_argument("--cache", type=Path, default=cache.default_cache(), metavar="DIR")
    parser.add_argument("--real", type=Path, metavar="FOLDER", help="tiles of real surfaces, see tools/starter/real.py")
    parser.add_argument("--tiles", type=Path, metavar="FOLDER", help="drawings that the last stage kept, instead")
    parser.add_argument("--drawn", type=int, default=6000, metavar="N", help="procedural tiles (6000)")
    parser.add_argument("--seed", type=int, default=1, help="of the training (1, the sixth version's)")
    parser.add_argument("--workers", type=int, default=1, help="of the training (1)")
    options = parser.parse_args()
    tiles = training_tiles(options.drawn, options.seed, options.workers, options.real, options.tiles)
    bench = judging.load(options.cache)
    pairs = nearest_tiles(load_pipeline(options.model), bench, tiles, bench.features(tiles), (*SEEN, *UNSEEN))
    make_sheet(pairs).save(options.output, quality=70, method=6)
    print(f"greatest correlation with a training tile: {max(pair.correlation for pair in pairs):.2f} (a copy has 1)")


if __name__ == "__main__":
    main()
