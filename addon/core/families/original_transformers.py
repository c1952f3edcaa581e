# SPDX-License-Identifier: GPL-3.0-or-later
"""Transformers in a file of their own: what their authors call their weights, and what diffusers (0.42) does.

Imports core and the standard library only. A file in diffusers' own names passes as it is: no rule speaks of those.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import bases
from .bases import Base
from .original import SCALES, Part, Source, Tensors, Unusual, denoiser_names, u_net


@dataclass(frozen=True)
class _Rule:
    """What becomes of tensors whose name begins with `old`, where "#" is a number.

    new: what stands for it; several for a tensor that holds several, one above the other. shares: the rows of each, of
    as many as all together. swapped: its upper and its lower half change places.
    """

    old: str
    new: tuple[str, ...]
    shares: tuple[int, ...] = ()
    swapped: bool = False


def _named(*pairs: tuple[str, str]) -> tuple[_Rule, ...]:
    return tuple(_Rule(old, (new,)) for old, new in pairs)


def _split(old: str, new: str, *ends: str) -> _Rule:
    return _Rule(old, tuple(f"{new}{end}." for end in ends), (1,) * len(ends))


_QKV, _ADDED = ("to_q", "to_k", "to_v"), ("add_q_proj", "add_k_proj", "add_v_proj")
# Their last layer gives a shift and a scale, diffusers' a scale and a shift.
_LAST = _Rule("final_layer.adaLN_modulation.1.", ("norm_out.linear.",), swapped=True)
_DOUBLE, _SINGLE = "transformer_blocks.#.", "single_transformer_blocks.#."
_NORMS = _named(
    ("double_blocks.#.img_attn.norm.query_norm.scale", f"{_DOUBLE}attn.norm_q.weight"),
    ("double_blocks.#.img_attn.norm.key_norm.scale", f"{_DOUBLE}attn.norm_k.weight"),
    ("double_blocks.#.txt_attn.norm.query_norm.scale", f"{_DOUBLE}attn.norm_added_q.weight"),
    ("double_blocks.#.txt_attn.norm.key_norm.scale", f"{_DOUBLE}attn.norm_added_k.weight"),
    ("single_blocks.#.norm.query_norm.scale", f"{_SINGLE}attn.norm_q.weight"),
    ("single_blocks.#.norm.key_norm.scale", f"{_SINGLE}attn.norm_k.weight"),
)
_TWO_STREAMS = (
    *_NORMS,
    _split("double_blocks.#.img_attn.qkv.", f"{_DOUBLE}attn.", *_QKV),
    _split("double_blocks.#.txt_attn.qkv.", f"{_DOUBLE}attn.", *_ADDED),
    *_named(
        ("double_blocks.#.img_attn.proj.", f"{_DOUBLE}attn.to_out.0."),
        ("double_blocks.#.txt_attn.proj.", f"{_DOUBLE}attn.to_add_out."),
        ("img_in.", "x_embedder."),
        ("txt_in.", "context_embedder."),
        ("final_layer.linear.", "proj_out."),
    ),
)
_FLUX = (
    *_TWO_STREAMS,
    *_named(
        ("time_in.in_layer.", "time_text_embed.timestep_embedder.linear_1."),
        ("time_in.out_layer.", "time_text_embed.timestep_embedder.linear_2."),
        ("vector_in.in_layer.", "time_text_embed.text_embedder.linear_1."),
        ("vector_in.out_layer.", "time_text_embed.text_embedder.linear_2."),
        ("guidance_in.in_layer.", "time_text_embed.guidance_embedder.linear_1."),
        ("guidance_in.out_layer.", "time_text_embed.guidance_embedder.linear_2."),
        ("distilled_guidance_layer.layers.#.in_layer.", "distilled_guidance_layer.layers.#.linear_1."),
        ("distilled_guidance_layer.layers.#.out_layer.", "distilled_guidance_layer.layers.#.linear_2."),
        ("distilled_guidance_layer.norms.#.scale", "distilled_guidance_layer.norms.#.weight"),
        ("double_blocks.#.img_mod.lin.", f"{_DOUBLE}norm1.linear."),
        ("double_blocks.#.txt_mod.lin.", f"{_DOUBLE}norm1_context.linear."),
        ("double_blocks.#.img_mlp.0.", f"{_DOUBLE}ff.net.0.proj."),
        ("double_blocks.#.img_mlp.2.", f"{_DOUBLE}ff.net.2."),
        ("double_blocks.#.txt_mlp.0.", f"{_DOUBLE}ff_context.net.0.proj."),
        ("double_blocks.#.txt_mlp.2.", f"{_DOUBLE}ff_context.net.2."),
        ("single_blocks.#.modulation.lin.", f"{_SINGLE}norm.linear."),
        ("single_blocks.#.linear2.", f"{_SINGLE}proj_out."),
    ),
    _Rule(
        "single_blocks.#.linear1.",
        tuple(f"{_SINGLE}{end}." for end in ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")),
        (1, 1, 1, 4),
    ),
    _LAST,
)
_FLUX2 = (
    *_TWO_STREAMS,
    *_named(
        ("time_in.in_layer.", "time_guidance_embed.timestep_embedder.linear_1."),
        ("time_in.out_layer.", "time_guidance_embed.timestep_embedder.linear_2."),
        ("guidance_in.in_layer.", "time_guidance_embed.guidance_embedder.linear_1."),
        ("guidance_in.out_layer.", "time_guidance_embed.guidance_embedder.linear_2."),
        ("double_stream_modulation_img.lin.", "double_stream_modulation_img.linear."),
        ("double_stream_modulation_txt.lin.", "double_stream_modulation_txt.linear."),
        ("single_stream_modulation.lin.", "single_stream_modulation.linear."),
        ("double_blocks.#.img_mlp.0.", f"{_DOUBLE}ff.linear_in."),
        ("double_blocks.#.img_mlp.2.", f"{_DOUBLE}ff.linear_out."),
        ("double_blocks.#.txt_mlp.0.", f"{_DOUBLE}ff_context.linear_in."),
        ("double_blocks.#.txt_mlp.2.", f"{_DOUBLE}ff_context.linear_out."),
        ("single_blocks.#.linear1.", f"{_SINGLE}attn.to_qkv_mlp_proj."),
        ("single_blocks.#.linear2.", f"{_SINGLE}attn.to_out."),
    ),
    _LAST,
)
_ONE_STREAM = (
    *_named(("x_embedder.", "all_x_embedder.2-1."), ("final_layer.", "all_final_layer.2-1.")),
    *(
        rule
        for place in ("layers.#.", "noise_refiner.#.", "context_refiner.#.")
        for rule in (
            _split(f"{place}attention.qkv.", f"{place}attention.", *_QKV),
            *_named(
                (f"{place}attention.out.", f"{place}attention.to_out.0."),
                (f"{place}attention.q_norm.", f"{place}attention.norm_q."),
                (f"{place}attention.k_norm.", f"{place}attention.norm_k."),
            ),
        )
    ),
)
_JOINT, _PICTURE, _TEXT = "transformer_blocks.#.", "joint_blocks.#.x_block.", "joint_blocks.#.context_block."
_JOINT_STREAMS = (
    *_named(
        ("pos_embed", "pos_embed.pos_embed"),
        ("x_embedder.proj.", "pos_embed.proj."),
        ("t_embedder.mlp.0.", "time_text_embed.timestep_embedder.linear_1."),
        ("t_embedder.mlp.2.", "time_text_embed.timestep_embedder.linear_2."),
        ("y_embedder.mlp.0.", "time_text_embed.text_embedder.linear_1."),
        ("y_embedder.mlp.2.", "time_text_embed.text_embedder.linear_2."),
        (f"{_PICTURE}attn.ln_q.", f"{_JOINT}attn.norm_q."),
        (f"{_PICTURE}attn.ln_k.", f"{_JOINT}attn.norm_k."),
        (f"{_TEXT}attn.ln_q.", f"{_JOINT}attn.norm_added_q."),
        (f"{_TEXT}attn.ln_k.", f"{_JOINT}attn.norm_added_k."),
        (f"{_PICTURE}attn.proj.", f"{_JOINT}attn.to_out.0."),
        (f"{_TEXT}attn.proj.", f"{_JOINT}attn.to_add_out."),
        (f"{_PICTURE}attn2.ln_q.", f"{_JOINT}attn2.norm_q."),
        (f"{_PICTURE}attn2.ln_k.", f"{_JOINT}attn2.norm_k."),
        (f"{_PICTURE}attn2.proj.", f"{_JOINT}attn2.to_out.0."),
        (f"{_PICTURE}adaLN_modulation.1.", f"{_JOINT}norm1.linear."),
        (f"{_TEXT}adaLN_modulation.1.", f"{_JOINT}norm1_context.linear."),
        (f"{_PICTURE}mlp.fc1.", f"{_JOINT}ff.net.0.proj."),
        (f"{_PICTURE}mlp.fc2.", f"{_JOINT}ff.net.2."),
        (f"{_TEXT}mlp.fc1.", f"{_JOINT}ff_context.net.0.proj."),
        (f"{_TEXT}mlp.fc2.", f"{_JOINT}ff_context.net.2."),
        ("final_layer.linear.", "proj_out."),
    ),
    _split(f"{_PICTURE}attn.qkv.", f"{_JOINT}attn.", *_QKV),
    _split(f"{_TEXT}attn.qkv.", f"{_JOINT}attn.", *_ADDED),
    _split(f"{_PICTURE}attn2.qkv.", f"{_JOINT}attn2.", *_QKV),
    _LAST,
)
RULES: dict[str, tuple[_Rule, ...]] = {
    bases.FLUX1.id: _FLUX,
    bases.CHROMA.id: _FLUX,
    bases.KLEIN_4B.id: _FLUX2,
    bases.KLEIN_9B.id: _FLUX2,
    bases.ZIMAGE.id: _ONE_STREAM,
    bases.SD3.id: _JOINT_STREAMS,
}


def denoiser(tensors: Tensors, base: Base, prediction: str, library: str, cls: str, own: Mapping[str, Any]) -> Part:
    """The denoiser in a file, with or without other parts beside it. Raises `Unusual`.

    library, cls: diffusers' class for it. own: the configuration of another denoiser of that class, which says what no
    file does.
    """
    names = denoiser_names(tensors)
    if "input_blocks.0.0.weight" in names:
        return u_net(tensors, names, base, prediction)
    weights = dict(_renamed(names, RULES.get(base.id, ()), tensors))
    shapes = {name: _shape(tensors, source) for name, source in weights.items()}
    return Part(library, cls, _fitted(base, own, shapes), weights)


def _renamed(names: Mapping[str, str], rules: tuple[_Rule, ...], tensors: Tensors) -> list[tuple[str, Source]]:
    found: list[tuple[str, Source]] = []
    compiled = [(re.compile(re.escape(rule.old).replace(r"\#", r"(\d+)")), rule) for rule in rules]
    last = max((int(match[1]) for name in names if (match := re.match(r"joint_blocks\.(\d+)\.", name))), default=-1)
    for short, name in names.items():
        if short.endswith(SCALES):
            continue
        for pattern, rule in compiled:
            match = pattern.match(short)
            if match is None or (rule.old == "pos_embed" and short != rule.old):
                continue
            swapped = rule.swapped or short.startswith(f"joint_blocks.{last}.context_block.adaLN_modulation.")
            parts, part = sum(rule.shares) or 1, 0
            for new, count in zip(rule.new, rule.shares or (1,), strict=True):
                full = (new.replace("#", match[1]) if match.groups() else new) + short[match.end() :]
                found.append((full, Source(name, part, parts, count=count, swapped=swapped)))
                part += count
            break
        else:
            found.append((short, Source(name)))
    return found


def _shape(tensors: Tensors, source: Source) -> tuple[int, ...]:
    shape = tensors[source.tensor].shape
    return (shape[0] // source.parts * source.count, *shape[1:]) if shape else shape


def _fitted(base: Base, own: Mapping[str, Any], shapes: bases.Shapes) -> dict[str, Any]:
    """Another one's configuration, with what the file's weights say themselves. Raises `Unusual`."""
    config = dict(own)
    for key, blocks in (("num_layers", "transformer_blocks."), ("num_single_layers", "single_transformer_blocks.")):
        if key in config and (found := _count(shapes, blocks)):
            config[key] = found
    if base is bases.FLUX1:
        config["guidance_embeds"] = any(".guidance_embedder." in name for name in shapes)
    if base is bases.SD3:
        width = shapes.get("pos_embed.proj.weight", (0,))[0]
        table = shapes.get("pos_embed.pos_embed", (0, 0))[1]
        head = config.get("attention_head_dim")
        if not isinstance(head, int) or head <= 0 or not width or width % head:
            raise Unusual("its width is none that can be read")
        config |= {
            "num_attention_heads": width // head,
            "caption_projection_dim": width,
            "pos_embed_max_size": int(table**0.5),
            "dual_attention_layers": sorted(
                {int(name.split(".")[1]) for name in shapes if re.match(r"transformer_blocks\.\d+\.attn2\.", name)}
            ),
            "qk_norm": "rms_norm" if any(name.endswith(".attn.norm_q.weight") for name in shapes) else None,
        }
    return config


def _count(shapes: bases.Shapes, blocks: str) -> int:
    numbers = (name[len(blocks) :].partition(".")[0] for name in shapes if name.startswith(blocks))
    return 1 + max((int(number) for number in numbers if number.isdecimal() and len(number) < 4), default=-1)
