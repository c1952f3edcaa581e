# SPDX-License-Identifier: GPL-3.0-or-later
"""Texel density: what a texture's real size asks of pixels and of UV coordinates. Imports core only.

Lengths are in any one unit; UV units are widths of the UV square.
"""

import math
from collections.abc import Iterable

from .requests.texture import GRID, MAX_SIDE, MIN_SIDE, Size


def uv_density(triangles: Iterable[tuple[float, float]]) -> float:
    """UV units to a unit of length, of (area on the surface, area in the UV map) of each triangle.

    Of the whole, so that stretched triangles weigh as much as they show. Raises `ValueError` where there is no area.
    """
    surface = unwrapped = 0.0
    for on_surface, in_map in triangles:
        surface += on_surface
        unwrapped += in_map
    if not (0.0 < surface < math.inf and 0.0 < unwrapped < math.inf):
        raise ValueError("no area")
    return math.sqrt(unwrapped / surface)


def mapping_scale(density: float, tile_size: float, aspect: float = 1.0) -> tuple[float, float]:
    """What to multiply U and V by, so that a texture repeats every `tile_size`.

    density: see `uv_density`. tile_size: the width of one repeat. aspect: the texture's height over its width.
    """
    if not (density > 0.0 and tile_size > 0.0 and aspect > 0.0):
        raise ValueError("a density, a size and an aspect above 0 are needed")
    across = 1.0 / (density * tile_size)
    return across, across / aspect


def resolution(tile_size: float, texels_per_length: float, aspect: float = 1.0) -> Size:
    """The size in pixels that comes nearest to a texel density, among those that every model can make."""

    def snap(pixels: float) -> int:
        return min(max(round(pixels / GRID) * GRID, MIN_SIDE), MAX_SIDE)

    width = tile_size * texels_per_length
    return Size(snap(width), snap(width * aspect))
