# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks' shapes, as spandrel knows them, so that its loader takes the files. May import torch and spandrel.

Upscaler: a compact SRVGGNet, 2x. Maps: ESRGAN's network with one block and a pixel-unshuffle by 2 in front: it works at
half size, so it sees 40 pixels (SPAN: 21) at a third of SPAN's cost, and spandrel gives it three channels: one file
for the normal, one for height, roughness and metallic.
"""

from spandrel.architectures.Compact import Compact
from spandrel.architectures.ESRGAN import ESRGAN
from torch import nn


def make_upscaler() -> nn.Module:
    return Compact(num_in_ch=3, num_out_ch=3, num_feat=32, num_conv=8, upscale=2)


def make_map_network() -> nn.Module:
    return ESRGAN(in_nc=12, out_nc=3, num_filters=32, num_blocks=1, scale=2, shuffle_factor=2)
