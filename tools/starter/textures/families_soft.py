# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of cloth, hide and other soft things. Imports numpy and this package only."""

from __future__ import annotations

import numpy as np

from . import colours
from .canvas import Canvas, Field, blend, smoothstep
from .strokes import soften, strokes
from .surface import Style, Surface


def fabric(c: Canvas, style: Style) -> Surface:
    """Plain weave: each thread goes over one and under the next."""
    pitch = style.feature(7, 10)
    nx, ny = c.fits(c.width, pitch, 8, even=True), c.fits(c.height, pitch, 8, even=True)
    u = (c.x + 0.9 * c.noise(24.0)) * np.float32(nx / c.width)
    v = (c.y + 0.9 * c.noise(24.0)) * np.float32(ny / c.height)
    iu, iv = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    fu, fv = u - iu - 0.5, v - iv - 0.5
    over = (iu + iv) % 2 == 0  # the warp (along y) is on top
    across, along = np.where(over, fu, fv), np.where(over, fv, fu)
    thread = np.sqrt(np.maximum(1 - (across * 2.1) ** 2, 0)) * np.cos(np.clip(along, -0.5, 0.5) * 2.4)
    warp = c.normal(nx)[iu % nx]
    weft = c.normal(ny)[iv % ny]
    slub = np.where(over, warp, weft)
    twist = np.sin((along + across * np.where(over, 1, -1)) * np.float32(2 * np.pi * 1.5))
    base = style.base(("b9a98c", "d0c3a8"), ("8a8f94", "a2a7ab"), ("7b5f4a", "94765d"), ("4a5568", "5f6b80"))
    second = colours.darker(base, c.choice((0.0, 0.0, 0.06, -0.07)))
    color = blend(base, second, over.astype(np.float32))
    color = colours.shade(
        color, 0.06 * slub + 0.62 * (thread - 0.72) + 0.04 * twist + 0.035 * c.grain() + 0.04 * c.noise(40.0)
    )
    return Surface(
        color, 0.2 + 0.6 * thread + 0.03 * slub, 0.85 + 0.05 * (1 - thread), c.full(0.0), smoothstep(0.35, 0.1, thread)
    )


def denim(c: Canvas, style: Style) -> Surface:
    """Twill: coloured warp in steep diagonals over a pale weft."""
    pitch = style.feature(4.4, 5.4)
    nx, ny = c.fits(c.width, pitch, 8), c.fits(c.height, pitch, 8)
    bend = 0.4 * c.noise(20.0)
    u = (c.x + bend) * np.float32(nx / c.width)
    lean = c.fits(c.width, pitch * 1.0, 8) if c.width == c.height else nx
    v = c.y * np.float32(ny / c.height)
    line = u - np.floor(u)
    phase = (u * (lean / nx) + v * 1.0) + 0.08 * c.noise(3.0, 1.0)
    rib = 0.5 + 0.5 * np.cos(2 * np.pi * phase)
    thread = np.sqrt(np.maximum(1 - (2 * line - 1) ** 2, 0))
    tone = c.normal(nx)[np.floor(u).astype(np.int64) % nx]
    base = style.base(("26375c", "3a5080"), ("2b4068", "4a6592"), ("1c2740", "2b395a"))
    pale = colours.darker(base, -0.3)
    pale = pale + (pale.mean() - pale) * np.float32(0.4)
    weft = smoothstep(0.62, 0.95, rib + 0.12 * c.noise(2.5, 0.8))
    fade = 0.07 * c.noise(50.0)
    color = blend(np.broadcast_to(base, (*c.shape, 3)), pale, np.clip(weft * 0.75 + fade, 0, 1))
    color = colours.shade(
        color, 0.07 * tone + 0.3 * (thread - 0.8) * (1 - weft) + 0.07 * c.noise(2.5, 0.9, along_y=4.0) + fade
    )
    return Surface(color, 0.4 + 0.2 * thread * (1 - weft), c.full(0.9), c.full(0.0), c.full(0.0))


def knit(c: Canvas, style: Style) -> Surface:
    """Stocking stitch: columns of V-shaped loops."""
    pitch = style.feature(13, 18)
    nx, ny = c.fits(c.width, pitch, 4), c.fits(c.height, pitch * 0.78, 4)
    u = (c.x + 0.8 * c.noise(22.0)) * np.float32(nx / c.width)
    v = (c.y + 0.8 * c.noise(22.0)) * np.float32(ny / c.height)
    fu = u - np.floor(u) - 0.5
    a = np.abs(fu) * 2  # 0 at the column's middle, 1 between columns
    w = v + 0.75 * a
    fw = w - np.floor(w) - 0.5
    loop = np.sqrt(np.maximum(1 - (1.9 * fw) ** 2, 0)) * np.maximum(1 - (2 * a - 1) ** 4, 0) ** 0.5
    ply = np.sin(2 * np.pi * (1.6 * a * np.sign(fu) + 2.2 * fw) * 1.0)
    cell = (np.floor(w).astype(np.int64) % ny) * nx + np.floor(u).astype(np.int64) % nx
    tone = c.normal(nx * ny)[cell]
    base = style.base(
        ("c9bda6", "ddd3bf"), ("8b2f35", "a33e42"), ("3f4d6b", "54648a"), ("6e6f72", "85868a"), ("5b6b4a", "71835c")
    )
    color = colours.shade(
        np.broadcast_to(base, (*c.shape, 3)),
        0.75 * (loop - 0.8) + 0.06 * ply * loop + 0.03 * tone + 0.06 * c.noise(2.5, 0.8) + 0.03 * c.noise(40.0),
    )
    return Surface(color, 0.15 + 0.65 * loop + 0.03 * ply, c.full(0.92), c.full(0.0), smoothstep(0.35, 0.1, loop))


