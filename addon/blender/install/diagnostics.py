# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report needs, without names and places of the user. Imports bpy and core."""

import getpass
import os
import platform
import socket
import sys
from pathlib import Path

import bpy

from ...core.masking import mask
from ..common import package, preferences, state
from . import setup

_LINES = 30
_SETTINGS = ("backend", "device", "memory", "idle_minutes", "yield_to_render", "place")
_PLACES = ("environment", "wheels", "index", "python", "store", "models", "host")


def text() -> str:
    """Versions, settings, what is installed, the last errors, the ends of the logs."""
    current, prefs = state.current, preferences.get()
    found = current.environments
    lines = [
        f"Tilewright {package.version()}, Blender {bpy.app.version_string}, Python {platform.python_version()}",
        f"{platform.platform()}, {platform.machine()}, online access {'on' if bpy.app.online_access else 'off'}",
        f"Graphics: {_graphics()}",
        "Settings: " + ", ".join(f"{name} {getattr(prefs, name)}" for name in _SETTINGS),
        "Changed: " + (", ".join(name for name in _PLACES if getattr(prefs, name).strip()) or "no places"),
        f"Engine: {current.engine_error or 'found'}",
        f"Packages: {found.verdict.condition if found and found.verdict else 'none fit'}"
        + (f", list {found.lock.backend} {found.lock.digest[:12]}" if found and found.lock else ""),
        f"Last texture: {_made_by()}",
        f"Last error: {current.error or 'none'}",
        f"Setup: {current.setup.error or current.setup.message or 'nothing was done'}",
    ]
    for log in (package.own_log(), package.engine_log(), setup.log()):
        lines += ["", f"--- {log.name}", *_tail(log)]
    names = {getpass.getuser(), Path.home().name, socket.gethostname()} if _has_user() else set()
    return mask("\n".join(lines), [str(Path.home()), os.path.expanduser("~")], names)


def _made_by() -> str:
    """Device, torch and packages of the newest texture, as its recipe names them."""
    history = state.current.history
    newest = next(iter(history.entries), None) if history else None
    found = newest.result.recipe.environment if newest else {}
    return ", ".join(f"{name} {value}" for name, value in found.items()) or "none"


def _tail(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - 20_000, 0))
            return [line[:500] for line in file.read().decode("utf-8", "replace").splitlines()[-_LINES:]]
    except OSError:
        return ["(nothing)"]


def _graphics() -> str:
    if bpy.app.background:
        return "background"
    import gpu

    return f"{gpu.platform.vendor_get()} {gpu.platform.renderer_get()} ({gpu.platform.backend_type_get()})"


def _has_user() -> bool:
    """Some systems have no name for the user who runs them."""
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):
        return sys.platform == "win32"
    return True
