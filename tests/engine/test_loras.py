# SPDX-License-Identifier: GPL-3.0-or-later
"""LoRAs on a model: the pixels of plain diffusers, on a torus, and nothing left behind."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import cpu_offload
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model, set_peft_model_state_dict
from PIL import Image
from torch import nn

from addon.core.errors import ErrorKind, UserError
from addon.core.requests.extras import Embedding, Extras, Lora
from addon.core.requests.texture import STARTER, Axes, Size
from addon.engine import lora_files, loras
from addon.engine.families.adapter import no_others
from addon.engine.families.u_net import first_names
from addon.engine.loras import adapted
from addon.engine.seamless import seamless
from tests.engine import lora_makers as makers
from tests.engine import networks, test_rotary
from tests.engine.test_generate import Stop, Studio, Watch
from tests.engine.test_seamless import (
    LIMIT,
    WRAPPED,
    apply_sd_unet,
    apply_sdxl_unet,
    assert_unchanged,
    random_input,
    roll_error,
    snapshot,
)
from tests.engine.transformers_of_diffusers import SAMPLES

XL_LAYERS = (
    "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
    "down_blocks.2.attentions.1.transformer_blocks.1.ff.net.2",
    "down_blocks.1.resnets.0.conv1",
    "down_blocks.0.downsamplers.0.conv",
    "down_blocks.2.attentions.0.proj_in",
)


@pytest.fixture
def studio(tmp_path: Path, sd_folder: Path) -> Studio:
    return Studio(tmp_path / "store", sd_folder)


@pytest.fixture
def sdxl_studio(tmp_path: Path, sdxl_folder: Path) -> Studio:
    return Studio(tmp_path / "store", sdxl_folder)


@pytest.fixture
def lora(studio: Studio, tmp_path: Path) -> Callable[..., Path]:
    """Writes a LoRA for the small model, of its U-Net's layers and one of its text encoder's."""

    def write(name: str, form: str = "kohya", seed: int = 0, **options: Any) -> Path:
        unet = makers.factors(networks.small_unet(), seed=seed)
        text = makers.factors(networks.text_encoder(), makers.TEXT, seed=seed)
        return makers.write(tmp_path / f"{name}.safetensors", makers.tensors(form, unet, text, **options))

    return write


def extras(*pairs: tuple[Path, float]) -> Extras:
    return Extras(tuple(Lora(str(path), weight=weight) for path, weight in pairs))


def plain_diffusers(cls: type, folder: str, loras: list[tuple[Path, float]], **arguments: Any) -> np.ndarray:
    """What diffusers and peft make of the same files, by themselves."""
    pipeline = cls.from_pretrained(folder)
    pipeline.unet.to(memory_format=torch.channels_last)
    pipeline.vae.to(memory_format=torch.channels_last)
    for number, (path, _weight) in enumerate(loras):
        pipeline.load_lora_weights(str(path), adapter_name=f"lora{number}")
    pipeline.set_adapters([f"lora{number}" for number in range(len(loras))], [weight for _path, weight in loras])
    made = pipeline(
        "bricks",
        negative_prompt="rust",
        width=64,
        height=64,
        num_inference_steps=3,
        guidance_scale=6.0,
        generator=torch.Generator().manual_seed(5),
        **arguments,
    )
    return np.asarray(made.images[0])


@pytest.mark.parametrize(
    ("form", "weight", "alpha"),
    [("kohya", 1.0, None), ("kohya", 0.7, 2.0), ("diffusers", -0.5, None), ("first diffusers", 1.0, None)],
)
def test_without_tiling_the_pixels_are_those_of_plain_diffusers(
    form: str, weight: float, alpha: float | None, studio: Studio, lora: Callable[..., Path]
) -> None:
    pairs = [(lora("a", form, alpha=alpha), weight)]
    asked = {"axes": Axes.NONE, "guidance_scale": 6.0, "negative_prompt": "rust"}
    pixels = studio.pixels(extras=extras(*pairs), **asked)
    assert np.array_equal(pixels, plain_diffusers(StableDiffusionPipeline, studio.base.model, pairs))
    assert not np.array_equal(pixels, studio.pixels(**asked))


def test_several_at_once_are_those_of_plain_diffusers(studio: Studio, lora: Callable[..., Path]) -> None:
    pairs = [(lora("a"), 0.5), (lora("b", "diffusers", 1), 0.25), (lora("c", seed=2, alpha=1.0), -1.0)]
    asked = {"axes": Axes.NONE, "guidance_scale": 6.0, "negative_prompt": "rust"}
    pixels = studio.pixels(extras=extras(*pairs), **asked)
    assert np.array_equal(pixels, plain_diffusers(StableDiffusionPipeline, studio.base.model, pairs))


def test_two_text_encoders(sdxl_studio: Studio, tmp_path: Path) -> None:
    unet = makers.factors(networks.sdxl_unet(depth=2), XL_LAYERS)
    content = makers.tensors("kohya", unet)
    for number in (1, 2):
        for layer, pair in makers.factors(networks.text_encoder(), makers.TEXT, number).items():
            name = f"lora_te{number}_text_model_{layer.replace('.', '_')}"
            content |= {f"{name}.lora_down.weight": pair[0], f"{name}.lora_up.weight": pair[1]}
    pairs = [(makers.write(tmp_path / "xl.safetensors", content), 0.8)]
    asked = {"axes": Axes.NONE, "guidance_scale": 6.0, "negative_prompt": "rust"}
    (result,) = sdxl_studio.make(extras=extras(*pairs), **asked).done
    pixels = np.asarray(Image.open(result.path()))
    assert np.array_equal(pixels, plain_diffusers(StableDiffusionXLPipeline, sdxl_studio.base.model, pairs))
    assert result.recipe.environment["LoRA xl.safetensors"].endswith(", 11 layers")


def test_every_format_makes_the_same_pixels(studio: Studio, tmp_path: Path) -> None:
    unet = makers.factors(networks.small_unet())
    made = [
        studio.pixels(extras=extras((makers.write(tmp_path / f"{form}.safetensors", makers.tensors(form, unet)), 1.0)))
        for form in makers.FORMATS
    ]
    assert all(np.array_equal(pixels, made[0]) for pixels in made)
    assert not np.array_equal(made[0], studio.pixels())


# nothing is left, nothing is loaded twice


def test_it_goes_as_it_came(studio: Studio, lora: Callable[..., Path]) -> None:
    plain = studio.pixels()
    loaded = studio.loaded()
    networks_ = [part for part in loaded.pipeline.components.values() if isinstance(part, nn.Module)]
    before = [snapshot(network) for network in networks_]
    states = [{name: tensor.clone() for name, tensor in network.state_dict().items()} for network in networks_]
    studio.make(extras=extras((lora("a"), 1.0), (lora("b", seed=1), 0.5)))
    assert not np.array_equal(studio.pixels(extras=extras((lora("a"), 1.0))), plain)
    assert np.array_equal(studio.pixels(), plain)
    assert studio.loaded() is loaded
    assert loaded.loras == {}, "and the files' memory is free"
    for network, kept, state in zip(networks_, before, states, strict=True):
        assert_unchanged(kept, network)
        assert not any(module._forward_hooks for module in network.modules())
        assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


def test_another_weight_reads_no_file_and_loads_no_model(
    studio: Studio, lora: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lora("a")
    first = studio.pixels(extras=extras((path, 1.0)))
    loaded = studio.loaded()
    monkeypatch.setattr(lora_files, "load_file", None)
    other = studio.pixels(extras=extras((path, 0.5)))
    assert studio.loaded() is loaded
    assert not np.array_equal(other, first)
    assert np.array_equal(studio.pixels(extras=extras((path, 1.0))), first)


def test_a_weight_of_zero_does_nothing(studio: Studio, tmp_path: Path) -> None:
    """Also of a file that would not fit."""
    wide = makers.factors(networks.sd_unet(32), (makers.ATTENTION,))
    path = makers.write(tmp_path / "wide.safetensors", makers.tensors("kohya", wide))
    assert np.array_equal(studio.pixels(extras=extras((path, 0.0))), studio.pixels())


@pytest.mark.parametrize("stop_at", [2, 9, 40])
def test_a_cancelled_job_leaves_the_network_plain(stop_at: int, studio: Studio, lora: Callable[..., Path]) -> None:
    plain = studio.pixels()
    with pytest.raises(Stop):
        studio.make(Watch(stop_at=stop_at), extras=extras((lora("a"), 1.0)))
    assert np.array_equal(studio.pixels(), plain)


def test_a_job_that_fails_leaves_the_network_plain(studio: Studio, lora: Callable[..., Path], tmp_path: Path) -> None:
    plain = studio.pixels()
    wrong = makers.write(
        tmp_path / "wrong.safetensors",
        makers.tensors("kohya", makers.factors(networks.sd_unet(32), (makers.ATTENTION,))),
    )
    with pytest.raises(UserError, match=r"^wrong\.safetensors is a LoRA for another model"):
        studio.make(extras=extras((lora("a"), 1.0), (wrong, 1.0)))
    not_a_number = makers.factors(networks.small_unet())
    not_a_number[makers.CONV][0][:] = torch.nan
    broken = makers.write(tmp_path / "broken.safetensors", makers.tensors("kohya", not_a_number))
    with pytest.raises(UserError, match="no valid numbers"):
        studio.make(extras=extras((broken, 1.0)))
    assert np.array_equal(studio.pixels(), plain)


# the law


def hooked(network: nn.Module, file: lora_files.LoraFile, weight: float) -> AbstractContextManager[None]:
    parts = file.parts["unet"].items()
    placed = {("unet", name): [(part.placed("cpu", torch.float32), weight)] for name, part in parts}
    return loras.hooked({"unet": network}, placed)


def relatives(network: nn.Module, conv: str, linear: str) -> dict[str, dict[str, torch.Tensor]]:
    """A file of each kind that convolves, with a linear layer beside."""
    generator = torch.Generator().manual_seed(3)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) * 0.3

    pairs = makers.factors(network, (conv, linear), size=0.3)
    plain = makers.tensors("kohya", pairs)
    made = {"LoRA": plain}
    flat, line = (f"lora_unet_{name.replace('.', '_')}" for name in (conv, linear))
    weight, width = network.get_submodule(conv).weight, network.get_submodule(linear).weight.shape
    out, size = weight.shape[0], weight.shape[1:]
    made["LoCon with a core"] = {
        f"{flat}.lora_down.weight": some(4, size[0], 1, 1),
        f"{flat}.lora_mid.weight": some(4, 4, 3, 3),
        f"{flat}.lora_up.weight": some(out, 4, 1, 1),
    }
    made["LoHa"] = {
        f"{flat}.hada_w1_a": some(out, 4),
        f"{flat}.hada_w1_b": some(4, size.numel()),
        f"{flat}.hada_w2_a": some(out, 4),
        f"{flat}.hada_w2_b": some(4, size.numel()),
    }
    made["LoKr"] = {
        f"{flat}.lokr_w1": some(4, 4),
        f"{flat}.lokr_w2": some(out // 4, size[0] // 4, 3, 3),
        f"{line}.lokr_w1": some(2, 2),
        f"{line}.lokr_w2": some(width[0] // 2, width[1] // 2),
    }
    made["DoRA"] = plain | {f"{flat}.dora_scale": 1 + some(out, 1, 1, 1), f"{line}.dora_scale": 1 + some(width[0], 1)}
    made["DoRA over inputs"] = plain | {
        f"{flat}.dora_scale": 1 + some(1, size[0], 1, 1),
        f"{line}.dora_scale": 1 + some(1, width[1]),
    }
    made["difference"] = {f"{flat}.diff": some(*weight.shape), f"{flat}.diff_b": some(out)}
    return made


KINDS = ("LoRA", "LoCon with a core", "LoHa", "LoKr", "DoRA", "DoRA over inputs", "difference")


@pytest.mark.parametrize("axes", WRAPPED)
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_every_kind_is_a_function_on_a_torus(kind: str, axes: Axes, tmp_path: Path) -> None:
    for network, apply, grid, conv, linear in (
        (networks.sd_unet(), apply_sd_unet, 8, "down_blocks.0.resnets.1.conv2", makers.ATTENTION),
        (networks.sdxl_unet(depth=2), apply_sdxl_unet, 4, "down_blocks.1.downsamplers.0.conv", XL_LAYERS[0]),
    ):
        content = relatives(network, conv, linear)[kind]
        path = makers.write(tmp_path / f"{grid}.safetensors", content)
        file = lora_files.read(path, lora_files.Names({"unet": network}, first_names))
        run = apply(network)
        x = random_input(4, 16, 16)
        with hooked(network, file, 0.8), seamless(network, axes):
            adapted_output = run(x)
            assert roll_error(run, x, (grid * axes.y, grid * axes.x), 1.0) <= LIMIT
        with seamless(network, axes):
            assert not torch.allclose(run(x), adapted_output, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_every_kind_does_what_its_weights_say(kind: str, tmp_path: Path) -> None:
    """Against layers whose weights were changed for good, as the kinds' authors define them."""
    network = networks.small_unet()
    conv, linear = makers.CONV, makers.ATTENTION
    content = relatives(network, conv, linear)[kind]
    path = makers.write(tmp_path / "a.safetensors", content)
    file = lora_files.read(path, lora_files.Names({"unet": network}, first_names))
    run, x = apply_sd_unet(network), random_input(4, 8, 8)
    with hooked(network, file, 1.0):
        found = run(x)
    for name, part in file.parts["unet"].items():
        layer = network.get_submodule(name)
        changed = layer.weight + part.delta.weight().reshape(layer.weight.shape) * (part.delta.alpha / part.delta.rank)
        magnitude = content.get(f"lora_unet_{name.replace('.', '_')}.dora_scale")
        if magnitude is not None:
            over = tuple(range(1, changed.ndim)) if kind == "DoRA" else (0, *range(2, changed.ndim))
            changed = magnitude * changed / torch.linalg.vector_norm(changed, dim=over, keepdim=True)
        layer.weight.copy_(changed)
        if part.bias is not None:
            layer.bias.add_(part.bias.flatten())
    expected = run(x)
    assert float((found - expected).abs().max() / expected.abs().max()) <= 1e-5


