# SPDX-License-Identifier: GPL-3.0-or-later
"""Many small things scattered over a torus: blades, hairs, leaves. Imports numpy and this package only."""

from __future__ import annotations

import numpy as np

from . import colours
from .canvas import Canvas, Field, smoothstep


def soften(c: Canvas, color: Field, sigma: float) -> Field:
    """Blur a colour picture by `sigma` px: takes the stairs off what was drawn without anti-aliasing."""
    return np.stack([c.blur(color[..., i], sigma) for i in range(3)], axis=2)


def strokes(
    c: Canvas,
    color: Field,
    height: Field,
    table: colours.Colours,
    long: float,
    wide: float,
    curl: float = 0.5,
    flow: Field | None = None,
) -> None:
    """Draw bent blades over `color` and `height` in place: darker at the root, lighter and thinner at the tip.

    `table` has one colour per blade; later blades lie on top. They are about `long` px long and `wide` px wide, and
    point along the angles of `flow` (radians), or anywhere. Blades are drawn a round at a time, all of one at once.
    """
    count = len(table)
    steps = max(int(long * 1.15), 4)
    t = np.linspace(0.0, 1.0, steps, dtype=np.float32)[:, None]
    rounds = 10
    for group in np.array_split(np.arange(count), rounds):
        n = len(group)
        x0, y0 = c.random(n) * c.width, c.random(n) * c.height
        angle = c.rng.uniform(0, 2 * np.pi, n).astype(np.float32) if flow is None else c.sample(flow, x0, y0)
        bend = c.rng.uniform(-curl, curl, n).astype(np.float32) * 3.0
        length = np.float32(long) * c.rng.uniform(0.6, 1.1, n).astype(np.float32)
        turn = angle + bend * t  # (steps, n)
        x = x0 + np.cumsum(np.cos(turn), axis=0) * (length / steps)
        y = y0 + np.cumsum(np.sin(turn), axis=0) * (length / steps)
        half = np.float32(wide * 0.5) * (1.0 - t) ** 0.7 + np.float32(0.3)
        lit = 0.72 + 0.45 * t
        level = 0.25 + 0.55 * float(group[0]) / count + 0.15 * t
        for k in np.linspace(-1.0, 1.0, max(3, round(wide * 1.3)), dtype=np.float32):
            where = c.pixel(x - np.sin(turn) * half * k, y + np.cos(turn) * half * k)
            color[where] = table[group] * (lit * (1 + 0.14 * k))[..., None]
            height[where] = level


def leaves(c: Canvas, color: Field, height: Field, table: colours.Colours, size: float) -> None:
    """Scatter pointed leaves about `size` px long over `color` and `height` in place."""
    count = int(3.6 * c.height * c.width / (size * size))
    for i in range(count):
        long = size * c.between(0.75, 1.15)
        where, dx, dy = c.patch(c.between(0, c.width), c.between(0, c.height), long * 0.56)
        angle = c.between(0, 2 * np.pi)
        ca, sa = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        u = (dx * ca + dy * sa) / np.float32(long * 0.5)  # -1 at the stalk .. 1 at the tip
        v = (dy * ca - dx * sa) + np.float32(long * c.between(-0.12, 0.12)) * u * u
        half = np.float32(long * c.between(0.22, 0.3)) * np.maximum(1 - u * u, 0) * (1 - 0.35 * u)
        inside = half - np.abs(v)
        m = smoothstep(-0.2, 1.0, inside) * (np.abs(u) < 1)
        rib = np.exp(-((v / 0.9) ** 2))
        side = 0.5 + 0.5 * np.cos((u - np.abs(v) * (1.6 / long)) * 22.0)
        tone = (
            1
            - 0.16 * side**4
            + 0.2 * rib
            + 0.1 * np.sign(v) * np.float32(c.between(-1, 1))
            - 0.2 * smoothstep(2.2, 0.0, inside)
        )
        tint = table[int(c.rng.integers(len(table)))] * (0.62 + 0.4 * i / count) * tone[..., None]
        under = color[where] * (1 - 0.45 * smoothstep(-3.0, 0.0, inside) * (np.abs(u) < 1.1))[..., None]
        color[where] = under + (np.clip(tint, 0, 1) - under) * m[..., None]
        level = height[where]
        height[where] = level + (0.2 + 0.6 * i / count + 0.05 * rib - level) * m


def ivy_leaves(c: Canvas, color: Field, height: Field, table: colours.Colours, size: float) -> None:
    """Scatter five-lobed leaves about `size` px across over `color` and `height` in place."""
    count = int(4.2 * c.height * c.width / (size * size))
    for i in range(count):
        reach = size * c.between(0.45, 0.62)
        where, dx, dy = c.patch(c.between(0, c.width), c.between(0, c.height), reach * 1.1)
        turn = np.float32(np.pi / 2 + c.between(-0.7, 0.7))  # leaves hang, more or less
        angle = np.arctan2(dy, dx) - turn
        far = np.hypot(dx, dy)
        rim = reach * (0.62 + 0.2 * np.cos(5 * angle) + 0.16 * np.cos(angle))
        inside = (rim - far).astype(np.float32)
        m = smoothstep(-0.5, 0.9, inside)
        vein = np.exp(-((far * np.sin(2.5 * angle) / 1.6) ** 2)) * (np.cos(5 * angle) > -0.2)
        tone = 0.8 + 0.4 * i / count + 0.16 * vein - 0.22 * smoothstep(2.4, 0.0, inside)
        tint = table[int(c.rng.integers(len(table)))] * tone[..., None]
        under = color[where] * (1 - 0.45 * smoothstep(-3.0, 0.0, inside))[..., None]
        color[where] = under + (np.clip(tint, 0, 1) - under) * m[..., None]
        level = height[where]
        height[where] = level + (0.2 + 0.65 * i / count + 0.04 * vein - level) * m
