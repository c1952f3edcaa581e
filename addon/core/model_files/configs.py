# SPDX-License-Identifier: GPL-3.0-or-later
"""A model folder's small JSON files, read with care: strangers wrote them. Imports core and the standard library."""

import json
import os
from pathlib import Path
from typing import Any

from ..errors import ErrorKind, UserError
from .header import gone

INDEX = "model_index.json"
_MAX_CONFIG = 1 << 20  # bytes; these files have a few kilobytes


def is_twin(name: str) -> bool:
    """Whether a file is what macOS keeps beside another of that name on exFAT and network drives (AppleDouble)."""
    return name.startswith("._")


def root(path: Path, index: str = INDEX) -> Path:
    """The folder of a model that was named by its index, or by its folder in the hub's cache.

    Any other path as it is. Of several snapshots the one that "main" names, or else the newest. index: the file that
    each such folder has; of a network by itself it is config.json.
    """
    if path.name == index:
        return path.parent
    snapshots = path / "snapshots"
    if not path.name.startswith("models--") or (path / index).is_file():
        return path
    try:
        main = snapshots / (path / "refs" / "main").read_text(encoding="utf-8", errors="replace").strip()
        if main.parent == snapshots and (main / index).is_file():
            return main
    except (OSError, ValueError):
        pass
    try:
        found = [folder for folder in snapshots.iterdir() if (folder / index).is_file()]
        return max(found, key=lambda folder: folder.stat().st_mtime, default=path)
    except OSError:
        return path


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """A JSON object from the model's folder. Raises `UserError` (kind `MODEL`), naming the file."""
    path = folder / name
    hint = "Choose a complete diffusers folder, or download the model again."
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_CONFIG + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _missing(folder, name, hint) from error
    except OSError as error:
        raise UserError(ErrorKind.MODEL, f"{path} cannot be read: {error.strerror}.", hint) from error
    if len(text) > _MAX_CONFIG:
        raise UserError(ErrorKind.MODEL, f"{path} is too large for a configuration.", hint)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(ErrorKind.MODEL, f"{path} is not JSON.", hint) from error
    if not isinstance(data, dict):
        raise UserError(ErrorKind.MODEL, f"{path} is not a configuration.", hint)
    return data


def _missing(folder: Path, name: str, hint: str) -> UserError:
    """What to say of a model's folder without that file: it is none, or not there at all."""
    if not os.path.lexists(folder):
        return gone(folder)
    if name != INDEX:
        return UserError(ErrorKind.MODEL, f"{folder / name} is missing.", hint)
    if not folder.is_dir():
        message = f"{folder} is neither a .safetensors file nor a folder."
        return UserError(ErrorKind.MODEL, message, "Choose one of these.")
    files = sorted(file.name for file in folder.glob("*.safetensors") if not is_twin(file.name))
    if files:
        hint = f"Choose a file in it, such as {files[0]}."
    return UserError(ErrorKind.MODEL, f"{folder} is no model in diffusers format: it has no {INDEX}.", hint)
