# SPDX-License-Identifier: GPL-3.0-or-later
"""The header of a safetensors file: which tensors it holds, and where. Imports core and the standard library only.

https://huggingface.co/docs/safetensors: 8 bytes of little-endian header length, JSON, then the data without gaps.
"""

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ErrorKind, UserError

_MAX_MARK = 64  # bytes by which other kinds of files are told
_MAX_HEADER = 32 << 20  # bytes; a large U-Net's has 0.2 MB
DTYPE_BITS = {
    "F64": 64,
    "F32": 32,
    "F16": 16,
    "BF16": 16,
    "I64": 64,
    "I32": 32,
    "I16": 16,
    "I8": 8,
    "U8": 8,
    "BOOL": 8,
    "F8_E4M3": 8,  # what torch knows of 8-bit floats; they are widened when they are loaded
    "F8_E5M2": 8,
}
AGAIN = "Download the model again, or choose another folder."


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a file. dtype: as the format spells it ("F16"). start, stop: bytes from the file's beginning."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True)
class Header:
    """What a file says of itself. tensors: by name. metadata: what its maker wrote beside them; never trusted."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """Read and check a file's header: types, shapes and offsets agree with the file's length. Reads no weights.

    Raises `UserError` (kind `MODEL`) that names the file.
    """
    try:
        total = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_MAX_MARK)
            length = struct.unpack_from("<Q", head)[0] if len(head) >= 8 else total
            if length > min(_MAX_HEADER, total - 8):
                raise _of_another_kind(path, head)
            file.seek(8)
            text = file.read(length)
    except FileNotFoundError as error:
        raise gone(path) from error
    except OSError as error:
        raise refuse(path, f"cannot be read: {error.strerror}") from error
    try:
        entries = json.loads(text.decode("utf-8"))
        said = entries.pop("__metadata__", None)
        tensors = {name: _tensor(entry, 8 + length) for name, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise refuse(path, "has a broken header") from error
    except _UnknownType as error:
        raise UserError(ErrorKind.MODEL, f"{path} {error}.", "Choose the model in 16 or 32 bits.") from error
    end = 8 + length
    for start, stop in sorted((tensor.start, tensor.stop) for tensor in tensors.values()):
        if start != end:
            raise refuse(path, "has a broken header")
        end = stop
    if total != end:
        raise refuse(path, "is cut short" if total < end else "is longer than its header says")
    metadata = said if isinstance(said, dict) else {}
    return Header(tensors, {str(key): value for key, value in metadata.items() if isinstance(value, str)})


def refuse(path: Path, reason: str) -> UserError:
    return UserError(ErrorKind.MODEL, f"{path} {reason}.", AGAIN)


def gone(path: Path) -> UserError:
    """What is said of a file or folder that is not there."""
    return UserError(ErrorKind.MODEL, f"There is no {path}.", "Connect the drive that it is on, or choose another one.")


def _of_another_kind(path: Path, head: bytes) -> UserError:
    """What to say of a file that does not begin as such a file does, by its first bytes, whatever it is called."""
    for marks, what, hint in _OTHERS:
        if head.lstrip().lower().startswith(marks):
            return UserError(ErrorKind.MODEL, f"{path} is {what}.", hint)
    return refuse(
        path, "is no safetensors file, or cut short" if len(head) >= 8 else "is cut short" if head else "is empty"
    )


_OTHERS: tuple[tuple[tuple[bytes, ...], str, str], ...] = (
    (
        (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"pk\x03\x04"),  # torch's newer ones are zip archives
        "a pickle by another name, and such files can hold code",
        "Choose the model as real .safetensors.",
    ),
    ((b"gguf",), "a GGUF file by another name, which is not read here", "Choose the model as .safetensors."),
    (
        (b"version https://git-lfs",),
        "a pointer of Git LFS, and not the file itself",
        "Run git lfs pull in its folder, or download the file.",
    ),
    (
        (b"<!doctype html", b"<html", b"<?xml", b'{"error', b"{'error"),
        "a page of the web, and not the file itself",
        "Its site may want you to log in or to agree first: download it in a browser.",
    ),
)


class _UnknownType(Exception):
    """Weights of a type that is sound, perhaps, but none that we know."""


def _tensor(entry: Mapping[str, Any], data: int) -> Tensor:
    start, stop = entry["data_offsets"]
    shape = entry["shape"]
    if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in (start, stop, *shape)):
        raise ValueError("not whole numbers")
    dtype = str(entry["dtype"])
    if dtype not in DTYPE_BITS:
        raise _UnknownType(f"holds weights of the type {dtype[:20]}, which cannot be loaded")
    if (stop - start) * 8 != math.prod(shape) * DTYPE_BITS[dtype]:
        raise ValueError("size and shape differ")
    return Tensor(dtype, tuple(shape), data + start, data + stop)
