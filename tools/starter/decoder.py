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
from .autoencoder import BATCH, SIZE, reconstruction_loss, roll_each, save_comparison, to_batch
from .critic import Critic, critic_loss
from .data import read_tiles
from .schedule import Stage
from .torus import wrap

WITHOUT_CRITIC = 300  # steps in which the decoder drops the spectral loss's habits and the critic learns to see
CRITIC_WEIGHT = 0.05


def train(folder: Path, minutes: float, seed: int, autoencoder: AutoencoderTiny) -> AutoencoderTiny:
    """Train `autoencoder.decoder`, or go on, for `minutes` in all; returns the whole with the decoder's average in it.

    A small critic replaces the spectral loss of the first stage: where grain cannot be known from a latent, that loss
    was content with a dot in every 8x8 block, whose spectrum is flat.
    """
    autoencoder.encoder.requires_grad_(False)
    decoder = autoencoder.decoder.requires_grad_(True)
    wrap(decoder)
    stage = Stage("decoder", decoder, folder, minutes, peak=4e-4, seed=seed, decay=0.998)
    judge = Stage("critic", Critic(), folder, minutes, peak=4e-4, seed=seed + 1, decay=0.9)
    critic = judge.model
    pixels = read_tiles(folder / "tiles", SIZE).pixels if not stage.done else np.empty(0)
    rng = np.random.default_rng((seed, stage.step))
    while not stage.done:
        x = roll_each(to_batch(pixels[np.sort(rng.integers(len(pixels), size=BATCH))]))
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                z = autoencoder.encoder(x).float()
                z = z + 0.1 * torch.rand(len(z), 1, 1, 1) * torch.randn_like(z)
            y = decoder(z).float()
        judged = critic_loss(critic, x, y.detach())
        judge.update(judged)
        loss, figures = reconstruction_loss(y, x, spectral_weight=0.0)
        if stage.step >= WITHOUT_CRITIC:
            # This pass leaves gradients in the critic as well; they are dropped below.
            loss = loss - CRITIC_WEIGHT * critic(y).mean()
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
