# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a base color is one that real surfaces have. Imports numpy only.

By the usual charts for physically based rendering: what is no metal has sRGB 30 (charcoal) to 240 (fresh snow), bare
metal 180 and more.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = 256
DARKEST, BRIGHTEST, DARKEST_METAL = 30, 240, 180  # sRGB, 0 to 255
_SAID_OF_METAL = 120  # published metals keep to no chart: eight CC0 ones have 135 to 251, dirty ones from 64


def count(luminance: NDArray[Any]) -> NDArray[np.int64]:
    """How often each of 256 levels comes. luminance: sRGB-encoded, in 0..1, any shape."""
    levels = (np.asarray(luminance).clip(0, 1) * (LEVELS - 1)).round().astype(np.int64)
    return np.bincount(levels.reshape(-1), minlength=LEVELS)


def complaint(counts: NDArray[np.int64], is_metal: bool) -> str:
    """A sentence about a base color that no real surface has, "" where all is well. counts: see `count`.

    By the mean and the middle of all pixels, both: a dark joint or a white grain is no mistake.
    """
    total = int(counts.sum())
    if total == 0:
        return ""
    mean = float((counts * np.arange(LEVELS)).sum() / total)
    middle = int(np.searchsorted(np.cumsum(counts), (total + 1) // 2))
    if is_metal:
        if max(mean, middle) >= _SAID_OF_METAL:
            return ""
        found, usual = "dark for a bare metal", f"real ones have {DARKEST_METAL} or more"
    elif max(mean, middle) < DARKEST:
        found, usual = "darker than real surfaces are", f"charcoal has {DARKEST}"
    elif min(mean, middle) > BRIGHTEST:
        found, usual = "brighter than real surfaces are", f"fresh snow has {BRIGHTEST}"
    else:
        return ""
    return f"The base color is {found}: sRGB {mean:.0f} on average, {usual}."
