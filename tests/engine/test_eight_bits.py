# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights in 8 bits: what they hold, how far they are off, and that nothing else notices."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from addon.core import families
from addon.core.errors import UserError
from addon.core.requests.extras import Extras, Lora
from addon.core.requests.texture import STARTER, Axes, Size, TextureRequest
from addon.engine import loras, models, turns
from addon.engine.devices import EIGHT_BITS, GUIDES, Device, Kind, Mode, Plan, make_plan, needed_bytes
from addon.engine.eight_bits import shrink
from addon.engine.models import ModelCache
from addon.engine.seamless import seamless
from tests.engine import lora_makers as makers
from tests.engine import networks, test_rotary
from tests.engine.test_generate import Studio
from tests.engine.test_seamless import (
    LIMIT,
    WRAPPED,
    Network,
    apply_sd_unet,
    apply_sdxl_unet,
    assert_unchanged,
    random_input,
    roll_error,
    snapshot,
)
from tests.engine.transformers_of_diffusers import SAMPLES, random

SDXL = {"unet": 2_567_463_684, "vae": 83_653_863, "text_encoder": 123_060_480, "text_encoder_2": 694_659_840}
S1024 = Size(1024, 1024)


def held(network: nn.Module) -> int:
    return sum(weight.numel() * weight.element_size() for weight in network.parameters())


def off(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).float().norm() / other.float().norm())


# --- the network


@pytest.mark.parametrize(("dtype", "share"), [(torch.float32, 0.26), (torch.float16, 0.52), (torch.bfloat16, 0.52)])
@torch.no_grad()
def test_a_network_holds_half_of_16_bits_and_computes_about_the_same(dtype: torch.dtype, share: float) -> None:
    unet = networks.sd_unet(64).to(dtype)
    generator = torch.Generator().manual_seed(0)
    x, text = torch.randn(1, 4, 8, 8, generator=generator), torch.randn(1, 7, networks.TEXT_WIDTH, generator=generator)

    def run() -> torch.Tensor:
        return unet(x.to(dtype), 400, encoder_hidden_states=text.to(dtype)).sample

    plain, before = run(), held(unet)
    shrink(unet)
    assert held(unet) <= share * before
    assert unet.dtype is dtype
    found = run()
    assert found.dtype is dtype
    assert 1e-5 < off(found, plain) < 0.02


@pytest.mark.parametrize("layer", [nn.Linear(64, 8), nn.Conv2d(16, 8, 3)])
@pytest.mark.parametrize("size", [1e-30, 1e-3, 1.0, 1e3])
def test_each_output_has_a_scale_of_its_own(layer: nn.Module, size: float) -> None:
    holder = nn.Sequential(copy.deepcopy(layer).requires_grad_(False))
    sizes = torch.logspace(0, 3, 8).view(-1, *[1] * (layer.weight.ndim - 1)) * size
    holder[0].weight *= sizes
    holder[0].weight[3] = 0
    before = holder[0].weight.clone()
    holder._skip_layerwise_casting_patterns = None  # as a network of diffusers has it
    shrink(holder)
    step = before.flatten(1).abs().amax(1).view_as(sizes) / 127
    assert ((holder[0].weight - before).abs() <= 0.501 * step).all()
    assert not holder[0].weight[3].any()


@pytest.mark.parametrize(
    ("make", "apply", "grid"), [(networks.sd_unet, apply_sd_unet, 8), (networks.sdxl_unet, apply_sdxl_unet, 4)]
)
@pytest.mark.parametrize("axes", WRAPPED)
@torch.no_grad()
def test_a_u_net_rolls_with_its_input(make: Any, apply: Any, grid: int, axes: Axes) -> None:
    unet = make()
    shrink(unet)
    network: Network = apply(unet)
    x, before = random_input(4, 2 * grid, 3 * grid), snapshot(unet)
    plain = network(x)
    with seamless(unet, axes):
        assert roll_error(network, x, (grid * axes.y, grid * axes.x), 1) <= LIMIT
        assert not torch.equal(network(x), plain)
    assert_unchanged(before, unet)
    assert torch.equal(network(x), plain)
    with pytest.raises(RuntimeError), seamless(unet, axes):
        network(x[:, :3])  # fails in the middle of it
    assert_unchanged(before, unet)
    assert torch.equal(network(x), plain)


