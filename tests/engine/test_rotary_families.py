# SPDX-License-Identifier: GPL-3.0-or-later
"""Families with a transformer, end to end: diffusers' own pipelines with random weights, through our own path."""

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from addon.core.errors import UserError
from addon.core.families import catalogue
from addon.core.requests.extras import Extras, Lora
from addon.core.requests.template import Template
from addon.core.requests.texture import Axes, Size
from addon.engine import families, generate
from addon.engine.devices import Device, Kind, make_plan
from addon.engine.prompts import embed
from addon.engine.seamless import seamless
from tests.engine.test_devices import LiveBytes
from tests.engine.test_generate import Stop, Studio, Watch
from tests.engine.test_rotary import off, turned
from tests.engine.test_seamless import LIMIT, WRAPPED, assert_unchanged, snapshot
from tests.engine.transformer_pipelines import PIPELINES, flux, flux2_klein

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
    "lumina2": {"guidance_scale": 3.0, "negative_prompt": "rust"},
    "cogview4": {"guidance_scale": 3.0, "negative_prompt": "rust"},
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


# --- LoRAs


@pytest.mark.parametrize("name", PIPELINES)
def test_a_lora_of_the_denoiser_counts_and_pictures_still_repeat_exactly(
    name: str, studio_of: Callable[[str], Studio], tmp_path: Path
) -> None:
    studio = studio_of(name)
    denoiser = studio.loaded().pipeline.transformer
    noise = torch.Generator().manual_seed(1)
    layers = [path for path, module in denoiser.named_modules() if isinstance(module, torch.nn.Linear)]
    attention = [path for path in layers if path.endswith((".to_q", ".to_k", ".to_out.0"))]
    assert len(attention) >= 3
    weights = {}
    for path in attention:
        layer = denoiser.get_submodule(path)
        weights[f"transformer.{path}.lora_A.weight"] = torch.randn(2, layer.in_features, generator=noise)
        weights[f"transformer.{path}.lora_B.weight"] = torch.randn(layer.out_features, 2, generator=noise)
    save_file(weights, tmp_path / "lora.safetensors")
    plain = studio.pixels()
    before = snapshot(denoiser)
    (made,) = studio.make(extras=Extras((Lora(str(tmp_path / "lora.safetensors"), weight=0.8),))).done
    assert made.recipe.is_exact
    assert not np.array_equal(np.asarray(Image.open(made.path())), plain)
    assert_unchanged(before, denoiser)
    assert np.array_equal(studio.pixels(), plain)


# --- cancelling


