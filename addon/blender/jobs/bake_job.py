# SPDX-License-Identifier: GPL-3.0-or-later
"""A control's picture baked in a second Blender without a window, so that this one is never blocked. Imports bpy, core.

Blender's own bake job works in the scene that the window shows alone, whose engine and selection it would take. So a
copy of what is baked is written into a file, which another Blender bakes; background mode, which may block, does
without.
"""

import json
import logging
import shutil
import sys
import threading
from array import array
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import ErrorKind, UserError
from ...core.results import disk_errors
from ...host import child
from ..common import state, targets
from ..common.drawing import redraw_sidebars
from ..common.languages import rpt_
from ..pictures import sources
from ..settings.properties import TILEWRIGHT_PG_control, settings_of
from . import control_bake, delivery
from .control_bake import Picture, Prepared, Shows

_logger = logging.getLogger(__name__)
_SCENE, _TASK, _PIXELS, _ANSWER = "scene.blend", "task.json", "pixels", "answer.txt"
_INTERVAL = 0.2  # seconds
_BUSY = UserError(ErrorKind.TARGET, "A picture is being baked.", "Wait for it, or stop it.")


class Bake:
    """One bake, running from the moment that this is made. Reading its attributes never blocks.

    document, scene, index: where its control is: the open file, the scene's session uid, the place. reason: why there
    is no picture, as Blender says it. scratch: an empty folder, which goes with it.
    """

    def __init__(self, prepared: Prepared, scene: bpy.types.Scene, index: int, scratch: Path) -> None:
        self.document, self.scene, self.index = state.current.document, scene.session_uid, index
        self.reason = ""
        self.pixels: array[float] | None = None
        self._picture = prepared.picture
        self._scratch = scratch
        self._cancelled = threading.Event()
        # whole paths: the file lies elsewhere than the user's
        bpy.data.libraries.write(str(scratch / _SCENE), {prepared.scene}, path_remap="ABSOLUTE")
        task = {"settings": _plain(prepared.settings), "picture": asdict(prepared.picture)}
        (scratch / _TASK).write_text(json.dumps(task), encoding="utf-8")
        self._command = _command(scratch)
        self._thread = threading.Thread(target=self._run, name="tilewright-bake", daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """End it. It is over a moment later, without a picture."""
        self._cancelled.set()

    def finish(self) -> None:
        """Cancel it, and wait until it is over: less than a second."""
        self.cancel()
        self._thread.join(2.0)

    def image(self) -> bpy.types.Image | None:
        """The picture as a new image, once it is over; None where it was stopped."""
        if self.pixels is None or self._cancelled.is_set():
            return None
        made = self._picture.new()
        pixels: Any = made.pixels
        pixels.foreach_set(self.pixels)
        return made

    # --- in the thread

    def _run(self) -> None:
        try:
            code, output = child.run(self._command, variables=child.environment(), tick=self._tick, own_group=True)
            answer = self._scratch / _ANSWER
            self.reason = answer.read_text(encoding="utf-8") if answer.is_file() else ""
            file = self._scratch / _PIXELS
            if file.is_file():
                values = array("f")
                values.frombytes(file.read_bytes())
                self.pixels = values
            elif not self.reason:
                _logger.error("The Blender that bakes ended with %d: %s", code, output[-2000:])
                self.reason = str(code)
        except _CancelledError:
            pass
        except (OSError, ValueError) as error:
            self.reason = getattr(error, "strerror", None) or str(error)
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _tick(self) -> None:
        if self._cancelled.is_set():
            raise _CancelledError


class _CancelledError(Exception):
    pass


def problem(context: bpy.types.Context) -> UserError | None:
    """Why nothing can be baked now, for greyed buttons."""
    return _BUSY if state.current.bake is not None else control_bake.problem(context)


def start(context: bpy.types.Context, index: int, shows: Shows) -> bpy.types.Image | None:
    """Bake what a control is to see. index: its place. The picture, but in a window None: there it comes later.

    Raises `UserError` where there is nothing of the kind to bake, or Blender cannot bake it.
    """
    if error := problem(context):
        raise error
    scene, obj = context.scene, context.object
    assert obj is not None  # `problem` has looked
    settings = settings_of(scene)
    with control_bake.prepared(context, shows, (settings.width, settings.height)) as prepared:
        if bpy.app.background:
            image = prepared.picture.new()
            try:
                control_bake.bake(prepared.scene, prepared.settings, image)
            except RuntimeError as error:
                bpy.data.images.remove(image)
                raise _failed(obj.name, str(error)) from error
            return _put(image, settings.controls[index])
        scratch = sources.new_folder()
        try:
            with disk_errors(scratch):
                state.current.bake = Bake(prepared, scene, index, scratch)
        except RuntimeError as error:  # what Blender says of a file that it cannot write
            raise _failed(obj.name, str(error)) from error
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
    if bake.reason:
        state.current.error = _failed("", bake.reason)
        return
    image = bake.image()
    if image is not None:
        _put(image, controls[bake.index])
        delivery.push_undo(rpt_("From Bake"))


def _put(image: bpy.types.Image, control: TILEWRIGHT_PG_control) -> bpy.types.Image:
    image.pack()  # else it is lost with the file
    control.picture = image
    return image


def _failed(name: str, reason: str) -> UserError:
    reason = (reason.strip().removeprefix("Error: ").splitlines() or [""])[0].rstrip(".")
    if name:
        return targets.refusal(rpt_("Blender can't bake {name}: {reason}.").format(name=name, reason=reason))
    return targets.refusal(rpt_("Blender can't bake it: {reason}.").format(reason=reason))


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: sorted(value) if isinstance(value, set) else value for name, value in settings.items()}


def _command(scratch: Path) -> list[str]:
    rest = ["baker", str(scratch)]
    if not bpy.app.binary_path:  # bpy as a module
        return [sys.executable, "-I", "-X", "utf8", str(child.START), *rest]
    flags = ["--background", "--factory-startup", "--python-exit-code", "1"]
    return [bpy.app.binary_path, *flags, "--python", str(child.START), "--", *rest]


def unregister() -> None:
    """Stop the timer and what it watches."""
    if bpy.app.timers.is_registered(_watch):
        bpy.app.timers.unregister(_watch)
    if state.current.bake is not None:
        state.current.bake.finish()
        state.current.bake = None


def register() -> None:
    """Nothing: the timer comes with the first bake."""


# --- in the other Blender


def main(arguments: list[str]) -> int:
    """Do what `Bake` asks for in the folder that the argument names. Always 0: the files say what came of it."""
    scratch = Path(arguments[0])
    task = json.loads((scratch / _TASK).read_text(encoding="utf-8"))
    settings = {name: set(value) if isinstance(value, list) else value for name, value in task["settings"].items()}
    library: Any = bpy.data.libraries.load(str(scratch / _SCENE))
    with library as (there, here):
        here.scenes = there.scenes
    image = Picture(**task["picture"]).new()
    try:
        control_bake.bake(here.scenes[0], settings, image)
    except RuntimeError as error:
        (scratch / _ANSWER).write_text(str(error), encoding="utf-8")
        return 0
    source: Any = image.pixels
    values = array("f", bytes(4 * len(source)))
    source.foreach_get(values)
    part = scratch / f"{_PIXELS}.part"
    part.write_bytes(values)
    part.rename(scratch / _PIXELS)
    return 0
