# SPDX-License-Identifier: GPL-3.0-or-later
"""A denoiser's weights in 8 bits, a quarter to half of the memory; it computes as before. Imports torch and diffusers.

Whole numbers from -127 to 127 with one scale for each output: torch's own parametrization makes the weight of them
whenever a layer is asked for it, and lets it go. To `seamless`, LoRAs and offloading it is a weight like any other, so
tiling and LoRAs are as exact as they were. diffusers' layerwise casting (float8) is further off (0.025 instead of
0.009 of the output), and its layers' `weight` has 8 bits when a LoRA reads it.
"""

import re
from typing import Any

import torch
from diffusers.hooks.layerwise_casting import DEFAULT_SKIP_MODULES_PATTERN
from torch import nn
from torch.nn.utils import parametrize

_MOST = 127
# Small layers at both ends, which all that a network makes goes through, beside those that diffusers names.
_ENDS = ("^conv_in$", "^conv_out$")
_NO_LAYER = "norm"  # a pattern of diffusers: what adapts a norm is a large linear layer in most transformers


class _Whole(nn.Module):
    """Whole numbers and scales for a weight, and the weight for those."""

    def forward(self, whole: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return whole.to(scale.dtype) * scale

    def right_inverse(self, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """weight: (outputs, ...). The scales, in the weight's own precision, have its number of axes."""
        wide = weight.float()
        largest = wide.flatten(1).abs().amax(1).view(-1, *[1] * (weight.ndim - 1))
        scale = (largest / _MOST).clamp_min(torch.finfo(weight.dtype).tiny).to(weight.dtype)
        return (wide / scale.float()).round().clamp(-_MOST, _MOST).to(torch.int8), scale


def shrink(network: Any) -> None:
    """Keep the weights of a network of diffusers in 8 bits, one layer after the other; all else stays as it is.

    It computes in the precision that it has now: float32 or 16 bits. There is no way back but to load it again.
    """
    named = (*DEFAULT_SKIP_MODULES_PATTERN, *(network._skip_layerwise_casting_patterns or ()), *_ENDS)
    patterns = [pattern for pattern in named if pattern != _NO_LAYER]
    for name, layer in list(network.named_modules()):
        if not isinstance(layer, nn.Linear | nn.Conv2d) or any(re.search(pattern, name) for pattern in patterns):
            continue
        layer.weight.requires_grad_(False)  # whole numbers have no gradient
        parametrize.register_parametrization(layer, "weight", _Whole(), unsafe=True)  # unsafe: two parts, another type
