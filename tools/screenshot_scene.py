# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the screenshots that runs inside a Blender with a window: installs, shows each state of the panel."""

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
from mathutils import Vector

SETTINGS = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
PACKAGE = "bl_ext.user_default.tilewright"
PATIENCE = 900.0  # seconds for a texture
PROMPTS = (
    "green grass",
    "grey cobblestone",
    "wooden planks",
    "rusty metal",
    "white marble",
    "mossy wooden planks",
    "sand dunes",
    "roof tiles with moss",
)

sys.path.insert(0, SETTINGS["root"])
from tests.fake import make_fake_python  # noqa: E402 - found by the line above

Story = Iterator[float]


def story() -> Story:
    """What is shown, one state after the other; yields the seconds to wait, for Blender draws between timers."""
    yield 1.0
    bpy.ops.extensions.package_install_files(filepath=SETTINGS["zip"], repo="user_default", enable_on_install=True)
    area = prepare()
    yield 0.5
    shader = yield from open_shader_editor()
    yield 1.0
    for region in sidebars(area, shader):
        region.active_panel_category = "Tilewright"
    yield 0.5
    wish = bpy.context.scene.tilewright
    yield from take("no-engine", area, shader)

    use(SETTINGS["engine"])
    wish.use_random_seed = False
    wish.width = wish.height = min(SETTINGS["size"], 256)  # so that the history has something to show
    for prompt in PROMPTS:
        wish.prompt = prompt
        bpy.ops.tilewright.generate()
    yield from until_done()
    bpy.ops.tilewright.favourite(result=history().found[2].name)
    wish.prompt = SETTINGS["prompt"]
    wish.seed = SETTINGS["seed"]
    wish.width = wish.height = SETTINGS["size"]
    yield from take("idle", area, shader)
    bpy.ops.tilewright.generate()
    yield from until_done()
    assert not bpy.context.window_manager.tilewright.error, bpy.context.window_manager.tilewright.error
    area.spaces.active.shading.type = "MATERIAL"  # as textures, solid objects show them without their mapping
    yield 40.0  # materials are compiled, slowly in software
    yield from take("finished", area, shader)
    shader.spaces.active.show_region_ui = False
    yield 1.0
    show_nodes(shader)
    yield 1.0
    yield from take("readme", area, shader)
    set_theme("Blender_Light")
    yield from take("light", area, shader)
    set_theme("Blender_Dark")
    entries = bpy.context.window_manager.tilewright_history
    entries.search = "wooden"
    yield from take("search", area, shader)
    entries.search = "nothing of the kind"
    yield from take("nothing-found", area, shader)
    entries.search = ""
    shader.spaces.active.show_region_ui = True
    area.spaces.active.shading.type = "SOLID"

    use(fake({"step_seconds": 0.8}))
    wish.use_random_seed = True
    for _ in range(3):
        bpy.ops.tilewright.generate()
    yield 4.0
    yield from take("running", area, shader)
    bpy.ops.tilewright.cancel()
    yield from until_done()

    use(fake({"faults": [{"do": "signal", "phase": "SAMPLING", "step": 2}]}))
    bpy.ops.tilewright.generate()
    yield from until_done()
    yield from take("error", area, shader)
    bpy.ops.tilewright.dismiss()

    use(fake({}))
    wish.count = 4
    cube = bpy.context.object
    cube.data.uv_layers.remove(cube.data.uv_layers[0])
    bpy.ops.tilewright.generate()
    yield from until_done()
    yield from take("several", area, shader)
    bpy.context.view_layer.objects.active = bpy.data.objects["Camera"]
    yield from take("camera", area, shader)


def manual() -> Story:
    """Each panel alone and open, for the pages of the manual; and the whole in German."""
    yield 1.0
    bpy.ops.extensions.package_install_files(filepath=SETTINGS["zip"], repo="user_default", enable_on_install=True)
    area = prepare()
    bpy.context.preferences.system.use_region_overlap = False  # so that nothing shines through
    bpy.context.preferences.view.show_tooltips = False
    yield 0.5
    for region in sidebars(area):
        region.active_panel_category = "Tilewright"
    use(SETTINGS["engine"])
    wish = bpy.context.scene.tilewright
    wish.use_random_seed, wish.seed = False, SETTINGS["seed"]
    wish.width = wish.height = 256
    for prompt in PROMPTS[:5]:
        wish.prompt = prompt
        bpy.ops.tilewright.generate()
    yield from until_done()
    bpy.ops.tilewright.favourite(result=history().found[1].name)
    wish.prompt, wish.maps = SETTINGS["prompt"], True
    bpy.ops.tilewright.generate()
    yield from until_done()
    yield 1.0
    parts = {name.removeprefix(_PANEL): getattr(bpy.types, name) for name in dir(bpy.types) if name.startswith(_PANEL)}
    for name in sorted(set(parts) - {"guides", "loras"}):  # which are grey for the starter
        with alone(parts, name):
            yield from take(f"manual-{name}", area)
    use_language("de_DE")
    yield from take("manual-german", area)
    for name in ("texture", "material", "history"):
        with alone(parts, name):
            yield from take(f"german-{name}", area)
    use_language("en_US")
    area.ui_type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "Tilewright"
    bpy.ops.preferences.addon_expand(module=PACKAGE)
    yield 1.0
    yield from take("manual-preferences", area)


