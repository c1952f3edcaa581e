# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing things on a disk that others use too. Imports core and the standard library only."""

import contextlib
import errno
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..core.errors import ErrorKind, UserError

_logger = logging.getLogger(__name__)
_RETRIES = 3  # a virus scanner lets go of a file after a moment


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn an OSError into a `UserError` (kind `DISK`) that names the file, or else the folder."""
    try:
        yield
    except OSError as error:
        place = error.filename or folder
        reason = error.strerror or type(error).__name__
        if isinstance(error, PermissionError):
            message = f"{place} cannot be changed: another program uses it, or it may not be written ({reason})."
            hint = "Close other Blenders and programs that use the engine, or choose another folder in the preferences."
        elif error.errno == errno.ENOSPC:
            message, hint = f"The disk of {folder} is full.", "Free some space, or choose a folder on another drive."
        else:
            message = f"Cannot write to {place}: {reason}."
            hint = "Free some space there, or choose another folder in the preferences."
        raise UserError(ErrorKind.DISK, message, hint) from error


def patiently(change: Callable[[], object], pause: float = 0.5) -> None:
    """Change something on disk; where another program holds the file, try again. Raises what the last try raised."""
    for attempt in range(_RETRIES):
        try:
            change()
            return
        except PermissionError as error:
            if attempt == _RETRIES - 1:
                raise
            _logger.info("Tried again in %g s: %s", pause, error)
            time.sleep(pause)
