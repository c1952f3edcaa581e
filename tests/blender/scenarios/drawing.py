# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel shows. Background mode draws nothing, so a recorder stands in for Blender's layout.

It accepts only what this Blender's own layout accepts: functions, parameters, properties, icons, operators.
"""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
from common import addon, drive, generate, message_of, start, wish

FUNCTIONS = bpy.types.UILayout.bl_rna.functions
ATTRIBUTES = bpy.types.UILayout.bl_rna.properties
ICONS = FUNCTIONS["label"].parameters["icon"].enum_items.keys()

drawn_operators: list[str] = []
contexts: dict[str, set[str]] = {}  # the operator contexts that each was drawn with
buttons: dict[str, dict[str, Any]] = {}  # what was set on the last button of each operator


class Layout:
    """Records the texts that are drawn. The operator context is the whole panel's, as in Blender (seen in 5.2)."""

    def __init__(self, texts: list[str], panel: dict[str, str] | None = None) -> None:
        object.__setattr__(self, "_texts", texts)
        object.__setattr__(self, "_panel", {"operator_context": "INVOKE_REGION_WIN"} if panel is None else panel)

    def __setattr__(self, name: str, value: object) -> None:
        assert name in ATTRIBUTES, f"a layout has no {name}"
        if name in self._panel:
            self._panel[name] = value

    def __getattr__(self, name: str) -> Any:
        if name in self._panel:
            return self._panel[name]
        if name not in FUNCTIONS:
            raise AttributeError(name)

        def call(*positional: Any, **named: Any) -> Any:
            parameters = FUNCTIONS[name].parameters
            assert set(named) <= set(parameters.keys()), f"{name} takes no {set(named) - set(parameters.keys())}"
            assert named.get("icon", "NONE") in ICONS, named
            if "text" in named:
                self._texts.append(named["text"])
            if name == "panel":  # a header, and what is below it while it is open
                return Layout(self._texts, self._panel), Layout(self._texts, self._panel)
            if name in ("prop", "textbox", "template_ID"):
                assert positional[1] in positional[0].bl_rna.properties, positional[1]
            if name == "operator":
                contexts.setdefault(positional[0], set()).add(self._panel["operator_context"])
                return _operator(positional[0])
            return Layout(self._texts, self._panel)

        return call


def _operator(name: str) -> Any:
    """Takes the properties that the operator has, and no others."""
    drawn_operators.append(name)
    group, _, function = name.partition(".")
    known = getattr(getattr(bpy.ops, group), function).get_rna_type().properties

    values = buttons[name] = {}

    class Properties:
        def __setattr__(self, attribute: str, value: object) -> None:
            assert attribute in known, f"{name} has no {attribute}"
            values[attribute] = value

    return Properties()


def _draw(width: int = 280) -> list[str]:
    """All texts of the panel and its parts, in both editors; they must be the same."""
    context = SimpleNamespace(
        scene=bpy.context.scene,
        object=bpy.context.object,
        preferences=bpy.context.preferences,
        window_manager=bpy.context.window_manager,
        screen=None,
        space_data=None,
        region=SimpleNamespace(width=width, as_pointer=lambda: 1),
    )
    both = []
    for editor in ("view3d", "shader"):
        texts: list[str] = []
        for part in ("main", "texture", "model", "loras", "guides", "target", "material"):
            panel = getattr(bpy.types, f"TILEWRIGHT_PT_{editor}_{part}")
            panel.draw(SimpleNamespace(layout=Layout(texts)), context)
        both.append(texts)
    assert both[0] == both[1]
    return both[0]


def _draw_status() -> list[str]:
    texts: list[str] = []
    addon("jobs.status").draw(SimpleNamespace(layout=Layout(texts)), None)
    return [text for text in texts if text]


def a_seam_is_mended_along_the_axes_it_was_made_for() -> None:
    image = generate(prompt="frieze", tiling="X")
    image.name = "z, after its maps"
    _draw()
    assert buttons["tilewright.make_tileable"] == {"image": image.name, "axes": "X"}
    executed = {name for name, drawn in contexts.items() if "EXEC_DEFAULT" in drawn}
    assert executed == {"tilewright.make_tileable"}, "what is drawn after it asks for nothing either"
    assert bpy.ops.tilewright.make_tileable(**buttons["tilewright.make_tileable"]) == {"FINISHED"}


