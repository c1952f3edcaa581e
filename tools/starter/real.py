# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiles of real surfaces, drawn beside the procedural ones. Imports numpy and Pillow.

They lie outside the repository (`--real FOLDER`): for each SIZE `realSIZE.npz` (`data`: JPEG files end to end, `sizes`:
bytes of each) and `realSIZE.json` (for each a category, nouns, colour and perhaps a caption). `real_sources.tsv` says
where each came from.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SMALL, LARGE, SHARP = 128, 256, 512  # px: whole surfaces for the denoiser, and what the autoencoder sees pieces of
CAPTIONS = 16
CONTRAST = 12.0  # levels: the deviation of the luma from which on a tile is not flat
# Plain words are the drawings', whose pieces are larger and whose material is plainer to see.
MARKED = 0.85  # share of the captions that call it a photograph or realistic

# Courses lie level in captions and in the tiles; the rest may be turned by a quarter.
_LAID = ("Bricks", "Tiles", "PavingStones", "Planks", "WoodFloor", "RoofingTiles", "WoodSiding")
_STANDING = (
    *_LAID,
    "Wood",
    "CorrugatedSteel",
    "Bark",
    "Bamboo",
    "Road",
    "ThatchedRoof",
    "Logs",
    "Wallpaper",
    "GlazedTerracotta",
    "Tatami",
)
# What people type first is drawn more often than its share of the surfaces.
_WANTED = {
    "Bricks": 2.0,
    "Wood": 1.6,
    "Planks": 2.0,
    "WoodFloor": 1.6,
    "RoofingTiles": 2.0,
    "Rocks": 1.6,
    "Bark": 1.6,
    "Grass": 2.0,
    "Moss": 2.0,
    "Fabric": 1.3,
    "Rust": 2.0,
}
_PREFIXES = ("photo of ", "a photo of ", "realistic ", "realistic photo of ")
_SUFFIXES = (", photo", ", realistic", " photo", ", realistic photo")


@dataclass(frozen=True)
class Label:
    """What is known of a surface. `nouns` may be empty where there is a `caption`."""

    category: str
    nouns: tuple[str, ...]
    colour: str | None
    caption: str = ""


@dataclass(frozen=True)
class RealTiles:
    """`pixels` uint8 (count, size, size, 3) sRGB, and a label for each."""

    pixels: np.ndarray
    labels: tuple[Label, ...]

    @property
    def chances(self) -> np.ndarray:
        """How likely each is to be drawn, 1 in all: common categories less often than by their number, flat ones too.

        Half of the thumbnails' luma has a deviation under 9 levels of 255, which is what next to flat pictures have.
        """
        names, numbers = np.unique([label.category for label in self.labels], return_counts=True)
        weight = {name: _WANTED.get(name, 1.0) * n**-0.5 for name, n in zip(names, numbers, strict=True)}
        luma = self.pixels @ np.array((0.299, 0.587, 0.114), np.float32)
        contrast = np.clip(luma.std((1, 2)) / CONTRAST, 0.05, 1.0)
        chances = contrast * [weight[label.category] for label in self.labels]
        return np.asarray(chances / chances.sum())


def read(folder: Path, size: int) -> RealTiles:
    """The tiles of one size, as they are.

    Raises:
        FileNotFoundError: the folder has none of that size.
    """
    packed = np.load(folder / f"real{size}.npz")
    data, sizes = packed["data"].tobytes(), packed["sizes"]
    files = [data[end - n : end] for end, n in zip(np.cumsum(sizes), sizes, strict=True)]
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files])
    found = json.loads((folder / f"real{size}.json").read_text(encoding="utf-8"))
    labels = [Label(x["category"], tuple(x["nouns"]), x["colour"], x.get("caption", "")) for x in found]
    return RealTiles(pixels, tuple(labels))


def for_training(folder: Path, size: int) -> RealTiles:
    """Those of one size, what has no up and down also turned; among the small ones the large ones, shrunk."""
    tiles = read(folder, size)
    pixels, labels = list(tiles.pixels), list(tiles.labels)
    if size == SMALL:
        large = read(folder, LARGE)
        pixels += [_halved(tile) for tile in large.pixels]
        labels += large.labels
    turned = [number for number, label in enumerate(labels) if label.category not in _STANDING]
    pixels += [np.ascontiguousarray(pixels[number].swapaxes(0, 1)) for number in turned]
    return RealTiles(np.stack(pixels), (*labels, *(labels[number] for number in turned)))


def _halved(tile: np.ndarray) -> np.ndarray:
    """Half the size, by a filter that goes on across the edges."""
    side = len(tile) // 2
    image = Image.fromarray(np.tile(tile, (3, 3, 1))).resize((3 * side, 3 * side), Image.Resampling.LANCZOS)
    return np.asarray(image)[side : 2 * side, side : 2 * side]


def captions(rng: np.random.Generator, label: Label, size: int, count: int = CAPTIONS) -> list[str]:
    """Captions made from what is known, most of which say that it is a photograph."""

    def pick(options: Sequence[str]) -> str:
        return options[int(rng.integers(len(options)))]

    out = []
    for _ in range(count):
        if label.caption and (not label.nouns or rng.random() < 0.4):
            text = label.caption
        else:
            words = [pick(label.nouns)]
            if label.colour and rng.random() < 0.7:
                words.insert(0, label.colour.replace("grey", "gray") if rng.random() < 0.3 else label.colour)
            # A thumbnail shows a whole wall: its bricks are smaller than those of drawings called small.
            if size == SMALL and label.category in _LAID:
                words.insert(0, pick(("fine", "tiny", "very fine")))
            text = " ".join(words)
        u = rng.random()
        out.append(pick(_PREFIXES) + text if u < 0.6 * MARKED else text + pick(_SUFFIXES) if u < MARKED else text)
    return out
