# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes, mends and verifies an environment: the installer's work. Imports core and the standard library only.

What is there and whole is kept, so the same way leads from nothing, from half an installation, from another list of
packages and from damage. uv makes the environment and installs into it; it never goes online itself.
"""

import base64
import csv
import hashlib
import logging
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from ..core import lock as locks
from ..core.child_process import Teller
from ..core.errors import ErrorKind, UserError, bug
from ..core.lock import Lock, Wheel
from . import child, environment, indexes
from .disk import disk_errors, patiently
from .download import Fetcher
from .environment import Stamp
from .installer_messages import InstallerAction, InstallerProgress, InstallerTask, Outcome, Stage, encode

_logger = logging.getLogger(__name__)
_PREPARE_SECONDS = 600.0  # a processor needs 14 for it; a slow disk longer
_TELL_SECONDS = 0.2  # between two steps of the same kind
_WAIT_SECONDS = 0.5
_UV_FOLDER = "uv"
_BATCH = 1_000_000_000  # bytes of wheels that are installed at once


def main(task: str, replies: BinaryIO) -> int:
    """Do the task and tell about it. 0 if it went well."""
    teller = Teller(replies, encode, lambda progress: (progress.stage, progress.package))
    try:
        outcome = Outcome(text=_do(InstallerTask.loads(task), teller))
    except UserError as error:
        _logger.error("%s", error)
        outcome = Outcome(error)
    except Exception as error:  # ours: the traceback goes into the log
        _logger.exception("The installer made a mistake.")
        outcome = Outcome(bug(error))
    teller.tell(outcome)
    return 1 if outcome.error else 0


def _do(task: InstallerTask, teller: Teller) -> str:
    lock = locks.load(Path(task.lock), locks.this_target())
    root = Path(task.root)
    while True:
        with environment.only_maker(root) as ours:
            if ours:
                if task.action is InstallerAction.VERIFY:
                    return _verify(root, lock, teller)
                return _Maker(task, root, lock, teller).make()
        teller.progress(InstallerProgress(Stage.WAITING))
        time.sleep(_WAIT_SECONDS)


class _Maker:
    """One installation."""

    def __init__(self, task: InstallerTask, root: Path, lock: Lock, teller: Teller) -> None:
        self._task = task
        self._lock = lock
        self._root = root
        self._folder = environment.folder_of(root, lock)
        self._downloads = root / environment.DOWNLOADS
        self._teller = teller
        self._files: dict[str, Path] = {}  # where each wheel is

    def make(self) -> str:
        if self._is_ready():
            return "The engine's packages are installed already."  # another Blender did it while this one waited
        begin = time.monotonic()
        self._teller.progress(InstallerProgress(Stage.LOOKING))
        with disk_errors(self._root):
            self._downloads.mkdir(parents=True, exist_ok=True)
        if self._folder.is_dir():
            environment.remove_stamp(self._folder)
        missing = self._missing()
        self._check_space(missing)
        uv = self._download(missing)
        self._make_folder(uv)
        self._install(uv, missing)
        self._remove_others(uv)
        self._check(missing)
        self._prepare()
        self._stamp()
        _remove_tree(self._downloads)
        return f"The engine's packages are installed ({(time.monotonic() - begin):.0f} s)."

    def _is_ready(self) -> bool:
        return environment.inspect(self._root, self._lock).condition is environment.Condition.READY and not any(
            damaged_files(environment.site_packages(self._folder, self._lock.target), wheel)
            for wheel in self._lock.wheels
        )

    def _missing(self) -> list[Wheel]:
        """The wheels that are not installed, or not whole."""
        packages = environment.site_packages(self._folder, self._lock.target)
        missing, done, total = [], 0, sum(wheel.size for wheel in self._lock.wheels)
        for wheel in self._lock.wheels:
            self._teller.progress(InstallerProgress(Stage.LOOKING, wheel.name, done, total))
            damage = damaged_files(packages, wheel)
            if damage:
                if self._folder.is_dir():
                    _logger.info("%s is to be installed: %s", wheel.file, damage[0])
                missing.append(wheel)
            done += wheel.size
        return missing

    def _check_space(self, missing: list[Wheel]) -> None:
        here = sum(
            wheel.size for wheel in missing if (self._downloads / wheel.file).is_file() and not self._task.wheels
        )
        needed = environment.space_needed(self._lock, sum(wheel.size for wheel in missing) - here)
        free = self._free()
        if free < needed:
            raise UserError(
                ErrorKind.DISK,
                f"{self._root} has {free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB are needed.",
                "Free some space, or choose a folder on another drive in the preferences.",
            )

    def _download(self, missing: list[Wheel]) -> Path:
        """Fetch what is missing, and uv before it. Returns uv's executable."""
        folder = Path(self._task.wheels) if self._task.wheels else None
        wheels = [self._lock.installer, *missing]
        if folder and all((folder / wheel.file).is_file() for wheel in wheels):
            settings = indexes.Settings(folders=(folder,))  # nothing to ask pip for, which takes its seconds
        else:
            settings = indexes.read_settings(self._task.index, folder)
            settings = replace(settings, indexes=(*settings.indexes, *self._lock.indexes))
        fetcher = Fetcher(settings, online=self._task.online)
        total, before, begin = sum(wheel.size for wheel in wheels), 0, time.monotonic()
        first: int | None = None  # bytes that were there when the clock began
        for wheel in wheels:

            def tell(have: int, wheel: Wheel = wheel, before: int = before) -> None:
                nonlocal first, begin
                done = before + have
                if first is None:
                    first, begin = done, time.monotonic()
                seconds = time.monotonic() - begin
                left = (total - done) / ((done - first) / seconds) if done > first and seconds > 2 else None
                self._teller.progress(InstallerProgress(Stage.DOWNLOADING, wheel.name, done, total, left))

            tell(0)
            self._files[wheel.file] = fetcher.fetch(wheel, self._downloads, tell)
            before += wheel.size
        return self._unpack_uv()

    def _unpack_uv(self) -> Path:
        wheel = self._files[self._lock.installer.file]
        name = "uv.exe" if sys.platform == "win32" else "uv"
        target = self._downloads / _UV_FOLDER / name
        with disk_errors(self._downloads), zipfile.ZipFile(wheel) as archive:
            target.parent.mkdir(exist_ok=True)
            inside = next(entry for entry in archive.namelist() if entry.endswith(f".data/scripts/{name}"))
            part = target.with_name(name + ".part")
            with archive.open(inside) as source, part.open("wb") as file:
                shutil.copyfileobj(source, file)
            part.chmod(part.stat().st_mode | stat.S_IXUSR)
            patiently(lambda: os.replace(part, target))
        return target

    def _make_folder(self, uv: Path) -> None:
        """The environment without packages; packages that are there stay. Its Python is this one, Blender's."""
        self._teller.progress(InstallerProgress(Stage.INSTALLING, "Python"))
        arguments = ["venv", "--allow-existing", "--no-project", "--python", sys.executable, str(self._folder)]
        self._run(uv, arguments, "The engine's environment could not be made")

    def _install(self, uv: Path, missing: list[Wheel]) -> None:
        """Several wheels at a time, which uv unpacks side by side. `_download` has compared their hashes."""
        total, done = sum(wheel.size for wheel in missing), 0
        for batch in _batches(missing):
            size, files = sum(wheel.size for wheel in batch), [self._files[wheel.file] for wheel in batch]
            asked = self._downloads / "wheels.txt"
            with disk_errors(self._downloads):
                lines = [f"{wheel.name} @ {file.as_uri()}\n" for wheel, file in zip(batch, files, strict=True)]
                asked.write_text("".join(lines), encoding="utf-8")
                tell = self._unpacking(batch, files, done, total)
            arguments = ["pip", "install", "--python", str(environment.executable(self._folder))]
            arguments += ["--no-index", "--no-deps", "--reinstall", "--requirement", str(asked)]
            names = f"{batch[0].name} {batch[0].version}" if len(batch) == 1 else "The engine's packages"
            self._run(uv, arguments, f"{names} could not be installed", tell)
            done += size
            with disk_errors(self._downloads):
                for file in files:
                    if file.parent == self._downloads:  # and not in a folder of the user's
                        patiently(file.unlink)
                patiently(lambda: _remove_tree(self._downloads / "cache"))
        self._teller.progress(InstallerProgress(Stage.INSTALLING, "", total, total))

    def _unpacking(self, batch: list[Wheel], files: list[Path], done: int, total: int) -> Callable[[], None]:
        """Tells how far uv is, which does not say so itself, by the space that the disk has lost."""
        size, unpacked, free = sum(wheel.size for wheel in batch), _unpacked_size(files), self._free()

        def tell() -> None:
            part = min(max((free - self._free()) / unpacked, 0.0), 1.0)
            self._teller.progress(InstallerProgress(Stage.INSTALLING, batch[0].name, done + round(size * part), total))

        return tell

    def _free(self) -> int:
        return shutil.disk_usage(self._root).free

    def _remove_others(self, uv: Path) -> None:
        """What an earlier list asked for and this one does not."""
        wanted = {wheel.info_folder.lower() for wheel in self._lock.wheels}
        packages = environment.site_packages(self._folder, self._lock.target)
        for folder in sorted(packages.glob("*.dist-info")):
            if folder.name.lower() not in wanted:
                name = folder.name.split("-")[0]
                arguments = ["pip", "uninstall", "--python", str(environment.executable(self._folder)), name]
                self._run(uv, arguments, f"{name} could not be removed")

    def _check(self, missing: list[Wheel]) -> None:
        packages = environment.site_packages(self._folder, self._lock.target)
        total, done = sum(wheel.size for wheel in missing), 0
        for wheel in missing:
            self._teller.progress(InstallerProgress(Stage.CHECKING, wheel.name, done, total))
            damage = damaged_files(packages, wheel, sizes_only=True)  # what was just written would be read from memory
            if damage:
                raise _damaged(wheel, damage)
            done += wheel.size
        self._teller.progress(InstallerProgress(Stage.CHECKING, "", total, total))
        python = environment.executable(self._folder)
        command = [str(python), "-I", "-c", "import sys; print(sys.version_info[:2])"]
        code, _ = child.run(command, variables=_clean_environment())
        if code != 0:
            raise UserError(ErrorKind.RUNTIME, f"The Python of the new environment does not start: {python}.", "")

    def _prepare(self) -> None:
        """Have Python compile what the engine imports, so that the first texture need not wait for it.

        The packages are whole and in place: where this fails, the engine says why when it is started.
        """
        self._teller.progress(InstallerProgress(Stage.PREPARING))
        command = [str(environment.executable(self._folder)), "-I", "-X", "utf8", str(child.START), "prepare"]
        try:
            code, output = child.run(
                command, variables=child.environment(), errors=subprocess.STDOUT, limit=_PREPARE_SECONDS
            )
        except (OSError, TimeoutError) as error:
            code, output = -1, str(error)
        if code != 0:
            _logger.warning("The engine could not be prepared (%d):\n%s", code, output)
        self._teller.progress(InstallerProgress(Stage.PREPARING, "", 1, 1))

    def _stamp(self) -> None:
        size = environment.size_on_disk(self._folder)
        base = str(Path(os.path.realpath(sys.executable)))
        stamp = Stamp(
            self._lock.digest,
            self._lock.backend,
            self._lock.target,
            platform.python_version(),
            base,
            size,
            time.time(),
        )
        environment.write_stamp(self._folder, stamp)

    def _run(self, uv: Path, arguments: list[str], failed: str, tell: Callable[[], None] = lambda: None) -> None:
        """Run uv, which says on stderr what is wrong. Tries again where another program holds a file.

        tell: called every now and then while it runs.
        """
        cache = ["--no-config", "--offline", "--color", "never", "--cache-dir", str(self._downloads / "cache")]
        for attempt in range(3):
            try:
                code, output = child.run(
                    [str(uv), *arguments, *cache],
                    variables=_clean_environment(),
                    errors=subprocess.STDOUT,
                    tick=tell,
                    pause=_TELL_SECONDS,
                )
            except OSError as error:
                raise UserError(
                    ErrorKind.RUNTIME, f"uv, which installs packages, could not be started: {error}."
                ) from error
            if code == 0:
                return
            _logger.error("uv ended with %d:\n%s", code, output)
            if attempt < 2 and _HELD.search(output):
                time.sleep(1.0)
                continue
            raise _explained(failed, output, self._root)


