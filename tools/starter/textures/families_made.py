# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of pressed, printed and foamed things: boards, paper, foam. Imports numpy and this package only."""

from __future__ import annotations

import numpy as np

from . import colours
from .canvas import Canvas, Cells, Field, blend, smoothstep
from .surface import Style, Surface

BOARDS = (("c79a5e", "dbb57c"), ("b78a52", "caa06a"), ("d3b080", "e3c79c"))


def chipboard(c: Canvas, style: Style) -> Surface:
    """Flakes of wood pressed together, lying in all directions."""
    long = style.feature(22, 30)
    base = style.base(*BOARDS)
    table = style.shades(base, 48, 0.055, 0.08, 0.12)
    color = colours.shade(np.broadcast_to(colours.darker(base, 0.1), (*c.shape, 3)), 0.1 * c.noise(4.0, 1.0))
    height = c.full(0.3)
    count = int(3.2 * c.height * c.width / (long * long * 0.34))
    for i in range(count):
        half, wide = long * c.between(0.3, 0.6), long * c.between(0.1, 0.22)
        where, dx, dy = c.patch(c.between(0, c.width), c.between(0, c.height), float(np.hypot(half, wide)) + 2.0)
        angle = c.between(0, np.pi)
        ca, sa = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        u, v = dx * ca + dy * sa, dy * ca - dx * sa
        inside = np.minimum(half - np.abs(u), wide - np.abs(v))
        m = smoothstep(-0.5, 0.8, inside)
        streak = np.float32(0.07) * np.sin(v * np.float32(c.between(1.2, 2.4)) + np.float32(c.between(0, 6.28)))
        tone = 1.0 + streak - 0.18 * smoothstep(1.8, 0.0, inside)
        under = color[where] * (1 - 0.3 * smoothstep(-2.0, 0.0, inside))[..., None]
        flake = table[int(c.rng.integers(len(table)))] * tone[..., None]
        color[where] = under + (flake - under) * m[..., None]
        level = height[where]
        height[where] = level + (0.35 + 0.3 * i / count - level) * m
    color = colours.shade(color, 0.03 * c.grain())
    return Surface(color.astype(np.float32), height, c.full(0.75), c.full(0.0), c.full(0.0))


def cardboard(c: Canvas, style: Style) -> Surface:
    """Brown board: fibres, and the flutes inside showing through as faint ridges."""
    base = style.base(("b08a5c", "c39d6f"), ("a57f54", "b8946a"))
    n = c.fits(c.height, style.feature(7, 10), 4)
    ridge = np.sin(c.y * np.float32(2 * np.pi * n / c.height) + 0.25 * c.noise(30.0))
    fibre = c.noise(2.0, 1.0, along_x=6.0)
    speck = smoothstep(2.0, 2.6, c.noise(2.4, 1.2, along_x=3.0))
    color = colours.shade(
        np.broadcast_to(base, (*c.shape, 3)),
        0.085 * ridge + 0.05 * fibre + 0.04 * c.noise(40.0) - 0.25 * speck,
    )
    return Surface(color, 0.5 + 0.05 * ridge + 0.02 * fibre, c.full(0.9), c.full(0.0), c.full(0.0))


def paper(c: Canvas, style: Style) -> Surface:
    """Crumpled paper: flat facets that meet in sharp folds."""
    base = style.base(("e4e0d6", "f2efe8"), ("dccfae", "eadfc4"), ("cfcac0", "dedad2"))
    color = np.broadcast_to(base, (*c.shape, 3))
    tone, height = 0.02 * c.noise(2.0, 0.8), c.full(0.5)
    size = style.feature(34, 50)
    for scale, depth in ((1.0, 1.0), (0.45, 0.55)):
        bend = (c.noise(30.0, 2.4) * 3.0, c.noise(30.0, 2.4) * 3.0)
        cells = c.worley(size * scale, 1.0, bend, aspect=c.between(0.7, 1.4))
        turn = c.rng.uniform(0, 2 * np.pi, cells.count).astype(np.float32)
        slope = (cells.dx * np.cos(turn)[cells.index] + cells.dy * np.sin(turn)[cells.index]) / np.float32(size * scale)
        fold = smoothstep(1.6, 0.0, cells.edge)
        lit = c.normal(cells.count)[cells.index]
        tone = tone + np.float32(depth) * (0.05 * lit + 0.16 * slope - 0.1 * fold)
        height = height + np.float32(0.2 * depth) * slope + np.float32(0.08 * depth) * fold
    return Surface(colours.shade(color, tone), height, c.full(0.88), c.full(0.0), c.full(0.0))


def _motif(c: Canvas, columns: int, rows: int) -> tuple[Field, Field]:
    """(distance from the middle in px, angle) in a lattice whose odd columns hang half a row lower."""
    wide, high = c.width / columns, c.height / rows
    u = np.broadcast_to(c.x / np.float32(wide), c.shape)
    column = np.floor(u)
    v = c.y / np.float32(high) - 0.5 * (column % 2)
    x = (u - column - 0.5) * np.float32(wide)
    y = (v - np.floor(v) - 0.5) * np.float32(high)
    return np.hypot(x, y).astype(np.float32), np.arctan2(y, x).astype(np.float32)


