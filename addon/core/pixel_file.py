# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's pixels as a file that the worker reads without a copy. Imports numpy only."""

from array import array
from pathlib import Path

import numpy as np


def save(path: Path, values: "array[float]", width: int, height: int, channels: int, *, as_bytes: bool) -> None:
    """Write floats, rows from the bottom as Blender has them, as an .npy array (height, width, channels) from the top.

    as_bytes: as uint8, 0..1 as 0..255. Raises OSError where the disk fails.
    """
    pixels = np.frombuffer(values, np.float32).reshape(height, width, channels)[::-1]
    if as_bytes:
        pixels = np.rint(pixels * 255).clip(0, 255).astype(np.uint8)
    np.save(path, np.ascontiguousarray(pixels), allow_pickle=False)
