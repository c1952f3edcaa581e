# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OpenEXR files of 32-bit floats, uncompressed, strip by strip. Imports numpy and the standard library only.

For pictures whose values go beyond 0..1, which no PNG holds. https://openexr.com/en/latest/OpenEXRFileLayout.html,
version 2, one part, scan lines.
"""

import struct
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NAMES = {1: ("Y",), 2: ("Y", "A"), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}
_FLOAT = 2


class ExrWriter:
    """One EXR file in the making; a context manager. Write strips of rows from the top until all are there."""

    def __init__(self, path: Path, width: int, height: int, channels: int) -> None:
        names = _NAMES[channels]
        self._shape = (width, channels)
        # in a file channels stand in the order of their names
        self._order = sorted(range(channels), key=lambda index: names[index])
        self._left, self._row = height, 0
        listed = b"".join(
            names[index].encode() + b"\0" + struct.pack("<iB3xii", _FLOAT, 0, 1, 1) for index in self._order
        )
        window = struct.pack("<4i", 0, 0, width - 1, height - 1)
        header = b"".join(
            name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value
            for name, kind, value in (
                ("channels", "chlist", listed + b"\0"),
                ("compression", "compression", b"\0"),
                ("dataWindow", "box2i", window),
                ("displayWindow", "box2i", window),
                ("lineOrder", "lineOrder", b"\0"),
                ("pixelAspectRatio", "float", struct.pack("<f", 1.0)),
                ("screenWindowCenter", "v2f", struct.pack("<2f", 0.0, 0.0)),
                ("screenWindowWidth", "float", struct.pack("<f", 1.0)),
            )
        )
        start = struct.pack("<II", 20000630, 2) + header + b"\0"
        self._line = width * channels * 4
        first = len(start) + 8 * height
        offsets = first + np.arange(height, dtype="<u8") * (8 + self._line)
        self._file = path.open("wb")
        self._file.write(start + offsets.astype("<u8").tobytes())

    def __enter__(self) -> "ExrWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None and self._left:
            raise ValueError(f"{self._left} rows were never written")

    def write(self, rows: NDArray[Any]) -> None:
        """The next rows, shape (n, width, channels), any float type."""
        if len(rows) > self._left or rows.shape[1:] != self._shape:
            raise ValueError(f"rows of shape {rows.shape}, {self._left} rows left")
        for row in rows[..., self._order].astype("<f4"):
            self._file.write(struct.pack("<ii", self._row, self._line) + np.ascontiguousarray(row.T).tobytes())
            self._row += 1
        self._left -= len(rows)
