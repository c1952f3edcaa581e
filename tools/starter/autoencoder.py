# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the starter model's autoencoder, and encodes tiles. May import torch and diffusers."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch.nn import functional

from . import cache, losses
from .networks import MEAN_GREY, OPPONENT, PIXELS_PER_LATENT, make_autoencoder
from .pool import Crops, Pool, to_floats
from .schedule import Stage
from .settings import Settings
from .torus import wrap


def to_batch(pixels: np.ndarray) -> torch.Tensor:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W) in -1..1."""
    return to_floats(torch.from_numpy(pixels))


def roll_each(x: torch.Tensor) -> torch.Tensor:
    """Roll every sample of (N, C, H, W) by its own random offset on the torus."""
    shifts = [(int(torch.randint(x.shape[-2], ())), int(torch.randint(x.shape[-1], ()))) for _ in range(len(x))]
    return torch.stack([sample.roll(shift, (-2, -1)) for sample, shift in zip(x, shifts, strict=True)])


def reconstruction_loss(y: torch.Tensor, x: torch.Tensor, spectral_weight: float) -> torch.Tensor:
    """Pixel, local mean colour, gradient and local-spectrum differences, weighted."""
    tint = functional.avg_pool2d(y - x, PIXELS_PER_LATENT).abs().mean()
    sharp = 2.0 * losses.gradient_loss(y, x) + spectral_weight * losses.spectral_loss(y, x)
    return (y - x).abs().mean() + tint + sharp


def latent_penalty(z: torch.Tensor) -> torch.Tensor:
    """Zero for latents (N, C, H, W) whose channels have mean 0 and variance 1 over the batch."""
    variance, mean = torch.var_mean(z, dim=(0, 2, 3))
    return mean.square().mean() + variance.clamp_min(1e-6).log().square().mean()


def anchor_loss(z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """1 - correlation of the first three channels with brightness and colour: guidance per channel rests on it."""
    mean = functional.avg_pool2d((x + 1) / 2, PIXELS_PER_LATENT) - MEAN_GREY
    wanted = torch.einsum("kc,nchw->nkhw", OPPONENT.to(x.device), mean)
    a, b = (t.transpose(0, 1).flatten(1) for t in (z[:, :3], wanted))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return (1.0 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6)).mean()


def noised(z: torch.Tensor) -> torch.Tensor:
    """Latents with a little noise, of a strength that wanders: what the denoiser gets not quite right is to decode."""
    return z + 0.1 * torch.rand(len(z), 1, 1, 1, device=z.device) * torch.randn_like(z)


def draw(pool: Pool, crops: Crops | None, batch: int, sharp: float) -> torch.Tensor:
    """Whole tiles, and a share of pieces of real surfaces at full sharpness: (batch, 3, size, size)."""
    pieces = round(batch * sharp) if crops is not None else 0
    parts = [pool.draw(batch - pieces)[0]]
    if crops is not None and pieces:
        parts.append(crops.draw(pieces, pool.size))
    return torch.cat(parts).contiguous(memory_format=torch.channels_last)


def train(
    folder: Path,
    minutes: float,
    seed: int,
    settings: Settings,
    pool: Pool,
    crops: Crops | None,
    start: AutoencoderTiny | None = None,
) -> AutoencoderTiny:
    """Train, or go on training, for `minutes` in all; returns the averaged weights.

    Latents are noised a little, and in every fifth batch they are halved and must decode to the halved image (as
    in EQ-VAE, Kouzelis et al. 2025): both keep them smooth, which is what the denoiser needs.
    """
    model = (start or make_autoencoder()).train().requires_grad_(True)
    wrap(model.to(pool.device, memory_format=torch.channels_last))
    rate = settings.rates["autoencoder"]
    stage = Stage("autoencoder", model, folder, minutes, peak=rate, seed=seed, decay=0.999)
    rng = np.random.default_rng((seed, stage.step))
    while not stage.done:
        x = draw(pool, crops, settings.autoencoder_batch, settings.sharp)
        with cache.mixed_precision(pool.device):
            z = model.encoder(x)
        z = z.float()
        regular, target = 0.02 * latent_penalty(z) + 0.1 * anchor_loss(z, x), x
        if rng.random() < 0.2:
            z, target = functional.avg_pool2d(z, 2), functional.avg_pool2d(x, 2)
        with cache.mixed_precision(pool.device):
            y = model.decoder(noised(z))
        loss = reconstruction_loss(y.float(), target, 0.1)
        stage.update(loss + regular)
        if stage.step % 100 == 0:
            stage.report(loss=loss.item(), regular=regular.item())
    average = stage.average
    assert isinstance(average, AutoencoderTiny)
    return average


@torch.no_grad()
def encode_tiles(model: AutoencoderTiny, pixels: np.ndarray, batch: int = 16) -> np.ndarray:
    """Raw latents of tiles, float16 (count, channels, height / 8, width / 8), computed by `cache.mixed_precision`."""
    parts, device = [], next(model.parameters()).device
    for start in range(0, len(pixels), batch):
        with cache.mixed_precision(device):
            latents = model.encoder(to_batch(pixels[start : start + batch]).to(device))
        parts.append(latents.float().half().cpu().numpy())
    return np.concatenate(parts)


@torch.no_grad()
def measure_scale(model: AutoencoderTiny, pool: Pool, batches: int = 24, batch: int = 64) -> float:
    """The scaling_factor that gives the latents variance 1."""
    parts = [model.encoder(pool.draw(batch)[0].contiguous(memory_format=torch.channels_last)) for _ in range(batches)]
    return 1.0 / float(torch.cat(parts).float().std())
