# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of wood. Imports numpy and this package only.

A board is a cut through a trunk: its rings are the level lines of the distance to the pith, which wanders in depth
along the board, so that arches, straight grain and (around branches) knots all come from one field.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import colours
from .canvas import Canvas, Cells, Field, blend, smoothstep
from .families_laid import basket, herringbone
from .surface import Style, Surface

# natural woods: (light, dark anchors) of the ground colour
WOODS = (
    ("a8794b", "bd9160"),
    ("8a5a33", "9d6c40"),
    ("c09a68", "d2b07e"),
    ("6e4528", "80532f"),
    ("543320", "653f28"),
    ("8d8071", "a39686"),
)


def boards(c: Canvas, wide: float, long: float, uneven: float = 0.0) -> tuple[Cells, int]:
    """Boards along x, with end joints about `long` px apart at random places of each row."""
    rows = c.fits(c.height, wide, 2)
    return c.grid(rows, c.fits(c.width, long, 1), "random", uneven), rows


def knots(c: Canvas, cells: Cells, density: float, size: float) -> tuple[Field, Field]:
    """(bump of the ring field, darkness) of branches: `density` per 100 x 100 px, about `size` px in radius."""
    bump, dark = c.full(0.0), c.full(0.0)
    for _ in range(int(c.rng.poisson(density * c.height * c.width / 1e4))):
        x, y = c.between(0, c.width), c.between(0, c.height)
        r = size * c.between(0.6, 1.2)
        where, dx, dy = c.patch(x, y, 9 * r)
        mine = cells.index[where] == cells.index[c.pixel(x, y)]
        d = np.sqrt((dx / 1.7) ** 2 + dy**2) / r
        bump[where] += mine * np.exp(-0.32 * d * d)
        dark[where] = np.maximum(dark[where], mine * smoothstep(1.35, 0.45, d))
    return bump, dark


def grain(
    c: Canvas, cells: Cells, rings: float, figure: float, knot_density: float, knot_size: float
) -> tuple[Field, Field, Field]:
    """(ring profile 0..1 with 1 in the dark latewood, fibre noise of deviation 1, knots 0..1), grain along x.

    `rings` is their distance in px, `figure` how far the pith wanders: 0 gives straight grain.
    """
    n = cells.count
    y = cells.dy + cells.pick(c.normal(n)) * (3.0 * rings)
    wander = c.shifted(c.noise(100.0, 2.6, along_x=1.6, along_y=1e4), cells)
    depth = cells.pick(c.rng.uniform(1.0, 5.0, n).astype(np.float32)) * rings + figure * rings * wander
    bump, dark = knots(c, cells, knot_density, knot_size)
    waves = c.shifted(c.noise(14.0, 1.8, along_x=9.0), cells)
    phase = np.sqrt(y * y * 1.0 + depth * depth + rings * rings) / rings + 0.32 * waves + 2.6 * bump
    angle = np.float32(2 * np.pi) * phase
    profile = 0.5 + 0.5 * np.cos(angle + 0.7 * np.sin(angle))
    fibre = c.noise(2.2, 1.0, along_x=26.0)
    return profile**1.7, fibre, dark


