# SPDX-License-Identifier: GPL-3.0-or-later
"""Adapters; and a made-up family, added as a new one is: a descriptor, an adapter, two entries in lists."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from torch import nn

from addon.core import families as core_families
from addon.core.errors import ErrorKind, UserError
from addon.core.families import u_net
from addon.core.families.family import Component, Defaults, Family
from addon.core.requests.texture import Axes, Scheduler, Size
from addon.engine import families, previews
from addon.engine.devices import Device, Kind, make_plan, needed_bytes
from addon.engine.families.adapter import PLAIN, Adapter, Change, convolutions_only
from addon.engine.seamless import seamless
from tests.engine import networks
from tests.engine.test_generate import Studio
from tests.engine.test_seamless import LIMIT, assert_unchanged, random_input, roll_error, snapshot

# --- what adapters promise


def test_every_family_has_one_adapter() -> None:
    assert [adapter.family for adapter in families.ADAPTERS] == list(core_families.FAMILIES)
    for family in core_families.FAMILIES:
        assert families.adapter_of(family).family is family


@pytest.mark.parametrize("adapter", families.ADAPTERS, ids=lambda adapter: adapter.family.pipeline)
def test_an_adapter_fits_its_familys_descriptor(adapter: Adapter) -> None:
    parts = adapter.family.components
    for tokenizer, encoder in adapter.text_encoders:
        assert not parts[tokenizer].has_weights
        assert parts[encoder].has_weights
    for part in (adapter.family.denoiser, "vae"):
        assert set(parts[part].classes) <= set(adapter.periodic), "it would be refused where a picture is to repeat"


MEANS = {"latents_mean": [0.1, -2.0, 3.0, 0.0], "latents_std": [1.0, 2.0, 0.5, 4.0]}


@pytest.mark.parametrize(
    "config",
    [
        {"scaling_factor": 0.13},
        {"scaling_factor": 0.13, "shift_factor": 0.3},
        {"scaling_factor": 0.13, **MEANS},
        {"scaling_factor": 0.13, "latents_mean": None, "latents_std": None},
        {"z_dim": 4, **MEANS},
    ],
)
def test_latents_from_the_autoencoder_and_back_are_the_same(config: dict[str, Any]) -> None:
    latents = random_input(4, 8, 8)
    vae = SimpleNamespace(
        config=SimpleNamespace(latent_channels=4, batch_norm_eps=1e-4, **config),
        bn=SimpleNamespace(running_mean=torch.linspace(-1, 1, 16), running_var=torch.linspace(0.5, 2, 16)),
    )
    for adapter in families.ADAPTERS:
        there = adapter.from_vae(vae, latents)
        assert not torch.equal(there, latents)
        torch.testing.assert_close(adapter.to_vae(vae, there), latents)


# --- a made-up family: a transformer, its own names, a shifted autoencoder, positions in a table

ENCODER = Component("transformers", ("CLIPTextModelWithProjection",))
MADE_UP = Family(
    pipeline="StableDiffusion3Pipeline",
    components={
        "transformer": Component("diffusers", ("SD3Transformer2DModel",)),
        "vae": Component("diffusers", ("AutoencoderKL",)),
        "text_encoder": ENCODER,
        "text_encoder_2": ENCODER,
        "tokenizer": u_net.CLIP_TOKENIZER,
        "tokenizer_2": u_net.CLIP_TOKENIZER,
        "scheduler": Component("diffusers", ("FlowMatchEulerDiscreteScheduler",), has_weights=False),
    },
    denoiser="transformer",
    defaults=Defaults(6, 4.0, 256),
    schedulers={"flow_prediction": (Scheduler.MODEL,)},
    prediction_type="flow_prediction",
    step_bytes=400,
    grid=lambda _folder: 16,
    side=lambda _folder: None,
)


def without_positions(network: nn.Module, axes: Axes) -> Iterable[Change]:
    """What a real family would snap to the torus is left out here."""
    table: torch.Tensor = network.pos_embed.get_buffer("pos_embed")
    yield network.pos_embed, "pos_embed", PLAIN if axes is Axes.NONE else torch.zeros_like(table)


class MadeUpAdapter(Adapter):
    def embed(self, pipeline: Any, prompt: str, negative_prompt: str, guided: bool) -> dict[str, Any]:
        encoded = pipeline.encode_prompt(
            prompt,
            None,
            None,
            device=pipeline._execution_device,
            do_classifier_free_guidance=guided,
            negative_prompt=negative_prompt,
        )
        return {name: value for name, value in zip(self.embeddings, encoded, strict=True) if value is not None}


ADAPTER = MadeUpAdapter(
    MADE_UP,
    {"AutoencoderKL": convolutions_only, "SD3Transformer2DModel": without_positions},
    text_encoders=(("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2")),
    embeddings=("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds"),
)


def transformer() -> SD3Transformer2DModel:
    torch.manual_seed(7)
    return SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=2 * networks.TEXT_WIDTH,
        caption_projection_dim=16,
        pooled_projection_dim=2 * networks.TEXT_WIDTH,
        out_channels=4,
        pos_embed_max_size=16,
    ).eval()


def autoencoder() -> AutoencoderKL:
    vae = networks.kl_autoencoder()
    vae.register_to_config(shift_factor=0.3, scaling_factor=1.5, use_quant_conv=True)
    return vae


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "made up"
    StableDiffusion3Pipeline(
        transformer=transformer(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=autoencoder(),
        text_encoder=networks.text_encoder(projected=True),
        tokenizer=networks.tokenizer(),
        text_encoder_2=networks.text_encoder(projected=True),
        tokenizer_2=networks.tokenizer(),
        text_encoder_3=None,
        tokenizer_3=None,
    ).save_pretrained(path)
    return path


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> Adapter:
    """The two entries that a new family takes in lists; alone, as its pipeline may become a real family's one day."""
    monkeypatch.setattr(core_families, "FAMILIES", (MADE_UP,))
    monkeypatch.setattr(families, "ADAPTERS", (ADAPTER,))
    return ADAPTER


