# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes PNG files strip by strip, 8 and 16 bits, so that no picture has to be in memory. Imports numpy and core only.

Pillow wants the whole picture, and cannot write 16-bit RGB at all. PNG specification, third edition: sections 5, 7, 9.
"""

import os
import struct
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> grey, grey and alpha, RGB, RGBA
# Runs of one byte, and Huffman's code for the rest. Of textures, filtered as below, little else repeats: the files are
# as long as with zlib's level 4 (0.85 to 1.1 of it, of 18 real colors and maps; one was 1.46), in a third of the time.
_STRATEGY = zlib.Z_RLE
_AT_ONCE = 1 << 19  # bytes of rows that a thread filters and packs at once, at least
_THREADS = min(os.cpu_count() or 1, 4)  # each holds some ten times what it packs
_NONE, _SUB, _UP, _PAETH = 0, 1, 2, 4  # filter types


class PngWriter:
    """One PNG file in the making; a context manager. Write strips of rows from the top until all are there.

    text: keyword -> text, kept as iTXt. Raises OSError where the disk fails.
    """

    def __init__(
        self, path: Path, width: int, height: int, channels: int, bits: int, text: dict[str, str] | None = None
    ) -> None:
        if channels not in _COLOR_TYPES or bits not in (8, 16) or width < 1 or height < 1:
            raise ValueError(f"a PNG of {width}x{height}, {channels} channels of {bits} bits")
        self._shape = (width, channels)
        self._dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
        self._left = height
        self._pixel_bytes = channels * bits // 8
        self._above = np.zeros(width * self._pixel_bytes, np.uint8)
        self._checksum = zlib.adler32(b"")
        self._waiting: list[NDArray[np.uint8]] = []  # rows that are too few to be packed yet
        self._packing: deque[Future[tuple[bytes, bytes]]] = deque()
        self._file = path.open("wb")
        self._pool = ThreadPoolExecutor(_THREADS, "png")
        self._file.write(b"\x89PNG\r\n\x1a\n")
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, _COLOR_TYPES[channels], 0, 0, 0))
        for keyword, value in (text or {}).items():
            # keyword, not compressed, no language, no translated keyword
            self._chunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + value.encode("utf-8"))
        # The stream's header (RFC 1950): a window of 32 KB, packed fast. What follows may be cut into chunks anywhere.
        self._chunk(b"IDAT", b"\x78\x01")

    def __enter__(self) -> "PngWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is not None:
                return
            if self._left:
                raise ValueError(f"{self._left} rows were never written")
            self._pack()
            while self._packing:
                self._put()
            # an empty last block of the stream, and its checksum (RFC 1950)
            self._chunk(b"IDAT", b"\x03\x00" + struct.pack(">I", self._checksum))
            self._chunk(b"IEND", b"")
        finally:
            self._pool.shutdown(cancel_futures=True)
            self._file.close()

    def write(self, rows: NDArray[Any]) -> None:
        """The next rows, shape (n, width, channels) or (n, width), of the file's own type: uint8 or uint16."""
        if rows.dtype != self._dtype or len(rows) > self._left or rows.shape[1:] not in (self._shape, self._shape[:1]):
            raise ValueError(f"rows of shape {rows.shape} and type {rows.dtype}, {self._left} rows left")
        self._left -= len(rows)
        # a copy: the caller may go on to use these rows
        data = np.array(rows, self._dtype.newbyteorder(">"), order="C").view(np.uint8).reshape(len(rows), -1)
        self._waiting.append(data)
        if sum(part.nbytes for part in self._waiting) >= _AT_ONCE:
            self._pack()

    def _pack(self) -> None:
        """Have a thread filter and pack the rows that wait."""
        if not self._waiting:
            return
        data = np.concatenate(self._waiting)
        self._waiting.clear()
        self._packing.append(self._pool.submit(self._packed, data, self._above))
        self._above = data[-1]
        while len(self._packing) > _THREADS:
            self._put()

    def _put(self) -> None:
        """Write what was packed first."""
        filtered, packed = self._packing.popleft().result()
        self._checksum = zlib.adler32(filtered, self._checksum)
        self._chunk(b"IDAT", packed)

    def _packed(self, data: NDArray[np.uint8], above: NDArray[np.uint8]) -> tuple[bytes, bytes]:
        """Rows (n, bytes) below `above` as they are filtered, and those packed: whole blocks of deflate, none the last.

        Runs reach one byte back, so that nothing is lost where a thread begins anew.
        """
        parts = []
        for row in range(0, len(data), 64):
            part = data[row : row + 64]
            parts.append(self._filter(part, above))
            above = part[-1]
        filtered = b"".join(parts)
        packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, _STRATEGY)
        return filtered, packer.compress(filtered) + packer.flush(zlib.Z_SYNC_FLUSH)

    def _filter(self, data: NDArray[np.uint8], before: NDArray[np.uint8]) -> bytes:
        """Each row with the filter whose result has the least sum of absolute values (section 12.7)."""
        above = np.concatenate((before[None], data[:-1]))
        pad = ((0, 0), (self._pixel_bytes, 0))
        left, corner = np.pad(data, pad)[:, : data.shape[1]], np.pad(above, pad)[:, : data.shape[1]]
        candidates = {
            _NONE: data,
            _SUB: data - left,
            _UP: data - above,
            _PAETH: data - _paeth(left, above, corner),
        }
        sums = np.stack(
            [np.abs(rows.view(np.int8).astype(np.int16)).sum(1, dtype=np.int64) for rows in candidates.values()]
        )
        best = sums.argmin(0)
        out = np.empty((len(data), data.shape[1] + 1), np.uint8)
        for index, (kind, rows) in enumerate(candidates.items()):
            chosen = best == index
            out[chosen, 0] = kind
            out[chosen, 1:] = rows[chosen]
        return out.tobytes()

    def _chunk(self, kind: bytes, body: bytes) -> None:
        self._file.write(struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body)))


def _paeth(left: NDArray[np.uint8], above: NDArray[np.uint8], corner: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The neighbour nearest to left + above - corner (section 9.4)."""
    a, b, c = (rows.astype(np.int16) for rows in (left, above, corner))
    to_a, to_b, to_c = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    return np.where((to_a <= to_b) & (to_a <= to_c), left, np.where(to_b <= to_c, above, corner))
