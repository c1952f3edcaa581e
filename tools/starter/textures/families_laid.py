# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of pieces laid in joints: bricks, blocks, stones. Imports numpy and this package only."""

from __future__ import annotations

import numpy as np

from . import colours
from .canvas import Canvas, Cells, Field, blend, smoothstep
from .surface import Style, Surface

MORTAR = (("b5ada0", "d2cbbf"), ("8a857d", "a29c92"), ("5d5853", "75706a"))


def laid(
    c: Canvas,
    cells: Cells,
    table: colours.Colours,
    joint_color: colours.Colours,
    width: float,
    *,
    rough_edge: float = 0.6,
    speckle: float = 0.07,
    cloud: float = 0.07,
    bevel: float = 3.0,
    roughness: float = 0.8,
    tilt: float = 0.05,
) -> Surface:
    """Pieces with one shade each, set into joints `width` px wide."""
    wobble = c.noise(9.0, 1.8) * rough_edge
    edge = cells.edge - width / 2 + wobble
    m = smoothstep(-0.7, 0.7, edge)
    fine = c.noise(5.0, 1.1)
    clouds = c.shifted(c.noise(26.0, 1.7), cells)
    tone = cloud * clouds + speckle * fine
    dome = smoothstep(-1.0, bevel + 1.0, edge)
    pieces = colours.shade(cells.pick(table), tone - 0.22 * (1 - dome))
    fill = colours.shade(
        np.broadcast_to(joint_color, pieces.shape), 0.06 * fine + 0.05 * c.grain() - 0.22 * smoothstep(-2.6, 0.0, edge)
    )
    lift = cells.pick(c.normal(cells.count)) * tilt
    height = m * (0.45 + 0.3 * dome + lift + 0.05 * clouds + 0.03 * fine) + 0.25 * (1 - m) + 0.015 * fine
    return Surface(blend(fill, pieces, m), height, roughness + 0.1 * (1 - m) + 0.04 * fine, c.full(0.0), 1 - m)


def pits(c: Canvas, s: Surface, feature: float, level: float, depth: float) -> None:
    """Small dark holes in the material."""
    m = smoothstep(level, level + 0.5, c.blobs(feature)) * (1 - s.joint)
    s.color = colours.shade(s.color, -depth * m)
    s.height = s.height - 0.12 * m


def bricks(c: Canvas, style: Style) -> Surface:
    high = style.feature(22, 33)
    bond = c.choice(("running", "running", "running", "running", "stack", "third"))
    rows = c.fits(c.height, high, 2, even=bond != "stack")
    columns = c.fits(c.width, c.height / rows * c.between(2.1, 2.7), 1)
    shift = {"running": 0.5, "stack": 0.0, "third": 1 / 3}[bond]
    if bond == "stack":
        style.pattern = "stacked"
    bend = c.blobs(30.0) * c.between(0.0, 0.8)
    joint = max(2.2, high * c.between(0.1, 0.17))
    cells = c.grid(rows, columns, shift, offset=(0.0, bend), round_corners=high * c.between(0.04, 0.14))
    if style.colour == "red":  # nobody means paint
        base = colours.between(c.rng, "9e3024", "b54234")
    else:
        base = style.base(("8f4030", "a9543c"), ("9a4a38", "b4654c"), ("7d3a30", "8f4a3c"), ("a5664a", "b87d5c"))
    table = style.shades(base, cells.count, c.between(0.025, 0.06), 0.08, 0.12)
    s = laid(c, cells, table, style.joint(*MORTAR), joint, bevel=high * 0.1, rough_edge=c.between(0.3, 0.9))
    pits(c, s, 4.0, c.between(1.2, 2.0), 0.25)
    return s


def cobblestone(c: Canvas, style: Style) -> Surface:
    size = style.feature(22, 34)
    bend = (c.blobs(26.0) * 1.5, c.blobs(26.0) * 1.5)
    if c.chance(0.65):
        cells = c.worley(size, c.between(0.45, 0.75), bend, aspect=c.between(1.0, 1.3), least=4)
    else:
        cells = c.grid(
            c.fits(c.height, size, 4, even=True),
            c.fits(c.width, size * 1.15, 3),
            "random",
            0.14,
            bend,
            round_corners=size * 0.3,
        )
    base = style.base(("6d6a66", "8c8983"), ("7c766d", "98907f"), ("5b5d61", "74777b"), ("857565", "9a8a78"))
    spread = 0.045 if style.colour else 0.07
    table = style.shades(base, cells.count, spread, 0.12, 0.25)
    gap = style.joint(("2e2a25", "443d34"), ("4f473b", "63594b"), ("24221f", "302d29"))
    width = size * c.between(0.08, 0.16)
    reach = size * 0.5 - width / 2
    edge = cells.edge - width / 2
    m = smoothstep(-0.8, 0.9, edge)
    t = np.clip(edge / reach, 0, 1)
    dome = np.sqrt(np.maximum(1 - (1 - t) ** 2, 0))
    fine = c.noise(5.0, 1.2)
    clouds = c.shifted(c.noise(14.0, 1.5), cells)
    stone = colours.shade(cells.pick(table), 0.08 * clouds + 0.075 * fine + 0.32 * (dome - 0.8))
    fill = colours.shade(np.broadcast_to(gap, stone.shape), 0.1 * fine + 0.1 * c.grain())
    lift = cells.pick(c.normal(cells.count)) * 0.05
    height = 0.15 + m * (0.12 + 0.5 * dome + lift + 0.03 * clouds) + 0.02 * fine
    return Surface(blend(fill, stone, m), height, 0.7 + 0.2 * (1 - m) + 0.05 * fine, c.full(0.0), 1 - m)


