# SPDX-License-Identifier: GPL-3.0-or-later
"""Another machine as this one sees it: what is there, and how Tilewright gets there. Imports core.

`check` runs in a background thread. `start.py send HOST` copies the package there by ssh, and installs the engine with
the same list of packages; in a terminal, where ssh may ask what it has to ask.
"""

import argparse
import json
import logging
import os
import shlex
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ..core import families
from ..core.errors import ErrorKind, UserError
from ..core.families.catalogue import ModelInfo
from ..core.families.family import Defaults
from ..core.lock import python_of
from ..core.requests.texture import Scheduler
from . import child, ssh
from .settling import LOCKS, TOLD
from .ssh import FOLDER, Place

_logger = logging.getLogger(__name__)
_CHECK_SECONDS = 240.0  # importing torch from a slow disk takes minutes
_LEFT_OUT = {"blender", "manual", "__pycache__"}  # of the package: Blender's room, and what is read
_ABSENT = "ABSENT"


@dataclass(frozen=True)
class Report:
    """What is on the other machine.

    version: of Tilewright there, "" for none. machine: system, and kind of processor. engine: what the worker's Python
    has; error: what it lacks. free: bytes. waiting: results that have not come over. models: those there, by id.
    told: all of this as it was told, in JSON.
    """

    place: Place
    version: str
    machine: str
    engine: str = ""
    error: str = ""
    free: int = 0
    waiting: int = 0
    models: Mapping[str, ModelInfo] = field(default_factory=dict)
    told: str = ""

    def problem(self, product: str) -> str:
        """What is missing for this Tilewright to work with it: a sentence, "" for nothing."""
        host = self.place.host
        if not self.version:
            return f"Tilewright is not in {self.place.folder} on {host} ({self.machine})."
        if self.version != product:
            return f"{host} has Tilewright {self.version}, and this is {product}."
        return f"{host}: {self.error}" if self.error else ""

    @property
    def text(self) -> str:
        """What is there, in sentences."""
        words = [f"{self.place.host} has Tilewright {self.version} ({self.machine}). {self.engine}"]
        words.append(f"{self.free / 1e9:.0f} GB are free.")
        others = len(self.models) - 1
        if others > 0:
            words.append(f"It has {others} more model{'s' * (others > 1)}.")
        if self.waiting:
            words.append(f"Textures that wait there for a connection: {self.waiting}.")
        return " ".join(words)


def check(place: Place, stopped: Callable[[], bool] = lambda: False) -> Report:
    """Ask the other machine. Raises `UserError` where it cannot be asked. stopped: asked now and then."""

    def tick() -> None:
        if stopped():
            raise UserError(ErrorKind.RUNTIME, "Stopped.")

    line = (
        f"if [ -x {place.starter} ]; then exec {place.starter} check; fi; "
        f'echo; echo "{TOLD}{_ABSENT} $(uname -sm)"; exit 0'
    )
    command = ssh.command(place, line)
    try:
        code, said = child.run(
            command,
            variables=child.environment(),
            errors=subprocess.STDOUT,
            limit=_CHECK_SECONDS,
            tick=tick,
            own_group=True,
        )
    except TimeoutError as error:
        message = f"{place.host} did not answer within {_CHECK_SECONDS:g} s."
        raise UserError(ErrorKind.NETWORK, message) from error
    except (OSError, ValueError) as error:
        raise UserError(ErrorKind.RUNTIME, f"ssh cannot be started: {error}.") from error
    told = next((line.removeprefix(TOLD) for line in said.splitlines() if line.startswith(TOLD)), None)
    if told is None:
        raise ssh.fault(place, code, said, greeted=False)
    if told.startswith(_ABSENT):
        return Report(place, "", told.removeprefix(_ABSENT).strip())
    try:
        return read(place, told)
    except ValueError as error:
        raise UserError(
            ErrorKind.WORKER, f"What {place.host} says is not of this Tilewright.", "Copy Tilewright there again."
        ) from error