@pytest.mark.parametrize("name", ["FluxTransformer2DModel", "QwenImageTransformer2DModel", "ZImageTransformer2DModel"])
@pytest.mark.parametrize("axes", WRAPPED)
@torch.no_grad()
def test_a_transformers_law_is_kept(name: str, axes: Axes) -> None:
    sample = SAMPLES[name]()
    x = random(1, sample.channels, 4 * sample.patch, 6 * sample.patch)
    plain = sample.run(x)
    shrink(sample.network)
    assert 1e-5 < off(sample.run(x), plain) < 0.05
    test_rotary.made["in 8 bits"] = sample
    try:
        assert test_rotary.law("in 8 bits", axes, (6, 8), (2 * axes.y, 3 * axes.x)) <= LIMIT
    finally:
        del test_rotary.made["in 8 bits"]


# --- the plan

GB = 1 << 30


def plan(kind: Kind, gigabytes: float, memory: str, size: Size = S1024, **more: int) -> Plan:
    name = {Kind.CUDA: "cuda:0", Kind.ROCM: "cuda:0", Kind.XPU: "xpu:0"}.get(kind, kind.value)
    device = Device(kind, name, int(gigabytes * GB), "test device", 4)
    return make_plan(device, families.SDXL, SDXL | more, size, upcast_vae=True, memory=memory)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("gigabytes", [0.5, 2, 4, 6, 8, 12, 40])
def test_it_is_chosen_only_when_asked_for(kind: Kind, gigabytes: float) -> None:
    auto: Plan | None = plan(kind, gigabytes, "auto")
    while auto:
        assert not auto.eight_bits
        auto = auto.leaner()
    asked = plan(kind, gigabytes, EIGHT_BITS)
    assert asked.eight_bits is (asked.mode is not Mode.MINIMAL)
    assert ("8 bits" in asked.sentence) is asked.eight_bits
    leaner = asked.leaner()
    while leaner:
        assert leaner.eight_bits is (leaner.mode is not Mode.MINIMAL)
        assert leaner.sentence.count("8 bits") == leaner.eight_bits
        leaner = leaner.leaner()


@pytest.mark.parametrize(
    ("gigabytes", "auto", "narrow"), [(7, Mode.OFFLOAD, Mode.FULL), (4, Mode.MINIMAL, Mode.OFFLOAD)]
)
def test_a_card_holds_what_took_turns(gigabytes: float, auto: Mode, narrow: Mode) -> None:
    assert plan(Kind.CUDA, gigabytes, "auto").mode is auto
    assert plan(Kind.CUDA, gigabytes, EIGHT_BITS).mode is narrow


def test_the_plan_counts_the_weights_that_are_there() -> None:
    narrow = plan(Kind.CUDA, 40, EIGHT_BITS)
    saved = needed_bytes(replace(narrow, eight_bits=False), families.SDXL, SDXL, S1024) - needed_bytes(
        narrow, families.SDXL, SDXL, S1024
    )
    assert 0.45 * 2 * SDXL["unet"] < saved < 0.5 * 2 * SDXL["unet"]
    beside = needed_bytes(narrow, families.SDXL, SDXL | {GUIDES: 10**9}, S1024)
    assert beside - needed_bytes(narrow, families.SDXL, SDXL, S1024) == 2 * 10**9, "ControlNets keep 16 bits"


@pytest.mark.parametrize("kind", [Kind.CPU, Kind.MPS])
def test_where_there_is_one_memory_it_is_read_whole_before(kind: Kind) -> None:
    narrow = plan(kind, 100, EIGHT_BITS)
    each = 4 if narrow.dtype == "float32" else 2
    assert needed_bytes(narrow, families.SDXL, SDXL, Size(64, 64)) >= each * (sum(SDXL.values()))
    turned = narrow.taking_turns()
    assert needed_bytes(turned, families.SDXL, SDXL, Size(64, 64)) >= each * SDXL["unet"]


def test_a_mode_that_is_not_there_is_told_with_it() -> None:
    with pytest.raises(UserError) as caught:
        plan(Kind.CPU, 8, "turbo")
    assert EIGHT_BITS in caught.value.hint


# --- pictures


@pytest.fixture
def studio(tmp_path: Path, sd_folder: Path) -> Studio:
    return Studio(tmp_path / "store", sd_folder)


