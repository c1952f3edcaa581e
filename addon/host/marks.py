# SPDX-License-Identifier: GPL-3.0-or-later
"""The marks of a result, in a file of its folder. Imports core and the standard library only."""

import json
import logging
import os
import secrets
from pathlib import Path

from ..core.errors import UserError
from ..core.history import Marks
from ..core.results import PART, disk_errors

_logger = logging.getLogger(__name__)
_FILE = "marks.json"
_MAX_BYTES = 4 << 20


def load(folder: Path) -> Marks:
    """The marks of the result in that folder; none where there is no file or a broken one, which the log names."""
    file = folder / _FILE
    try:
        with file.open("rb") as opened:
            data = json.loads(opened.read(_MAX_BYTES))
        return Marks.from_json(data if isinstance(data, dict) else {})
    except FileNotFoundError:
        return Marks()
    except (OSError, ValueError, RecursionError, UserError) as error:
        _logger.warning("%s is left out: %s", file, error)
        return Marks()


def save(folder: Path, marks: Marks) -> None:
    """Write the marks, whole or not at all. Raises `UserError` (kind `DISK`)."""
    # The temporary file is one of those that the store cleans up, should this process die here.
    part = folder.parent / f"{PART}{os.getpid()}-{secrets.token_hex(4)}"
    with disk_errors(folder.parent):
        try:
            part.write_text(json.dumps(marks.to_json()), encoding="ascii")
            os.replace(part, folder / _FILE)
        finally:
            part.unlink(missing_ok=True)