def wallpaper(c: Canvas, style: Style) -> Surface:
    """Printed wallpaper: stripes, dots, flowers or a damask of two tones."""
    base = style.base(("d8cfbd", "e8e1d3"), ("a9b8a4", "bccab7"), ("b9a3a6", "cdb9bb"), ("9aabbd", "b3c1d0"))
    size = style.feature(34, 48)
    columns, rows = c.fits(c.width, size, 2, even=True), c.fits(c.height, size, 2)
    light = float(base.mean()) > 0.5
    second = colours.darker(base, c.between(0.13, 0.22) if light else -c.between(0.13, 0.22))
    if c.chance(0.25):
        second = colours.between(c.rng, "b8903c", "cda850")
    far, angle = _motif(c, columns, rows)
    unit = np.float32(min(c.width / columns, c.height / rows) / 2)
    style.pattern = c.choice(("striped", "dotted", "floral", "damask"))
    third = c.full(0.0)
    if style.pattern == "striped":
        n = columns * c.choice((1, 2))
        wave = np.cos(c.x * np.float32(2 * np.pi * n / c.width))
        m = np.broadcast_to(smoothstep(-0.12, 0.12, wave), c.shape)
    elif style.pattern == "dotted":
        m = smoothstep(0.8, -0.8, far - unit * np.float32(c.between(0.3, 0.5)))
    elif style.pattern == "floral":
        petals = c.choice((5, 6))
        rim = unit * (0.5 + 0.28 * np.cos(petals * angle))
        m = smoothstep(0.8, -0.8, far - rim)
        third = smoothstep(0.8, -0.8, far - unit * np.float32(0.2))
    else:
        rim = unit * (0.52 + 0.2 * np.cos(4 * angle) + 0.16 * np.cos(8 * angle))
        ring = np.abs(far - unit * np.float32(0.88)) - unit * np.float32(0.05)
        m = np.maximum(smoothstep(0.8, -0.8, far - rim), smoothstep(0.8, -0.8, ring))
        third = smoothstep(0.8, -0.8, far - unit * (0.24 + 0.1 * np.cos(4 * angle)))
    color = blend(np.broadcast_to(base, (*c.shape, 3)), second, m.astype(np.float32))
    color = blend(color, colours.darker(base, -0.05 if light else -0.3), third.astype(np.float32) * 0.85)
    linen = c.noise(2.0, 0.9, along_x=5.0) + c.noise(2.0, 0.9, along_y=5.0)
    color = colours.shade(color, 0.018 * linen + 0.02 * c.noise(60.0))
    return Surface(color, 0.5 + 0.05 * m + 0.01 * linen, c.full(0.8), c.full(0.0), c.full(0.0))


def sponge(c: Canvas, style: Style) -> Surface:
    """Soft foam with open pores of several sizes."""
    base = style.base(("d9b64a", "ecce6c"), ("d8a54a", "e6bb69"), ("c9a86a", "dbc08a"))
    size = style.feature(12, 17)
    color = colours.shade(np.broadcast_to(base, (*c.shape, 3)), 0.05 * c.noise(3.0, 1.0) + 0.05 * c.noise(40.0))
    height, joint = c.full(0.7), c.full(0.0)
    for scale, share in ((0.4, 0.35), (0.65, 0.45), (1.0, 0.55)):
        bend = (c.blobs(size * scale) * 0.1 * size, c.blobs(size * scale) * 0.1 * size)
        cells = c.worley(size * scale, 1.0, bend, least=6)
        there = cells.pick((c.random(cells.count) < share).astype(np.float32))
        radius = size * scale * cells.pick(c.rng.uniform(0.24, 0.42, cells.count).astype(np.float32))
        depth = np.minimum(radius - np.hypot(cells.dx, cells.dy), cells.edge)
        hole = there * smoothstep(-0.6, 1.0, depth)
        rim = there * smoothstep(-2.0, -0.4, depth) * (1 - hole)
        color = colours.shade(color, 0.1 * rim)
        color = blend(color, color * 0.32, hole * smoothstep(-0.6, size * scale * 0.3, depth) ** 0.5)
        height = height * (1 - 0.75 * hole)
        joint = np.maximum(joint, hole)
    return Surface(color.astype(np.float32), height, c.full(0.95), c.full(0.0), joint)


def bubbles(c: Canvas, style: Style) -> Surface:
    """Foam seen from above: clear round cells with bright rims and a glint each."""
    base = style.base(("a9c9d8", "c3dbe6"), ("bcd3d0", "d3e3e1"), ("c9c6dc", "dad8e8"))
    color = colours.shade(np.broadcast_to(colours.darker(base, 0.16), (*c.shape, 3)), 0.05 * c.noise(30.0))
    height, joint = c.full(0.2), c.full(1.0)
    size = style.feature(22, 32)
    for scale in (0.5, 1.0):
        cells = c.worley(size * scale, 0.8, least=4)
        radius = size * scale * cells.pick(c.rng.uniform(0.34, 0.6, cells.count).astype(np.float32))
        edge = np.minimum(cells.edge - 0.5, radius - np.hypot(cells.dx, cells.dy))
        m = smoothstep(-0.5, 0.8, edge)
        dome = np.sqrt(np.maximum(1 - (1 - np.clip(edge / (size * scale * 0.4), 0, 1)) ** 2, 0))
        rim = np.exp(-(((edge - 1.4) / 1.2) ** 2))
        glint = _glint(cells, size * scale)
        skin = colours.shade(np.broadcast_to(base, color.shape), -0.24 * dome + 0.1 + 0.3 * rim + 0.55 * glint)
        color = blend(color, skin, m)
        height = height + (0.3 + 0.5 * dome - height) * m
        joint = joint * (1 - m)
    return Surface(color.astype(np.float32), height, c.full(0.12), c.full(0.0), joint)


def _glint(cells: Cells, size: float) -> Field:
    """A soft spot towards the upper left of each cell."""
    spot = np.hypot(cells.dx + 0.14 * size, cells.dy + 0.14 * size)
    return smoothstep(0.11 * size, 0.03 * size, spot)
