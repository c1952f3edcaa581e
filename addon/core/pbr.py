# SPDX-License-Identifier: GPL-3.0-or-later
"""PBR arithmetic: normals from heights, angles between normals. Imports numpy only.

Normals are OpenGL's: x to the right, y up, z towards the viewer; encoded as n / 2 + 1/2.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def normals_of_patch(height: NDArray[Any], depth: float) -> NDArray[np.float32]:
    """Encoded normals of a patch of heights (H + 2, W + 2), for its inner H x W pixels: shape (H, W, 3).

    depth: pixels that a height of 0 to 1 stands for. Central differences.
    """
    height = np.asarray(height, np.float32)
    slope_x = (height[1:-1, 2:] - height[1:-1, :-2]) * np.float32(depth / 2)
    slope_down = (height[2:, 1:-1] - height[:-2, 1:-1]) * np.float32(depth / 2)
    normal = np.stack((-slope_x, slope_down, np.ones_like(slope_x)), -1)
    normal /= np.sqrt((normal**2).sum(-1, keepdims=True))
    encoded: NDArray[np.float32] = (normal + 1) / 2
    return encoded


def normals_of_height(height: NDArray[Any], depth: float) -> NDArray[np.float32]:
    """Encoded normals (H, W, 3) of periodic heights (H, W)."""
    return normals_of_patch(np.pad(height, 1, mode="wrap"), depth)


def unit_normals(encoded: NDArray[np.float32]) -> NDArray[np.float32]:
    """Encoded normals (..., 3) at unit length, never looking backwards."""
    vector = encoded * 2 - 1
    vector[..., 2] = np.maximum(vector[..., 2], 1e-3)
    vector /= np.sqrt((vector**2).sum(-1, keepdims=True))
    return (vector + 1) / 2


def angles(encoded: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """Degrees between two encoded normal maps (..., 3), shape (...)."""
    one, two = (np.asarray(normals, np.float64) * 2 - 1 for normals in (encoded, other))
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(two, axis=-1)
    cosine = (one * two).sum(-1) / np.maximum(lengths, 1e-12)
    result: NDArray[np.float64] = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return result
