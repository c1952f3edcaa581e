# SPDX-License-Identifier: GPL-3.0-or-later
"""What running the PixArts has in common. Imports core and engine."""

from ...core.families.family import Family
from .autoencoders import PERIODIC
from .masked import EMBEDDINGS, ToldLate
from .sines import sines


def pixart(family: Family, reads: int) -> ToldLate:
    """The adapter of one of them. reads: tokens of a prompt."""
    return ToldLate(
        family,
        {"PixArtTransformer2DModel": sines, "Transformer2DModel": sines, **PERIODIC},
        embeddings=EMBEDDINGS,
        takes_templates=True,
        blank="",
        reads=reads,
    )
