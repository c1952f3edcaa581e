# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the starter model's denoiser by flow matching on encoded tiles. May import torch and diffusers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from . import cache
from .encoded import Encoded
from .networks import LATENT_CHANNELS, TRAIN_TIMESTEPS
from .schedule import Stage
from .settings import LARGE, SMALL, Settings
from .words import Words

Network = Callable[..., Any]


@dataclass(frozen=True)
class Material:
    """What the denoiser and its distillation learn from: encoded tiles by size, and captions."""

    tiles: Mapping[int, Encoded]
    words: Words
    settings: Settings

    @torch.no_grad()
    def draw(self, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch of latents (N, C, h, w) of variance about 1, and the states of a caption each, some of them empty."""
        latents, ids = self.tiles[size].draw(self.settings.batch[size])
        return latents, self.words.blurred(ids, self.settings)


def guidance(settings: Settings) -> torch.Tensor:
    """The guidance scale of each latent channel, (C, 1, 1).

    The first is brightness, the next two are colour (`autoencoder.anchor_loss` keeps them so), the others detail.
    Guidance sharpens a layout, but makes colour garish: moss pushes the bricks below it to pink.
    """
    light, colour, detail = settings.guidance
    return torch.tensor((light, colour, colour, *(detail,) * (LATENT_CHANNELS - 3)))[:, None, None]


def draw_sigmas(count: int, device: torch.device | None = None) -> torch.Tensor:
    """Noise levels in 0..1, (count,): logit-normal, for the middle is the hardest, and a fifth uniform for the ends."""
    sigmas = torch.sigmoid(0.2 + 1.1 * torch.randn(count, device=device))
    return torch.where(torch.rand(count, device=device) < 0.2, torch.rand(count, device=device), sigmas)


def mixed(latents: torch.Tensor, noise: torch.Tensor, sigmas: torch.Tensor) -> torch.Tensor:
    """The point at `sigmas` (N,) on the straight path from latents to noise."""
    mix = sigmas[:, None, None, None]
    return ((1 - mix) * latents + mix * noise).contiguous(memory_format=torch.channels_last)


def velocity(model: Network, x: torch.Tensor, sigmas: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """What the network says of `noise - latents` at x."""
    with cache.mixed_precision(x.device):
        out: torch.Tensor = model(x, sigmas * TRAIN_TIMESTEPS, states, return_dict=False)[0]
    return out.float()


def flow_loss(
    model: Network, latents: torch.Tensor, states: torch.Tensor, empty: torch.Tensor, scale: torch.Tensor | None
) -> torch.Tensor:
    """Mean squared error of the velocity `noise - latents` on the straight path between them (Lipman et al. 2023).

    With a scale, the model gives the guided velocity in one pass, a scale for each latent channel, which no sampler
    could be told. So what is compared with the data is the velocity that, guided so, would be the model's: without
    guidance itself, it is a step back towards what the model says of the empty caption (guidance-free training, Chen
    et al. 2025). The empty caption is taught as it is, so a guidance scale above 1 and a negative prompt still work.

    Args:
        latents: (N, C, h, w) with variance about 1.
        states: the captions' encoder states, (N, MAX_TOKENS, width).
        empty: those of the empty caption, (1, MAX_TOKENS, width).
        scale: see `guidance`; None for the plain velocity.
    """
    noise = torch.randn_like(latents)
    sigmas = draw_sigmas(len(latents), latents.device)
    x = mixed(latents, noise, sigmas)
    if scale is None:
        return (velocity(model, x, sigmas, states) - (noise - latents)).square().mean()
    unnamed = (states == empty).flatten(1).all(1)[:, None, None, None]
    with torch.no_grad():
        without = velocity(model, x, sigmas, empty.expand_as(states).contiguous())
    guided = velocity(model, x, sigmas, states)
    step = (guided - without) / scale
    return (torch.where(unnamed, guided, without + step) - (noise - latents)).square().mean()


def size_at(settings: Settings, progress: float, step: int) -> int:
    """Small tiles at first, for many cheap steps. Half stay small to the end: most real tiles are."""
    return SMALL if progress < settings.small or step % 2 else LARGE


def train(
    folder: Path, minutes: float, seed: int, material: Material, start: UNet2DConditionModel, network: Network
) -> UNet2DConditionModel:
    """Train, or go on training, for `minutes` in all; returns the averaged weights.

    Args:
        start: the network to begin with, wrapped, on the pools' device.
        network: the same, compiled or as it is.
    """
    settings = material.settings
    rate = settings.rates["denoiser"]
    stage = Stage("denoiser", start, folder, minutes, peak=rate, seed=seed, decay=settings.denoiser_decay)
    scale, empty = guidance(settings).to(material.words.device), material.words.empty
    losses: list[torch.Tensor] = []
    while not stage.done:
        size = size_at(settings, stage.progress, stage.step)
        latents, states = material.draw(size)
        loss = flow_loss(network, latents, states, empty, scale if stage.progress >= settings.plain else None)
        losses.append(loss.detach())
        stage.update(loss)
        if stage.step % 100 == 0 and losses:
            stage.report(loss=float(torch.stack(losses).nanmean()), size=size)
            losses.clear()
    return as_unet(stage.average)


def as_unet(model: nn.Module) -> UNet2DConditionModel:
    """The same, for the type checker."""
    assert isinstance(model, UNet2DConditionModel)
    return model