@torch.no_grad()
def test_dora_is_pefts(tmp_path: Path) -> None:
    network = networks.small_unet()
    config = LoraConfig(r=4, lora_alpha=2, target_modules=["to_q", "conv1"], use_dora=True, init_lora_weights=False)
    torch.manual_seed(0)
    inject_adapter_in_model(config, network)
    for name, tensor in network.named_parameters():
        if "magnitude" in name:
            tensor.mul_(1.3)
    run, x = apply_sd_unet(network), random_input(4, 8, 8)
    expected = run(x)
    said = '{"lora_alpha": 2}'
    path = makers.write(tmp_path / "dora.safetensors", get_peft_model_state_dict(network), lora_adapter_metadata=said)
    plain = networks.small_unet()
    file = lora_files.read(path, lora_files.Names({"unet": plain}, first_names))
    assert file.unused == ()
    with hooked(plain, file, 1.0):
        found = apply_sd_unet(plain)(x)
    assert float((found - expected).abs().max() / expected.abs().max()) <= 1e-5


def test_a_whole_picture_rolls_with_its_noise(studio: Studio, lora: Callable[..., Path]) -> None:
    loaded = studio.loaded()
    path = lora("a")
    asked = Lora(str(path), sha256="0" * 10, weight=0.5)

    def run(noise: torch.Tensor) -> torch.Tensor:
        with torch.no_grad(), adapted(loaded, [asked], lambda _text: None), seamless(loaded.pipeline, Axes.XY):
            loaded.pipeline.scheduler = type(loaded.scheduler).from_config(loaded.scheduler.config)
            return loaded.pipeline(
                "bricks", latents=noise, num_inference_steps=6, guidance_scale=4.0, output_type="latent"
            ).images

    assert roll_error(run, random_input(4, 8, 8), (2, 4), 1.0) <= 2e-5