def wooden(
    c: Canvas,
    cells: Cells,
    table: colours.Colours,
    gap: float,
    *,
    rings: float,
    figure: float,
    contrast: float,
    knot_density: float,
    knot_size: float,
    nails: bool = False,
) -> Surface:
    """Boards of one shade each with grain, and dark gaps `gap` px wide."""
    profile, fibre, dark = grain(c, cells, rings, figure, knot_density, knot_size)
    strength = cells.pick(c.rng.uniform(0.6, 1.2, cells.count).astype(np.float32)) * contrast
    board = cells.pick(table)
    late = colours.darker(table, 0.17) * colours.rgb(1.0, 0.92, 0.84)
    color = blend(board, cells.pick(late), np.clip(profile * strength, 0, 1))
    cloud = c.shifted(c.noise(40.0, 1.8, along_x=3.0), cells)
    pores = smoothstep(1.3, 2.4, fibre + 0.4 * profile)
    color = colours.shade(color, 0.055 * fibre + 0.045 * cloud - 0.2 * pores)
    heart = colours.darker(table, 0.27) * colours.rgb(1.0, 0.86, 0.72)
    color = blend(color, cells.pick(heart), dark * (0.72 + 0.2 * profile))
    edge = cells.edge + 0.25 * c.noise(9.0, along_x=3.0) - gap / 2
    m = smoothstep(-0.6, 0.6, edge)
    soft = smoothstep(-0.5, 3.2, edge)
    color = colours.shade(color, -0.25 * (1 - soft))
    color = blend(color * 0.16, color, m)
    height = (
        m
        * (
            0.62
            + 0.12 * soft
            - 0.05 * profile * contrast
            - 0.06 * pores
            - 0.02 * fibre
            + 0.05 * dark
            + cells.pick(c.normal(cells.count)) * 0.03
        )
        + 0.12
    )
    s = Surface(color, height, 0.62 + 0.12 * profile + 0.08 * pores + 0.2 * (1 - m), c.full(0.0), 1 - m)
    if nails:
        _nails(c, s, cells)
    return s


def _nails(c: Canvas, s: Surface, cells: Cells) -> None:
    """Two nail heads near each end of each board."""
    half_x = np.zeros(cells.count, np.float32)
    half_y = half_x.copy()
    np.maximum.at(half_x, cells.index.ravel(), np.abs(cells.dx).ravel())
    np.maximum.at(half_y, cells.index.ravel(), np.abs(cells.dy).ravel())
    d = np.hypot(np.abs(cells.dx) - cells.pick(half_x) + 7.0, np.abs(cells.dy) - cells.pick(half_y) * 0.5)
    m = smoothstep(2.3, 1.2, d)
    s.color = blend(s.color, colours.rgb(0.13, 0.12, 0.12), m * 0.85)
    s.height = s.height - 0.08 * m


def stands(c: Canvas, style: Style) -> bool:
    """Whether the grain runs along y. Seldom, and then captions say so: unsaid, a small model draws both at once."""
    upright = c.chance(0.2)
    style.grain = "y" if upright else "x"
    if upright:
        style.pattern = "vertical"
    elif c.chance(0.15):
        style.pattern = "horizontal"
    return upright


def planks(c: Canvas, style: Style) -> Surface:
    upright = stands(c, style)
    canvas = c.transposed() if upright else c
    wide = style.feature(32, 48)
    cells, _ = boards(canvas, wide, wide * c.between(3.2, 6.0), c.choice((0.0, 0.0, 0.25)))
    base = style.base(*WOODS)
    spread = c.between(0.02, 0.055)
    table = style.shades(base, cells.count, spread, 0.06, 0.12)
    s = wooden(
        canvas,
        cells,
        table,
        c.between(1.6, 3.2),
        rings=c.between(4.5, 8.0),
        figure=c.between(0.4, 1.7),
        contrast=c.between(0.5, 0.95) * (0.75 if style.colour else 1.0),
        knot_density=c.choice((0.0, 0.4, 0.9)),
        knot_size=c.between(3.0, 5.0),
        nails=c.chance(0.35),
    )
    return s.transposed() if upright else s


