# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that the interface draws is pressed: buttons, menu entries, switches, in the state in which it is offered.

Blender draws the panels into its own layouts, and what it is given is written down on the way: each operator with its
properties, and the operator context that the real layout has at that moment, which is Blender's and not ours. It is
then called with exactly that, as a click does. A dialog, a tool or a file browser that opens is closed by Escape.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import MethodType
from typing import Any

import bpy
from common import addon, fresh, made, write_tensors
from window import Story, _until, missing_hands

PLACES = ("view3d", "shader")
PARTS = ("main", "history", "texture", "model", "loras", "guides", "target", "material")
# Pressed by tests of their own, since they change the machine or go out: what they do, and where.
ELSEWHERE = {
    "tilewright.install": "test_setting_up_window.py",
    "tilewright.verify": "test_setting_up.py",
    "tilewright.cancel_install": "test_setting_up.py",
    "tilewright.remove_environment": "test_setting_up.py",
    "tilewright.dismiss_setup": "test_setting_up.py",
    "tilewright.look_up_model": "test_models.py",
    "tilewright.check_elsewhere": "test_elsewhere.py",
    "tilewright.copy_install_command": "test_elsewhere.py",
    "tilewright.open_model_page": "a page of the hub, in a browser",
    "screen.userpref_show": "Blender's own",
}
TEMPLATE = {f"tilewright.{name}" for name in ("use_as_template", "paint_mask", "mask_from_faces", "size_from_template")}


@dataclass
class Button:
    """An operator as it was drawn."""

    name: str
    place: str
    context: str
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, tuple[str, ...]]:
        """What it is, whichever result, job or image it is about."""
        return self.place, self.name, tuple(f"{name} {_kind(name, value)}" for name, value in self.values.items())


def _kind(name: str, value: Any) -> str:
    if name in ("result", "job", "image") and value:
        return "one"
    return os.path.basename(value) if isinstance(value, str) else str(value)


@dataclass
class Drawn:
    """What a panel was drawn with."""

    buttons: list[Button] = field(default_factory=list)
    switches: list[tuple[Any, str]] = field(default_factory=list)
    menus: list[str] = field(default_factory=list)


class Watched:
    """A real layout that passes everything on, and writes down what can be pressed."""

    def __init__(self, layout: Any, drawn: Drawn, place: str) -> None:
        object.__setattr__(self, "_real", layout)
        object.__setattr__(self, "_drawn", drawn)
        object.__setattr__(self, "_place", place)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._real, name, value)

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if not callable(real):
            return real

        def call(*positional: Any, **named: Any) -> Any:
            given = [getattr(value, "_real", value) for value in positional]
            if name == "panel":  # what is closed draws nothing
                named["default_closed"] = False
            result = real(*given, **named)
            match name:
                case "operator":
                    button = Button(positional[0], self._place, self._real.operator_context)
                    self._drawn.buttons.append(button)
                    return Properties(result, button)
                case "prop" | "textbox" | "prop_menu_enum" | "template_icon_view":
                    self._drawn.switches.append((given[0], positional[1]))
                case "menu" | "popover":
                    self._drawn.menus.append(positional[0] if positional else named["panel"])
            if isinstance(result, tuple):  # a header, and what is below it
                return tuple(part and Watched(part, self._drawn, self._place) for part in result)
            return Watched(result, self._drawn, self._place) if isinstance(result, bpy.types.UILayout) else result

        return call


class Properties:
    """A drawn operator's properties, which are written down too."""

    def __init__(self, real: Any, button: Button) -> None:
        object.__setattr__(self, "_real", real)
        object.__setattr__(self, "_button", button)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._real, name, value)
        self._button.values[name] = value


class Owner:
    """A panel, menu or preferences with another layout."""

    def __init__(self, real: Any, layout: Watched) -> None:
        self._real = real
        self.layout = layout

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._real, name)
        return MethodType(value, self) if callable(value) and isinstance(self._real, type) else value


