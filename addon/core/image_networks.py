# SPDX-License-Identifier: GPL-3.0-or-later
"""Which upscalers and map networks there are, and which file makes which map. Imports core only, reads no weights."""

import os
from dataclasses import dataclass
from pathlib import Path

from .errors import ErrorKind, UserError
from .finish import FILTER, LANCZOS, STARTER, MapKind

MODELS = Path(__file__).resolve().parents[1] / "models"
UPSCALER_FILE = MODELS / "upscaler" / "starter-2x.safetensors"
SURFACE_FILE = MODELS / "maps" / "surface.safetensors"
NORMAL_FILE = MODELS / "maps" / "normal.safetensors"
METALLIC_FILE = MODELS / "maps" / "metallic.safetensors"
FILES = (UPSCALER_FILE, SURFACE_FILE, NORMAL_FILE, METALLIC_FILE)
LICENCE = "GPL-3.0-or-later"  # of these files
# .pth is a pickle: only spandrel's own unpickler reads it, which makes tensors and nothing else; .pt could hold code
SUFFIXES = (".safetensors", ".pth")
# Depth that a height of 0 to 1 stands for, in pixels of a picture at which the networks judge it (about 512 wide).
HEIGHT_DEPTH = 8.0

_NETWORK_MAPS = (MapKind.HEIGHT, MapKind.NORMAL, MapKind.ROUGHNESS, MapKind.METALLIC)


@dataclass(frozen=True)
class MapNetwork:
    """A 1x network's file. makes: what its channels are, in order; three for a normal."""

    file: Path
    makes: tuple[MapKind, ...]


def upscaler_file(choice: str) -> Path | None:
    """The file of an upscaler (see `Finish.upscaler`), None for Lanczos. Raises `UserError` (kind `MODEL`)."""
    if choice == LANCZOS:
        return None
    return UPSCALER_FILE if choice == STARTER else check_file(Path(choice))


def map_networks(choice: str) -> tuple[MapNetwork, ...]:
    """The networks of a choice (see `Finish.map_networks`), none for filters. Raises `UserError` (kind `MODEL`).

    In a folder, each file whose name holds "height", "normal", "roughness" or "metallic" makes that map; the maps that
    it has no network for are made by filters.
    """
    if choice == FILTER:
        return ()
    if choice == STARTER:
        return (
            MapNetwork(SURFACE_FILE, (MapKind.HEIGHT, MapKind.ROUGHNESS)),
            MapNetwork(NORMAL_FILE, (MapKind.NORMAL,)),
            MapNetwork(METALLIC_FILE, (MapKind.METALLIC,)),
        )
    folder = Path(choice)
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise UserError(
            ErrorKind.MODEL, f"{folder} cannot be read: {error.strerror}.", "Choose a folder with map networks."
        ) from error
    found: dict[MapKind, MapNetwork] = {}
    # safetensors before pickles of the same map
    for name in sorted(names, key=lambda name: not name.lower().endswith(SUFFIXES[0])):
        for kind in _NETWORK_MAPS:
            if kind.value in name.lower() and name.lower().endswith(SUFFIXES):
                found.setdefault(kind, MapNetwork(check_file(folder / name), (kind,)))
    if not found:
        raise UserError(
            ErrorKind.MODEL,
            f"{folder} holds no map network.",
            "Their names must hold height, normal, roughness or metallic, and end in .safetensors.",
        )
    return tuple(found.values())


def check_file(path: Path) -> Path:
    """A network's file, if its kind may be loaded and it is there. Raises `UserError` (kind `MODEL`)."""
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(
            ErrorKind.MODEL,
            f"{path.name} is not loaded: {path.suffix or 'such'} files can hold code.",
            "Choose a .safetensors file.",
        )
    if not path.is_file():
        raise UserError(ErrorKind.MODEL, f"There is no file {path}.", "Choose a .safetensors file.")
    return path
