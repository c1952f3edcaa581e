# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs PixArt-Sigma. Imports core and engine."""

from ...core.families.pixart_sigma import PIXART_SIGMA
from .autoencoders import PERIODIC
from .masked import EMBEDDINGS, ToldLate
from .sines import sines

ADAPTER = ToldLate(
    PIXART_SIGMA,
    {"PixArtTransformer2DModel": sines, "Transformer2DModel": sines, **PERIODIC},
    embeddings=EMBEDDINGS,
    takes_templates=True,
    blank="",
    reads=300,
)
