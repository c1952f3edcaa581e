# SPDX-License-Identifier: GPL-3.0-or-later
"""On the machine that ssh leads to: install, tell what is there, serve. Imports core and the standard library only.

`start.py elsewhere settle ROOT VERSION LOCK [PYTHON]` installs the engine's packages and writes `tilewright-worker`, a
script that ssh starts with `serve` or `check`, and that starts the same.
"""

import json
import os
import platform
import shlex
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..core import lock as locks
from ..core.errors import UserError
from ..core.families import catalogue
from ..core.families.catalogue import ModelInfo
from . import child, environment, far_end, maker, probe
from .disk import disk_errors
from .installer_messages import InstallerAction, InstallerTask, Outcome, Stage, decode
from .library import Library
from .ssh import STARTER
from .store import user_data

TOLD = "TOLD "  # before the one line that counts
LOCKS = Path(__file__).resolve().parent / "locks"


def main(arguments: list[str]) -> int:
    """Run an action; returns its exit code."""
    action, root, version, *rest = arguments
    if action == "settle":
        return _settle(Path(root), version, *rest)
    python = Path(rest[0])
    if action == "check":
        sys.stdout.write(f"\n{TOLD}{json.dumps(report(Path(root), python, version))}\n")
        return 0
    return far_end.serve(Path(root), python, version)


def report(root: Path, python: Path, version: str) -> dict[str, Any]:
    """What is here: see `elsewhere.Report`."""
    engine = error = ""
    try:
        engine = probe.ask(python).text
    except UserError as problem:
        error = str(problem)
    return {
        "version": version,
        "machine": f"{sys.platform} {platform.machine()}",
        "engine": engine,
        "error": error,
        "free": shutil.disk_usage(root).free,
        "waiting": len(far_end.waiting(root)),
        "models": models(root),
    }


def models(root: Path) -> list[dict[str, Any]]:
    """The models that are here: in Tilewright's own folder, and among those of this machine's Blender."""
    found: dict[str, dict[str, Any]] = {}
    for library in (Library(root / "models", user_data() / "models.json"), Library(user_data() / "models", root / "-")):
        for entry in library.entries():
            if entry.is_model and entry.id not in found:
                try:
                    found[entry.id] = model_to_json(catalogue.resolve(entry.id))
                except UserError:
                    continue  # no model, or one that cannot be run
    return list(found.values())


def model_to_json(info: ModelInfo) -> dict[str, Any]:
    """What Blender has to know of a model to ask for it."""
    return {
        "id": info.id,
        "title": info.title,
        "pipeline": info.family.pipeline,
        "prediction": info.prediction_type,
        "defaults": asdict(info.defaults),
        "schedulers": [scheduler.value for scheduler in info.schedulers],
        "exact": info.exact,
    }


def _settle(root: Path, version: str, lock: str, python: str = "") -> int:
    """Install what the engine needs, unless a Python is named that has it. Tells how far it is, line by line."""
    if not python:
        task = InstallerTask(
            InstallerAction.INSTALL, str(LOCKS / f"{lock}.json"), str(root / "environments"), online=True
        )
        if maker.main(task.dumps(), _Lines()):  # type: ignore[arg-type]  # all that it asks of a pipe
            return 1
        wanted = locks.load(Path(task.lock), locks.this_target())
        python = str(environment.executable(environment.folder_of(root / "environments", wanted)))
    try:
        with disk_errors(root):
            write_starter(root, version, Path(sys.executable), Path(python))
        text = probe.ask(Path(python)).text
    except UserError as error:
        _say(str(error))
        return 1
    _say(text)
    _say(f"Tilewright {version} is in {root} on {platform.node()}. Press Check in Blender's preferences.")
    return 0


def write_starter(root: Path, version: str, own: Path, worker: Path) -> Path:
    """Write the script that ssh starts. own, worker: the Pythons of this and of the engine. Raises OSError."""
    start = root / "package" / "start.py" if (root / "package").is_dir() else child.START
    words = [str(own), "-I", "-X", "utf8", str(start), "elsewhere"]
    rest = [str(root), version, str(worker)]
    script, part = root / STARTER, root / f"{STARTER}.part"
    part.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$1" {shlex.join(rest)}\n', encoding="utf-8")
    part.chmod(0o755)
    os.replace(part, script)
    return script


class _Lines:
    """Takes the installer's messages, and says what a terminal's reader wants to know."""

    def __init__(self) -> None:
        self._last = ""

    def write(self, line: bytes) -> int:
        said = decode(line)
        if isinstance(said, Outcome):
            _say(str(said.error) if said.error else said.text)
        else:
            words = f"{said.stage.capitalize()} {said.package}".strip()
            if said.stage is Stage.DOWNLOADING and said.total:
                words = f"{words} ({said.total / 1e6:.0f} MB in all)"
            if words != self._last:
                _say(words)
            self._last = words
        return len(line)

    def flush(self) -> None:
        pass


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
