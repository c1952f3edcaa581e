# SPDX-License-Identifier: GPL-3.0-or-later
"""The map networks with their last layer solved, as a checkpoint for the export. May import numpy and torch.

Not for the normal, which is judged by its mean angle: least squares are not that.
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

BATCHES = 100
METAL_WEIGHT = 6.0  # metal is rare, and balanced accuracy counts it as much as the rest

Example = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def solve(network: nn.Module, folder: Path, seed: int, pairs: Pairs) -> None:
    """Solve the last layer of the trained map network, and keep the whole as `maps.solved`."""
    cache.seed_everything(seed + 4)
    network = network.eval().to(memory_format=torch.channels_last)
    errors = refit(network, _examples(pairs, np.random.default_rng(seed + 4)), 3)
    cache.save(folder / "maps.solved", {"average": network.state_dict()})
    text = " ".join(f"{error:.2f}" for error in errors)
    print(f"maps: solved; on families left out, of a constant's squared error: {text}", flush=True)


def _examples(pairs: Pairs, rng: np.random.Generator) -> Iterator[Example]:
    for _ in range(BATCHES):
        rows = np.sort(rng.integers(len(pairs), size=maps.BATCH))
        color, surface, _ = maps.batch(pairs, rows)
        weights = torch.ones_like(surface)
        weights[:, 2] += METAL_WEIGHT * surface[:, 2]
        picture = maps.worsen(color).contiguous(memory_format=torch.channels_last)
        yield picture, surface, weights, torch.from_numpy(pairs.family[rows])
