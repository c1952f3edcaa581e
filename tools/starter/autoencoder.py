# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the starter model's autoencoder on 64 px tiles, and encodes the tiles. May import torch and diffusers."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from PIL import Image

from . import cache, losses
from .data import read_tiles
from .networks import make_autoencoder
from .schedule import Stage
from .torus import wrap

# Detail is local: small tiles buy more steps in the same time, and steps are what the training is short of.
BATCH = 8
SIZE = 64


def to_batch(pixels: np.ndarray) -> torch.Tensor:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W) in -1..1."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def roll_each(x: torch.Tensor) -> torch.Tensor:
    """Roll every sample of (N, C, H, W) by its own random offset on the torus."""
    shifts = [(int(torch.randint(x.shape[-2], ())), int(torch.randint(x.shape[-1], ()))) for _ in range(len(x))]
    return torch.stack([sample.roll(shift, (-2, -1)) for sample, shift in zip(x, shifts, strict=True)])


def reconstruction_loss(
    y: torch.Tensor, x: torch.Tensor, spectral_weight: float = 0.1
) -> tuple[torch.Tensor, dict[str, float]]:
    """Pixel, local mean colour, gradient and local-spectrum differences, weighted; and each alone, for the log."""
    pixel, gradient, spectral = (y - x).abs().mean(), losses.gradient_loss(y, x), losses.spectral_loss(y, x)
    tint = torch.nn.functional.avg_pool2d(y - x, 8).abs().mean()
    figures = {"pixel": pixel.item(), "tint": tint.item(), "gradient": gradient.item(), "spectral": spectral.item()}
    return pixel + tint + 2.0 * gradient + spectral_weight * spectral, figures


def latent_penalty(z: torch.Tensor) -> torch.Tensor:
    """Zero for latents (N, C, H, W) whose channels have mean 0 and variance 1 over the batch."""
    variance, mean = torch.var_mean(z, dim=(0, 2, 3))
    return mean.square().mean() + variance.clamp_min(1e-6).log().square().mean()


def train(folder: Path, minutes: float, seed: int) -> AutoencoderTiny:
    """Train, or go on training, for `minutes` in all; returns the averaged weights.

    Latents are noised a little, and in every fifth batch they are halved and must decode to the halved image (as
    in EQ-VAE, Kouzelis et al. 2025): both keep them smooth, which is what the denoiser needs.
    """
    model = make_autoencoder()
    wrap(model)
    stage = Stage("autoencoder", model, folder, minutes, peak=6e-4, seed=seed, decay=0.995)
    if stage.done:
        return _finished(stage)
    pixels = read_tiles(folder / "tiles", SIZE).pixels
    rng = np.random.default_rng((seed, stage.step))
    while not stage.done:
        x = roll_each(to_batch(pixels[np.sort(rng.integers(len(pixels), size=BATCH))]))
        with cache.mixed_precision():
            z = model.encoder(x)
        z = z.float()
        penalty = latent_penalty(z)
        target = x
        if rng.random() < 0.2:
            z, target = torch.nn.functional.avg_pool2d(z, 2), torch.nn.functional.avg_pool2d(x, 2)
        z = z + 0.1 * torch.rand(len(z), 1, 1, 1) * torch.randn_like(z)
        with cache.mixed_precision():
            y = model.decoder(z)
        loss, figures = reconstruction_loss(y.float(), target)
        stage.update(loss + 0.02 * penalty)
        if stage.step % 100 == 0:
            stage.report(**figures, penalty=penalty.item())
        if stage.step % 500 == 0:
            save_comparison(_finished(stage), pixels[:: max(1, len(pixels) // 12)][:12], folder / "autoencoder.png")
            stage.pause()
    return _finished(stage)


def _finished(stage: Stage) -> AutoencoderTiny:
    average = stage.average
    assert isinstance(average, AutoencoderTiny)
    return average


@torch.no_grad()
def save_comparison(model: AutoencoderTiny, pixels: np.ndarray, path: Path) -> None:
    """Originals above, reconstructions below."""
    x = to_batch(pixels)
    with cache.mixed_precision():
        y = model.decoder(model.encoder(x)).float()
    both = torch.cat((torch.cat(list(x), -1), torch.cat(list(y), -1)), -2)
    image = both.add(1).mul(127.5).clamp(0, 255).byte().permute(1, 2, 0).numpy()
    Image.fromarray(image).save(path)


@torch.no_grad()
def encode_tiles(model: AutoencoderTiny, pixels: np.ndarray, batch: int = 16) -> np.ndarray:
    """Raw latents of tiles, float16 (count, channels, height / 8, width / 8), computed by `cache.mixed_precision`."""
    parts = []
    for start in range(0, len(pixels), batch):
        with cache.mixed_precision():
            parts.append(model.encoder(to_batch(pixels[start : start + batch])).float().half().numpy())
    return np.concatenate(parts)


def load(folder: Path) -> AutoencoderTiny:
    """The averaged weights of the checkpoint in `folder`, wrapped.

    Raises:
        FileNotFoundError: there is no checkpoint.
    """
    state = cache.load(folder / "autoencoder.ckpt")
    if state is None:
        raise FileNotFoundError("no autoencoder in the cache: run that stage first")
    model = make_autoencoder()
    model.load_state_dict(state["average"])
    wrap(model.eval().requires_grad_(False).to(memory_format=torch.channels_last))
    return model
