# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints in one file, in the names of Stable Diffusion's authors: configurations and names as diffusers has them.

Imports core and the standard library only. Nothing is taken from a file's metadata: how a network is built follows from
the names and shapes of its tensors, and the few numbers that do not (heads, scales) are those of the base.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..model_files.header import Tensor
from . import bases
from .bases import Base


@dataclass(frozen=True, slots=True)
class Source:
    """Where a weight lies: a tensor of the file, or the rows of `count` of its `parts` equal parts, from `part` (0) on.

    transposed: it is stored the other way round. swapped: its upper and its lower half change places.
    """

    tensor: str
    part: int = 0
    parts: int = 1
    transposed: bool = False
    count: int = 1
    swapped: bool = False


@dataclass(frozen=True)
class Part:
    """A network in a file. library, cls: of diffusers or transformers. weights: its own names -> where they lie."""

    library: str
    cls: str
    config: Mapping[str, Any]
    weights: Mapping[str, Source]


@dataclass(frozen=True)
class Checkpoint:
    """A whole model in one file.

    parts: component -> its network. pads: tokenizer's component -> the token that it fills prompts up with.
    scheduler: diffusers' class and its configuration.
    """

    parts: Mapping[str, Part]
    pads: Mapping[str, str]
    scheduler: tuple[str, Mapping[str, Any]]


class Unusual(ValueError):
    """Tensors that are not as a base has them; its text says what is amiss."""


Tensors = Mapping[str, Tensor]
# What ComfyUI's 8-bit files hold beside their weights: by what a weight is to be multiplied, and of what is not read.
SCALES = ("scale_weight", "weight_scale", "scale_input", "input_scale", "scaled_fp8", "comfy_quant")
VAE = "first_stage_model."
_U_NET, _AVERAGED = "model.diffusion_model.", "model_ema.diffusion_model"
_CLIP, _OPEN_CLIP = "cond_stage_model.transformer.", "cond_stage_model.model."
_XL_CLIP, _XL_OPEN_CLIP = "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."
_PAD, _OPEN_PAD = "<|endoftext|>", "!"
# The noise schedule of all of them.
_SCHEDULE = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "num_train_timesteps": 1000,
    "steps_offset": 1,
    "timestep_spacing": "leading",
}
# The samplers that their authors' folders name.
_OWN: dict[str, tuple[str, dict[str, Any]]] = {
    bases.SD1.id: ("PNDMScheduler", {"skip_prk_steps": True, "set_alpha_to_one": False}),
    bases.SD2.id: ("DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": False}),
    bases.XL.id: ("EulerDiscreteScheduler", {"interpolation_type": "linear", "use_karras_sigmas": False}),
}
_LAYERS_SD2 = 23  # of OpenCLIP H's 24 it reads all but the last, and some files leave that one out


def read(tensors: Tensors, base: Base, prediction: str) -> Checkpoint:
    """The networks in a checkpoint with these tensors. Raises `Unusual`."""
    if "edm_mean" in tensors:
        raise Unusual("it is made for another way of sampling (EDM), which is not there")
    names = _inside(tensors, _U_NET) or averaged(tensors)
    parts = {"unet": u_net(tensors, names, base, prediction), "vae": autoencoder(tensors, base, VAE)}
    pads = {"tokenizer": _PAD}
    if base is bases.XL:
        parts["text_encoder"] = _clip(tensors, _XL_CLIP)
        parts["text_encoder_2"] = _open_clip(tensors, _XL_OPEN_CLIP, projected=True)
        pads["tokenizer_2"] = _OPEN_PAD
    elif any(name.startswith(_OPEN_CLIP) for name in tensors):
        parts["text_encoder"] = _open_clip(tensors, _OPEN_CLIP, projected=False)
        pads["tokenizer"] = _OPEN_PAD
    else:
        parts["text_encoder"] = _clip(tensors, _CLIP)
    name, own = _OWN[base.id]
    own = own | {"prediction_type": prediction or "epsilon"}
    if "ztsnr" in tensors:  # it marks itself as trained down to pure noise, as for ComfyUI
        own |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    return Checkpoint(parts, pads, (name, _SCHEDULE | own))


