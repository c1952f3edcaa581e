# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of tiles, on floors, walls, roofs and fishes. Imports numpy and this package only."""

from __future__ import annotations

import numpy as np

from . import colours
from .canvas import Canvas, Cells, Field, smoothstep
from .families_laid import laid
from .surface import Style, Surface

TILES = (("dcd8cf", "ece9e2"), ("b8c4c6", "ccd5d6"), ("c8b79c", "d8c9b0"), ("7f98a6", "94abb8"), ("b06a4a", "c07c58"))


def tiles(c: Canvas, style: Style) -> Surface:
    """Square ceramic tiles; sometimes chequered with a second shade."""
    size = style.feature(26, 40)
    rows, columns = c.fits(c.height, size, 2, even=True), c.fits(c.width, size, 2, even=True)
    cells = c.grid(rows, columns, 0.0, round_corners=size * 0.06)
    base = style.base(*TILES)
    table = style.shades(base, cells.count, c.between(0.006, 0.03), 0.03, 0.06)
    joint = style.joint(("c9c6c0", "dedbd6"), ("6b6864", "827f7a"), ("3c3b3a", "4b4a49"))
    s = laid(
        c,
        cells,
        table,
        joint,
        max(2.0, size * c.between(0.05, 0.09)),
        rough_edge=0.12,
        bevel=2.0,
        cloud=0.03,
        speckle=0.012,
        roughness=0.12,
        tilt=0.01,
    )
    s.roughness = 0.12 + 0.65 * s.joint
    return s


