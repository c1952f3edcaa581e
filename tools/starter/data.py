# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes and reads the training tiles: procedural textures as uint8 arrays, with their captions.

May import numpy and the texture generator. Tile number i is made from the seed sequence (seed, size, i) alone, so the
set does not depend on how many processes make it, nor on where an earlier run stopped.
"""

import json
import multiprocessing
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .textures import make_texture

BLOCK = 250
# Family, colour and wear; None is drawn at random.
Wanted = tuple[str, str | None, str | None]


@dataclass(frozen=True)
class Tiles:
    """Square tiles of one size: `pixels` uint8 (count, size, size, 3) sRGB, and for each its captions and labels."""

    pixels: np.ndarray
    captions: list[list[str]]
    families: list[str]
    colours: list[str | None]
    wears: list[str | None]


def _make_block(task: tuple[Path, int, int, int, int, tuple[Wanted, ...]]) -> None:
    folder, seed, size, first, count, wanted = task
    pixels = np.empty((count, size, size, 3), np.uint8)
    labels = []
    for row in range(count):
        rng = np.random.default_rng((seed, size, first + row))
        family, colour, wear = wanted[(first + row) % len(wanted)] if wanted else (None, None, None)
        texture = make_texture(rng, size, family, colour=colour, wear=wear)
        pixels[row] = np.clip(texture.color * 255.0 + 0.5, 0, 255).astype(np.uint8)
        label = {"family": texture.family, "colour": texture.colour, "wear": texture.wear}
        labels.append({**label, "captions": list(texture.captions)})
    name = f"{size}-{first:06d}"
    (folder / f"{name}.json").write_text(json.dumps(labels), encoding="utf-8")
    np.save(folder / f"{name}.part.npy", pixels)
    os.replace(folder / f"{name}.part.npy", folder / f"{name}.npy")


def make_tiles(
    folder: Path, size: int, count: int, seed: int, processes: int = 2, wanted: tuple[Wanted, ...] = ()
) -> None:
    """Make the tiles that are missing in `folder`, in blocks of 250; what is there is kept.

    wanted: what is drawn, in turn; without it a tile is of any family, by its weight.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [
        (folder, seed, size, first, min(BLOCK, count - first), wanted)
        for first in range(0, count, BLOCK)
        if not (folder / f"{size}-{first:06d}.npy").exists()
    ]
    if not tasks:
        return
    started = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(processes, os.nice, (5,)) as pool:
        for done, _ in enumerate(pool.imap_unordered(_make_block, tasks), start=1):
            print(f"data {size}px: block {done}/{len(tasks)}, {time.monotonic() - started:.0f} s", flush=True)


def read_tiles(folder: Path, size: int, count: int | None = None) -> Tiles:
    """Read up to `count` tiles of `size` into memory.

    Raises:
        FileNotFoundError: none were made.
    """
    blocks = sorted(folder.glob(f"{size}-??????.npy"))
    if count is not None:
        blocks = blocks[: -(-count // BLOCK)]
    if not blocks:
        raise FileNotFoundError(f"no {size} px tiles in the cache: run the data stage first")
    labels = [label for block in blocks for label in json.loads(block.with_suffix(".json").read_text(encoding="utf-8"))]
    pixels = np.concatenate([np.load(block) for block in blocks])
    return Tiles(
        pixels[:count],
        [label["captions"] for label in labels][:count],
        [label["family"] for label in labels][:count],
        [label["colour"] for label in labels][:count],
        [label["wear"] for label in labels][:count],
    )


def joined(first: Tiles, second: Tiles) -> Tiles:
    """Both, of one size."""
    return Tiles(
        np.concatenate((first.pixels, second.pixels)),
        first.captions + second.captions,
        first.families + second.families,
        first.colours + second.colours,
        first.wears + second.wears,
    )
