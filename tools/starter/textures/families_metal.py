# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of metal. Imports numpy and this package only.

Named colours that no bare metal has are paint: metallic 0.
"""

from __future__ import annotations

import numpy as np

from . import colours
from .canvas import Canvas, Field, blend, smoothstep
from .surface import Colour, Style, Surface
from .wear import rust

BARE = frozenset(("grey", "light grey", "dark grey", "gold", None))
METALS = (("8e9194", "a6a9ab"), ("7b7e81", "909396"), ("a5a19b", "b8b4ae"))


def _metal(style: Style, *natural: tuple[str, str]) -> tuple[Colour, float]:
    """(colour, metallic)."""
    bare = style.colour in BARE
    return style.base(*(natural or METALS)), 1.0 if bare else 0.0


def brushed(c: Canvas, style: Style) -> Surface:
    base, metal = _metal(style, *METALS, ("b87a52", "c98b62"))
    streak = c.noise(1.6, 0.7, along_x=60.0)
    broad = c.noise(10.0, 1.4, along_x=24.0)
    scratch = smoothstep(2.3, 3.0, c.noise(1.2, 0.6, along_x=40.0))
    color = colours.shade(
        np.broadcast_to(base, (*c.shape, 3)),
        0.085 * streak + 0.06 * broad + 0.2 * scratch + 0.012 * c.grain(),
    )
    return Surface(color, 0.5 + 0.02 * streak, np.clip(0.34 + 0.05 * streak, 0.1, 1), c.full(metal), c.full(0.0))


def rusty_metal(c: Canvas, style: Style) -> Surface:
    """A steel sheet, bare or painted, largely rusted."""
    base, metal = _metal(style, ("6a6b6d", "808284"), ("54565a", "686a6e"))
    n = c.noise(30.0)
    color = colours.shade(
        np.broadcast_to(base, (*c.shape, 3)), 0.06 * n + 0.03 * c.noise(3.0, along_x=6.0) + 0.02 * c.grain()
    )
    s = Surface(color, 0.5 + 0.01 * n, c.full(0.42) + 0.03 * n, c.full(metal), c.full(0.0))
    rust(c, s, style)
    return s


def diamond_plate(c: Canvas, style: Style) -> Surface:
    """Raised bars in alternating diagonals."""
    pitch = style.feature(15, 21)
    nx, ny = c.fits(c.width, pitch, 4, even=True), c.fits(c.height, pitch, 4, even=True)
    u, v = c.x * np.float32(nx / c.width), c.y * np.float32(ny / c.height)
    iu, iv = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    fu, fv = (u - iu - 0.5).astype(np.float32), (v - iv - 0.5).astype(np.float32)
    sign = np.where((iu + iv) % 2 == 0, 1.0, -1.0).astype(np.float32)
    along, across = (fu + sign * fv) * np.float32(0.7071), (fu * -sign + fv) * np.float32(0.7071)
    d = (0.135 * (1 - (along / 0.43) ** 2) - np.abs(across)) * pitch  # px inside the bar
    m = smoothstep(-0.5, 1.2, d)
    around = smoothstep(-2.6, 0.0, d) * (1 - m)
    base, metal = _metal(style)
    worn, fine = c.noise(26.0), c.noise(2.5, 0.8)
    color = colours.shade(
        np.broadcast_to(base, (*c.shape, 3)), 0.05 * worn + 0.035 * fine - 0.07 + 0.26 * m - 0.34 * around
    )
    return Surface(color, 0.3 + 0.4 * smoothstep(-0.5, 2.5, d), 0.42 - 0.1 * m + 0.03 * worn, c.full(metal), around)


def corrugated(c: Canvas, style: Style) -> Surface:
    """Wavy sheets with overlaps and screws."""
    pitch = style.feature(14, 20)
    upright = c.chance(0.9)
    canvas = c if upright else c.transposed()
    n = canvas.fits(canvas.width, pitch, 4, even=True)  # a screw on every second wave
    phase = canvas.x * np.float32(n / canvas.width) * np.float32(2 * np.pi)
    wave = np.broadcast_to(0.5 + 0.5 * np.cos(phase), canvas.shape).astype(np.float32)
    streak = canvas.noise(5.0, 1.2, along_y=9.0)
    base, metal = _metal(style)
    tone = 0.42 * (wave - 0.6) + 0.04 * streak + 0.03 * canvas.noise(40.0) + 0.012 * canvas.grain()
    color = colours.shade(np.broadcast_to(base, (*canvas.shape, 3)), tone)
    rows = canvas.fits(canvas.height, canvas.between(100, 140), 1)
    y = np.mod(canvas.y * np.float32(rows / canvas.height), 1.0) * np.float32(canvas.height / rows)
    lap = np.broadcast_to(smoothstep(3.5, 0.0, y), canvas.shape)
    color = colours.shade(color, -0.45 * lap)
    cell = np.mod(canvas.x * np.float32(n / canvas.width) / 2 + 0.5, 1.0) - 0.5
    screw = smoothstep(2.4, 1.5, np.hypot(cell * np.float32(2 * canvas.width / n), y - 8.0))
    color = blend(color, colours.rgb(0.3, 0.3, 0.3), screw * 0.8)
    s = Surface(
        color,
        0.2 + 0.6 * wave - 0.08 * lap,
        0.4 + 0.04 * streak,
        canvas.full(metal),
        lap * 0.6 + smoothstep(0.15, 0, wave),
    )
    return s if upright else s.transposed()


def metal_panels(c: Canvas, style: Style) -> Surface:
    """Riveted plates."""
    size = style.feature(46, 64)
    cells = c.grid(
        c.fits(c.height, size, 2, even=True), c.fits(c.width, size * c.between(1.0, 1.5), 1), c.choice((0.0, 0.5))
    )
    base, metal = _metal(style)
    table = style.shades(base, cells.count, 0.025, 0.02, 0.05)
    worn, fine = c.noise(30.0), c.noise(2.5, 0.8, along_x=6.0)
    seam = smoothstep(1.9, 0.8, cells.edge)
    near: Field = smoothstep(9.0, 1.0, cells.edge)
    rows, columns = c.fits(c.height, 13.0, 4), c.fits(c.width, 13.0, 4)
    px = (np.mod(c.x * np.float32(columns / c.width), 1.0) - 0.5) * np.float32(c.width / columns)
    py = (np.mod(c.y * np.float32(rows / c.height), 1.0) - 0.5) * np.float32(c.height / rows)
    inset = np.abs(cells.edge - 6.0)
    along = np.minimum(np.hypot(inset, px), np.hypot(inset, py))
    rivet = smoothstep(2.5, 1.6, along.astype(np.float32))
    ring = smoothstep(4.2, 2.3, along.astype(np.float32)) * (1 - rivet)
    color = colours.shade(
        cells.pick(table), 0.05 * worn + 0.03 * fine - 0.03 * near - 0.55 * seam + 0.2 * rivet - 0.4 * ring
    )
    return Surface(
        color,
        0.5 - 0.3 * seam + 0.15 * rivet + 0.01 * worn,
        0.42 + 0.04 * worn + 0.2 * seam,
        c.full(metal),
        np.maximum(seam, ring),
    )