def checkered(c: Canvas, style: Style) -> Surface:
    """Tiles of the named colour and of white, or black where the colour is a light one."""
    size = style.feature(26, 40)
    rows, columns = c.fits(c.height, size, 2, even=True), c.fits(c.width, size, 2, even=True)
    cells = c.grid(rows, columns, 0.0)
    if style.colour is None:
        style.colour = "black"
    base = colours.named(c.rng, style.colour)
    other = "white" if float(base.mean()) < 0.62 else "black"
    style.pattern = f"and {other} checkered"
    table = style.shades(base, cells.count, 0.012, 0.03, 0.06)
    second = style.shades(colours.named(c.rng, other), cells.count, 0.012, 0.03, 0.06)
    odd = (np.arange(cells.count) // columns + np.arange(cells.count) % columns) % 2 == 1
    table[odd] = second[odd]
    s = laid(
        c,
        cells,
        table,
        style.joint(("8b8986", "a3a19d"), ("3c3b3a", "4b4a49")),
        1.8,
        rough_edge=0.1,
        bevel=1.5,
        cloud=0.05,
        speckle=0.015,
        tilt=0.01,
    )
    s.roughness = 0.14 + 0.6 * s.joint
    return s


def hexagons(c: Canvas, style: Style) -> Surface:
    size = style.feature(19, 28)
    cells = c.worley(size, 0.0, aspect=1.1547, least=4, regular=True)
    base = style.base(*TILES, ("3a3c40", "4a4c50"))
    table = style.shades(base, cells.count, c.between(0.01, 0.05), 0.04, 0.08)
    joint = style.joint(("c9c6c0", "dedbd6"), ("55524f", "6b6864"))
    s = laid(
        c,
        cells,
        table,
        joint,
        max(1.8, size * c.between(0.07, 0.12)),
        rough_edge=0.1,
        bevel=2.0,
        cloud=0.04,
        speckle=0.015,
        tilt=0.02,
    )
    s.roughness = 0.18 + 0.6 * s.joint
    return s


def mosaic(c: Canvas, style: Style) -> Surface:
    """Small tesserae; without a named colour, several colours mixed."""
    size = style.feature(10, 15)
    bend = (c.blobs(22.0) * 0.8, c.blobs(22.0) * 0.8)
    cells = c.grid(
        c.fits(c.height, size, 6),
        c.fits(c.width, size, 6),
        c.choice((0.0, "random")),
        0.12,
        bend,
        round_corners=size * 0.15,
    )
    if style.colour is None:
        names = [
            c.choice(("blue", "teal", "white", "gold", "dark red", "turquoise", "orange", "green", "beige", "navy"))
            for _ in range(c.choice((3, 4, 5)))
        ]
        parts = np.stack([colours.named(c.rng, name) for name in names])
        table = np.clip(parts[c.rng.integers(0, len(parts), cells.count)] * (1 + 0.1 * c.normal(cells.count, 1)), 0, 1)
    else:
        table = style.shades(style.base(), cells.count, 0.07, 0.16, 0.2)
    joint = style.joint(("c4c0b8", "d8d4cc"), ("6b6864", "827f7a"), ("35332f", "45433e"))
    s = laid(
        c,
        cells,
        table.astype(np.float32),
        joint,
        max(1.7, size * 0.15),
        rough_edge=0.35,
        bevel=1.5,
        cloud=0.03,
        speckle=0.03,
        tilt=0.06,
    )
    s.roughness = 0.2 + 0.6 * s.joint
    return s


def lapped(c: Canvas, rows: int, columns: int, bulge: float) -> tuple[Cells, Field, Field]:
    """Rows that lie over the next row down, as on a roof; `bulge` (rows) is how far a piece's end is rounded.

    Returns the cells (edge: px to the sides), how far down its piece each pixel is (1 at the lower end), and the px
    below the end of the piece above, whose shadow falls there. `rows` must be even.
    """
    pitch, wide = c.height / rows, c.width / columns
    v = np.broadcast_to(c.y / np.float32(pitch), c.shape)
    low = np.floor(v).astype(np.int64)
    out: list[tuple[Field, Field, Field]] = []
    for back in (1, 0):
        row = low - back
        u = c.x / np.float32(wide) - 0.5 * (row % 2)
        column = np.floor(u).astype(np.int64)
        f = (u - column - 0.5).astype(np.float32)
        end = 1.0 + bulge * np.sqrt(np.maximum(1 - (2 * f) ** 2, 0))
        out.append(((v - row).astype(np.float32) / end, f, (row % rows) * columns + column % columns))
    over = out[0][0] < 1.0
    t = np.where(over, out[0][0], out[1][0])
    f = np.where(over, out[0][1], out[1][1])
    index = np.where(over, out[0][2], out[1][2])
    shadow = np.where(over, 99.0, (out[0][0] - 1.0) * pitch).astype(np.float32)
    edge = ((0.5 - np.abs(f)) * wide).astype(np.float32)
    return (
        Cells(index, rows * columns, edge, f * np.float32(wide), (t - 0.5) * np.float32(pitch)),
        t.astype(np.float32),
        shadow,
    )


def roof_tiles(c: Canvas, style: Style) -> Surface:
    rounded = c.chance(0.55)
    high = style.feature(22, 32)
    rows = c.fits(c.height, high, 4, even=True)
    columns = c.fits(c.width, high * c.between(0.85, 1.05), 3)
    cells, t, shadow = lapped(c, rows, columns, 0.45 if rounded else 0.0)
    base = style.base(("9c4a32", "b3593c"), ("8a4433", "9d5540"), ("55585d", "6b6e73"), ("7a4a38", "8f5b46"))
    table = style.shades(base, cells.count, 0.05, 0.08, 0.15)
    fine = c.noise(6.0, 1.2)
    side = smoothstep(0.0, 2.2, cells.edge) if not rounded else c.full(1.0)
    color = colours.shade(
        cells.pick(table), 0.06 * fine + 0.06 * c.shifted(c.noise(24.0), cells) + 0.14 * (t - 0.7) - 0.5 * (1 - side)
    )
    lip = smoothstep(0.88, 0.97, t)
    color = colours.shade(color, 0.14 * lip * side)
    dark = smoothstep(high * 0.22, 0.0, shadow)
    color = color * (1 - 0.72 * dark)[..., None]
    height = 0.2 + 0.5 * t * side + 0.02 * fine
    return Surface(color.astype(np.float32), height, 0.75 + 0.06 * fine, c.full(0.0), np.maximum(dark, 1 - side))


def scales(c: Canvas, style: Style) -> Surface:
    """Scales of a fish or a reptile."""
    high = style.feature(13, 19)
    rows, columns = c.fits(c.height, high, 4, even=True), c.fits(c.width, high * c.between(1.2, 1.6), 3)
    cells, t, shadow = lapped(c, rows, columns, c.between(0.6, 0.95))
    base = style.base(("3f6b3a", "568550"), ("5b6f6c", "748a86"), ("6f5b3a", "8a744e"), ("2f5a5e", "42757a"))
    table = style.shades(base, cells.count, 0.04, 0.15, 0.15)
    ridge = np.exp(-((cells.dx / (0.12 * high)) ** 2)) * smoothstep(0.1, 0.5, t)
    color = colours.shade(
        cells.pick(table), 0.4 * (t - 0.62) + 0.1 * ridge + 0.04 * c.noise(4.0) + 0.05 * c.noise(50.0)
    )
    rim = smoothstep(0.86, 0.96, t)
    color = colours.shade(color, 0.2 * rim)
    dark = smoothstep(high * 0.35, 0.0, shadow)
    color = color * (1 - 0.75 * dark)[..., None]
    return Surface(color.astype(np.float32), 0.2 + 0.55 * t + 0.05 * ridge, 0.35 + 0.3 * dark, c.full(0.0), dark)
