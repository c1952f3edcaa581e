# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes any picture repeat without a seam. Imports numpy and core only.

First the periodic component of the periodic-plus-smooth decomposition (Moisan 2011, "Periodic plus smooth image
decomposition", equations 9 to 12): it takes the difference of brightness between the edges, and spreads it thin. Then
what does not continue, such as a brick cut in two: the picture and itself moved by half are joined along paths on which
both are most alike (Efros and Freeman 2001, image quilting), so that at the edges stands what was in the middle.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .requests.texture import Axes

BAND = 6  # the part of a side, on either edge, in which a path may run
_LEAST = 48  # pixels; in a narrower picture there is no room for a path
_FEATHER = 24  # the part of a band over which the two are mixed

Pixels = NDArray[np.float32]


def make_tileable(picture: Pixels, axes: Axes, check: Callable[[], None] = lambda: None) -> Pixels:
    """A picture (H, W, C) made periodic on `axes`, about in the range that it had. Takes some five times its memory.

    check: called between the steps; it may raise.
    """
    low, high = float(picture.min()), float(picture.max())
    result = np.empty_like(picture)
    for channel in range(picture.shape[2]):
        check()
        result[..., channel] = periodic_component(picture[..., channel], axes)
    return joined(result, axes, check).clip(low, high)


def joined(picture: Pixels, axes: Axes, check: Callable[[], None] = lambda: None) -> Pixels:
    """A picture (H, W, C) with what stands in its middle at the edges of these axes; all within `BAND` of them."""
    if axes.x and picture.shape[1] >= _LEAST:
        check()
        picture = _join(picture, closed=axes.y)
    if axes.y and picture.shape[0] >= _LEAST:
        check()
        picture = _join(picture.swapaxes(0, 1), closed=axes.x).swapaxes(0, 1)
    return np.ascontiguousarray(picture)


def periodic_component(channel: NDArray[np.float32], axes: Axes) -> Pixels:
    """The channel (H, W) without its smooth component, so that on `axes` the edges meet in brightness."""
    height, width = channel.shape
    edges = np.zeros((height, width), np.float32)
    if axes.x and width > 1:
        step = channel[:, -1] - channel[:, 0]
        edges[:, 0] += step
        edges[:, -1] -= step
    if axes.y and height > 1:
        step = channel[-1] - channel[0]
        edges[0] += step
        edges[-1] -= step
    spectrum = np.fft.rfft2(edges)
    rows = np.cos(2 * np.pi * np.fft.fftfreq(height))[:, None]
    columns = np.cos(2 * np.pi * np.fft.rfftfreq(width))[None]
    laplacian = 2 * rows + 2 * columns - 4
    laplacian[0, 0] = 1
    spectrum[0, 0] = 0
    smooth = np.fft.irfft2(spectrum / laplacian, s=(height, width))
    periodic: Pixels = (channel - smooth).astype(np.float32)
    return periodic


def _join(picture: Pixels, closed: bool) -> Pixels:
    """The picture (H, W, C) with what stands in its middle at its left and right edges; closed: the paths meet ends."""
    width = picture.shape[1]
    band = max(width // BAND, 8)
    feather = max(band // _FEATHER, 1)
    moved = np.roll(picture, width // 2, 1)
    difference = ((picture - moved) ** 2).sum(-1)
    left = cheapest_path(difference[:, :band], feather + 1, closed)
    right = cheapest_path(difference[:, ::-1][:, :band], feather + 1, closed)
    places = np.arange(width)
    own = np.minimum(
        _ramp(places[None] - left[:, None], feather), _ramp(width - 1 - places[None] - right[:, None], feather)
    )[..., None]
    joined: Pixels = own * picture + (1 - own) * moved
    return joined


def _ramp(distance: NDArray[np.intp], feather: int) -> Pixels:
    """0 before the path, 1 behind it, over `feather` pixels on either side."""
    t = ((distance + feather) / (2 * feather)).clip(0, 1)
    ramp: Pixels = (t * t * (3 - 2 * t)).astype(np.float32)
    return ramp


def cheapest_path(cost: NDArray[np.float32], margin: int, closed: bool) -> NDArray[np.intp]:
    """The column in each row of a connected path from top to bottom with the least sum of costs.

    The outermost `margin` columns on either side are left out. closed: its ends differ by at most one column.
    """
    inner = cost[:, margin : cost.shape[1] - margin].astype(np.float64)
    # a little for each pixel, so that flat parts are crossed straight on
    inner += 1e-3 * inner.mean() + 1e-12
    path = _path(inner)
    if closed and abs(int(path[0]) - int(path[-1])) > 1:
        # where a path through two copies crosses from one to the other it is as good as a closed one
        middle = len(path)
        path = _path(inner, start=int(_path(np.concatenate((inner, inner)))[middle]))
    return path + margin


def _path(cost: NDArray[np.float64], start: int | None = None) -> NDArray[np.intp]:
    """By dynamic programming; from `start`, and ending beside it, if that is given."""
    height, width = cost.shape
    total = cost[0].copy()
    if start is not None:
        total[np.arange(width) != start] = np.inf
    steps = np.zeros((height, width), np.int8)
    for row in range(1, height):
        around = np.full((3, width), np.inf)
        around[0, 1:], around[1], around[2, :-1] = total[:-1], total, total[1:]
        steps[row] = around.argmin(0) - 1
        total = around.min(0) + cost[row]
    if start is not None:
        total[np.abs(np.arange(width) - start) > 1] = np.inf
    path = np.empty(height, np.intp)
    path[-1] = total.argmin()
    for row in range(height - 1, 0, -1):
        path[row - 1] = path[row] + steps[row, path[row]]
    return path
