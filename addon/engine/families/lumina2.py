# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Lumina-Image 2.0. Imports core and engine."""

from ...core.families.lumina2 import LUMINA2
from . import autoencoders, rotary
from .adapter import Adapter
from .masked import EMBEDDINGS

ADAPTER = Adapter(
    LUMINA2,
    rotary.PERIODIC | autoencoders.PERIODIC,
    embeddings=EMBEDDINGS,
    takes_templates=True,
    blank="",
    reads=221,  # 256 with what stands before each prompt
)
