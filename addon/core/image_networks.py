# SPDX-License-Identifier: GPL-3.0-or-later
"""Which upscalers and map networks there are, and which file makes which map. Imports core only, reads no weights."""

import os
from dataclasses import dataclass
from pathlib import Path

from .errors import ErrorKind, UserError
from .model_files.configs import is_twin
from .requests.finish import FILTER, LANCZOS, STARTER_NETWORKS, MapKind

MODELS = Path(__file__).resolve().parents[1] / "models"
UPSCALER_FILE = MODELS / "upscaler" / "starter-2x.safetensors"
MAPS_FOLDER = MODELS / "maps"
LATE = 4  # times that a picture was enlarged before the late upscaler takes it
# For a picture that was enlarged so often: an eleventh of the work, as nothing fine is in it any more.
LATE_UPSCALER_FILE = MODELS / "upscaler" / "starter-2x-late.safetensors"
RELIEF_FILE = MAPS_FOLDER / "height-normal.safetensors"
MATERIAL_FILE = MAPS_FOLDER / "metallic-roughness.safetensors"
FILES = (UPSCALER_FILE, LATE_UPSCALER_FILE, RELIEF_FILE, MATERIAL_FILE)
LICENCE = "GPL-3.0-or-later"  # of these files
# .pth is a pickle: only spandrel's own unpickler reads it, which makes tensors and nothing else; .pt could hold code
SUFFIXES = (".safetensors", ".pth")
# Depth that a height of 0 to 1 stands for, in pixels of a picture at which the networks judge it (about 512 wide).
HEIGHT_DEPTH = 8.0
# That relief as a part of the tile's width: the whole tile is taken for 512 pixels.
RELIEF = HEIGHT_DEPTH / 512

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
    return UPSCALER_FILE if choice == STARTER_NETWORKS else check_file(Path(choice))


def late_upscaler_file(choice: str, factor: int) -> Path | None:
    """The file of the upscaler for passes over what was enlarged four times, None where the first one makes them."""
    return LATE_UPSCALER_FILE if choice == STARTER_NETWORKS and factor > LATE else None


def map_networks(choice: str) -> tuple[MapNetwork, ...]:
    """The networks of a choice (see `Finish.map_networks`), none for filters. Raises `UserError` (kind `MODEL`).

    In a folder, as the starter's is one, each file whose name holds "height", "normal", "roughness" or "metallic" makes
    that map; one that holds several makes them with its channels in that order. Of two networks for a map the last one
    here makes it: that for the fewest maps. Maps that none is for are made by filters.
    """
    if choice == FILTER:
        return ()
    folder = MAPS_FOLDER if choice == STARTER_NETWORKS else Path(choice)
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise UserError(
            ErrorKind.MODEL, f"{folder} cannot be read: {error.strerror}.", "Choose a folder with map networks."
        ) from error
    candidates = [
        (name, _named_maps(name.lower())) for name in names if name.lower().endswith(SUFFIXES) and not is_twin(name)
    ]
    # safetensors before pickles of the same map
    candidates.sort(key=lambda candidate: (len(candidate[1]), not candidate[0].lower().endswith(SUFFIXES[0])))
    found: list[MapNetwork] = []
    for name, makes in candidates:
        if not {kind for network in found for kind in network.makes}.issuperset(makes):
            found.insert(0, MapNetwork(check_file(folder / name), makes))
    if not found:
        raise UserError(
            ErrorKind.MODEL,
            f"{folder} has no map network in it.",
            "Their names must contain height, normal, roughness or metallic, and end in .safetensors.",
        )
    return tuple(found)


def _named_maps(name: str) -> tuple[MapKind, ...]:
    named = [kind for kind in _NETWORK_MAPS if kind.value in name]
    return tuple(sorted(named, key=lambda kind: name.index(kind.value)))


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