def side(base: Base, prediction: str) -> int:
    """Pixels of a side that models of a base were trained at."""
    return 1024 if base is bases.XL else 768 if base is bases.SD2 and prediction == "v_prediction" else 512


# --- the denoiser

_RESNET = (
    ("in_layers.0.", "norm1."),
    ("in_layers.2.", "conv1."),
    ("emb_layers.1.", "time_emb_proj."),
    ("out_layers.0.", "norm2."),
    ("out_layers.3.", "conv2."),
    ("skip_connection.", "conv_shortcut."),
)
_OUTER = {
    "time_embed.0.": "time_embedding.linear_1.",
    "time_embed.2.": "time_embedding.linear_2.",
    "label_emb.0.0.": "add_embedding.linear_1.",
    "label_emb.0.2.": "add_embedding.linear_2.",
    "input_blocks.0.0.": "conv_in.",
    "out.0.": "conv_norm_out.",
    "out.2.": "conv_out.",
}


def denoiser_names(tensors: Iterable[str]) -> dict[str, str]:
    """Names of a denoiser's weights without a prefix -> with it, whichever one a file has."""
    names = list(tensors)
    for prefix in bases.DENOISER_PREFIXES:
        if prefix and (inside := _inside(names, prefix)):
            return inside
    return averaged(names) or _inside(names, "")


def u_net(tensors: Tensors, names: Mapping[str, str], base: Base, prediction: str) -> Part:
    """A U-Net in its authors' names. names: see `denoiser_names`. Raises `Unusual`."""
    size = side(base, prediction)
    shapes = {short: tensors[name].shape for short, name in names.items()}
    if "label_emb.0.0.weight" in shapes and base is not bases.XL:
        raise Unusual("it is made for variations of a picture (unCLIP)")
    levels, places = _levels(shapes)
    first = shapes["input_blocks.0.0.weight"]
    attention = next((shape for name, shape in shapes.items() if name.endswith(".proj_in.weight")), ())
    widths = [level.width for level in levels]
    flat = len(attention) == 2
    middle = _depth(shapes, "middle_block.1.")
    config: dict[str, Any] = {
        "sample_size": size // 8,
        "in_channels": first[1],
        "out_channels": shapes["out.2.weight"][0],
        "block_out_channels": widths,
        "layers_per_block": levels[0].layers,
        "down_block_types": [f"{'CrossAttn' * bool(level.depth)}DownBlock2D" for level in levels],
        "up_block_types": [f"{'CrossAttn' * bool(level.depth)}UpBlock2D" for level in reversed(levels)],
        "transformer_layers_per_block": [level.depth or 1 for level in levels[:-1]] + [middle or 1],
        "cross_attention_dim": bases.text_width(shapes) or 0,
        "use_linear_projection": flat,
        # Its own number of heads is in no file. diffusers calls it so: heads, not their width.
        "attention_head_dim": [width // 64 for width in widths] if flat else 8,
        "upcast_attention": base is bases.SD2,
    }
    if base is bases.XL:
        config |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": shapes["label_emb.0.0.weight"][1],
        }
    weights = {}
    for short, name in names.items():
        found = _denoiser_name(short, places)
        if found is not None:
            weights[found] = Source(name)
    return Part("diffusers", "UNet2DConditionModel", config, weights)


@dataclass(frozen=True)
class _Level:
    width: int
    layers: int
    depth: int  # transformer blocks in a layer; 0 without attention


