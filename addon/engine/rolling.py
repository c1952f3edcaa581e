# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture that lies elsewhere on the torus in every step. Imports core, engine and torch.

For denoisers whose positions are learned, so that nothing can make them periodic: the latents are rolled by a random
way before they see them, and what they predict is rolled back. So each step's seam runs elsewhere, and the other steps
mend it. That is not exact; the last step's seam may show a little. The rest of the chain sees nothing of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ..core.requests.texture import Axes
from .forwards import replaced_forward


@contextmanager
def rolling(network: Any, axes: Axes, seed: int) -> Iterator[None]:
    """Have a denoiser see its latents rolled on those axes while the block runs, each time by another way.

    network: what is called with latents (batch, channels, h, w), first or as `hidden_states`, and gives a tuple, the
    prediction (batch, C, h, w) first. seed: of the ways.
    """
    if axes is Axes.NONE:
        yield
        return
    plain = network.forward
    ways = torch.Generator().manual_seed(seed)

    def forward(*arguments: Any, **named: Any) -> tuple[torch.Tensor]:
        latents = named.pop("hidden_states") if "hidden_states" in named else arguments[0]
        height, width = latents.shape[-2:]
        down, across = (int(torch.randint(length, (1,), generator=ways)) for length in (height, width))
        way = down * axes.y, across * axes.x
        (made, *_) = plain(latents.roll(way, (-2, -1)), *arguments[1:], **named)
        return (made.roll((-way[0], -way[1]), (-2, -1)),)

    with replaced_forward(network, forward):
        yield