# what is told


def test_the_recipe_names_each_with_weight_and_hash(studio: Studio, lora: Callable[..., Path]) -> None:
    path = lora("a")
    short = hashlib.sha256(path.read_bytes()).hexdigest()[:10]
    (result,) = studio.make(extras=extras((path, 0.5))).done
    assert result.recipe.texture.extras == Extras((Lora(str(path), short, 0.5),))
    assert result.recipe.environment["LoRA a.safetensors"] == f"0.5, sha256 {short}, 9 layers"
    assert result.notes == ()


def test_a_file_that_changed_since_the_recipe_is_told(studio: Studio, lora: Callable[..., Path]) -> None:
    (result,) = studio.make(extras=extras((lora("a"), 0.5))).done
    before = result.recipe.texture.extras
    path = lora("a", seed=1)
    watch = studio.make(extras=before)
    short = hashlib.sha256(path.read_bytes()).hexdigest()[:10]
    assert watch.notes[0] == (
        "a.safetensors is not the file that the recipe was made with: "
        f"it has the hash {short}, not {before.loras[0].sha256}."
    )
    assert watch.done[0].recipe.texture.extras.loras[0].sha256 == short


def test_layers_that_the_model_lacks_are_told(studio: Studio, tmp_path: Path) -> None:
    content = makers.tensors("kohya", makers.factors(networks.small_unet()))
    content |= {
        "lora_te2_final.lora_down.weight": torch.zeros(4, 4),
        "lora_te2_final.lora_up.weight": torch.zeros(4, 4),
    }
    path = makers.write(tmp_path / "a.safetensors", content)
    watch = studio.make(extras=extras((path, 1.0)), count=2)
    assert watch.notes == ["a.safetensors: 1 of its 7 layers are not in this model, such as lora_te2_final."]