_PANEL = "TILEWRIGHT_PT_view3d_"


@contextlib.contextmanager
def alone(parts: dict[str, type], name: str) -> Iterator[None]:
    """Have the sidebar show one panel and no other, and that one open."""
    ordered = sorted(parts.values(), key=depth)
    for part in reversed(ordered):
        bpy.utils.unregister_class(part)
    kept = {key: value for key, value in vars(parts[name]).items() if key in ("bl_label", "draw", "draw_header_preset")}
    shown = type(f"TILEWRIGHT_PT_alone_{name}", parts[name].__bases__, kept)
    bpy.utils.register_class(shown)
    try:
        yield
    finally:
        bpy.utils.unregister_class(shown)
        for part in ordered:
            bpy.utils.register_class(part)


def depth(part: type) -> int:
    """How many panels a panel stands in."""
    parent = vars(part).get("bl_parent_id")
    return 0 if parent is None else 1 + depth(getattr(bpy.types, parent))


def use_language(name: str) -> None:
    view = bpy.context.preferences.view
    view.language = name
    view.use_translate_interface = view.use_translate_tooltips = view.use_translate_reports = True


def history() -> Any:
    """How the panel shows the history."""
    return sys.modules[f"{PACKAGE}.blender.common.state"].current.view


def set_theme(name: str) -> None:
    """One of Blender's own themes."""
    for folder in bpy.utils.preset_paths("interface_theme"):
        file = Path(folder) / f"{name}.xml"
        if file.is_file():
            bpy.ops.script.execute_preset(filepath=str(file), menu_idname="USERPREF_MT_interface_theme_presets")
            return
    raise FileNotFoundError(name)


def prepare() -> bpy.types.Area:
    """The 3D View with its sidebar open, seen from near by."""
    bpy.context.view_layer.objects.active = bpy.data.objects["Cube"]
    area = next(area for area in bpy.context.screen.areas if area.type == "VIEW_3D")
    area.spaces.active.show_region_ui = True
    area.spaces.active.shading.color_type = "TEXTURE"  # without a render engine, for software OpenGL
    view = area.spaces.active.region_3d
    view.view_distance = 8.0
    view.view_location = view.view_rotation @ Vector((1.4, 0.0, 0.0))  # beside the sidebar, not behind it
    return area


def open_shader_editor() -> Iterator[float]:
    """Split the 3D View, and make one half a Shader Editor with its sidebar open."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    before = set(window.screen.areas)
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.screen.area_split(direction="VERTICAL", factor=0.5)
    yield 0.5
    (new,) = set(window.screen.areas) - before
    new.ui_type = "ShaderNodeTree"
    new.spaces.active.show_region_ui = True
    yield 0.5
    show_nodes(new)
    return new


def show_nodes(area: bpy.types.Area) -> None:
    region = next(region for region in area.regions if region.type == "WINDOW")
    window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.node.view_all()


def sidebars(*areas: bpy.types.Area) -> list[bpy.types.Region]:
    return [region for area in areas for region in area.regions if region.type == "UI"]


def use(python: str) -> None:
    os.environ["TILEWRIGHT_PYTHON"] = python


def fake(behaviour: dict) -> str:
    """An engine without torch that behaves like this."""
    folder = Path(SETTINGS["folder"]) / f"fake-{len(list(Path(SETTINGS['folder']).iterdir()))}"
    return str(make_fake_python(folder, behaviour))


def until_done() -> Story:
    """Wait until no job runs."""
    end = time.monotonic() + PATIENCE
    yield 0.2
    while bpy.context.window_manager.tilewright.running:
        if time.monotonic() > end:
            raise TimeoutError("a texture took too long")
        yield 0.2


def take(name: str, *areas: bpy.types.Area) -> Story:
    """A picture of the screen, and where the panel's editors are in it (left, bottom, width, height in pixels)."""
    for area in bpy.context.window_manager.windows[0].screen.areas:
        area.tag_redraw()
    yield 1.5
    # Blender's own screenshot operator gives black under software OpenGL, so ImageMagick takes what the screen shows.
    file = Path(SETTINGS["output"]) / f"{name}.png"
    subprocess.run(["import", "-window", "root", str(file)], check=True)
    window = [
        min(area.x for area in areas),
        min(area.y for area in areas),
        sum(area.width for area in areas),
        max(area.height for area in areas),
    ]
    panels = {
        area.type: [region.x, region.y, region.width, region.height] for area in areas for region in sidebars(area)
    }
    with (Path(SETTINGS["output"]) / "places.jsonl").open("a", encoding="ascii") as places:
        places.write(json.dumps({"name": name, "window": window, "panels": panels}) + "\n")


def tell(told: Story) -> float | None:
    """The timer: one step of the story; ends Blender with it."""
    try:
        return next(told)
    except StopIteration:
        code = 0
    except Exception:
        logging.exception("The story broke off.")
        code = 1
    try:
        bpy.ops.preferences.addon_disable(module=PACKAGE)
    except RuntimeError:  # what Blender makes of an add-on's error: without an end here it would stay open
        logging.exception("The add-on could not be turned off.")
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


bpy.context.preferences.view.show_splash = False
STORY = manual() if SETTINGS["manual"] else story()
bpy.app.timers.register(lambda: tell(STORY), first_interval=1.0)
