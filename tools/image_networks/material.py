# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the starter's material network: metallic and roughness. May import numpy and torch.

What a material is shows in its texture and not in a pixel: this network sees far, and is given parts of many textures
in each step.
"""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from . import maps
from .networks import make_material_network
from .pairs import SIDE, Pairs

BATCH = 16
PART = 64  # pixels of each example that a step sees
METAL = 22.0  # how much more a pixel of metal counts: one in twelve is, and metals of a new kind are missed first
ROUGH = 8.0
SHARPNESS = 8.0  # log odds from 0 to 1: a metallic of 1 is a chance of 98 in 100


def batch(pairs: Pairs, rng: np.random.Generator) -> maps.Examples:
    """Colors (N, 3, S, S), metallic and roughness (N, S, S). A part wraps, with an edge where it is cut."""
    color, surface, _ = maps.draw(pairs, rng, BATCH)
    top, left = rng.integers(SIDE - PART + 1, size=2)
    part = (..., slice(top, top + PART), slice(left, left + PART))
    return color[part], surface[part][:, 2], surface[part][:, 1]


def loss(y: torch.Tensor, metallic: torch.Tensor, roughness: torch.Tensor) -> maps.Loss:
    """Of outputs (N, 3, S, S): metallic, roughness, and one that is not used.

    Metallic as log odds: with absolute differences nothing would be metal, since most things are not.
    """
    odds = (y[:, 0] - 0.5) * SHARPNESS
    metal = functional.binary_cross_entropy_with_logits(odds, metallic, 1 + METAL * metallic)
    rough = (y[:, 1] - roughness).square().mean()
    return metal + ROUGH * rough, {"metallic": metal.item(), "roughness": rough.item()}


def train(folder: Path, minutes: float, seed: int, pairs: Pairs) -> nn.Module:
    """See `maps.train`."""
    return maps.train("material", make_material_network(), folder, minutes, seed, partial(batch, pairs), loss)
