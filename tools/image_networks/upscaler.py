# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the starter upscaler: 2x, on grey textures that were shrunk in several ways.

May import numpy and torch.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..starter import cache
from ..starter.schedule import Stage
from ..starter.torus import wrap
from .degrade import halve, some_blur, some_jpegs, some_noise
from .export import shipped
from .maps import Options
from .networks import make_upscaler, widen
from .pairs import SIDE, Pairs
from .real import Real

SETS, TILES = 0.45, 0.3  # shares of crops of real surfaces and of real tiles; the rest are drawings
SINGLE = 0.2  # share of single channels
TWICE = 0.3  # share of steps that enlarge four times, as two passes do
MARGIN = 8  # pixels at the edge that are not judged then
KERNELS = ("area", "area", "bicubic", "lanczos", "lanczos")
JPEGS = 0.1
BATCH = 6  # steps count more than samples
LEAST = 1e-5  # mean squared error that is as good as none; 8 bits make a tenth of it


def worsen(x: torch.Tensor, twice: bool = False) -> torch.Tensor:
    """Grey batch (N, 1, H, W) at half the size, a quarter if `twice`: mostly clean, some soft, noisy or from a JPEG."""
    small = some_blur(x, 0.1, 0.8)
    for _ in range(1 + twice):
        small = halve(small, KERNELS[int(torch.randint(len(KERNELS), ()))])
    small = some_noise(small, 0.08, 0.012).clamp(0, 1)
    small = some_jpegs(small.expand(-1, 3, -1, -1), JPEGS, 70, 95)[:, :1]
    return (small * 255).round() / 255


class Pictures:
    """Sharp pictures to learn from: drawings, and colors of real surfaces and tiles."""

    def __init__(self, pairs: Pairs, real: Real | None) -> None:
        # magnified textures hold no detail to learn from
        self._drawn = pairs.color[pairs.magnification <= 1]
        self._sets: list[NDArray[np.uint8]] = []
        self._tiles = np.empty((0, SIDE, SIDE, 3), np.uint8)
        if real is not None:
            surfaces = real.training + real.watched
            self._sets = [np.rint(surface.color * 255).astype(np.uint8) for surface in surfaces]
            self._periodic = [surface.tiles for surface in surfaces]
            if real.tiles is not None:
                self._tiles = real.tiles.color

    def draw(self, rng: np.random.Generator, count: int) -> torch.Tensor:
        """(N, 1, 128, 128) float32 in 0..1, turned and mirrored: mostly means of the channels, some single channels."""
        pictures = []
        for _ in range(count):
            u = rng.random()
            if self._sets and u < SETS:
                one = self._crop(rng, int(rng.integers(len(self._sets))))
            elif len(self._tiles) and u < SETS + TILES:
                one = self._tiles[rng.integers(len(self._tiles))]
            else:
                one = self._drawn[rng.integers(len(self._drawn))]
            one = np.rot90(one, rng.integers(4))
            one = (one[:, ::-1] if rng.random() < 0.5 else one) / np.float32(255)
            pictures.append(one[..., rng.integers(3)] if rng.random() < SINGLE else one.mean(-1))
        x = torch.from_numpy(np.stack(pictures)).unsqueeze(1)
        gain, gamma = (torch.from_numpy(rng.uniform(low, 1.25, (count, 1, 1, 1))).float() for low in (0.6, 0.8))
        return (x**gamma * gain).clamp(0, 1)

    def _crop(self, rng: np.random.Generator, index: int) -> NDArray[np.uint8]:
        picture, periodic = self._sets[index], self._periodic[index]
        height, width = picture.shape[:2]
        top = rng.integers(height if periodic else height - SIDE + 1)
        left = rng.integers(width if periodic else width - SIDE + 1)
        return picture[(top + np.arange(SIDE))[:, None] % height, (left + np.arange(SIDE)) % width]


def train(folder: Path, options: Options, pairs: Pairs, real: Real | None = None) -> nn.Module:
    """Train, or go on, for `options.minutes` in all; returns the averaged network, wrapped."""
    device = torch.device(options.device)
    torch.manual_seed(options.seed)
    network = make_upscaler()
    if not options.fresh:
        widen(network, shipped("upscaler"))
    network = wrap(network).to(device, memory_format=torch.channels_last)
    stage = Stage("upscaler", network, folder, options.minutes, peak=options.peak, seed=options.seed, decay=0.998)
    rng = np.random.default_rng((options.seed, stage.step))
    pictures = Pictures(pairs, real)
    while not stage.done:
        large = pictures.draw(rng, BATCH * options.batch)
        twice = rng.random() < TWICE
        small = worsen(large, twice)
        wanted = large if not twice else large[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
        x = small.to(device).contiguous(memory_format=torch.channels_last)
        with cache.mixed_precision(device):
            made = stage.model(stage.model(x).clamp(0, 1)) if twice else stage.model(x)
        made = made.float()
        made = made if not twice else made[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
        # Decibels, as it is judged: what can be gained on a smooth texture counts as much as the grain that cannot
        loss = ((made - wanted.to(device)).square().mean((1, 2, 3)) + LEAST).log().mean()
        stage.update(loss)
        if stage.step % 100 == 0:
            stage.report(**{"log_mse twice" if twice else "log_mse": loss.item()})
    return stage.average
