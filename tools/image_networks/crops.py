# SPDX-License-Identifier: GPL-3.0-or-later
"""Crops of real surfaces as training examples, turned, mirrored, rolled and lit. May import numpy, pillow, torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from addon.core.image_networks import HEIGHT_DEPTH

from .degrade import blur
from .real import TILE_SIDE, Surface, Tiles, at_scale

SCALES = (1.0, 0.71, 0.5)  # of what is stored: other people's bricks are smaller
SCALE_CHANCES = (0.5, 0.25, 0.25)
MARGIN = 12  # pixels at a crop's edge that are not judged: the network sees what wraps there
HEIGHT_RANGE = 0.9  # that a height takes at most, of 0 to 1
# Kinds whose colors are mostly paint and clay and not shadow: mortar may be brighter than its bricks or darker.
PAINTED_KINDS = ("tiles and bricks", "plaster and paper", "wood", "metal")


class Origin(StrEnum):
    """What examples were made of; losses differ."""

    DRAWN = "drawn"
    REAL = "real"
    TILE = "tile"  # colors alone, of which it is known what they show
    PLAIN = "plain"  # of one color
    PAINTED = "painted"  # by the starter model: what the shipped network makes of them is all that is known
    DRESSED = "dressed"  # drawings with the colors of real surfaces: their shapes are known, not how steep such are


@dataclass(frozen=True)
class Examples:
    """color (N, 3, S, S) sRGB 0..1, normal (N, 3, S, S) unit, surface (N, 3, S, S): height, roughness, metallic, each
    nan all over where it is not known."""

    origin: Origin
    color: torch.Tensor
    normal: torch.Tensor
    surface: torch.Tensor

    def cut(self, rows: slice, columns: slice) -> "Examples":
        return replace(self, **{key: getattr(self, key)[..., rows, columns] for key in ("color", "normal", "surface")})

    def to(self, device: torch.device) -> "Examples":
        return replace(self, **{key: getattr(self, key).to(device) for key in ("color", "normal", "surface")})


def height_target(surface: Surface) -> NDArray[np.float32] | None:
    """Its height 0..1 (H, W), mean 0.5, with the depth that the networks have; less where that takes too much."""
    relief = surface.relief
    if relief is None:
        return None
    low, high = np.quantile(relief, (0.005, 0.995))
    return (0.5 + relief / max(HEIGHT_DEPTH, (high - low) / HEIGHT_RANGE)).clip(0, 1).astype(np.float32)


def _stacked(surface: Surface) -> NDArray[np.float16]:
    """(H, W, 9): color, normal, height, roughness, metallic."""
    unknown = np.full(surface.color.shape[:2], np.nan, np.float32)
    height = height_target(surface)
    maps = [unknown if field is None else field for field in (height, surface.roughness, surface.metallic)]
    normal = np.repeat(unknown[..., None], 3, -1) if surface.normal is None else surface.normal
    return np.concatenate((surface.color, normal, np.stack(maps, -1)), -1).astype(np.float16)


class Source:
    """Draws crops of surfaces; each as often as its weight says."""

    def __init__(self, surfaces: list[Surface], weights: NDArray[np.float64] | None = None) -> None:
        self._fields = [[_stacked(at_scale(surface, scale)) for scale in SCALES] for surface in surfaces]
        self._tiles = [surface.tiles for surface in surfaces]
        self._painted = np.array([surface.kind in PAINTED_KINDS for surface in surfaces])
        weights = np.ones(len(surfaces)) if weights is None else weights
        self._chances = weights / weights.sum()

    def draw(
        self, rng: np.random.Generator, count: int, side: int, lit: float = 0.15, changed: "Changes | None" = None
    ) -> Examples:
        """lit: the share that gets a light from one side, which is not in the maps. changed: other colors."""
        chosen = rng.choice(len(self._fields), count, p=self._chances)
        crops = np.stack([_turned(rng, self._crop(rng, int(index), side)) for index in chosen])
        tensor = torch.from_numpy(np.ascontiguousarray(crops)).float().permute(0, 3, 1, 2)
        color, normal = tensor[:, :3], tensor[:, 3:6]
        if changed is not None:
            color = changed(rng, color, tensor[:, 6], self._painted[chosen])
        return Examples(Origin.REAL, _light(rng, color, normal, lit), normal, tensor[:, 6:])

    def _crop(self, rng: np.random.Generator, index: int, side: int) -> NDArray[np.float32]:
        scales = self._fields[index]
        field = scales[rng.choice(len(scales), p=SCALE_CHANCES)]
        if not self._tiles[index] and min(field.shape[:2]) < side:
            field = scales[0]
        height, width = field.shape[:2]
        whole = self._tiles[index] or min(height, width) < side
        top = rng.integers(height if whole else height - side + 1)
        left = rng.integers(width if whole else width - side + 1)
        rows, columns = (top + np.arange(side)) % height, (left + np.arange(side)) % width
        return field[rows[:, None], columns].astype(np.float32)


def _turned(rng: np.random.Generator, field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turned and mirrored, and its normals (channels 3 and 4: right and up) with it."""
    for _ in range(rng.integers(4)):  # a quarter to the left: what pointed right points up
        field = np.rot90(field)
        field = np.concatenate((field[..., :3], -field[..., 4:5], field[..., 3:4], field[..., 5:]), -1)
    if rng.random() < 0.5:
        field = field[:, ::-1] * np.array([1, 1, 1, -1, 1, 1, 1, 1, 1], np.float32)
    return field


