# SPDX-License-Identifier: GPL-3.0-or-later
"""The map networks with their last layers solved, as checkpoints for the export. May import numpy and torch.

The upscaler is left as it was trained: solved too, its spectrum came out better, its PSNR a twentieth of a dB worse.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..starter import cache
from . import maps
from .pairs import Pairs
from .refit import refit

BATCHES = 60
METAL_WEIGHT = 6.0  # metal is rare, and balanced accuracy counts it as much as the rest

Example = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def solve(name: str, network: nn.Module, folder: Path, seed: int, pairs: Pairs) -> None:
    """Solve the last layer of the trained map network `name`, and keep the whole as `name`.solved."""
    cache.seed_everything(seed + 4)
    network = network.eval().to(memory_format=torch.channels_last)
    refit(network, _examples(name, pairs, np.random.default_rng(seed + 4)))
    cache.save(folder / f"{name}.solved", {"average": network.state_dict()})
    print(f"{name}: the last layer is solved", flush=True)


def _examples(name: str, pairs: Pairs, rng: np.random.Generator) -> Iterator[Example]:
    for _ in range(BATCHES):
        color, surface, normal = maps.batch(pairs, np.sort(rng.integers(len(pairs), size=maps.BATCH)))
        picture = maps.worsen(color).contiguous(memory_format=torch.channels_last)
        if name == "normal":
            yield picture, (normal + 1) / 2, torch.ones_like(normal[:, :1])
        else:
            weights = torch.ones_like(surface)
            weights[:, 2] += METAL_WEIGHT * surface[:, 2]
            yield picture, surface, weights
