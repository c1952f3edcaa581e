# SPDX-License-Identifier: GPL-3.0-or-later
"""Latent spaces: which models a VAE is made for. Imports the standard library only.

A VAE of another space decodes to washed or garish pictures, without an error. Two pairs of spaces are of networks whose
names and shapes are the same, so a file by itself may fit either; how its latents are scaled tells them apart, and that
stands in configurations alone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import bases
from .bases import Base


@dataclass(frozen=True)
class Space:
    """The latents of the VAEs of some models.

    title: whose they are, for people. channels, scaling, shift: of diffusers' configurations of AutoencoderKL.
    quantized: whether there is a convolution between encoder and latents. words: in a file's "modelspec.architecture".
    bases: denoisers of which all files work in it.
    """

    title: str
    channels: int
    scaling: float
    shift: float
    quantized: bool
    words: tuple[str, ...]
    bases: tuple[Base, ...] = ()


_SPACES = (
    Space(
        "Stable Diffusion 1.x and 2.x", 4, 0.18215, 0.0, True, ("diffusion-v1", "diffusion-v2"), (bases.SD1, bases.SD2)
    ),
    Space("SDXL", 4, 0.13025, 0.0, True, ("diffusion-xl",), (bases.XL, bases.AURA)),
    Space("Stable Diffusion 3", 16, 1.5305, 0.0609, False, ("diffusion-3", "diffusion-v3"), (bases.SD3,)),
    Space("FLUX.1", 16, 0.3611, 0.1159, False, ("flux-1", "flux.1"), (bases.FLUX1, bases.CHROMA, bases.ZIMAGE)),
)


def of_config(config: Mapping[str, Any]) -> Space | None:
    """That of a VAE with this configuration of diffusers; None where it is none of these."""
    if config.get("_class_name", "AutoencoderKL") != "AutoencoderKL" or config.get("latents_mean"):
        return None
    numbers = [
        config.get("latent_channels", 4),
        config.get("scaling_factor", 0.18215),
        config.get("shift_factor") or 0.0,
    ]
    if not all(isinstance(number, int | float) for number in numbers):
        return None
    for space in _SPACES:
        of_it = (space.channels, space.scaling, space.shift)
        if all(math.isclose(one, other, abs_tol=1e-4) for one, other in zip(numbers, of_it, strict=True)):
            return space
    return None


def of_base(base: Base | None) -> Space | None:
    """That of a checkpoint's VAE."""
    return next((space for space in _SPACES if base in space.bases), None)


def possible(channels: int, quantized: bool, said: Mapping[str, str]) -> tuple[Space, ...]:
    """Those that a VAE may be of, by its tensors and what its maker wrote into the file; () for others."""
    found = tuple(space for space in _SPACES if (space.channels, space.quantized) == (channels, quantized))
    text = said.get("modelspec.architecture", "").lower()
    told = tuple(space for space in found if any(word in text for word in space.words))
    return told or found
