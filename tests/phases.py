# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases of a texture that is only generated, for tests that strike in each."""

from addon.core.protocol import Phase

PHASES = tuple(phase for phase in Phase if phase not in (Phase.TILING, Phase.UPSCALING, Phase.MAPPING))