def refusal(studio: Studio, **changes: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        studio.make(**changes)
    assert studio.cache.holds_model is False, "before anything is loaded"
    return caught.value


def test_a_file_that_is_not_there_or_no_lora_is_said_before_a_model_is_loaded(
    studio: Studio, lora: Callable[..., Path], tmp_path: Path
) -> None:
    gone = tmp_path / "gone.safetensors"
    error = refusal(studio, extras=extras((gone, 1.0)))
    assert (error.kind, error.message) == (ErrorKind.MODEL, f"The LoRA {gone} is not there.")
    error = refusal(studio, extras=Extras(embeddings=(Embedding(str(lora("a"))),)))
    assert error.message.startswith("a.safetensors is no embedding. This is a LoRA")
    assert error.hint == "Add it under LoRAs."


def test_the_starter_takes_none(studio: Studio, lora: Callable[..., Path]) -> None:
    error = refusal(studio, model=STARTER, size=Size(64, 64), extras=extras((lora("a"), 1.0)))
    assert error.message.startswith("The starter takes no LoRAs, embeddings or clip skip")


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_weights_that_wait_elsewhere_make_no_difference(kind: str, tmp_path: Path) -> None:
    """As in the leanest mode, where a layer has its weights only while it computes."""
    outputs = []
    for waits in (False, True):
        network = networks.small_unet()
        path = makers.write(tmp_path / "a.safetensors", relatives(network, makers.CONV, makers.ATTENTION)[kind])
        if waits:
            cpu_offload(network, execution_device="cpu")
            assert network.conv_in.weight.device.type == "meta"
        file = lora_files.read(path, lora_files.Names({"unet": network}, first_names))
        with hooked(network, file, 0.7), seamless(network, Axes.XY):
            outputs.append(apply_sd_unet(network)(random_input(4, 8, 8)))
    assert torch.equal(*outputs)


def test_a_lora_follows_the_networks_precision(studio: Studio, lora: Callable[..., Path]) -> None:
    loaded = studio.loaded()
    network = loaded.pipeline.unet.to(torch.bfloat16)
    asked = Lora(str(lora("a")), sha256="0" * 10)
    x = random_input(4, 8, 8).bfloat16()
    text = torch.randn(1, 7, networks.TEXT_WIDTH, dtype=torch.bfloat16)
    with torch.no_grad(), adapted(loaded, [asked], lambda _text: None), seamless(network, Axes.XY):
        assert network(x, 400, encoder_hidden_states=text).sample.dtype is torch.bfloat16


@pytest.mark.parametrize("name", SAMPLES)
@torch.no_grad()
def test_every_transformer_with_a_lora_does_what_it_does_with_peft(name: str, tmp_path: Path) -> None:
    ours, bare = SAMPLES[name](), SAMPLES[name]()
    ends = ("to_q", "to_k", "to_v", "to_out.0", "to_qkv_mlp_proj", "proj_mlp", "qkv", "qkv_proj")
    layers = [
        layer
        for layer, module in ours.network.named_modules()
        if isinstance(module, nn.Linear) and layer.endswith(ends)
    ]
    content = {}
    for layer, (down, up) in makers.factors(ours.network, layers, size=0.1).items():
        content |= {f"transformer.{layer}.lora_A.weight": down, f"transformer.{layer}.lora_B.weight": up}
    path = makers.write(tmp_path / "a.safetensors", content)
    file = lora_files.read(path, lora_files.Names({"transformer": ours.network}, no_others))
    assert (file.layers, file.unused) == (len(layers), ())
    assert layers
    x = random_input(ours.channels, 4, 6)
    plain = ours.run(x)
    inject_adapter_in_model(LoraConfig(r=4, lora_alpha=4, target_modules=layers), bare.network)
    set_peft_model_state_dict(bare.network, {key.removeprefix("transformer."): value for key, value in content.items()})
    parts = {("transformer", layer): [(part, 1.0)] for layer, part in file.parts["transformer"].items()}
    with loras.hooked({"transformer": ours.network}, parts):
        assert torch.equal(ours.run(x), bare.run(x))
        if name == "ZImageTransformer2DModel":
            test_rotary.made["with our LoRA"] = ours
            assert test_rotary.law("with our LoRA", Axes.XY, (6, 8), (2, 3)) <= LIMIT
    assert torch.equal(ours.run(x), plain)
    assert not torch.allclose(bare.run(x), plain, rtol=1e-3)