def herringbone(c: Canvas, unit: float, ratio: int) -> tuple[Cells, Field]:
    """Pieces of 1 x `ratio` units of about `unit` px in zigzag; also 1.0 where a piece stands upright."""
    step = 2 * ratio
    nx, ny = step * max(1, round(c.width / unit / step)), step * max(1, round(c.height / unit / step))
    ux, uy = c.width / nx, c.height / ny
    i = np.broadcast_to(np.floor(c.x / ux).astype(np.int64), c.shape)
    j = np.broadcast_to(np.floor(c.y / uy).astype(np.int64), c.shape)
    d = (i - j) % step
    upright = d >= ratio
    i0 = np.where(upright, i, i - d)  # first unit of the piece
    j0 = np.where(upright, j - (step - 1 - d), j)
    half_x = np.where(upright, ux / 2, ux * ratio / 2).astype(np.float32)
    half_y = np.where(upright, uy * ratio / 2, uy / 2).astype(np.float32)
    dx = (c.x - i0 * np.float32(ux) - half_x).astype(np.float32)
    dy = (c.y - j0 * np.float32(uy) - half_y).astype(np.float32)
    edge = np.minimum(half_x - np.abs(dx), half_y - np.abs(dy))
    return Cells((j0 % ny) * nx + i0 % nx, nx * ny, edge, dx, dy), upright.astype(np.float32)


def basket(c: Canvas, unit: float, strips: int) -> tuple[Cells, Field]:
    """Squares of `strips` strips each, lying and standing in turn; also 1.0 where they stand."""
    nx, ny = (max(2, 2 * round(n / (unit * strips) / 2)) for n in (c.width, c.height))
    sx, sy = c.width / nx, c.height / ny
    i, j = np.floor(c.x / sx).astype(np.int64), np.floor(c.y / sy).astype(np.int64)
    upright = (i + j) % 2 == 1
    fx = np.broadcast_to(c.x / np.float32(sx) - i, c.shape)
    fy = np.broadcast_to(c.y / np.float32(sy) - j, c.shape)
    across = np.where(upright, fx, fy)
    k = np.clip((across * strips).astype(np.int64), 0, strips - 1)
    middle = (k + 0.5) / strips
    dx = np.where(upright, (fx - middle) * sx, (fx - 0.5) * sx).astype(np.float32)
    dy = np.where(upright, (fy - 0.5) * sy, (fy - middle) * sy).astype(np.float32)
    edge = np.where(
        upright,
        np.minimum(sx / 2 / strips - np.abs(dx), sy / 2 - np.abs(dy)),
        np.minimum(sx / 2 - np.abs(dx), sy / 2 / strips - np.abs(dy)),
    ).astype(np.float32)
    return Cells((j % ny * nx + i % nx) * strips + k, nx * ny * strips, edge, dx, dy), upright.astype(np.float32)


def herringbone_bricks(c: Canvas, style: Style) -> Surface:
    """Brick paving in zigzag."""
    unit = style.feature(14, 19)
    ratio = 2 if unit * 6 > min(c.shape) / 1.5 else c.choice((2, 3))
    cells, _ = herringbone(c, unit, ratio)
    base = style.base(("8f4030", "a9543c"), ("9a4a38", "b4654c"), ("7d3a30", "8f4a3c"), ("8d8377", "a0968a"))
    table = style.shades(base, cells.count, c.between(0.025, 0.055), 0.08, 0.12)
    s = laid(c, cells, table, style.joint(*MORTAR), max(1.8, unit * 0.13), bevel=2.0, rough_edge=0.4)
    pits(c, s, 4.0, 1.6, 0.25)
    return s


