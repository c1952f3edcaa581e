# SPDX-License-Identifier: GPL-3.0-or-later
"""Denoises latents in overlapping windows on the torus, in the memory of one. Imports core and torch.

For large pictures that are made from a template: it says where things are, and each window needs to know only its own
part. A model also knows pictures of about the size that it was trained at, and repeats itself in larger ones. Windows
are blended as MultiDiffusion does (Bar-Tal et al. 2023), with weights that vanish at their borders; the grid of windows
lies elsewhere in every step, so that no border stays.

The law: all that decides where the windows lie is the seed, so rolled latents with the grid rolled alike give rolled
latents.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ..core.requests.texture import Axes
from .forwards import replaced_forward

Looking = Callable[[torch.Tensor, torch.Tensor], None]
_OVERLAP = 4  # neighbours share a fourth of a window, at least


@contextmanager
def in_windows(
    network: Any, side: int, axes: Axes, seed: int, looking: Looking = lambda _y, _x: None
) -> Iterator[None]:
    """Have a denoiser run in windows of at most `side` latents while the block runs.

    network: what is called with latents (batch, channels, h, w) first and gives a tuple, the prediction
    (batch, C, h, w) first. seed: of where the windows lie. looking: is told the rows and the columns of each window
    before the network is run on it.
    """
    plain = network.forward
    places = torch.Generator().manual_seed(seed)

    def forward(latents: torch.Tensor, *arguments: Any, **named: Any) -> tuple[torch.Tensor]:
        height, width = latents.shape[-2:]
        down, across = (int(torch.randint(length, (1,), generator=places)) for length in (height, width))
        rows, columns = _windows(height, side, axes.y, down), _windows(width, side, axes.x, across)
        total = torch.zeros(())
        weights = torch.zeros((height, width), device=latents.device)
        for y in rows:
            for x in columns:
                part = latents[..., y.to(latents.device), :][..., x.to(latents.device)]
                looking(y, x)
                (made, *_) = plain(part, *arguments, **named)
                if total.ndim == 0:
                    total = torch.zeros((*made.shape[:2], height, width), device=made.device)
                weight = (_weight(y, height)[:, None] * _weight(x, width)).to(made.device)
                here = y[:, None].to(made.device), x.to(made.device)
                total[:, :, here[0], here[1]] += made.float() * weight
                weights[here] += weight
        return ((total / weights).to(latents.dtype),)

    with replaced_forward(network, forward):
        yield


def _windows(length: int, side: int, wraps: bool, offset: int) -> list[torch.Tensor]:
    """The places that each window reads along an axis."""
    if length <= side:
        return [torch.arange(length)]
    count = math.ceil(length * _OVERLAP / (side * (_OVERLAP - 1)))
    if wraps:
        return [(torch.arange(side) + offset + number * length // count) % length for number in range(count)]
    count = math.ceil((length - side) * _OVERLAP / (side * (_OVERLAP - 1))) + 1
    return [torch.arange(side) + number * (length - side) // (count - 1) for number in range(count)]


def _weight(places: torch.Tensor, length: int) -> torch.Tensor:
    """Next to nothing at a window's borders, 1 in its middle; 1 everywhere where it is all there is."""
    if len(places) == length:
        return torch.ones(length)
    middles = (torch.arange(len(places)) + 0.5) / len(places)
    return torch.sin(torch.pi * middles).square() + 1e-3
