# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents decoded in tiles give the picture that the whole gives."""

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderTiny

from addon.core.request import Axes
from addon.engine import latents as latents_module
from addon.engine.seamless import seamless
from tests.engine.networks import kl_autoencoder


def tiny() -> AutoencoderTiny:
    torch.manual_seed(0)
    widths, blocks = (8, 8, 8, 8), (1, 1, 1, 1)
    return AutoencoderTiny(
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        num_encoder_blocks=blocks,
        num_decoder_blocks=blocks,
        latent_channels=4,
    ).eval()


@pytest.mark.parametrize("axes", [Axes.XY, Axes.X])
def test_tiles_are_the_whole(monkeypatch, axes):
    vae, z = tiny(), torch.randn(1, 4, 24, 40)
    with torch.inference_mode(), seamless(vae, axes):
        whole = vae.decode(z, return_dict=False)[0]
        monkeypatch.setattr(latents_module, "WHOLE", 64)
        monkeypatch.setattr(latents_module, "_TILE", 96)
        tiled = latents_module.decode(vae, z, axes)
    # where an axis does not wrap, the whole pads with zeros and tiles are mirrored: that shows at the border only
    inside = slice(None) if axes.y else slice(80, -80)
    assert tiled.shape == whole.shape
    error = (tiled - whole)[:, :, inside].abs().max() / whole.abs().max()
    assert error <= 1e-6


def test_small_pictures_and_kl_autoencoders_are_decoded_whole(monkeypatch):
    monkeypatch.setattr(latents_module, "Tiler", None)  # would fail if it were asked
    z = torch.randn(1, 4, 8, 8)
    with torch.inference_mode():
        vae = tiny()
        assert torch.equal(latents_module.decode(vae, z, Axes.XY), vae.decode(z).sample)
        monkeypatch.setattr(latents_module, "WHOLE", 8)
        kl = kl_autoencoder()
        assert isinstance(kl, AutoencoderKL)
        assert torch.equal(latents_module.decode(kl, z, Axes.XY), kl.decode(z).sample)
