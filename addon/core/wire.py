# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes through ssh between Blender and a worker on another machine. Imports core and the standard library only.

A record is one byte that names its kind, a 4-byte big-endian length and that many bytes, at most 1 MiB. The worker's
messages travel in records of their own, unchanged, and files in pieces between them, so a cancel never waits for a
picture. The far end begins with `MARK`: what a login script prints before that is passed over.
"""

import hashlib
import json
import os
import shutil
import struct
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any, BinaryIO

from .protocol import MAX_FRAME, Message, ProtocolError, encode
from .results import sync

MARK = b"\0tilewright elsewhere 1\n"
PIECE = 1 << 16  # bytes of a file in a record
PING_SECONDS = 10.0  # between two pings of Blender's end
LOST_SECONDS = 150.0  # without any byte of Blender's, after which the far end takes the line for lost
PREVIEW_RATE = 50_000  # bytes a second that previews may take of the line
_SYNCS = 8  # files that are synced at once
_MAX_GREETING = 1 << 16  # bytes before the mark
_HEAD = struct.Struct(">cI")


class Kind(Enum):
    """What a record is. All but MESSAGE, PIECE and PREVIEW are JSON."""

    HELLO = b"H"  # the first of either end: {"version", ...}
    MESSAGE = b"M"  # the body of a frame of `protocol`
    START = b"S"  # the same of a `Start`, whose input files came before it: see `input_slots`
    FILES = b"R"  # files follow in pieces: {"files": [[name, bytes]], ...}
    PIECE = b"D"
    CLOSE = b"C"  # those files are complete: {"sha256": [...]}
    KEPT = b"A"  # Blender has that result: {"folder"}
    PREVIEW = b"P"  # one line of JSON, {"job", "image", "step"}, then a sketch
    TROUBLE = b"E"  # the far end cannot go on: a `UserError`
    ENDED = b"Z"  # the worker is gone: {"returncode", "start_error", "nonsense"}
    PING = b"K"


_KINDS = {kind.value: kind for kind in Kind}


class Damaged(Exception):
    """Files did not arrive as they were sent."""


def pack(kind: Kind, payload: bytes = b"") -> bytes:
    """One record. Raises ProtocolError if it would be over 1 MiB."""
    if len(payload) > MAX_FRAME:
        raise ProtocolError(f"a record of {len(payload)} bytes")
    return _HEAD.pack(kind.value, len(payload)) + payload


def pack_json(kind: Kind, data: Any) -> bytes:
    """One record of JSON."""
    return pack(kind, json.dumps(data, separators=(",", ":")).encode("ascii"))


def pack_message(message: Message) -> bytes:
    """One record with a message of the protocol."""
    return pack(Kind.MESSAGE, encode(message)[4:])


def read_json(payload: bytes) -> dict[str, Any]:
    """A record's object. Raises ProtocolError on anything else."""
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"no JSON: {payload[:80]!r}") from error
    if not isinstance(data, dict):
        raise ProtocolError(f"no object: {payload[:80]!r}")
    return data


class RecordReader:
    """Cuts a stream of bytes into records. mark: whether to pass over what comes before `MARK`."""

    def __init__(self, *, mark: bool) -> None:
        self._buffer = bytearray()
        self._wanted = mark

    @property
    def greeted(self) -> bool:
        """Whether the mark was read."""
        return not self._wanted

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        """Yields the records that are whole now; take them all. Raises ProtocolError on anything else."""
        self._buffer += data
        if self._wanted:
            at = self._buffer.find(MARK)
            if at < 0:
                if len(self._buffer) > _MAX_GREETING:
                    raise ProtocolError(f"something else speaks: {bytes(self._buffer[:80])!r}")
                return
            del self._buffer[: at + len(MARK)]
            self._wanted = False
        while len(self._buffer) >= _HEAD.size:
            name, length = _HEAD.unpack_from(self._buffer)
            if name not in _KINDS or length > MAX_FRAME:
                raise ProtocolError(f"no record: {bytes(self._buffer[:80])!r}")
            end = _HEAD.size + length
            if len(self._buffer) < end:
                break
            payload = bytes(self._buffer[_HEAD.size : end])
            del self._buffer[:end]
            yield _KINDS[name], payload


