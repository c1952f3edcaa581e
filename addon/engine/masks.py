# SPDX-License-Identifier: GPL-3.0-or-later
"""Masks on the torus: how deep a pixel lies inside, bands along the edges, what wears. Imports numpy and core.

Masks are (H, W), 0 to 1. On an axis that does not repeat, what lies beyond an edge counts as more of the same.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..core.requests.texture import Axes
from ..core.tileable import BAND

_FRAME = 64  # the frame that stays takes this part of the shorter side
# Standard deviations in pixels at 512: what counts as a hollow, and how wide wear's patches are. Chosen by eye.
_HOLLOW, _PATCHES = 6.0, 40.0
_SOFT = 0.15  # of wear's deviation, over which it sets in

Floats = NDArray[np.float32]


def depth_weight(inside: Floats, feather: int, axes: Axes, check: Callable[[], None] = lambda: None) -> Floats:
    """A mask that sets in softly over `feather` pixels from its border inwards; what is 0 stays 0.

    Where it is narrower than that, as a scratch is, it sets in faster, so that its middle is reached all the same.
    """
    border = inside > 0
    depth = np.zeros(inside.shape, np.float32)
    for step in range(feather + 1):
        check()
        depth += border
        border = _eroded(border, axes, corners=step % 2 == 1)
        if not border.any():
            break
    reached = _widest(_widest(depth, feather, 0, axes.y), feather, 1, axes.x)
    t = (depth / np.maximum(reached, 1)).clip(0, 1)
    soft: Floats = (t * t * (3 - 2 * t) * inside).astype(np.float32)
    return soft


def seam_band(shape: tuple[int, ...], axes: Axes) -> Floats:
    """1 along the edges of the axes that repeat, as far in as `tileable.joined` goes; 0 in the middle."""
    height, width = shape[:2]
    band = np.zeros((height, width), np.float32)
    if axes.x:
        band[:, : width // BAND] = band[:, width - width // BAND :] = 1
    if axes.y:
        band[: height // BAND] = band[height - height // BAND :] = 1
    return band


def frame(shape: tuple[int, ...], axes: Axes) -> Floats:
    """0 along the edges of the axes that repeat, 1 elsewhere."""
    height, width = shape[:2]
    kept = np.ones((height, width), np.float32)
    side = max(min(height, width) // _FRAME, 1)
    if axes.x:
        kept[:, :side] = kept[:, width - side :] = 0
    if axes.y:
        kept[:side] = kept[height - side :] = 0
    return kept


def wear(height: Floats, amount: float, axes: Axes, seed: int) -> Floats:
    """Where a surface wears, from its height (H, W): its hollows and edges first, in patches.

    amount: the share of the picture that wears, 0 to 1. seed: of the patches.
    """
    scale = min(height.shape) / 512
    smooth = _blurred(height, scale, axes)
    hollow = (_blurred(smooth, _HOLLOW * scale, axes) - smooth).clip(0)
    edge = np.hypot(*(_slope(smooth, axis) for axis in (0, 1)))
    noise = np.random.default_rng(seed).standard_normal(height.shape).astype(np.float32)
    patches = _blurred(noise, _PATCHES * scale, axes)
    worn = sum(part / max(float(part.std()), 1e-6) for part in (hollow, edge, patches))
    worn = _blurred(np.asarray(worn, np.float32), scale, axes)
    if amount >= 1:
        return np.ones(height.shape, np.float32)
    level, soft = np.quantile(worn, 1 - amount), _SOFT * max(float(worn.std()), 1e-6)
    t = ((worn - level) / soft).clip(0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def _eroded(mask: NDArray[np.bool_], axes: Axes, corners: bool) -> NDArray[np.bool_]:
    """Without the pixels that touch what is outside; every other time over corners too, so that circles stay round."""
    across = mask & _shifted(mask, 1, 1, axes.x) & _shifted(mask, -1, 1, axes.x)
    of = across if corners else mask
    down: NDArray[np.bool_] = _shifted(of, 1, 0, axes.y) & _shifted(of, -1, 0, axes.y) & across
    return down


def _shifted(array: NDArray[np.bool_], by: int, axis: int, wraps: bool) -> NDArray[np.bool_]:
    moved = np.roll(array, by, axis)
    if not wraps:
        edge = 0 if by > 0 else -1
        np.moveaxis(moved, axis, 0)[edge] = np.moveaxis(array, axis, 0)[edge]
    return moved


def _widest(values: Floats, radius: int, axis: int, wraps: bool) -> Floats:
    """The greatest value within `radius` along an axis, by windows that double."""
    length = values.shape[axis]
    radius = min(radius, length - 1)
    if not wraps:
        pads = [(radius, radius) if number == axis else (0, 0) for number in range(values.ndim)]
        values = np.pad(values, pads)
    window, wanted = 1, 2 * radius + 1
    while window < wanted:
        step = min(window, wanted - window)
        values = np.maximum(values, np.roll(values, -step, axis))
        window += step
    values = np.roll(values, radius, axis)
    return values if wraps else np.take(values, np.arange(radius, radius + length), axis)


def _blurred(values: Floats, deviation: float, axes: Axes) -> Floats:
    """By a Gaussian, periodic; an axis that does not repeat is mirrored first."""
    for axis, repeats in ((0, axes.y), (1, axes.x)):
        length = values.shape[axis]
        line = values if repeats else np.concatenate((values, np.flip(values, axis)), axis)
        frequencies = np.fft.rfftfreq(line.shape[axis])
        shape = [-1 if number == axis else 1 for number in range(2)]
        gain = np.exp(-2 * (np.pi * deviation * frequencies) ** 2).reshape(shape)
        blurred = np.fft.irfft(np.fft.rfft(line, axis=axis) * gain, line.shape[axis], axis)
        values = np.take(blurred, np.arange(length), axis).astype(np.float32)
    return values


def _slope(values: Floats, axis: int) -> Floats:
    slope: Floats = (np.roll(values, -1, axis) - np.roll(values, 1, axis)) / 2
    return slope
