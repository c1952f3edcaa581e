# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the starter's metallic network. May import numpy and torch.

What a material is shows in its texture and not in a pixel: this network works at a quarter of the size, sees 80 pixels,
and is given parts of many textures in each step. It learns roughness beside metallic, of which metals have little; the
roughness that is shipped is the surface network's, which does as well on known families, and better on others.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..starter import cache
from ..starter.schedule import Stage
from ..starter.torus import wrap
from . import maps
from .networks import even_out, make_metallic_network
from .pairs import SIDE, Pairs

BATCH = 16
PART = 64  # pixels of each example that a step sees
METAL = 3.0  # how much more a pixel of metal counts: one in twelve is
SHARPNESS = 8.0  # log odds from 0 to 1: a metallic of 1 is a chance of 98 in 100


def batch(pairs: Pairs, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Worsened colours (N, 3, S, S), metallic and roughness (N, S, S). A part wraps with an edge where it is cut."""
    color, surface, _ = maps.batch(pairs, np.sort(rng.integers(len(pairs), size=BATCH)))
    top, left = rng.integers(SIDE - PART + 1, size=2)
    part = (..., slice(top, top + PART), slice(left, left + PART))
    picture = maps.worsen(color[part]).contiguous(memory_format=torch.channels_last)
    return picture, surface[part][:, 2], surface[part][:, 1]


def loss(y: torch.Tensor, metallic: torch.Tensor, roughness: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
    """Of outputs (N, 3, S, S): metallic, roughness, and one that is not used.

    Metallic as log odds: with absolute differences nothing would be metal, since most things are not.
    """
    odds = (y[:, 0] - 0.5) * SHARPNESS
    metal = functional.binary_cross_entropy_with_logits(odds, metallic, 1 + METAL * metallic)
    rough = (y[:, 1] - roughness).square().mean()
    return metal + 4 * rough, {"metallic": metal.item(), "roughness": rough.item()}


def train(folder: Path, minutes: float, seed: int, pairs: Pairs) -> nn.Module:
    """Train, or go on, for `minutes` in all; returns the averaged network, wrapped."""
    cache.seed_everything(seed)
    network = wrap(make_metallic_network()).to(memory_format=torch.channels_last)
    even_out(network, batch(pairs, np.random.default_rng(seed))[0])
    stage = Stage("metallic", network, folder, minutes, peak=4e-4, seed=seed, decay=0.998)
    rng = np.random.default_rng((seed, stage.step))
    while not stage.done:
        picture, metallic, roughness = batch(pairs, rng)
        with cache.mixed_precision():
            y = stage.model(picture).float()
        total, figures = loss(y, metallic, roughness)
        stage.update(total)
        if stage.step % 100 == 0:
            stage.report(**figures)
    return stage.average
