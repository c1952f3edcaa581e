# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing a model's file: what it is, and what is told of one that is no model. Files of headers alone."""

import os
from typing import Any

import bpy
from common import addon, message_of, run_rules

files: dict[str, str] = {}


def run_all(**paths: str) -> dict[str, str]:
    """paths: a checkpoint, a lora and a pickle."""
    files.update(paths)
    return run_rules(globals())


def _settings() -> Any:
    return bpy.context.scene.tilewright


def rule_a_checkpoint_is_chosen_and_described() -> None:
    assert bpy.ops.tilewright.choose_model(filepath=files["checkpoint"]) == {"FINISHED"}
    assert os.path.samefile(_settings().model, files["checkpoint"])
    models = addon("settings.models")
    info = models.peek(_settings().model)
    assert info.sentence.startswith("Checkpoint of "), info.sentence
    assert models.problem(_settings().model) is None
    assert info.defaults.size == 1024


def rule_a_lora_is_told_where_it_belongs_and_the_model_stays() -> None:
    said = message_of(lambda: bpy.ops.tilewright.choose_model(filepath=files["lora"]))
    assert "is not a model of its own. This is a LoRA for" in said, said
    assert "Add it under LoRAs." in said, said
    assert _settings().model == "starter"


def rule_a_path_that_was_typed_is_told_of_in_the_panel_and_by_generate() -> None:
    _settings().model = files["lora"]
    problem = addon("settings.models").problem(files["lora"])
    assert "This is a LoRA for" in problem.message
    _settings().prompt = "bricks"
    assert "This is a LoRA for" in message_of(bpy.ops.tilewright.generate)
    _settings().model = "starter"
    assert addon("settings.models").problem("starter") is None


def rule_a_pickle_is_refused() -> None:
    assert "is a pickle" in message_of(lambda: bpy.ops.tilewright.choose_model(filepath=files["pickle"]))


def rule_the_search_offers_checkpoints_and_not_what_was_seen_to_be_none() -> None:
    preferences = addon("common.preferences").get()
    before, preferences.models = preferences.models, os.path.dirname(files["checkpoint"])
    try:
        models = addon("settings.models")
        models.try_resolve(files["lora"])
        models.resolve(files["checkpoint"])
        found = dict(models.candidates(""))
        assert found[files["checkpoint"]].startswith("a checkpoint of"), found
        assert files["lora"] not in found
    finally:
        preferences.models = before


def rule_a_denoiser_alone_takes_its_parts_from_the_list_or_from_what_is_chosen() -> None:
    assert bpy.ops.tilewright.choose_model(filepath=files["denoiser"]) == {"FINISHED"}
    models, request = addon("settings.models"), addon("settings.request")
    info = models.peek(_settings().model)
    assert info.alone
    assert "also needs the text encoder Qwen3 4B" in info.sentence, info.sentence
    _settings().prompt = "bricks"
    said = message_of(bpy.ops.tilewright.generate)
    assert "It also needs the text encoder Qwen3 4B, and FLUX.1's VAE: none were found beside it" in said, said
    assert "Under Parts From, choose a folder of Z-Image" in said, said
    preferences = addon("common.preferences").get()
    before, preferences.models = preferences.models, os.path.dirname(files["parts"])
    try:
        assert [path for path, _about in models.fitting_parts(info)] == [files["parts"]]
        assert request.from_settings(_settings()).parts == files["parts"]
    finally:
        preferences.models = before
    _settings().parts = files["parts"]
    assert request.from_settings(_settings()).parts == files["parts"]
    _settings().model = files["checkpoint"]
    assert _settings().parts == ""


def rule_a_vae_goes_into_the_request_as_a_whole_path() -> None:
    _settings().prompt, _settings().vae = "bricks", files["checkpoint"]
    request = addon("settings.request").from_settings(_settings())
    assert request.vae == files["checkpoint"]
    _settings().vae = ""
    assert addon("settings.request").from_settings(_settings()).vae == ""
