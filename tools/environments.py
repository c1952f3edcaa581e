# SPDX-License-Identifier: GPL-3.0-or-later
"""The two environments, as with users: one with bpy and no torch, one with torch and no bpy. Imports addon.host.

An environment is a folder in the cache, named after what it was made from: the text of its requirements, the Python,
the platform. So a second checkout finds it ready, and a change of the requirements makes a new one. A stamp, written
last, makes it count: what was left half made is thrown away and made again.
"""

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from addon.core.single_holder import take_lock
from tools.machine import (
    ROOT,
    MachineError,
    Python,
    cache_folder,
    check_disk_space,
    check_shared_libraries,
    find_python,
)

REQUIREMENTS = ROOT / "tools" / "requirements"
STAMP = "tilewright-environment.json"
HEARTBEAT_SECONDS = 20
UNREACHABLE = ("name resolution", "NewConnectionError", "Network is unreachable", "Connection refused", "timed out")


@dataclass(frozen=True)
class Kind:
    """What an environment is made of.

    Attributes:
        name: first part of the folder's name.
        title: how it is called in messages.
        requirements: files in tools/requirements, installed with their dependencies.
        bare: files installed after them without dependencies.
        gigabytes: free space that making it needs, in 1e9 bytes.
    """

    name: str
    title: str
    requirements: tuple[str, ...]
    bare: tuple[str, ...]
    gigabytes: float


BLENDER = Kind("blender", "Blender's environment", ("blender.txt", "check.txt"), (), 3)
# Other Blenders that the extension serves, by the name that `tools/dev.py test --bpy` takes.
OTHER_BLENDERS = {
    name: Kind(f"blender-{name}", f"the environment of Blender {name}", (f"blender-{name}.txt", "check.txt"), (), 3)
    for name in ("4.2", "5.0")
}
LINT = Kind("lint", "lint's environment", ("lint.txt", "check.txt"), (), 1)
RAY = Kind("ray", "Ray's environment", ("ray.txt", "check.txt"), (), 1)
ENGINE = Kind("engine", "the worker's environment", ("engine.txt", "check.txt"), ("starter.txt",), 8)


def ensure(kind: Kind) -> Path:
    """The Python of the environment, which is made first if there is none.

    Raises:
        MachineError: what the machine lacks, or what went wrong, in one sentence.
    """
    python = find_python()
    folder = environment_folder(kind, python)
    if not is_ready(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with only_maker(folder.with_name(f"{folder.name}.lock")):
            if not is_ready(folder):
                make(kind, python, folder)
    if kind.name.startswith(BLENDER.name):
        for library in site_packages(folder).glob("bpy/__init__*.so"):
            check_shared_libraries(library)
    return executable(folder)


def environment_folder(kind: Kind, python: Python) -> Path:
    """Where the environment of this kind belongs, whether it is there or not."""
    made_from = [python.version, sys.platform, platform.machine()]
    made_from += [(REQUIREMENTS / name).read_text(encoding="utf-8") for name in (*kind.requirements, *kind.bare)]
    key = hashlib.sha256("\0".join(made_from).encode()).hexdigest()[:12]
    return cache_folder() / "environments" / f"{kind.name}-{key}"


def is_ready(folder: Path) -> bool:
    """Whether the environment was made to its end and its Python still starts."""
    if not (folder / STAMP).is_file():
        return False
    try:
        # Its Python refers to the one that it was made with, which may have been removed since.
        return subprocess.run([executable(folder), "-I", "-c", ""], capture_output=True).returncode == 0
    except OSError:
        return False


def executable(folder: Path) -> Path:
    """The environment's Python."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def site_packages(folder: Path) -> Path:
    """The folder of the environment's packages."""
    if sys.platform == "win32":
        return folder / "Lib" / "site-packages"
    return next(folder.glob("lib/python3.*/site-packages"))


def make(kind: Kind, python: Python, folder: Path) -> None:
    """Make the environment in place (one cannot be moved), stamped when it is whole. The caller holds the lock."""
    if folder.exists():
        say(f"Removing {folder}, which was left half made.")
        shutil.rmtree(folder)
    check_disk_space(folder.parent, kind.gigabytes)
    say(f"Making {kind.title} with Python {python.version} (once, some minutes): {folder}")
    begin = time.monotonic()
    log = folder.with_name(f"{folder.name}.log")
    with log.open("w", encoding="utf-8") as log_file:
        made = subprocess.run(
            [python.executable, "-m", "venv", folder],
            stdout=log_file,
            stderr=subprocess.STDOUT,
            env=clean_environment(),
        )
    if made.returncode != 0:
        raise MachineError(f"Python {python.version} could not make a virtual environment: see {log}")
    install(folder, kind.requirements, [], log)
    install(folder, kind.bare, ["--no-deps"], log)
    stamp = {"kind": kind.name, "python": python.version, "seconds": round(time.monotonic() - begin)}
    part = folder / f"{STAMP}.part"
    part.write_text(json.dumps(stamp), encoding="utf-8")
    part.replace(folder / STAMP)
    say(f"Made {kind.title} in {stamp['seconds']} s.")


def install(folder: Path, names: tuple[str, ...], options: list[str], log: Path) -> None:
    """Have pip install requirement files, with its output in the log and its large steps told."""
    if not names:
        return
    command = [executable(folder), "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *options]
    for name in names:
        command += ["--requirement", REQUIREMENTS / name]
    lines: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=clean_environment()
    ) as pip:
        with heartbeat(), log.open("a", encoding="utf-8") as log_file:
            for line in pip.stdout or ():
                log_file.write(line)
                lines.append(line.strip())
                if step := large_step(line.strip()):
                    say(f"  {step}")
    if pip.returncode != 0:
        last = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
        if any(sign in line for line in lines for sign in UNREACHABLE):
            raise MachineError(
                f"pip cannot reach its package index: connect to the network and run this again ({log})."
            )
        raise MachineError(f"pip could not install {' and '.join(names)} ({' '.join(last[-1:])}): see {log}")


def large_step(line: str) -> str | None:
    """A line of pip's output in plain words if it announces something that takes its time, else None."""
    if found := re.match(r"Downloading (?:\S*/)?([\w.]+?)-\d\S* \(([\d.]+) (MB|GB)\)", line):
        name, size, unit = found.groups()
        return f"downloading {name} ({size} {unit})" if unit == "GB" or float(size) >= 50 else None
    if line.startswith("Installing collected packages:"):
        return f"installing {line.count(',') + 1} packages"
    return None


@contextlib.contextmanager
def heartbeat() -> Iterator[None]:
    """Say every while that work goes on: unpacking torch is silent for minutes."""
    ended = threading.Event()
    begin = time.monotonic()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            say(f"  ... {time.monotonic() - begin:.0f} s")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def only_maker(lock: Path) -> Iterator[None]:
    """Hold a lock that the system takes back when its holder dies, so that two makers at once make one environment."""
    with lock.open("a+b") as file:
        told = False
        while not take_lock(file.fileno()):
            if not told:
                say(f"Another run is making {lock.name.removesuffix('.lock')}; waiting for it.")
                told = True
            time.sleep(1)
        yield  # closing the file gives the lock back


def clean_environment() -> dict[str, str]:
    """This process' environment variables without those that would lead another Python astray."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}


def say(text: str) -> None:
    """Tell the contributor what goes on, at once also where the output is a pipe."""
    print(text, flush=True)
