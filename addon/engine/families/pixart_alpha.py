# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs PixArt-Alpha. Imports core and engine."""

from ...core.families.pixart_alpha import PIXART_ALPHA
from .autoencoders import PERIODIC
from .masked import EMBEDDINGS, ToldLate
from .sines import sines

ADAPTER = ToldLate(
    PIXART_ALPHA,
    {"PixArtTransformer2DModel": sines, "Transformer2DModel": sines, **PERIODIC},
    embeddings=EMBEDDINGS,
    takes_templates=True,
    blank="",
    reads=120,
)
