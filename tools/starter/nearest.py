# SPDX-License-Identifier: GPL-3.0-or-later
"""A sheet of pictures, each beside the training tile nearest to it: `python -m tools.starter.nearest --output FILE`.

Shows whether the model copies what it was trained on. Needs the judge, and the training tiles of 128 px with their
latents, in the cache. May import torch, diffusers and Pillow.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from . import cache
from . import judge as judging
from .data import read_tiles
from .prompts import SEEN, UNSEEN
from .scores import Nearest, nearest_tiles
from .sheet import load_pipeline


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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.starter.nearest", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--model", type=Path, default=cache.MODEL, metavar="DIR")
    parser.add_argument("--cache", type=Path, default=cache.default_cache(), metavar="DIR")
    parser.add_argument("--tiles", type=Path, metavar="DIR", help="the cache whose tiles are compared, if another")
    options = parser.parse_args()
    folder = options.tiles or options.cache
    tiles = read_tiles(folder / "tiles", judging.SIZE).pixels
    latents = np.load(folder / f"latents-{judging.SIZE}.npy")
    bench = judging.load(options.cache)
    known = bench.features_of(judging.look(bench.encoder, tiles[: len(latents)], latents))
    pairs = nearest_tiles(load_pipeline(options.model), bench, tiles, known, (*SEEN, *UNSEEN))
    make_sheet(pairs).save(options.output, quality=70, method=6)
    print(f"greatest correlation with a training tile: {max(pair.correlation for pair in pairs):.2f} (a copy has 1)")


if __name__ == "__main__":
    main()
