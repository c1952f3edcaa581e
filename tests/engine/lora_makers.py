# SPDX-License-Identifier: GPL-3.0-or-later
"""LoRA files with random numbers, with the names that trainers and programs write."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

# A linear layer of attention, a convolution of a residual block, a text encoder's layer: what trainers adapt.
ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
OUT = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0"
CONV = "down_blocks.0.resnets.0.conv1"
PROJ = "down_blocks.0.attentions.0.proj_in"
DOWN = "down_blocks.0.downsamplers.0.conv"
UP = "up_blocks.1.resnets.1.conv_shortcut"
LAYERS = (ATTENTION, OUT, CONV, PROJ, DOWN, UP)
# diffusers (0.42) knows kohya's names in a text encoder only where the last of these is adapted
TEXT = tuple(f"encoder.layers.0.{name}" for name in ("self_attn.q_proj", "mlp.fc1", "self_attn.out_proj"))
# The same in the names of the U-Net's authors, for one with two levels of one layer.
FIRST = {
    ATTENTION: "input_blocks.1.1.transformer_blocks.0.attn1.to_q",
    OUT: "input_blocks.1.1.transformer_blocks.0.attn2.to_out.0",
    CONV: "input_blocks.1.0.in_layers.2",
    PROJ: "input_blocks.1.1.proj_in",
    DOWN: "input_blocks.2.0.op",
    UP: "output_blocks.3.0.skip_connection",
}
RANK = 4
FORMATS = ("diffusers", "first diffusers", "peft", "kohya", "kohya, first names", "ComfyUI", "bare", "LyCORIS")
Factors = dict[str, tuple[torch.Tensor, torch.Tensor]]


def factors(
    network: nn.Module, layers: Iterable[str] = LAYERS, seed: int = 0, size: float = 0.5, rank: int = RANK
) -> Factors:
    """Layer -> down and up, at random."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name in layers:
        shape = network.get_submodule(name).weight.shape
        tail = (1, 1) if len(shape) == 4 else ()
        made[name] = (
            torch.randn((rank, *shape[1:]), generator=generator) * size,
            torch.randn((shape[0], rank, *tail), generator=generator) * size,
        )
    return made


def tensors(
    form: str, unet: Factors, text: Factors | None = None, alpha: float | None = None
) -> dict[str, torch.Tensor]:
    """What a file of that format holds. alpha: written where the format has a place for it."""
    named: dict[str, torch.Tensor] = {}

    def put(name: str, down: str, up: str, pair: tuple[torch.Tensor, torch.Tensor], with_alpha: bool = True) -> None:
        named[f"{name}{down}"], named[f"{name}{up}"] = (tensor.contiguous() for tensor in pair)
        if alpha is not None and with_alpha:
            named[f"{name}.alpha"] = torch.tensor(alpha)

    kohya, peft = (".lora_down.weight", ".lora_up.weight"), (".lora_A.weight", ".lora_B.weight")
    for name, pair in unet.items():
        flat, first = name.replace(".", "_"), FIRST.get(name, name)
        match form:
            case "diffusers":
                put(f"unet.{name}", *peft, pair, with_alpha=False)
            case "first diffusers":
                if ".attn" in name:
                    head, _, last = name.removesuffix(".0").rpartition(".")
                    put(f"unet.{head}.processor.{last}_lora", ".down.weight", ".up.weight", pair, with_alpha=False)
                else:
                    put(f"unet.{name}", ".lora.down.weight", ".lora.up.weight", pair, with_alpha=False)
            case "peft":
                put(f"base_model.model.{name}", *peft, pair, with_alpha=False)
            case "kohya":
                put(f"lora_unet_{flat}", *kohya, pair)
            case "kohya, first names":
                put(f"lora_unet_{first.replace('.', '_')}", *kohya, pair)
            case "ComfyUI":
                put(f"diffusion_model.{first}", *peft, pair)
            case "bare":
                put(first, *peft, pair)
            case "LyCORIS":
                put(f"lycoris_{flat}", *kohya, pair)
    for name, pair in (text or {}).items():
        match form:
            case "diffusers":
                put(f"text_encoder.text_model.{name}", *peft, pair, with_alpha=False)
            case "first diffusers":
                down, up = ".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"
                put(f"text_encoder.text_model.{name}", down, up, pair, with_alpha=False)
            case "kohya" | "kohya, first names":
                put(f"lora_te_text_model_{name.replace('.', '_')}", *kohya, pair)
            case "ComfyUI":
                put(f"text_encoders.clip_l.transformer.text_model.{name}", *peft, pair)
            case _:
                raise AssertionError(form)
    return named


def write(path: Path, content: Mapping[str, torch.Tensor], **metadata: str) -> Path:
    save_file(dict(content), path, metadata or None)
    return path
