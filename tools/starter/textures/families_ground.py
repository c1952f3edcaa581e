# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of the ground: plants, earth, sand, snow. Imports numpy and this package only."""

from __future__ import annotations

import numpy as np

from . import colours
from .canvas import Canvas, Field, blend, smoothstep
from .strokes import ivy_leaves, soften, strokes
from .strokes import leaves as scatter_leaves
from .surface import Style, Surface


def grass(c: Canvas, style: Style) -> Surface:
    base = style.base(("3d6b22", "5a8a30"), ("4d7a28", "6d9838"), ("375f24", "487530"))
    wide = style.feature(2.6, 3.6)
    long = wide * c.between(6.5, 9.5)
    table = style.shades(base, 64, 0.06, 0.12, 0.15)
    table = table[np.argsort(table.sum(axis=1))]
    ground = colours.darker(base, 0.26)
    n = c.noise(8.0)
    color = colours.shade(np.broadcast_to(ground, (*c.shape, 3)), 0.2 * n)
    height = 0.08 + 0.03 * n
    count = int(2.6 * c.height * c.width / (long * wide))
    order = np.clip(np.arange(count) / count * 64 + c.normal(count) * 14, 0, 63).astype(int)
    strokes(c, color, height, table[order], long, wide)
    color = colours.shade(soften(c, color, 0.45), 0.09 * c.noise(45.0))
    return Surface(color, height, c.full(0.75), c.full(0.0), smoothstep(0.25, 0.12, height))


def moss(c: Canvas, style: Style) -> Surface:
    """Cushions of moss with short shoots."""
    size = style.feature(26, 38)
    base = style.base(("4a6420", "668230"), ("3c5a22", "53752f"), ("6a7a2a", "84933a"))
    cushion = c.noise(size, 2.4)
    table = style.shades(base, 64, 0.055, 0.12, 0.15)
    table = table[np.argsort(table.sum(axis=1))]
    color = colours.shade(np.broadcast_to(colours.darker(base, 0.2), (*c.shape, 3)), 0.2 * c.noise(5.0))
    height = c.full(0.1)
    count = int(0.12 * c.height * c.width)
    order = np.clip(np.arange(count) / count * 64 + c.normal(count) * 14, 0, 63).astype(int)
    strokes(c, color, height, table[order], 5.5, 2.2, curl=0.8)
    color = colours.shade(soften(c, color, 0.5), 0.17 * cushion + 0.06 * c.noise(60.0))
    height = 0.15 + 0.25 * height + 0.5 * smoothstep(-2.0, 2.0, cushion)
    return Surface(color, height, c.full(0.93), c.full(0.0), smoothstep(-0.8, -1.8, cushion))


def leaves(c: Canvas, style: Style) -> Surface:
    """Fallen leaves, one over another."""
    size = style.feature(22, 32)
    natural = (("8a5a22", "a8742f"), ("9c4a1c", "b8602a"), ("b08a2a", "c7a23c"), ("6e4a24", "85602f"))
    base = style.base(*natural)
    if style.colour is None and c.chance(0.6):
        table = np.concatenate([style.shades(colours.between(c.rng, *pair), 16, 0.05, 0.1, 0.15) for pair in natural])
    else:
        table = style.shades(base, 64, 0.055, 0.12, 0.15)
    soil = colours.between(c.rng, "241a12", "33261a")
    color = colours.shade(np.broadcast_to(soil, (*c.shape, 3)), 0.25 * c.noise(4.0, 1.1))
    height = 0.06 + 0.02 * c.noise(5.0)
    scatter_leaves(c, color, height, table, size)
    color = colours.shade(color, 0.04 * c.noise(4.0, 1.2) + 0.02 * c.grain())
    return Surface(color, height, c.full(0.7), c.full(0.0), smoothstep(0.2, 0.1, height))


def ivy(c: Canvas, style: Style) -> Surface:
    """A wall of lobed leaves with pale veins."""
    base = style.base(("2f5a26", "447534"), ("3b6a2c", "52833c"), ("2a4f2c", "3c683c"))
    table = style.shades(base, 64, 0.05, 0.1, 0.14)
    color = colours.shade(np.broadcast_to(colours.rgb(0.09, 0.11, 0.06), (*c.shape, 3)), 0.3 * c.noise(5.0, 1.1))
    height = 0.06 + 0.02 * c.noise(5.0)
    ivy_leaves(c, color, height, table, style.feature(19, 27))
    color = colours.shade(color, 0.03 * c.noise(3.0, 1.0))
    return Surface(color, height, c.full(0.55), c.full(0.0), smoothstep(0.2, 0.1, height))


