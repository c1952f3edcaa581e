# SPDX-License-Identifier: GPL-3.0-or-later
"""The training pairs: procedural textures with their exact maps, on disk. May import numpy, scipy, the textures.

Example i of a source size is made from the seed sequence (seed, size, i) alone, so the set does not depend on how many
processes make it. All are stored at 128 px: those drawn at 64 px magnified (as an upscaler's results look to a map
network), those drawn at 256 px shrunk, so that each material is seen at three scales. The families of `HELD_OUT` are
never trained on; the figures of the cards are measured on them.
"""

import multiprocessing
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..starter.textures import FAMILIES, Texture, make_texture

SIDE = 128  # pixels of every stored example
BLOCK = 250
HELD_OUT = ("stone wall", "hexagon tiles", "parquet", "gravel", "corrugated metal", "carpet")
TRAINED = tuple(name for name in FAMILIES if name not in HELD_OUT)
METALS = ("rusty metal", "brushed metal", "diamond plate", "metal panels")
METAL_WEIGHT = 2.5  # else one pixel in thirty is metal
# Pixels of depth that a height of 0 to 1 stands for, in a texture at the size it was drawn. A convention of the
# generator's textures: at 8 their slopes look right, and normal maps are as steep as those on sale.
DEPTH = 8.0
DTYPES = {"color": np.uint8, "height": np.uint16, "roughness": np.uint8, "metallic": np.uint8}


@dataclass(frozen=True)
class Pairs:
    """Examples in memory-mapped arrays. color (n, 128, 128, 3) uint8 sRGB; height uint16, roughness and metallic uint8
    (n, 128, 128), full range; magnification (n,): pixels here for one pixel of the texture as it was drawn."""

    color: NDArray[np.uint8]
    height: NDArray[np.uint16]
    roughness: NDArray[np.uint8]
    metallic: NDArray[np.uint8]
    magnification: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.color)


def draw(seed: int, size: int, index: int) -> Texture:
    """Training texture `index` of a source size: never one of the held-out families."""
    rng = np.random.default_rng((seed, size, index))
    weights = np.array([FAMILIES[name].weight * (METAL_WEIGHT if name in METALS else 1.0) for name in TRAINED])
    return make_texture(rng, size, TRAINED[int(rng.choice(len(TRAINED), p=weights / weights.sum()))])


def held_out(seed: int, per_family: int, size: int = 256, families: tuple[str, ...] = HELD_OUT) -> list[Texture]:
    """Textures for the figures, never trained on: of the held-out families, or new ones of others."""
    return [
        make_texture(np.random.default_rng((seed, 7, size, number, index)), size, name)
        for number, name in enumerate(families)
        for index in range(per_family)
    ]


def to_side(field: NDArray[np.float32], side: int = SIDE) -> NDArray[np.float32]:
    """A square periodic field (H, H[, C]) at another size: the mean of blocks, or its Fourier series read finer."""
    size = field.shape[0]
    if size == side:
        return field
    if size > side:
        step = size // side
        return field.reshape(side, step, side, step, *field.shape[2:]).mean((1, 3))
    factor = side // size
    spectrum = np.fft.fftshift(np.fft.fft2(field, axes=(0, 1)), axes=(0, 1))
    pad = (side - size) // 2
    spectrum = np.pad(spectrum, [(pad, pad), (pad, pad)] + [(0, 0)] * (field.ndim - 2))
    grown = np.fft.ifft2(np.fft.ifftshift(spectrum, axes=(0, 1)), axes=(0, 1)).real * factor**2
    # the series is read at the old pixels' corners; half of the difference between the grids puts centre on centre
    shift = np.exp(-1j * np.pi * (factor - 1) * np.fft.fftfreq(side))
    turned = np.fft.fft2(grown, axes=(0, 1)) * (shift[:, None] * shift[None, :]).reshape(
        side, side, *([1] * (field.ndim - 2))
    )
    return np.clip(np.fft.ifft2(turned, axes=(0, 1)).real, 0.0, 1.0).astype(np.float32)


def _make_block(task: tuple[Path, int, int, int, int]) -> None:
    folder, seed, size, first, count = task
    arrays = {
        name: np.empty((count, SIDE, SIDE) + ((3,) if name == "color" else ()), dtype) for name, dtype in DTYPES.items()
    }
    for row in range(count):
        texture = draw(seed, size, first + row)
        for name, array in arrays.items():
            top = np.iinfo(array.dtype).max
            array[row] = np.round(np.clip(to_side(getattr(texture, name)), 0, 1) * top).astype(array.dtype)
    for name, array in arrays.items():
        part = folder / f"{size}-{first:06d}-{name}.part.npy"
        np.save(part, array)
        os.replace(part, folder / f"{size}-{first:06d}-{name}.npy")


def make_pairs(folder: Path, counts: dict[int, int], seed: int, processes: int = 1) -> None:
    """Make the blocks that are missing in `folder`: `counts` examples of each source size."""
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [
        (folder, seed, size, first, min(BLOCK, count - first))
        for size, count in counts.items()
        for first in range(0, count, BLOCK)
        if not all((folder / f"{size}-{first:06d}-{name}.npy").exists() for name in DTYPES)
    ]
    started = time.monotonic()
    if tasks:
        with multiprocessing.get_context("spawn").Pool(processes, os.nice, (5,)) as pool:
            for done, _ in enumerate(pool.imap_unordered(_make_block, tasks), start=1):
                print(f"pairs: block {done}/{len(tasks)}, {time.monotonic() - started:.0f} s", flush=True)


def read_pairs(folder: Path, counts: dict[int, int]) -> Pairs:
    """Every example of `counts`, in memory. Raises FileNotFoundError where some were not made."""
    blocks = [(size, first) for size, count in counts.items() for first in range(0, count, BLOCK)]
    arrays = {
        name: np.concatenate([np.load(folder / f"{size}-{first:06d}-{name}.npy") for size, first in blocks])
        for name in DTYPES
    }
    magnification = np.concatenate([np.full(count, SIDE / size, np.float32) for size, count in counts.items()])
    return Pairs(**arrays, magnification=magnification)
