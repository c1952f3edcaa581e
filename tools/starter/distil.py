# SPDX-License-Identifier: GPL-3.0-or-later
"""Teaches the denoiser to take a few long steps. May import torch and diffusers."""

import copy
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

from . import compiling
from .denoiser import Material, Network, as_unet, mixed, velocity
from .networks import STEPS, make_scheduler
from .schedule import Stage
from .settings import LARGE, SMALL


def grid(steps: int = STEPS) -> torch.Tensor:
    """The sigmas of the scheduler, from 1 to 0: (steps + 1,)."""
    scheduler = make_scheduler()
    scheduler.set_timesteps(steps)
    return scheduler.sigmas.float()


@torch.no_grad()
def two_steps(
    teacher: Network, x: torch.Tensor, high: torch.Tensor, low: torch.Tensor, states: torch.Tensor
) -> torch.Tensor:
    """Where the teacher comes to from x on the way from sigmas `high` to `low` (N,), by the midpoint rule, twice."""
    at, half = high, (low - high) / 4
    along = half[:, None, None, None]
    for _ in range(2):
        middle = x + along * velocity(teacher, x, at, states)
        middle = middle.contiguous(memory_format=torch.channels_last)
        x = x + 2 * along * velocity(teacher, middle, at + half, states)
        x = x.contiguous(memory_format=torch.channels_last)
        at = at + 2 * half
    return x


@torch.no_grad()
def moved(student: UNet2DConditionModel, teacher: UNet2DConditionModel, before: UNet2DConditionModel) -> None:
    """Give a student what its teacher has learned since: the change of every weight from `before` to `teacher`.

    It is then nearly the new teacher's student, and a short distillation does the rest.
    """
    for own, new, old in zip(student.parameters(), teacher.parameters(), before.parameters(), strict=True):
        own += new.to(own.device) - old.to(own.device)


def train(
    folder: Path,
    minutes: float,
    seed: int,
    material: Material,
    teacher: UNet2DConditionModel,
    compiled: bool,
    start: UNet2DConditionModel | None = None,
) -> UNet2DConditionModel:
    """Train, or go on training, for `minutes` in all; returns the averaged weights.

    From the teacher's weights on, or from `start`, each of `STEPS` steps is to go as the teacher goes in two of second
    order (progressive distillation, Salimans and Ho 2022). What is learned is for Euler's rule: the scheduler with
    solver_order 1.

    Args:
        teacher: wrapped, on the pools' device.
        compiled: whether both are to be compiled.
        start: wrapped, as the teacher.
    """
    own = (start or copy.deepcopy(teacher)).train().requires_grad_(True)
    teacher.eval().requires_grad_(False)
    rate = material.settings.rates["distil"]
    stage = Stage("distil", own, folder, minutes, peak=rate, seed=seed, decay=0.99)
    sigmas = grid().to(material.words.device)
    known, run = (compiling.network(model, compiled) for model in (teacher, stage.model))
    while not stage.done:
        latents, states = material.draw(LARGE if stage.step % 2 else SMALL)
        which = torch.randint(STEPS, (len(latents),), device=latents.device)
        high, low = sigmas[which], sigmas[which + 1]
        start = mixed(latents, torch.randn_like(latents), high)
        target = (two_steps(known, start, high, low, states) - start) / (low - high)[:, None, None, None]
        loss = (velocity(run, start, high, states) - target).square().mean()
        stage.update(loss)
        if stage.step % 100 == 0:
            stage.report(loss=loss.item())
    return as_unet(stage.average)
