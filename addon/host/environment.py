# SPDX-License-Identifier: GPL-3.0-or-later
"""The environments that the extension made: where they are, whether one counts. Imports core and the standard library.

One environment is one folder, named after torch's backend, the Python and the platform. A stamp, written last, makes it
count: without one, or with one of another list of packages, nothing is started from it. Nothing here starts a process.
"""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..core.errors import ErrorKind, UserError
from ..core.lock import Lock, python_of
from ..core.single_holder import only_holder
from .disk import disk_errors, patiently

STAMP = "tilewright-environment.json"
DOWNLOADS = "downloads"
_FORMAT = 1
_MAX_STAMP = 1 << 16  # bytes
# Installed, packages are larger than their wheels: torch with CUDA by 1.7, on a processor by 3.
_UNPACKED = 2.5
_SPARE = 200_000_000  # bytes that stay free


class Condition(StrEnum):
    """MISSING: there is none. REPAIR: half of one, or one of another list. READY: it may be used."""

    MISSING = "missing"
    REPAIR = "repair needed"
    READY = "ready"


@dataclass(frozen=True)
class Stamp:
    """What an environment was made from. `base` is the Python that it was made with, `size` is in bytes on disk."""

    lock: str
    backend: str
    target: str
    python: str
    base: str
    size: int
    made: float
    format: int = _FORMAT


@dataclass(frozen=True)
class Verdict:
    """What `inspect` found. `reason` is a sentence for the user where it is not ready."""

    condition: Condition
    folder: Path
    reason: str = ""


@dataclass(frozen=True)
class Found:
    """One environment among others.

    size: in bytes, as its stamp says; None where it has none. current: whether it is the one that fits.
    """

    folder: Path
    size: int | None
    current: bool

    @property
    def title(self) -> str:
        """ "Python 3.11, index"."""
        backend, _, target = self.folder.name.partition("-cp")
        return f"Python {python_of('cp' + target)}, {backend}" if target else self.folder.name


def folder_of(root: Path, lock: Lock) -> Path:
    """Where the environment of that lock belongs."""
    return root / f"{lock.backend}-{lock.target}"


def executable(folder: Path) -> Path:
    """The environment's Python."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def site_packages(folder: Path, target: str) -> Path:
    """The folder of the environment's packages."""
    if sys.platform == "win32":
        return folder / "Lib" / "site-packages"
    return folder / "lib" / f"python{python_of(target)}" / "site-packages"


def inspect(root: Path, lock: Lock) -> Verdict:
    """Whether the environment of that lock may be used. Reads its stamp, which is small, and nothing else."""
    folder = folder_of(root, lock)
    if not folder.is_dir():
        others = [found for found in list_environments(root, lock) if found.size is not None]
        if others:
            reason = (
                f"The engine's packages are those of {others[0].title}, and this Blender has Python "
                f"{python_of(lock.target)}."
            )
            return Verdict(Condition.REPAIR, folder, reason)
        return Verdict(Condition.MISSING, folder, "The engine's packages are not installed yet.")
    stamp = read_stamp(folder)
    if stamp is None:
        reason = (
            "The engine's packages are only half installed: the installation was interrupted, or something is damaged."
        )
    elif (stamp.lock, stamp.target) != (lock.digest, lock.target):
        reason = "The engine's packages belong to another version of Tilewright."
    elif not executable(folder).exists():
        reason = f"The Python that the engine was installed with is gone: {stamp.base}."
    else:
        return Verdict(Condition.READY, folder)
    return Verdict(Condition.REPAIR, folder, reason)


def read_stamp(folder: Path) -> Stamp | None:
    """The environment's stamp, None if it has none that says anything."""
    try:
        with (folder / STAMP).open("rb") as file:
            data: Any = json.loads(file.read(_MAX_STAMP))
        stamp = Stamp(**data)
    except (OSError, TypeError, ValueError):
        return None
    texts = (stamp.lock, stamp.backend, stamp.target, stamp.python, stamp.base)
    if stamp.format != _FORMAT or not all(isinstance(text, str) for text in texts) or not isinstance(stamp.size, int):
        return None
    return stamp


def write_stamp(folder: Path, stamp: Stamp) -> None:
    """Make the environment count, at once and for good. Raises `UserError` (kind `DISK`)."""
    part = folder / f"{STAMP}.part"
    with disk_errors(folder):
        with part.open("w", encoding="utf-8") as file:
            json.dump(asdict(stamp), file)
            file.flush()
            os.fsync(file.fileno())
        patiently(lambda: os.replace(part, folder / STAMP))


def remove_stamp(folder: Path) -> None:
    """From now on the environment does not count. Raises `UserError` (kind `DISK`)."""
    with disk_errors(folder):
        patiently(lambda: (folder / STAMP).unlink(missing_ok=True))


def list_environments(root: Path, current: Lock | None) -> list[Found]:
    """All environments below `root`, the one that fits first."""
    fitting = folder_of(root, current) if current else None
    found = []
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return []  # nothing was made yet
    for name in names:
        folder = root / name
        if "-cp" in name and folder.is_dir() and not folder.is_symlink():
            stamp = read_stamp(folder)
            found.append(Found(folder, stamp.size if stamp else None, folder == fitting))
    return sorted(found, key=lambda item: not item.current)


def remove(root: Path, folder: Path) -> None:
    """Delete one environment; it stops counting first. Raises `UserError` where it is in use or lies elsewhere."""
    if folder.parent != root or "-cp" not in folder.name or folder.is_symlink():
        raise UserError(ErrorKind.DISK, f"{folder} is not a Tilewright environment in {root}.")
    with only_maker(root) as ours:
        if not ours:
            raise UserError(
                ErrorKind.RUNTIME, "Another Blender is installing the engine's packages.", "Wait until it is done."
            )
        if folder.is_dir():
            remove_stamp(folder)
            with disk_errors(folder):
                patiently(lambda: shutil.rmtree(folder))


def space_needed(lock: Lock, missing: int) -> int:
    """Bytes that must be free to install wheels of `missing` bytes; each is removed when it is unpacked."""
    return round(missing * _UNPACKED) + _SPARE if missing else _SPARE // 10


def size_on_disk(folder: Path) -> int:
    """Bytes in the folder's files, links not followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total


@contextlib.contextmanager
def only_maker(root: Path) -> Iterator[bool]:
    """As `only_holder` of the folder of all environments. Raises `UserError` (kind `DISK`)."""
    with contextlib.ExitStack() as stack:
        with disk_errors(root):
            ours = stack.enter_context(only_holder(root))
        yield ours