def _light(rng: np.random.Generator, color: torch.Tensor, normal: torch.Tensor, share: float) -> torch.Tensor:
    """Brighter where the ground looks at a light that stands at one side, as in many photographs."""
    angle = torch.from_numpy(rng.uniform(0, 2 * np.pi, len(color)).astype(np.float32))
    strength = torch.from_numpy(
        (rng.uniform(0.1, 0.6, len(color)) * (rng.random(len(color)) < share)).astype(np.float32)
    )
    view = (-1, 1, 1)
    towards = normal[:, 0] * angle.cos().view(view) + normal[:, 1] * angle.sin().view(view)
    gain = 1 + strength.view(view) * torch.nan_to_num(towards)
    return (color * gain.clamp(0.3, 2).unsqueeze(1)).clamp(0, 1)


@dataclass(frozen=True)
class Changes:
    """Other colors on the same ground, so that forty surfaces are not known by heart. Each number is the share that is
    changed so: `inverted` (bright for dark, where the color is paint), `hollowed` (darker in its hollows, as shadows
    make it), `dressed` (with the grain of a color tile, which says nothing of the ground), `swapped` (channels)."""

    tiles: NDArray[np.uint8]
    inverted: float = 0.35
    hollowed: float = 0.25
    dressed: float = 0.4
    swapped: float = 0.3

    def __call__(
        self, rng: np.random.Generator, color: torch.Tensor, height: torch.Tensor, painted: NDArray[np.bool_]
    ) -> torch.Tensor:
        """color (N, 3, S, S) 0..1, height (N, S, S) 0..1 or nan, painted (N,)."""
        made = []
        for one, ground, is_painted in zip(color, height, painted, strict=True):
            if is_painted and rng.random() < self.inverted:
                one = (2 * one.mean((1, 2), keepdim=True) - one).clamp(0, 1)
            if rng.random() < self.hollowed and not bool(ground.isnan().any()):
                wide, narrow = blur(ground.expand(2, 1, -1, -1), torch.tensor((4.0, 1.0)))
                one = one * torch.exp(-rng.uniform(1, 5) * (wide - narrow).clamp(min=0))
            if rng.random() < self.dressed and len(self.tiles):
                grain = self._grain(rng, one.shape[-1])
                one = (one * grain ** float(rng.uniform(0.2, 0.8))).clamp(0, 1)
            if rng.random() < self.swapped:
                one = one[torch.from_numpy(rng.permutation(3))]
            made.append(one)
        return torch.stack(made)

    def _grain(self, rng: np.random.Generator, side: int) -> torch.Tensor:
        """A color tile over its mean color (3, side, side)."""
        tile = self.tiles[rng.integers(len(self.tiles))]
        tile = np.rot90(tile, rng.integers(4))
        rows, columns = (np.arange(side) + rng.integers(TILE_SIDE) for _ in range(2))
        color = tile[rows[:, None] % TILE_SIDE, columns % TILE_SIDE].astype(np.float32) + 8
        return torch.from_numpy(color / color.mean((0, 1))).permute(2, 0, 1)


