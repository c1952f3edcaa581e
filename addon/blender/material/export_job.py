# SPDX-License-Identifier: GPL-3.0-or-later
"""Export Maps in a second Blender without a window, so that this one is never blocked. Imports bpy, core and host.

Blender's own pixels and writers are used for it (`export_maps`), which is seconds of work for every texture, and no
thread but the main one may use them. So another Blender has its own.
"""

import json
import logging
import os
import shutil
import sys
import threading
from array import array
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import ErrorKind, UserError
from ...core.results import PART
from ...host import child
from ..common import drawing, state
from ..common.languages import rpt_
from . import export_maps

_logger = logging.getLogger(__name__)
_TASK, _ANSWER, _DONE, _PID = "task.json", "answer.json", "done.txt", "pid.txt"
_INTERVAL = 0.2  # seconds


class Export:
    """One export, running from the moment that this is made. Reading its attributes never blocks.

    made, count: textures that are written, of how many. files, error: what came of it, once `is_over`.
    scratch: an empty folder, which goes with it. Raises `UserError` where there is nothing to write.
    """

    def __init__(
        self, pictures: Mapping[str, bpy.types.Image], folder: Path, name: str, wish: export_maps.Wish, scratch: Path
    ) -> None:
        targets = export_maps.targets(pictures, folder, name, wish)
        self.folder, self.count = folder, len(targets)
        self.files: list[Path] = []
        self._error: UserError | None = None
        self._reason = ""
        self._code: int | None = None
        self._scratch = scratch
        self._cancelled = threading.Event()
        kinds = {kind for texture in targets.values() for kind in texture.kinds if kind in pictures}
        self._bytes: dict[str, Any] = {}  # by file, what the thread writes for the other Blender
        records = {kind: self._record(number, pictures[kind]) for number, kind in enumerate(sorted(kinds))}
        task = {"pictures": records, "folder": str(folder), "name": name, "wish": asdict(wish)}
        self._bytes[_TASK] = json.dumps(task).encode()
        self._command = _command(scratch)
        self._thread = threading.Thread(target=self._run, name="tilewright-export", daemon=True)
        self._thread.start()

    @property
    def error(self) -> UserError | None:
        if self._reason:
            return UserError(ErrorKind.WORKER, rpt_("Cannot export: {reason}.").format(reason=self._reason))
        if self._code is not None:
            words = rpt_("Cannot export: the Blender that writes the maps ended with {code}.")
            return UserError(ErrorKind.WORKER, words.format(code=self._code), "Look into the log.")
        return self._error

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    @property
    def made(self) -> int:
        try:
            return len((self._scratch / _DONE).read_bytes())
        except OSError:
            return 0

    def cancel(self) -> None:
        """End it; textures that are written stay, each whole. It is over a moment later."""
        self._cancelled.set()

    def finish(self) -> None:
        """Cancel it, and wait until it is over: less than a second."""
        self.cancel()
        self._thread.join(2.0)

    def _record(self, number: int, image: bpy.types.Image) -> dict[str, Any]:
        """What the other Blender needs to have the same image. Decodes nothing: only painted pixels are copied."""
        record: dict[str, Any] = {"name": image.name, "alpha_mode": image.alpha_mode}
        record["is_data"] = image.colorspace_settings.is_data
        if image.source == "FILE" and not image.is_dirty:
            if not image.packed_file:
                return record | {"file": bpy.path.abspath(image.filepath, library=image.library)}
            file = f"packed-{number}"
            self._bytes[file] = image.packed_file.data
        else:
            file = f"pixels-{number}"
            source: Any = image.pixels
            values = array("f", bytes(4 * len(source)))
            source.foreach_get(values)
            self._bytes[file] = values
            record |= {"size": list(image.size), "is_float": image.is_float}
        return record | {"file": str(self._scratch / file)}

    # --- in the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            for name, data in self._bytes.items():
                (self._scratch / name).write_bytes(data)
            self._bytes.clear()
            code, output = child.run(self._command, variables=child.environment(), tick=self._tick, own_group=True)
            self._take_answer(code, output)
        except _CancelledError:
            self._clean()
        except (OSError, ValueError) as error:
            self._reason = getattr(error, "strerror", None) or str(error)
        finally:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _tick(self) -> None:
        if self._cancelled.is_set():
            raise _CancelledError

    def _clean(self) -> None:
        """Delete what a Blender that was killed has written in part."""
        with suppress(OSError):
            for part in self.folder.glob(f"{PART}{(self._scratch / _PID).read_text(encoding='ascii')}-*"):
                part.unlink()

    def _take_answer(self, code: int, output: str) -> None:
        file = self._scratch / _ANSWER
        if not file.is_file():
            _logger.error("The Blender that exports ended with %d: %s", code, output[-2000:])
            self._code = code
            return
        answer = json.loads(file.read_text(encoding="utf-8"))
        self.files = [Path(path) for path in answer["files"]]
        if answer["error"]:
            kind, message, hint = answer["error"]
            self._error = UserError(ErrorKind(kind), message, hint)