@pytest.fixture
def studio(tmp_path: Path, folder: Path, adapter: Adapter) -> Studio:
    made = Studio(tmp_path / "store", folder)
    made.base = replace(made.base, guidance_scale=3.0, negative_prompt="rust", size=Size(128, 64))
    return made


def test_a_new_family_makes_the_pixels_of_plain_diffusers(studio: Studio, folder: Path) -> None:
    pixels = studio.pixels(axes=Axes.NONE)
    pipeline = StableDiffusion3Pipeline.from_pretrained(folder, text_encoder_3=None, tokenizer_3=None)
    pipeline.transformer.to(memory_format=torch.channels_last)
    pipeline.vae.to(memory_format=torch.channels_last)
    plain = pipeline(
        "bricks",
        negative_prompt="rust",
        width=128,
        height=64,
        num_inference_steps=3,
        guidance_scale=3.0,
        generator=torch.Generator().manual_seed(5),
    ).images[0]
    assert np.array_equal(pixels, np.asarray(plain))


def test_a_new_family_repeats_has_previews_and_leaves_its_network_as_it_was(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "SECONDS_BETWEEN", 0.0)
    network = studio.loaded().pipeline.transformer
    before = snapshot(network)
    (result,) = studio.make(axes=Axes.XY).done
    assert result.recipe.is_exact
    assert_unchanged(before, network)
    assert previews.fit(studio.loaded()).shape == (5, 3)


def test_a_new_family_is_planned_for_by_its_own_figures(adapter: Adapter) -> None:
    parameters = {"transformer": 10**9, "vae": 10**8, "text_encoder": 10**8}
    card = Device(Kind.CUDA, "cuda:0", 1 << 33, "card")
    for memory in ("offload", "minimal"):
        plan = make_plan(card, MADE_UP, parameters, Size(1024, 1024), memory=memory)
        wider = replace(MADE_UP, step_bytes=4000)
        assert needed_bytes(plan, wider, parameters, Size(1024, 1024)) > needed_bytes(
            plan, MADE_UP, parameters, Size(1024, 1024)
        )


def test_without_its_adapter_a_network_is_refused_but_for_no_tiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "ADAPTERS", ())
    network = transformer()
    before = snapshot(network)
    with pytest.raises(UserError) as caught, seamless(network, Axes.XY):
        pytest.fail("entered")
    assert caught.value.kind is ErrorKind.MODEL
    assert "SD3Transformer2DModel" in caught.value.message
    with seamless(network, Axes.NONE):
        assert_unchanged(before, network)


@torch.no_grad()
def test_what_an_adapter_sets_on_a_network_counts_and_the_innermost_block_decides(adapter: Adapter) -> None:
    network = transformer()
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(1, 7, 2 * networks.TEXT_WIDTH, generator=generator)
    pooled = torch.randn(1, 2 * networks.TEXT_WIDTH, generator=generator)

    def run(x: torch.Tensor) -> torch.Tensor:
        return network(x, text, pooled, torch.tensor([400.0])).sample

    x = random_input(4, 16, 16)
    plain = run(x)
    assert roll_error(run, x, (2, 4), 1) > 100 * LIMIT
    with seamless(network, Axes.XY):
        assert roll_error(run, x, (2, 4), 1) <= LIMIT
        with seamless(network, Axes.NONE):
            assert torch.equal(run(x), plain)
        assert roll_error(run, x, (2, 4), 1) <= LIMIT
    assert torch.equal(run(x), plain)
