# SPDX-License-Identifier: GPL-3.0-or-later
"""What files are called, by headers as they are found on disks: names and shapes of the real ones, without weights."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from addon.core.errors import ErrorKind, UserError
from addon.core.families import bases, catalogue, latent_spaces
from addon.core.model_files import kinds
from addon.core.model_files.header import Header, Tensor
from addon.core.model_files.kinds import FileKind, Role, kind_of, look

Shapes = dict[str, tuple[int, ...]]


def kind(shapes: Shapes, dtype: str = "F16", **metadata: str) -> FileKind:
    tensors, at = {}, 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        tensors[name] = Tensor(dtype, shape, at, at + size)
        at += size
    return kind_of(Header(tensors, metadata))


def write(path: Path, shapes: Shapes, **metadata: str) -> Path:
    """A file with these tensors, of 16 bits, sparse: no weight is ever written."""
    entries: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        entries[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(entries).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at)
    return path


def under(prefix: str, shapes: Shapes) -> Shapes:
    return {prefix + name: shape for name, shape in shapes.items()}


def ldm(width: int, inputs: int = 4, flat: bool = False) -> Shapes:
    """The tensors by which a U-Net in its authors' names is told."""
    block = "input_blocks.1.1" if width in (768, 1024) else "input_blocks.4.1"
    return {
        "input_blocks.0.0.weight": (320, inputs, 3, 3),
        "time_embed.0.weight": (1280, 320),
        f"{block}.proj_in.weight": (320, 320) if flat else (320, 320, 1, 1),
        f"{block}.transformer_blocks.0.attn2.to_k.weight": (320, width),
    }


VAE: Shapes = {
    "encoder.down.0.block.0.norm1.weight": (128,),
    "decoder.conv_in.weight": (512, 4, 3, 3),
    "decoder.conv_out.weight": (3, 128, 3, 3),
}
CLIP_L: Shapes = {
    "text_model.embeddings.token_embedding.weight": (49408, 768),
    "text_model.encoder.layers.0.self_attn.q_proj.weight": (768, 768),
}
OPEN_CLIP: Shapes = {
    "token_embedding.weight": (49408, 1024),
    "transformer.resblocks.0.attn.in_proj_weight": (3072, 1024),
}
U_NET, FIRST_STAGE = "model.diffusion_model.", "first_stage_model."
SD1 = {**under(U_NET, ldm(768)), **under(FIRST_STAGE, VAE), **under("cond_stage_model.transformer.", CLIP_L)}
SD2 = {**under(U_NET, ldm(1024, flat=True)), **under(FIRST_STAGE, VAE), **under("cond_stage_model.model.", OPEN_CLIP)}
XL = {
    **under(U_NET, ldm(2048, flat=True) | {"label_emb.0.0.weight": (1280, 2816)}),
    **under(FIRST_STAGE, VAE),
    **under("conditioner.embedders.0.transformer.", CLIP_L),
    **under("conditioner.embedders.1.model.", OPEN_CLIP),
}


@pytest.mark.parametrize(
    ("shapes", "base", "words"),
    [
        (SD1, bases.SD1, "This is a checkpoint of Stable Diffusion 1.x."),
        (SD2, bases.SD2, "This is a checkpoint of Stable Diffusion 2.x."),
        (XL, bases.XL, "This is a checkpoint of SDXL."),
        ({**XL, **under(U_NET, ldm(2048, 9))}, bases.XL, "This is an inpainting checkpoint of SDXL."),
        ({**SD1, **under(U_NET, ldm(768, 8))}, bases.SD1, "an instruction-editing checkpoint of"),
        ({**XL, **under(U_NET, ldm(1280))}, bases.XL_REFINER, "This is a checkpoint of the SDXL refiner."),
    ],
    ids=["1", "2", "XL", "inpainting", "instruct", "refiner"],
)
def test_checkpoints_are_called_what_they_are(shapes: Shapes, base: bases.Base, words: str) -> None:
    found = kind(shapes)
    assert (found.role, found.base) == (Role.CHECKPOINT, base)
    assert words in found.sentence
    assert found.needs == ""
    assert found.place == ""