STRAW = (("c4a35a", "d8bb78"), ("b3924c", "c9aa66"), ("a58a58", "bba274"))


def straw(c: Canvas, style: Style) -> Surface:
    """Loose stalks, lying anyhow."""
    return _stalks(c, style, None)


def thatch(c: Canvas, style: Style) -> Surface:
    """Reed laid downwards in overlapping courses."""
    s = _stalks(c, style, np.float32(np.pi / 2) + 0.1 * c.noise(30.0))
    rows = c.fits(c.height, style.feature(44, 60), 1)
    edge = c.y + 2.5 * c.noise(7.0, 1.3, along_y=1.5)
    v = np.mod(edge * np.float32(rows / c.height), 1.0).astype(np.float32)
    shadow = smoothstep(0.28, 0.0, v)
    s.color = colours.shade(s.color * (1 - 0.55 * shadow)[..., None], 0.14 * (v - 0.6))
    s.height = 0.6 * s.height + 0.35 * v
    s.joint = np.maximum(s.joint, shadow)
    return s


def _stalks(c: Canvas, style: Style, flow: Field | None) -> Surface:
    base = style.base(*STRAW)
    wide = style.feature(2.3, 3.1)
    long = wide * c.between(11.0, 15.0)
    table = style.shades(base, 64, 0.06, 0.07, 0.12)
    table = table[np.argsort(table.sum(axis=1))]
    color = colours.shade(np.broadcast_to(colours.darker(base, 0.3), (*c.shape, 3)), 0.2 * c.noise(6.0))
    height = 0.08 + 0.03 * c.noise(6.0)
    count = int(2.2 * c.height * c.width / (long * wide))
    order = np.clip(np.arange(count) / count * 64 + c.normal(count) * 14, 0, 63).astype(int)
    strokes(c, color, height, table[order], long, wide, curl=0.06, flow=flow)
    color = colours.shade(soften(c, color, 0.4), 0.06 * c.noise(40.0))
    return Surface(color, height, c.full(0.85), c.full(0.0), smoothstep(0.25, 0.12, height))


def soil(c: Canvas, style: Style) -> Surface:
    """Loose earth with crumbs and a few stones."""
    size = style.feature(9, 13)
    base = style.base(("4a3423", "634831"), ("3a2a1e", "4e3a2a"), ("6b4f36", "826347"), ("5d4430", "735740"))
    cells = c.worley(size, 1.0, (c.noise(8.0) * 2.5, c.noise(8.0) * 2.5), least=6)
    crumb = smoothstep(0.0, size * 0.4, cells.edge + 0.8 * c.noise(4.0))
    tone = c.normal(cells.count)[cells.index]
    lumps, fine = c.noise(24.0, 1.5), c.noise(3.5, 1.1)
    color = colours.shade(
        np.broadcast_to(base, (*c.shape, 3)), 0.34 * (crumb - 0.6) + 0.09 * tone + 0.13 * lumps + 0.1 * fine
    )
    height = 0.35 + 0.16 * crumb + 0.08 * lumps + 0.05 * fine
    grit = smoothstep(1.7, 2.1, c.blobs(7.0))
    color = blend(
        color, colours.shade(np.broadcast_to(colours.darker(base, -0.2), color.shape), 0.1 * fine), grit * 0.8
    )
    return Surface(color, height + 0.12 * grit, c.full(0.95), c.full(0.0), smoothstep(0.3, 0.0, crumb))


def sand(c: Canvas, style: Style) -> Surface:
    """Sand with wind ripples, or smooth."""
    pitch = style.feature(14, 20)
    base = style.base(("c9a876", "dcbf90"), ("d6bd94", "e5d0ab"), ("b8935f", "caa873"))
    upright = c.chance(0.5)
    canvas = c.transposed() if upright else c
    n = canvas.fits(canvas.height, pitch, 3)
    phase = canvas.y * np.float32(n / canvas.height) + 0.3 * canvas.noise(60.0, 2.4) + 0.05 * canvas.noise(14.0)
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * phase + 0.6 * np.sin(2 * np.pi * phase))
    strength = c.between(0.5, 1.0) if c.chance(0.85) else 0.15
    tone = (
        (0.32 * (wave - 0.5) + 0.07 * canvas.noise(40.0)) * strength
        + 0.05 * canvas.grain()
        + 0.03 * canvas.noise(5.0, 1.0)
    )
    dark = smoothstep(2.3, 2.6, canvas.grain())
    color = colours.shade(np.broadcast_to(base, (*canvas.shape, 3)), tone - 0.3 * dark)
    s = Surface(
        color,
        0.3 + 0.4 * wave * strength + 0.01 * canvas.grain(),
        canvas.full(0.92),
        canvas.full(0.0),
        smoothstep(0.25, 0.0, wave),
    )
    return s.transposed() if upright else s