@dataclass
class Presser:
    """Presses what is drawn, each key once, and counts. failed: what went wrong, in words."""

    pressed: dict[tuple[str, str, tuple[str, ...]], str] = field(default_factory=dict)
    greyed: set[str] = field(default_factory=set)
    switched: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    drawn: Drawn = field(default_factory=Drawn)
    log: str = ""  # a file, for whoever has to find out where it stopped

    def draw(self, context: bpy.types.Context, layout: Any) -> None:
        """Called while Blender draws our panel in its sidebar: all of ours in there, and the menus they open."""
        self.drawn = drawn = Drawn()
        kind = "view3d" if context.space_data.type == "VIEW_3D" else "shader"
        for part in PARTS:
            panel = getattr(bpy.types, f"TILEWRIGHT_PT_{kind}_{part}")
            watched = Watched(layout.column(), drawn, f"{kind} {part}")
            ORIGINALS.get(panel, panel.draw)(Owner(panel, watched), context)
        drawn.menus += ["TILEWRIGHT_MT_image", "TILEWRIGHT_PT_presets"]
        for name in dict.fromkeys(drawn.menus):
            column = layout.column()
            column.operator_context = "INVOKE_REGION_WIN"  # a menu is a panel of its own
            kind_of = getattr(bpy.types, name)
            kind_of.draw(Owner(kind_of, Watched(column, drawn, name)), context)
        layout.operator_context = "INVOKE_REGION_WIN"
        prefs = _preferences()
        type(prefs).draw(Owner(prefs, Watched(layout.column(), drawn, "preferences")), context)
        status = Watched(layout.column(), drawn, "status bar")
        addon("jobs.status").draw(Owner(bpy.types.STATUSBAR_HT_header, status), context)
        help_ = Watched(layout.column(), drawn, "Help")
        addon("install.operators")._draw_help(Owner(bpy.types.TOPBAR_MT_help, help_), context)

    def press_all(self, area_type: str, only: Callable[[Button], bool] = lambda button: True) -> Story:
        """Press what is new; then what is drawn is looked at again, until nothing new is."""
        greyed_now: set[tuple] = set()
        while True:
            yield from self.look(area_type)
            new = [b for b in self.drawn.buttons if b.key not in self.pressed and b.key not in greyed_now and only(b)]
            if not new:
                return
            for button in new:
                if button.key in self.pressed or button.key in greyed_now:
                    continue
                if not self.press(button, area_type):
                    greyed_now.add(button.key)
                    self.greyed.add(button.name)
                elif self.pressed[button.key] != "elsewhere":
                    yield from self.close()

    def press(self, button: Button, area_type: str) -> bool:
        """Whether it could be pressed, and was not greyed."""
        if button.name in ELSEWHERE:
            self.pressed[button.key] = "elsewhere"
            return True
        group, _, function = button.name.partition(".")
        operator = getattr(getattr(bpy.ops, group), function)
        with self.over(area_type):
            if not operator.poll():
                return False
            try:
                self.pressed[button.key] = str(operator(button.context, **button.values))
            except RuntimeError as error:
                self.pressed[button.key] = str(error)
                self.failed.append(f"{button.place}: {button.name} {button.values}: {error}")
        with open(self.log, "a", encoding="utf-8") as file:
            print(time.strftime("%X"), button.place, button.name, button.values, self.pressed[button.key], file=file)
        return True

    def switch_all(self, area_type: str) -> Story:
        """Every switch to each of its values and back; every number and text to what it is."""
        yield from self.look(area_type)
        for owner, name in list(self.drawn.switches):
            key = f"{owner.bl_rna.identifier}.{name}"
            if key in self.switched or owner.is_property_readonly(name):
                continue
            self.switched.add(key)
            kind = owner.bl_rna.properties[name]
            with self.over(area_type):
                before = getattr(owner, name)
                values: list[Any] = [before]
                if kind.type == "BOOLEAN":
                    values = [not before, before]
                elif kind.type == "ENUM" and not kind.is_enum_flag:
                    values = [*(item.identifier for item in kind.enum_items), before]
                for value in values:
                    try:
                        setattr(owner, name, value)
                    except (TypeError, ValueError, RuntimeError) as error:
                        self.failed.append(f"{key} = {value!r}: {error}")
            yield from self.close()

    def look(self, area_type: str) -> Story:
        """Have Blender draw the sidebar now."""
        self.drawn = Drawn()
        _side(area_type).tag_redraw()
        yield from _until(lambda: self.drawn.buttons, 20.0)

    def over(self, area_type: str) -> Any:
        area = _area(area_type)
        region = _side(area_type)
        return bpy.context.temp_override(window=_window(), area=area, region=region)

    def close(self) -> Story:
        """Escape from what has opened, and close windows that did."""
        yield 0.05
        yield from _until(lambda: not addon("common.state").current.setup.busy, 60.0)
        for _ in range(5):
            if not _window().modal_operators and not _popup():
                break
            subprocess.run(["xdotool", "key", "Escape", "Escape"], check=True)  # the first one may close a tooltip
            yield 0.4
        manager = bpy.context.window_manager
        for window in list(manager.windows)[1:]:
            with bpy.context.temp_override(window=window):
                bpy.ops.wm.window_close()
            yield 0.2


