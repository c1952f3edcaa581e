# SPDX-License-Identifier: GPL-3.0-or-later
"""A classifier that names material, colour and wear of a tile: it judges what the starter model draws.

`python -m tools.starter.train_judge` trains it on procedural and real tiles; it never sees a generated one, and is
frozen once trained. May import torch, diffusers and the texture generator.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch import nn
from torch.nn import functional

from . import cache
from .autoencoder import encode_tiles, to_batch
from .data import Tiles
from .networks import LATENT_CHANNELS, PIXELS_PER_LATENT, make_autoencoder
from .textures import FAMILIES, WEAR
from .textures.colours import NAMED
from .torus import layer_statistics, wrap

SIZE = 128
CHANNELS = LATENT_CHANNELS + 4

# Families that nobody could tell apart by one tile, in any colour and wear, count as one material.
ALIKE: dict[str, str] = {"rusty metal": "brushed metal"}
MATERIALS = tuple(dict.fromkeys(ALIKE.get(family, family) for family in FAMILIES))
COLOURS = (*NAMED, None)
WEARS = (*WEAR, None)

# Categories of real surfaces that show what a family draws. The others are of several families (paving stones, metal),
# or of none.
REAL: dict[str, str] = {
    "Asphalt": "asphalt",
    "Bark": "bark",
    "Bricks": "bricks",
    "Cardboard": "cardboard",
    "Carpet": "carpet",
    "Chipboard": "chipboard",
    "Concrete": "concrete",
    "Cork": "cork",
    "CorrugatedSteel": "corrugated metal",
    "DiamondPlate": "diamond plate",
    "Fabric": "fabric",
    "Granite": "granite",
    "Grass": "grass",
    "Gravel": "gravel",
    "Ground": "soil",
    "Marble": "marble",
    "Moss": "moss",
    "Paper": "paper",
    "Planks": "planks",
    "Plaster": "plaster",
    "Rock": "rock",
    "RoofingTiles": "roof tiles",
    "Rust": "rusty metal",
    "Snow": "snow",
    "Terrazzo": "terrazzo",
    "ThatchedRoof": "thatch",
    "Tiles": "tiles",
    "Wood": "wood",
    "WoodFloor": "parquet",
}


def material_of(family: str) -> str:
    """The material as which the judge counts a family."""
    return ALIKE.get(family, family)


class Judge(nn.Module):
    """Sheets (N, CHANNELS, h, w) on a torus, one cell for every 8x8 px, to scores for MATERIALS, COLOURS and WEARS.

    It does not see pixels but what `look` makes of them: latents, and how strong the grain is. That is twenty times
    cheaper to train than a classifier of pixels, and sees a joint or a weave as well; of blur it sees the grain's
    strength only.
    """

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        plan = ((CHANNELS, width, 1), (width, 128, 2), (128, 128, 1), (128, 192, 2))
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, stride) for a, b, stride in plan)
        self.norms = nn.ModuleList(nn.GroupNorm(8, b) for _, b, _ in plan)
        wide = 2 * (CHANNELS + sum(b for _, b, _ in plan))
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(wide, 256), nn.SiLU(), nn.Dropout(0.2), nn.Linear(256, len(names)))
            for names in (MATERIALS, COLOURS, WEARS)
        )

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """What the three heads see: mean and deviation of every layer over the picture, (N, features)."""
        return layer_statistics(self.convolutions, self.norms, x)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        features = self.features(x)
        material, tint, wear = (head(features) for head in self.heads)
        return material, tint, wear


def grain_strength(pixels: torch.Tensor) -> torch.Tensor:
    """Log of the mean absolute differences of the luma at 1 and 2 px along both axes in every 8x8 px: (N, 4, h, w)."""
    luma = (pixels * pixels.new_tensor((0.299, 0.587, 0.114))[:, None, None]).sum(1, keepdim=True)
    parts = [
        functional.avg_pool2d((luma - luma.roll(step, axis)).abs(), PIXELS_PER_LATENT)
        for step in (1, 2)
        for axis in (-1, -2)
    ]
    return torch.log(torch.cat(parts, 1) + 0.01) + 3.0


@torch.no_grad()
def look(encoder: AutoencoderTiny, pixels: np.ndarray, latents: np.ndarray | None = None) -> torch.Tensor:
    """What the judge sees of uint8 pictures (N, H, W, 3): float16 (N, CHANNELS, H / 8, W / 8).

    latents: the encoder's, where they are known already.
    """
    if latents is None:
        latents = encode_tiles(encoder, pixels)
    grain = [grain_strength(to_batch(pixels[i : i + 64])) for i in range(0, len(pixels), 64)]
    return torch.cat((torch.from_numpy(latents), torch.cat(grain).half()), 1)


@torch.no_grad()
def give_back(model: AutoencoderTiny, latents: np.ndarray) -> np.ndarray:
    """What the autoencoder's decoder makes of latents (N, C, h, w): uint8 pictures (N, H, W, 3)."""
    parts = []
    for start in range(0, len(latents), 64):
        with cache.mixed_precision():
            y = model.decoder(torch.from_numpy(latents[start : start + 64]).float()).float()
        parts.append(y.add(1).mul(127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy())
    return np.concatenate(parts)


@dataclass(frozen=True)
class Bench:
    """A judge with the encoder through which it looks; both are frozen, whatever encoder the judged model has."""

    encoder: AutoencoderTiny
    judge: Judge

    def look(self, pixels: np.ndarray) -> torch.Tensor:
        return look(self.encoder, pixels).float()

    @torch.no_grad()
    def features_of(self, sheets: torch.Tensor) -> np.ndarray:
        """What the heads see, float32 (N, features), of what `look` made of N pictures."""
        return np.concatenate([self.judge.features(part.float()).numpy() for part in sheets.split(64)])

    def features(self, pixels: np.ndarray) -> np.ndarray:
        """What the heads see of uint8 pictures (N, H, W, 3): float32 (N, features)."""
        return self.features_of(look(self.encoder, pixels))

    @torch.no_grad()
    def verdicts(self, pixels: np.ndarray, colours: tuple[str | None, ...] = COLOURS) -> list["Verdict"]:
        """Name what is in uint8 pictures (N, H, W, 3) of any size from 128 px; the colour is chosen from `colours`."""
        allowed = [COLOURS.index(colour) for colour in colours]
        out = []
        for start in range(0, len(pixels), 64):
            material, tint, wear = self.judge(self.look(pixels[start : start + 64]))
            rows = zip(material.argmax(1), tint[:, allowed].argmax(1), wear.argmax(1), strict=True)
            out += [Verdict(MATERIALS[m], colours[c], WEARS[w]) for m, c, w in rows]
        return out


@dataclass(frozen=True)
class Verdict:
    """What the judge sees in one picture. `colour` is one of those it could choose from; None is "no colour named"."""

    material: str
    colour: str | None
    wear: str | None


def load(folder: Path) -> Bench:
    """The judge in the cache.

    Raises:
        FileNotFoundError: it has not been trained.
    """
    state, eye = cache.load(folder / "judge.ckpt"), cache.load(folder / "judge-encoder.ckpt")
    if state is None or eye is None:
        raise FileNotFoundError("no judge in the cache: run python -m tools.starter.train_judge first")
    model, encoder = Judge(), make_autoencoder()
    model.load_state_dict(state["average"])
    encoder.encoder.load_state_dict(eye)
    wrap(encoder.eval().requires_grad_(False))
    return Bench(encoder, model.eval().requires_grad_(False))


def score(bench: Bench, tiles: Tiles) -> dict[str, float]:
    """The shares of tiles whose material, colour (where one was named) and wear are named right."""
    verdicts = bench.verdicts(tiles.pixels)
    named = bench.verdicts(tiles.pixels, tuple(NAMED))
    right = [v.material == material_of(f) for v, f in zip(verdicts, tiles.families, strict=True)]
    tints = [v.colour == c for v, c in zip(named, tiles.colours, strict=True) if c is not None]
    wears = [v.wear == w for v, w in zip(verdicts, tiles.wears, strict=True)]
    plain = [r for r, wear in zip(right, tiles.wears, strict=True) if wear is None]
    shares = {"material": right, "material without wear": plain, "colour": tints, "wear": wears}
    return {name: float(np.mean(values)) for name, values in shares.items() if values}


def confusions(bench: Bench, tiles: Tiles, count: int = 12) -> list[tuple[str, str, int]]:
    """The most frequent mistakes: (right material, named material, how often)."""
    found: dict[tuple[str, str], int] = {}
    for verdict, family in zip(bench.verdicts(tiles.pixels), tiles.families, strict=True):
        if verdict.material != material_of(family):
            pair = (material_of(family), verdict.material)
            found[pair] = found.get(pair, 0) + 1
    return [(*pair, n) for pair, n in sorted(found.items(), key=lambda item: -item[1])[:count]]
