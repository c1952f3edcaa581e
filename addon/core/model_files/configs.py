# SPDX-License-Identifier: GPL-3.0-or-later
"""A model folder's small JSON files, read with care: strangers wrote them. Imports core and the standard library."""

import json
from pathlib import Path
from typing import Any

from ..errors import ErrorKind, UserError

_MAX_CONFIG = 1 << 20  # bytes; these files have a few kilobytes


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """A JSON object from the model's folder. Raises `UserError` (kind `MODEL`), naming the file."""
    path = folder / name
    hint = "Choose a complete diffusers folder, or download the model again."
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_CONFIG + 1)
    except OSError as error:
        raise UserError(ErrorKind.MODEL, f"{path} cannot be read: {error.strerror}.", hint) from error
    if len(text) > _MAX_CONFIG:
        raise UserError(ErrorKind.MODEL, f"{path} is too large for a configuration.", hint)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(ErrorKind.MODEL, f"{path} is not JSON.", hint) from error
    if not isinstance(data, dict):
        raise UserError(ErrorKind.MODEL, f"{path} does not hold a configuration.", hint)
    return data
