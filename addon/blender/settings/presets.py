# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets of the settings, in Blender's own menu and folders. They are read, not run. Imports bpy and core.

Blender writes a preset as a Python script and runs it to load it. What comes from a file is not run here: the loader
takes "settings.NAME = VALUE" from the script and refuses anything else. Files and pictures are kept by path, with what
tells whether they are still the same (`preset_files`).
"""

import ast
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel
from bpy.props import StringProperty

from ...core.errors import ErrorKind, UserError
from ...core.prompts import PLACE
from ...core.requests.extras import name_of
from ..common import reporting, state
from ..common.languages import rpt_
from . import extras, models, preset_files
from .preset_files import FINGERPRINT, Lost
from .properties import MAP_ITEMS, TILEWRIGHT_PG_control, TILEWRIGHT_PG_settings, settings_of
from .table import SETTINGS

_SUBDIR = "tilewright"
# Blender looks in "presets/tilewright" below it.
SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shipped")
_MAX_BYTES = 1 << 20
_HEAD = ("import bpy", "settings = bpy.context.scene.tilewright")
_FITTED = ("scheduler", "sigmas")  # by what the model, and the setting before, are
_CONTROLS, _STYLE = "controls", "style_picture"
_LISTS = (*extras.LISTS.values(), _CONTROLS)
# Of a control, in the order in which they are set: the picture, which changes the last, comes before it.
_OF_CONTROL = ("use", "model", "kind", "strength", "start", "end")
_CUT = "make_tileable"
NAMES = tuple(setting.name for setting in SETTINGS if setting.preset)
_READ = {*NAMES, *preset_files.names(_STYLE), f"style_{FINGERPRINT}"} - {_STYLE}


def read(path: Path) -> dict[str, Any]:
    """The values in a preset. Raises `UserError` where it holds anything but values of our settings."""
    bad = UserError(
        ErrorKind.REQUEST, rpt_("{name} is not a Tilewright preset.").format(name=path.name), rpt_("Save it again.")
    )
    try:
        with path.open("rb") as file:
            tree = ast.parse(file.read(_MAX_BYTES))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise bad from error
    values: dict[str, Any] = {}
    items: list[dict[str, Any]] = []
    for statement in tree.body:
        if ast.unparse(statement) in _HEAD:
            continue
        match statement:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="settings"), attr=name)], value=expression) if (
                name in _READ and name not in _LISTS
            ):
                values[name] = _value(expression)
                if values[name] is None:
                    raise bad
            # a list, as Blender writes it: emptied, and then an item after the other
            case ast.Expr(
                value=ast.Call(
                    func=ast.Attribute(value=ast.Attribute(value=ast.Name(id="settings"), attr=name), attr="clear"),
                    args=[],
                    keywords=[],
                )
            ) if name in _LISTS:
                values[name] = []
            case ast.Assign(
                targets=[ast.Name(id="item_sub_1")],
                value=ast.Call(
                    func=ast.Attribute(value=ast.Attribute(value=ast.Name(id="settings"), attr=name), attr="add"),
                    args=[],
                    keywords=[],
                ),
            ) if name in values and name in _LISTS:
                items = values[name]
                items.append({})
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="item_sub_1"), attr=field)], value=expression) if (
                items
            ):
                items[-1][field] = _value(expression)
            case _:
                raise bad
    return values


def _value(expression: ast.expr) -> str | float | set[str] | None:
    """What an expression stands for: a text, a number, or a set of texts; None for anything else."""
    try:
        value = ast.literal_eval(expression)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None
    texts = isinstance(value, set) and all(isinstance(item, str) for item in value)
    return value if texts or isinstance(value, str | int | float) else None


def write(settings: TILEWRIGHT_PG_settings, path: Path) -> None:
    """The settings as a preset, in Blender's way, with the files that it names by path and fingerprint."""
    lines = [*_HEAD, ""]
    for name in NAMES:
        if name == _STYLE:
            lines += preset_files.lines_of("settings", _STYLE, settings.style_picture)
            lines.append(f"settings.style_{FINGERPRINT} = {_fingerprint(settings.style_file)!r}")
        elif name in _LISTS:
            lines.append(f"settings.{name}.clear()")
            for item in getattr(settings, name):
                lines.append(" ".join(["item_sub_1", "=", f"settings.{name}.add()"]))
                lines += _lines_of_control(item) if name == _CONTROLS else _lines_of_file(item)
        else:
            lines.append(f"settings.{name} = {getattr(settings, name)!r}")
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def _lines_of_file(data: Any) -> Iterator[str]:
    for name in extras.FIELDS:
        if name in data.bl_rna.properties:
            yield f"item_sub_1.{name} = {getattr(data, name)!r}"
    path = extras.here(data.file)
    yield f"item_sub_1.{FINGERPRINT} = {(preset_files.fingerprint_of(path) if path else '')!r}"


def _lines_of_control(data: TILEWRIGHT_PG_control) -> Iterator[str]:
    for name in _OF_CONTROL:
        yield f"item_sub_1.{name} = {getattr(data, name)!r}"
    yield f"item_sub_1.{FINGERPRINT} = {_fingerprint(data.model)!r}"
    yield from preset_files.lines_of("item_sub_1", "picture", data.picture)
    yield f"item_sub_1.{_CUT} = {data.make_tileable!r}"


def _fingerprint(file: str) -> str:
    return preset_files.fingerprint_of(Path(bpy.path.abspath(file))) if file else ""