def _levels(shapes: bases.Shapes) -> tuple[list[_Level], dict[str, str]]:
    """The levels of a U-Net, and what its numbered blocks are called in diffusers. Raises `Unusual`."""
    places = {"middle_block.0.": "mid_block.resnets.0.", "middle_block.1.": "mid_block.attentions.0."}
    places["middle_block.2."] = "mid_block.resnets.1."
    rows: list[list[int]] = [[]]
    count = 1 + max(_numbers(shapes, "input_blocks."), default=0)
    for index in range(1, count):
        block = f"input_blocks.{index}."
        if f"{block}0.op.weight" in shapes:
            places[f"{block}0.op."] = f"down_blocks.{len(rows) - 1}.downsamplers.0.conv."
            rows.append([])
            continue
        places[f"{block}0."] = f"down_blocks.{len(rows) - 1}.resnets.{len(rows[-1])}."
        places[f"{block}1."] = f"down_blocks.{len(rows) - 1}.attentions.{len(rows[-1])}."
        rows[-1].append(index)
    layers = {len(row) for row in rows}
    depths = [{_depth(shapes, f"input_blocks.{index}.1.") for index in row} for row in rows]
    if len(layers) != 1 or 0 in layers or any(len(level) != 1 for level in depths):
        raise Unusual("its levels are built unlike each other, which is not read from one file")
    each = layers.pop()
    for index in range(len(rows) * (each + 1)):
        level, layer = divmod(index, each + 1)
        block = f"output_blocks.{index}."
        places[f"{block}0."] = f"up_blocks.{level}.resnets.{layer}."
        places[f"{block}1."] = f"up_blocks.{level}.attentions.{layer}."
        for place in (f"{block}1.conv.", f"{block}2.conv."):
            places[place] = f"up_blocks.{level}.upsamplers.0.conv."
    widths = [_shape(shapes, f"input_blocks.{row[0]}.0.out_layers.3.weight")[0] for row in rows]
    return [_Level(width, each, depth.pop()) for width, depth in zip(widths, depths, strict=True)], places


def _denoiser_name(short: str, places: Mapping[str, str]) -> str | None:
    """diffusers' name for a tensor of a U-Net, None for one that it has none for."""
    for old, new in _OUTER.items():
        if short.startswith(old):
            return new + short[len(old) :]
    # "output_blocks.5.1.conv." goes before "output_blocks.5.1."
    pieces = short.split(".")
    for length in (4, 3, 2):
        old = ".".join(pieces[:length]) + "."
        if old in places:
            new, rest = places[old], short[len(old) :]
            if ".resnets." in new:
                rest = next((ours + rest[len(theirs) :] for theirs, ours in _RESNET if rest.startswith(theirs)), rest)
            return new + rest
    return None


def _depth(shapes: bases.Shapes, attention: str) -> int:
    """The number of transformer blocks in a layer's attention."""
    return 1 + max(_numbers(shapes, f"{attention}transformer_blocks."), default=-1)


def averaged(tensors: Iterable[str]) -> dict[str, str]:
    """Names of a denoiser's averaged weights with the dots that they have lost -> their names in the file."""
    return {_dotted(name[len(_AVERAGED) :]): name for name in tensors if name.startswith(_AVERAGED) and len(name) < 300}


_WORDS = re.compile(
    "input_blocks|output_blocks|middle_block|time_embed|label_emb|transformer_blocks|in_layers|out_layers|emb_layers"
    "|skip_connection|attn[12]|norm[123]?|proj_in|proj_out|proj|to_q|to_k|to_v|to_out|ff|net|op|conv|out|weight|bias"
    r"|\d+"
)


def _dotted(flat: str) -> str:
    pieces: list[str] = []
    for word in _WORDS.findall(flat):
        if word.isdecimal() and pieces and pieces[-1] in ("input_blocks", "output_blocks", "label_emb"):
            pieces += [word[:-1], word[-1]]  # a block's number, and that of one of its few parts
        else:
            pieces.append(word)
    return ".".join(pieces)


# --- the autoencoder


