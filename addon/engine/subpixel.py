# SPDX-License-Identifier: GPL-3.0-or-later
"""The linear end of a tiny autoencoder's decoder as one convolution. Imports core, engine, torch, diffusers.

After its last block the decoder only upsamples (nearest neighbour) and convolves, without an activation in between.
On a torus such a chain is a single 3x3 convolution at the last block's resolution that gives every pixel of a cell as
a channel of its own (a sub-pixel convolution, Shi et al. 2016). It computes the same numbers up to rounding, for a
small part of the work: the chain's own convolutions run at full resolution, and took half of the starter's decoding.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from diffusers import AutoencoderTiny
from torch import nn
from torch.nn import functional as F

from ..core.requests.texture import Axes
from .seamless import wrap

# The kernels of a decoder, beside what they were made from: weights change when a precision does.
_known: WeakKeyDictionary[nn.Module, tuple[tuple[object, ...], "Tail"]] = WeakKeyDictionary()


class Tail(nn.Module):
    """That convolution, periodic on both axes: (N, C, h, w) to (N, colors, factor * h, factor * w)."""

    def __init__(self, kernel: torch.Tensor, bias: torch.Tensor, factor: int) -> None:
        super().__init__()
        self.register_buffer("kernel", kernel)
        self.register_buffer("bias", bias)
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pixel_shuffle(F.conv2d(wrap(x, 1, 1, 1, 1), self.kernel, self.bias), self.factor)


def split(layers: nn.Sequential) -> tuple[list[nn.Module], nn.Sequential] | None:
    """The layers up to the last that is not linear, and those after it; None where nothing would be won.

    That is where no upsampling follows, and where there is what `fold` does not know.
    """
    linear = [_is_linear(layer) for layer in layers]
    first = len(linear) - (linear[::-1].index(False) if False in linear else len(linear))
    tail = layers[first:]
    ups = sum(isinstance(layer, nn.Upsample) for layer in tail)
    # Each upsampling before a convolution, and one more at the end: what a 3x3 kernel at the lower resolution reaches.
    plan = [nn.Upsample, nn.Conv2d] * ups + [nn.Conv2d]
    if not ups or [type(layer) for layer in tail] != plan:
        return None
    if any(layer.bias is not None for layer in tail[:-1] if isinstance(layer, nn.Conv2d)):
        return None
    return list(layers[:first]), tail


def _is_linear(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv2d):
        return layer.kernel_size == (3, 3) and layer.stride == (1, 1) and layer.padding == (1, 1)
    return isinstance(layer, nn.Upsample) and layer.mode == "nearest" and layer.scale_factor == 2


def fold(tail: nn.Sequential) -> Tail:
    """One convolution for `tail`, found by what it answers to a one in each channel. Keeps gradients."""
    first, last = tail[1], tail[-1]
    assert isinstance(first, nn.Conv2d)
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    channels, factor = first.in_channels, 2 ** (len(tail) // 2)
    # In the middle of 5x5 cells: what comes back fills 3x3, so it does not matter how the borders are padded.
    ones = torch.zeros(channels, channels, 5, 5, dtype=first.weight.dtype, device=first.weight.device)
    ones[:, :, 2, 2] = torch.eye(channels, dtype=ones.dtype, device=ones.device)
    answer = tail(ones) - last.bias[:, None, None]
    cells = answer.unflatten(-1, (5, factor)).unflatten(-3, (5, factor))[:, :, 1:4, :, 1:4]
    # (from, color, y, y inside, x, x inside) to (color and place inside, from, y, x); a kernel is seen from the answer,
    # which lies on the other side of the one
    kernel = cells.permute(1, 3, 5, 0, 2, 4).flatten(0, 2).flip((-2, -1))
    return Tail(kernel, last.bias.repeat_interleave(factor * factor), factor)


@contextmanager
def fast_decoder(vae: Any, axes: Axes) -> Iterator[None]:
    """Lets a tiny autoencoder decode with its end in one convolution; others, and other axes, stay as they are."""
    parts = split(vae.decoder.layers) if isinstance(vae, AutoencoderTiny) and axes is Axes.XY else None
    if parts is None or any(parameter.is_meta for parameter in vae.parameters()):  # meta: offloaded layer by layer
        yield
        return
    trunk, tail = parts
    whole = vae.decoder.layers
    vae.decoder.layers = nn.Sequential(*trunk, _remembered(vae.decoder, tail))
    try:
        yield
    finally:
        vae.decoder.layers = whole


def _remembered(decoder: nn.Module, tail: nn.Sequential) -> Tail:
    made_from = tuple((p.data_ptr(), p._version, p.dtype, p.device) for p in tail.parameters())
    known = _known.get(decoder)
    if known is None or known[0] != made_from:
        with torch.no_grad():
            known = made_from, fold(_in_double(tail)).to(next(tail.parameters()))
        _known[decoder] = known
    return known[1]


def _in_double(tail: nn.Sequential) -> nn.Sequential:
    """A copy without the patches that `seamless` may have put on it. Rounding it here would round every pixel."""
    layers: list[nn.Module] = []
    for layer in tail:
        if isinstance(layer, nn.Conv2d):
            plain = nn.Conv2d(layer.in_channels, layer.out_channels, 3, padding=1, bias=layer.bias is not None)
            plain.load_state_dict(layer.state_dict())
            layers.append(plain)
        else:
            layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
    return nn.Sequential(*layers).double()  # in main memory: Apple's graphics know no double precision
