# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the starter's relief network: height and normal. May import numpy and torch."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from . import maps
from .networks import make_relief_network
from .pairs import Pairs

BATCH = 4  # whole tiles, since slopes do not stop at the edge of a part


def batch(pairs: Pairs, rng: np.random.Generator) -> maps.Examples:
    """Colors (N, 3, H, W), heights (N, H, W), normals (N, 3, H, W)."""
    color, surface, normal = maps.draw(pairs, rng, BATCH)
    return color, surface[:, 0], normal


def loss(y: torch.Tensor, height: torch.Tensor, normal: torch.Tensor) -> maps.Loss:
    """Of outputs (N, 4, H, W): a height and an encoded normal (0..1).

    Of heights the absolute and squared differences, and those of the slopes; of normals the angle and the difference.
    """
    difference, vector = y[:, 0] - height, y[:, 1:] * 2 - 1
    heights = difference.abs().mean() + 2 * difference.square().mean()
    slopes = sum((difference - difference.roll(1, axis)).abs().mean() for axis in (-1, -2))
    angle = 1 - functional.cosine_similarity(vector, normal, dim=1).mean()
    plain = (vector - normal).abs().mean()
    figures = {"height": heights.item(), "angle": angle.item(), "plain": plain.item()}
    return heights + slopes + 2 * angle + plain, figures


def train(folder: Path, minutes: float, seed: int, pairs: Pairs) -> nn.Module:
    """See `maps.train`."""
    return maps.train("relief", make_relief_network(), folder, minutes, seed, partial(batch, pairs), loss)
