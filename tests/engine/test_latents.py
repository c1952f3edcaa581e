# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents decoded in parts give the picture that the whole gives."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny

from addon.core.requests.texture import Axes
from addon.engine import latents as latents_module
from addon.engine import layers
from addon.engine.canvas import canvases
from addon.engine.devices import Decoding
from addon.engine.seamless import seamless
from addon.engine.tiles import MIN_TILE, TileLimits
from tests.engine import networks
from tests.engine.networks import kl_autoencoder


def greatest_error(mine: torch.Tensor, other: torch.Tensor) -> float:
    return float((mine - other).abs().max() / other.abs().max())


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
def test_tiles_are_the_whole(monkeypatch, tmp_path, axes):
    vae, z = tiny(), torch.randn(1, 4, 24, 40)
    with torch.inference_mode(), seamless(vae, axes):
        whole = vae.decode(z, return_dict=False)[0]
        monkeypatch.setattr(latents_module, "_TILE", 96)
        tiled = latents_module.decode(vae, z, axes, tmp_path, Decoding.STRIPS)
    # where an axis does not wrap, the whole pads with zeros and tiles are mirrored: that shows at the border only
    inside = slice(None) if axes.y else slice(80, -80)
    assert tiled.shape == whole.shape
    error = (tiled - whole)[:, :, inside].abs().max() / whole.abs().max()
    assert error <= 1e-6


LAYERED = {
    "KL": (kl_autoencoder, 4, 8),
    "KL of 16 channels": (lambda: kl_autoencoder(channels=16), 16, 8),
    "FLUX.2": (networks.flux2_autoencoder, 4, 8),
    "HunyuanImage": (networks.hunyuan_autoencoder, 8, 8),
    "Qwen-Image": (networks.causal_autoencoder, 4, 8),
    "DC": (networks.dc_autoencoder, 8, 32),
    "DC of pixels": (lambda: networks.dc_autoencoder(plain=False), 8, 32),
}


@pytest.mark.parametrize("axes", Axes)
@pytest.mark.parametrize(
    ("name", "side", "on_device"),
    [("KL", 256, False), ("KL", 256, True), *((name, MIN_TILE, False) for name in LAYERED)],
)
def test_an_autoencoder_is_exact_layer_by_layer(monkeypatch, tmp_path, name, axes, side, on_device):
    monkeypatch.setattr(layers, "_WIDEST", 8)  # so that the smaller side cuts the larger layers into many strips
    make, channels, factor = LAYERED[name]
    vae, z = make(), torch.randn(1, channels, 192 // factor, 320 // factor)
    picture = torch.randn(1, 3, 192, 320)
    with torch.inference_mode(), seamless(vae, axes), canvases(tmp_path, in_memory=1 << 16) as easel:
        by_layer = layers.Layers(vae, axes, easel, TileLimits({"cpu": side}), on_device)
        for mine, whole in (
            (by_layer.decode(z), latents_module.decode_whole(vae, z)),
            (by_layer.encode(picture), latents_module.encode_whole(vae, picture)),
        ):
            assert mine.shape == whole.shape
            assert greatest_error(mine, whole) <= 1e-5


def test_other_autoencoders_are_not_taken_apart():
    assert not layers.runs(networks.residual_autoencoder())
    assert not layers.runs(tiny())


def test_layer_by_layer_rolling_the_latents_rolls_the_picture(monkeypatch, tmp_path):
    monkeypatch.setattr(layers, "STRIP", 64)
    vae, z = kl_autoencoder(), torch.randn(1, 4, 24, 40)
    with torch.inference_mode(), seamless(vae, Axes.XY):
        picture = latents_module.decode(vae, z, Axes.XY, tmp_path, Decoding.STRIPS)
        rolled = latents_module.decode(vae, z.roll((7, 13), (2, 3)), Axes.XY, tmp_path, Decoding.STRIPS)
    assert greatest_error(rolled, picture.roll((56, 104), (2, 3))) <= 1e-5
    assert not list(tmp_path.iterdir())


def test_layer_by_layer_memory_that_runs_out_makes_strips_narrower(monkeypatch, tmp_path):
    monkeypatch.setattr(layers, "_WIDEST", 8)
    vae, z, limits = kl_autoencoder(), torch.randn(1, 4, 24, 40), TileLimits()
    last = vae.decoder.conv_out

    def scarce(module, arguments):
        if arguments[0].shape[2] > 30:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    with torch.inference_mode(), seamless(vae, Axes.XY), canvases(tmp_path) as easel:
        whole = vae.decode(z).sample
        last.register_forward_pre_hook(scarce)
        mine = layers.Layers(vae, Axes.XY, easel, limits).decode(z)
    assert greatest_error(mine, whole) <= 1e-5
    assert limits.sides["cpu"] < layers.STRIP


def test_at_16_bits_layer_by_layer_is_as_near_to_the_truth_as_the_whole(tmp_path):
    vae, z = kl_autoencoder(), torch.randn(1, 4, 24, 24)
    with torch.inference_mode(), seamless(vae, Axes.XY), canvases(tmp_path) as easel:
        truth = vae.decode(z).sample
        vae.bfloat16()
        mine = layers.Layers(vae, Axes.XY, easel, TileLimits()).decode(z.bfloat16())
        whole = vae.decode(z.bfloat16()).sample.float()
    assert greatest_error(mine, truth) <= 1.5 * greatest_error(whole, truth)


def test_a_picture_that_fits_is_decoded_whole(monkeypatch, tmp_path):
    monkeypatch.setattr(latents_module, "Tiler", None)  # would fail if they were asked
    monkeypatch.setattr(layers, "Layers", None)
    z = torch.randn(1, 4, 8, 8)
    with torch.inference_mode():
        for vae in (tiny(), kl_autoencoder()):
            mine = latents_module.decode(vae, z, Axes.XY, tmp_path, Decoding.WHOLE)
            assert torch.equal(mine, vae.decode(z).sample)


AUTOENCODERS = {
    "KL": (kl_autoencoder, 8),
    "Tiny": (tiny, 8),
    "FLUX.2": (networks.flux2_autoencoder, 8),
    "DC": (networks.dc_autoencoder, 32),
    "HunyuanImage": (networks.hunyuan_autoencoder, 8),
    "Qwen-Image": (networks.causal_autoencoder, 8),
    "Wan 2.2": (networks.residual_autoencoder, 16),
}


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_every_autoencoder_takes_a_picture_there_and_back_without_a_word_on_frames(tmp_path, name):
    make, factor = AUTOENCODERS[name]
    vae = make()
    assert latents_module.factor_of(vae) == factor
    pixels = np.random.default_rng(0).integers(0, 256, (2 * factor, 3 * factor, 3), dtype=np.uint8)
    with torch.inference_mode():
        z = latents_module.encode(vae, pixels, Axes.XY, tmp_path, "cpu", Decoding.WHOLE)
        assert z.ndim == 4
        assert z.shape[2:] == (2, 3)
        for how in Decoding:
            picture = latents_module.decode(vae, z, Axes.NONE, tmp_path, how)
            assert picture.shape == (1, 3, 2 * factor, 3 * factor)