def gravel(c: Canvas, style: Style) -> Surface:
    return _stones(
        c, style, style.feature(10, 14), 0.5, (("8a8680", "a09b94"), ("7a7268", "91887d"), ("9c8f7c", "b3a692"))
    )


def pebbles(c: Canvas, style: Style) -> Surface:
    """Smooth river stones."""
    return _stones(
        c, style, style.feature(20, 28), 1.0, (("85817b", "9c9790"), ("9a8d7d", "b1a493"), ("6c7074", "83878b"))
    )


def _stones(c: Canvas, style: Style, size: float, smooth: float, natural: tuple[tuple[str, str], ...]) -> Surface:
    """Rounded stones in two layers."""
    base = style.base(*natural)
    spread = (0.06, 0.12, 0.2) if style.colour else (0.11, 0.2, 0.5)
    fine = c.noise(4.0, 1.2)
    color = colours.shade(np.broadcast_to(colours.darker(base, 0.36), (*c.shape, 3)), 0.15 * fine)
    height, joint = 0.05 + 0.01 * fine, c.full(1.0)
    for layer, scale in enumerate((0.8, 1.0)):
        bend = (c.blobs(size) * 0.07 * size, c.blobs(size) * 0.07 * size)
        cells = c.worley(size * scale, 0.9, bend, aspect=c.between(1.0, 1.25), least=4)
        radius = size * scale * cells.pick(c.rng.uniform(0.36, 0.66, cells.count).astype(np.float32))
        edge = np.minimum(cells.edge - 0.6, radius - np.hypot(cells.dx, cells.dy))
        m = smoothstep(-0.4, 0.9, edge)
        t = np.clip(edge / (size * 0.36), 0, 1)
        dome = np.sqrt(np.maximum(1 - (1 - t) ** 2, 0))
        table = style.shades(base, cells.count, *spread)
        stone = colours.shade(
            cells.pick(table),
            0.36 * (dome - 0.75) + (0.09 - 0.05 * smooth) * fine + 0.05 * c.noise(9.0) - 0.14 * (1 - layer),
        )
        color = blend(color * (1 - 0.35 * smoothstep(-3.0, 0.0, edge))[..., None], stone, m)
        height = height + (0.1 + 0.3 * layer + 0.35 * dome - height) * m
        joint = joint * (1 - m)
    return Surface(color, height, 0.75 - 0.25 * smooth + 0.15 * joint + 0.04 * fine, c.full(0.0), joint)


def cracked_mud(c: Canvas, style: Style) -> Surface:
    size = style.feature(28, 42)
    bend = (c.noise(22.0, 2.2) * 3.5, c.noise(22.0, 2.2) * 3.5)
    cells = c.worley(size, 0.95, bend, least=3)
    width = size * c.between(0.05, 0.1) + 0.7 * c.noise(14.0)
    edge = cells.edge - np.maximum(width, 0.8)
    m = smoothstep(-0.8, 0.8, edge)
    rim = smoothstep(0.0, size * 0.14, edge)
    base = style.base(("a08a6c", "b8a384"), ("8a735a", "a18a70"), ("b39a7c", "c7b096"), ("7d6650", "917a63"))
    table = style.shades(base, cells.count, 0.025, 0.05, 0.1)
    fine, clouds = c.noise(4.0, 1.1), c.noise(30.0, 1.7)
    color = colours.shade(cells.pick(table), 0.07 * fine + 0.07 * clouds + 0.14 * (rim - 0.8))
    hair = c.worley(size * 0.45, 1.0, bend, least=6)
    thin = smoothstep(0.9, 0.3, hair.edge) * smoothstep(0.2, 0.8, clouds)
    color = colours.shade(color, -0.3 * thin)
    color = blend(colours.shade(np.broadcast_to(colours.darker(base, 0.4), color.shape), 0.1 * fine), color, m)
    height = 0.1 + m * (0.45 + 0.12 * rim + 0.03 * fine + 0.04 * clouds - 0.05 * thin)
    return Surface(color, height, 0.92 + 0.02 * fine, c.full(0.0), 1 - m)


