# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trainings of the map networks share: their examples, and their loop. May import numpy and torch."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..starter import cache
from ..starter.schedule import Stage
from ..starter.torus import wrap
from .crops import MARGIN, Examples, Origin
from .degrade import foreign_colors, some_blur, some_jpegs, some_noise
from .export import MODELS, shipped
from .networks import even_out, with_noise_level
from .pairs import DEPTH, Pairs

_KEPT_SHARE = {Origin.REAL: 0.6, Origin.TILE: 0.6}
Loss = tuple[torch.Tensor, dict[str, float]]  # and what it is made of


@dataclass(frozen=True)
class Options:
    """minutes: of training in all. fresh: from nothing, and not from the weights in the package. batch: how many times
    as many examples a step as a processor's core takes well. begin: models whose weights it begins with, None for those
    in the package. kept: models that it goes on making of drawings what they make of them, likewise. steps: instead of
    minutes, to compare trainings on a machine that others use; 0 for minutes."""

    minutes: float
    seed: int
    device: str = "cpu"
    fresh: bool = False
    batch: int = 1
    peak: float = 1e-3
    judge_every: int = 250
    begin: Path | None = None
    kept: Path | None = None
    steps: int = 0


class _Counted(Stage):
    """One that lasts for so many steps."""

    def __init__(self, steps: int, *args: Any, **options: Any) -> None:
        self._steps = steps
        super().__init__(*args, **options)

    @property
    def progress(self) -> float:
        return self.step / self._steps


def normals(height: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
    """OpenGL normals (N, 3, H, W), unit length, of periodic heights (N, 1, H, W); depth (N,): pixels for 0 to 1."""
    slope_x = (height.roll(-1, -1) - height.roll(1, -1)) / 2
    slope_down = (height.roll(-1, -2) - height.roll(1, -2)) / 2
    depth = depth.view(-1, 1, 1, 1)
    return functional.normalize(torch.cat((-slope_x * depth, slope_down * depth, torch.ones_like(height)), 1), dim=1)


def worsen(x: torch.Tensor, kept_share: float = 0.33) -> torch.Tensor:
    """What foreign pictures look like; that share of the batch stays as it is."""
    kept = torch.rand(len(x), 1, 1, 1) < kept_share
    worse = some_jpegs(some_noise(some_blur(foreign_colors(x), 0.4, 1.5), 0.4, 0.03), 0.25, 50, 95).clamp(0, 1)
    return torch.where(kept, x, worse)


def draw(pairs: Pairs, rng: np.random.Generator, count: int) -> Examples:
    """Drawings, whole tiles, turned and mirrored."""
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
    return Examples(Origin.DRAWN, tensor[:, :3], normals(tensor[:, 3:4], depth), tensor[:, 3:])


def correlation_loss(made: torch.Tensor, truth: torch.Tensor, least: float) -> torch.Tensor:
    """1 - r of each example (N, ...), the mean of all; those whose truth hardly varies (about `least`) count less."""
    made, truth = (x.flatten(1) - x.flatten(1).mean(1, keepdim=True) for x in (made, truth))
    deviations = truth.square().mean(1).sqrt()
    r = (made * truth).sum(1) / (made.square().sum(1) * truth.square().sum(1) + 1e-8).sqrt()
    weight = deviations / (deviations + least)
    return ((1 - r) * weight).sum() / weight.sum().clamp(min=1e-3)


def inner(x: torch.Tensor) -> torch.Tensor:
    """Without the margin of crops (..., H, W)."""
    return x[..., MARGIN:-MARGIN, MARGIN:-MARGIN]


def train(
    name: str,
    network: nn.Module,
    folder: Path,
    options: Options,
    examples: Callable[[np.random.Generator], list[Examples]],
    loss: Callable[..., Loss],
    judge: Callable[[nn.Module], dict[str, float]] | None = None,
) -> nn.Module:
    """Train, or go on, for `options.minutes` in all; returns the averaged network, wrapped.

    loss: of what the network (one of `networks`' U-Nets) makes of each part of the examples, these, and for drawings
    and painted pictures what the shipped one makes of them, unless it begins with nothing. judge: measures the averaged
    network now and then, for the log; what it takes is not counted.
    """
    device = torch.device(options.device)

    def picture(of: Examples) -> torch.Tensor:
        # real ones are foreign by themselves
        color = of.color if of.origin is Origin.PLAIN else worsen(of.color, _KEPT_SHARE.get(of.origin, 0.33))
        return with_noise_level(color).to(device).contiguous(memory_format=torch.channels_last)

    cache.seed_everything(options.seed)
    network = wrap(network).to(device, memory_format=torch.channels_last)
    former: nn.Module | None = None
    if options.fresh:
        even_out(network, picture(examples(np.random.default_rng(options.seed))[0]))
    else:
        network.load_state_dict(shipped(name, options.kept or MODELS))
        former = copy.deepcopy(network).eval().requires_grad_(False)
        network.load_state_dict(shipped(name, options.begin or MODELS))
    kind = partial(_Counted, options.steps) if options.steps else Stage
    stage = kind(name, network, folder, options.minutes, peak=options.peak, seed=options.seed, decay=0.998)
    rng = np.random.default_rng((options.seed, stage.step))
    while not stage.done:
        total, figures = torch.zeros((), device=device), {}
        for part in examples(rng):
            x, kept = picture(part), None
            with cache.mixed_precision(device):
                y = stage.model(x).float()
                if former is not None and part.origin in (Origin.DRAWN, Origin.PAINTED):
                    kept = former(x).float()
            summand, more = loss(y, part.to(device), kept)
            total, figures = total + summand, figures | more
        stage.update(total)
        if stage.step % 100 == 0:
            stage.report(**figures)
        if judge is not None and stage.step % options.judge_every == 0:
            print(
                f"{name}: judged",
                " ".join(f"{key} {value:.3f}" for key, value in judge(stage.average).items()),
                flush=True,
            )
            stage.pause()
    return stage.average