class PaintedSource:
    """Draws crops of the starter model's pictures, which repeat."""

    def __init__(self, pictures: Sequence[NDArray[np.float32]]) -> None:
        self._fields = [np.concatenate((one, np.zeros((*one.shape[:2], 6), np.float32)), -1) for one in pictures]

    def draw(self, rng: np.random.Generator, count: int, side: int) -> Examples:
        """Examples whose maps are all unknown."""
        crops = []
        for _ in range(count):
            field = self._fields[rng.integers(len(self._fields))]
            rows, columns = (np.arange(side) + rng.integers(size) for size in field.shape[:2])
            crops.append(_turned(rng, field[rows[:, None] % field.shape[0], columns % field.shape[1]])[..., :3])
        color = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2)
        unknown = torch.full_like(color, torch.nan)
        return Examples(Origin.PAINTED, color, unknown, unknown)


def plain_colors(rng: np.random.Generator, count: int, side: int) -> NDArray[np.float32]:
    """Pictures of one color each (count, side, side, 3), 0..1: greys and others."""
    greys = rng.uniform(0, 1, (count, 1, 1, 1))
    colors = greys + rng.choice((0, 0.05, 0.2), (count, 1, 1, 1)) * rng.normal(size=(count, 1, 1, 3))
    return np.broadcast_to(colors.clip(0, 1), (count, side, side, 3)).astype(np.float32)


def plain(rng: np.random.Generator, count: int, side: int) -> Examples:
    """Pictures of one color each, of a flat ground."""
    color = torch.from_numpy(plain_colors(rng, count, side)).permute(0, 3, 1, 2)
    surface = torch.full_like(color, torch.nan)
    surface[:, 0] = 0.5
    return Examples(Origin.PLAIN, color, torch.tensor((0.0, 0.0, 1.0)).view(1, 3, 1, 1).expand_as(color), surface)


class TileSource:
    """Draws color tiles, of which metallic and the mean roughness are known by what they show."""

    def __init__(self, tiles: Tiles, weights: NDArray[np.float64], surfaces: list[Surface]) -> None:
        self._tiles, self._chances = tiles, weights / weights.sum()
        self._roughness = tile_roughness(tiles, surfaces)

    def draw(self, rng: np.random.Generator, count: int, flat: int) -> Examples:
        """Examples (count + flat, ...) of 128 px: every second tile magnified twice, of which a part; the flat ones
        are of one color, and no metal: a plain picture is more often paint."""
        side = self._tiles.color.shape[1]
        rows = rng.choice(len(self._chances), count, p=self._chances)
        colors = np.empty((count + flat, side, side, 3), np.float32)
        for place, row in enumerate(rows):
            color = self._tiles.color[row]
            if rng.random() < 0.5:
                top, left = rng.integers(side, size=2)
                rolled = np.roll(color, (-top, -left), (0, 1))[: side // 2 + 8, : side // 2 + 8]
                box = (4, 4, 4 + side // 2, 4 + side // 2)
                color = np.asarray(Image.fromarray(rolled).resize((side, side), Image.Resampling.BICUBIC, box=box))
            color = np.rot90(color, rng.integers(4))
            colors[place] = (color[:, ::-1] if rng.random() < 0.5 else color) / np.float32(255)
        colors[count:] = plain_colors(rng, flat, side)
        values = np.full((count + flat, 3, side, side), np.nan, np.float32)
        values[:count, 2] = self._tiles.metal[rows][:, None, None]
        values[:count, 1] = self._roughness[rows][:, None, None]
        values[count:, 2] = 0
        surface = torch.from_numpy(values)
        color = torch.from_numpy(colors).permute(0, 3, 1, 2)
        return Examples(Origin.TILE, color, torch.full_like(color, torch.nan), surface)


def tile_roughness(tiles: Tiles, surfaces: list[Surface]) -> NDArray[np.float32]:
    """What a tile's mean roughness may be (n,): that of the surfaces with the same first word in their names, drawn
    towards that of their kind as two more would; nan where there is no such surface."""
    words: dict[str, list[float]] = {}
    kinds: dict[str, list[float]] = {}
    for surface in surfaces:
        if surface.roughness is not None:
            mean = float(surface.roughness.mean())
            words.setdefault(surface.name.rstrip("abc").rstrip("0123456789"), []).append(mean)
            kinds.setdefault(surface.kind, []).append(mean)
    made = []
    for name, kind in zip(tiles.names, tiles.kinds, strict=True):
        known = words.get(name.rpartition("_")[0])
        made.append((sum(known) + 2 * np.mean(kinds[kind])) / (len(known) + 2) if known else np.nan)
    return np.array(made, np.float32)
