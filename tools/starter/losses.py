# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses that see grain: what makes a texture is detail that a plain difference blurs away. May import torch only.

All take two batches (N, 3, H, W) in -1..1 on a torus and return a scalar; all are periodic.
"""

import torch
from torch.nn import functional

_WINDOW = 16
_LUMA = (0.299, 0.587, 0.114)


def _downsample(x: torch.Tensor) -> torch.Tensor:
    return functional.avg_pool2d(x, 2)


def gradient_loss(a: torch.Tensor, b: torch.Tensor, scales: int = 3) -> torch.Tensor:
    """Mean absolute difference of the periodic first differences at `scales` octaves."""
    difference = a - b
    total = difference.new_zeros(())
    for scale in range(scales):
        if scale:
            difference = _downsample(difference)
        for axis in (-1, -2):
            total = total + (difference - difference.roll(1, axis)).abs().mean()
    return total / (2 * scales)


def local_amplitudes(x: torch.Tensor) -> torch.Tensor:
    """Log amplitudes of Hann-windowed 16x16 patches, half overlapped, of the luma: (N, patches, 16, 9).

    The phase is left out, so grain of the right strength and direction counts even where each grain is elsewhere.
    """
    luma = sum(weight * x[:, i] for i, weight in enumerate(_LUMA))
    assert isinstance(luma, torch.Tensor)
    half = _WINDOW // 2
    luma = torch.cat((luma, luma[:, :half]), 1)
    luma = torch.cat((luma, luma[:, :, :half]), 2)
    patches = luma.unfold(1, _WINDOW, half).unfold(2, _WINDOW, half).flatten(1, 2)
    window = torch.hann_window(_WINDOW, dtype=x.dtype)
    spectrum = torch.fft.rfft2((patches - patches.mean((-1, -2), keepdim=True)) * window[:, None] * window)
    return torch.log(spectrum.abs().square() + 1e-3) / 2


def spectral_loss(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of `local_amplitudes`, in nepers."""
    return (local_amplitudes(a) - local_amplitudes(b)).abs().mean()
