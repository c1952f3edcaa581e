# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of whole stone and of what is cast like it. Imports numpy and this package only."""

from __future__ import annotations

import numpy as np

from . import colours
from .canvas import Canvas, blend, smoothstep
from .surface import Style, Surface


def marble(c: Canvas, style: Style) -> Surface:
    size = style.feature(60, 90)
    base = style.base(("dcdad4", "efede8"), ("dcdad4", "efede8"), ("26272a", "38393c"), ("c9b79d", "dac9b0"))
    light = float(base.mean()) > 0.42
    vein = colours.darker(base, c.between(0.26, 0.4) if light else -c.between(0.4, 0.5))
    grey = vein.mean()
    vein = vein + (grey - vein) * np.float32(0.35)
    angle = c.between(0.5, 2.0)
    a, b = (angle, 1.0) if c.chance(0.5) else (1.0, angle)
    first = c.noise(size, 1.75, along_x=a, along_y=b)
    second = c.noise(size * 0.55, 1.6, along_x=a, along_y=b)
    clouds = c.noise(size * 0.8, 1.8)
    thick = 0.09 + 0.05 * c.noise(40.0)
    main = np.exp(-np.abs(first) / np.maximum(thick, 0.03)) * smoothstep(-1.2, 0.8, clouds)
    hair = np.exp(-np.abs(second) / 0.035) * 0.55 * smoothstep(-0.2, 1.0, c.noise(50.0))
    haze = np.exp(-np.abs(first) / 0.45) * 0.3
    m = np.clip(main * 0.9 + hair + haze, 0, 1)
    color = blend(colours.shade(np.broadcast_to(base, (*c.shape, 3)), 0.045 * clouds), vein, m)
    color = colours.shade(color, 0.012 * c.grain())
    return Surface(color, 0.5 + 0.02 * clouds - 0.03 * main, 0.16 + 0.08 * main, c.full(0.0), c.full(0.0))


def strata(c: Canvas, style: Style) -> Surface:
    """Sedimentary rock, layer upon layer."""
    base = style.base(("a5805a", "bd9a72"), ("b06a45", "c4825c"), ("8d8577", "a49c8d"), ("c2a77d", "d5bd96"))
    thick = style.feature(13, 19)
    bend = c.noise(70.0, 2.4, along_x=2.5) * (0.55 * thick) + c.noise(9.0, 1.6, along_x=3.0) * 1.2
    rows = c.fits(c.height, thick, 4)
    cells = c.grid(rows, 1, 0.0, 0.55, (0.0, bend))
    lot = c.normal(rows)
    table = style.shades(base, rows, 0.02, 0.1, 0.18)
    table = colours.shade(table[:, None], (0.16 if style.colour is None else 0.11) * lot[:, None])[:, 0]
    fine, bands = c.noise(4.0, 1.1), c.noise(3.0, 1.2, along_x=16.0)
    v = np.clip(cells.dy / np.float32(thick), -0.6, 0.6)  # 0 in the middle of the layer, more towards its foot
    ledge = smoothstep(0.22, 0.5, v)
    crack = smoothstep(0.1, 0.03, np.abs(c.noise(26.0, 1.9, along_y=3.0))) * smoothstep(0.2, 1.0, c.noise(24.0))
    tone = 0.08 * bands + 0.07 * fine - 0.3 * ledge + 0.1 * smoothstep(-0.2, -0.5, v) - 0.3 * crack
    color = colours.shade(cells.pick(table), tone)
    height = 0.45 + cells.pick(c.normal(rows)) * 0.08 - 0.25 * ledge + 0.03 * bands - 0.1 * crack
    return Surface(color, height, 0.9 + 0.03 * fine, c.full(0.0), np.maximum(0.8 * ledge, crack))


def granite(c: Canvas, style: Style) -> Surface:
    """Crystals of three minerals."""
    size = style.feature(6, 9)
    base = style.base(("8f8b88", "a39f9b"), ("a8867a", "bb998c"), ("6f7275", "85888b"), ("b9b4ac", "cac5bd"))
    fine = c.noise(3.0, 0.9)
    cells = c.worley(size, 1.0, (c.noise(4.0) * 1.3, c.noise(4.0) * 1.3), least=8)
    shares = c.rng.dirichlet((9.0, 4.0, 2.5, 1.2))
    table = style.shades(base, cells.count, 0.03, 0.05, 0.1)
    lot = c.random(cells.count)
    table[lot > shares[0]] = colours.darker(base, -0.14)
    table[lot > shares[0] + shares[1]] = colours.darker(base, 0.22)
    table[lot > shares[:3].sum()] = (0.1, 0.1, 0.11)
    color = colours.shade(cells.pick(table), 0.07 * fine + 0.06 * c.blobs(size * 0.5) + 0.04 * c.noise(50.0))
    polished = c.chance(0.5)
    return Surface(
        color,
        0.5 + (0.01 if polished else 0.05) * fine,
        c.full(0.25 if polished else 0.75) + 0.03 * fine,
        c.full(0.0),
        c.full(0.0),
    )


