# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs CogView4. Imports core and engine."""

from ...core.families.cogview4 import COGVIEW4
from . import autoencoders, rotary
from .adapter import Adapter

ADAPTER = Adapter(
    COGVIEW4, rotary.PERIODIC | autoencoders.PERIODIC, takes_templates=True, blank="", reads=1024, in_float32=True
)
