# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the starter's relief network: height and normal. May import numpy and torch."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from addon.core.requests.finish import MapKind

from . import judging, maps
from .crops import Changes, Examples, Origin, PaintedSource, Source, plain
from .networks import make_relief_network
from .pairs import Pairs
from .real import TILE_SIDE, Real

DRAWN, PAINTED, DRESSED, REAL, PLAIN = 2, 1, 1, 3, 1  # examples a step
MAKES = (MapKind.HEIGHT, MapKind.NORMAL)
PLAIN_SIDE = 48  # pixels: three of the coarsest grid's and what the network's outer parts see
SIDE = 96  # of crops; drawings are whole tiles, since slopes do not stop at the edge of a part
KEPT = 4.0  # how much it counts where another thing is made of a drawing than the shipped network makes
# Of the slopes of the surfaces that it learns from: on others it sees but a part of what it sees on these, and where it
# is unsure the least angle is that of a flatter ground.
CERTAIN = 0.6


def loss(y: torch.Tensor, of: Examples, before: torch.Tensor | None = None) -> maps.Loss:
    """Of outputs (N, 4, H, W): a height and an encoded normal (0..1).

    Of heights the absolute and squared differences, and those of the slopes; of normals the angle and the difference.
    Real ones are as deep and as steep as their authors made them: there it counts too what goes up and down together.
    before: what the shipped network makes, for drawings and pictures painted by the starter model.
    """
    figures: dict[str, float] = {}
    total = y.new_zeros(())
    if before is not None:
        kept = (y - before).square().mean() + (y - before).abs().mean() / 4
        total, figures = KEPT * kept, {f"{of.origin} kept": kept.item()}
    if of.origin is Origin.PAINTED:
        return total, figures
    height, normal = of.surface[:, 0], of.normal
    if of.origin is Origin.PLAIN:
        vector = y[:, 1:] * 2 - 1
        flat = (y[:, 0] - 0.5).abs().mean() + (vector[:, :2]).abs().mean()
        return 0.5 * flat, {"plain": flat.item()}
    if of.origin is not Origin.DRAWN:
        y, height, normal = maps.inner(y), maps.inner(height), maps.inner(normal)
    vector = y[:, 1:] * 2 - 1
    together = maps.correlation_loss(vector[:, :2], normal[:, :2], 0.05)
    shapes = maps.correlation_loss(y[:, 0], height, 0.03)
    if of.origin is Origin.DRESSED:
        return 0.3 * together + 0.3 * shapes, figures | {"dressed slopes": together.item()}
    if of.origin is Origin.REAL:
        normal, height = flattened(normal), 0.5 + (height - 0.5) * CERTAIN
    difference = y[:, 0] - height
    heights = difference.abs().mean() + 2 * difference.square().mean()
    slopes = sum((difference.diff(dim=axis)).abs().mean() for axis in (-1, -2))
    cosine = functional.cosine_similarity(vector, normal, dim=1)
    plain = (vector - normal).abs().mean()
    figures |= {f"{of.origin} height": heights.item(), f"{of.origin} angle": _degrees(cosine).item()}
    if of.origin is Origin.DRAWN:
        return total + heights + slopes + 2 * (1 - cosine).mean() + plain, figures
    angle = (2 - 2 * cosine + 1e-4).sqrt().mean()  # nearly in radians: half of the surfaces are nearly flat
    figures |= {"slopes": together.item(), "shapes": shapes.item()}
    return heights + slopes + 1.5 * angle + plain + 0.7 * together + 0.5 * shapes, figures


def flattened(normal: torch.Tensor) -> torch.Tensor:
    """Normals (N, 3, H, W) of a ground that is `CERTAIN` times as steep."""
    across = normal[:, :2] * CERTAIN
    return functional.normalize(torch.cat((across, normal[:, 2:].clamp(min=0.1)), 1), dim=1)


def _degrees(cosine: torch.Tensor) -> torch.Tensor:
    return torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))).mean()


def dressed(drawn: Examples, rng: np.random.Generator, changes: Changes) -> Examples:
    """Drawings in other colors."""
    color = changes(rng, drawn.color, drawn.surface[:, 0], np.ones(len(drawn.color), bool))
    return replace(drawn, origin=Origin.DRESSED, color=color)


def train(folder: Path, options: maps.Options, pairs: Pairs, real: Real | None = None) -> nn.Module:
    """See `maps.train`."""
    sources: list[Callable[[np.random.Generator], Examples]] = []
    if real:
        source = Source([surface for surface in real.training if surface.normal is not None])
        colors = real.tiles.color if real.tiles is not None else np.empty((0, TILE_SIDE, TILE_SIDE, 3), np.uint8)
        changes, dressing = Changes(colors), Changes(colors, hollowed=0.5, dressed=1.0, swapped=0.0)
        sources.append(lambda rng: source.draw(rng, REAL * options.batch, SIDE, changed=changes))
        sources.append(lambda rng: dressed(maps.draw(pairs, rng, DRESSED * options.batch), rng, dressing))
        if real.painted:
            painted = PaintedSource(real.painted)
            sources.append(lambda rng: painted.draw(rng, PAINTED * options.batch, SIDE))

        sources.append(lambda rng: plain(rng, PLAIN * options.batch, PLAIN_SIDE))

    def examples(rng: np.random.Generator) -> list[Examples]:
        return [maps.draw(pairs, rng, DRAWN * options.batch), *(draw(rng) for draw in sources)]

    judge = partial(judging.watch, kinds=MAKES, surfaces=real.watched, tiles=None) if real else None
    return maps.train("relief", make_relief_network(), folder, options, examples, loss, judge)
