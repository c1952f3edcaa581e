# SPDX-License-Identifier: GPL-3.0-or-later
"""What a family is, what it is asked for, what it draws. Imports numpy and this package's canvas and colours only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import colours
from .canvas import Canvas, Field

Colour = NDArray[np.float32]
Pairs = tuple[tuple[str, str], ...]  # natural colours: pairs of hex anchors

SIZES = {"small": 0.62, "large": 1.75}
# All features are drawn this much larger than the families' numbers say. A row of bricks is then about 40 px, five of
# the autoencoder's latents, high: at three, neither network could place a joint.
SCALE = 1.4


@dataclass
class Surface:
    """A texture in the making; fields (H, W), color (H, W, 3) sRGB."""

    color: Colour
    height: Field
    roughness: Field
    metallic: Field
    joint: Field  # 1 in joints, gaps and crevices, 0 on the material itself

    def transposed(self) -> Surface:
        return Surface(self.color.transpose(1, 0, 2), self.height.T, self.roughness.T, self.metallic.T, self.joint.T)


@dataclass
class Style:
    """What was asked of a family, and what the drawing adds to the words."""

    rng: np.random.Generator
    colour: str | None = None
    size: str | None = None
    joint_colour: str | None = None
    grain: str | None = None  # the axis along which wood runs: "x" or "y", chosen by the drawing
    pattern: str | None = None  # an adjective that the drawing chose, such as "herringbone"

    def base(self, *natural: tuple[str, str]) -> Colour:
        """The material's colour (3,): the named one, else one of the natural ones."""
        if self.colour is not None:
            return colours.named(self.rng, self.colour)
        return colours.between(self.rng, *natural[int(self.rng.integers(len(natural)))])

    def joint(self, *natural: tuple[str, str]) -> Colour:
        """The colour of what fills the joints."""
        if self.joint_colour is not None:
            return colours.named(self.rng, self.joint_colour)
        return colours.between(self.rng, *natural[int(self.rng.integers(len(natural)))])

    def shades(self, colour: Colour, count: int, lightness: float, hue: float, chroma: float) -> Colour:
        """`colours.shades`, but closer together where a colour was named, so that each shade still bears the name."""
        closer = 1.0 if self.colour is None else 0.5
        return colours.shades(self.rng, colour, count, lightness, hue * closer, chroma * closer)

    def feature(self, low: float, high: float) -> float:
        """A feature's size in px, drawn from low..high, times `SCALE` and the factor of the size word."""
        return float(self.rng.uniform(low, high)) * SCALE * SIZES.get(self.size or "", 1.0)


@dataclass(frozen=True)
class Family:
    """One kind of material. `nouns` hold a `{}` where adjectives go; the first is the simplest."""

    draw: Callable[[Canvas, Style], Surface]
    nouns: tuple[str, ...]
    colours: tuple[str, ...] = ()  # colour words it takes
    wear: tuple[str, ...] = ()  # keys of wear.WEAR it takes
    sized: bool = True
    joint: str = ""  # what its joints are called, if a caption may name their colour
    named: float = 0.55  # how often a colour is named
    weight: float = 1.0  # how often it is drawn
