# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a downloaded model: where it came from, and its files with their hashes. Imports core.

It lies beside the model's files as `FILE`, and is written last: a folder without it is no finished download.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ErrorKind, UserError
from ..results import sync

FILE = "tilewright-model.json"
UNFINISHED = ".tilewright-downloads"  # in the folder of models: what is not whole yet, each model in its own folder
_FORMAT = 1
_MAX_BYTES = 4 << 20
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ +-]{0,199}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # Windows opens devices by these names
_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class HubFile:
    """One file of a repository.

    path: below the repository's root, with "/". size: in bytes. digest: "sha256:" and the file's hash, or "git:" and
    the hash that git has for it, which the hub keeps of small files.
    """

    path: str
    size: int
    digest: str


@dataclass(frozen=True)
class Plan:
    """What is downloaded of a repository, or was.

    revision: the commit, 40 hexadecimal digits. files: all that are wanted. licence: its name on the hub, "" where the
    repository names none. gated: the hub gives it only to who has agreed to its terms there.
    """

    repository: str
    revision: str
    files: tuple[HubFile, ...]
    licence: str = ""
    gated: bool = False

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(file.size for file in self.files)

    @property
    def folder_name(self) -> str:
        """The name of its folder among the models."""
        return self.repository.replace("/", "--")

    def to_json(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "repository": self.repository,
            "revision": self.revision,
            "licence": self.licence,
            "gated": self.gated,
            "files": {file.path: [file.size, file.digest] for file in self.files},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Plan":
        """The reverse of `to_json`. Raises KeyError, TypeError or ValueError on anything else, also on odd names."""
        if data["format"] != _FORMAT:
            raise ValueError("of another format")
        repository, revision, licence = data["repository"], data["revision"], data["licence"]
        if not is_repository(repository) or not re.fullmatch("[0-9a-f]{40}", revision) or not isinstance(licence, str):
            raise ValueError("no repository")
        files = []
        for path, (size, digest) in data["files"].items():
            known = re.fullmatch("sha256:[0-9a-f]{64}|git:[0-9a-f]{40}", digest)
            if not is_safe(path) or isinstance(size, bool) or not isinstance(size, int) or size < 0 or not known:
                raise ValueError("no file")
            files.append(HubFile(path, size, digest))
        return cls(repository, revision, tuple(files), licence, bool(data["gated"]))


def is_repository(name: object) -> bool:
    """Whether that can be a repository's name, "owner/name"."""
    if not isinstance(name, str) or not _REPOSITORY.fullmatch(name) or ".." in name or "--" in name:
        return False
    return not name.endswith((".", ".git")) and not any(_RESERVED.fullmatch(part) for part in name.split("/"))


def is_safe(path: object) -> bool:
    """Whether a repository's file may have that name on every system, and stays inside of its folder."""
    if not isinstance(path, str) or len(path) > 400:
        return False
    parts = path.split("/")
    fits = all(_PART.fullmatch(part) and not part.endswith((".", " ")) for part in parts)
    return fits and not any(_RESERVED.fullmatch(part) for part in parts)


def load(folder: Path) -> Plan | None:
    """What is stored beside a model's files, None where that is nothing, or broken."""
    try:
        with (folder / FILE).open("rb") as file:
            return Plan.from_json(json.loads(file.read(_MAX_BYTES)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def save(folder: Path, plan: Plan) -> None:
    """Write it, whole or not at all. Raises OSError."""
    part = folder / f"{FILE}.part"
    with part.open("w", encoding="ascii") as file:
        json.dump(plan.to_json(), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, folder / FILE)
    sync(folder)


def is_whole(path: Path, file: HubFile, tell: Callable[[int], object] = lambda done: None) -> bool:
    """Whether that file is there, with this size and hash. Reads all of it. tell: called with the bytes of each piece.

    Raises OSError where it is there and cannot be read.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return False
    if size != file.size:
        return False
    kind, _, wanted = file.digest.partition(":")
    digest = hashlib.sha256() if kind == "sha256" else hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as opened:
        while piece := opened.read(_CHUNK):
            digest.update(piece)
            tell(len(piece))
    return digest.hexdigest() == wanted


def broken(folder: Path, plan: Plan, tell: Callable[[int], object] = lambda done: None) -> list[str]:
    """The paths of the plan's files that are missing there or not what they should be. Reads them all.

    tell: called with the bytes of each piece that was read. Raises `UserError` (kind `DISK`).
    """
    found = []
    for file in plan.files:
        try:
            if not is_whole(folder / file.path, file, tell):
                found.append(file.path)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UserError(ErrorKind.DISK, f"{folder / file.path} cannot be read: {reason}.") from error
    return found
