# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs PixArt-Alpha. Imports core and engine."""

from ...core.families.pixart_alpha import PIXART_ALPHA
from .pixart import pixart

ADAPTER = pixart(PIXART_ALPHA, reads=120)
