# SPDX-License-Identifier: GPL-3.0-or-later
"""A texture's maps as another program imports them, without Blender: named, packed, turned. Imports core and engine.

What the Export Maps of Blender's room does with Blender's own pixels, from the files of a result: all maps of a result
have one size, and are PNGs as `engine.finish` writes them.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.map_files import DEFAULTS, SCHEMES, Channel, Texture
from ...core.requests.finish import MapKind
from .. import pictures


def write(folder: Path, files: Mapping[str, str], name: str, scheme: str) -> list[str]:
    """Write the textures of a scheme beside the files of a result; returns their names. Raises OSError.

    files: kind -> name in the folder. A texture of which no map is there is left out; for maps that a packed one lacks,
    `map_files.DEFAULTS` stand in.
    """
    written = []
    for texture in SCHEMES[scheme].textures:
        there = [kind for kind in texture.kinds if kind in files]
        if not there:
            continue
        turned = SCHEMES[scheme].directx and MapKind.NORMAL in there
        target = folder / f"{texture.name.format(name=name)}.png"
        if texture.is_packed or turned:
            pixels = _pixels({kind: pictures.read(folder / files[kind]) for kind in there}, texture)
            if turned:
                pixels[..., 1] = np.iinfo(pixels.dtype).max - pixels[..., 1]
            pictures.write(target, pixels, pixels.dtype, {})
        else:
            shutil.copyfile(folder / files[there[0]], target)
        written.append(target.name)
    return written


def _pixels(planes: Mapping[str, NDArray[Any]], texture: Texture) -> NDArray[Any]:
    """(H, W, C) of 8 bits, or of 16 where one of its maps has them."""
    deep = any(plane.dtype == np.uint16 for plane in planes.values())
    dtype = np.dtype(np.uint16 if deep else np.uint8)
    shape = next(iter(planes.values())).shape[:2]
    return np.stack([_channel(channel, planes, shape, dtype) for channel in texture.channels], axis=-1)


def _channel(
    channel: Channel, planes: Mapping[str, NDArray[Any]], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    full = np.iinfo(dtype).max
    if channel.kind not in planes:
        values = np.full(shape, round(DEFAULTS[MapKind(channel.kind)] * full), dtype)
    else:
        plane = planes[channel.kind]
        values = plane[..., channel.index if plane.shape[-1] > 2 else 0].astype(dtype)  # grey, perhaps with alpha
        if plane.dtype != dtype:
            values *= dtype.type(full // np.iinfo(plane.dtype).max)
    return full - values if channel.inverted else values