def autoencoder(tensors: Tensors, base: Base | None, prefix: str) -> Part:
    """The autoencoder under a prefix, in its authors' names or diffusers'. Raises `Unusual`.

    base: of the model that is to use it.
    """
    names = _inside(tensors, prefix)
    shapes = {short: tensors[name].shape for short, name in names.items()}
    if "decoder.layers.0.weight" in shapes:
        return _tiny(names, shapes)
    down, block, first = "encoder.down.", "block.", "conv1.weight"
    named = not any(name.startswith(down) for name in shapes)
    if named:  # by diffusers
        down, block = "encoder.down_blocks.", "resnets."
    levels = 1 + max(_numbers(shapes, down), default=-1)
    if "encoder.quant_conv.weight" in shapes:  # FLUX.2's authors have it within
        names = {
            re.sub(r"^(?:en|de)coder\.(?=(?:post_)?quant_conv\.)", "", short): name for short, name in names.items()
        }
        shapes = {short: tensors[name].shape for short, name in names.items()}
    widths = [_shape(shapes, f"{down}{level}.{block}0.{first}")[0] for level in range(levels)]
    if not widths:
        raise Unusual("it holds no VAE that is known here")
    weights = {}
    for short, name in names.items():
        found = short if named else _vae_name(short, levels)
        if found is not None:
            weights[found] = Source(name)
    xl = base is bases.XL
    config = {
        "block_out_channels": widths,
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "layers_per_block": 1 + max(_numbers(shapes, f"{down}0.{block}"), default=0),
        "latent_channels": _shape(shapes, "decoder.conv_in.weight")[1],
        "sample_size": 1024 if xl else 512,
        "scaling_factor": 0.13025 if xl else 0.18215,
        "force_upcast": xl,  # SDXL's overflows at 16 bits
        "use_quant_conv": "quant_conv.weight" in shapes,
        "use_post_quant_conv": "post_quant_conv.weight" in shapes,
    }
    return Part("diffusers", "AutoencoderKL", config, weights)


def _tiny(names: Mapping[str, str], shapes: bases.Shapes) -> Part:
    """TAESD's kind, in diffusers' names. Raises `Unusual`."""
    width = _shape(shapes, "encoder.layers.0.weight")[0]
    latents = _shape(shapes, "decoder.layers.0.weight")[1]
    config: dict[str, Any] = {"latent_channels": latents}
    for part in ("encoder", "decoder"):
        config[f"{part}_block_out_channels"] = [width] * 4
    return Part("diffusers", "AutoencoderTiny", config, {short: Source(name) for short, name in names.items()})


def _vae_name(short: str, levels: int) -> str | None:
    for old, new in (("norm_out.", "conv_norm_out."), ("mid.block_1.", "mid_block.resnets.0.")):
        short = short.replace(f"coder.{old}", f"coder.{new}")
    short = short.replace("mid.block_2.", "mid_block.resnets.1.").replace("nin_shortcut.", "conv_shortcut.")
    match = re.match(r"(encoder|decoder)\.(down|up)\.(\d+)\.(block\.(\d+)|downsample|upsample)\.(.+)$", short)
    if match:
        side, way, level, _kind, block, rest = match.groups()
        number = int(level) if way == "down" else levels - 1 - int(level)
        kind = f"resnets.{block}" if block else f"{way}samplers.0"
        return f"{side}.{way}_blocks.{number}.{kind}.{rest}"
    match = re.match(r"(encoder|decoder)\.mid\.attn_1\.(norm|q|k|v|proj_out)\.(weight|bias)$", short)
    if match:
        side, what, end = match.groups()
        name = {"norm": "group_norm", "proj_out": "to_out.0"}.get(what, f"to_{what}")
        return f"{side}.mid_block.attentions.0.{name}.{end}"
    return None if ".mid." in short else short


# --- text encoders


def _clip(tensors: Tensors, prefix: str) -> Part:
    """CLIP's text encoder in transformers' names; older files leave out "text_model."."""
    names = _inside(tensors, prefix)
    names = {short.removeprefix("text_model."): name for short, name in names.items()}
    shapes = {short: tensors[name].shape for short, name in names.items()}
    layers = 1 + max(_numbers(shapes, "encoder.layers."), default=-1)
    config = _clip_config(
        _shape(shapes, "embeddings.token_embedding.weight"),
        _shape(shapes, "embeddings.position_embedding.weight")[0],
        layers,
        _shape(shapes, "encoder.layers.0.mlp.fc1.weight")[0],
        "quick_gelu",
    )
    return Part("transformers", "CLIPTextModel", config, {short: Source(name) for short, name in names.items()})