# --- files --------------------------------------------------------------------------------------------------------


def send_files(paths: Mapping[str, Path], about: dict[str, Any]) -> Iterator[bytes]:
    """The records of some files. paths: by what they are called. about: what else the first says. Raises OSError."""
    files = [[name, path.stat().st_size] for name, path in paths.items()]
    yield pack_json(Kind.FILES, {**about, "files": files})
    sums = []
    for path in paths.values():
        sum_ = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                sum_.update(piece)
                yield pack(Kind.PIECE, piece)
        sums.append(sum_.hexdigest())
    yield pack_json(Kind.CLOSE, {"sha256": sums})


class Incoming:
    """Files that arrive in a new folder. Raises ProtocolError where what is announced is no list of files, OSError."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.folder = folder
        self.about = about
        try:
            self.files = [(_safe(name), int(size)) for name, size in about["files"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolError(f"no list of files: {about}") from error
        self._sums: list[str] = []
        self._open: BinaryIO | None = None
        self._sum = hashlib.sha256()
        self._left = 0
        folder.mkdir(parents=True)

    def take(self, data: bytes) -> None:
        """The next bytes of them. Raises OSError, and `Damaged` where there are more than were announced."""
        while data:
            if self._open is None:
                self._next()
            assert self._open
            part, data = data[: self._left], data[self._left :]
            self._open.write(part)
            self._sum.update(part)
            self._left -= len(part)
            if not self._left:
                self._close()

    def close(self, sums: object) -> None:
        """All of them have come: compare their hashes, and have them on disk. Raises `Damaged`, OSError."""
        while self._open is None and len(self._sums) < len(self.files):  # empty ones
            self._next()
            if self._left:
                raise Damaged("files are missing")
            self._close()
        if self._open is not None or sums != self._sums:
            raise Damaged("the hashes are others")
        # at once, not one after the other: the disk then waits once for all of them
        with ThreadPoolExecutor(_SYNCS, thread_name_prefix="sync") as pool:
            list(pool.map(sync, (self.folder / name for name, _ in self.files)))

    def drop(self) -> None:
        """Remove what has come of them."""
        if self._open is not None:
            self._open.close()
            self._open = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _next(self) -> None:
        if len(self._sums) == len(self.files):
            raise Damaged("more than was announced")
        name, self._left = self.files[len(self._sums)]
        self._open = (self.folder / name).open("xb")
        self._sum = hashlib.sha256()

    def _close(self) -> None:
        assert self._open
        self._open.close()
        self._open = None
        self._sums.append(self._sum.hexdigest())


def _safe(name: object) -> str:
    """A file's name that leads nowhere else, on any system. Raises ValueError."""
    text = str(name)
    if text != PurePath(text).name or text != PureWindowsPath(text).name or text.startswith(".") or ":" in text:
        raise ValueError(f"no file's name: {text!r}")
    return text


def input_slots(request: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Where a request's JSON names pictures that it reads: the object, and the key in it.

    On JSON, since a path of one system is none on another, and a request checks its paths.
    """
    if "source" in request:  # work on a picture
        yield request, "source"
    template = request.get("template") or {}
    guides = request.get("guides") or {}
    slots = [(template, "source"), (template, "mask")]
    slots += [(control, "picture") for control in guides.get("controls", ())]
    slots += [(guides.get("style") or {}, "picture")]
    yield from ((place, key) for place, key in slots if place.get(key))


def client_of(store: Path) -> str:
    """The name that a store goes by on other machines: by it the far end knows whose results wait there.

    It is made up when it is first asked for, and says nothing of this machine. Raises OSError.
    """
    file = store / ".elsewhere"
    store.mkdir(parents=True, exist_ok=True)
    try:
        text = file.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        text = ""
    if not is_client(text):
        text = os.urandom(8).hex()
        file.write_text(text, encoding="ascii")
    return text


def is_client(text: str) -> bool:
    """Whether that is such a name."""
    return len(text) == 16 and all(letter in "0123456789abcdef" for letter in text)
