# SPDX-License-Identifier: GPL-3.0-or-later
"""Triangles as a mask on a picture that repeats, and whether a picture looks as if it repeated.

Imports the standard library only: some Blenders have no numpy.
"""

import math
from array import array
from collections.abc import Callable, Iterable, Sequence
from statistics import median

Point = tuple[float, float]
_LINES = 16  # neighbouring rows, and columns, that the cut is compared with
_JUMP = 1.6  # times the usual difference of two neighbouring lines: photographs have 2 to 10, tiles 1
_INVISIBLE = 1 / 255


def fill(triangles: Iterable[Sequence[Point]], width: int, height: int) -> list[bytearray]:
    """One byte a pixel, 1 where a triangle touches it, in rows of `width`. Corners in pixels; what is outside wraps.

    A pixel counts where the triangle's span on the middle of its row touches it, so faces side by side leave no gap.
    Triangles with corners that are not finite are passed over.
    """
    rows = [bytearray(width) for _ in range(height)]
    for corners in triangles:
        if not all(math.isfinite(value) for corner in corners for value in corner):
            continue
        lowest, highest = min(y for _, y in corners), max(y for _, y in corners)
        first, last = math.floor(lowest), math.ceil(highest)
        if last - first > 64 * height:  # no row is left out, whatever it looks like so far out
            first, last = 0, height
        for y in range(first, max(last, first + 1)):
            left, right = _span(corners, min(max(y + 0.5, lowest), highest))
            _mark(rows[y % height], math.floor(left), max(math.ceil(right), math.floor(left) + 1))
    return rows


def _span(corners: Sequence[Point], y: float) -> Point:
    """Where the triangle begins and ends on a line through it."""
    found = []
    for (x0, y0), (x1, y1) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if y0 == y1 == y:
            found += [x0, x1]
        elif min(y0, y1) <= y <= max(y0, y1):
            found.append(x0 + (x1 - x0) * (y - y0) / (y1 - y0))
    return min(found), max(found)


def _mark(row: bytearray, begin: int, end: int) -> None:
    width = len(row)
    length = min(end - begin, width)
    begin %= width
    here = min(length, width - begin)
    row[begin : begin + here] = b"\1" * here
    row[: length - here] = b"\1" * (length - here)


def looks_cut(pixels: "array[float]", width: int, height: int, channels: int) -> bool:
    """Whether the picture's edges do not go on into each other: a guess from a few lines, for a switch's default.

    pixels: row by row, 0 to 1. The seam score (`seams`) is the measurement; it needs numpy.
    """
    if min(width, height) < 4:
        return True
    length = width * channels

    def row(y: int) -> "array[float]":
        return pixels[y * length : (y + 1) * length]

    def column(x: int) -> "array[float]":
        return pixels[x * channels :: length]  # its first channel is enough

    return _jumps(row, height) or _jumps(column, width)


def _jumps(line: Callable[[int], "array[float]"], count: int) -> bool:
    step = max((count - 1) // _LINES, 1)
    usual = median(_difference(line(at), line(at + 1)) for at in range(0, count - 1, step))
    return _difference(line(count - 1), line(0)) > _JUMP * max(usual, _INVISIBLE)


def _difference(one: "array[float]", other: "array[float]") -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / max(len(one), 1)