PRESSER = Presser()
ORIGINALS: dict[Any, Any] = {}


def _popup() -> bool:
    """Whether a dialog may be open: Blender lists none, so Escape is pressed once after what may have opened one."""
    asked = list(PRESSER.pressed.values())[-1:] == ["{'RUNNING_MODAL'}"]
    if asked:
        PRESSER.pressed[list(PRESSER.pressed)[-1]] = "asked"
    return asked


def _preferences() -> Any:
    return bpy.context.preferences.addons["bl_ext.user_default.tilewright"].preferences


def _window() -> Any:
    return bpy.context.window_manager.windows[0]


def _area(kind: str) -> Any:
    return next(area for area in _window().screen.areas if area.type == kind)


def _side(kind: str) -> Any:
    return next(region for region in _area(kind).regions if region.type == "UI")


def _watch() -> None:
    for place in PLACES:
        panel = getattr(bpy.types, f"TILEWRIGHT_PT_{place}_main")
        ORIGINALS[panel] = panel.draw
        panel.draw = lambda self, context: PRESSER.draw(context, self.layout)


def _add_files(settings: Any, folder: Path) -> None:
    """A LoRA that names a word, one that is gone, and an embedding."""
    tensors = {"lora_unet_a.lora_down.weight": [1, 1], "lora_unet_a.lora_up.weight": [1, 1]}
    lora = write_tensors(folder / "moss.safetensors", tensors, {"modelspec.trigger_phrase": "mossy"})
    settings.loras.add().file = str(lora)
    settings.loras.add().file = "gone.safetensors"
    settings.embeddings.add().file = str(write_tensors(folder / "word.safetensors", {"emb_params": [1, 768]}))


