# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks' shapes, as spandrel knows them, so that its loader takes the files. May import torch and spandrel.

Upscaler: a compact SRVGGNet, 2x, of one channel: the engine runs it on a picture's mean of red, green and blue, or on
each channel of data. With three it put the detail of the bright channels into the others, and saturated colors came out
worse than Lanczos makes them. A small one of the same kind makes the third pass, of a picture that was enlarged four
times: nothing fine is in it any more. Maps: U-Nets, which see 95 pixels to each side; one for height and normal, one
for metallic and roughness.
"""

import torch
from spandrel.architectures.Compact import Compact
from spandrel.architectures.DRUNet import DRUNet
from torch import nn

NOISE_LEVEL = 15 / 255  # the fourth channel that spandrel gives a DRUNet; all that ours has for a bias
FEATURES = 64  # channels of the upscaler's inner layers
LATE_FEATURES, LATE_LAYERS = 24, 5  # of the one for a third pass: an eleventh of the work
_BRANCH = 0.25  # of what a residual block adds at first, to what it adds it to


def make_upscaler() -> nn.Module:
    return Compact(num_in_ch=1, num_out_ch=1, num_feat=FEATURES, num_conv=8, upscale=2)


def make_late_upscaler() -> nn.Module:
    return Compact(num_in_ch=1, num_out_ch=1, num_feat=LATE_FEATURES, num_conv=LATE_LAYERS, upscale=2)


@torch.no_grad()
def widen(network: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Give `network` the weights of a narrower one of as many layers: at first it makes the same.

    New channels look at what there is, and nothing looks at them yet (after Chen, Goodfellow and Shlens, Net2Net,
    2016).
    """
    for name, weight in network.named_parameters():
        old = state[name]
        if weight.dim() > 1:
            weight[:, old.shape[1] :] = 0
        elif name.endswith("bias"):
            weight.zero_()
        weight[tuple(slice(size) for size in old.shape)] = old


def make_relief_network() -> nn.Module:
    return DRUNet(in_nc=4, out_nc=4, nc=[16, 16, 48, 64], nb=2)


def make_material_network() -> nn.Module:
    return DRUNet(in_nc=4, out_nc=3, nc=[8, 16, 48, 96], nb=2)


def with_noise_level(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures (N, 3, H, W) as spandrel gives them to a DRUNet: (N, 4, H, W)."""
    return torch.cat((pictures, torch.full_like(pictures[:, :1], NOISE_LEVEL)), 1)


@torch.no_grad()
def even_out(network: nn.Module, pictures: torch.Tensor) -> None:
    """Let every convolution of a new network without biases give root mean square 1 on these pictures.

    Those that end a residual block give a quarter of that, the last one a tenth.

    Else its last layer sees a thirtieth of what comes in, and hardly learns (after Mishkin and Matas, All you need is a
    good init, 2016).
    """
    for name, layer in network.named_modules():
        if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            continue
        aim = _BRANCH if name.endswith("res.2") else 1.0

        def scale(layer: nn.Module, _inputs: object, y: torch.Tensor, aim: float = aim) -> torch.Tensor:
            gain = aim / y.square().mean((0, 2, 3)).sqrt().clamp(min=1e-4)
            layer.weight *= gain.view((1, -1, 1, 1) if isinstance(layer, nn.ConvTranspose2d) else (-1, 1, 1, 1))
            return y * gain.view(-1, 1, 1)

        handle = layer.register_forward_hook(scale)
        network(pictures)
        handle.remove()
    layer.weight *= 0.1
