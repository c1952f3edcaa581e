# SPDX-License-Identifier: GPL-3.0-or-later
"""Resampling without a network: Lanczos upwards, means of blocks downwards. Imports numpy and torch."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

LANCZOS_HALO = 3  # pixels of the source that the kernel reaches to either side


class Lanczos(torch.nn.Module):
    """Lanczos-3 by a whole factor, (N, C, H, W) to (N, C, H * scale, W * scale), centres on centres.

    Zeros stand outside; run it through `tiles.Tiler` with `LANCZOS_HALO`. Each phase's weights sum to 1, so a flat
    picture stays flat.
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        taps = torch.arange(-LANCZOS_HALO, LANCZOS_HALO + 1, dtype=torch.float64)
        places = (torch.arange(scale, dtype=torch.float64) + 0.5) / scale - 0.5
        t = taps[None] - places[:, None]
        weights = torch.sinc(t) * torch.sinc(t / 3) * (t.abs() < 3)
        self.register_buffer("weights", (weights / weights.sum(1, keepdim=True)).float())

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        count, channels, height, width = picture.shape
        rows = picture.reshape(-1, 1, height, width)
        weights = self.weights.to(picture)
        wide = functional.conv2d(rows, weights[:, None, None, :], padding=(0, LANCZOS_HALO))
        wide = wide.permute(0, 2, 3, 1).reshape(-1, 1, height, width * self.scale)
        high = functional.conv2d(wide, weights[:, None, :, None], padding=(LANCZOS_HALO, 0))
        return high.permute(0, 2, 1, 3).reshape(count, channels, height * self.scale, width * self.scale)


def shrink(block: NDArray[Any], factor: int) -> NDArray[np.float32]:
    """The means of factor x factor pixels, (H, W, C) to (H / factor, W / factor, C); the sides must be multiples."""
    if factor == 1:
        return block.astype(np.float32, copy=False)
    height, width, channels = block.shape
    means: NDArray[np.float32] = block.reshape(height // factor, factor, width // factor, factor, channels).mean(
        (1, 3), dtype=np.float32
    )
    return means
