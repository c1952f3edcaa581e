# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the small upscaler for the third pass of 8x, to do as the large one does there. May import numpy and torch.

What it enlarges was enlarged four times before, so it holds nothing finer than four pixels and the large network's
eleven times the work is hardly seen. The large one's own third pass is the target (distillation, after Hinton, Vinyals
and Dean, 2015).
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..starter import cache
from ..starter.schedule import Stage
from ..starter.torus import wrap
from .export import shipped
from .maps import Options
from .networks import make_late_upscaler, make_upscaler
from .pairs import Pairs
from .real import Real
from .upscaler import LEAST, Pictures

SOURCE = 40  # pixels of the picture that is enlarged eight times
MARGIN = 96  # of the result's that are not judged: a part of a picture doesn't repeat, and three passes saw its edge
POOL = 256  # examples in memory; making one costs as much as learning from eight
BATCH = 4


class Lessons:
    """Pictures enlarged four times by the large network, and eight times. Each is used some four times."""

    def __init__(self, pictures: Pictures, device: torch.device) -> None:
        self._pictures, self._device, self._pool = pictures, device, list[tuple[torch.Tensor, torch.Tensor]]()
        teacher = make_upscaler()
        teacher.load_state_dict(shipped("upscaler"))
        self._teacher = wrap(teacher).to(device, memory_format=torch.channels_last).eval().requires_grad_(False)

    def draw(self, rng: np.random.Generator, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Enlarged four and eight times: (N, 1, 160, 160) and (N, 1, 320, 320), 0..1."""
        self._pool = [*self._pool[1 - POOL :], self._make(rng)]
        chosen = [self._pool[int(index)] for index in rng.integers(len(self._pool), size=count)]
        return torch.cat([four for four, _eight in chosen]), torch.cat([eight for _four, eight in chosen])

    @torch.inference_mode()
    def _make(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        whole = self._pictures.draw(rng, 1)
        top, left = rng.integers(whole.shape[-1] - SOURCE + 1, size=2)
        one = whole[..., top : top + SOURCE, left : left + SOURCE]
        one = ((one * 255).round() / 255).to(self._device)
        four = self._teacher(self._teacher(one).clamp(0, 1)).clamp(0, 1)
        return four, self._teacher(four).clamp(0, 1)


def train(folder: Path, options: Options, pairs: Pairs, real: Real | None = None) -> nn.Module:
    """Train, or go on, for `options.minutes` in all; returns the averaged network, wrapped."""
    device = torch.device(options.device)
    torch.manual_seed(options.seed)
    network = wrap(make_late_upscaler()).to(device, memory_format=torch.channels_last)
    stage = Stage("late", network, folder, options.minutes, peak=options.peak, seed=options.seed, decay=0.998)
    rng = np.random.default_rng((options.seed, stage.step))
    lessons = Lessons(Pictures(pairs, real), device)
    while not stage.done:
        four, eight = lessons.draw(rng, BATCH * options.batch)
        with cache.mixed_precision(device):
            made = stage.model(four.contiguous(memory_format=torch.channels_last))
        error = (made.float() - eight)[..., MARGIN:-MARGIN, MARGIN:-MARGIN].square().mean((1, 2, 3))
        loss = (error + LEAST / 10).log().mean()
        stage.update(loss)
        if stage.step % 100 == 0:
            stage.report(log_mse=loss.item())
    return stage.average