@pytest.mark.parametrize("prefix", [U_NET, "diffusion_model.", ""])
@pytest.mark.parametrize(
    ("shapes", "base"),
    [
        (ldm(768), bases.SD1),
        ({"double_blocks.0.img_attn.norm.key_norm.scale": (128,), "img_in.weight": (3072, 64)}, bases.FLUX1),
        ({"single_stream_modulation.lin.weight": (9216, 3072)}, bases.KLEIN_4B),
        ({"single_stream_modulation.lin.weight": (12288, 4096)}, bases.KLEIN_9B),
        ({"layers.0.adaLN_modulation.0.weight": (15360, 256), "cap_embedder.0.weight": (2560,)}, bases.ZIMAGE),
        ({"transformer_blocks.0.img_mod.1.weight": (18432, 3072), "txt_norm.weight": (3584,)}, bases.QWEN),
        ({"joint_blocks.0.context_block.adaLN_modulation.1.bias": (9216,)}, bases.SD3),
        ({"distilled_guidance_layer.in_proj.bias": (5120,)}, bases.CHROMA),
    ],
    ids=["SD1", "flux", "klein4", "klein9", "z", "qwen", "sd3", "chroma"],
)
def test_a_denoiser_alone_is_told_what_it_also_needs(prefix: str, shapes: Shapes, base: bases.Base) -> None:
    found = kind(under(prefix, shapes), "BF16")
    assert (found.role, found.base, found.precision) == (Role.DENOISER, base, "bfloat16")
    assert "alone. It also needs" in found.sentence
    assert found.needs == base.needs


def test_a_denoiser_with_its_vae_needs_only_the_rest() -> None:
    found = kind({**under(U_NET, ldm(768)), **under(FIRST_STAGE, VAE)})
    assert found.role is Role.DENOISER
    assert found.needs == "a CLIP text encoder"


def test_averaged_weights_alone_are_a_checkpoint_too() -> None:
    flat = {f"model_ema.diffusion_model{name.replace('.', '')}": shape for name, shape in ldm(768).items()}
    found = kind({**flat, **under(FIRST_STAGE, VAE), **under("cond_stage_model.transformer.", CLIP_L)})
    assert (found.role, found.base, found.ema) == (Role.CHECKPOINT, bases.SD1, True)


K = "down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"


def kohya(width: int, rank: int = 8) -> Shapes:
    return {
        f"lora_unet_{K}.lora_down.weight": (rank, width),
        f"lora_unet_{K}.lora_up.weight": (640, rank),
        f"lora_unet_{K}.alpha": (),
    }


def dotted(module: str, prefix: str, width: int) -> Shapes:
    return {f"{prefix}{module}.lora_A.weight": (4, width), f"{prefix}{module}.lora_B.weight": (640, 4)}


MODULE = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
ORIGINAL = "input_blocks.4.1.transformer_blocks.0.attn2.to_k"
LORAS = {
    "kohya 1": (kohya(768), bases.SD1, "kohya"),
    "kohya 2": (kohya(1024), bases.SD2, "kohya"),
    "kohya XL": (kohya(2048), bases.XL, "kohya"),
    "diffusers": (dotted(MODULE, "unet.", 2048), bases.XL, "diffusers"),
    "peft": (dotted(MODULE, "base_model.model.", 2048), bases.XL, "peft"),
    "ComfyUI": (dotted(ORIGINAL, "diffusion_model.", 768), bases.SD1, "ComfyUI"),
    "bare": (dotted(MODULE, "", 768), bases.SD1, "bare"),
    "old": (
        {
            f"unet.{MODULE.removesuffix('.to_k')}.processor.to_k_lora.down.weight": (4, 768),
            f"unet.{MODULE.removesuffix('.to_k')}.processor.to_k_lora.up.weight": (320, 4),
        },
        bases.SD1,
        "diffusers",
    ),
    "flux": (
        {
            "lora_unet_single_blocks_0_linear1.lora_down.weight": (16, 3072),
            "lora_unet_single_blocks_0_linear1.lora_up.weight": (21504, 16),
        },
        bases.FLUX1,
        "kohya",
    ),
    "flux diffusers": (dotted("single_transformer_blocks.0.attn.to_q", "transformer.", 3072), bases.FLUX1, "diffusers"),
    "klein": (
        {
            "diffusion_model.single_blocks.0.linear1.lora_A.weight": (16, 3072),
            "diffusion_model.single_blocks.0.linear1.lora_B.weight": (27648, 16),
        },
        bases.KLEIN_4B,
        "ComfyUI",
    ),
    "z": (dotted("layers.0.attention.to_q", "diffusion_model.", 3840), bases.ZIMAGE, "ComfyUI"),
    "qwen": (dotted("transformer_blocks.0.img_mlp.net.2", "transformer.", 3072), bases.QWEN, "diffusers"),
    "sd3": (dotted("transformer_blocks.0.attn.add_k_proj", "transformer.", 1536), bases.SD3, "diffusers"),
}


