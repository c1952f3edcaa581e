# SPDX-License-Identifier: GPL-3.0-or-later
"""Covers a part of a texture with pixels from elsewhere in it, on the torus. Imports numpy and core.

Before a scratch or a seam is denoised: a model with few steps decides where things go while it sees next to nothing of
what is around, and an old scratch would show through a strength that keeps the layout. A texture holds what belongs
there somewhere else: cell by cell, the part is taken from where the surroundings are most alike (Efros and Leung 1999,
by whole cells; all places are compared at once by Fourier transforms).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..core.requests.texture import Axes
from .resampling import shrink

_SIDE = 256  # pixels to which a picture is shrunk for the comparison
_CELLS = 12  # along the shorter side
_FAR = 1e9

Mask = NDArray[np.bool_]


def cover(
    pixels: NDArray[np.uint8], inside: Mask, axes: Axes, check: Callable[[], None] = lambda: None
) -> NDArray[np.uint8]:
    """A picture (H, W, 3) whose pixels `inside` (H, W) are taken from outside. Where nothing fits, they stay."""
    factor = max(min(inside.shape) // _SIDE, 1)
    while inside.shape[0] % factor or inside.shape[1] % factor:
        factor -= 1
    small = shrink(pixels, factor)
    unknown = _shrunk(inside, factor)
    search = _Search(small, unknown, axes)
    side = max(min(unknown.shape) // _CELLS, 4)
    result = pixels.copy()
    cells = [
        (slice(top, top + side), slice(left, left + side))
        for top in range(0, unknown.shape[0], side)
        for left in range(0, unknown.shape[1], side)
        if unknown[top : top + side, left : left + side].any()
    ]
    while cells:
        check()
        # the cell of whose surroundings most is known: from the rim inwards
        known = [float(search.around(cell, side // 2).mean()) for cell in cells]
        rows, columns = cell = cells.pop(int(np.argmax(known)))
        down, right = search.place(cell, side // 2)
        large = slice(rows.start * factor, rows.stop * factor), slice(columns.start * factor, columns.stop * factor)
        moved_rows = (np.arange(len(result))[large[0]] + down * factor) % result.shape[0]
        moved_columns = (np.arange(result.shape[1])[large[1]] + right * factor) % result.shape[1]
        there = pixels[np.ix_(moved_rows, moved_columns)]
        result[large] = np.where(inside[large][..., None], there, result[large])
        search.fill(cell, down, right)
    return result


def _shrunk(mask: Mask, factor: int) -> Mask:
    height, width = mask.shape
    return mask.reshape(height // factor, factor, width // factor, factor).any((1, 3))


class _Search:
    """Where else the surroundings of a cell occur. An axis that does not repeat is padded with what is not known."""

    def __init__(self, picture: NDArray[np.float32], unknown: Mask, axes: Axes) -> None:
        height, width = unknown.shape
        self._inner = (slice(0, height), slice(0, width))
        shape = (height if axes.y else 2 * height, width if axes.x else 2 * width)
        self._picture = np.zeros((*shape, 3), np.float32)
        self._picture[self._inner] = picture - picture.mean((0, 1))
        self._known = np.zeros(shape, bool)
        self._known[self._inner] = ~unknown
        self._unknown = np.zeros(shape, bool)
        self._unknown[self._inner] = unknown
        self._axes = axes
        source = self._known.astype(np.float32)  # what may be taken: only what was there from the beginning
        self._source = np.fft.rfft2(source)
        self._no_source = np.fft.rfft2(1 - source)
        self._colors = np.fft.rfft2(self._picture * source[..., None], axes=(0, 1))
        self._squares = np.fft.rfft2((self._picture**2).sum(-1) * source)

    def around(self, cell: tuple[slice, slice], margin: int) -> NDArray[np.bool_]:
        """What is known in and around a cell."""
        rows, columns = self._places(cell, margin)
        return self._known[np.ix_(rows, columns)]

    def _places(self, cell: tuple[slice, slice], margin: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        height, width = self._known.shape
        rows = np.arange(cell[0].start - margin, cell[0].stop + margin) % height
        columns = np.arange(cell[1].start - margin, cell[1].stop + margin) % width
        return rows, columns

    def place(self, cell: tuple[slice, slice], margin: int) -> tuple[int, int]:
        """By how much the source lies below and right of the cell; (0, 0) where nothing fits."""
        rows, columns = self._places(cell, margin)
        ring = np.zeros(self._known.shape, np.float32)
        ring[np.ix_(rows, columns)] = self._known[np.ix_(rows, columns)]
        part = np.zeros(self._known.shape, np.float32)
        part[cell] = self._unknown[cell]
        seen = self._picture * ring[..., None]
        # sums over the cell's surroundings for every shift at once
        count = self._shifts(ring, self._source)
        error = (
            self._shifts((seen**2).sum(-1), self._source)
            - 2 * sum(self._shifts(seen[..., color], self._colors[..., color]) for color in range(3))
            + self._shifts(ring, self._squares)
        )
        lost = self._shifts(part, self._no_source)
        cost = np.where((lost < 0.5) & (count > 0.7 * ring.sum()), error / np.maximum(count, 1), _FAR)
        if cost.min() >= _FAR or not ring.any():
            cost = lost  # as much as there is
        down, right = np.unravel_index(int(cost.argmin()), cost.shape)
        return self._signed(int(down), 0), self._signed(int(right), 1)

    def _signed(self, shift: int, axis: int) -> int:
        length = self._known.shape[axis]
        return shift - length if shift > length // 2 else shift

    def _shifts(self, values: NDArray[np.float32], other: NDArray[np.complex128]) -> NDArray[np.float64]:
        """The sum of values(x) * other(x + shift), for all shifts; other: its transform."""
        result: NDArray[np.float64] = np.fft.irfft2(np.fft.rfft2(values).conj() * other, values.shape)
        return result

    def fill(self, cell: tuple[slice, slice], down: int, right: int) -> None:
        """Take the cell's unknown pixels from there: they count as surroundings of the next ones."""
        moved = np.roll(self._picture, (-down, -right), (0, 1))[cell]
        self._picture[cell] = np.where(self._unknown[cell][..., None], moved, self._picture[cell])
        self._known[cell] |= self._unknown[cell]
