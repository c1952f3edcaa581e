# SPDX-License-Identifier: GPL-3.0-or-later
"""PixArt-Sigma. Imports core only."""

from .pixart import pixart

PIXART_SIGMA = pixart("PixArtSigmaPipeline")
