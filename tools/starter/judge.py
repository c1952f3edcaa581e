# SPDX-License-Identifier: GPL-3.0-or-later
"""A classifier that names material, colour and wear of a tile: it judges what the starter model draws.

`python -m tools.starter.judge` trains it on procedural tiles alone; it never sees a generated one, and is frozen once
trained. May import torch and the texture generator.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from . import cache
from .data import Tiles, make_tiles, read_tiles
from .schedule import Stage
from .textures import FAMILIES, WEAR
from .textures.colours import NAMED

SIZE = 128
BATCH = 32
MINUTES = 60.0
TEST_SEED = 77_000  # the tiles it is tested on are drawn from this seed, those of the training from smaller ones
TEST_COUNT = 2000

# Families that nobody could tell apart by one tile, in any colour and wear, count as one material.
ALIKE: dict[str, str] = {"rusty metal": "brushed metal"}
MATERIALS = tuple(dict.fromkeys(ALIKE.get(family, family) for family in FAMILIES))
COLOURS = (*NAMED, None)
WEARS = (*WEAR, None)


def material_of(family: str) -> str:
    """The material as which the judge counts a family."""
    return ALIKE.get(family, family)


class Judge(nn.Module):
    """(N, 3, H, W) in -1..1 on a torus to three rows of scores: MATERIALS, COLOURS and WEARS."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        plan = ((3, width, 2), (width, 2 * width, 2), (2 * width, 4 * width, 2))
        plan = (*plan, (4 * width, 4 * width, 1), (4 * width, 6 * width, 2), (6 * width, 6 * width, 1))
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, stride) for a, b, stride in plan)
        self.norms = nn.ModuleList(nn.GroupNorm(8, b) for _, b, _ in plan)
        wide = 2 * plan[-1][1] + 9  # mean and deviation over the tile, and colour as it is
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(wide, 256), nn.SiLU(), nn.Dropout(0.1), nn.Linear(256, len(names)))
            for names in (MATERIALS, COLOURS, WEARS)
        )

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """What the three heads see: (N, features)."""
        flat = x.flatten(2).float()
        colour = torch.cat((flat.mean(2), flat.std(2), flat[..., ::7].median(2).values), 1)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = torch.cat((x[..., -1:, :], x, x[..., :1, :]), -2)
            x = functional.silu(norm(convolution(torch.cat((x[..., -1:], x, x[..., :1]), -1))))
        x = x.flatten(2).float()
        return torch.cat((x.mean(2), x.std(2), colour), 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        features = self.features(x)
        material, tint, wear = (head(features) for head in self.heads)
        return material, tint, wear


@dataclass(frozen=True)
class Verdict:
    """What the judge sees in one picture. `colour` is one of those it could choose from; None is "no colour named"."""

    material: str
    colour: str | None
    wear: str | None


def to_input(pixels: np.ndarray) -> torch.Tensor:
    """uint8 (N, H, W, 3) to float32 (N, 3, H, W) in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)


@torch.no_grad()
def judge(model: Judge, pixels: np.ndarray, colours: tuple[str | None, ...] = COLOURS) -> list[Verdict]:
    """Name what is in uint8 pictures (N, H, W, 3) of any size from 128 px; the colour is chosen from `colours`."""
    allowed = [COLOURS.index(colour) for colour in colours]
    out = []
    for start in range(0, len(pixels), 16):
        with torch.autocast("cpu", torch.bfloat16):
            material, tint, wear = model(to_input(pixels[start : start + 16]))
        rows = zip(material.argmax(1), tint[:, allowed].argmax(1), wear.argmax(1), strict=True)
        out += [Verdict(MATERIALS[m], colours[c], WEARS[w]) for m, c, w in rows]
    return out


def labels_of(tiles: Tiles) -> torch.Tensor:
    """(count, 3) int64: material, colour, wear."""
    rows = [
        (MATERIALS.index(material_of(family)), COLOURS.index(colour), WEARS.index(wear))
        for family, colour, wear in zip(tiles.families, tiles.colours, tiles.wears, strict=True)
    ]
    return torch.tensor(rows)


def train(folder: Path, tiles: Path, minutes: float, seed: int) -> Judge:
    """Train, or go on, for `minutes` in all on the 128 px tiles in `tiles`; returns the averaged weights."""
    model = Judge()
    stage = Stage("judge", model, folder, minutes, peak=2e-3, seed=seed, decay=0.995)
    average = stage.average
    assert isinstance(average, Judge)
    if stage.done:
        return average
    data = read_tiles(tiles, SIZE)
    labels = labels_of(data)
    rng = np.random.default_rng((seed, stage.step))
    while not stage.done:
        rows = np.sort(rng.integers(len(labels), size=BATCH))
        shift = tuple(int(n) for n in rng.integers(SIZE, size=2))
        x = to_input(data.pixels[rows]).roll(shift, (2, 3))
        x = x.flip(3) if rng.random() < 0.5 else x
        with torch.autocast("cpu", torch.bfloat16):
            scores = model(x)
        wanted = labels[torch.from_numpy(rows)]
        losses = [functional.cross_entropy(scores[i].float(), wanted[:, i], label_smoothing=0.02) for i in range(3)]
        stage.update(losses[0] + 0.5 * losses[1] + 0.5 * losses[2])
        if stage.step % 100 == 0:
            right = [float((scores[i].argmax(1) == wanted[:, i]).float().mean()) for i in range(3)]
            stage.report(loss=losses[0].item(), material=right[0], colour=right[1], wear=right[2])
    return average


def load(folder: Path) -> Judge:
    """The judge in the cache.

    Raises:
        FileNotFoundError: it has not been trained.
    """
    state = cache.load(folder / "judge.ckpt")
    if state is None:
        raise FileNotFoundError("no judge in the cache: run python -m tools.starter.judge first")
    model = Judge()
    model.load_state_dict(state["average"])
    return model.eval().requires_grad_(False)


def score(model: Judge, tiles: Tiles) -> dict[str, float]:
    """The shares of tiles whose material, colour (where one was named) and wear are named right."""
    verdicts = judge(model, tiles.pixels)
    named = judge(model, tiles.pixels, tuple(NAMED))
    right = [v.material == material_of(f) for v, f in zip(verdicts, tiles.families, strict=True)]
    tints = [v.colour == c for v, c in zip(named, tiles.colours, strict=True) if c is not None]
    wears = [v.wear == w for v, w in zip(verdicts, tiles.wears, strict=True)]
    plain = [r for r, wear in zip(right, tiles.wears, strict=True) if wear is None]
    return {
        "material": float(np.mean(right)),
        "material without wear": float(np.mean(plain)),
        "colour": float(np.mean(tints)),
        "wear": float(np.mean(wears)),
    }


def confusions(model: Judge, tiles: Tiles, count: int = 12) -> list[tuple[str, str, int]]:
    """The most frequent mistakes: (right material, named material, how often)."""
    found: dict[tuple[str, str], int] = {}
    for verdict, family in zip(judge(model, tiles.pixels), tiles.families, strict=True):
        if verdict.material != material_of(family):
            pair = (material_of(family), verdict.material)
            found[pair] = found.get(pair, 0) + 1
    return [(*pair, n) for pair, n in sorted(found.items(), key=lambda item: -item[1])[:count]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.starter.judge", description=__doc__)
    parser.add_argument("--cache", type=Path, default=cache.default_cache(), metavar="DIR")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    make_tiles(options.cache / "judge-tiles", SIZE, TEST_COUNT, TEST_SEED, processes=1)
    train(options.cache, options.cache / "tiles", options.minutes, options.seed)
    unseen = read_tiles(options.cache / "judge-tiles", SIZE)
    frozen = load(options.cache)
    figures = score(frozen, unseen)
    (options.cache / "judge.json").write_text(json.dumps(figures), encoding="utf-8")
    for name, share in figures.items():
        print(f"judge, unseen tiles: {name} {share:.3f}")
    for right, named, count in confusions(frozen, unseen):
        print(f"judge, unseen tiles: {right} taken for {named} {count} times of {TEST_COUNT}")


if __name__ == "__main__":
    main()
