# SPDX-License-Identifier: GPL-3.0-or-later
"""A small picture in the making, as a file that Blender can show without decoding. Imports the standard library only.

The worker writes it, the host reads it. The file is "TWsk", width and height as 16-bit big-endian numbers, then RGBA
with 8 bits each, the bottom row first: the layout of Blender's previews.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path

MAX_SIDE = 256  # pixels; latents of the largest picture have as many
_HEAD = struct.Struct(">4sHH")
_MAGIC = b"TWsk"


@dataclass(frozen=True)
class Sketch:
    """Width and height in pixels, from 1 to 256, and `4 * width * height` bytes of RGBA, the bottom row first.

    Raises ValueError where these do not fit each other.
    """

    width: int
    height: int
    pixels: bytes

    def __post_init__(self) -> None:
        if not (0 < self.width <= MAX_SIDE and 0 < self.height <= MAX_SIDE):
            raise ValueError(f"a sketch of {self.width}x{self.height}")
        if len(self.pixels) != 4 * self.width * self.height:
            raise ValueError(f"{len(self.pixels)} bytes for a sketch of {self.width}x{self.height}")


def write(path: Path, sketch: Sketch) -> None:
    """Write the file whole: it has its name only when all of it is there. Raises OSError."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(pack(sketch))
    os.replace(part, path)


def pack(sketch: Sketch) -> bytes:
    """What the file holds."""
    return _HEAD.pack(_MAGIC, sketch.width, sketch.height) + sketch.pixels


def read(path: Path) -> Sketch:
    """Read it back. Raises ValueError on anything else, OSError where the file is gone."""
    with path.open("rb") as file:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size or head[:4] != _MAGIC:
            raise ValueError(f"{path} is no sketch")
        _, width, height = _HEAD.unpack(head)
        return Sketch(width, height, file.read(4 * MAX_SIDE * MAX_SIDE + 1))