def snow(c: Canvas, style: Style) -> Surface:
    soft, drift = c.noise(16.0, 2.0), c.noise(style.feature(40, 60), 2.6)
    t = smoothstep(-2.0, 2.0, drift + 0.4 * soft)
    color = blend(colours.rgb(0.82, 0.87, 0.935), colours.rgb(0.96, 0.97, 0.985), t)
    crystals = smoothstep(2.0, 2.8, c.grain())
    dent = smoothstep(1.1, 1.8, c.blobs(c.between(9, 16)))
    color = colours.shade(color, 0.012 * c.grain() + 0.05 * crystals - 0.07 * dent)
    return Surface(
        color.astype(np.float32), 0.3 + 0.4 * t - 0.06 * dent, 0.6 - 0.3 * crystals, c.full(0.0), c.full(0.0)
    )


def ice(c: Canvas, style: Style) -> Surface:
    """Frozen water with white cracks and trapped air."""
    base = style.base(("8fb8cf", "aed0e0"), ("6fa0bd", "8ab6cf"), ("b9d3df", "d0e3ea"))
    bend = (c.noise(30.0, 2.4) * 4.0, c.noise(30.0, 2.4) * 4.0)
    cells = c.worley(style.feature(44, 64), 1.0, bend)
    n, haze = c.noise(26.0), c.noise(50.0, 1.8)
    crack = smoothstep(1.7 + 0.6 * n, 0.2, cells.edge)
    halo = np.exp(-np.maximum(cells.edge, 0) / 5.0) * smoothstep(-0.5, 1.0, n)
    second = smoothstep(0.05, 0.0, np.abs(c.noise(50.0, 2.2))) * smoothstep(0.0, 1.0, haze)
    air = smoothstep(1.9, 2.3, c.blobs(5.0)) * smoothstep(-0.3, 0.8, n)
    tone = c.normal(cells.count)[cells.index]
    color = colours.shade(np.broadcast_to(base, (*c.shape, 3)), 0.1 * haze + 0.03 * tone)
    white = colours.rgb(0.93, 0.97, 0.99)
    color = blend(color, white, np.clip(0.85 * crack + 0.35 * halo + 0.5 * second + 0.5 * air, 0, 0.95))
    return Surface(color, 0.5 + 0.02 * haze - 0.06 * crack, 0.08 + 0.4 * crack + 0.1 * halo, c.full(0.0), c.full(0.0))


def lava(c: Canvas, style: Style) -> Surface:
    """Dark crust plates with glowing cracks between them."""
    bend = (c.noise(20.0, 1.9) * 4.0, c.noise(20.0, 1.9) * 4.0)
    size = style.feature(28, 42)
    cells = c.worley(size, 0.95, bend, least=3)
    n, fine, clouds = c.noise(22.0), c.noise(4.0, 1.1), c.noise(35.0)
    edge = cells.edge - size * 0.045 * (1.0 + 0.7 * n)
    crust = colours.shade(
        np.broadcast_to(colours.between(c.rng, "1f1a19", "322a28"), (*c.shape, 3)),
        0.3 * fine + 0.25 * c.noise(9.0) + 0.15 * clouds,
    )
    heat = np.exp(-np.maximum(edge, 0) / (size * 0.07)) * np.clip(0.8 + 0.35 * clouds, 0.1, 1.0)
    heat = np.where(edge < 0, np.maximum(heat, 0.75 + 0.3 * np.clip(-edge / 2.0, 0, 1)), heat).astype(np.float32)
    red, orange, yellow = (colours.from_hex(h) for h in ("b01c08", "f06a12", "ffd95a"))
    glow = blend(blend(red, orange, smoothstep(0.3, 0.75, heat)), yellow, smoothstep(0.75, 1.05, heat))
    color = blend(crust, glow, smoothstep(0.12, 0.6, heat))
    m = smoothstep(-0.8, 1.5, edge)
    return Surface(color, 0.2 + m * (0.4 + 0.06 * fine) + 0.04 * clouds, 0.9 - 0.3 * (1 - m), c.full(0.0), 1 - m)
