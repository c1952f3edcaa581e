# SPDX-License-Identifier: GPL-3.0-or-later
"""A control's picture baked in a second Blender without a window, so that this one is never blocked. Imports bpy, core.

Blender's own bake job works in the scene that the window shows alone, whose engine and selection it would take. So a
copy of what is baked is written into a file, which another Blender bakes (see `material.elsewhere`); background mode,
which may block, does without.
"""

import logging
import os
from array import array
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import ErrorKind, UserError
from ...core.results import disk_errors
from ..common import state, targets
from ..common.drawing import redraw_sidebars
from ..common.languages import rpt_
from ..material import elsewhere
from ..pictures import sources
from ..settings.properties import TILEWRIGHT_PG_control, settings_of
from . import control_bake, delivery
from .control_bake import Picture, Prepared, Shows

_logger = logging.getLogger(__name__)
_SCENE, _PIXELS = "scene.blend", "pixels"
_INTERVAL = 0.2  # seconds
_BUSY = UserError(ErrorKind.TARGET, "A picture is being baked.", "Wait for it, or stop it.")


class Bake(elsewhere.Errand):
    """One bake, running from the moment that this is made.

    document, scene, index: where its control is: the open file, the scene's session uid, the place.
    """

    def __init__(self, prepared: Prepared, scene: bpy.types.Scene, index: int, scratch: Path) -> None:
        super().__init__("control_baker", scratch, 1)
        self.document, self.scene, self.index = state.current.document, scene.session_uid, index
        self._picture = prepared.picture
        self._pixels: array[float] | None = None
        # whole paths: the file lies elsewhere than the user's
        bpy.data.libraries.write(str(scratch / _SCENE), {prepared.scene}, path_remap="ABSOLUTE")
        self.begin({"settings": _plain(prepared.settings), "picture": asdict(prepared.picture)}, {})

    def failed(self, reason: str) -> str:
        return rpt_("Blender can't bake it: {reason}.").format(reason=reason)

    def ended(self, code: int) -> str:
        return rpt_("Cannot bake: the Blender that bakes ended with {code}.").format(code=code)

    def take(self, answer: Mapping[str, Any]) -> None:
        file = self._scratch / _PIXELS
        if file.is_file():
            values = array("f")
            values.frombytes(file.read_bytes())
            self._pixels = values

    def image(self) -> bpy.types.Image | None:
        """The picture as a new image, once it is over; None where it was stopped."""
        if self._pixels is None or self.is_cancelled:
            return None
        made = self._picture.new()
        pixels: Any = made.pixels
        pixels.foreach_set(self._pixels)
        return made


def problem(context: bpy.types.Context) -> UserError | None:
    """Why nothing can be baked now, for greyed buttons."""
    return _BUSY if state.current.bake is not None else control_bake.problem(context)


def start(context: bpy.types.Context, index: int, shows: Shows) -> bpy.types.Image | None:
    """Bake what a control is to see. index: its place. The picture, but in a window None: there it comes later.

    Raises `UserError` where there is nothing of the kind to bake, or Blender cannot bake it.
    """
    if error := problem(context):
        raise error
    scene = context.scene
    settings = settings_of(scene)
    with control_bake.prepared(context, shows, (settings.width, settings.height)) as prepared:
        if bpy.app.background:
            image = prepared.picture.new()
            try:
                control_bake.bake(prepared.scene, prepared.settings, image)
            except RuntimeError as error:
                bpy.data.images.remove(image)
                raise _failed(str(error)) from error
            return _put(image, settings.controls[index])
        scratch = sources.new_folder()
        try:
            with disk_errors(scratch):
                state.current.bake = Bake(prepared, scene, index, scratch)
        except RuntimeError as error:  # what Blender says of a file that it cannot write
            raise _failed(str(error)) from error
    bpy.app.timers.register(_watch, first_interval=_INTERVAL, persistent=True)
    redraw_sidebars()
    return None


def _watch() -> float | None:
    """The timer: wait for the other Blender, then give the control its picture."""
    bake = state.current.bake
    if bake is None:
        return None
    if not bake.is_over:
        return _INTERVAL
    state.current.bake = None
    try:
        _take(bake)
    except Exception:  # a timer that raises is dropped by Blender
        _logger.exception("A baked picture could not be taken.")
    redraw_sidebars()
    return None


def _take(bake: Bake) -> None:
    scene = targets.by_uid(bpy.data.scenes, bake.scene)
    controls = settings_of(scene).controls if scene is not None and bake.document == state.current.document else ()
    if bake.index >= len(controls):
        return  # it was removed, or another file was opened
    if bake.error is not None and not bake.is_cancelled:
        state.current.error = bake.error
        return
    image = bake.image()
    if image is not None:
        _put(image, controls[bake.index])
        delivery.push_undo(rpt_("From Bake"))


def _put(image: bpy.types.Image, control: TILEWRIGHT_PG_control) -> bpy.types.Image:
    image.pack()  # else it is lost with the file
    control.picture = image
    return image


def _failed(reason: str) -> UserError:
    reason = (reason.strip().removeprefix("Error: ").splitlines() or [""])[0].rstrip(".")
    return targets.refusal(rpt_("Blender can't bake it: {reason}.").format(reason=reason))


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: sorted(value) if isinstance(value, set) else value for name, value in settings.items()}


def register() -> None:
    """Nothing: the timer comes with the first bake."""


def unregister() -> None:
    """Stop the timer and what it watches."""
    if bpy.app.timers.is_registered(_watch):
        bpy.app.timers.unregister(_watch)
    if state.current.bake is not None:
        state.current.bake.finish()
        state.current.bake = None


# --- in the other Blender


def main(arguments: list[str]) -> int:
    """Do what `Bake` asks for. Does not return: bpy 4.5 as a module hangs at its exit once it has baked."""
    os._exit(elsewhere.answer(arguments, _bake))


def _bake(scratch: Path, task: Mapping[str, Any], done: Callable[[], object]) -> Mapping[str, Any]:
    settings = {name: set(value) if isinstance(value, list) else value for name, value in task["settings"].items()}
    library: Any = bpy.data.libraries.load(str(scratch / _SCENE))
    with library as (there, here):
        here.scenes = there.scenes
    image = Picture(**task["picture"]).new()
    try:
        control_bake.bake(here.scenes[0], settings, image)
    except RuntimeError as error:
        raise _failed(str(error)) from error
    source: Any = image.pixels
    values = array("f", bytes(4 * len(source)))
    source.foreach_get(values)
    (scratch / _PIXELS).write_bytes(values)
    done()
    return {}