def a_model_that_repeats_nearly_says_so_before_the_job() -> None:
    models = addon("settings.models")
    words, exact, plain = (
        "This model's textures repeat nearly, not exactly.",
        models.try_resolve("starter"),
        models.peek,
    )
    wish()
    assert words not in " ".join(_draw())
    try:
        models.peek = lambda _model: replace(exact, exact=False)
        assert words in " ".join(_draw())
        wish(tiling="NONE")
        assert words not in " ".join(_draw())
    finally:
        models.peek = plain


def variants_that_would_be_refused_say_why() -> None:
    words = "Variants need Tiling set to Both, no template image and no guide pictures."
    settings = wish(variants="4")
    assert words not in " ".join(_draw(2000))
    settings.tiling = "X"
    assert words in " ".join(_draw(2000))
    settings.variants = "1"
    assert words not in " ".join(_draw(2000)), "where none are asked for, grey is enough"
    settings.tiling, settings.variants = "XY", "4"
    control = settings.controls.add()
    assert words in " ".join(_draw(2000))
    control.use = False
    assert words not in " ".join(_draw(2000))


def a_set_of_tiles_is_told_of_its_result() -> None:
    generate(variants="4", maps=False)
    assert any(text.endswith(", 4 tiles") for text in _draw())
    generate(variants="1")
    assert not any(text.endswith(" tiles") for text in _draw())


def a_models_file_is_named_in_full(model: str) -> None:
    """Its field shows the beginning of the path alone. In a file that is opened it is read if it is the user's own."""
    models, preferences = addon("settings.models"), addon("common.preferences").get()
    words, unread = f"{Path(model).stem}: Checkpoint of ", "Not read yet: Generate will read it."
    wish(model=model)
    assert any(text.startswith(words) for text in _draw(2000))
    models.forget()
    addon("settings.properties")._on_load()
    assert unread in _draw(2000), "somebody else's file may name a path on a server"
    preferences.models = str(Path(model).parent)
    addon("settings.properties")._on_load()
    assert unread not in _draw(2000)
    item = bpy.context.scene.tilewright.loras.add()
    item.file = str(Path(model).with_name("gone.safetensors"))
    item.missing = False  # as it was when the file was saved
    addon("settings.properties")._on_load()
    assert "Not here" in _draw(2000)
    assert any(text.startswith(words) for text in _draw(2000))
    assert not models.is_own(str(Path(model).parent / ".." / "else.safetensors"))


def panel_tells_each_state() -> None:
    wish(steps=0)
    texts = _draw()
    assert "Generate" in texts
    assert "Cube: Material" in texts
    defaults = addon("settings.models").try_resolve("starter").defaults
    assert f"Steps (model: {defaults.steps})" in texts
    assert f"Guidance (model: {defaults.guidance_scale:g})" in texts

    jobs = [start(prompt="stuck in SAMPLING", steps=3), start(prompt="second", count=2)]
    drive(lambda: jobs[0].progress and jobs[0].progress.phase.name == "SAMPLING")
    assert bpy.context.window_manager.tilewright.phase == "Sampling"  # scripts see words, and not the protocol's names
    texts = _draw()
    assert any(text.startswith("Sampling 0/3, ") and text.endswith(" left") for text in texts), texts
    assert any(text.startswith("1 waiting") for text in texts), texts
    assert "second" in texts
    assert "Cancel All (2)" in texts
    bpy.ops.tilewright.cancel()
    assert "Cancelling" in _draw()
    drive(lambda: jobs[0].ended)

    generate(prompt="three", count=3, seed=8, use_random_seed=False)
    texts = _draw()
    assert {"Generate 3", "1 of 3", "Seamless (0.50)", "In Material, node Image Texture."} <= set(texts), texts
    assert any(text.startswith("64x64, seed 8, ") for text in texts)
    bpy.ops.tilewright.show(step=-1)
    texts = _draw()
    assert "3 of 3" in texts
    assert "In Material, node Image Texture." not in texts, "said of another texture than the one that is there"
    assert "In this file, but in no material. Press Apply to use it." in texts
    bpy.ops.tilewright.show(step=1)
    wearer = bpy.data.materials["Material"].node_tree.nodes["Image Texture"]
    worn, wearer.image = wearer.image, None
    assert "In this file, but in no material. Press Apply to use it." in _draw(), "undone, and still told"
    wearer.image = worn

    message_of(lambda: generate(prompt="this one dies"))
    texts = " ".join(_draw())
    assert "The engine was ended by signal 9." in texts, texts
    assert str(addon("common.package").engine_log().parent) not in texts, "a path of the user's is shown"
    assert "Tilewright: The engine was ended by signal 9." in _draw_status()
    assert drawn_operators[-1] == "tilewright.dismiss"
    bpy.ops.tilewright.dismiss()
    assert "signal 9" not in " ".join(_draw())
    assert _draw_status() == []

    cube = bpy.data.objects["Cube"]
    cube.data.uv_layers.remove(cube.data.uv_layers[0])
    assert "No UV map" in _draw()
    bpy.context.view_layer.objects.active = bpy.data.objects["Camera"]
    assert {"Camera cannot have a material.", "The texture will go into the history."} <= set(_draw())
    kept = len(bpy.data.images)
    wish(prompt="for the history")
    bpy.ops.tilewright.generate()
    assert len(bpy.data.images) == kept
    assert {"Not in a material yet. Press Apply to use it."} <= set(_draw())
    bpy.context.view_layer.objects.active = None
    assert "No object is active." in " ".join(_draw())


