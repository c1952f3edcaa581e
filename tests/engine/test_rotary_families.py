# SPDX-License-Identifier: GPL-3.0-or-later
"""Families with a transformer, end to end: diffusers' own pipelines with random weights, through our own path."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from addon.core.requests.texture import Axes, Size
from addon.engine import families, generate
from addon.engine.prompts import embed
from addon.engine.seamless import seamless
from tests.engine.test_generate import Studio, Watch
from tests.engine.test_rotary import off, turned
from tests.engine.test_seamless import LIMIT, WRAPPED, assert_unchanged, snapshot
from tests.engine.transformer_pipelines import PIPELINES

SIZE = Size(128, 64)


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("models")

    def folder(name: str) -> Path:
        if not (root / name).exists():
            PIPELINES[name]().save_pretrained(root / name)
        return root / name

    return folder


@pytest.fixture
def studio_of(folder_of: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Studio]:
    def studio(name: str) -> Studio:
        made = Studio(tmp_path / "store", folder_of(name))
        made.base = replace(made.base, size=SIZE, guidance_scale=3.0, negative_prompt="rust")
        return made

    return studio


def test_every_family_with_rotary_positions_is_here() -> None:
    stems = {adapter.family.pipeline: name for name, adapter in adapters().items()}
    assert set(stems.values()) == set(PIPELINES)


def adapters() -> dict[str, Any]:
    """By the names of their modules."""
    named = {
        module.ADAPTER.family.pipeline: name for name, module in vars(families).items() if hasattr(module, "ADAPTER")
    }
    listed = (adapter for adapter in families.ADAPTERS if set(adapter.periodic) >= set(families.rotary.PERIODIC))
    return {named[adapter.family.pipeline]: adapter for adapter in listed}


# How each pipeline is asked for what a request says.
PLAIN: dict[str, dict[str, Any]] = {
    "z_image": {"guidance_scale": 2.0, "negative_prompt": "rust"},
    "flux2_klein": {"guidance_scale": 3.0},  # it knows no negative prompt but the empty one
    "flux": {"true_cfg_scale": 3.0, "negative_prompt": "rust", "max_sequence_length": 256},
    "chroma1": {"guidance_scale": 3.0, "negative_prompt": "rust"},
    "qwen_image": {"true_cfg_scale": 3.0, "negative_prompt": "rust"},
    "ernie_image": {"guidance_scale": 3.0, "negative_prompt": "rust"},
}


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("guided", [True, False])
def test_without_tiling_the_pixels_are_those_of_plain_diffusers(
    name: str, guided: bool, studio_of: Callable[[str], Studio]
) -> None:
    studio = studio_of(name)
    changes: dict[str, Any] = {} if guided else {"guidance_scale": 1.0, "negative_prompt": ""}
    if name == "flux2_klein":
        changes["negative_prompt"] = ""
    pixels = studio.pixels(axes=Axes.NONE, **changes)
    called = PLAIN[name] if guided else dict.fromkeys(PLAIN[name].keys() & {"guidance_scale", "true_cfg_scale"}, 1.0)
    if name == "z_image" and not guided:
        called = {"guidance_scale": 0.0}
    if name == "flux":
        called |= {"max_sequence_length": 256}
    pipeline = diffusers.DiffusionPipeline.from_pretrained(studio.base.model)
    pipeline.set_progress_bar_config(disable=True)
    if "tokenizer" in pipeline.components and hasattr(pipeline.tokenizer, "chat_template"):
        pipeline.tokenizer.chat_template = families.qwen3._CHAT
    for network in (pipeline.transformer, pipeline.vae):
        if not any(weight.ndim == 5 for weight in network.parameters()):
            network.to(memory_format=torch.channels_last)
    plain = pipeline(
        prompt="bricks",
        width=SIZE.width,
        height=SIZE.height,
        num_inference_steps=3,
        generator=torch.Generator().manual_seed(5),
        **called,
    ).images[0]
    assert np.array_equal(pixels, np.asarray(plain))


@pytest.mark.parametrize("name", PIPELINES)
def test_a_texture_is_said_to_repeat_exactly_and_leaves_the_denoiser_as_it_was(
    name: str, studio_of: Callable[[str], Studio]
) -> None:
    studio = studio_of(name)
    denoiser = studio.loaded().pipeline.transformer
    studio.make(axes=Axes.NONE)  # diffusers leaves traces of its own in the first run
    before = snapshot(denoiser)
    (result,) = studio.make(axes=Axes.XY).done
    assert result.recipe.is_exact
    assert Image.open(result.path()).size == (SIZE.width, SIZE.height)
    assert_unchanged(before, denoiser)


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("axes", WRAPPED)
def test_a_whole_run_of_six_steps_rolls_with_its_noise_once_the_table_is_turned(
    name: str, axes: Axes, studio_of: Callable[[str], Studio], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    studio = studio_of(name)
    request = replace(studio.base, steps=6, axes=axes)
    loaded = studio.loaded()
    pipeline = loaded.pipeline
    tokens = (1 * axes.y, 3 * axes.x)
    first_noise = generate.first_noise

    def run() -> torch.Tensor:
        return generate.sample(loaded, request, embed(loaded, request)[0], 0, Watch())

    def by_tokens(latents: torch.Tensor) -> torch.Tensor:
        per_token = latents.shape[-1] * 16 // SIZE.width
        return latents.roll((tokens[0] * per_token, tokens[1] * per_token), (-2, -1))

    with torch.inference_mode():
        with seamless(pipeline, axes):
            plain = run()
        monkeypatch.setattr(generate, "first_noise", lambda *told: by_tokens(first_noise(*told)))
        with seamless(pipeline, axes), turned(pipeline.transformer, axes, tokens):
            rolled = run()
            pictures = [generate.decode(loaded, latents, lambda _: None, tmp_path, axes) for latents in (plain, rolled)]
        assert off(rolled, by_tokens(plain)) <= LIMIT
    moved = np.roll(pictures[0], (16 * tokens[0], 16 * tokens[1]), (0, 1))
    assert np.abs(moved.astype(int) - pictures[1]).max() <= 1