def everything_is_pressed(log: str) -> Iterator[Any]:
    """Returns the counts, and what went wrong."""
    PRESSER.log = log
    if lack := missing_hands():
        return {"lack": lack}
    fresh()
    yield 1.0
    area = _area("VIEW_3D")
    area.spaces.active.show_region_ui = True
    yield 1.0
    _side("VIEW_3D").active_panel_category = "Tilewright"
    _watch()
    subprocess.run(["xdotool", "mousemove", str(area.x + 200), "400"], check=True)
    yield 1.0
    _preferences().store_limit = 1.0
    settings = bpy.context.scene.tilewright
    settings.width = settings.height = 64
    settings.use_random_seed, settings.seed = False, 8

    def generate(**values: Any) -> Story:
        for name, value in values.items():
            setattr(settings, name, value)
        entries = len(addon("common.state").current.view.found)
        with PRESSER.over("VIEW_3D"):
            bpy.ops.tilewright.generate()
        yield from _until(lambda: not bpy.context.window_manager.tilewright.running, 40.0)
        yield from _until(lambda: len(addon("common.state").current.view.found) > entries)

    # with nothing made yet, and no prompt
    yield from PRESSER.look("VIEW_3D")
    # a whole material, then a color over it, whose maps are old; three of one job
    settings.maps = True
    yield from generate(prompt="whole", count=1)
    settings.maps = False
    yield from generate(prompt="three", count=3, template="{prompt} tiles")
    bpy.data.texts.new("prompts").write("stuck a\nstuck b\n")
    wins = (
        "tilewright.cancel",
        "tilewright.move_job",
        "tilewright.generate",
        "tilewright.try_on",
        "tilewright.load_preset",
    )
    settings.template_image = made()[0]
    for region in ("MASK", "GROW", "WEAR"):
        settings.region = region
        yield from PRESSER.press_all("VIEW_3D", lambda button: button.name in TEMPLATE)
    settings.template_image = None
    _add_files(settings, Path(log).parent)
    yield from PRESSER.press_all("VIEW_3D", lambda button: button.name == "tilewright.try_on")
    yield from PRESSER.press_all(
        "VIEW_3D", lambda button: button.name not in (*wins, "tilewright.clear_template", "tilewright.delete")
    )
    yield from PRESSER.press_all("VIEW_3D", lambda button: button.name not in wins)
    _add_files(settings, Path(log).parent)
    yield from PRESSER.switch_all("VIEW_3D")
    settings.loras.clear()
    settings.embeddings.clear()
    # a queue
    for name in ("upscale", "maps", "map_networks", "upscaler", "tiling", "model", "scheduler"):
        settings.property_unset(name)
    settings.width = settings.height = 64
    settings.prompt, settings.count, settings.template = "stuck", 1, ""
    settings.template_image, settings.variation = None, 0.0
    with PRESSER.over("VIEW_3D"):
        for _ in range(4):
            bpy.ops.tilewright.generate()
    yield from _until(lambda: bpy.context.window_manager.tilewright.queued == 3)
    yield from PRESSER.press_all("VIEW_3D")
    with PRESSER.over("VIEW_3D"):
        if bpy.ops.tilewright.cancel.poll():
            bpy.ops.tilewright.cancel()
    yield from _until(lambda: not bpy.context.window_manager.tilewright.running)
    # an error, and no UV map
    settings.template = ""
    bpy.data.objects["Cube"].data.uv_layers.remove(bpy.data.objects["Cube"].data.uv_layers[0])
    settings.prompt = "this one dies"
    with PRESSER.over("VIEW_3D"):
        bpy.ops.tilewright.generate()
    yield from _until(lambda: bpy.context.window_manager.tilewright.error, 40.0)
    yield from PRESSER.press_all("VIEW_3D")
    # filters, pages, textures that no file has
    view = addon("common.state").current.view
    view.offered, view.text = tuple(entry.name for entry in view.found[:2]), "tiles"
    addon("history.browse").PAGE = 2
    addon("history.browse").show(0)
    yield from PRESSER.press_all("VIEW_3D")
    # the same panel in the Shader Editor
    _area("VIEW_3D").type = "NODE_EDITOR"
    _area("NODE_EDITOR").ui_type = "ShaderNodeTree"
    yield 1.0
    _area("NODE_EDITOR").spaces.active.show_region_ui = True
    yield 1.0
    _side("NODE_EDITOR").active_panel_category = "Tilewright"
    yield from PRESSER.press_all("NODE_EDITOR")
    for panel, draw in ORIGINALS.items():
        panel.draw = draw
    names = {key[1] for key in PRESSER.pressed}
    return {
        "buttons": len(PRESSER.pressed),
        "switches": len(PRESSER.switched),
        "failed": PRESSER.failed,
        "never": sorted(PRESSER.greyed - names),
        "names": sorted(names),
        "told": [f"{place} {name} {values}: {said}" for (place, name, values), said in PRESSER.pressed.items()],
        "made": len(made()),
    }
