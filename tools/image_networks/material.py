# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the starter's material network: metallic and roughness. May import numpy and torch.

What a material is shows in its texture and not in a pixel: this network sees far, and is given parts of many textures
in each step.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from addon.core.requests.finish import MapKind

from . import judging, maps
from .crops import Examples, Origin, Source, TileSource
from .networks import make_material_network
from .pairs import SIDE, Pairs
from .real import Real

DRAWN, REAL, TILES, FLAT = 16, 3, 3, 1  # examples a step
MAKES = (MapKind.METALLIC, MapKind.ROUGHNESS)
PART = 64  # pixels of each drawing that a step sees
CROP = 128  # of each real one: what a material is shows further around
METAL = 22.0  # how much more a drawn pixel of metal counts: one in twelve is, and metals of a new kind are missed first
REAL_METALS = 0.3  # share of real crops and tiles that are metals
NO_METAL = 2.0  # how much more a real pixel counts that is none: stone that shines like steel is seen first
ROUGH = 8.0
KEPT = 40.0  # how much it counts where another thing is made of a drawing than the shipped network makes
# Of the drawings' own maps beside that: what is left of their error cannot be learned, and would drown real ones.
OWN = 0.25
# Real roughness is learned so much nearer to what is usual: on other surfaces the network is right by about that part.
CERTAIN, USUAL = 0.6, 0.58
SHARPNESS = 8.0  # log odds from 0 to 1: a metallic of 1 is a chance of 98 in 100


def loss(y: torch.Tensor, of: Examples, before: torch.Tensor | None = None) -> maps.Loss:
    """Of outputs (N, 3, S, S): metallic, roughness, and one that is not used.

    Metallic as log odds: with absolute differences nothing would be metal, since most things are not.
    before: what the shipped network makes of drawings: it was trained for longer than this one is.
    """
    metallic, roughness = of.surface[:, 2], of.surface[:, 1]
    if of.origin is not Origin.DRAWN:
        y, metallic, roughness = maps.inner(y), maps.inner(metallic), maps.inner(roughness)
    odds, rough = (y[:, 0] - 0.5) * SHARPNESS, y[:, 1]
    known = (~metallic.isnan()).float()
    metallic = metallic.nan_to_num()
    weight = 1 + METAL * metallic if of.origin is Origin.DRAWN else 1 + (NO_METAL - 1) * (1 - metallic)
    metal = functional.binary_cross_entropy_with_logits(odds, metallic, weight * known)
    if of.origin is Origin.DRAWN:
        square = (rough - roughness).square().mean()
        figures = {"metallic": metal.item(), "roughness": square.item()}
        if before is None:
            return metal + ROUGH * square, figures
        made, former = (x[:, :2].clamp(-0.25, 1.25) for x in (y, before))  # metallic further out is as sure
        kept = (made - former).square().mean()
        return OWN * (metal + ROUGH * square) + KEPT * kept, figures | {"kept": kept.item()}
    roughness = USUAL + CERTAIN * (roughness - USUAL)
    of_mean = (rough.mean((1, 2)) - roughness.mean((1, 2))).abs().nanmean().nan_to_num()
    figures = {f"{of.origin} metallic": metal.item(), "mean": of_mean.item()}
    if of.origin is Origin.TILE:
        return metal + of_mean, figures
    places = (rough - roughness).abs().nanmean().nan_to_num()
    detail = maps.correlation_loss(rough, roughness.nan_to_num(), 0.05)
    return metal + 3 * of_mean + 2 * places + 0.2 * detail, figures | {"places": places.item()}


def part(examples: Examples, rng: np.random.Generator) -> Examples:
    """A part of drawings; it wraps, with an edge where it is cut."""
    top, left = rng.integers(SIDE - PART + 1, size=2)
    return examples.cut(slice(top, top + PART), slice(left, left + PART))


def train(folder: Path, options: maps.Options, pairs: Pairs, real: Real | None = None) -> nn.Module:
    """See `maps.train`."""
    sources: list[Callable[[np.random.Generator], Examples]] = []
    if real:
        metals = np.array([one.metallic is not None and one.metallic.mean() > 0.5 for one in real.training])
        source = Source(real.training, _balanced(metals))
        sources.append(lambda rng: source.draw(rng, REAL * options.batch, CROP, lit=0.1))
        if real.tiles is not None:
            tiles = TileSource(real.tiles, _balanced(real.tiles.metal == 1), real.training)
            sources.append(lambda rng: tiles.draw(rng, TILES * options.batch, FLAT * options.batch))

    def examples(rng: np.random.Generator) -> list[Examples]:
        drawn = part(maps.draw(pairs, rng, DRAWN * options.batch), rng)
        return [drawn, *(draw(rng) for draw in sources)]

    judge = partial(judging.watch, kinds=MAKES, surfaces=real.watched, tiles=real.watched_tiles) if real else None
    return maps.train("material", make_material_network(), folder, options, examples, loss, judge)


def _balanced(metals: np.ndarray) -> np.ndarray:
    share = np.where(metals, REAL_METALS / max(metals.sum(), 1), (1 - REAL_METALS) / max((~metals).sum(), 1))
    return share.astype(np.float64)
