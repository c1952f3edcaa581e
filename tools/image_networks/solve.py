# SPDX-License-Identifier: GPL-3.0-or-later
"""The trained networks with their last layers solved, as checkpoints for the export. May import numpy and torch."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..starter import cache
from . import maps, upscaler
from .pairs import Pairs
from .refit import refit

BATCHES = 60
METAL_WEIGHT = 6.0  # as above in pairs: metal is rare, and balanced accuracy counts it as much as the rest

Example = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def solve(name: str, network: nn.Module, folder: Path, seed: int, pairs: Pairs) -> None:
    """Solve the last layer of the trained network `name`, and keep the whole as `name`.solved."""
    cache.seed_everything(seed + 4)
    rng = np.random.default_rng(seed + 4)
    network = network.eval().to(memory_format=torch.channels_last)
    if name == "upscaler":
        # it adds its picture to each of the four phases
        refit(network, _upscaler_examples(pairs, rng), lambda picture: picture.repeat_interleave(4, 1))
    else:
        refit(network, _map_examples(name, pairs, rng))
    cache.save(folder / f"{name}.solved", {"average": network.state_dict()})
    print(f"{name}: the last layer is solved", flush=True)


def _upscaler_examples(pairs: Pairs, rng: np.random.Generator) -> Iterator[Example]:
    sharp = np.flatnonzero(pairs.magnification <= 1)
    for _ in range(BATCHES):
        large = upscaler.to_batch(pairs.color[np.sort(rng.choice(sharp, upscaler.BATCH))])
        small = upscaler.worsen(large)
        yield small, nn.functional.pixel_unshuffle(large, 2), torch.ones(len(small), 1, *small.shape[-2:])


def _map_examples(name: str, pairs: Pairs, rng: np.random.Generator) -> Iterator[Example]:
    for _ in range(BATCHES):
        color, surface, normal = maps.batch(pairs, np.sort(rng.integers(len(pairs), size=maps.BATCH)))
        picture = maps.worsen(color).contiguous(memory_format=torch.channels_last)
        if name == "normal":
            yield picture, (normal + 1) / 2, torch.ones_like(normal[:, :1])
        else:
            weights = torch.ones_like(surface)
            weights[:, 2] += METAL_WEIGHT * surface[:, 2]
            yield picture, surface, weights