def test_a_picture_tells_it_and_only_the_denoiser_has_it(studio: Studio) -> None:
    plain = studio.pixels().astype(int)
    narrow = studio.pixels(memory=EIGHT_BITS).astype(int)
    assert 0 < np.abs(narrow - plain).mean() < 3
    assert np.array_equal(studio.pixels(memory=EIGHT_BITS), narrow)
    loaded = studio.cache.get(studio.base, "cpu", EIGHT_BITS)
    small = {name for name, part in loaded.pipeline.components.items() if isinstance(part, nn.Module) and _whole(part)}
    assert small == {"unet"}
    (note,) = studio.make(memory=EIGHT_BITS).notes
    assert "8 bits" in note
    assert loaded.environment()["weights"] == "8 bits"
    assert studio.make().notes == []
    assert "weights" not in studio.loaded().environment(), "another mode loads it again"
    assert np.array_equal(studio.pixels(), plain)


def _whole(network: nn.Module) -> bool:
    return any(weight.dtype is torch.int8 for weight in network.parameters())


@pytest.mark.parametrize("kind", ["", "dora"])
def test_loras_change_it_as_they_change_the_weights_that_it_has(studio: Studio, tmp_path: Path, kind: str) -> None:
    """Compared with a network whose weights in float32 are those that 8 bits make."""
    factors = makers.factors(networks.small_unet())
    tensors = makers.tensors("kohya", factors)
    if kind == "dora":
        for name in [name for name in tensors if name.endswith("lora_up.weight")]:
            rows = len(tensors[name])
            shape = (rows, *[1] * (tensors[name].ndim - 1))
            tensors[name.replace("lora_up.weight", "dora_scale")] = torch.rand(shape) + 0.5
    path = makers.write(tmp_path / "a.safetensors", tensors)
    request = loras.check(replace(studio.base, extras=Extras((Lora(str(path), weight=0.7),))))
    loaded = studio.cache.get(request, "cpu", EIGHT_BITS)
    narrow = loaded.pipeline.unet
    wide = networks.small_unet().requires_grad_(False)
    for name, layer in wide.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            layer.weight = nn.Parameter(narrow.get_submodule(name).weight.clone(), requires_grad=False)
    x = random_input(4, 8, 8)
    with torch.inference_mode():
        without = apply_sd_unet(narrow)(x)
        with loras.adapted(loaded, request.extras.loras, lambda _text: None), seamless(narrow, Axes.XY):
            changed = apply_sd_unet(narrow)(x)
            assert roll_error(apply_sd_unet(narrow), x, (2, 4), 1) <= LIMIT
        loaded.loras.clear()
        loaded.pipeline.unet = wide
        with loras.adapted(loaded, request.extras.loras, lambda _text: None), seamless(wide, Axes.XY):
            assert off(apply_sd_unet(wide)(x), changed) < 1e-5
    assert off(changed, without) > 0.01


def test_in_turns_it_is_read_again_in_8_bits(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    made = models.make_plan
    monkeypatch.setattr(models, "make_plan", lambda *some, **named: made(*some, **named).taking_turns())
    loaded = studio.cache.get(studio.base, "cpu", EIGHT_BITS)
    for prompt in ("bricks", "sand"):
        turns.read(loaded, replace(studio.base, prompt=prompt), lambda _text: None)
        assert _whole(loaded.pipeline.unet)


@pytest.mark.parametrize("mode", ["full", "offload", "lean"])
def test_every_mode_of_a_graphics_card_makes_it(studio: Studio, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """The processor stands in for the card."""
    expected = studio.pixels().astype(int)
    card = Device(Kind.CUDA, "cpu:0", 1 << 40, "stand-in", 1)
    made = models.make_plan
    monkeypatch.setattr(models, "ready", lambda _wanted: card)

    def narrow(*some: Any, **named: Any) -> Plan:
        return made(*some, **named | {"memory": mode}).in_eight_bits()

    monkeypatch.setattr(models, "make_plan", narrow)
    for _ in range(2):
        (result,) = studio.make(memory=EIGHT_BITS).done
        assert result.recipe.environment["memory"] == mode
        assert result.recipe.environment["weights"] == "8 bits"
        assert np.abs(studio.pixels(memory=EIGHT_BITS).astype(int) - expected).mean() < 4


def test_the_starter_stays_as_it_is() -> None:
    cache = ModelCache()
    loaded = cache.get(TextureRequest("bricks", model=STARTER), "cpu", EIGHT_BITS)
    assert not loaded.plan.eight_bits
    assert not _whole(loaded.pipeline.unet)
