# SPDX-License-Identifier: GPL-3.0-or-later
"""The right moment, in a Blender with a window: what a result waits for, and what is drawn again. Generators."""

import subprocess
from typing import Any

import bpy
from common import addon, fresh, made, wish
from window import Story, _press, _until, missing_hands


def _window() -> bpy.types.Window:
    return bpy.context.window_manager.windows[0]


def _place() -> dict[str, Any]:
    """Where the mouse would be: the 3D View."""
    window = _window()
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    return {"window": window, "area": area, "region": region}


def texture_waits_for_a_grab() -> Story:
    """A grab half done must not end up in the texture's undo step."""
    if lack := missing_hands():
        return lack
    fresh()
    cube = bpy.data.objects["Cube"]
    with bpy.context.temp_override(**_place()):
        bpy.ops.ed.undo_push(message="before")
        bpy.ops.transform.translate("INVOKE_DEFAULT")
    yield 0.3
    assert [operator.bl_idname for operator in _window().modal_operators] == ["TRANSFORM_OT_translate"]
    yield from _waits("move")
    _press_escape()
    yield from _until(made)
    assert not _window().modal_operators
    assert tuple(cube.location) == (0.0, 0.0, 0.0)
    return ""


def _press_escape() -> None:
    subprocess.run(["xdotool", "key", "Escape"], check=True)


def texture_waits_for_a_render(locked: bool) -> Story:
    if lack := missing_hands():
        return lack
    yield from _prepare_render()
    scene = bpy.context.scene
    scene.render.use_lock_interface = locked
    with bpy.context.temp_override(**_place()):
        assert bpy.ops.render.render("INVOKE_DEFAULT") == {"RUNNING_MODAL"}
    yield 0.2
    assert bpy.app.is_job_running("RENDER")
    assert bpy.context.window_manager.is_interface_locked == locked
    yield from _waits("render")
    _press_escape()
    yield from _until(made)
    assert not bpy.app.is_job_running("RENDER")
    return ""


def texture_waits_for_a_bake() -> Story:
    if lack := missing_hands():
        return lack
    yield from _prepare_render()
    cube = bpy.data.objects["Cube"]
    tree = cube.active_material.node_tree
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.new("baked", 64, 64)
    tree.nodes.active = node
    cube.select_set(True)
    with bpy.context.temp_override(**_place(), object=cube, active_object=cube, selected_objects=[cube]):
        assert bpy.ops.object.bake("INVOKE_DEFAULT", type="COMBINED") == {"RUNNING_MODAL"}
    yield 0.2
    assert bpy.app.is_job_running("OBJECT_BAKE")
    yield from _waits("bake")
    _press_escape()
    yield from _until(made)
    assert not bpy.app.is_job_running("OBJECT_BAKE")
    return ""


def _prepare_render() -> Story:
    fresh()
    yield 0.2
    bpy.context.preferences.view.render_display_type = "NONE"
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x = scene.render.resolution_y = 64
    scene.cycles.device = "CPU"
    scene.cycles.samples = 1 << 16  # far more than anybody waits for; Escape ends it
    scene.cycles.use_adaptive_sampling = False


def _waits(for_what: str) -> Story:
    """Make a texture, and see that it waits, and that the panel and the status bar say for what."""
    now = addon("common.state").current
    _press(prompt="waits")
    yield from _until(lambda: now.waiting)
    yield 0.3
    assert for_what in now.hindrance.lower(), now.hindrance
    assert addon("jobs.status").text() == now.hindrance
    assert not made()
    assert bpy.context.window_manager.tilewright.running


def only_what_shows_a_job_is_drawn_again() -> Story:
    """Progress redraws the sidebar that shows the panel and the status bar; never the scene."""
    fresh()
    yield 0.5
    place = _place()
    view, sidebar = place["area"].spaces.active, next(r for r in place["area"].regions if r.type == "UI")
    view.show_region_ui = True
    yield 1.0
    counts = {"scene": 0, "panel": 0, "status": 0}

    def count(name: str) -> None:
        counts[name] += 1

    handle = bpy.types.SpaceView3D.draw_handler_add(lambda: count("scene"), (), "WINDOW", "POST_PIXEL")
    bpy.types.STATUSBAR_HT_header.append(lambda self, context: count("status"))
    bpy.types.TILEWRIGHT_PT_view3d_main.append(lambda self, context: count("panel"))
    for category, draws_panel in (("Tilewright", True), ("Item", False)):
        sidebar.active_panel_category = category
        place["area"].tag_redraw()
        wish(prompt="calm", steps=8, use_random_seed=False)
        yield from _settle(counts)
        with bpy.context.temp_override(window=_window()):
            bpy.ops.tilewright.generate()
        counts |= dict.fromkeys(counts, 0)
        yield 1.5
        assert bpy.context.window_manager.tilewright.running
        assert counts["status"] >= 3, (category, counts)
        assert (counts["panel"] >= 3) == draws_panel, (category, counts)
        assert counts["scene"] == 0, (category, counts)
        yield from _until(lambda: not bpy.context.window_manager.tilewright.running)
        yield 0.5
        assert counts["scene"] > 0, "the cube does not show its texture"
        assert not addon("jobs.status").text()
        yield from _settle(counts)
    bpy.types.SpaceView3D.draw_handler_remove(handle, "WINDOW")


def _settle(counts: dict[str, int]) -> Story:
    """Wait until nothing is drawn any more for a second: the scene gets smoother in several passes."""
    for _ in range(20):
        counts |= dict.fromkeys(counts, 0)
        yield 1.0
        if not any(counts.values()):
            return
    raise AssertionError(f"drawn for ever with nothing to show: {counts}")


def picture_in_the_making_is_shown() -> Story:
    """Only where the preferences want it, and only until the picture is there."""
    fresh()
    now = addon("common.state").current
    preferences = addon("common.preferences").get()
    for wanted in (False, True):
        preferences.previews = wanted
        _press(prompt="in the making", steps=8)
        (job,) = now.session.jobs
        icons = set()
        while bpy.context.window_manager.tilewright.running:
            icons.add(addon("jobs.previews").icon(job))
            yield 0.05
        assert (icons == {0}) == (not wanted), icons
        assert addon("jobs.previews").icon(job) == 0
    item = now.step_previews[job.id]
    assert tuple(item.image_size) == (8, 8)
    assert {pixel & 0xFF for pixel in item.image_pixels} == {255}, "the last step's is white"
    addon("jobs.pump").unregister()
    assert addon("common.state").current.step_previews is None
    addon("jobs.pump").register()
