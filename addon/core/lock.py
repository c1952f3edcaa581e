# SPDX-License-Identifier: GPL-3.0-or-later
"""The locked list of the engine's packages: which wheels, how large, with which hashes. Imports the standard library.

One lock is one file for one torch backend, made by `tools/dev.py lock`:

    {"format": 1, "backend": "index", "verified": ["cp311-linux-x86_64"],
     "wheels": {"torch-2.14.1-cp311-...whl": [bytes, sha256]},
     "targets": {"cp311-linux-x86_64": ["torch-2.14.1-cp311-...whl", ...]}}

A target is a Python and a platform. The wheel of uv, which installs the others, is one of each target's. "indexes" may
name where a backend's own wheels are.
"""

import hashlib
import json
import platform
import re
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import ErrorKind, UserError

INSTALLER = "uv"
_FORMAT = 1
_WHEEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*\.whl")
_MACHINES = {"amd64": "x86_64", "x64": "x86_64", "aarch64": "arm64"}
_SYSTEMS = {"win32": "windows", "darwin": "macos"}


@dataclass(frozen=True)
class Wheel:
    """One file of an index. `size` in bytes, `sha256` as hexadecimal digits."""

    file: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """The project's name as indexes write it: "huggingface-hub"."""
        return re.sub(r"[-_.]+", "-", self.file.split("-")[0]).lower()

    @property
    def version(self) -> str:
        return self.file.split("-")[1]

    @property
    def info_folder(self) -> str:
        """The folder among the installed packages that says what belongs to this one."""
        return "-".join(self.file.split("-")[:2]) + ".dist-info"


@dataclass(frozen=True)
class Lock:
    """What one environment consists of.

    backend: "index" for what a package index itself has, else one of uv's torch backends.
    verified: whether an environment was made and used with it on this target.
    digest: changes with all of it; part of an environment's stamp.
    installer: the wheel of uv. indexes: where a backend's own wheels are, asked after those of the user.
    """

    backend: str
    target: str
    verified: bool
    wheels: tuple[Wheel, ...]
    installer: Wheel
    digest: str
    indexes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes to download."""
        return self.installer.size + sum(wheel.size for wheel in self.wheels)


def this_target() -> str:
    """The target of the running Python, such as "cp311-linux-x86_64"."""
    return f"cp{sys.version_info.major}{sys.version_info.minor}-{_platform()}"


def python_of(target: str) -> str:
    """ "3.11" of "cp311-linux-x86_64"."""
    digits = target.split("-")[0].removeprefix("cp")
    return f"{digits[:1]}.{digits[1:]}"


def load(path: Path, target: str) -> Lock:
    """The part of a lock that is for that target. Raises `UserError` (kind `RUNTIME`)."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return _parse(data, target)
    except OSError as error:
        message = f"The list of the engine's packages cannot be read: {path.name} ({error.strerror})."
        raise UserError(ErrorKind.RUNTIME, message, "Install Tilewright again.") from error
    except (KeyError, TypeError, ValueError) as error:
        message = f"The list of the engine's packages is damaged: {path.name}."
        raise UserError(ErrorKind.RUNTIME, message, "Install Tilewright again.") from error


def _parse(data: Mapping[str, Any], target: str) -> Lock:
    if data["format"] != _FORMAT:
        raise ValueError("of another format")
    targets = data["targets"]
    if target not in targets:
        raise UserError(
            ErrorKind.RUNTIME,
            f"There are no packages of the engine for Python {python_of(target)} on {target.partition('-')[2]}.",
            "Make an environment of your own, and name its Python in the preferences.",
        )
    wheels = []
    for file in targets[target]:
        size, sha256 = data["wheels"][file]
        if not _WHEEL.fullmatch(file) or not re.fullmatch("[0-9a-f]{64}", sha256) or not isinstance(size, int):
            raise ValueError("no wheel")
        wheels.append(Wheel(file, size, sha256))
    (installer,) = [wheel for wheel in wheels if wheel.name == INSTALLER]
    wheels.remove(installer)
    backend = str(data["backend"])
    made_from = [backend, target, *sorted(f"{wheel.file} {wheel.sha256}" for wheel in wheels)]
    digest = hashlib.sha256("\n".join(made_from).encode()).hexdigest()
    return Lock(
        backend, target, target in data["verified"], tuple(wheels), installer, digest, tuple(data.get("indexes", ()))
    )


def _platform() -> str:
    machine = platform.machine().lower()
    if sys.platform == "win32":
        # a 64-bit Python on another processor is asked for its own kind, not for the machine's
        machine = sysconfig.get_platform().removeprefix("win-")
    return f"{_SYSTEMS.get(sys.platform, sys.platform)}-{_MACHINES.get(machine, machine)}"
