# SPDX-License-Identifier: GPL-3.0-or-later
"""Goes on training the autoencoder's decoder alone, for grain without a pattern. May import torch and diffusers.

The encoder stays as it is, and with it what the denoiser has learned.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderTiny
from torch import nn

from addon.engine import subpixel

from . import cache
from .autoencoder import draw, noised, reconstruction_loss
from .losses import pattern_loss, spectrum_loss, unevenness_loss
from .networks import make_autoencoder
from .pool import Crops, Pool
from .schedule import Stage
from .settings import Settings
from .torus import wrap


def decode(decoder: nn.Module, z: torch.Tensor) -> torch.Tensor:
    """What the decoder makes of latents on a torus; its linear end runs as one convolution, at a tenth of the time."""
    parts = subpixel.split(decoder.layers)  # type: ignore[arg-type]
    assert parts is not None
    x = torch.tanh(z / 3) * 3  # as diffusers' DecoderTiny begins and ends
    for layer in parts[0]:
        x = layer(x)
    pixels: torch.Tensor = subpixel.fold(parts[1])(x).float()
    return pixels * 2 - 1


def fitted(source: AutoencoderTiny) -> AutoencoderTiny:
    """A new autoencoder of the shape in `networks`, with all of the source's weights whose name and shape are its own.

    So a decoder that lost or gained blocks at its end begins where the old one was.
    """
    model, known = make_autoencoder(), source.state_dict()
    mine = model.state_dict()
    model.load_state_dict({name: known[name] if _fits(known, name, value) else value for name, value in mine.items()})
    model.register_to_config(scaling_factor=source.config.scaling_factor)
    return model


def _fits(known: dict[str, torch.Tensor], name: str, value: torch.Tensor) -> bool:
    return name in known and known[name].shape == value.shape


def train(
    folder: Path,
    minutes: float,
    seed: int,
    settings: Settings,
    autoencoder: AutoencoderTiny,
    pool: Pool,
    crops: Crops | None,
) -> AutoencoderTiny:
    """Train `autoencoder.decoder`, or go on, for `minutes` in all; returns the whole with the decoder's average in it.

    The spectral loss alone is content with a dot in every 8x8 block, whose spectrum is flat. A critic in its place lost
    the grain, and both together kept the dots. `pattern_loss` and `unevenness_loss` tell those from grain; what came
    instead was a crosshatch, which `spectrum_loss` tells from it.
    """
    autoencoder.to(pool.device, memory_format=torch.channels_last).requires_grad_(False)
    wrap(autoencoder)
    decoder = autoencoder.decoder.requires_grad_(True)
    rate = settings.rates["decoder"]
    stage = Stage("decoder", decoder, folder, minutes, peak=rate, seed=seed, decay=0.998)
    while not stage.done:
        x = draw(pool, crops, settings.decoder_batch, settings.sharp)
        with cache.mixed_precision(pool.device):
            with torch.no_grad():
                z = autoencoder.encoder(x).float()
            y = decode(decoder, noised(z))
        loss = reconstruction_loss(y, x, settings.spectral)
        pattern, uneven = pattern_loss(y, x), unevenness_loss(y, x)
        habits = settings.pattern * pattern + settings.uneven * uneven + settings.spectrum * spectrum_loss(y, x)
        stage.update(loss + habits)
        if stage.step % 100 == 0:
            stage.report(loss=loss.item(), pattern=pattern.item(), uneven=uneven.item())
    autoencoder.decoder.load_state_dict(stage.average.state_dict())
    return autoencoder.eval().requires_grad_(False)
