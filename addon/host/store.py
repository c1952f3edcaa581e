# SPDX-License-Identifier: GPL-3.0-or-later
"""The results on disk, as the user's history. Imports core and the standard library only.

The folders are the truth: there is nothing else that could be lost or disagree with them.
"""

import contextlib
import errno
import logging
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path, PurePath

from ..core.errors import ErrorKind, UserError
from ..core.results import PART, Result, disk_errors, load, sync

_logger = logging.getLogger(__name__)
_DAY = 86400.0  # seconds
_PART_OF = re.compile(re.escape(PART) + r"(\d{1,9})-")


class Store:
    """The folder `root`, which need not exist yet, with one folder in it for each result."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))
        self._warned: set[str] = set()  # broken folders that the log names already

    def results(self) -> list[Result]:
        """All whole results, the newest first. What is broken is left out, and named in the log once."""
        found = []
        for name in self.names():
            result = self.find(name)
            if result:
                found.append(result)
        return sorted(found, key=lambda result: (result.created, result.folder.name), reverse=True)

    def names(self) -> list[str]:
        """The names of the folders that may be results; nothing is read but the list."""
        return [name for name in self._names() if not name.startswith(".")]

    def find(self, folder_name: str) -> Result | None:
        """The result in that folder of the store; None where there is none or it is broken."""
        folder = self.root / folder_name
        if folder_name != PurePath(folder_name).name or folder_name.startswith("."):
            return None
        # os.path, since Path's own raise on names that are too long
        if os.path.islink(folder) or not os.path.isdir(folder):
            return None
        try:
            return load(folder)
        except UserError as error:
            if folder_name not in self._warned:
                self._warned.add(folder_name)
                _logger.warning("Left out: %s", error)
            return None

    def delete(self, result: Result) -> None:
        """Remove a result of this store; one that is gone already is fine. It is never half there: its name goes first.

        Raises `UserError` (kind `DISK`) where it lies elsewhere or cannot be removed.
        """
        folder = Path(os.path.abspath(result.folder))
        if folder.parent != self.root or folder.name.startswith(".") or folder.is_symlink():
            raise UserError(ErrorKind.DISK, f"{folder} is not a result in {self.root}.")
        aside = self.root / f"{PART}{os.getpid()}-{secrets.token_hex(4)}"
        with disk_errors(self.root):
            try:
                os.rename(folder, aside)
            except FileNotFoundError:
                return
        _remove(aside)

    def clean_parts(self) -> int:
        """Remove what processes that are gone left half made, and what is a day old. Returns how many were removed."""
        return sum(_remove(self.root / name) for name in self._names() if name.startswith(PART) and self._is_left(name))

    def _is_left(self, name: str) -> bool:
        match = _PART_OF.match(name)
        if match and not _is_alive(int(match[1])):
            return True
        try:
            return time.time() - (self.root / name).lstat().st_mtime > _DAY
        except OSError:
            return False  # gone meanwhile

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self.root))
        except FileNotFoundError:
            return []  # nothing was made yet
        except OSError as error:
            _logger.warning("The results in %s cannot be listed: %s", self.root, error)
            return []


def user_data(platform: str = sys.platform, variables: Mapping[str, str] = os.environ) -> Path:
    """The system's folder for what this user makes with Tilewright: the same for every Blender, and none deletes it."""
    if platform == "win32":
        base = Path(variables.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(variables.get("XDG_DATA_HOME", ""))
        if not base.is_absolute():  # the standard has those ignored
            base = Path.home() / ".local" / "share"
    return base / "tilewright"


def adopt(old: Path, new: Path) -> bool:
    """Move all results of the store `old` into the store `new`. True if there were any.

    Each is whole in one of them at any time, and what a crash has interrupted is gone on with. What a process is still
    making stays for the next call. Raises `UserError` (kind `DISK`).
    """
    names = [name for name in Store(old)._names() if not name.startswith(PART)]
    if not names:
        return False
    with disk_errors(new):
        new.mkdir(parents=True, exist_ok=True)
        for name in names:
            try:
                _move(old / name, new / name)
            except FileNotFoundError:
                continue  # another Blender was quicker
    _logger.info("%d results moved from %s to %s.", len(names), old, new)
    with contextlib.suppress(OSError):
        old.rmdir()
    return True


def _move(source: Path, target: Path) -> None:
    """Names are unique: what has that name already was copied before a crash, or by another Blender meanwhile."""
    if not target.exists():
        try:
            os.rename(source, target)
            return
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        part = target.with_name(f"{PART}{os.getpid()}-{secrets.token_hex(4)}")
        try:
            if source.is_dir():
                shutil.copytree(source, part)
            else:
                shutil.copyfile(source, part)
            for path in (*part.rglob("*"), part):
                sync(path)
            with contextlib.suppress(FileExistsError):
                os.rename(part, target)
            sync(target.parent)
        finally:
            _remove(part)
    aside = source.with_name(f"{PART}{os.getpid()}-{secrets.token_hex(4)}")
    os.rename(source, aside)
    _remove(aside)


def _remove(path: Path) -> bool:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except FileNotFoundError:
        return False  # another Blender was quicker
    except OSError as error:
        _logger.warning("%s is left over and cannot be removed: %s", path, error)
        return False
    return True


def _is_alive(process: int) -> bool:
    """Whether there may be a process of that id. Windows has no harmless way to ask: there a file's age decides."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True