def leather(c: Canvas, style: Style) -> Surface:
    size = style.feature(7, 11)
    bend = (c.noise(12.0, 2.0) * 1.6, c.noise(12.0, 2.0) * 1.6)
    cells = c.worley(size, 0.95, bend, least=6)
    crease = smoothstep(0.16, 0.0, np.abs(c.noise(45.0, 2.0))) * smoothstep(0.0, 1.0, c.noise(40.0))
    edge = smoothstep(-0.2, size * 0.3, cells.edge + 0.35 * c.noise(4.0))
    dome = edge - 0.5 * crease
    base = style.base(("5b3720", "75492b"), ("3a2416", "4c3020"), ("8c5a34", "a36e43"), ("26211f", "332d2a"))
    tone = c.normal(cells.count)[cells.index]
    clouds = c.noise(55.0, 1.9)
    color = colours.shade(
        np.broadcast_to(base, (*c.shape, 3)), 0.3 * (dome - 0.75) + 0.025 * tone + 0.09 * clouds + 0.025 * c.grain()
    )
    return Surface(color, 0.3 + 0.4 * dome, 0.5 - 0.12 * dome + 0.03 * clouds, c.full(0.0), smoothstep(0.5, 0.1, dome))


def fur(c: Canvas, style: Style) -> Surface:
    """Hair lying in one direction, in locks."""
    long = style.feature(20, 30)
    base = style.base(
        ("7a5a3c", "967350"),
        ("3c2e24", "50402f"),
        ("b89a6e", "cfb48a"),
        ("8f8a85", "a8a39d"),
        ("d9d3c8", "ebe6dc"),
        ("a5622f", "bd7740"),
    )
    table = style.shades(base, 64, 0.055, 0.06, 0.1)
    table = table[np.argsort(table.sum(axis=1))]
    n = c.noise(10.0)
    color = colours.shade(np.broadcast_to(colours.darker(base, 0.22), (*c.shape, 3)), 0.2 * n)
    height = 0.1 + 0.04 * n
    count = int(1.5 * c.height * c.width / long)
    order = np.clip(np.arange(count) / count * 64 + c.normal(count) * 16, 0, 63).astype(int)
    flow = np.float32(c.between(0, 2 * np.pi)) + 0.5 * c.noise(30.0, 2.2)
    strokes(c, color, height, table[order], long, 1.5, curl=0.3, flow=flow)
    color = colours.shade(soften(c, color, 0.4), 0.07 * c.noise(30.0))
    return Surface(color, height, c.full(0.8), c.full(0.0), smoothstep(0.3, 0.15, height))


def carpet(c: Canvas, style: Style) -> Surface:
    """Dense short tufts."""
    size = style.feature(6.5, 8.5)
    base = style.base(("8c8273", "a39989"), ("6b2b2f", "803a3c"), ("4a5566", "5f6c80"), ("5a5148", "6e645a"))
    table = style.shades(base, 64, 0.045, 0.05, 0.1)
    table = table[np.argsort(table.sum(axis=1))]
    color = np.array(np.broadcast_to(colours.darker(base, 0.2), (*c.shape, 3)))
    height = c.full(0.1)
    count = int(3.0 * c.height * c.width / (size * size * 0.55))
    order = np.clip(np.arange(count) / count * 64 + c.normal(count) * 16, 0, 63).astype(int)
    strokes(c, color, height, table[order], size, size * 0.42, curl=0.9)
    color = colours.shade(soften(c, color, 0.5), 0.04 * c.grain() + 0.05 * c.noise(45.0))
    return Surface(color, height, c.full(0.95), c.full(0.0), smoothstep(0.3, 0.1, height))


def plaid(c: Canvas, style: Style) -> Surface:
    """Tartan: the same stripes along both axes, woven."""
    sett = style.feature(46, 62)
    nx, ny = c.fits(c.width, sett, 2), c.fits(c.height, sett, 2)
    base = style.base(("8f1f22", "a82c2c"), ("1f4a2e", "2d5f3c"), ("22335f", "30467a"), ("7a6a50", "90805f"))
    light = float(base.mean()) > 0.55
    other = colours.named(
        c.rng, c.choice(("navy", "dark green", "black", "dark red") if light else ("black", "navy", "dark green"))
    )
    thin = colours.named(c.rng, c.choice(("white", "yellow", "white") if not light else ("dark red", "black", "navy")))
    a, b = c.between(0.28, 0.4), c.between(0.03, 0.05)

    def stripes(f: Field, like: Field) -> Field:
        soft = 1.0 / sett
        d = np.abs(f - np.floor(f) - 0.5)
        color = blend(np.broadcast_to(base, (*like.shape, 3)), other, smoothstep(a / 2 + soft, a / 2 - soft, d) * 0.9)
        return blend(color, thin, smoothstep(b + soft, b - soft, np.abs(d - 0.36)))

    u, v = c.x * np.float32(nx / c.width), c.y * np.float32(ny / c.height)
    step = 3.0
    kx, ky = max(4, round(c.width / step / 4) * 4), max(4, round(c.height / step / 4) * 4)
    weave = (np.floor(c.x * kx / c.width) + np.floor(c.y * ky / c.height)) % 4 < 2
    mask = 0.5 + (weave - 0.5) * 0.5
    color = stripes(u, u) * (1 - mask)[..., None] + stripes(v, v) * mask[..., None]
    color = colours.shade(
        color.astype(np.float32), 0.05 * (weave - 0.5) + 0.05 * c.noise(2.0, 0.8) + 0.04 * c.noise(40.0)
    )
    return Surface(color, 0.5 + 0.08 * weave + 0.01 * c.grain(), c.full(0.9), c.full(0.0), c.full(0.0))
