# SPDX-License-Identifier: GPL-3.0-or-later
"""What JPEG, PNG and WebP files say beside their pixels: which way up, and in which colors. Standard library only.

EXIF 2.32, section 4.6.4 (Orientation); ICC.1:2022, annex B (profiles in files); PNG, third edition; RIFF of WebP.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MOST = 64 << 20  # bytes that are looked at
_LONGEST_PROFILE = 4 << 20  # bytes; printers' have one or two megabytes
_ORIENTATION = 0x0112
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Facts:
    """orientation: EXIF's, 1 to 8. profile: the ICC profile, b"" where there is none."""

    orientation: int = 1
    profile: bytes = b""

    @property
    def is_rgb(self) -> bool:
        """Whether the profile is one of RGB colors."""
        return self.profile[16:20] == b"RGB "


def read(path: Path) -> Facts:
    """What a file says; nothing where it is of another kind, or broken. Raises OSError."""
    with path.open("rb") as file:
        data = file.read(_MOST)
    try:
        if data.startswith(b"\xff\xd8"):
            return _of_jpeg(data)
        if data.startswith(_PNG):
            return _of_chunks(dict(_png_chunks(data)), "iCCP", "eXIf")
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _of_chunks(dict(_riff_chunks(data)), "ICCP", "EXIF")
    except (struct.error, IndexError, ValueError, zlib.error):
        return Facts()
    return Facts()


def _of_jpeg(data: bytes) -> Facts:
    place, orientation = 2, 1
    pieces: dict[int, bytes] = {}
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, (length,) = data[place + 1], struct.unpack(">H", data[place + 2 : place + 4])
        if marker in (0xDA, 0xD9) or length < 2:  # the pixels begin
            break
        body = data[place + 4 : place + 2 + length]
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            orientation = _orientation(body[6:])
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            pieces[body[12]] = body[14:]
        place += 2 + length
    return Facts(orientation, b"".join(pieces[number] for number in sorted(pieces)))


def _of_chunks(chunks: dict[str, bytes], profile: str, exif: str) -> Facts:
    found, turned = chunks.get(profile, b""), chunks.get(exif, b"")
    if profile == "iCCP" and found:  # a name, 0, the method 0, and the profile, packed
        found = zlib.decompressobj().decompress(found[found.index(b"\0") + 2 :], _LONGEST_PROFILE)
    return Facts(_orientation(turned.removeprefix(b"Exif\0\0")), found)


def _png_chunks(data: bytes) -> Iterator[tuple[str, bytes]]:
    place = 8
    while place + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        yield kind.decode("latin-1"), data[place + 8 : place + 8 + length]
        place += 12 + length


def _riff_chunks(data: bytes) -> Iterator[tuple[str, bytes]]:
    place = 12
    while place + 8 <= len(data):
        kind, length = struct.unpack("<4sI", data[place : place + 8])
        yield kind.decode("latin-1"), data[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


def _orientation(tiff: bytes) -> int:
    if tiff[:2] not in (b"II", b"MM"):
        return 1
    order = "<" if tiff[:2] == b"II" else ">"
    (first,) = struct.unpack(f"{order}I", tiff[4:8])
    (count,) = struct.unpack(f"{order}H", tiff[first : first + 2])
    for number in range(count):
        start = first + 2 + 12 * number
        tag, _type, _count, value = struct.unpack(f"{order}HHIH", tiff[start : start + 10])
        if tag == _ORIENTATION:
            return value if 1 <= value <= 8 else 1
    return 1


def add_profile(path: Path, profile: bytes) -> None:
    """Put an ICC profile into a PNG of RGB colors, whole or not at all; into no other file. Raises OSError."""
    data = path.read_bytes()
    if not data.startswith(_PNG) or data[25:26] not in (b"\x02", b"\x06"):
        return
    body = b"ICC profile\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I4s", len(body), b"iCCP") + body + struct.pack(">I", zlib.crc32(b"iCCP" + body))
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(data[:33] + chunk + data[33:])  # it stands before the pixels
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