def wood_grain(c: Canvas, style: Style) -> Surface:
    """One sheet of wood without joints."""
    upright = stands(c, style)
    canvas = c.transposed() if upright else c
    h, w = canvas.shape
    whole = Cells(np.zeros((h, w), np.int64), 1, canvas.full(99.0), canvas.full(0.0), canvas.full(0.0))
    rings = style.feature(6.0, 10.0)
    base = style.base(*WOODS)
    straight = round(h / rings * canvas.between(0.25, 0.8)) * canvas.choice((-1, 1))  # whole rings from edge to edge
    field = canvas.y * np.float32(straight / h) + canvas.noise(rings * 6, 2.6, along_x=4.5) * canvas.between(1.0, 2.4)
    bump, dark = knots(canvas, whole, canvas.choice((0.0, 0.5, 1.0)), canvas.between(3.5, 6.0))
    phase = field + 0.1 * canvas.noise(12.0, 1.8, along_x=9.0) + 2.4 * bump
    angle = np.float32(2 * np.pi) * phase
    profile = (0.5 + 0.5 * np.cos(angle + 0.8 * np.sin(angle))) ** 1.6
    fibre = canvas.noise(2.2, 1.0, along_x=30.0)
    contrast = canvas.between(0.6, 1.0)
    late = colours.darker(base, 0.17) * colours.rgb(1.0, 0.92, 0.84)
    color = blend(np.broadcast_to(base, (h, w, 3)), late, profile * contrast)
    pores = smoothstep(1.3, 2.4, fibre + 0.4 * profile)
    color = colours.shade(color, 0.06 * fibre + 0.05 * canvas.noise(50.0, along_x=3.0) - 0.2 * pores)
    color = blend(color, colours.darker(base, 0.27) * colours.rgb(1.0, 0.86, 0.72), dark * (0.72 + 0.2 * profile))
    height = 0.6 - 0.08 * profile - 0.08 * pores - 0.02 * fibre
    s = Surface(color, height, 0.5 + 0.12 * profile + 0.1 * pores, canvas.full(0.0), canvas.full(0.0))
    return s.transposed() if upright else s


def parquet(c: Canvas, style: Style) -> Surface:
    """Herringbone or basket weave of short strips, polished."""
    unit = style.feature(12, 17)
    if c.chance(0.6):
        cells, upright = herringbone(c, unit, 3 if unit * 6 <= min(c.shape) else 2)
        style.pattern = "herringbone"
    else:
        cells, upright = basket(c, unit, c.choice((3, 4)))
    base = style.base(*WOODS[:5])
    table = style.shades(base, cells.count, c.between(0.03, 0.06), 0.06, 0.12)
    look: dict[str, Any] = {
        "rings": c.between(3.5, 6.0),
        "figure": c.between(0.3, 1.5),
        "contrast": c.between(0.35, 0.7),
        "knot_density": 0.0,
        "knot_size": 3.0,
    }
    lying = wooden(c, cells, table, 1.4, **look)
    side = Cells(cells.index.T, cells.count, cells.edge.T, cells.dy.T, cells.dx.T)
    stood = wooden(c.transposed(), side, table, 1.4, **look).transposed()
    return Surface(
        blend(lying.color, stood.color, upright),
        lying.height + (stood.height - lying.height) * upright,
        c.full(0.32) + 0.4 * lying.joint,
        c.full(0.0),
        np.maximum(lying.joint * (1 - upright), stood.joint * upright),
    )


def bark(c: Canvas, style: Style) -> Surface:
    """Plates of bark along y with deep furrows."""
    long = style.feature(46, 66)
    bend = (c.noise(22.0, 2.3, along_y=2.0) * 4.0, c.noise(22.0, 2.3) * 8.0)
    cells = c.worley(long, 0.9, bend, aspect=c.between(0.26, 0.36), least=2)
    base = style.base(("6b5440", "84694f"), ("5a4a3c", "6f5d4c"), ("7d7163", "938778"), ("4f3b2c", "634b38"))
    table = style.shades(base, cells.count, 0.04, 0.08, 0.15)
    streak = c.noise(6.0, 1.4, along_y=6.0)
    fine = c.noise(3.0, 1.0, along_y=2.5)
    reach = long * 0.15
    edge = cells.edge + 0.8 * streak + 0.35 * fine - 0.9
    m = smoothstep(-0.5, reach * 0.75, edge)
    color = colours.shade(cells.pick(table), 0.12 * streak + 0.1 * fine + 0.3 * (m - 0.8))
    furrow = colours.darker(base, 0.24) * colours.rgb(1.0, 0.9, 0.8)
    color = blend(colours.shade(np.broadcast_to(furrow, color.shape), 0.12 * fine), color, smoothstep(0.0, 0.5, m))
    height = 0.12 + 0.6 * m + 0.06 * streak + 0.03 * fine
    return Surface(color, height, 0.9 + 0.03 * fine, c.full(0.0), smoothstep(0.45, 0.1, m))
