# SPDX-License-Identifier: GPL-3.0-or-later
"""Who and where this extension is: its name, version, folders, log. Imports bpy and host."""

import logging
import os
import tomllib
from logging.handlers import RotatingFileHandler
from pathlib import Path

import bpy

from ...host.runtime import VARIABLE
from ...host.store import user_data

NAME = (__package__ or "").removesuffix(".blender.common")  # such as "bl_ext.user_default.tilewright"
TITLE = "Tilewright"
_FOLDER = Path(__file__).resolve().parents[2]
_handler: logging.Handler | None = None


def version() -> str:
    """Tilewright's version, from the manifest beside the extension's code."""
    manifest = tomllib.loads((_FOLDER / "blender_manifest.toml").read_text(encoding="utf-8"))
    return str(manifest["version"])


def manual() -> Path:
    """The first page of the manual, which is in the package."""
    return _FOLDER / "manual" / "README.md"


def data_folder(name: str) -> Path:
    """A folder for what the extension needs; it outlives updates and goes with the extension. It need not exist yet."""
    return Path(bpy.utils.extension_path_user(NAME, path=name))


def results_folder() -> Path:
    """Where textures go unless the user names a folder."""
    return _shared_folder() / "results"


def models_folder() -> Path:
    """Where downloaded models go unless the user names a folder."""
    return _shared_folder() / "models"


def added_models() -> Path:
    """The file that says where the models are that the user added from elsewhere."""
    return _shared_folder() / "models.json"


def _shared_folder() -> Path:
    """For what is large, or the user's: not where Blender deletes it together with the extension.

    All Blenders share it, but for a portable one, or one whose folders the user has put elsewhere: those keep it.
    """
    user = Path(bpy.utils.resource_path("USER"))
    portable = Path(bpy.utils.resource_path("LOCAL")).parent
    moved = os.environ.get("BLENDER_USER_RESOURCES")
    if user.is_relative_to(portable) or (moved and user.is_relative_to(moved)):
        return user / "tilewright"
    return user_data()


def old_results_folder() -> Path:
    """Where they went before that."""
    return data_folder("results")


def names_python() -> bool:
    """Whether the environment's variable names the engine's Python, which goes before all else."""
    return bool(os.environ.get(VARIABLE, "").strip())


def elsewhere_file() -> Path:
    """What was found on the other machine that the preferences name."""
    return data_folder("elsewhere.json")


def engine_log() -> Path:
    """What the worker writes to its standard error."""
    return data_folder("logs") / "engine.log"


def own_log() -> Path:
    """What goes wrong in Blender's own process."""
    return data_folder("logs") / "tilewright.log"


def open_log() -> None:
    """Let all that this extension logs go into its own file, which is made with the first line, and no further."""
    global _handler
    logger = logging.getLogger(NAME)
    if _handler is None:
        _handler = _LateFile(own_log())
        _handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logger.addHandler(_handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False


def close_log() -> None:
    global _handler
    if _handler is not None:
        logger = logging.getLogger(NAME)
        logger.removeHandler(_handler)
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
        _handler.close()
        _handler = None


class _LateFile(RotatingFileHandler):
    """A log of at most 1 MB that touches the disk only when there is something to say."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=1 << 20, backupCount=1, encoding="utf-8", delay=True)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            self.handleError(record)
            return
        super().emit(record)
