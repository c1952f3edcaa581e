# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine has and lacks: folders, a fitting Python, disk space, shared libraries. Standard library only."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The versions of Python that Blender exists for as a module, newest long-term release of each.
BLENDER_OF_PYTHON = {"3.11": "4.5", "3.13": "5.2"}

ABOUT_PYTHON = (
    "import sys, platform; print(platform.python_version(), sys.executable, flush=True); import venv, ensurepip"
)

# Debian's names of what Blender's module is linked to, for the sentence that says what is missing.
DEBIAN_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libICE.so.6": "libice6",
    "libSM.so.6": "libsm6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libxkbcommon.so.0": "libxkbcommon0",
}


class MachineError(Exception):
    """Something a command needs is missing or failed; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Python:
    """A Python that environments can be made with: its executable and its full version, such as "3.11.7"."""

    executable: Path
    version: str

    @property
    def series(self) -> str:
        """The version without its last number, such as "3.11"."""
        return ".".join(self.version.split(".")[:2])


def cache_folder() -> Path:
    """Where environments and checkpoints are kept: $TILEWRIGHT_CACHE, or the platform's cache folder for this user."""
    if chosen := os.environ.get("TILEWRIGHT_CACHE"):
        return Path(chosen).expanduser().resolve()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "tilewright"


def find_python() -> Python:
    """The running Python if Blender exists for it, else the first such one on the PATH.

    Raises:
        MachineError: there is none, or those that there are cannot make environments.
    """
    without_venv: list[str] = []
    for candidate in (sys.executable, *(f"python{series}" for series in BLENDER_OF_PYTHON)):
        if (executable := shutil.which(candidate)) is None:
            continue
        # A name on the PATH may be a shim for a Python that is not there, so it is asked, not looked at.
        answer = subprocess.run([executable, "-I", "-c", ABOUT_PYTHON], capture_output=True, text=True)
        version, _, real_executable = answer.stdout.strip().partition(" ")
        python = Python(Path(real_executable), version)
        if python.series not in BLENDER_OF_PYTHON:
            continue
        if answer.returncode == 0:
            return python
        without_venv.append(python.series)
    if without_venv:
        raise MachineError(
            f"Python {without_venv[0]} here lacks the module venv or ensurepip: install it, "
            f"on Debian or Ubuntu with: apt-get install python{without_venv[0]}-venv"
        )
    raise MachineError(
        f"Blender exists as a module for Python {' and '.join(BLENDER_OF_PYTHON)} only, and this is "
        f"Python {sys.version_info.major}.{sys.version_info.minor}: install one of them, so that it is on the PATH."
    )


def check_disk_space(folder: Path, gigabytes: float) -> None:
    """Raise MachineError unless `gigabytes` (of 1e9 bytes) are free where `folder` is; the folder must exist."""
    free = shutil.disk_usage(folder).free / 1e9
    if free < gigabytes:
        raise MachineError(
            f"{folder} has {free:.1f} GB free and {gigabytes:.0f} GB are needed: "
            "make room, or set TILEWRIGHT_CACHE to a folder on another disk."
        )


def check_shared_libraries(library: Path) -> None:
    """Raise MachineError if a shared library that `library` is linked to is missing. Only Linux says so beforehand."""
    if sys.platform != "linux" or shutil.which("ldd") is None:
        return
    listing = subprocess.run(["ldd", str(library)], capture_output=True, text=True).stdout
    missing = sorted(line.split()[0] for line in listing.splitlines() if "not found" in line)
    if missing:
        packages = " ".join(DEBIAN_PACKAGES[name] for name in missing if name in DEBIAN_PACKAGES)
        raise MachineError(
            f"Blender needs shared libraries that this machine lacks ({', '.join(missing)}): install them"
            + (f", on Debian or Ubuntu with: apt-get install {packages}" if packages else ".")
        )
