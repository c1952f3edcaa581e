# SPDX-License-Identifier: GPL-3.0-or-later
"""Text encoders and denoiser in turns: the same pixels, and never both in memory."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from addon.core.families.z_image import Z_IMAGE
from addon.core.requests.extras import Extras, Lora
from addon.core.requests.texture import Size
from addon.engine import models, turns
from addon.engine.devices import Device, Kind, make_plan, needed_bytes
from tests.engine import checkpoints, networks, transformer_networks
from tests.engine import lora_makers as makers
from tests.engine import transformer_pipelines as tiny
from tests.engine.test_generate import Studio, Watch

MAKE: dict[str, Callable[[], Any]] = {
    **tiny.PIPELINES,
    "sd3": transformer_networks.sd3_pipeline,
    "sd3 without T5": lambda: transformer_networks.sd3_pipeline(t5=False),
    "pixart": transformer_networks.pixart_pipeline,
    "sana": transformer_networks.sana_pipeline,
    "aura": transformer_networks.aura_pipeline,
    "sd": lambda: checkpoints.pipeline("1"),
    "sdxl": lambda: checkpoints.pipeline("XL"),
}
SIZE = Size(128, 64)


@pytest.fixture
def in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "make_plan", lambda *some, **named: make_plan(*some, **named).taking_turns())


def weights_there(loaded: models.LoadedModel) -> set[str]:
    networks = {name: part for name, part in loaded.pipeline.components.items() if isinstance(part, torch.nn.Module)}
    assert not any(weight.is_meta for network in networks.values() for weight in network.parameters())
    return set(networks)


@pytest.mark.parametrize("name", MAKE)
def test_pixels_are_the_same_and_text_encoders_are_gone_while_it_is_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    MAKE[name]().save_pretrained(tmp_path / "model")
    wanted = {"size": SIZE, "steps": 2, "guidance_scale": 3.0, "negative_prompt": "rust"}
    plain = Studio(tmp_path / "plain", tmp_path / "model")
    pictures = [plain.pixels(**wanted), plain.pixels(**wanted, prompt="sand")]
    monkeypatch.setattr(models, "make_plan", lambda *some, **named: make_plan(*some, **named).taking_turns())
    read, opened = [], models.load_network

    def load_network(folder: Any, network: str, plan: Any) -> Any:
        read.append(network)
        return opened(folder, network, plan)

    monkeypatch.setattr(models, "load_network", load_network)
    turned = Studio(tmp_path / "turned", tmp_path / "model")
    assert np.array_equal(turned.pixels(**wanted), pictures[0])
    loaded = turned.loaded(size=SIZE)
    denoiser = loaded.info.family.denoiser
    readers = {part for part in loaded.folder.weights if part.startswith("text_encoder")}
    assert readers
    assert weights_there(loaded) == {denoiser, "vae"}
    assert (read[0], set(read[1:-1]), read[-1]) == ("vae", readers, denoiser)
    turned.make(**wanted, seed=6)
    assert len(read) == 2 + len(readers), "the prompt is known"
    assert np.array_equal(turned.pixels(**wanted, prompt="sand"), pictures[1])
    assert len(read) == 2 * (1 + len(readers)) + 1
    assert weights_there(turned.loaded(size=SIZE)) == {denoiser, "vae"}


def test_a_lora_changes_how_the_prompt_is_read_and_the_denoiser(
    tmp_path: Path, sd_folder: Path, in_turns: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = makers.factors(networks.small_unet()), makers.factors(networks.text_encoder(), makers.TEXT)
    path = makers.write(tmp_path / "both.safetensors", makers.tensors("kohya", *parts))
    wanted = {"size": Size(64, 64), "extras": Extras((Lora(str(path), weight=0.8),))}
    watch = Watch()
    (turned,) = Studio(tmp_path / "turned", sd_folder).make(watch, **wanted).done
    assert not [text for text in watch.notes if "layers are not in this model" in text.replace("of its", "")]
    monkeypatch.undo()
    (plain,) = Studio(tmp_path / "plain", sd_folder).make(**wanted).done
    assert np.array_equal(Image.open(turned.path()), Image.open(plain.path()))
    words = [result.recipe.environment["LoRA both.safetensors"] for result in (turned, plain)]
    assert words[0] == words[1]
    assert np.abs(np.asarray(Image.open(plain.path()), int) - Studio(tmp_path / "bare", sd_folder).pixels()).max() > 3


def test_two_prompts_of_one_texture_are_read_before_the_denoiser_is(
    tmp_path: Path, sd_folder: Path, in_turns: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    opened = models.load_network
    monkeypatch.setattr(models, "load_network", lambda *some: (read.append(some[1]), opened(*some))[1])
    studio = Studio(tmp_path / "store", sd_folder)
    loaded, base = studio.loaded(), studio.base
    turns.read(loaded, base, lambda _text: None, more=True)
    turns.read(loaded, replace(base, prompt="sand"), lambda _text: None)
    assert read == ["vae", "text_encoder", "unet"]
    turns.read(loaded, base, lambda _text: None, more=True)
    turns.read(loaded, replace(base, prompt="sand"), lambda _text: None)
    assert len(read) == 3


def test_a_prompt_that_cannot_be_read_leaves_a_model_that_can_be_used(
    tmp_path: Path, sd_folder: Path, in_turns: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = Studio(tmp_path / "store", sd_folder)
    picture = studio.pixels()
    with monkeypatch.context() as broken:
        broken.setattr(turns, "embed", lambda *_: pytest.fail("broken"))
        with pytest.raises(pytest.fail.Exception):
            studio.pixels(prompt="sand")
    assert np.array_equal(studio.pixels(), picture)


@pytest.mark.parametrize(
    ("gigabytes", "mode", "in_turns"),
    [(50, "full", False), (42, "full", True), (24, "lean", False), (21, "lean", True)],
)
def test_a_processor_takes_turns_before_it_takes_fewer_bits(gigabytes: float, mode: str, in_turns: bool) -> None:
    parameters = {"transformer": 6_150_000_000, "text_encoder": 4_020_000_000, "vae": 84_000_000}
    device, size = Device(Kind.CPU, "cpu", int(gigabytes * 1e9)), Size(1024, 1024)
    plan = make_plan(device, Z_IMAGE, parameters, size)
    assert (plan.mode, plan.in_turns) == (mode, in_turns)
    assert needed_bytes(plan, Z_IMAGE, parameters, size) < device.free
    assert plan.sentence.endswith(".")
    assert ("take turns" in plan.sentence) is in_turns


@pytest.mark.parametrize(
    ("card", "main", "mode", "in_turns", "short"),
    [
        (24, 64, "full", False, False),
        (16, 64, "offload", False, False),
        (16, 16, "full", True, False),  # all 20 GB would not fit into main memory; one network at a time does
        (16, 10, "full", True, True),
        (14.4, 16, "offload", False, True),
        (16, 0, "offload", False, False),  # nobody looked
        (24, 10, "full", False, True),
        (4, 64, "minimal", False, False),
        (4, 16, "minimal", False, True),
    ],
)
def test_a_card_takes_turns_from_main_memory_or_where_that_is_short_from_the_disk(
    card: float, main: float, mode: str, in_turns: bool, short: bool
) -> None:
    parameters = {"transformer": 6_150_000_000, "text_encoder": 4_020_000_000, "vae": 84_000_000}
    device = Device(Kind.CUDA, "cuda:0", int(card * 1e9), main=int(main * 1e9))
    plan = make_plan(device, Z_IMAGE, parameters, Size(1024, 1024))
    assert (plan.mode, plan.in_turns) == (mode, in_turns)
    assert bool(plan.problem) is short
    assert not short or f"{main:.1f} GB are free" in plan.problem
    assert ("take turns" in plan.sentence) is (in_turns or mode == "offload")
