# SPDX-License-Identifier: GPL-3.0-or-later
"""Resampling without a network: Lanczos upwards, means of blocks downwards. Imports numpy and torch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

LANCZOS_HALO = 3  # pixels of the source that the kernel reaches to either side
_STRIP = 32


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
        # As matrix products, strip by strip: a quarter of the time of convolutions of one channel.
        height, width = picture.shape[-2:]
        matrix = self._matrix().to(picture)
        wide = (_strips(picture, -1) @ matrix.T).flatten(-2)[..., : width * self.scale]
        high = matrix @ _strips(wide, -2).mT
        return high.flatten(-3, -2)[..., : height * self.scale, :]

    def _matrix(self) -> torch.Tensor:
        """What makes a strip of the result (rows) from one of `_strips`."""
        matrix = self.weights.new_zeros((_STRIP, self.scale, _STRIP + 2 * LANCZOS_HALO))
        for tap, weights in enumerate(self.weights.T):
            matrix.diagonal(tap, 0, 2).copy_(weights[:, None])
        return matrix.flatten(0, 1)


def _strips(picture: torch.Tensor, axis: int) -> torch.Tensor:
    """Parts of `_STRIP` pixels along an axis, and what the kernel sees around each, as the last one of the result."""
    more = [LANCZOS_HALO, LANCZOS_HALO + -picture.shape[axis] % _STRIP]
    padded = functional.pad(picture, more if axis == -1 else [0, 0, *more])
    return padded.unfold(axis, _STRIP + 2 * LANCZOS_HALO, _STRIP)


def shrink(block: NDArray[Any], factor: int) -> NDArray[np.float32]:
    """The means of factor x factor pixels, (H, W, C) to (H / factor, W / factor, C); the sides must be multiples."""
    if factor == 1:
        return block.astype(np.float32, copy=False)
    height, width, channels = block.shape
    means: NDArray[np.float32] = block.reshape(height // factor, factor, width // factor, factor, channels).mean(
        (1, 3), dtype=np.float32
    )
    return means


@dataclass(frozen=True)
class Taps:
    """How pixels along one axis are made of others: of those from start to stop (which may lie outside).

    first: for each, where its run begins, from start on. weights: (pixels, length of the runs); each row sums to 1.
    """

    start: int
    stop: int
    first: NDArray[np.intp]
    weights: NDArray[np.float32]

    def __call__(self, patch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Along the first axis, (stop - start, ...) to (pixels, ...)."""
        result = np.zeros((len(self.first), *patch.shape[1:]), np.float32)
        for tap in range(self.weights.shape[1]):
            # a run may end beyond the last pixel, with no weight
            places = np.minimum(self.first + tap, len(patch) - 1)
            result += self.weights[:, tap].reshape(-1, *[1] * (patch.ndim - 1)) * patch[places]
        return result


def mean_taps(part: slice, small: int, large: int) -> Taps:
    """The means over a small axis's pixels, of a large axis of any other size: pixels cut in two count for a part."""
    places = np.arange(part.start, part.stop)
    first, last = places * large // small, -(-(places + 1) * large // small)
    runs = first[:, None] + np.arange((last - first).max())
    # in units of 1 / small, whole numbers: the same weights wherever the same phase comes round
    begin = np.maximum(runs * small, places[:, None] * large)
    end = np.minimum((runs + 1) * small, (places[:, None] + 1) * large)
    weights = (np.maximum(end - begin, 0) / large).astype(np.float32)
    return Taps(int(first[0]), int(last[-1]), first - first[0], weights)


def lanczos_taps(part: slice, small: int, large: int) -> Taps:
    """Lanczos-3 from a small axis to part of a large one of any other size, centres on centres."""
    places = (np.arange(part.start, part.stop) + 0.5) * small / large - 0.5
    first = np.floor(places).astype(np.intp) - LANCZOS_HALO + 1
    t = first[:, None] + np.arange(2 * LANCZOS_HALO) - places[:, None]
    weights = np.sinc(t) * np.sinc(t / 3)
    weights /= weights.sum(1, keepdims=True)
    return Taps(int(first[0]), int(first[-1]) + 2 * LANCZOS_HALO, first - first[0], weights.astype(np.float32))


def resample(patch: NDArray[np.float32], rows: Taps, columns: Taps) -> NDArray[np.float32]:
    """Both axes of a patch (H, W, C)."""
    across = columns(np.ascontiguousarray(rows(patch).swapaxes(0, 1)))
    return np.ascontiguousarray(across.swapaxes(0, 1))
