# SPDX-License-Identifier: GPL-3.0-or-later
"""From nothing to a texture in a Blender with a window, with the mouse; pictures on the way. Generators."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
from common import PACKAGE, addon, fresh, made, wish

Story = Iterator[float]


def from_nothing_to_a_texture(index: str, pictures: str) -> Story:
    fresh()
    yield 1.0  # Blender builds the new file's screen
    bpy.context.preferences.system.use_online_access = False
    bpy.context.preferences.addons[PACKAGE].preferences.index = index
    area = next(area for area in bpy.context.window_manager.windows[0].screen.areas if area.type == "VIEW_3D")
    area.spaces.active.show_region_ui = True
    area.spaces.active.shading.color_type = "TEXTURE"
    yield 0.5
    sidebar = next(region for region in area.regions if region.type == "UI")
    sidebar.active_panel_category = "Tilewright"
    now = addon("common.state").current
    assert now.engine_error
    yield from _picture(pictures, "1-offline")

    bpy.context.preferences.system.use_online_access = True
    area.tag_redraw()
    yield from _picture(pictures, "2-missing")
    yield from _click_down(sidebar, lambda: now.setup.installing)
    seen = set()
    end = time.monotonic() + 120
    while now.setup.installing:
        assert time.monotonic() < end, now.setup.installer.progress
        if now.setup.installer.progress.done and "picture" not in seen:
            seen.add("picture")
            yield from _picture(pictures, "3-installing")
        seen.add(now.setup.installer.progress.stage)
        yield 0.1
    assert now.setup.error is None, now.setup.error
    assert len(seen) > 2, "no progress was told"
    assert now.engine_error is None
    yield from _picture(pictures, "4-installed")

    wish(prompt="red brick", width=256, height=256)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        assert bpy.ops.tilewright.generate() == {"FINISHED"}
    end = time.monotonic() + 60
    while not made():
        assert time.monotonic() < end, now.error
        yield 0.1
    (node,) = [node for node in bpy.data.objects["Cube"].active_material.node_tree.nodes if node.type == "TEX_IMAGE"]
    assert node.image == made()[0]
    yield from _picture(pictures, "5-textured")

    bpy.ops.screen.userpref_show()
    yield 1.0
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "tilewright"
    bpy.ops.preferences.addon_expand(module=PACKAGE)
    yield from _picture(pictures, "6-preferences")


def _click_down(region: bpy.types.Region, done: Callable[[], object]) -> Story:
    """Click down the middle of a sidebar, as somebody who looks for the first button, until something happens."""
    window = bpy.context.window_manager.windows[0]
    x = region.x + region.width // 2
    for below in range(40, 320, 10):
        y = window.height - (region.y + region.height - below)
        subprocess.run(["xdotool", "mousemove", str(x), str(y)], check=True)
        yield 0.3
        subprocess.run(["xdotool", "click", "1"], check=True)
        yield 0.5
        if done():
            return
    raise AssertionError("no button was found")


def _picture(folder: str, name: str) -> Story:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            area.tag_redraw()
    yield 1.5
    # Blender's own screenshot operator gives black under software OpenGL
    subprocess.run(["import", "-window", "root", str(Path(folder) / f"{name}.png")], check=True)
