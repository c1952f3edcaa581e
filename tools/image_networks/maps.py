# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trainings of the map networks share: their examples, and their loop. May import numpy and torch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..starter import cache
from ..starter.schedule import Stage
from ..starter.torus import wrap
from .degrade import foreign_colors, some_blur, some_jpegs, some_noise
from .networks import even_out, with_noise_level
from .pairs import DEPTH, Pairs

Examples = tuple[torch.Tensor, ...]  # colors (N, 3, H, W), and what is wanted of them
Loss = tuple[torch.Tensor, dict[str, float]]  # and what it is made of


def normals(height: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
    """OpenGL normals (N, 3, H, W), unit length, of periodic heights (N, 1, H, W); depth (N,): pixels for 0 to 1."""
    slope_x = (height.roll(-1, -1) - height.roll(1, -1)) / 2
    slope_down = (height.roll(-1, -2) - height.roll(1, -2)) / 2
    depth = depth.view(-1, 1, 1, 1)
    return functional.normalize(torch.cat((-slope_x * depth, slope_down * depth, torch.ones_like(height)), 1), dim=1)


def worsen(x: torch.Tensor) -> torch.Tensor:
    """What foreign pictures look like; a third of the batch stays as it is."""
    kept = torch.rand(len(x), 1, 1, 1) < 0.33
    worse = some_jpegs(some_noise(some_blur(foreign_colors(x), 0.4, 1.5), 0.4, 0.03), 0.25, 50, 95).clamp(0, 1)
    return torch.where(kept, x, worse)


def draw(pairs: Pairs, rng: np.random.Generator, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Colors (N, 3, H, W), surface maps (N, 3, H, W: height, roughness, metallic), normals; turned and mirrored."""
    rows = np.sort(rng.integers(len(pairs), size=count))
    stacked = np.concatenate(
        (
            pairs.color[rows] / np.float32(255),
            pairs.height[rows][..., None] / np.float32(65535),
            pairs.roughness[rows][..., None] / np.float32(255),
            pairs.metallic[rows][..., None] / np.float32(255),
        ),
        -1,
    )
    turned = [np.rot90(one, int(np.random.randint(4))) for one in stacked]
    turned = [one[:, ::-1] if np.random.rand() < 0.5 else one for one in turned]
    tensor = torch.from_numpy(np.ascontiguousarray(turned)).permute(0, 3, 1, 2)
    depth = torch.from_numpy(DEPTH * pairs.magnification[rows])
    return tensor[:, :3], tensor[:, 3:], normals(tensor[:, 3:4], depth)


def train(
    name: str,
    network: nn.Module,
    folder: Path,
    minutes: float,
    seed: int,
    batch: Callable[[np.random.Generator], Examples],
    loss: Callable[..., Loss],
) -> nn.Module:
    """Train, or go on, for `minutes` in all; returns the averaged network, wrapped.

    loss: of what the network (one of `networks`' U-Nets) makes of the worsened colors, and of what is wanted.
    """

    def picture(color: torch.Tensor) -> torch.Tensor:
        return with_noise_level(worsen(color)).contiguous(memory_format=torch.channels_last)

    cache.seed_everything(seed)
    network = wrap(network).to(memory_format=torch.channels_last)
    even_out(network, picture(batch(np.random.default_rng(seed))[0]))
    stage = Stage(name, network, folder, minutes, peak=1e-3, seed=seed, decay=0.998)
    rng = np.random.default_rng((seed, stage.step))
    while not stage.done:
        color, *wanted = batch(rng)
        with cache.mixed_precision():
            y = stage.model(picture(color)).float()
        total, figures = loss(y, *wanted)
        stage.update(total)
        if stage.step % 100 == 0:
            stage.report(**figures)
    return stage.average
