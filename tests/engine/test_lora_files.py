# SPDX-License-Identifier: GPL-3.0-or-later
"""LoRA files of every format are read for what they are: the same layers, the same numbers, or refused by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FluxPipeline, FluxTransformer2DModel, ZImagePipeline, ZImageTransformer2DModel
from peft.tuners.lora import LoraLayer
from torch import nn
from torch.nn import functional as F

from addon.core.errors import ErrorKind, UserError
from addon.engine import lora_files
from addon.engine.families.adapter import no_others
from addon.engine.families.u_net import first_names
from tests.engine import lora_makers as makers
from tests.engine import networks


@pytest.fixture(scope="module")
def unet() -> nn.Module:
    return networks.small_unet()


@pytest.fixture(scope="module")
def names(unet: nn.Module) -> lora_files.Names:
    return lora_files.Names({"unet": unet, "text_encoder": networks.text_encoder()}, first_names)


def weights(file: lora_files.LoraFile) -> dict[str, torch.Tensor]:
    """Layer -> the difference of its weights."""
    return {
        f"{component}.{name}": part.delta.weight().flatten(1) * (part.delta.alpha / part.delta.rank)
        for component, parts in file.parts.items()
        for name, part in parts.items()
    }


@pytest.mark.parametrize("form", makers.FORMATS)
def test_every_format_reads_the_same(form: str, unet: nn.Module, names: lora_files.Names, tmp_path: Path) -> None:
    made = makers.factors(unet)
    file = lora_files.read(makers.write(tmp_path / "a.safetensors", makers.tensors(form, made)), names)
    assert (file.layers, file.unused) == (len(makers.LAYERS), ())
    found = weights(file)
    for name, (down, up) in made.items():
        assert torch.equal(found[f"unet.{name}"], up.flatten(1) @ down.flatten(1)), name


@pytest.mark.parametrize("form", ["diffusers", "first diffusers", "kohya", "ComfyUI"])
def test_text_encoders_are_found(form: str, unet: nn.Module, names: lora_files.Names, tmp_path: Path) -> None:
    text = makers.factors(names.networks["text_encoder"], makers.TEXT)
    content = makers.tensors(form, makers.factors(unet), text)
    file = lora_files.read(makers.write(tmp_path / "a.safetensors", content), names)
    assert set(file.parts["text_encoder"]) == set(makers.TEXT)
    assert file.unused == ()


def test_every_layer_of_real_networks_has_its_first_name() -> None:
    """Against the names that SD 1.5 and SDXL have, by their authors: some of each kind, and none twice."""
    for network, known in (
        (
            networks.sd_unet(),
            {
                "input_blocks.0.0": "conv_in",
                "input_blocks.3.0.op": "down_blocks.0.downsamplers.0.conv",
                "input_blocks.5.1.transformer_blocks.0.attn2.to_k": (
                    "down_blocks.1.attentions.1.transformer_blocks.0.attn2.to_k"
                ),
                "input_blocks.11.0.out_layers.3": "down_blocks.3.resnets.1.conv2",
                "middle_block.1.proj_out": "mid_block.attentions.0.proj_out",
                "middle_block.2.emb_layers.1": "mid_block.resnets.1.time_emb_proj",
                "output_blocks.2.1.conv": "up_blocks.0.upsamplers.0.conv",
                "output_blocks.5.2.conv": "up_blocks.1.upsamplers.0.conv",
                "output_blocks.11.1.transformer_blocks.0.ff.net.0.proj": (
                    "up_blocks.3.attentions.2.transformer_blocks.0.ff.net.0.proj"
                ),
                "output_blocks.6.0.skip_connection": "up_blocks.2.resnets.0.conv_shortcut",
                "out.2": "conv_out",
                "time_embed.2": "time_embedding.linear_2",
            },
        ),
        (
            networks.sdxl_unet(depth=2),
            {
                "input_blocks.4.1.transformer_blocks.1.attn1.to_q": (
                    "down_blocks.1.attentions.0.transformer_blocks.1.attn1.to_q"
                ),
                "input_blocks.6.0.op": "down_blocks.1.downsamplers.0.conv",
                "output_blocks.2.2.conv": "up_blocks.0.upsamplers.0.conv",
                "output_blocks.3.1.proj_in": "up_blocks.1.attentions.0.proj_in",
                "label_emb.0.2": "add_embedding.linear_2",
            },
        ),
    ):
        pairs = list(first_names(network))
        table = dict(pairs)
        assert len(table) == len(pairs)
        assert {first: table.get(first) for first in known} == known
        layers = {name for name, module in network.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)}
        assert layers <= set(table.values())


def test_alpha_scales_by_layer(unet: nn.Module, names: lora_files.Names, tmp_path: Path) -> None:
    content = makers.tensors("kohya", makers.factors(unet), alpha=1.0)
    file = lora_files.read(makers.write(tmp_path / "a.safetensors", content), names)
    assert {(part.delta.alpha, part.delta.rank) for part in file.parts["unet"].values()} == {(1.0, makers.RANK)}


@pytest.mark.parametrize("prefix", ["", "unet."])
def test_alpha_stands_in_pefts_settings_too(
    prefix: str, unet: nn.Module, names: lora_files.Names, tmp_path: Path
) -> None:
    settings = {"lora_alpha": 8, "alpha_pattern": {makers.CONV: 2}, "use_rslora": True}
    said = json.dumps({f"{prefix}{key}": value for key, value in settings.items()})
    content = makers.tensors("diffusers", makers.factors(unet))
    if prefix:
        path = makers.write(tmp_path / "a.safetensors", content, lora_adapter_metadata=said)
    else:
        path = makers.write(tmp_path / "adapter_model.safetensors", content)
        (tmp_path / "adapter_config.json").write_text(said)
    parts = lora_files.read(path, names).parts["unet"]
    assert {name: part.delta.alpha / part.delta.rank for name, part in parts.items()} == {
        name: (2 if name == makers.CONV else 8) / 2 for name in makers.LAYERS
    }


# relatives


def test_loha_and_lokr_are_the_products_that_lycoris_makes(
    unet: nn.Module, names: lora_files.Names, tmp_path: Path
) -> None:
    """Against peft's own layers, which take the same matrices."""
    from peft.tuners.loha.layer import make_weight, make_weight_cp

    conv, linear = unet.get_submodule(makers.CONV).weight, unet.get_submodule(makers.ATTENTION).weight
    r = torch.Generator().manual_seed(0)

    def some(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=r)

    out, size, width = conv.shape[0], conv.shape[1:], linear.shape[1]
    flat = {name: f"lora_unet_{name.replace('.', '_')}" for name in makers.LAYERS}
    hada = [some(out, 4), some(4, size.numel()), some(out, 4), some(4, size.numel())]
    tucker = [some(4, 4, 3, 3), some(4, out), some(4, size[0]), some(4, 4, 3, 3), some(4, out), some(4, size[0])]
    second = unet.get_submodule("down_blocks.0.resnets.0.conv2").weight
    assert second.shape == conv.shape
    content = {
        **{f"{flat[makers.CONV]}.hada_{n}": t for n, t in zip(("w1_a", "w1_b", "w2_a", "w2_b"), hada, strict=True)},
        f"{flat[makers.CONV]}.alpha": torch.tensor(2.0),
        **{
            f"lora_unet_down_blocks_0_resnets_0_conv2.hada_{n}": t
            for n, t in zip(("t1", "w1_a", "w1_b", "t2", "w2_a", "w2_b"), tucker, strict=True)
        },
        f"{flat[makers.ATTENTION]}.lokr_w1": some(4, 4),
        f"{flat[makers.ATTENTION]}.lokr_w2_a": some(len(linear) // 4, 2),
        f"{flat[makers.ATTENTION]}.lokr_w2_b": some(2, width // 4),
        f"{flat[makers.ATTENTION]}.alpha": torch.tensor(1.0),
        f"{flat[makers.DOWN]}.lokr_w1": some(2, 4),
        f"{flat[makers.DOWN]}.lokr_w2": some(8, 4, 3, 3),
        f"{flat[makers.DOWN]}.alpha": torch.tensor(1e9),  # of two whole matrices it is left aside
    }
    file = lora_files.read(makers.write(tmp_path / "a.safetensors", content), names)
    found, one = weights(file), torch.tensor(1.0)
    assert file.layers == 4
    assert torch.allclose(found[f"unet.{makers.CONV}"], make_weight(*hada, one).flatten(1) / 2)
    other = make_weight_cp(*tucker, one).flatten(1)
    assert torch.allclose(found["unet.down_blocks.0.resnets.0.conv2"], other, atol=1e-5)
    low = content[f"{flat[makers.ATTENTION]}.lokr_w2_a"] @ content[f"{flat[makers.ATTENTION]}.lokr_w2_b"]
    kron = torch.kron(content[f"{flat[makers.ATTENTION]}.lokr_w1"], low) / 2
    assert torch.allclose(found[f"unet.{makers.ATTENTION}"], kron)
    part = file.parts["unet"][makers.ATTENTION]
    x = some(3, 5, width)
    product = part.delta.product(unet.get_submodule(makers.ATTENTION), x)
    assert torch.allclose(product, F.linear(x, kron * 2), rtol=1e-4, atol=1e-5)
    first, whole = (content[f"{flat[makers.DOWN]}.lokr_{name}"] for name in ("w1", "w2"))
    assert torch.allclose(found[f"unet.{makers.DOWN}"], torch.kron(first[..., None, None], whole).flatten(1))


def test_locon_with_a_core_is_its_three_convolutions(unet: nn.Module, names: lora_files.Names, tmp_path: Path) -> None:
    layer = unet.get_submodule(makers.CONV)
    outputs, inputs = layer.weight.shape[:2]
    torch.manual_seed(0)
    down, mid, up = torch.randn(4, inputs, 1, 1), torch.randn(4, 4, 3, 3), torch.randn(outputs, 4, 1, 1)
    name = f"lora_unet_{makers.CONV.replace('.', '_')}"
    content = {f"{name}.lora_down.weight": down, f"{name}.lora_mid.weight": mid, f"{name}.lora_up.weight": up}
    part = lora_files.read(makers.write(tmp_path / "a.safetensors", content), names).parts["unet"][makers.CONV]
    x = torch.randn(1, inputs, 8, 8)
    expected = F.conv2d(F.conv2d(F.conv2d(x, down), mid, padding=1), up)
    assert torch.allclose(part.delta.product(layer, x), expected, rtol=1e-4, atol=1e-4)


# what is refused, in one sentence


def refusal(path: Path, names: lora_files.Names) -> str:
    with pytest.raises(UserError) as caught:
        lora_files.read(path, names)
    assert caught.value.kind is ErrorKind.MODEL
    return caught.value.message


def test_a_lora_for_another_model_is_called_by_its_name(names: lora_files.Names, tmp_path: Path) -> None:
    wide = makers.factors(networks.sd_unet(32), (makers.ATTENTION,))
    path = makers.write(tmp_path / "wide.safetensors", makers.tensors("kohya", wide))
    assert refusal(path, names) == (
        "wide.safetensors is a LoRA for another model, and does not fit this one: "
        f"its layer {makers.ATTENTION} has another shape."
    )
    key = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
    other = {
        f"{key}.lora_down.weight": torch.zeros(4, 2048),
        f"{key}.lora_up.weight": torch.zeros(640, 4),
        "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": torch.zeros(4, 1280),
        "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": torch.zeros(5120, 4),
    }
    path = makers.write(tmp_path / "large.safetensors", other)
    assert refusal(path, names) == (
        "large.safetensors is a LoRA for SDXL, and does not fit this one: none of its 2 layers is in this model."
    )


@pytest.mark.parametrize(
    ("key", "method"),
    [("oft_blocks", "OFT"), ("on_input", "IA3"), ("a1.weight", "GLoRA"), ("w_norm", "changes to norms")],
)
def test_what_is_not_read_is_refused_by_name(key: str, method: str, names: lora_files.Names, tmp_path: Path) -> None:
    content = {f"lora_unet_{makers.CONV.replace('.', '_')}.{key}": torch.zeros(4, 4)}
    path = makers.write(tmp_path / "a.safetensors", content)
    assert refusal(path, names) == f"a.safetensors holds {method}, which Tilewright can't apply."


@pytest.mark.parametrize("missing", [".lora_up.weight", ".lora_down.weight"])
def test_half_a_lora_is_refused(missing: str, unet: nn.Module, names: lora_files.Names, tmp_path: Path) -> None:
    content = makers.tensors("kohya", makers.factors(unet, (makers.CONV,)))
    half = {name: tensor for name, tensor in content.items() if not name.endswith(missing)}
    assert "does not fit this one" in refusal(makers.write(tmp_path / "a.safetensors", half), names)


def test_layers_that_the_model_lacks_are_counted(unet: nn.Module, names: lora_files.Names, tmp_path: Path) -> None:
    content = makers.tensors("kohya", makers.factors(unet))
    content |= {
        "lora_unet_mid_block_attentions_7_proj_in.lora_down.weight": torch.zeros(4, 4),
        "bundle": torch.zeros(1),
    }
    file = lora_files.read(makers.write(tmp_path / "a.safetensors", content), names)
    assert file.layers == len(makers.LAYERS)
    assert file.unused == ("bundle", "lora_unet_mid_block_attentions_7_proj_in")


@pytest.mark.parametrize("damage", [b"", b"\x00" * 20, b'{"a": 1}'])
def test_what_is_no_file_of_tensors_is_refused(damage: bytes, names: lora_files.Names, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(damage)
    assert "a.safetensors" in refusal(path, names)


# families whose layers' other names diffusers knows


def flux() -> nn.Module:
    torch.manual_seed(0)
    return FluxTransformer2DModel(
        patch_size=1,
        in_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=[4, 4, 8],
    ).eval()


def z_image() -> nn.Module:
    torch.manual_seed(0)
    return ZImageTransformer2DModel(
        all_patch_size=(2,),
        all_f_patch_size=(1,),
        in_channels=4,
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        axes_dims=[4, 6, 6],
        axes_lens=[64, 64, 64],
    ).eval()


def pair(name: str, inputs: int, outputs: int, down: str, up: str) -> dict[str, torch.Tensor]:
    return {f"{name}{down}": torch.randn(4, inputs), f"{name}{up}": torch.randn(outputs, 4)}


def fused(form: str) -> dict[str, torch.Tensor]:
    """Query, key and value as one layer, as the authors of these models have them."""
    torch.manual_seed(1)
    kohya, peft = (".lora_down.weight", ".lora_up.weight"), (".lora_A.weight", ".lora_B.weight")
    if form == "FLUX.1, kohya":
        return {
            **pair("lora_unet_double_blocks_0_img_attn_qkv", 32, 96, *kohya),
            **pair("lora_unet_double_blocks_0_txt_attn_proj", 32, 32, *kohya),
            **pair("lora_unet_single_blocks_0_linear2", 160, 32, *kohya),
        }
    return pair("diffusion_model.layers.0.attention.to_q", 32, 32, *peft)


@pytest.mark.parametrize(
    ("form", "make", "pipeline"),
    [
        ("FLUX.1, kohya", flux, FluxPipeline),
        ("Z-Image, ComfyUI", z_image, ZImagePipeline),
    ],
)
def test_layers_that_are_one_are_taken_apart_as_diffusers_does(
    form: str, make: Callable[[], nn.Module], pipeline: Any, tmp_path: Path
) -> None:
    content = fused(form)
    bare, network = make(), make()
    converted = pipeline.lora_state_dict(dict(content))
    bare.load_lora_adapter(converted[0] if isinstance(converted, tuple) else converted, prefix="transformer")
    path = makers.write(tmp_path / "a.safetensors", content)
    file = lora_files.read(path, lora_files.Names({"transformer": network}, no_others), pipeline.lora_state_dict)
    assert file.unused == ()
    found = weights(file)
    theirs = {
        f"transformer.{name}": (layer.get_delta_weight("default_0")).flatten(1)
        for name, layer in bare.named_modules()
        if isinstance(layer, LoraLayer)
    }
    # layers of which the conversion makes zeros are adapted by nothing
    theirs = {name: weight for name, weight in theirs.items() if name in found or weight.any()}
    assert set(found) == set(theirs)
    for name, weight in theirs.items():
        assert torch.allclose(found[name], weight, rtol=1e-5, atol=1e-6), name


@pytest.mark.parametrize("prefix", ["diffusion_model.layers.0.attention.", "lora_unet_layers_0_attention_"])
def test_what_diffusers_cannot_take_apart_is_too(prefix: str, tmp_path: Path) -> None:
    """Z-Image in the names of its authors, which its checkpoints for ComfyUI have."""
    torch.manual_seed(1)
    qkv = pair(f"{prefix}qkv", 32, 96, ".lora_A.weight", ".lora_B.weight")
    content = qkv | pair(f"{prefix}out", 32, 32, ".lora_A.weight", ".lora_B.weight")
    path = makers.write(tmp_path / "a.safetensors", content)
    names = lora_files.Names({"transformer": z_image()}, no_others)
    file = lora_files.read(path, names, ZImagePipeline.lora_state_dict)
    assert (file.layers, file.unused) == (4, ())
    found = weights(file)
    down, up = qkv.values()
    for index, name in enumerate(("to_q", "to_k", "to_v")):
        expected = up[32 * index : 32 * (index + 1)] @ down
        assert torch.equal(found[f"transformer.layers.0.attention.{name}"], expected)
