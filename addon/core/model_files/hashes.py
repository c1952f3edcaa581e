# SPDX-License-Identifier: GPL-3.0-or-later
"""A file's hash, as model pages show it. Imports core and the standard library only."""

import hashlib
from pathlib import Path

from ..errors import ErrorKind, UserError
from ..requests.extras import HASH_DIGITS

_known: dict[tuple[Path, int, int], str] = {}


def short(path: Path) -> str:
    """The first 10 hexadecimal digits of the file's sha256; read once while its time and size stay the same.

    Takes a second a gigabyte: for the worker. Raises `UserError` (kind `MODEL`) where it cannot be read.
    """
    try:
        status = path.stat()
        key = (path, status.st_mtime_ns, status.st_size)
        if key not in _known:
            with path.open("rb") as file:
                _known[key] = hashlib.file_digest(file, "sha256").hexdigest()[:HASH_DIGITS]
    except OSError as error:
        raise UserError(
            ErrorKind.MODEL, f"{path} cannot be read: {error.strerror}.", "Choose it again, or remove it."
        ) from error
    return _known[key]
