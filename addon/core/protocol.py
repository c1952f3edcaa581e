# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages between Blender and the worker, and their only codec. Imports core and the standard library only.

A frame is a 4-byte big-endian length and that many bytes of UTF-8 JSON, at most 1 MiB. Pixels never travel in frames.
Each message is a dataclass; its JSON is its fields and "type". Both sides say `Hello` first and compare versions.
"""

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, BinaryIO

from .errors import UserError
from .pace import UNKNOWN, Pace
from .requests import Request, request_from_json
from .results import Result

VERSION = 3
MAX_FRAME = 1 << 20  # bytes


class ProtocolError(Exception):
    """The other side spoke nonsense: what arrived is no frame or no message."""


class InvalidRequest(ProtocolError):
    """A `Start` whose request is not valid. The stream is sound: that job fails, and the next message counts."""

    def __init__(self, job: str, error: UserError) -> None:
        super().__init__(f"job {job}: {error}")
        self.job = job
        self.error = error


class Phase(StrEnum):
    """What a job is doing, in this order. What a user reads instead stands in Blender's room."""

    STARTING = "STARTING"  # importing torch
    LOADING = "LOADING"
    ENCODING = "ENCODING"
    SAMPLING = "SAMPLING"
    DECODING = "DECODING"
    TILING = "TILING"
    UPSCALING = "UPSCALING"
    MAPPING = "MAPPING"
    SAVING = "SAVING"

    @property
    def order(self) -> int:
        return list(Phase).index(self)


# --- both ways ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hello:
    """The first message of either side. `process` is the sender's process id, `product` Tilewright's version."""

    version: int
    process: int
    product: str = ""


# --- to the worker -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Start:
    """Make these pictures, or work on that one, and put each, whole, into the store at `store` (an absolute path).

    device: "auto", or what torch calls one ("cpu", "cuda", "cuda:1", "mps", "xpu").
    memory: "auto", or a memory mode that `engine.devices` knows.
    pace: how long such jobs took before. previews: whether to show the picture in the making; see `Preview`.
    """

    job: str
    request: Request
    store: str
    device: str = "auto"
    memory: str = "auto"
    pace: Pace = UNKNOWN
    previews: bool = False


@dataclass(frozen=True)
class Cancel:
    """End that job; answered with `Cancelled`, unless it has just ended otherwise."""

    job: str


@dataclass(frozen=True)
class Free:
    """Let go of models and accelerator memory once no job runs."""


@dataclass(frozen=True)
class Quit:
    """End the process. The end of stdin means the same."""


# --- from the worker ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Heartbeat:
    """Sign of life, every half second."""


@dataclass(frozen=True)
class Progress:
    """Where a job is. `image` counts from 0; `step` of `steps` are done in this phase (0 of 0 where it has no steps).

    remaining: estimated seconds until the job ends, None while unknown.
    """

    job: str
    phase: Phase
    image: int = 0
    images: int = 1
    step: int = 0
    steps: int = 0
    remaining: float | None = None


@dataclass(frozen=True)
class Note:
    """A sentence that the user should read, such as "ran out of memory, trying again in a leaner mode"."""

    job: str
    text: str


@dataclass(frozen=True)
class Preview:
    """What picture `image` looks like after `step` steps: the file at `path`, which `core.sketch` reads.

    The file is the worker's, and gone when the job has ended, or sooner.
    """

    job: str
    image: int
    step: int
    path: str


@dataclass(frozen=True)
class ImageDone:
    """Picture `image` (from 0) of the job is whole and in the store."""

    job: str
    image: int
    result: Result


@dataclass(frozen=True)
class Finished:
    """All pictures of the job are in the store. Terminal. `pace`: how long its parts took."""

    job: str
    seconds: float
    pace: Pace = UNKNOWN


@dataclass(frozen=True)
class Failed:
    """The job ended with an error; pictures that were done stay. Terminal."""

    job: str
    error: UserError


@dataclass(frozen=True)
class Cancelled:
    """The job was cancelled; no picture follows. Terminal."""

    job: str


@dataclass(frozen=True)
class Freed:
    """Models were let go, on request or after idling."""