def _batches(wheels: list[Wheel]) -> Iterator[list[Wheel]]:
    """The largest first and side by side. Not all at once: without hard links uv needs the space of a batch twice."""
    batch: list[Wheel] = []
    for wheel in sorted(wheels, key=lambda wheel: -wheel.size):
        batch.append(wheel)
        if sum(wheel.size for wheel in batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _unpacked_size(wheels: Iterable[Path]) -> int:
    """Bytes that wheels take when they are installed; at least 1."""
    total = 1
    for file in wheels:
        with zipfile.ZipFile(file) as archive:
            total += sum(entry.file_size for entry in archive.infolist())
    return total


_HELD = re.compile(r"os error (13|32|5)\b|Permission denied|Access is denied")


def _explained(failed: str, output: str, root: Path) -> UserError:
    """What uv complains about, in a sentence."""
    lines = [line.strip(" ×╰─▶├│") for line in output.splitlines() if line.strip()]
    last = re.sub(r"^(error|cause|Caused by): ?", "", lines[-1]) if lines else "it did not say why"
    if "No space left" in output or "os error 112" in output or "os error 28" in output:
        return UserError(ErrorKind.DISK, f"The disk of {root} is full.", "Free some space, or choose another folder.")
    if _HELD.search(output):
        named = re.search(r"[`']([^`']*[/\\][^`']*)[`']", output)
        place = named[1] if named else str(root)
        message = f"{failed}: {place} is in use by another program, or may not be changed."
        return UserError(ErrorKind.DISK, message, "Close other Blenders, or choose another folder.")
    if "ash mismatch" in output:
        return UserError(ErrorKind.NETWORK, f"{failed}: its hash is not the one in the list.", "Install again.")
    if (
        "no wheels with a matching" in output
        or "is not compatible" in output
        or "incompatible with the current" in output
    ):
        return UserError(ErrorKind.RUNTIME, f"{failed}: there is no wheel of it for this Python and system.", "")
    return UserError(ErrorKind.RUNTIME, f"{failed}: {last[-300:].rstrip('.')}.", "See the log.")


def _clean_environment() -> dict[str, str]:
    """Without what would lead uv or a Python astray; what the user set for networks was read already."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "UV_", "PIP_", "VIRTUAL_ENV"))
    }
    return kept | {"UV_PYTHON_DOWNLOADS": "never"}


# --- verifying ----------------------------------------------------------------------------------------------------


def damaged_files(packages: Path, wheel: Wheel, *, sizes_only: bool = False) -> list[str]:
    """What is wrong with an installed wheel: a sentence's part for each file, none if it is whole.

    Reads each of its files, and compares it with the hash that the package's RECORD names; or looks at its size alone.
    """
    record = packages / wheel.info_folder / "RECORD"
    try:
        with record.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        return [f"{wheel.info_folder} has no RECORD"]
    if not rows:
        return [f"{wheel.info_folder} has an empty RECORD"]
    return [problem for row in rows for problem in _problems(packages, row, sizes_only)]


def _problems(packages: Path, row: list[str], sizes_only: bool) -> Iterable[str]:
    if len(row) < 3 or not row[1]:
        return  # RECORD itself, and bytecode, have no hash
    if sizes_only and row[2].isdigit():
        try:
            size = os.stat(packages / row[0]).st_size
        except OSError:
            yield f"{row[0]} is gone"
        else:
            if size != int(row[2]):
                yield f"{row[0]} has {size} bytes, not {row[2]}"
        return
    kind, _, expected = row[1].partition("=")
    path = packages / row[0]
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, kind).digest()
    except (OSError, ValueError):
        yield f"{row[0]} is gone"
        return
    text = base64.urlsafe_b64encode(found).rstrip(b"=").decode()
    if text != expected:
        yield f"{row[0]} has the hash {kind}={text}, not {row[1]}"


def _damaged(wheel: Wheel, damage: list[str]) -> UserError:
    more = f" ({len(damage) - 1} more files)" if len(damage) > 1 else ""
    return UserError(ErrorKind.RUNTIME, f"{wheel.name} {wheel.version} is damaged: {damage[0]}{more}.", "Press Repair.")


def _verify(root: Path, lock: Lock, teller: Teller) -> str:
    """Read every file of the environment. Where one is damaged, the environment does not count any more."""
    verdict = environment.inspect(root, lock)
    if verdict.condition is not environment.Condition.READY:
        raise UserError(ErrorKind.RUNTIME, verdict.reason, "Press Install or Repair.")
    packages = environment.site_packages(verdict.folder, lock.target)
    total, done, first = sum(wheel.size for wheel in lock.wheels), 0, None
    for wheel in lock.wheels:
        teller.progress(InstallerProgress(Stage.CHECKING, wheel.name, done, total))
        damage = damaged_files(packages, wheel)
        if damage:
            _logger.error("%s: %s", wheel.file, "; ".join(damage[:20]))
            first = first or _damaged(wheel, damage)
        done += wheel.size
    if first:
        environment.remove_stamp(verdict.folder)
        raise first
    return f"All files of the engine's {len(lock.wheels)} packages are as they should be."


def _remove_tree(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder, onerror=_make_writable)


def _make_writable(function: object, path: str, error: object) -> None:
    """Windows does not delete what is read-only."""
    os.chmod(path, stat.S_IWRITE)
    os.unlink(path)
