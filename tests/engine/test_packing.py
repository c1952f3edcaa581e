# SPDX-License-Identifier: GPL-3.0-or-later
"""Packed latents, against what diffusers' own pipelines do with them."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLFlux2, ErnieImagePipeline, Flux2KleinPipeline, FluxPipeline, QwenImagePipeline

from addon.core.families.stable_diffusion import STABLE_DIFFUSION
from addon.core.requests.texture import Size
from addon.engine.families.packing import Normalized, NormalizedTokens, Tokens, patch, to_tokens, unpatch
from tests.engine.test_seamless import random_input

SIZE = Size(256, 128)


def pipeline(vae: Any = None) -> Any:
    return SimpleNamespace(vae_scale_factor=8, vae=vae)


@pytest.fixture(scope="module")
def vae() -> AutoencoderKLFlux2:
    """FLUX.2's, with statistics as if it had been trained."""
    made = AutoencoderKLFlux2(
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
    ).eval()
    generator = torch.Generator().manual_seed(0)
    made.bn.running_mean.copy_(torch.randn(16, generator=generator))
    made.bn.running_var.copy_(torch.rand(16, generator=generator) + 0.2)
    return made


@pytest.mark.parametrize("theirs", [FluxPipeline, QwenImagePipeline])
def test_tokens_are_those_of_diffusers_and_lead_back(theirs: Any) -> None:
    adapter, latents = Tokens(STABLE_DIFFUSION, {}), random_input(4, 16, 32)
    packed = adapter.pack(pipeline(), latents)
    assert torch.equal(packed, theirs._pack_latents(latents, 1, 4, 16, 32))
    assert torch.equal(adapter.unpack(pipeline(), packed, SIZE), latents)
    assert torch.equal(theirs._unpack_latents(packed, SIZE.height, SIZE.width, 8).squeeze(2), latents)
    assert torch.equal(adapter.first(pipeline(), latents), packed)


@pytest.mark.parametrize("theirs", [Flux2KleinPipeline, ErnieImagePipeline])
def test_patches_are_those_of_diffusers_and_lead_back(theirs: Any) -> None:
    latents = random_input(4, 16, 32)
    assert torch.equal(patch(latents), theirs._patchify_latents(latents))
    assert torch.equal(unpatch(patch(latents)), latents)


def test_normalized_latents_are_those_of_diffusers(vae: AutoencoderKLFlux2) -> None:
    adapter = NormalizedTokens(STABLE_DIFFUSION, {})
    assert adapter.noise_shape(pipeline(vae), SIZE) == (1, 16, 8, 16)
    assert adapter.pixels(pipeline(vae)) == 16
    own = random_input(4, 16, 32)
    made = adapter.from_vae(vae, own)
    deviation = torch.sqrt(vae.bn.running_var + vae.config.batch_norm_eps).view(1, -1, 1, 1)
    mean = vae.bn.running_mean.view(1, -1, 1, 1)
    assert torch.equal(made, (Flux2KleinPipeline._patchify_latents(own) - mean) / deviation)
    assert torch.equal(adapter.to_vae(vae, made), Flux2KleinPipeline._unpatchify_latents(made * deviation + mean))
    torch.testing.assert_close(adapter.to_vae(vae, made), own)


def test_what_a_pipeline_gives_as_the_decoder_takes_it_is_left_alone(vae: AutoencoderKLFlux2) -> None:
    adapter, own = NormalizedTokens(STABLE_DIFFUSION, {}), random_input(4, 16, 32)
    assert adapter.to_vae(vae, adapter.unpack(pipeline(vae), own, SIZE)) is own


def test_a_sampler_that_holds_tokens_is_handed_a_picture(vae: AutoencoderKLFlux2) -> None:
    adapter, latents = NormalizedTokens(STABLE_DIFFUSION, {}), random_input(16, 8, 16)
    held = adapter.pack(pipeline(vae), latents)
    assert torch.equal(held, to_tokens(latents))
    assert torch.equal(held, Flux2KleinPipeline._pack_latents(latents))
    assert torch.equal(adapter.unpack(pipeline(vae), held, SIZE), latents)
    assert adapter.first(pipeline(vae), latents) is latents
    plain = Normalized(STABLE_DIFFUSION, {})
    assert plain.pack(pipeline(vae), latents) is latents
    assert plain.unpack(pipeline(vae), latents, SIZE) is latents