@dataclass(frozen=True)
class Refused:
    """The worker will not work with this host, and ends: other protocol version."""

    error: UserError


Message = (
    Hello
    | Start
    | Cancel
    | Free
    | Quit
    | Heartbeat
    | Progress
    | Note
    | Preview
    | ImageDone
    | Finished
    | Failed
    | Cancelled
    | Freed
    | Refused
)
TERMINAL = (Finished, Failed, Cancelled)
_TYPES: dict[str, type[Any]] = {cls.__name__: cls for cls in Message.__args__}
_NESTED: dict[str, Callable[[Any], Any]] = {
    "request": request_from_json,
    "result": Result.from_json,
    "error": UserError.from_json,
    "pace": Pace.from_json,
}
_SCALARS: dict[Any, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    bool: (bool,),
    float: (float, int),
    float | None: (float, int, type(None)),
}


def encode(message: Message) -> bytes:
    """One frame. Raises ProtocolError if it would be over 1 MiB."""
    data: dict[str, Any] = {"type": type(message).__name__}
    for field in fields(message):
        value = getattr(message, field.name)
        data[field.name] = value.to_json() if field.name in _NESTED else value
    # ASCII: so a lone surrogate cannot break the encoding of a frame, whatever a path holds
    body = json.dumps(data, separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(body) > MAX_FRAME:
        raise ProtocolError(f"a {type(message).__name__} of {len(body)} bytes is over a frame's {MAX_FRAME}")
    return struct.pack(">I", len(body)) + body


def decode(body: bytes) -> Message:
    """The message in a frame's body. Raises ProtocolError; of kind InvalidRequest where a `Start` asks for nonsense."""
    try:
        data = json.loads(body.decode("utf-8"))
        cls = _TYPES[data.pop("type")]
        return cls(**_values(cls, data))  # type: ignore[no-any-return]
    except UserError as error:
        if cls is Start and isinstance(data.get("job"), str):
            raise InvalidRequest(data["job"], error) from error
        raise ProtocolError(f"not a message: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProtocolError(f"not a message ({type(error).__name__}): {body[:80]!r}") from error


def _values(cls: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for field in fields(cls):
        if field.name not in data:
            continue  # the dataclass has a default or raises TypeError
        value = data[field.name]
        if field.name in _NESTED:
            value = _NESTED[field.name](value)
        elif field.type is Phase:
            value = Phase(value)
        elif isinstance(value, bool) != (field.type is bool) or not isinstance(value, _SCALARS[field.type]):
            raise TypeError(f"{field.name} is {value!r}")
        values[field.name] = value
    if len(values) != len(data):
        raise TypeError("unknown fields")
    return values


class FrameReader:
    """Cuts a stream of bytes into messages. `feed` what arrives; nonsense raises ProtocolError, for good."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yields the messages that are whole now; take them all. Raises ProtocolError after those before it."""
        self._buffer += data
        while len(self._buffer) >= 4:
            (length,) = struct.unpack_from(">I", self._buffer)
            if length > MAX_FRAME:
                raise ProtocolError(f"a frame of {length} bytes: {bytes(self._buffer[:80])!r}")
            if len(self._buffer) < 4 + length:
                break
            body = bytes(self._buffer[4 : 4 + length])
            del self._buffer[: 4 + length]
            yield decode(body)

    @property
    def pending(self) -> int:
        """Bytes of a frame that is not whole; more than 0 at the end of a stream means that it was cut."""
        return len(self._buffer)


def read_message(stream: BinaryIO) -> Message | None:
    """Block until one message is read from an unbuffered or buffered stream; None at its end. Raises ProtocolError."""
    head = _read_exactly(stream, 4)
    if not head:
        return None
    if len(head) == 4:
        (length,) = struct.unpack(">I", head)
        if length > MAX_FRAME:
            raise ProtocolError(f"a frame of {length} bytes")
        body = _read_exactly(stream, length)
        if len(body) == length:
            return decode(body)
    raise ProtocolError("the stream ended in the middle of a frame")


def _read_exactly(stream: BinaryIO, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = stream.read(count - len(data))
        if not piece:
            break
        data += piece
    return bytes(data)
