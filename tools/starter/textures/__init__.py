# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural periodic textures with captions and PBR maps, to train the starter model on. Imports numpy, scipy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas
from .captions import HELD_OUT_WORDS, captions
from .families import FAMILIES
from .surface import Style
from .wear import WEAR

__all__ = ["FAMILIES", "HELD_OUT_COMBINATIONS", "HELD_OUT_WORDS", "WEAR", "Texture", "make_texture"]

# (family, colour or wear) that make_texture draws only when asked for by name: unseen pairs of seen words.
HELD_OUT_COMBINATIONS = frozenset(
    (
        ("cobblestone", "blue"),
        ("planks", "moss"),
        ("bricks", "gold"),
        ("grass", "purple"),
        ("marble", "teal"),
        ("fabric", "orange"),
        ("planks", "pink"),
        ("bricks", "snow"),
        ("cobblestone", "yellow"),
    )
)


@dataclass(frozen=True)
class Texture:
    """One texture on a torus of H x W px.

    `color` float32 (H, W, 3) sRGB-encoded; `height`, `roughness`, `metallic` float32 (H, W); all 0..1. `colour` is the
    colour word of the dominant material, None where none was named. `captions`: at least four, the simplest first.
    """

    color: NDArray[np.float32]
    height: NDArray[np.float32]
    roughness: NDArray[np.float32]
    metallic: NDArray[np.float32]
    family: str
    colour: str | None
    captions: tuple[str, ...]
    wear: str | None = None


def _allowed(family: str, words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in words if (family, word) not in HELD_OUT_COMBINATIONS)


def make_texture(
    rng: np.random.Generator,
    size: int | tuple[int, int],
    family: str | None = None,
    *,
    colour: str | None = None,
    wear: str | None = None,
) -> Texture:
    """Draw a texture of `size` px: one number, or (height, width), each at least 64.

    The same state of `rng` gives the same texture. What is not asked for is drawn at random; unless asked for by
    `colour` or `wear`, HELD_OUT_COMBINATIONS never come up.

    Raises:
        KeyError: no such family, colour or wear.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if family is None:
        weights = np.array([f.weight for f in FAMILIES.values()])
        family = list(FAMILIES)[int(rng.choice(len(weights), p=weights / weights.sum()))]
    kind = FAMILIES[family]
    canvas = Canvas(rng, height, width)
    style = Style(rng, colour)
    if wear is None and kind.wear and canvas.chance(0.35):
        wear = canvas.choice(_allowed(family, kind.wear))
    if colour is None and kind.colours and canvas.chance(kind.named):
        style.colour = canvas.choice(_allowed(family, kind.colours))
    if kind.sized and canvas.chance(0.3):
        style.size = canvas.choice(("small", "large"))
    if kind.joint and wear != "peeling" and canvas.chance(0.22):
        style.joint_colour = canvas.choice(("white", "black", "grey", "dark grey", "light grey", "brown", "beige"))
        if style.joint_colour == style.colour:
            style.joint_colour = None
    named = style.colour
    if wear == "peeling":  # the colour is the paint's; what is under it has its own
        style.colour = None
    surface = kind.draw(canvas, style)
    style.colour = named
    if wear is not None:
        WEAR[wear].apply(canvas, surface, style)
    tone = np.float32(canvas.between(-0.05, 0.05))
    color = surface.color * (1 + tone)

    def unit(field: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.ascontiguousarray(np.clip(field, 0.0, 1.0), dtype=np.float32)

    return Texture(
        unit(color),
        unit(surface.height),
        unit(surface.roughness),
        unit(surface.metallic),
        family,
        style.colour,
        captions(rng, kind, style, wear),
        wear,
    )
