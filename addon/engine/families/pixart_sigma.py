# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs PixArt-Sigma. Imports core and engine."""

from ...core.families.pixart_sigma import PIXART_SIGMA
from .pixart import pixart

ADAPTER = pixart(PIXART_SIGMA, reads=300)
