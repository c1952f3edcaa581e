# SPDX-License-Identifier: GPL-3.0-or-later
"""PixArt-Alpha. Imports core only."""

from .pixart import pixart

PIXART_ALPHA = pixart("PixArtAlphaPipeline")
