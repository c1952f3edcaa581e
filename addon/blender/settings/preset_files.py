# SPDX-License-Identifier: GPL-3.0-or-later
"""The files and pictures that a preset names: how it keeps them, and what has become of them since. Imports bpy, core.

By path, with a fingerprint that takes milliseconds however large the file is. A file that is gone stays in the
settings, so that nothing is lost, and the user is told.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import UserError
from ...core.model_files import configs, folder, hashes
from ..common.languages import rpt_

FINGERPRINT = "fingerprint"
_PICTURE = ("file", "name", "sha256")


@dataclass
class Lost:
    """What a preset names and is not what it was. missing, changed: names for people."""

    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    @property
    def note(self) -> str:
        """A sentence or two for the user, "" where all is as it was."""
        said = []
        if self.missing:
            words = rpt_("Not here: {names}. The preset's choice is kept; choose the file again, or remove it.")
            said.append(words.format(names=", ".join(self.missing)))
        if self.changed:
            words = rpt_("Not the same as when the preset was saved: {names}.")
            said.append(words.format(names=", ".join(self.changed)))
        return " ".join(said)

    def check(self, path: Path | None, name: str, fingerprint: object) -> None:
        """Note a file of weights that is gone, or another than the one with that fingerprint ("": any)."""
        if path is None or not path.exists():
            self.missing.append(name)
        elif fingerprint and fingerprint_of(path) not in (fingerprint, ""):
            self.changed.append(name)

    def picture(self, said: dict[str, Any]) -> bpy.types.Image | None:
        """The image that `picture_values` described; None where there was none, or it is gone, which is noted."""
        file, name = str(said.get("file") or ""), str(said.get("name") or "")
        if not name:
            return None
        if not file:  # it had no file: it was in that .blend only
            image: bpy.types.Image | None = bpy.data.images.get(name)
            if image is None:
                self.missing.append(name)
            return image
        try:
            image = bpy.data.images.load(file, check_existing=True)
        except RuntimeError:
            self.missing.append(name)
            return None
        if said.get("sha256") and _hash(Path(file)) != said["sha256"]:
            self.changed.append(name)
        return image


def fingerprint_of(path: Path) -> str:
    """Of a file or folder of weights: length, both ends, and the configuration; "" where it cannot be read."""
    try:
        return folder.check_network(configs.root(path, "config.json"), "diffusers").fingerprint
    except UserError:
        return ""


def picture_values(image: bpy.types.Image | None) -> dict[str, str]:
    """What a preset keeps of an image: its file with its hash, or its name where it has none."""
    if image is None:
        return dict.fromkeys(_PICTURE, "")
    path = Path(bpy.path.abspath(image.filepath, library=image.library))
    if image.source != "FILE" or image.packed_file or image.is_dirty or not image.filepath or not path.is_file():
        return {"file": "", "name": image.name, "sha256": ""}
    return {"file": str(path), "name": image.name, "sha256": _hash(path)}


def lines_of(target: str, prefix: str, image: bpy.types.Image | None) -> Iterable[str]:
    """Those values as lines of a preset."""
    for name, value in picture_values(image).items():
        yield f"{target}.{prefix}_{name} = {value!r}"


def described(values: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The reverse of `lines_of`, of the values that were read."""
    return {name: values.get(f"{prefix}_{name}") for name in _PICTURE}


def names(prefix: str) -> tuple[str, ...]:
    """What `lines_of` calls its values."""
    return tuple(f"{prefix}_{name}" for name in _PICTURE)


def _hash(path: Path) -> str:
    try:
        return hashes.short(path)
    except UserError:
        return ""
