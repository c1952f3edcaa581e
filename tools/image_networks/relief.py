# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the starter's relief network: height and normal. May import numpy and torch."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from addon.core.requests.finish import MapKind

from . import judging, maps
from .crops import Examples, Origin, Source
from .networks import make_relief_network
from .pairs import Pairs
from .real import Real

DRAWN, REAL = 2, 4  # examples a step
MAKES = (MapKind.HEIGHT, MapKind.NORMAL)
SIDE = 144  # of crops; drawings are whole tiles, since slopes do not stop at the edge of a part


def loss(y: torch.Tensor, of: Examples) -> maps.Loss:
    """Of outputs (N, 4, H, W): a height and an encoded normal (0..1).

    Of heights the absolute and squared differences, and those of the slopes; of normals the angle and the difference.
    Real ones are as deep and as steep as their authors made them: there it counts too what goes up and down together.
    """
    height, normal = of.surface[:, 0], of.normal
    if of.origin is not Origin.DRAWN:
        y, height, normal = maps.inner(y), maps.inner(height), maps.inner(normal)
    difference, vector = y[:, 0] - height, y[:, 1:] * 2 - 1
    heights = difference.abs().mean() + 2 * difference.square().mean()
    slopes = sum((difference.diff(dim=axis)).abs().mean() for axis in (-1, -2))
    cosine = functional.cosine_similarity(vector, normal, dim=1)
    plain = (vector - normal).abs().mean()
    figures = {f"{of.origin} height": heights.item(), "angle": _degrees(cosine).item()}
    if of.origin is Origin.DRAWN:
        return heights + slopes + 2 * (1 - cosine).mean() + plain, figures
    angle = (2 - 2 * cosine + 1e-4).sqrt().mean()  # nearly in radians: half of the surfaces are nearly flat
    together = maps.correlation_loss(vector[:, :2], normal[:, :2], 0.05)
    shapes = maps.correlation_loss(y[:, 0], height, 0.03)
    figures |= {"slopes": together.item(), "shapes": shapes.item()}
    return heights + slopes + 1.5 * angle + plain + together + 0.5 * shapes, figures


def _degrees(cosine: torch.Tensor) -> torch.Tensor:
    return torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))).mean()


def train(folder: Path, options: maps.Options, pairs: Pairs, real: Real | None = None) -> nn.Module:
    """See `maps.train`."""
    source = Source([surface for surface in real.training if surface.normal is not None]) if real else None

    def examples(rng: np.random.Generator) -> list[Examples]:
        drawn = maps.draw(pairs, rng, DRAWN * options.batch)
        return [drawn, source.draw(rng, REAL * options.batch, SIDE)] if source else [drawn]

    judge = partial(judging.watch, kinds=MAKES, surfaces=real.watched, tiles=None) if real else None
    return maps.train("relief", make_relief_network(), folder, options, examples, loss, judge)
