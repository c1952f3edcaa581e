# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user's preferences say, for whoever needs it. Their class is in the shell. Imports bpy, core and host."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import ErrorKind, UserError
from ...host import elsewhere, runtime, ssh_link
from ...host.library import Library
from ...host.ssh import FOLDER, Place
from . import environments, package, state
from .languages import rpt_

store_handlers: list[Callable[[], None]] = []  # called when the folder of the results is another
models_handlers: list[Callable[[], None]] = []  # called when the list of models is another


def get() -> Any:
    """This extension's preferences."""
    return bpy.context.preferences.addons[package.NAME].preferences


def store_folder() -> Path:
    """Where results go."""
    return chosen_path(get().store) or package.results_folder()


def models_folder() -> Path:
    """Where models are looked for, and downloaded to."""
    return chosen_path(get().models) or package.models_folder()


def library() -> Library:
    """The models of that folder, and those that were added from elsewhere."""
    models, folder = state.current.models, models_folder()
    if models.library is None or models.library.models != folder:
        models.library = Library(folder, package.added_models())
    return models.library


def chosen_path(text: str) -> Path | None:
    """A path that the user chose, which may start with "~" or, as Blender's file browser likes it, with "//"."""
    text = text.strip()
    return Path(os.path.abspath(Path(bpy.path.abspath(text)).expanduser())) if text else None


def environments_folder() -> Path:
    """Where Install makes environments."""
    return chosen_path(get().environment) or package.data_folder("environments")


def find_engine() -> runtime.Runtime:
    """The Python to run the engine with. Raises `UserError` (kind `RUNTIME`)."""
    own = str(chosen_path(get().python) or "")
    return runtime.find(own, lambda: environments.find(environments_folder(), get().backend))


def is_elsewhere() -> bool:
    """Whether another machine makes the textures."""
    return get().place == "ELSEWHERE" and bool(get().host.strip())


def place() -> Place | None:
    """The other machine that makes the textures, None for this one. Raises `UserError` as `named_place` does."""
    return named_place() if is_elsewhere() else None


def named_place() -> Place:
    """The other machine that is named, chosen or not. Raises `UserError` where none can be so named, or reached."""
    named = Place(get().host.strip(), get().host_folder.strip() or FOLDER)
    if not bpy.app.online_access:
        words = rpt_("Blender isn't allowed online, and {host} is in the network.").format(host=named.host)
        raise UserError(ErrorKind.NETWORK, words, "Turn on Allow Online Access in Preferences > System.")
    return named


def models_elsewhere() -> elsewhere.Report | None:
    """What is known of the other machine where that one is chosen, else None."""
    report = state.current.elsewhere
    return report if is_elsewhere() and report is not None and report.place.host == get().host.strip() else None


def find_worker() -> runtime.Runtime:
    """What the worker runs with: the engine's Python here, or the other machine. Raises `UserError`."""
    there = place()
    return ssh_link.runtime(there) if there else find_engine()


def check_engine() -> None:
    """Remember what is missing, so that the panel can say it without looking at the disk."""
    current = state.current
    current.environments = environments.environments(environments_folder(), get().backend)
    try:
        there = place()
        known = current.elsewhere
        if there is None or known is None or known.place != there:
            current.elsewhere = elsewhere.load(there, package.elsewhere_file()) if there else None
        find_worker()
    except UserError as error:
        current.engine_error = error
        return
    if current.error == current.engine_error:  # a Generate that failed for it; it is mended
        current.error = None
    current.engine_error = None
