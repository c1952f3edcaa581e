# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks' shapes, as spandrel knows them, so that its loader takes the files. May import torch and spandrel.

Upscaler: a compact SRVGGNet, 2x. Maps: ESRGAN's network with one block and a pixel-unshuffle by 2 in front: it works at
half size, so it sees 40 pixels (SPAN: 21) at a third of SPAN's cost, and spandrel gives it three channels: one file
for the normal, one for height and roughness. Metallic's works at a quarter of the size, and sees 80 pixels.
"""

import torch
from spandrel.architectures.Compact import Compact
from spandrel.architectures.ESRGAN import ESRGAN
from torch import nn


def make_upscaler() -> nn.Module:
    return Compact(num_in_ch=3, num_out_ch=3, num_feat=32, num_conv=8, upscale=2)


def make_map_network() -> nn.Module:
    return ESRGAN(in_nc=12, out_nc=3, num_filters=32, num_blocks=1, scale=2, shuffle_factor=2)


def make_metallic_network() -> nn.Module:
    return ESRGAN(in_nc=48, out_nc=3, num_filters=32, num_blocks=1, scale=4, shuffle_factor=4)


@torch.no_grad()
def even_out(network: nn.Module, pictures: torch.Tensor) -> None:
    """Let every convolution of a new network give mean 0 and deviation 1 on these pictures, and the last one 0.5.

    Else its last layer sees a thirtieth of what comes in, and hardly learns (after Mishkin and Matas, All you need is a
    good init, 2016).
    """
    *inner, last = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    for layer in inner:

        def scale(layer: nn.Conv2d, _inputs: object, y: torch.Tensor) -> torch.Tensor:
            mean, deviation = y.mean((0, 2, 3)), y.std((0, 2, 3)).clamp(min=1e-4)
            layer.weight /= deviation.view(-1, 1, 1, 1)
            assert layer.bias is not None
            layer.bias.copy_((layer.bias - mean) / deviation)
            return (y - mean.view(-1, 1, 1)) / deviation.view(-1, 1, 1)

        handle = layer.register_forward_hook(scale)
        network(pictures)
        handle.remove()
    nn.init.zeros_(last.weight)
    nn.init.constant_(last.bias, 0.5)
