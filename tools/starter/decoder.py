# SPDX-License-Identifier: GPL-3.0-or-later
"""Goes on training the autoencoder's decoder alone, with more weight on grain.

The encoder, and with it the denoiser's world, stays as it is, so this stage may run beside the denoiser's.
May import torch and diffusers.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch import nn

from . import cache
from .autoencoder import reconstruction_loss, save_comparison, to_batch
from .critic import Critic, critic_loss
from .networks import PIXELS_PER_LATENT
from .schedule import Stage
from .torus import wrap

BATCH = 2  # tiles of 128 px, of which each fills as much as four of those that the first stage sees
SEEN = 64  # px, of a tile that the critic sees: what it judges is local, and its cut edges are so in both pictures
WITHOUT_CRITIC = 200  # steps in which the decoder drops the spectral loss's habits and the critic learns to see
CRITIC_SHARE = (
    0.5  # how strongly it pulls at the last layer, of the other losses' pull (as in VQGAN, Esser et al. 2021)
)


def train(
    folder: Path, minutes: float, seed: int, autoencoder: AutoencoderTiny, pixels: np.ndarray, latents: np.ndarray
) -> AutoencoderTiny:
    """Train `autoencoder.decoder`, or go on, for `minutes` in all; returns the whole with the decoder's average in it.

    A small critic replaces the spectral loss of the first stage: where grain cannot be known from a latent, that loss
    was content with a dot in every 8x8 block, whose spectrum is flat; even a twentieth of its weight left them.

    Args:
        pixels: uint8 (count, H, W, 3).
        latents: what the encoder makes of them, (count, C, H / 8, W / 8); so it need not run again.
    """
    autoencoder.encoder.requires_grad_(False)
    decoder = autoencoder.decoder.requires_grad_(True)
    wrap(decoder.to(memory_format=torch.channels_last))
    stage = Stage("decoder", decoder, folder, minutes, peak=4e-4, seed=seed, decay=0.998)
    judge = Stage(
        "critic", Critic().to(memory_format=torch.channels_last), folder, minutes, peak=4e-4, seed=seed + 1, decay=0.9
    )
    critic, last = judge.model, list(decoder.parameters())[-2]
    rng = np.random.default_rng((seed, stage.step))
    while not stage.done:
        rows = np.sort(rng.integers(len(pixels), size=BATCH))
        shift = tuple(int(n) for n in rng.integers(latents.shape[-1], size=2))
        x = to_batch(pixels[rows]).roll([PIXELS_PER_LATENT * n for n in shift], (2, 3))
        z = torch.from_numpy(latents[rows]).float().roll(shift, (2, 3))
        z = z + 0.1 * torch.rand(len(z), 1, 1, 1) * torch.randn_like(z)
        with cache.mixed_precision():
            y = decoder(z).float()
        top, left = (int(n) for n in rng.integers(x.shape[-1] - SEEN + 1, size=2))
        real, made = (part[..., top : top + SEEN, left : left + SEEN] for part in (x, y))
        judged = critic_loss(critic, real, made.detach())
        judge.update(judged)
        loss, figures = reconstruction_loss(y, x, spectral_weight=0.0)
        if stage.step >= WITHOUT_CRITIC:
            # This pass leaves gradients in the critic as well; they are dropped below.
            doubt = -critic(made).mean()
            pulls = [torch.autograd.grad(part, last, retain_graph=True)[0].norm() for part in (loss, doubt)]
            loss = loss + CRITIC_SHARE * (pulls[0] / (pulls[1] + 1e-6)) * doubt
        stage.update(loss)
        judge.optimizer.zero_grad(set_to_none=True)
        if stage.step % 100 == 0:
            stage.report(**figures, critic=judged.item())
        if stage.step % 300 == 0:
            save_comparison(
                _with(autoencoder, stage.average), pixels[:: len(pixels) // 12][:12], folder / "decoder.png"
            )
            stage.pause()
            judge.pause()
    autoencoder.decoder.load_state_dict(stage.average.state_dict())
    return autoencoder.requires_grad_(False)


def _with(autoencoder: AutoencoderTiny, decoder: nn.Module) -> AutoencoderTiny:
    both = AutoencoderTiny.from_config(autoencoder.config)
    both.encoder.load_state_dict(autoencoder.encoder.state_dict())
    both.decoder.load_state_dict(decoder.state_dict())
    wrap(both)
    return both


def load_into(autoencoder: AutoencoderTiny, folder: Path) -> AutoencoderTiny:
    """Put the fine-tuned decoder of the checkpoint in `folder`, if there is one, into `autoencoder`."""
    state = cache.load(folder / "decoder.ckpt")
    if state is not None:
        autoencoder.decoder.load_state_dict(state["average"])
    return autoencoder
