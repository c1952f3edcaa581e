# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the starter upscaler: 2x, on single channels of textures that were shrunk in several ways.

May import numpy and torch.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..starter import cache
from ..starter.schedule import Stage
from ..starter.torus import wrap
from .degrade import halve, some_blur, some_jpegs, some_noise
from .export import shipped
from .networks import make_upscaler
from .pairs import Pairs

BATCH = 6  # steps count more than samples
LEAST = 1e-5  # mean squared error that is as good as none; 8 bits make a tenth of it


def worsen(x: torch.Tensor) -> torch.Tensor:
    """Half-size batch of what an upscaler is given: mostly clean, sometimes soft, noisy or from a JPEG."""
    x = some_blur(x, 0.1, 0.8)
    small = halve(x, ("area", "bicubic", "lanczos", "lanczos")[int(torch.randint(4, ()))])
    small = some_jpegs(some_noise(small, 0.08, 0.012), 0.05, 70, 95).clamp(0, 1)
    return (small * 255).round() / 255


def to_batch(color: np.ndarray) -> torch.Tensor:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W) in 0..1, each turned and mirrored at random."""
    turned = [np.rot90(one, int(np.random.randint(4))) for one in color]
    turned = [one[:, ::-1] if np.random.rand() < 0.5 else one for one in turned]
    return torch.from_numpy(np.ascontiguousarray(turned)).permute(0, 3, 1, 2).float() / 255


def train(folder: Path, minutes: float, seed: int, pairs: Pairs) -> nn.Module:
    """Train, or go on, for `minutes` in all, beginning with what is shipped; returns the averaged network, wrapped."""
    torch.manual_seed(seed)
    network = make_upscaler()
    network.load_state_dict(shipped("upscaler"))
    network = wrap(network).to(memory_format=torch.channels_last)
    stage = Stage("upscaler", network, folder, minutes, peak=1.5e-3, seed=seed, decay=0.998)
    rng = np.random.default_rng((seed, stage.step))
    # magnified textures hold no detail to learn from
    sharp = np.flatnonzero(pairs.magnification <= 1)
    while not stage.done:
        large = to_batch(pairs.color[np.sort(rng.choice(sharp, BATCH))])
        small = worsen(large)
        channels = torch.arange(BATCH), torch.from_numpy(rng.integers(3, size=BATCH))
        x, y = small[channels].unsqueeze(1), large[channels].unsqueeze(1)
        with cache.mixed_precision():
            made = stage.model(x.contiguous(memory_format=torch.channels_last)).float()
        # Decibels, as it is judged: what can be gained on a smooth texture counts as much as the grain that cannot
        loss = ((made - y).square().mean((1, 2, 3)) + LEAST).log().mean()
        stage.update(loss)
        if stage.step % 100 == 0:
            stage.report(log_mse=loss.item())
    return stage.average
