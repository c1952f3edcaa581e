# SPDX-License-Identifier: GPL-3.0-or-later
"""Embeddings and clip skip: what plain diffusers reads, and the text encoder as it was afterwards."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import save_file

from addon.core.errors import ErrorKind, UserError
from addon.core.requests.extras import Embedding, Extras
from addon.engine.embeddings import taught
from addon.engine.prompts import clip_skip, embed
from tests.engine import networks
from tests.engine.test_generate import Studio


@pytest.fixture
def studio(tmp_path: Path, sd_folder: Path) -> Studio:
    return Studio(tmp_path / "store", sd_folder)


@pytest.fixture
def sdxl_studio(tmp_path: Path, sdxl_folder: Path) -> Studio:
    return Studio(tmp_path / "store", sdxl_folder)


def vectors(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, networks.TEXT_WIDTH, generator=torch.Generator().manual_seed(seed))


def written(path: Path, **tensors: torch.Tensor) -> Extras:
    save_file(tensors, path)
    return Extras(embeddings=(Embedding(str(path)),))


def read(studio: Studio, **changes: Any) -> tuple[dict[str, torch.Tensor], list[str]]:
    """What the model reads of a request, and what is said of it."""
    request = replace(studio.base, **changes)
    loaded, notes = studio.loaded(**changes), []
    with torch.no_grad(), taught(loaded, request, notes.append) as taught_request:
        given, more = embed(loaded, taught_request)
    return given, notes + more


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("key", ["emb_params", "<moss>"])
def test_the_model_reads_what_plain_diffusers_reads(count: int, key: str, studio: Studio, tmp_path: Path) -> None:
    asked = written(tmp_path / "<moss>.safetensors", **{key: vectors(count)})
    given, notes = read(studio, prompt="a <moss> b", negative_prompt="x <moss>", guidance_scale=6.0, extras=asked)
    assert notes == []
    pipeline = StableDiffusionPipeline.from_pretrained(studio.base.model)
    pipeline.load_textual_inversion({"<moss>": vectors(count)})
    with torch.no_grad():
        plain = pipeline.encode_prompt("a <moss> b", "cpu", 1, True, negative_prompt="x <moss>")
    assert torch.equal(given["prompt_embeds"], plain[0])
    assert torch.equal(given["negative_prompt_embeds"], plain[1])


def test_every_vector_of_a_word_with_capitals_is_read(studio: Studio, tmp_path: Path) -> None:
    """diffusers reads the first alone: CLIP's tokenizer makes small letters of the word."""
    small = written(tmp_path / "moss.safetensors", emb_params=vectors(3))
    expected, _notes = read(studio, prompt="a moss b", extras=small)
    capital = written(tmp_path / "Moss.safetensors", emb_params=vectors(3))
    for prompt in ("a Moss b", "a moss b", "a MOSS b"):
        given, notes = read(studio, prompt=prompt, extras=capital)
        assert torch.equal(given["prompt_embeds"], expected["prompt_embeds"]), prompt
        assert notes == []
    pipeline = StableDiffusionPipeline.from_pretrained(studio.base.model)
    pipeline.load_textual_inversion({"Moss": vectors(3)})
    with torch.no_grad():
        plain, _ = pipeline.encode_prompt("a Moss b", "cpu", 1, False)
    assert not torch.allclose(plain, expected["prompt_embeds"], atol=1e-3)


def test_a_word_inside_another_is_no_word(studio: Studio, tmp_path: Path) -> None:
    asked = written(tmp_path / "art.safetensors", emb_params=vectors(1))
    given, notes = read(studio, prompt="cart", extras=asked)
    plain, _notes = read(studio, prompt="cart")
    assert torch.equal(given["prompt_embeds"], plain["prompt_embeds"])
    assert notes == ["art.safetensors does nothing: neither prompt has its word, art."]


def test_the_text_encoder_is_as_it_was(studio: Studio, tmp_path: Path) -> None:
    loaded = studio.loaded()
    tokenizer, encoder = loaded.pipeline.tokenizer, loaded.pipeline.text_encoder
    table = encoder.get_input_embeddings()
    kept = table.weight.clone()
    plain = studio.pixels(prompt="moss")
    asked = written(tmp_path / "moss.safetensors", emb_params=vectors(2))
    other = studio.pixels(prompt="moss", extras=asked)
    assert not np.array_equal(other, plain)

    def fail() -> None:
        with taught(loaded, replace(studio.base, prompt="moss", extras=asked), list):
            assert loaded.pipeline.tokenizer is not tokenizer
            raise RuntimeError("meanwhile")

    with pytest.raises(RuntimeError, match="meanwhile"):
        fail()
    assert loaded.pipeline.tokenizer is tokenizer
    assert encoder.get_input_embeddings() is table
    assert torch.equal(table.weight, kept)
    assert len(tokenizer) == 514
    assert np.array_equal(studio.pixels(prompt="moss"), plain)


