# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the library goes with the chosen model: LoRAs, ControlNets, VAEs and the like. Imports bpy, core and host.

`picks` is for draw functions and reads no disk; `by_name` and `image_encoder` look at it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from ...core.errors import ErrorKind, UserError
from ...core.families.catalogue import ModelInfo
from ...core.model_files import image_encoders, kinds
from ...core.model_files.kinds import Role
from ...core.requests.extras import name_of
from ...host.library import Entry, Source
from ..common import preferences, state
from ..common.languages import iface_, rpt_
from . import models

_WEIGHTS = ".safetensors"
_ABSENT = (Source.UNFINISHED, Source.GONE)


@dataclass(frozen=True)
class Pick:
    """One file of the library. reason: why it can't be picked, in the interface's language; "" where it can."""

    path: Path
    title: str
    role: Role
    reason: str


def picks(roles: tuple[Role, ...], model: str) -> list[Pick]:
    """What a menu offers, as far as the library was looked at: what fits the model first. Reads no disk.

    What can't be told is offered: the engine looks at every layer.
    """
    info = models.peek(model)
    found = [entry for entry in state.current.models.entries if entry.role in roles and entry.source not in _ABSENT]
    offered = [Pick(_chosen(entry), entry.title, entry.role, _reason(entry, info)) for entry in found]
    return sorted(offered, key=lambda pick: bool(pick.reason))


def is_unseen() -> bool:
    """Whether files are there that nobody has looked at yet, which a thread is about to do."""
    return any(
        entry.role is Role.UNKNOWN and not entry.what and entry.source not in _ABSENT
        for entry in state.current.models.entries
    )


def _reason(entry: Entry, info: ModelInfo | None) -> str:
    base = info.base if info else None
    if base is None:
        return ""
    if entry.base and entry.base != base.title:
        return iface_("for {base}").format(base=entry.base)
    if entry.role is Role.VAE and 0 not in (entry.latents, base.latents) and entry.latents != base.latents:
        return iface_("{count} channels, not {wanted}").format(count=entry.latents, wanted=base.latents)
    return ""


def _chosen(entry: Entry) -> Path:
    """What is set where the entry is picked: of an image encoder its folder, where its configuration lies."""
    inside = entry.role is Role.IMAGE_ENCODER and entry.path.suffix.lower() == _WEIGHTS
    return entry.path.parent if inside else entry.path


def by_name(name: str, *roles: Role) -> Path | None:
    """The file or folder of that name, with or without its ending, in whatever case; None where there is none.

    Looks at the disk. Raises `UserError` where the name stands for several.
    """
    wanted = name.strip().casefold()
    if not wanted:
        return None
    found = []
    for entry in preferences.library().entries():
        names = {entry.title, entry.path.name, entry.path.stem, f"{entry.title}{_WEIGHTS}"}
        if entry.source in _ABSENT or wanted not in {one.casefold() for one in names}:
            continue
        if _role(entry) in roles:
            found.append(replace(entry, role=_role(entry)))
    if len(found) > 1:
        places = ", ".join(str(entry.path) for entry in found)
        message = rpt_("{name} stands for several files: {places}.").format(name=name, places=places)
        raise UserError(ErrorKind.MODEL, message, "Give the path of one.")
    return _chosen(found[0]) if found else None


def path_of(text: str, path: Callable[[str], Path], *roles: Role) -> Path:
    """A path as it was typed, or what the library has of that name. path: from what was typed to a path.

    Raises `UserError` as `by_name`.
    """
    typed = path(text)
    if typed.exists() or text != name_of(text):
        return typed
    return by_name(text, *roles) or typed


def image_encoder(adapter: Path) -> Path | None:
    """The folder of the image encoder that an IP-Adapter is run with: the one beside it, or else one of the library.

    None where there is none that fits, or the file is no IP-Adapter. Reads headers and small configurations.
    """
    try:
        wanted = kinds.look(adapter).reads_picture
    except UserError:
        return None
    if wanted is None:
        return None
    if found := image_encoders.beside(adapter, wanted):
        return found
    entries = (entry for entry in preferences.library().entries() if entry.source not in _ABSENT)
    places = (
        _chosen(replace(entry, role=Role.IMAGE_ENCODER)) for entry in entries if _role(entry) is Role.IMAGE_ENCODER
    )
    return image_encoders.first_fitting(places, wanted)


def look_for_encoder(file: str) -> None:
    """Look for the image encoder of an IP-Adapter that was set, so `told.encoder` can tell which is taken."""
    found = image_encoder(Path(bpy.path.abspath(file))) if file.lower().endswith(_WEIGHTS) else None
    state.current.models.encoders = {file: found}


def elsewhere(adapter: Path) -> str:
    """For `Style.encoder`: the folder of `image_encoder` where that is not beside the adapter, "" where it is."""
    found = image_encoder(adapter)
    return "" if found is None or _is_beside(adapter, found) else str(found)


def _is_beside(adapter: Path, encoder: Path) -> bool:
    wanted = kinds.look(adapter).reads_picture
    return wanted is not None and image_encoders.beside(adapter, wanted) == encoder


def _role(entry: Entry) -> Role:
    """The entry's role; of a file that was not looked at yet, by a look at its header."""
    if entry.role is not Role.UNKNOWN or entry.what or entry.path.suffix.lower() != _WEIGHTS:
        return entry.role
    try:
        return kinds.look(entry.path).role
    except UserError:
        return Role.UNKNOWN