def save(report: Report, path: Path) -> None:
    """Keep it for the next start of Blender. What cannot be written is logged."""
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        place = {"host": report.place.host, "folder": report.place.folder, "told": report.told}
        part.write_text(json.dumps(place), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        _logger.warning("What is on %s could not be kept: %s", report.place.host, error)


def load(place: Place, path: Path) -> Report | None:
    """What was kept of that place, None for nothing."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        same = (said["host"], said["folder"]) == (place.host, place.folder)
        return read(place, said["told"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read(place: Place, told: str) -> Report:
    """What `settling.report` told. Raises ValueError on anything else."""
    try:
        return _report(place, json.loads(told), told)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("no report") from error


def _report(place: Place, data: Mapping[str, Any], told: str) -> Report:
    infos = [_model(model) for model in data["models"]]
    return Report(
        place,
        str(data["version"]),
        str(data["machine"]),
        str(data["engine"]),
        str(data["error"]),
        int(data["free"]),
        int(data["waiting"]),
        {info.id: info for info in infos if info is not None},
        told,
    )


def _model(data: Mapping[str, Any]) -> ModelInfo | None:
    """The reverse of `settling.model_to_json`; None for one of a family that is unknown here."""
    family = families.by_pipeline(data["pipeline"])
    if family is None:
        return None
    return ModelInfo(
        str(data["id"]),
        str(data["title"]),
        Path(data["id"]),
        family,
        str(data["prediction"]),
        Defaults(**data["defaults"]),
        tuple(Scheduler(name) for name in data["schedulers"]),
        "",
        bool(data["exact"]),
    )


def install_command(place: Place, python: str, backend: str) -> str:
    """The one line for a terminal here that brings Tilewright there, or up to date. python: this computer's own."""
    words = [python, "-I", str(child.START), "send", place.host]
    words += ["--folder", place.folder] if place.folder != FOLDER else []
    words += ["--packages", backend] if backend != "index" else []
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


# --- the command --------------------------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """`start.py send HOST [--folder FOLDER] [--packages LIST] [--python PYTHON]`; 0 if all is there."""
    parser = argparse.ArgumentParser(prog="send", description="Copies Tilewright to another machine and installs it.")
    parser.add_argument("host", help="as in ~/.ssh/config, or user@name")
    parser.add_argument("--folder", default=FOLDER, help=f"where to, there ({FOLDER})")
    lists = sorted(file.stem for file in LOCKS.glob("*.json"))
    parser.add_argument("--packages", default="index", choices=lists, help="the list of packages (index)")
    parser.add_argument("--python", default="", help="a Python there that has the engine's packages: none is installed")
    options = parser.parse_args(arguments)
    try:
        place = Place(options.host, options.folder)
        return send(place, version(), options.packages, options.python)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def version() -> str:
    """Of this package, from the manifest beside its code, or that of the repository."""
    package = child.START.parent
    for folder in (package, package.parent):
        manifest = folder / "blender_manifest.toml"
        if manifest.is_file():
            return str(tomllib.loads(manifest.read_text(encoding="utf-8"))["version"])
    raise UserError(ErrorKind.RUNTIME, "The package has no manifest.", "Install Tilewright again.")


def send(place: Place, product: str, backend: str = "index", python: str = "") -> int:
    """Copy this package there and have it install the engine. Returns ssh's exit code. Raises `UserError`."""
    command = ssh.command(place, settling_line(place, product, backend, python), ask=True)
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin
        try:
            write_package(process.stdin)
        except OSError as error:  # it has ended, and has said why
            if process.wait() == 0:
                raise UserError(ErrorKind.NETWORK, f"The package did not reach {place.host}: {error}.") from error
        return process.wait()


def settling_line(place: Place, product: str, backend: str, python: str) -> str:
    """The line of POSIX shell there that takes the package from its stdin."""
    targets = json.loads((LOCKS / f"{backend}.json").read_text(encoding="utf-8"))["targets"]
    versions = sorted({python_of(target) for target in targets})
    candidates = [shlex.quote(python)] if python else [*(f"python{version}" for version in versions), "python3"]
    fits = "sys.version_info >= (3, 11)" if python else f"'%d.%d' % sys.version_info[:2] in {tuple(versions)!r}"
    test = shlex.quote(f"import sys; sys.exit(not ({fits}))")
    words = [product, backend, *([python] if python else [])]
    return (
        f"set -e; mkdir -p {place.shell_folder}; cd {place.shell_folder}; rm -rf package.new; mkdir package.new; "
        f"tar -xf - -C package.new; "
        f"for python in {' '.join(candidates)}; do "
        f'if "$python" -c {test} 2>/dev/null; then '
        f"rm -rf package.old; if [ -d package ]; then mv package package.old; fi; mv package.new package; "
        f"rm -rf package.old; "
        f'exec "$python" -I -X utf8 "$PWD"/package/start.py elsewhere settle "$PWD" {shlex.join(words)}; fi; done; '
        f'echo "There is no Python {", ".join(versions)} on $(uname -n). Install one, or name one with --python." >&2; '
        f"exit 9"
    )


def write_package(stream: IO[bytes]) -> None:
    """The package as a tar archive, without what only Blender needs. Raises OSError."""
    package = child.START.parent
    with stream, tarfile.open(fileobj=stream, mode="w|") as archive:
        for path in _files(package):
            archive.add(path, path.relative_to(package).as_posix())


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in _LEFT_OUT or path.suffix == ".pyc":
            continue
        if path.is_dir():
            yield from _files(path)
        else:
            yield path