@pytest.mark.parametrize("name", PIPELINES)
def test_a_cancel_is_seen_in_the_middle_of_a_step_on_cards_too(
    name: str, studio_of: Callable[[str], Studio], monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = studio_of(name)
    network = studio.loaded().pipeline.transformer
    steps: list[None] = []
    checks: list[None] = []
    hook = network.register_forward_hook(lambda *_: steps.append(None))
    watch = Watch()
    monkeypatch.setattr(watch, "check", lambda: checks.append(None))
    monkeypatch.setattr(generate, "_LAYERS", generate._BLOCKS)  # as on a card
    studio.make(watch, steps=2)
    hook.remove()
    with_decoder = len(checks)
    blocks = {type(module).__name__ for module in network.modules()} & {
        *(network._repeated_blocks or ()),
        *(network._no_split_modules or ()),
    }
    assert blocks
    repeated = sum(type(module).__name__ in blocks for module in network.modules())
    assert with_decoder >= repeated * len(steps)
    assert repeated >= 2
    with pytest.raises(Stop):
        studio.make(Watch(stop_at=4), steps=2)


def test_a_schedule_that_is_not_finite_is_refused_before_the_run(studio_of: Callable[[str], Studio]) -> None:
    """Qwen-Image's own scheduler with one step: diffusers 0.42.1 divides nothing by nothing."""
    with pytest.raises(UserError, match="cannot make 1 step"):
        studio_of("qwen_image").make(steps=1)


# --- memory: full-size networks but for their depth, which a step does not hold


def half(*shape: int) -> torch.Tensor:
    return torch.empty(*shape, dtype=torch.bfloat16)


def of_flux(network: Any, tokens: int, **more: Any) -> None:
    channels, width = network.config.in_channels, network.config.joint_attention_dim
    axes = len(network.config.axes_dims_rope)
    ids = {"img_ids": torch.empty(tokens, axes), "txt_ids": torch.empty(512, axes)}
    network(half(1, tokens, channels), half(1, 512, width), timestep=half(1), **ids, **more)


SHALLOW = {"num_layers": 2, "num_single_layers": 2}
# network, its settings where they are not diffusers' own, side of the picture, and how it is called in a step
FULL_SIZE: dict[str, tuple[str, dict[str, Any], int, Callable[[Any, int], Any]]] = {
    "z_image": (
        "ZImageTransformer2DModel",
        {"n_layers": 2, "n_refiner_layers": 1},
        1024,
        lambda network, side: network([half(16, 1, side, side)] * 2, half(2), [half(288, 2560)] * 2),
    ),
    "flux2_klein": (
        "Flux2Transformer2DModel",
        SHALLOW | {"num_attention_heads": 24, "joint_attention_dim": 7680, "guidance_embeds": False},
        1024,
        lambda network, side: of_flux(network, side**2 // 4, guidance=None),
    ),
    "flux": (
        "FluxTransformer2DModel",
        SHALLOW | {"guidance_embeds": True},
        1024,
        lambda network, side: of_flux(network, side**2 // 4, pooled_projections=half(1, 768), guidance=torch.empty(1)),
    ),
    "chroma1": (
        "ChromaTransformer2DModel",
        SHALLOW,
        2048,  # its mask is as large as that squared
        lambda network, side: of_flux(network, side**2 // 4, attention_mask=half(1, 512 + side**2 // 4)),
    ),
    "qwen_image": (
        "QwenImageTransformer2DModel",
        {"num_layers": 2},
        1024,
        lambda network, side: network(
            half(1, side**2 // 4, 64), half(1, 300, 3584), None, half(1), [[(1, side // 2, side // 2)]]
        ),
    ),
    "lumina2": (
        "Lumina2Transformer2DModel",
        {"num_layers": 2, "num_refiner_layers": 1, "cap_feat_dim": 2304},
        1024,
        lambda network, side: network(
            half(1, 16, side, side), half(1), half(1, 256, 2304), torch.ones(1, 256, dtype=torch.bool, device="cpu")
        ),
    ),
    "cogview4": (
        "CogView4Transformer2DModel",
        {"num_layers": 2, "attention_head_dim": 128, "num_attention_heads": 32},
        1024,
        lambda network, side: network(
            half(1, 16, side, side), half(1, 256, 4096), half(1), half(1, 2), half(1, 2), half(1, 2)
        ),
    ),
    "ernie_image": (
        "ErnieImageTransformer2DModel",
        {
            "hidden_size": 4096,
            "num_attention_heads": 32,
            "num_layers": 2,
            "ffn_hidden_size": 12288,
            "text_in_dim": 3072,
        },
        1024,
        lambda network, side: network(
            half(2, 128, side // 2, side // 2), half(2), half(2, 300, 3072), torch.empty(2, dtype=torch.long)
        ),
    ),
}


@pytest.mark.parametrize("name", FULL_SIZE)
@torch.no_grad()
def test_the_estimate_of_a_step_covers_what_a_network_of_full_width_holds(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        torch.nn.functional, "scaled_dot_product_attention", lambda query, *_, **__: torch.empty_like(query)
    )
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # it does not know the device without data
    cls, settings, side, call = FULL_SIZE[name]
    with torch.device("meta"):
        network = getattr(diffusers, cls)(**settings).to(torch.bfloat16)
        with LiveBytes(network) as counted:
            call(network, side // 8)
    family = adapters()[name].family
    assert 0.9 * family.step_bytes < counted.peak / side**2 < family.step_bytes


# --- what folders say


def test_few_steps_are_the_default_of_those_that_were_distilled_to_them(tmp_path: Path) -> None:
    def defaults(folder: Path) -> tuple[int, float, bool]:
        found = catalogue.resolve(str(folder)).defaults
        return found.steps, found.guidance_scale, found.distilled

    flux2_klein(distilled=True).save_pretrained(tmp_path / "klein")
    flux2_klein().save_pretrained(tmp_path / "base")
    flux().save_pretrained(tmp_path / "schnell")
    flux(told=True).save_pretrained(tmp_path / "dev")
    PIPELINES["z_image"]().save_pretrained(tmp_path / "z-image-turbo")
    shutil.copytree(tmp_path / "z-image-turbo", tmp_path / "base Z")
    assert defaults(tmp_path / "klein") == (4, 1.0, True)
    assert defaults(tmp_path / "base") == (50, 4.0, False)
    assert defaults(tmp_path / "schnell") == (4, 1.0, True)
    assert defaults(tmp_path / "dev") == (28, 3.5, False)
    assert defaults(tmp_path / "z-image-turbo") == (8, 1.0, True)
    assert defaults(tmp_path / "base Z") == (30, 5.0, False)


@pytest.mark.parametrize("make", [lambda: flux2_klein(distilled=True), lambda: flux(told=True)])
def test_where_guidance_was_distilled_away_a_negative_prompt_is_said_to_be_unread(
    make: Callable[[], Any], tmp_path: Path
) -> None:
    make().save_pretrained(tmp_path / "model")
    studio = Studio(tmp_path / "store", tmp_path / "model")
    made = studio.make(size=SIZE, guidance_scale=3.0, negative_prompt="rust")
    assert "This model doesn't read negative prompts." in made.notes
    alone = studio.pixels(size=SIZE, guidance_scale=3.0)
    assert np.array_equal(np.asarray(Image.open(made.done[0].path())), alone)


def test_the_guidance_scale_of_flux_dev_reaches_the_network_and_takes_one_pass(tmp_path: Path) -> None:
    flux(told=True).save_pretrained(tmp_path / "model")
    studio = Studio(tmp_path / "store", tmp_path / "model")
    assert not np.array_equal(
        studio.pixels(size=SIZE, guidance_scale=3.0), studio.pixels(size=SIZE, guidance_scale=5.0)
    )


def test_on_a_card_they_compute_in_bfloat16() -> None:
    for name, adapter in adapters().items():
        plan = make_plan(Device(Kind.CUDA, "cuda:0", 1 << 36, "card"), adapter.family, {"transformer": 10**9}, SIZE)
        while plan is not None:
            assert plan.dtype == "bfloat16", name
            plan = plan.leaner()


def test_a_prompt_enhancer_in_the_folder_is_not_loaded(tmp_path: Path) -> None:
    PIPELINES["ernie_image"]().save_pretrained(tmp_path)
    index = tmp_path / "model_index.json"
    named = json.loads(index.read_text(encoding="utf-8"))
    named |= {"pe": ["transformers", "Ministral3ForCausalLM"], "pe_tokenizer": ["transformers", "TokenizersBackend"]}
    index.write_text(json.dumps(named), encoding="utf-8")
    studio = Studio(tmp_path / "store", tmp_path)
    assert studio.make(size=SIZE).done
    assert studio.loaded().pipeline.pe is None


# --- from pictures


@pytest.mark.parametrize("name", PIPELINES)
def test_a_picture_from_a_picture_is_nearer_to_it_the_less_is_made_anew(
    name: str, studio_of: Callable[[str], Studio], tmp_path: Path
) -> None:
    studio = studio_of(name)
    start = np.kron(np.random.default_rng(1).integers(0, 256, (4, 8, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    Image.fromarray(start).save(tmp_path / "wall.png")

    def latents(strength: float) -> torch.Tensor:
        seen = []
        decode = generate.decode
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                generate, "decode", lambda loaded, made, *more: seen.append(made) or decode(loaded, made, *more)
            )
            studio.make(template=Template(str(tmp_path / "wall.png"), strength), steps=6)
        return seen[0].clone()

    near, middle, far = (latents(strength) for strength in (0.05, 0.4, 0.9))
    assert off(near, middle) < off(near, far)
    assert torch.isfinite(far).all()