def test_two_text_encoders_are_both_taught(sdxl_studio: Studio, tmp_path: Path) -> None:
    asked = written(tmp_path / "moss.safetensors", clip_l=vectors(2), clip_g=vectors(2, 1))
    given, notes = read(sdxl_studio, prompt="a moss", extras=asked)
    assert notes == []
    pipeline = StableDiffusionXLPipeline.from_pretrained(sdxl_studio.base.model)
    for seed, tokenizer, encoder in ((0, "tokenizer", "text_encoder"), (1, "tokenizer_2", "text_encoder_2")):
        pipeline.load_textual_inversion(
            {"moss": vectors(2, seed)},
            tokenizer=getattr(pipeline, tokenizer),
            text_encoder=getattr(pipeline, encoder),
        )
    with torch.no_grad():
        plain = pipeline.encode_prompt("a moss", device="cpu", do_classifier_free_guidance=True)
    assert torch.equal(given["prompt_embeds"], plain[0])
    assert torch.equal(given["pooled_prompt_embeds"], plain[2])


def test_what_was_cut_off_is_told_in_the_words_of_the_prompt(studio: Studio, tmp_path: Path) -> None:
    asked = written(tmp_path / "moss.safetensors", emb_params=vectors(20))
    _given, notes = read(studio, prompt="moss wall", extras=asked)
    assert notes[0].startswith("The model reads only the start of the prompt; it does not see: '<moss:15>")


@pytest.mark.parametrize(
    ("tensors", "kind"),
    [
        ({"emb_params": torch.zeros(2, 768)}, "an embedding for Stable Diffusion 1.x"),
        ({"clip_l": torch.zeros(2, 768), "clip_g": torch.zeros(2, 1280)}, "an embedding for SDXL"),
    ],
)
def test_one_for_another_model_is_called_by_its_name(
    tensors: dict[str, torch.Tensor], kind: str, studio: Studio, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        studio.make(extras=written(tmp_path / "moss.safetensors", **tensors))
    assert caught.value.message == f"moss.safetensors is {kind}, and does not fit this one."


def test_the_recipe_names_it(studio: Studio, tmp_path: Path) -> None:
    asked = written(tmp_path / "moss.safetensors", emb_params=vectors(1))
    (result,) = studio.make(prompt="moss", extras=asked).done
    (kept,) = result.recipe.texture.extras.embeddings
    assert len(kept.sha256) == 10
    assert result.recipe.texture.prompt == "moss"
    assert result.recipe.environment["embedding moss.safetensors"] == f"sha256 {kept.sha256}"


# clip skip


def test_clip_skip_counts_layers_from_the_end(studio: Studio, sdxl_studio: Studio) -> None:
    own, _notes = read(studio)
    last, _notes = read(studio, extras=Extras(clip_skip=1))
    before, _notes = read(studio, extras=Extras(clip_skip=2))
    assert torch.equal(own["prompt_embeds"], last["prompt_embeds"])
    pipeline = studio.loaded().pipeline
    encoder = pipeline.text_encoder
    assert not hasattr(encoder, "text_model"), "diffusers 0.42 would find its last norm there"
    ids = pipeline.tokenizer("bricks", padding="max_length", max_length=16, return_tensors="pt").input_ids
    with torch.no_grad():
        plain = encoder.final_layer_norm(encoder(ids, output_hidden_states=True).hidden_states[-2])
    assert torch.equal(before["prompt_embeds"], plain)
    assert not torch.equal(before["prompt_embeds"], last["prompt_embeds"])
    own, _notes = read(sdxl_studio)  # which reads the last but one by itself
    last, _notes = read(sdxl_studio, extras=Extras(clip_skip=1))
    before, _notes = read(sdxl_studio, extras=Extras(clip_skip=2))
    assert torch.equal(own["prompt_embeds"], before["prompt_embeds"])
    assert not torch.equal(own["prompt_embeds"], last["prompt_embeds"])


def test_more_layers_than_there_are_is_said(studio: Studio) -> None:
    with pytest.raises(UserError) as caught:
        clip_skip(studio.loaded(), replace(studio.base, extras=Extras(clip_skip=3)))
    assert caught.value.kind is ErrorKind.REQUEST
    assert caught.value.message == "small SD can't be used with a clip skip of 3: its text encoder has 2 layers."
