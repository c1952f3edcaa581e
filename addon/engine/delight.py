# SPDX-License-Identifier: GPL-3.0-or-later
"""Shading out of a picture's colors: how they change with the slopes that a network sees. Imports core, engine, numpy.

The logarithm of the luminance is taken for a sum: of what the light does, a x + b y of the unit normal, of what the
paint does, a polynomial of the chromaticity, which light of one color leaves alone, and a rest. Fitted to all pixels by
least absolute deviations, near enough (Huber's weights); then the part of the light is divided out. Sums over the whole
picture in float64 are all that is global: a roll of the input rolls the output. Where the picture does not repeat,
light that falls off across it is part of the fit too; across a picture that repeats there is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.color import to_encoded, to_linear
from ..core.requests.finish import MapKind
from ..core.requests.picture import Content
from ..core.requests.texture import Axes
from .canvas import Canvas, Easel, to_dtype
from .maps import LUMA, Source, make_maps
from .tiles import Block, TileLimits, blocks
from .upscale import Check, Step

_BLOCK = 512
_ROUNDS = 5
_DARKEST = 1e-3  # linear; below that the logarithm is of noise
_STRONGEST = 1.0  # what is divided by is between exp(-1) and exp(1)


@dataclass(frozen=True)
class _Fit:
    """factors: of the features of light. means: of those features, so that the picture keeps its brightness."""

    factors: NDArray[np.float64]
    means: NDArray[np.float64]


def delight(
    pixels: NDArray[Any],
    sources: Mapping[MapKind, Source],
    axes: Axes,
    content: Content,
    easel: Easel,
    limits: TileLimits,
    free: int,
    *,
    check: Check = lambda: None,
    step: Step = lambda done, total: None,
) -> Canvas:
    """The picture (H, W, C) without its shading, in its type and shape; alpha stays. C: 1 to 4.

    sources, axes, content, easel, limits, free: see `make_maps`.
    """
    kinds = (MapKind.NORMAL,)
    normals = make_maps(pixels, kinds, sources, axes, content, easel, limits, free, check=check, step=step)[kinds[0]]
    picture = _Picture(pixels, normals.array, axes, content)
    fit = picture.fit(check)
    canvas = easel.make(pixels.shape, pixels.dtype)
    for block in blocks(pixels.shape[0], pixels.shape[1], _BLOCK):
        check()
        rows, columns = block.scaled(Fraction(1))
        canvas.array[rows, columns] = picture.without(block, fit)
        for touched in (canvas, normals.canvas):
            touched.touched(canvas.array[rows, columns].nbytes)
    easel.drop(normals.canvas)
    return canvas


class _Picture:
    """A picture with its normals, and what the fit takes of it block by block."""

    def __init__(self, pixels: NDArray[Any], normals: NDArray[np.float32], axes: Axes, content: Content) -> None:
        self._pixels, self._normals, self._axes = pixels, normals, axes
        self._is_linear = content is Content.LINEAR
        self._colors = 3 if pixels.shape[2] >= 3 else 1
        self._share = np.float32(np.iinfo(pixels.dtype).max if np.issubdtype(pixels.dtype, np.integer) else 1)

    def fit(self, check: Check) -> _Fit:
        factors = np.zeros(0)
        spread = 0.0  # of the rest, in the last round: what is further off counts less
        for _ in range(_ROUNDS):
            gram, total, off = 0.0, 0.0, 0.0
            for block in blocks(self._pixels.shape[0], self._pixels.shape[1], _BLOCK):
                check()
                log, light, paint = self._features(block)
                known = np.concatenate((light, paint, np.ones((len(log), 1))), 1)
                weights = np.ones(len(log))
                if factors.size:
                    rest = np.abs(log - known @ factors)
                    off += float(rest.sum())
                    weights = 1 / np.maximum(rest / spread, 1) if spread else weights
                weighted = known * weights[:, None]
                gram = gram + weighted.T @ np.concatenate((known, log[:, None]), 1)
                total += float(weights.sum())
            spread = 1.2 * off / (self._pixels.shape[0] * self._pixels.shape[1])
            matrix = np.asarray(gram)
            count = matrix.shape[0]
            # a trace of a ridge: a picture without colors has no chromaticity to tell anything
            factors = np.linalg.solve(matrix[:, :count] + 1e-6 * total * np.eye(count), matrix[:, count])
        lights = 2 + (not self._axes.x) + (not self._axes.y)
        return _Fit(factors[:lights], matrix[count - 1, :lights] / matrix[count - 1, count - 1])

    def without(self, block: Block, fit: _Fit) -> NDArray[Any]:
        """A block of the picture, with the light divided out."""
        _log, light, _paint = self._features(block)
        rows, columns = block.scaled(Fraction(1))
        old = self._pixels[rows, columns]
        shading = np.exp(((light - fit.means) @ fit.factors).clip(-_STRONGEST, _STRONGEST)).reshape(*old.shape[:2], 1)
        colors = self._linear(old) / shading.astype(np.float32)
        colors = colors if self._is_linear else to_encoded(colors)
        new = np.concatenate((colors * self._share, old[..., self._colors :]), -1)
        if not np.issubdtype(old.dtype, np.integer):
            return new.astype(old.dtype)
        return to_dtype(new / self._share, old.dtype)

    def _linear(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        colors = pixels[..., : self._colors].astype(np.float32) / self._share
        return colors if self._is_linear else to_linear(colors)

    def _features(self, block: Block) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Of a block's pixels, one a row: log luminance; what light changes with; what paint changes with."""
        rows, columns = block.scaled(Fraction(1))
        colors = self._linear(self._pixels[rows, columns]).astype(np.float64).clip(_DARKEST)
        if self._colors == 1:
            colors = np.repeat(colors, 3, -1)
        normals = self._normals[rows, columns].astype(np.float64)[..., :2] * 2 - 1
        light = [normals[..., 0], normals[..., 1]]
        height, width = self._pixels.shape[:2]
        if not self._axes.x:
            place = np.broadcast_to((np.arange(columns.start, columns.stop) + 0.5)[None] / width, light[0].shape)
            light.append(np.cos(np.pi * place))
        if not self._axes.y:
            place = np.broadcast_to((np.arange(rows.start, rows.stop) + 0.5)[:, None] / height, light[0].shape)
            light.append(np.cos(np.pi * place))
        u, v = np.log(colors[..., 0] / colors[..., 1]), np.log(colors[..., 2] / colors[..., 1])
        paint = [u, v, u * u, v * v, u * v]
        log = np.log(colors @ LUMA.astype(np.float64))
        return (
            log.reshape(-1),
            np.stack(light, -1).reshape(log.size, -1),
            np.stack(paint, -1).reshape(log.size, -1),
        )
