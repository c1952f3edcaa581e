# SPDX-License-Identifier: GPL-3.0-or-later
"""Export Maps in a second Blender without a window (see `elsewhere`), as `export_maps` does it. Imports bpy, core."""

from array import array
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import ErrorKind, UserError
from ...core.results import PART
from ..common import drawing, state
from ..common.languages import rpt_
from . import elsewhere, export_maps

_INTERVAL = 0.2  # seconds


class Export(elsewhere.Errand):
    """One export, running from the moment that this is made.

    made, count: textures that are written, of how many. files, error: what came of it, once `is_over`.
    Raises `UserError` where there is nothing to write.
    """

    def __init__(
        self, pictures: Mapping[str, bpy.types.Image], folder: Path, name: str, wish: export_maps.Wish, scratch: Path
    ) -> None:
        targets = export_maps.targets(pictures, folder, name, wish)
        super().__init__("exporter", scratch, len(targets))
        self.folder = folder
        self.files: list[Path] = []
        kinds = {kind for texture in targets.values() for kind in texture.kinds if kind in pictures}
        self._pixels: dict[str, Any] = {}  # by file, what the thread writes for the other Blender
        records = {kind: self._record(number, pictures[kind]) for number, kind in enumerate(sorted(kinds))}
        self.begin({"pictures": records, "folder": str(folder), "name": name, "wish": asdict(wish)}, self._pixels)
        self._pixels = {}

    def failed(self, reason: str) -> str:
        return rpt_("Cannot export: {reason}.").format(reason=reason)

    def ended(self, code: int) -> str:
        words = rpt_("Cannot export: the Blender that writes the maps ended with {code}.")
        return words.format(code=code)

    def take(self, answer: Mapping[str, Any]) -> None:
        self.files = [Path(path) for path in answer["files"]]

    def clean(self, pid: str) -> None:
        """What was written in part."""
        with suppress(OSError):
            for part in self.folder.glob(f"{PART}{pid}-*"):
                part.unlink()

    def _record(self, number: int, image: bpy.types.Image) -> dict[str, Any]:
        """What the other Blender needs to have the same image. Decodes nothing: only painted pixels are copied."""
        record: dict[str, Any] = {"name": image.name, "alpha_mode": image.alpha_mode}
        record["is_data"] = image.colorspace_settings.is_data
        if image.source == "FILE" and not image.is_dirty:
            if not image.packed_file:
                return record | {"file": bpy.path.abspath(image.filepath, library=image.library)}
            file = f"packed-{number}"
            self._pixels[file] = image.packed_file.data
        else:
            file = f"pixels-{number}"
            source: Any = image.pixels
            values = array("f", bytes(4 * len(source)))
            source.foreach_get(values)
            self._pixels[file] = values
            record |= {"size": list(image.size), "is_float": image.is_float}
        return record | {"file": str(self._scratch / file)}


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


# --- in the other Blender ------------------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Do what `Export` asks for."""
    return elsewhere.answer(arguments, _export)


def _export(scratch: Path, task: Mapping[str, Any], written: Callable[[], object]) -> Mapping[str, Any]:
    pictures = {kind: _image(record) for kind, record in task["pictures"].items()}
    wish = export_maps.Wish(**task["wish"])
    files = export_maps.write(pictures, Path(task["folder"]), task["name"], wish, written=written)
    return {"files": [str(path) for path in files]}


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
