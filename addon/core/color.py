# SPDX-License-Identifier: GPL-3.0-or-later
"""Color arithmetic: sRGB's curve, CIELAB, and how far two colors look apart. Imports numpy only.

All functions take and give float arrays; colors stand on the last axis.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# IEC 61966-2-1, linear sRGB to CIE XYZ, and its white point, D65
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = _TO_XYZ.sum(1)


def to_linear(encoded: NDArray[Any]) -> Floats:
    """sRGB-encoded 0..1 to linear light."""
    encoded = np.asarray(encoded, np.float32)
    return np.where(
        encoded <= 0.04045, encoded / 12.92, ((np.maximum(encoded, 0.04045) + 0.055) / 1.055) ** 2.4
    ).astype(np.float32)


def to_encoded(linear: NDArray[Any]) -> Floats:
    """Linear light to sRGB-encoded; negative values count as 0."""
    linear = np.maximum(np.asarray(linear, np.float32), 0)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def to_lab(encoded: NDArray[Any]) -> NDArray[np.float64]:
    """sRGB-encoded 0..1 to CIELAB under D65."""
    ratio = to_linear(encoded).astype(np.float64) @ _TO_XYZ.T / _WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), -1)


def delta_e(encoded: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """CIEDE2000 of two sRGB-encoded pictures; 1 can just be seen. Sharma, Wu and Dalal 2005, equations 2 to 22."""
    (l1, a1, b1), (l2, a2, b2) = (np.moveaxis(to_lab(picture), -1, 0) for picture in (encoded, other))
    mean_chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    grey = c1 * c2 == 0
    turn = np.where(grey, 0.0, (h2 - h1 + 180) % 360 - 180)
    d_l, d_c, d_h = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
    lightness, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    far = np.abs(h1 - h2) > 180
    hue = np.where(grey, h1 + h2, np.where(far, (h1 + h2 + np.where(h1 + h2 < 360, 360, -360)) / 2, (h1 + h2) / 2))
    t = (
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.20 * np.cos(np.radians(4 * hue - 63))
    )
    s_l = 1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2)
    s_c, s_h = 1 + 0.045 * chroma, 1 + 0.015 * chroma * t
    r_c = 2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    r_t = -np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2)))) * r_c
    c, h = d_c / s_c, d_h / s_h
    result: NDArray[np.float64] = np.sqrt(np.maximum((d_l / s_l) ** 2 + c**2 + h**2 + r_t * c * h, 0))
    return result