def apply(settings: TILEWRIGHT_PG_settings, values: dict[str, Any]) -> str:
    """Set what a preset holds. Where it has a template, words that are typed already stay, and go into its place.

    Returns a sentence about files that are not here, or not what they were, or "". Raises `UserError` where a value
    does not fit.
    """
    values, lost = dict(values), Lost()
    if PLACE in str(values.get("template", "")) and settings.prompt.strip():
        values.pop("prompt", None)
    values.setdefault("template", "")
    if "maps" in values:  # before there was a choice, all were meant
        values.setdefault("map_kinds", {item[0] for item in MAP_ITEMS})
    for name in NAMES:
        if name not in values or (name in _FITTED and not _fits(settings, name, values[name])):
            continue
        try:
            if name == _CONTROLS:
                settings.controls.clear()
                for item in values[name]:
                    _fill_control(settings.controls.add(), item, lost)
            elif name in _LISTS:
                getattr(settings, name).clear()
                for item in values[name]:
                    _fill_file(getattr(settings, name).add(), item, lost)
            else:
                setattr(settings, name, values[name])
        except (TypeError, ValueError, OverflowError) as error:
            message = rpt_("The preset has a value for {name} that does not fit.").format(name=name)
            raise UserError(ErrorKind.REQUEST, message) from error
    if f"{_STYLE}_name" in values:
        settings.style_picture = lost.picture(preset_files.described(values, _STYLE))
    if settings.style_file and "style_file" in values:
        path = Path(bpy.path.abspath(settings.style_file))
        lost.check(path, path.name, values.get(f"style_{FINGERPRINT}"))
    return lost.note


def _fill_file(item: Any, values: dict[str, Any], lost: Lost) -> None:
    """A LoRA or an embedding. Where it was moved, the file of its name is taken."""
    extras.fill(item, values)
    if item.missing and (found := extras.find(name_of(item.file))):
        extras.fill(item, values | {"file": str(found)})
    lost.check(extras.here(item.file), name_of(item.file), values.get(FINGERPRINT))


def _fill_control(control: TILEWRIGHT_PG_control, values: dict[str, Any], lost: Lost) -> None:
    for name in _OF_CONTROL:
        if name in values:
            setattr(control, name, values[name])
    control.picture = lost.picture(preset_files.described(values, "picture"))
    control.make_tileable = values.get(_CUT, control.make_tileable)
    if control.model:
        path = Path(bpy.path.abspath(control.model))
        lost.check(path, path.name, values.get(FINGERPRINT))


def _fits(settings: TILEWRIGHT_PG_settings, name: str, value: object) -> bool:
    models.try_resolve(settings.model)
    items = models.scheduler_items(settings.model)
    if name == "sigmas":
        items = models.sigmas_items(settings.model, settings.get_scheduler())
    return any(item[0] == value for item in items)


class TILEWRIGHT_OT_load_preset(reporting.Operator):
    """Load these settings. A prompt you already typed stays, and the preset's words go around it"""

    bl_idname = "tilewright.load_preset"
    bl_label = "Load Preset"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return None if context.scene else reporting.NO_SCENE

    def act(self, context: bpy.types.Context) -> None:
        if note := apply(settings_of(context.scene), read(Path(self.filepath))):
            self.report({"WARNING"}, note)
        TILEWRIGHT_PT_presets.bl_label = bpy.path.display_name(os.path.basename(self.filepath), title_case=False)


class TILEWRIGHT_OT_clear_template(reporting.Operator):
    """Remove the preset's words from the prompt. Its other settings stay"""

    bl_idname = "tilewright.clear_template"
    bl_label = "Clear Template"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return None if context.scene else reporting.NO_SCENE

    def act(self, context: bpy.types.Context) -> None:
        settings_of(context.scene).template = ""


class TILEWRIGHT_OT_add_preset(AddPresetBase, bpy.types.Operator):
    """Save the current settings as a preset, or remove one"""

    bl_idname = "tilewright.add_preset"
    bl_label = "Add Preset"
    preset_menu = "TILEWRIGHT_PT_presets"
    preset_subdir = _SUBDIR

    def add(self, context: bpy.types.Context, filepath: str) -> None:
        """Blender calls this for a new preset; its own way to write one knows no images, and no fingerprints."""
        try:
            write(settings_of(context.scene), Path(filepath))
        except OSError as error:
            words = rpt_("Cannot write {path}: {reason}.")
            state.current.error = UserError(ErrorKind.DISK, words.format(path=filepath, reason=error.strerror))


class TILEWRIGHT_PT_presets(PresetPanel, bpy.types.Panel):
    bl_label = "Presets"
    preset_subdir = _SUBDIR
    preset_operator = "tilewright.load_preset"
    preset_add_operator = "tilewright.add_preset"


def draw_header(self: bpy.types.Panel, context: bpy.types.Context) -> None:
    """In the header of the panel, as Blender's own panels have it."""
    TILEWRIGHT_PT_presets.draw_panel_header(self.layout)


def draw_template(layout: bpy.types.UILayout, settings: TILEWRIGHT_PG_settings) -> None:
    """The template; what it makes of the prompt stands below that."""
    layout.prop(settings, "template", placeholder=f"{PLACE} brick wall")


CLASSES = (TILEWRIGHT_OT_load_preset, TILEWRIGHT_OT_clear_template, TILEWRIGHT_OT_add_preset, TILEWRIGHT_PT_presets)


def register() -> None:
    if hasattr(bpy.utils, "register_preset_path"):  # 4.2 may lack it: the shipped ones are not listed there
        bpy.utils.register_preset_path(SHIPPED)


def unregister() -> None:
    if hasattr(bpy.utils, "unregister_preset_path"):
        bpy.utils.unregister_preset_path(SHIPPED)