def basket_bricks(c: Canvas, style: Style) -> Surface:
    """Brick paving in squares of two or three, lying and standing in turn."""
    unit = style.feature(14, 19)
    cells, _ = basket(c, unit, c.choice((2, 3)))
    base = style.base(("8f4030", "a9543c"), ("9a4a38", "b4654c"), ("7d3a30", "8f4a3c"), ("8d8377", "a0968a"))
    table = style.shades(base, cells.count, c.between(0.025, 0.055), 0.08, 0.12)
    s = laid(c, cells, table, style.joint(*MORTAR), max(1.8, unit * 0.13), bevel=2.0, rough_edge=0.4)
    pits(c, s, 4.0, 1.6, 0.25)
    return s


STONES = (("7d7a74", "989389"), ("a79b85", "bfb49c"), ("8a8378", "a0988a"), ("64666a", "7b7d80"), ("9c8466", "b39c7d"))


def stone_blocks(c: Canvas, style: Style) -> Surface:
    """Ashlar: squared blocks of uneven width in rows."""
    high = style.feature(28, 42)
    rows = c.fits(c.height, high, 2)
    bend = (c.blobs(34.0) * 0.8, c.blobs(34.0) * 0.8)
    cells = c.grid(
        rows, c.fits(c.width, high * c.between(1.4, 1.9), 2), "random", 0.22, bend, round_corners=high * 0.12
    )
    base = style.base(*STONES)
    table = style.shades(base, cells.count, c.between(0.03, 0.055), 0.08, 0.2)
    s = laid(
        c,
        cells,
        table,
        style.joint(*MORTAR, ("3d3a35", "4d4943")),
        max(2.0, high * 0.08),
        rough_edge=0.9,
        bevel=high * 0.12,
        cloud=0.09,
        speckle=0.085,
        tilt=0.07,
    )
    pits(c, s, 5.0, 1.5, 0.22)
    return s


def rubble(c: Canvas, style: Style) -> Surface:
    """A wall of unshaped stones of mixed sizes."""
    size = style.feature(22, 32)
    bend = (c.blobs(30.0) * 2.0, c.blobs(30.0) * 2.0)
    cells = c.worley(size, 0.95, bend, aspect=c.between(1.4, 1.8), least=4)
    base = style.base(*STONES)
    table = style.shades(base, cells.count, 0.05 if style.colour else 0.075, 0.12, 0.3)
    return laid(
        c,
        cells,
        table,
        style.joint(*MORTAR, ("4a4640", "5e5951")),
        size * c.between(0.1, 0.2),
        rough_edge=0.8,
        bevel=size * 0.2,
        cloud=0.1,
        speckle=0.085,
        tilt=0.08,
    )


def flagstones(c: Canvas, style: Style) -> Surface:
    """Large flat slabs of irregular outline."""
    size = style.feature(42, 60)
    bend = (c.blobs(60.0) * 2.0, c.blobs(60.0) * 2.0)
    cells = c.worley(size, 0.85, bend, aspect=c.between(0.9, 1.3))
    base = style.base(*STONES, ("8c7b6a", "a3917d"))
    table = style.shades(base, cells.count, 0.04, 0.12, 0.25)
    joint = style.joint(("4a453c", "60594d"), ("6d675d", "857e72"), ("3a4a24", "4d5f30"))
    s = laid(
        c,
        cells,
        table,
        joint,
        max(3.0, size * c.between(0.06, 0.11)),
        rough_edge=0.5,
        bevel=2.5,
        cloud=0.1,
        speckle=0.06,
        tilt=0.03,
    )
    layers = smoothstep(0.3, 0.9, c.shifted(c.noise(30.0, 2.0), cells)) * (1 - s.joint)
    s.color = colours.shade(s.color, -0.1 * layers)
    s.height = s.height - 0.05 * layers
    return s


def slabs(c: Canvas, style: Style) -> Surface:
    """Square paving slabs cast from concrete, in straight or in staggered rows."""
    size = style.feature(44, 58)
    rows = c.fits(c.height, size, 2, even=True)
    cells = c.grid(rows, c.fits(c.width, size, 2), c.choice((0.0, 0.5)), round_corners=2.0)
    base = style.base(("9a9892", "b0aea8"), ("aba391", "c0b9a8"), ("84847f", "999994"))
    table = style.shades(base, cells.count, c.between(0.015, 0.035), 0.05, 0.1)
    joint = style.joint(("46443f", "58554f"), ("6b675e", "7d796f"))
    s = laid(
        c, cells, table, joint, c.between(2.6, 4.2), rough_edge=0.25, bevel=2.5, cloud=0.06, speckle=0.1, tilt=0.02
    )
    s.color = colours.shade(s.color, 0.05 * c.grain() * (1 - s.joint))
    pits(c, s, 4.0, 1.7, 0.2)
    return s