@pytest.mark.parametrize(("shapes", "base", "layout"), LORAS.values(), ids=LORAS)
def test_loras_are_told_by_what_their_layers_read(shapes: Shapes, base: bases.Base, layout: str) -> None:
    found = kind(shapes)
    assert (found.role, found.base, found.layout) == (Role.LORA, base, layout)
    assert found.sentence == f"This is a LoRA for {base.title}."
    assert found.place == "Add it under LoRAs."


@pytest.mark.parametrize(
    ("shapes", "methods"),
    [
        ({f"lora_unet_{K}.hada_w1_a": (640, 4), f"lora_unet_{K}.hada_w1_b": (4, 2048)}, ("LoHa",)),
        ({f"lora_unet_{K}.lokr_w1": (8, 16), f"lora_unet_{K}.lokr_w2": (80, 128)}, ("LoKr",)),
        (kohya(2048) | {f"lora_unet_{K}.dora_scale": (640, 1)}, ("LoRA", "DoRA")),
        (kohya(2048) | {"lora_unet_down_blocks_0_resnets_0_conv1.lora_down.weight": (4, 320, 3, 3)}, ("LoRA", "LoCon")),
    ],
    ids=["LoHa", "LoKr", "DoRA", "LoCon"],
)
def test_what_a_lora_consists_of(shapes: Shapes, methods: tuple[str, ...]) -> None:
    found = kind(shapes)
    assert (found.role, found.base, found.methods) == (Role.LORA, bases.XL, methods)


def test_a_lora_says_its_rank_its_words_and_whether_it_changes_how_prompts_are_read() -> None:
    text = {"lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight": (16, 768)}
    tags = json.dumps({"10_x": {"brick wall": 40, "moss": 90}, "1_y": {"brick wall": 60}})
    found = kind(kohya(768) | text, ss_tag_frequency=tags)
    assert (found.rank, found.reads_text, found.triggers) == (16, True, ("brick wall", "moss"))
    named = kind(kohya(768), **{"modelspec.trigger_phrase": "brck, mossy", "ss_tag_frequency": tags})
    assert named.triggers == ("brck", "mossy")
    assert kind(kohya(768), ss_tag_frequency="{[").triggers == ()


def test_a_lora_for_text_alone_and_one_of_unknown_widths() -> None:
    name = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
    text = {f"{name}.lora_down.weight": (4, 768), f"{name}.lora_up.weight": (768, 4)}
    assert kind(text).base is bases.SD1
    narrow = kind(kohya(24))
    assert (narrow.role, narrow.base) == (Role.LORA, None)
    assert kind(kohya(24), ss_base_model_version="sdxl_base_v1-0").base is bases.XL