def concrete(c: Canvas, style: Style) -> Surface:
    """Cast concrete: clouds, air holes, sometimes the joints and tie holes of its formwork."""
    base = style.base(("8c8a86", "a3a19c"), ("9e9b94", "b3b0a9"), ("75746f", "8a8883"))
    clouds, fine = c.noise(60.0, 1.8), c.noise(5.0, 1.1)
    color = colours.shade(np.broadcast_to(base, (*c.shape, 3)), 0.075 * clouds + 0.045 * fine + 0.025 * c.grain())
    hole = smoothstep(1.9, 2.3, c.blobs(c.between(4.0, 6.5))) * smoothstep(-0.8, 0.6, c.noise(30.0))
    joint = c.full(0.0)
    if c.chance(0.25):
        size = style.feature(64, 90)
        cells = c.grid(c.fits(c.height, size, 1), c.fits(c.width, size * 1.3, 1), 0.0)
        joint = smoothstep(1.6, 0.6, cells.edge + 0.3 * fine)
        tie = smoothstep(3.4, 2.4, np.hypot(np.abs(cells.dx) - size * 0.35, np.abs(cells.dy) - size * 0.25))
        hole = np.maximum(hole, tie)
    color = colours.shade(color, -0.5 * hole - 0.42 * joint)
    return Surface(
        color,
        0.6 + 0.02 * clouds + 0.015 * fine - 0.2 * hole - 0.2 * joint,
        c.full(0.85) + 0.03 * fine,
        c.full(0.0),
        np.maximum(joint, hole),
    )


def plaster(c: Canvas, style: Style) -> Surface:
    """Rough-cast stucco, or plaster smoothed by a trowel."""
    base = style.base(("d8d0c0", "e8e2d5"), ("cdbfa5", "dccfb8"), ("c9c5bd", "dad6cf"), ("d4b896", "e0c8aa"))
    clouds = c.noise(60.0, 1.8)
    if c.chance(0.55):
        size = style.feature(7, 11)
        bumps = c.noise(size, 2.1) + 0.35 * c.blobs(size * 0.6)
        lump = smoothstep(-2.0, 1.8, bumps)
        tone, joint = 0.34 * (lump - 0.55) + 0.04 * c.noise(3.0, 0.9), smoothstep(0.3, 0.0, lump)
        style.pattern = "rough"
    else:
        a = c.noise(style.feature(24, 32), 1.9, along_x=1.8)
        b = c.noise(26.0, 1.9, along_y=1.8)
        lump = smoothstep(-1.2, 1.2, np.maximum(a, b))
        tone, joint = 0.15 * (lump - 0.6) + 0.03 * c.noise(3.0, 1.0, along_x=5.0), c.full(0.0)
    color = colours.shade(np.broadcast_to(base, (*c.shape, 3)), tone + 0.04 * clouds + 0.02 * c.grain())
    return Surface(color, 0.3 + 0.4 * lump + 0.02 * clouds, c.full(0.9), c.full(0.0), joint)


def asphalt(c: Canvas, style: Style) -> Surface:
    """Chips of stone in bitumen."""
    size = style.feature(4.5, 6.5)
    base = style.base(("3c3c3d", "4c4c4d"), ("4f4f4f", "626261"), ("2f3031", "3d3e3f"))
    cells = c.worley(size, 1.0, least=8)
    radius = cells.pick(c.rng.uniform(0.1, 0.55, cells.count).astype(np.float32)) * size
    chip = smoothstep(-0.5, 0.8, np.minimum(radius - np.hypot(cells.dx, cells.dy), cells.edge))
    tones = c.normal(cells.count)
    fine, clouds = c.noise(3.0, 0.9), c.noise(45.0)
    color = colours.shade(np.broadcast_to(base, (*c.shape, 3)), 0.13 * fine + 0.08 * clouds - 0.1)
    stones = style.shades(colours.darker(base, -0.09), cells.count, 0.065, 0.2, 0.3)
    color = blend(color, colours.shade(cells.pick(stones), 0.06 * fine), chip * 0.9)
    return Surface(
        color,
        0.35 + 0.2 * chip + 0.04 * fine + 0.02 * cells.pick(tones),
        0.9 - 0.1 * chip,
        c.full(0.0),
        0.5 * (1 - chip),
    )