def _open_clip(tensors: Tensors, prefix: str, projected: bool) -> Part:
    """OpenCLIP's text encoder in its own names: queries, keys and values in one tensor."""
    names = _inside(tensors, prefix)
    shapes = {short: tensors[name].shape for short, name in names.items()}
    layers = 1 + max(_numbers(shapes, "transformer.resblocks."), default=-1)
    if not projected and layers != _LAYERS_SD2:
        layers -= 1
    config = _clip_config(
        _shape(shapes, "token_embedding.weight"),
        _shape(shapes, "positional_embedding")[0],
        layers,
        _shape(shapes, "transformer.resblocks.0.mlp.c_fc.weight")[0],
        "gelu",
    )
    start = "text_model." if projected else ""
    weights = {}
    for short, name in names.items():
        for found, source in _open_clip_names(short, name):
            if not found.startswith(f"encoder.layers.{layers}."):  # the last one, where it is not read
                weights[found if found.startswith("text_projection") else start + found] = source
    if projected:
        config["projection_dim"] = _shape(shapes, "text_projection")[1]
    cls = "CLIPTextModelWithProjection" if projected else "CLIPTextModel"
    return Part("transformers", cls, config, weights)


_OPEN_CLIP_NAMES = {
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}
_OPEN_CLIP_LAYER = {
    "ln_1.": "layer_norm1.",
    "ln_2.": "layer_norm2.",
    "mlp.c_fc.": "mlp.fc1.",
    "mlp.c_proj.": "mlp.fc2.",
    "attn.out_proj.": "self_attn.out_proj.",
}


def _open_clip_names(short: str, name: str) -> Iterator[tuple[str, Source]]:
    if short in _OPEN_CLIP_NAMES:
        yield _OPEN_CLIP_NAMES[short], Source(name)
    elif short == "text_projection":
        yield "text_projection.weight", Source(name, transposed=True)
    match = re.match(r"transformer\.resblocks\.(\d+)\.(.+)$", short)
    if match is None:
        return
    layer, rest = f"encoder.layers.{match[1]}.", match[2]
    if rest.startswith("attn.in_proj_"):
        for part, which in enumerate("qkv"):
            yield f"{layer}self_attn.{which}_proj.{rest.removeprefix('attn.in_proj_')}", Source(name, part, 3)
    for old, new in _OPEN_CLIP_LAYER.items():
        if rest.startswith(old):
            yield layer + new + rest[len(old) :], Source(name)


def _clip_config(table: tuple[int, ...], positions: int, layers: int, inner: int, act: str) -> dict[str, Any]:
    tokens, width = table
    return {
        "vocab_size": tokens,
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": max(width // 64, 1),
        "max_position_embeddings": positions,
        "hidden_act": act,
        "projection_dim": width,
        # The last tokens of the vocabulary. By the end's number its place is found where words were added after it.
        "bos_token_id": tokens - 2,
        "eos_token_id": tokens - 1,
        "pad_token_id": 1,
    }


# --- names


def _inside(tensors: Iterable[str], prefix: str) -> dict[str, str]:
    """Names without a prefix -> names with it, of what is under it."""
    return {name[len(prefix) :]: name for name in tensors if name.startswith(prefix)}


def _numbers(names: Iterable[str], prefix: str) -> set[int]:
    """The numbers that follow a prefix."""
    pieces = (name[len(prefix) :].partition(".")[0] for name in names if name.startswith(prefix))
    return {int(piece) for piece in pieces if piece.isdecimal() and len(piece) < 4}


def _shape(shapes: bases.Shapes, name: str) -> tuple[int, ...]:
    """A tensor's shape, with at least two numbers where it is a weight. Raises `Unusual` where it is not there."""
    shape = shapes.get(name)
    if shape is None or math.prod(shape) == 0 or len(shape) < 2:
        raise Unusual(f"it lacks {name}")
    return shape