def panel_tells_what_is_missing() -> None:
    system = bpy.context.preferences.system
    system.use_online_access = True
    texts = _draw()
    assert "The engine's packages are not installed yet." in " ".join(texts)
    size = addon("common.state").current.environments.lock.size
    assert f"Downloads up to {size / 1e9:.1f} GB, into …/environments." in " ".join(texts)
    assert "Install" in texts
    assert bpy.ops.tilewright.install.poll()

    system.use_online_access = False
    texts = _draw()
    assert "Blender isn't allowed online." in " ".join(texts)
    assert "Allow Online Access..." in texts
    assert "Install" not in texts
    assert not bpy.ops.tilewright.install.poll()

    preferences = bpy.context.preferences.addons["bl_ext.user_default.tilewright"].preferences
    preferences.wheels = "/wheels"
    assert "Install" in _draw()
    preferences.python = "/nowhere/python"
    texts = _draw()
    assert "/nowhere/python" in " ".join(texts)
    assert "Open Preferences" in texts
    assert "Install" not in texts


def texts_are_wrapped_and_nothing_is_lost() -> None:
    wrap = addon("common.drawing").wrap
    for text in ("one two three", "a/very/long/path/without/any/space " * 3, "", "x" * 100):
        for width in (1, 5, 12, 40):
            lines = wrap(text, width, len)
            assert all(len(line) <= width for line in lines)
            assert "".join("".join(lines).split()) == "".join(text.split())


def preferences_can_be_drawn() -> None:
    preferences = bpy.context.preferences.addons["bl_ext.user_default.tilewright"].preferences
    texts: list[str] = []
    type(preferences).draw(_Drawn(preferences, Layout(texts)), bpy.context)
    assert texts[:5] == ["Engine", "Using your own Python.", "Install", "", "Models"]
    assert "Another Machine" in texts
    assert texts[-4:] == ["Computing", "In Blender", "Textures on Disk", "Assets"]


class _Drawn:
    """The preferences, with another layout."""

    python = ""
    host = "workshop"

    def __init__(self, preferences: Any, layout: Layout) -> None:
        self.layout = layout
        self.bl_rna = preferences.bl_rna


def material_part_tells_what_can_be_done() -> None:
    cube = bpy.context.object
    material = cube.active_material
    assert "Mark as Asset" in _draw()
    assert "tilewright.fit_to_object" in _buttons()
    assert "tilewright.multiply_occlusion" not in _buttons()
    generate(prompt="whole material")
    assert "tilewright.multiply_occlusion" in _buttons()
    assert "tilewright.follow_displacement" not in _buttons()
    material.displacement_method = "DISPLACEMENT"
    assert "tilewright.follow_displacement" in _buttons()
    assert bpy.ops.tilewright.mark_asset() == {"FINISHED"}
    assert "Update Asset" in _draw()
    now = addon("common.state").current
    now.export = SimpleNamespace(is_over=False, is_cancelled=False, made=1, count=4, files=[], error=None, folder="out")
    assert "Exporting 2 of 4" in _draw()
    assert "tilewright.close_export" in _buttons()
    assert "tilewright.export_maps" not in _buttons()
    now.export.is_over, now.export.files = True, [Path("brick_Normal.png")]
    assert "In out: brick_Normal.png." in " ".join(_draw())
    assert {"tilewright.close_export", "tilewright.export_maps"} <= set(_buttons())
    now.export.files, now.export.is_cancelled = [], True
    assert "The export was cancelled." in " ".join(_draw())
    assert bpy.ops.tilewright.close_export() == {"FINISHED"}
    assert now.export is None
    cube.active_material = None
    assert "No material is active." in _draw()


def _buttons() -> list[str]:
    """The operators that the panel offers."""
    drawn_operators.clear()
    _draw()
    return list(drawn_operators)
