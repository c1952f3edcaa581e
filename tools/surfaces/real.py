# SPDX-License-Identifier: GPL-3.0-or-later
"""Real surfaces with their maps from a folder, and the shipped networks' maps of them. Imports numpy, pillow, engine.

The folder holds `index.tsv` (name, maps, caption, author, asset, repository and others) and `sets/NAME/MAP.webp`.
"""

import csv
import hashlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from addon.core.image_networks import map_networks
from addon.core.requests.finish import STARTER_NETWORKS, MapKind
from addon.core.requests.picture import Content
from addon.core.requests.texture import Axes
from addon.engine import image_networks
from addon.engine.canvas import canvases
from addon.engine.maps import Source, check_network, make_maps
from addon.engine.tiles import TileLimits

FREE = 4 << 30  # bytes; more than 512 pixels need
MADE = (MapKind.HEIGHT, MapKind.NORMAL, MapKind.ROUGHNESS, MapKind.METALLIC, MapKind.OCCLUSION)


@dataclass(frozen=True)
class Surface:
    """One real surface. color (H, W, 3), sRGB-encoded; maps (H, W, 1) or normals (H, W, 3), OpenGL's; all in 0..1."""

    name: str
    caption: str
    author: str
    asset: str
    repository: str
    color: NDArray[np.float32]
    maps: dict[str, NDArray[np.float32]]

    @property
    def is_judged(self) -> bool:
        """Whether it is of the half that figures are told of; the other half is what numbers are fitted to.

        By its asset, so that files of one surface are on one side.
        """
        return hashlib.sha256(self.asset.lower().encode()).digest()[0] % 2 == 1


def read(folder: Path, names: tuple[str, ...] = ()) -> list[Surface]:
    """The surfaces of a folder, in the order of its index; only those of `names` where there are any.

    A map of another size than its color is left out.
    """
    surfaces = []
    with (folder / "index.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            place = folder / "sets" / row["name"]
            if names and row["name"] not in names:
                continue
            color = _read(place / "color.webp", "RGB")
            maps = {}
            for kind in row["maps"].split(",")[1:]:
                kind = "occlusion" if kind == "ao" else kind
                file_name = "ao" if kind == "occlusion" else kind
                pixels = _read(place / f"{file_name}.webp", "RGB" if kind == "normal" else "L")
                if pixels.shape[:2] == color.shape[:2]:
                    maps[kind] = pixels
            surfaces.append(
                Surface(row["name"], row["caption"], row["author"], row["asset"], row["repository"], color, maps)
            )
    return surfaces


def _read(path: Path, mode: str) -> NDArray[np.float32]:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert(mode), np.float32) / 255
    return pixels if pixels.ndim == 3 else pixels[..., None]


def predicted(surface: Surface, cache: Path | None = None) -> dict[str, NDArray[np.float32]]:
    """The maps that the shipped networks make of a surface's color, by kind. cache: a folder that keeps them."""
    kept = cache / f"{surface.name}.npz" if cache else None
    if kept and kept.is_file():
        with np.load(kept) as file:
            return {kind: file[kind].astype(np.float32) for kind in file.files}
    maps = {kind.value: value for kind, value in make(surface.color).items()}
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, **{kind: value.astype(np.float16) for kind, value in maps.items()})
    return maps


def sources() -> dict[MapKind, Source]:
    """The networks in the package."""
    found: dict[MapKind, Source] = {}
    for network in map_networks(STARTER_NETWORKS):
        found |= check_network(image_networks.load(network.file), network.makes)
    return found


def make(color: NDArray[np.float32]) -> dict[MapKind, NDArray[np.float32]]:
    """All maps of a picture (H, W, 3), sRGB-encoded, as the extension makes them."""
    with tempfile.TemporaryDirectory() as folder, canvases(Path(folder)) as easel:
        made = make_maps(color, MADE, sources(), Axes.XY, Content.COLOR, easel, TileLimits(), FREE)
        return {kind: np.array(value.array) for kind, value in made.items()}


def lit(surface: Surface, color: NDArray[np.float32]) -> Surface:
    """The surface with another color."""
    return replace(surface, color=color)