CONTROL = {"controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3), "conv_in.weight": (320, 4, 3, 3)}
READS = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight"
OTHERS = {
    "ControlNet": (
        CONTROL | {"time_embedding.linear_1.weight": (1280, 320), READS: (640, 2048)},
        Role.CONTROLNET,
        "a ControlNet for SDXL",
    ),
    "old ControlNet": (
        under("control_model.", ldm(768) | {"input_hint_block.0.weight": (16, 3, 3, 3)}),
        Role.CONTROLNET,
        "a ControlNet for Stable Diffusion 1.x",
    ),
    "Union": (
        CONTROL | {"time_embedding.linear_1.weight": (1280, 320), READS: (640, 2048), "task_embedding": (6, 320)},
        Role.CONTROLNET,
        "a Union ControlNet for SDXL",
    ),
    "IP-Adapter": (
        {"image_proj.proj.weight": (8192, 1024), "ip_adapter.1.to_k_ip.weight": (640, 2048)},
        Role.IP_ADAPTER,
        "an IP-Adapter for SDXL",
    ),
    "VAE": (
        VAE | {"post_quant_conv.weight": (4, 4, 1, 1)},
        Role.VAE,
        "a VAE with 4 channels, of Stable Diffusion 1.x and 2.x or SDXL",
    ),
    "VAE without a convolution that they have": (VAE, Role.VAE, "a VAE with 4 channels."),
    "VAE of FLUX": (
        VAE | {"decoder.conv_in.weight": (512, 16, 3, 3)},
        Role.VAE,
        "a VAE with 16 channels, of Stable Diffusion 3 or FLUX.1",
    ),
    "VAE of FLUX.2": (
        VAE | {"decoder.conv_in.weight": (512, 32, 3, 3), "decoder.post_quant_conv.weight": (32, 32, 1, 1)},
        Role.VAE,
        "a VAE with 32 channels.",
    ),
    "tiny VAE": ({"decoder.layers.0.weight": (64, 16, 3, 3)}, Role.VAE, "a tiny VAE"),
    "CLIP": (CLIP_L, Role.TEXT_ENCODER, "the text encoder CLIP L alone"),
    "T5": ({"encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)}, Role.TEXT_ENCODER, "a T5 text encoder"),
    "language": ({"model.layers.0.self_attn.q_proj.weight": (4096, 2560)}, Role.TEXT_ENCODER, "a language model"),
    "vision": ({"vision_model.encoder.layers.0.mlp.fc1.weight": (5120, 1280)}, Role.IMAGE_ENCODER, "CLIP image"),
    "embedding": ({"emb_params": (4, 768)}, Role.EMBEDDING, "for Stable Diffusion 1.x"),
    "embedding XL": ({"clip_l": (2, 768), "clip_g": (2, 1280)}, Role.EMBEDDING, "for SDXL"),
    "embedding by its word": ({"<moss>": (768,)}, Role.EMBEDDING, "for Stable Diffusion 1.x"),
    "ESRGAN": ({"conv_first.weight": (64, 3, 3, 3)}, Role.UPSCALER, "an upscaler"),
    "quantized": ({"a.weight": (8,), "a.weight.absmax": (1,)}, Role.OTHER, "in 4 or 8 bits"),
    "garbage": ({"w": (4, 4, 4)}, Role.UNKNOWN, "no model that is known here"),
    "nothing": ({}, Role.UNKNOWN, "an empty file"),
}


@pytest.mark.parametrize(("shapes", "role", "words"), OTHERS.values(), ids=OTHERS)
def test_other_files_are_called_what_they_are(shapes: Shapes, role: Role, words: str) -> None:
    found = kind(shapes)
    assert found.role is role
    assert words in found.sentence


@pytest.mark.parametrize(
    ("architecture", "title"),
    [
        ("stable-diffusion-xl-v1-base/vae", "SDXL"),
        ("stable-diffusion-v1/vae", "Stable Diffusion 1.x and 2.x"),
        ("flux-1-dev/vae", None),  # of other channels
        ("", None),
    ],
)
def test_a_vae_is_of_whom_its_file_says_where_its_tensors_allow_it(architecture: str, title: str | None) -> None:
    shapes = VAE | {"post_quant_conv.weight": (4, 4, 1, 1)}
    titles = [space.title for space in kind(shapes, **{"modelspec.architecture": architecture}).spaces]
    assert titles == ([title] if title else ["Stable Diffusion 1.x and 2.x", "SDXL"])


@pytest.mark.parametrize(
    ("config", "title"),
    [
        ({"latent_channels": 4}, "Stable Diffusion 1.x and 2.x"),  # diffusers' own default
        ({"latent_channels": 4, "scaling_factor": 0.13025}, "SDXL"),
        ({"latent_channels": 16, "scaling_factor": 1.5305, "shift_factor": 0.0609}, "Stable Diffusion 3"),
        ({"latent_channels": 16, "scaling_factor": 0.3611, "shift_factor": 0.1159}, "FLUX.1"),
        ({"latent_channels": 4, "scaling_factor": 0.5}, None),
        ({"latent_channels": 4, "scaling_factor": "0.5"}, None),
        ({"latent_channels": 4, "scaling_factor": 0.13025, "latents_mean": [0.0] * 4}, None),
        ({"_class_name": "AutoencoderTiny", "latent_channels": 4, "scaling_factor": 0.18215}, None),
    ],
)
def test_a_configuration_says_whose_a_vae_is(config: dict[str, object], title: str | None) -> None:
    found = latent_spaces.of_config(config)
    assert (found.title if found else None) == title


def test_our_own_networks_are_none_of_them() -> None:
    models = Path(kinds.__file__).parents[2] / "models"
    assert look(models / "starter/vae/diffusion_pytorch_model.safetensors").role is Role.VAE
    assert look(models / "starter/unet/diffusion_pytorch_model.safetensors").role is Role.UNKNOWN
    assert look(models / "upscaler/starter-2x.safetensors").role is Role.UPSCALER
    assert look(models / "maps/height-normal.safetensors").role is Role.UPSCALER


def test_v_prediction_is_taken_from_the_file_alone() -> None:
    assert kind(XL).prediction == ""
    assert kind(XL | {"v_pred": ()}).prediction == "v_prediction"
    assert kind(XL, **{"modelspec.prediction_type": "v"}).prediction == "v_prediction"
    assert kind(XL, **{"modelspec.prediction_type": "epsilon"}).prediction == "epsilon"


def test_8_bit_files_are_told_and_whether_they_are_scaled() -> None:
    assert kind(SD1, "F8_E4M3").precision == "float8_e4m3fn"
    assert not kind(SD1, "F8_E4M3").scaled
    assert kind(SD1 | {U_NET + "input_blocks.1.0.scale_weight": ()}, "F8_E4M3").scaled


def test_a_file_is_read_once_while_it_stays_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.safetensors", SD1)
    assert kinds.peek(path) is None
    assert look(path).base is bases.SD1
    monkeypatch.setattr(kinds, "read_header", lambda _path: pytest.fail("read again"))
    assert look(path).base is bases.SD1
    assert kinds.peek(path) is not None
    monkeypatch.undo()
    write(path, XL)
    assert kinds.peek(path) is None
    assert look(path).base is bases.XL
    kinds.forget()
    assert kinds.peek(path) is None


@pytest.mark.parametrize("data", [b"", b"<html>" * 50, struct.pack("<Q", 2**40) + b"{}"])
def test_fault_18_what_is_no_safetensors_file_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"broken\.safetensors") as caught:
        look(path)
    assert caught.value.kind is ErrorKind.MODEL
    with pytest.raises(UserError, match="nowhere"):
        look(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty."),
        (b"\x10\0\0", "is cut short."),
        (b"\xff" * 100, "is no safetensors file, or cut short."),
        (
            b"\x80\x04\x95\x0a\0\0\0\0\0\0\0}\x94\x8c\x01a\x94K\x01s.",
            "is a pickle by another name, and such files can hold code.",
        ),
        (b"PK\3\4" + bytes(100), "is a pickle by another name, and such files can hold code."),
        (b"GGUF" + bytes(100), "is a GGUF file by another name, which is not read here."),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:",
            "is a pointer of Git LFS, and not the file itself.",
        ),
        (b"\n<!DOCTYPE html><html>" * 9, "is a page of the web, and not the file itself."),
    ],
)
def test_a_file_that_is_no_safetensors_is_called_what_it_is(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "ümläut.safetensors"
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        look(path)
    assert caught.value.message == f"{path} {said}"
    assert caught.value.hint


def test_a_header_whose_length_looks_like_a_pickle_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    header = json.dumps({"w": {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}}).ljust(0x280).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0\0")
    assert path.read_bytes().startswith(b"\x80\x02")
    assert look(path).role is Role.UNKNOWN


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        ("gone", "There is no {}.", "Connect the drive"),
        ("gone.safetensors", "There is no {}.", "Connect the drive"),
        ("empty", "{} is no model in diffusers format: it has no model_index.json.", "Choose a complete"),
        ("full", "{} is no model in diffusers format: it has no model_index.json.", "such as a.safetensors."),
        ("model.part", "{} is neither a .safetensors file nor a folder.", "Choose one"),
    ],
)
def test_what_is_no_model_is_told(tmp_path: Path, name: str, said: str, hint: str) -> None:
    for folder in ("empty", "full"):
        (tmp_path / folder).mkdir()
    for file in ("full/a.safetensors", "model.part"):
        (tmp_path / file).write_bytes(b"")
    with pytest.raises(UserError) as caught:
        catalogue.resolve(str(tmp_path / name))
    assert caught.value.message == said.format(tmp_path / name)
    assert hint in caught.value.hint


@pytest.mark.parametrize("model", ["someone/a-model", "https://huggingface.co/someone/a-model"])
def test_a_name_of_the_hub_is_no_model_here(model: str) -> None:
    with pytest.raises(UserError) as caught:
        catalogue.resolve(model)
    assert "downloaded under Models in the preferences" in caught.value.hint