class _CancelledError(Exception):
    pass


def start(
    pictures: Mapping[str, bpy.types.Image], folder: Path, name: str, wish: export_maps.Wish, scratch: Path
) -> None:
    """Export; the panel shows how far it is and what came of it. Raises `UserError`."""
    state.current.export = Export(pictures, folder, name, wish, scratch)
    if not bpy.app.timers.is_registered(_watch):
        bpy.app.timers.register(_watch, first_interval=_INTERVAL, persistent=True)


def is_running() -> bool:
    return state.current.export is not None and not state.current.export.is_over


def _watch() -> float | None:
    drawing.redraw_sidebars()
    return _INTERVAL if is_running() else None


def register() -> None:
    """Nothing: the timer comes with the first export."""


def unregister() -> None:
    """Stop the timer and what it watches."""
    if bpy.app.timers.is_registered(_watch):
        bpy.app.timers.unregister(_watch)
    if state.current.export is not None:
        state.current.export.finish()


def _command(scratch: Path) -> list[str]:
    rest = ["exporter", str(scratch)]
    if not bpy.app.binary_path:  # bpy as a module
        return [sys.executable, "-I", "-X", "utf8", str(child.START), *rest]
    flags = ["--background", "--factory-startup", "--python-exit-code", "1"]
    return [bpy.app.binary_path, *flags, "--python", str(child.START), "--", *rest]


# --- in the other Blender ------------------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Do what `Export` asks for in the folder that the argument names. Always 0: the answer says what came of it."""
    scratch = Path(arguments[0])
    (scratch / _PID).write_text(str(os.getpid()), encoding="ascii")
    task = json.loads((scratch / _TASK).read_text(encoding="utf-8"))
    answer: dict[str, Any] = {"files": [], "error": None}
    try:
        pictures = {kind: _image(record) for kind, record in task["pictures"].items()}
        with (scratch / _DONE).open("ab", buffering=0) as done:
            wish = export_maps.Wish(**task["wish"])
            files = export_maps.write(
                pictures, Path(task["folder"]), task["name"], wish, written=lambda: done.write(b".")
            )
        answer["files"] = [str(path) for path in files]
    except UserError as error:
        answer["error"] = [error.kind.value, error.message, error.hint]
    part = scratch / "answer.part"
    part.write_text(json.dumps(answer), encoding="utf-8")
    part.rename(scratch / _ANSWER)
    return 0


def _image(record: Mapping[str, Any]) -> bpy.types.Image:
    file = Path(record["file"])
    if "size" in record:
        return _painted(record, file)
    try:
        image = bpy.data.images.load(str(file), check_existing=False)
    except RuntimeError as error:
        words = rpt_("The file of {name} is missing: {path}.")
        message = words.format(name=record["name"], path=file)
        raise UserError(ErrorKind.REQUEST, message, "Find it with File, External Data.") from error
    image.name = record["name"]
    image.colorspace_settings.is_data = record["is_data"]
    image.alpha_mode = record["alpha_mode"]
    return image


def _painted(record: Mapping[str, Any], file: Path) -> bpy.types.Image:
    width, height = (max(side, 1) for side in record["size"])
    image = bpy.data.images.new(
        record["name"], width, height, alpha=True, float_buffer=record["is_float"], is_data=record["is_data"]
    )
    image.alpha_mode = record["alpha_mode"]
    values = array("f")
    values.frombytes(file.read_bytes())
    channels = len(values) // (width * height)
    if channels != 4:  # as many as a new one has
        four = array("f", [1.0]) * (4 * width * height)
        for index in range(3 if channels else 0):
            four[index::4] = values[index if channels > 2 else 0 :: channels]
        values = four
    pixels: Any = image.pixels
    pixels.foreach_set(values)  # at the end: what else is set takes unsaved pixels away (4.5, 5.2)
    return image