def terrazzo(c: Canvas, style: Style) -> Surface:
    """Chips of coloured stone in a polished ground of the named colour."""
    size = style.feature(14, 20)
    base = style.base(("dcd7cd", "ebe7df"), ("c5c1ba", "d6d2cb"), ("4a4b4e", "5a5b5e"))
    names = [
        c.choice(
            (
                "white",
                "dark grey",
                "beige",
                "brown",
                "dark red",
                "teal",
                "light grey",
                "orange",
                "black",
                "navy",
                "pink",
            )
        )
        for _ in range(4)
    ]
    parts = np.stack([colours.named(c.rng, name) for name in names])
    color = colours.shade(np.broadcast_to(base, (*c.shape, 3)), 0.02 * c.noise(3.0, 0.9) + 0.02 * c.noise(40.0))
    for scale, share in ((0.5, 0.6), (1.0, 0.62)):
        bend = (c.blobs(size * 0.5) * 0.8, c.blobs(size * 0.5) * 0.8)
        cells = c.worley(size * scale, 1.0, bend, least=5)
        lot = c.random(cells.count)
        shrink = np.where(lot < share, size * scale * (0.1 + 0.16 * c.random(cells.count)), 99.0).astype(np.float32)
        m = smoothstep(-0.5, 0.5, cells.edge - cells.pick(shrink))
        table = np.clip(parts[c.rng.integers(0, 4, cells.count)] * (1 + 0.08 * c.normal(cells.count, 1)), 0, 1)
        color = blend(color, colours.shade(cells.pick(table.astype(np.float32)), 0.04 * c.noise(5.0)), m)
    return Surface(color, 0.5 + 0.003 * c.grain(), c.full(0.15), c.full(0.0), c.full(0.0))


def cork(c: Canvas, style: Style) -> Surface:
    """Pressed granules of cork."""
    size = style.feature(7, 10)
    base = style.base(("b98a56", "cc9f6b"), ("a87845", "bd8d59"))
    cells = c.worley(size, 1.0, (c.noise(5.0) * 1.2, c.noise(5.0) * 1.2), least=6)
    table = style.shades(base, cells.count, 0.045, 0.07, 0.15)
    dark = cells.pick((c.random(cells.count) < 0.09).astype(np.float32))
    seam = smoothstep(1.3, 0.2, cells.edge)
    fine = c.noise(3.0, 1.0)
    color = colours.shade(cells.pick(table), 0.08 * fine + 0.04 * c.noise(40.0) - 0.22 * seam)
    color = blend(color, colours.darker(base, 0.3), dark * 0.75 * (1 - 0.5 * seam))
    return Surface(color, 0.5 - 0.08 * seam - 0.06 * dark + 0.03 * fine, c.full(0.88), c.full(0.0), 0.5 * seam)


def rock(c: Canvas, style: Style) -> Surface:
    """A broken rock face with facets, ledges and cracks."""
    size = style.feature(46, 66)
    bend = (c.noise(30.0, 2.0) * 6.0, c.noise(30.0, 2.0) * 6.0)
    base = style.base(("6e6a66", "87827c"), ("857868", "9b8d7b"), ("5b5e62", "72767a"), ("8f6f55", "a58468"))
    large = c.worley(size, 1.0, bend, aspect=c.between(0.8, 1.5))
    small = c.worley(size * 0.4, 1.0, bend, aspect=1.2, least=4)
    tilt = c.normal(4, large.count)
    facet = (tilt[0][large.index] * large.dx + tilt[1][large.index] * large.dy) / size
    tilt = c.normal(2, small.count)
    chips = (tilt[0][small.index] * small.dx + tilt[1][small.index] * small.dy) / size
    fine, clouds = c.noise(5.0, 1.2), c.noise(40.0, 1.6)
    height = 0.5 + 0.16 * facet + 0.16 * chips + 0.05 * clouds + 0.025 * fine
    crack = smoothstep(2.0 + 0.8 * clouds, 0.2, large.edge)
    ledge = smoothstep(1.2, 0.2, small.edge) * 0.4
    cavity = height - c.blur(height, 6.0)
    tone = 0.05 * c.normal(large.count)[large.index] + 0.045 * c.normal(small.count)[small.index]
    color = colours.shade(np.broadcast_to(base, (*c.shape, 3)), 1.7 * cavity + tone + 0.08 * fine + 0.09 * clouds)
    color = colours.shade(color, -0.55 * crack - 0.3 * ledge)
    return Surface(color, height - 0.2 * crack - 0.05 * ledge, c.full(0.88), c.full(0.0), crack)
