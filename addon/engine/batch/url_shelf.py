# SPDX-License-Identifier: GPL-3.0-or-later
"""A shelf behind a URL: a bucket, or whatever else fsspec speaks to. Imports core, and fsspec when it is asked for.

A store of objects has no folders to rename, so a texture is whole there when its `result.json` is: that comes last, and
what has none counts for nothing, and is written over when its turn comes again. That file, the list and the sheet come
by a temporary name: stores that are no object stores show a file while it is being written.

Who may write there is told to the library by its own means (for S3: environment variables, ~/.aws, the machine's role).
"""

import json
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from ...core import results
from ...core.errors import ErrorKind, UserError
from ...core.results import INDEX, PART, Draft, Result, disk_errors
from .rows import Task
from .shelf import LIST, OWN, STALE, Shelf, finished, id_of

_EVERY = 30.0  # seconds between two lists: there is no adding to an object, so each is a whole new one
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
_PACKAGES |= {"sftp": "paramiko", "ssh": "paramiko", "smb": "smbprotocol"}
_HINT = "Look at the address and at your rights there, and run the same command again."


def is_url(address: str) -> bool:
    """Whether that is no path of this machine."""
    return re.match(r"[a-z][a-z0-9+.-]*(::|://)", address, re.IGNORECASE) is not None


def shelf_at(address: str) -> Shelf:
    """The shelf in a folder or behind a URL. Raises `UserError` where a library for the URL is missing."""
    return UrlShelf(address) if is_url(address) else Shelf(Path(address).expanduser().absolute())


class UrlShelf(Shelf):
    """See above. Methods raise `UserError` (kind `DISK`), the constructor `RUNTIME` where a library is missing.

    Results' folders are places below `root`, and not on this machine's disk.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._files, self._root = _connected(self._url)
        super().__init__(Path(self._root))
        self._there: dict[str, set[str]] = {}  # names of files by folder, as seen last
        self._told: dict[str, str] = {}  # lines of the list, by file
        self._written = time.monotonic()

    @property
    def address(self) -> str:
        return self._url

    def made(self) -> dict[str, Result]:
        with self._errors("read"):
            self._look()
            folders = [folder for folder, names in sorted(self._there.items()) if INDEX in names]
            places = {f"{folder}/{INDEX}": folder for folder in folders}
            texts = self._files.cat(list(places), on_error="omit") if places else {}
        found = {}
        for place, folder in places.items():
            with suppress(UserError):
                result = results.parse(texts.get(place, b""), Path(folder), self._there[folder].__contains__)
                if id_ := id_of(result):
                    found[id_] = result
        return found

    def is_taken(self, task: Task) -> bool:
        """Whether a whole texture of another recipe was in its place when `made` looked."""
        return INDEX in self._there.get(self._place(task.folder), ()) and self.find(task) is None

    def find(self, task: Task) -> Result | None:
        folder = self._place(task.folder)
        with self._errors("read"):
            try:
                text = self._files.cat_file(f"{folder}/{INDEX}")
            except FileNotFoundError:
                return None
            self._files.invalidate_cache(folder)
            names = {PurePosixPath(path).name for path in self._files.ls(folder, detail=False)}
        with suppress(UserError):
            result = results.parse(text, Path(folder), names.__contains__)
            return result if id_of(result) == task.id else None
        return None

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A store for `protocol.Start`, on this machine; it is removed on leaving."""
        here = Path(tempfile.gettempdir())
        with disk_errors(here):
            folder = Path(tempfile.mkdtemp(prefix="tilewright-batch-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Throw away temporary names of a day ago or earlier; when that was stands in them."""
        before = time.time() - STALE
        with suppress(OSError, UserError), self._errors("read"):
            for path in self._files.ls(self._place(OWN), detail=False):
                found = re.fullmatch(rf"{re.escape(PART)}(\d+)-\w+", PurePosixPath(path).name)
                if found and int(found[1]) < before:
                    self._files.rm_file(path)

    def put(self, task: Task, draft: Draft, result: Result) -> Result:
        """Carry a texture there, what makes it count last. Where its twin is there already, that one stays."""
        folder = self._place(task.folder)
        with disk_errors(draft.folder):
            whole = replace(finished(task, draft, result), folder=Path(folder), created=result.created or time.time())
        there = self.find(task)
        if there is not None:
            return there
        with self._errors("write to"):
            self._files.makedirs(folder, exist_ok=True)
            for name in whole.files.values():
                self._files.put_file(str(draft.folder / name), f"{folder}/{name}")
            self._place_text(f"{folder}/{INDEX}", results.index_text(whole))
        return whole

    def write_list(self, made: Iterable[Result]) -> None:
        lines = [self.line(result) for result in made]
        self._told = {json.loads(line)["file"]: line for line in lines}
        self._write_told()

    def append(self, result: Result) -> None:
        """Add a line, which is there half a minute later at most, or with `close`."""
        line = self.line(result)
        self._told[json.loads(line)["file"]] = line
        if time.monotonic() - self._written > _EVERY:
            self._write_told()

    def close(self) -> None:
        """Write the list with all that was appended."""
        self._write_told()

    def write(self, name: str, text: str) -> None:
        with self._errors("write to"):
            self._files.makedirs(self._root, exist_ok=True)
            self._place_text(self._place(name), text)

    def _write_told(self) -> None:
        self.write(LIST, "".join(f"{line}\n" for line in self._told.values()))
        self._written = time.monotonic()

    def _place(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _place_text(self, place: str, text: str) -> None:
        """A text under its name, whole or not at all."""
        own = self._place(OWN)
        part = f"{own}/{PART}{int(time.time())}-{secrets.token_hex(4)}"
        self._files.makedirs(own, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="tilewright-batch-") as folder:
            file = Path(folder) / PurePosixPath(place).name
            file.write_text(text, encoding="utf-8", newline="\n")
            self._files.put_file(str(file), part)  # S3's takes the kind, as for browsers, from the name of this file
        self._files.mv(part, place)

    def _look(self) -> None:
        """See what is there."""
        self._files.invalidate_cache()
        self._there = {}
        for path in self._files.find(self._root):
            place = PurePosixPath(path)
            if not any(part.startswith(".") for part in place.relative_to(self._root).parts):
                self._there.setdefault(str(place.parent), set()).add(place.name)

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Turn what the library raises into a `UserError`: each has exceptions of its own beside OSError."""
        try:
            yield
        except Exception as error:
            reason = str(getattr(error, "strerror", None) or error or type(error).__name__).partition("\n")[0]
            raise UserError(ErrorKind.DISK, f"Cannot {what} {self._url}: {reason.rstrip('.')}.", _HINT) from error


def _connected(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the place there that it names. Raises `UserError` (kind `RUNTIME`, `REQUEST`)."""
    protocol = re.split("::|://", url)[0].lower()
    try:
        from fsspec.core import url_to_fs

        files, root = url_to_fs(url)
    except ImportError as error:
        package = _PACKAGES.get(protocol)
        said = f"The engine's Python has no {package}" if package else str(error).partition("\n")[0].rstrip(".")
        hint = f"Install it: python3 -m pip --python {sys.executable} install {package or 'NAME'}"
        raise UserError(ErrorKind.RUNTIME, f"{said}, for {protocol}://.", hint) from error
    except ValueError as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        hint = "Give such as s3://BUCKET/FOLDER."
        raise UserError(ErrorKind.REQUEST, f"{url} cannot be written to: {reason}.", hint) from error
    return files, root.rstrip("/")
