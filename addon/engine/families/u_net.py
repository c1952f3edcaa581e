# SPDX-License-Identifier: GPL-3.0-or-later
"""What the adapters of families with a U-Net have in common. Imports engine and torch."""

from collections.abc import Iterator

from torch import nn

from .adapter import convolutions_only
from .autoencoders import PERIODIC as AUTOENCODERS

PERIODIC = {
    **dict.fromkeys(("UNet2DConditionModel", "ControlNetModel", "ControlNetUnionModel"), convolutions_only),
    **AUTOENCODERS,
}

_IN_RESNET = {
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_ALONE = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}


def first_names(network: nn.Module) -> Iterator[tuple[str, str]]:
    """How the authors of a U-Net called its layers, as trainers do to this day, and how diffusers calls them."""
    parts = dict(network.named_children())
    if not {"down_blocks", "up_blocks"} <= set(parts):
        return
    places = dict(_ALONE)
    for blocks, first in (("down_blocks", "input_blocks"), ("up_blocks", "output_blocks")):
        number = 1 if blocks == "down_blocks" else 0
        for index, block in parts[blocks].named_children():
            inside = {name: len(list(part.children())) for name, part in block.named_children()}
            has_attention = bool(inside.get("attentions"))
            for layer in range(inside["resnets"]):
                places[f"{blocks}.{index}.resnets.{layer}"] = f"{first}.{number}.0"
                if has_attention:
                    places[f"{blocks}.{index}.attentions.{layer}"] = f"{first}.{number}.1"
                number += 1
            if inside.get("downsamplers"):
                places[f"{blocks}.{index}.downsamplers.0.conv"] = f"{first}.{number}.0.op"
                number += 1
            if inside.get("upsamplers"):
                places[f"{blocks}.{index}.upsamplers.0.conv"] = f"{first}.{number - 1}.{1 + has_attention}.conv"
    for name, _module in network.named_modules():
        words = name.split(".")
        own = next((own for n in range(1, 6) if (own := ".".join(words[:n])) in places), None)
        if own is not None:
            rest = name.removeprefix(own)
            inner = _IN_RESNET.get(rest[1:], rest[1:]) if ".resnets." in own else rest[1:]
            yield f"{places[own]}.{inner}".rstrip("."), name
