# SPDX-License-Identifier: GPL-3.0-or-later
"""The linear end of a tiny decoder, folded into one convolution, gives what its layers give."""

import copy

import pytest
import torch
from diffusers import AutoencoderTiny

from addon.core.requests.texture import Axes
from addon.engine import latents, subpixel
from addon.engine.devices import Decoding
from addon.engine.seamless import seamless
from tests.engine.networks import kl_autoencoder


def tiny(blocks: tuple[int, ...]) -> AutoencoderTiny:
    torch.manual_seed(0)
    widths = (8, 8, 8, 8)
    return AutoencoderTiny(
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=blocks,
        latent_channels=4,
    ).eval()


def error(mine: torch.Tensor, other: torch.Tensor) -> float:
    return float((mine - other).abs().max() / other.abs().max())


@pytest.mark.parametrize("blocks", [(1, 1, 1, 0), (1, 1, 0, 0), (1, 0, 0, 0)])
def test_it_decodes_to_the_same_picture_and_is_a_function_on_a_torus(blocks, tmp_path):
    vae, z = tiny(blocks), torch.randn(1, 4, 6, 10)
    before = list(vae.decoder.layers)
    with torch.inference_mode(), seamless(vae, Axes.XY):
        layer_by_layer = vae.decode(z).sample
        with subpixel.fast_decoder(vae, Axes.XY):
            assert isinstance(vae.decoder.layers[-1], subpixel.Tail)
            folded = vae.decode(z).sample
        rolled = latents.decode(vae, z.roll((2, 3), (2, 3)), Axes.XY, tmp_path, Decoding.WHOLE)
    assert list(vae.decoder.layers) == before
    assert error(folded, layer_by_layer) <= 1e-5
    assert error(rolled, folded.roll((16, 24), (2, 3))) <= 1e-5


def test_weights_that_changed_are_folded_anew():
    vae, z = tiny((1, 1, 1, 0)), torch.randn(1, 4, 4, 4)
    with torch.inference_mode(), seamless(vae, Axes.XY), subpixel.fast_decoder(vae, Axes.XY):
        first = vae.decode(z).sample
    with torch.no_grad():
        vae.decoder.layers[-1].weight.mul_(2.0)
    with torch.inference_mode(), seamless(vae, Axes.XY):
        plain = vae.decode(z).sample
        with subpixel.fast_decoder(vae, Axes.XY):
            second = vae.decode(z).sample
    assert error(second, plain) <= 1e-5
    assert error(second, first) > 0.01


@pytest.mark.parametrize("axes", [Axes.X, Axes.Y, Axes.NONE])
def test_where_a_border_stays_the_layers_stay(axes):
    vae = tiny((1, 1, 1, 0))
    layers = vae.decoder.layers
    with subpixel.fast_decoder(vae, axes):
        assert vae.decoder.layers is layers


def test_what_cannot_be_folded_stays_as_it_is():
    with_bias, others = tiny((1, 1, 1, 0)), (tiny((1, 1, 1, 1)), tiny((1, 1, 1, 0)).to("meta"), kl_autoencoder())
    middle = with_bias.decoder.layers[-2]
    middle.bias = torch.nn.Parameter(torch.ones(8))
    for vae in (with_bias, *others):
        before = copy.copy(vars(vae.decoder)["_modules"])
        with subpixel.fast_decoder(vae, Axes.XY):
            assert vars(vae.decoder)["_modules"] == before


def test_gradients_pass_through_the_folding():
    parts = subpixel.split(tiny((1, 1, 1, 0)).decoder.layers)
    assert parts is not None
    subpixel.fold(parts[1])(torch.randn(1, 8, 4, 4)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in parts[1].parameters())
