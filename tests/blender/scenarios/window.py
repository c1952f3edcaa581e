# SPDX-License-Identifier: GPL-3.0-or-later
"""What only a Blender with a window does: its timer, tools in the middle of something, undo steps. Generators."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import bpy
from common import addon, fresh, made, push_undo, redo, undo, wish

Story = Iterator[float]


def missing_hands() -> str:
    """What a user at the screen would lack, "" if nothing: said by scenarios that return at once for it."""
    lacks = [program for program in ("xdotool", "import") if shutil.which(program) is None]
    return f"beside this Blender there is no {' and no '.join(lacks)}" if lacks else ""


def texture_arrives_by_the_timer() -> Story:
    fresh()
    push_undo()
    _press(prompt="by the timer")
    assert not made(), "it did not return at once"
    yield from _until(made)
    yield from _until(lambda: not bpy.app.timers.is_registered(addon("jobs.pump").tick))
    assert bpy.context.window_manager.tilewright.outcome
    assert made()[0].tilewright.result in addon("common.state").current.thumbnails
    undo()
    assert not made()
    redo()
    assert [image.tilewright.prompt for image in made()] == ["by the timer"]
    addon("history.browse").PAGE, addon("history.browse")._MAX_PREVIEWS = 1, 3
    _press(prompt="another", count=2)
    yield from _until(lambda: len(made()) == 3)
    names = {image.tilewright.result for image in made() if image.tilewright.prompt == "another"}
    assert set(addon("common.state").current.thumbnails) == names, (
        "thumbnails that are not shown any more stay in memory"
    )


def texture_waits_for_a_tool_to_end() -> Story:
    fresh()
    bpy.utils.register_class(WINDOW_OT_tool)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.window_test.tool("INVOKE_DEFAULT")
    yield 0.2
    now = addon("common.state").current
    _press(prompt="waits")
    yield from _until(lambda: now.hindrance)
    yield 1.0
    assert now.hindrance == "Waiting for Tool to finish"
    assert len(now.waiting) == 1
    assert not made()
    WINDOW_OT_tool.ended = True
    yield from _until(made)
    assert now.hindrance == ""
    assert now.waiting == []


def timer_outlives_another_file() -> Story:
    fresh()
    _press(prompt="for the old file", count=2)
    yield 0.2
    fresh()
    assert bpy.app.timers.is_registered(addon("jobs.pump").tick)
    status = bpy.context.window_manager.tilewright
    yield from _until(lambda: not status.running)
    yield 0.5
    assert status.outcome.startswith("Made for what was open before")
    assert not made()


class WINDOW_OT_tool(bpy.types.Operator):
    """A tool that the user is in the middle of."""

    bl_idname = "window_test.tool"
    bl_label = "Tool"
    ended = False

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.modal_handler_add(self)
        context.window_manager.event_timer_add(0.1, window=context.window)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return {"FINISHED"} if type(self).ended else {"PASS_THROUGH"}


def _press(**values: object) -> None:
    wish(**values)
    begin = time.perf_counter()
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        assert bpy.ops.tilewright.generate() == {"FINISHED"}
    assert time.perf_counter() - begin < 0.5


def _until(condition: Callable[[], object], seconds: float = 30.0) -> Story:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s; error: {addon('common.state').current.error}"
        yield 0.1


def textures_are_tried_on_by_keys() -> Story:
    fresh()
    _press(prompt="tried on", count=3)
    yield from _until(lambda: len(made()) == 3)
    yield 1.0
    worn, images = _worn(), len(bpy.data.images)
    yield from _try_on()
    first = _worn()
    assert len(bpy.data.images) == images, "an image that is there was loaded again"
    yield from _keys("Right", lambda: _worn() != first)
    second = _worn()
    yield from _keys("Down", lambda: _worn() not in (first, second))
    yield from _keys("Left", lambda: _worn() == second)
    yield from _keys("Escape", lambda: not _tools())
    assert _worn() == worn

    yield from _try_on()
    begun = _worn()
    yield from _keys("Right", lambda: _worn() != begun)
    kept = _worn()
    yield from _keys("Return", lambda: not _tools())
    assert _worn() == kept
    undo()
    assert _worn() == worn
    redo()
    assert _worn() == kept


def compare_lasts_while_the_button_is_held() -> Story:
    fresh()
    for prompt in ("before", "after"):
        count = len(made())
        _press(prompt=prompt)
        yield from _until(lambda count=count: len(made()) > count)
    yield 1.0
    before, after = (
        next(image.name for image in made() if image.tilewright.prompt == text) for text in ("before", "after")
    )
    assert _worn() == after
    place = bpy.context.window_manager.tilewright_history
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        place.comparing = True
    yield 0.8
    assert _worn() == before
    assert place.comparing
    yield from _xdotool(["click", "1"], lambda: not place.comparing)
    assert _worn() == after
    assert not _tools()

    addon("history.compare").CLICK = 100.0  # however busy the machine is: this is a click
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        place.comparing = True
    yield from _xdotool(["click", "1"], lambda: _tools()[0].bl_idname == "TILEWRIGHT_OT_compare")
    yield 1.0
    assert _worn() == before
    assert place.comparing
    yield from _xdotool(["click", "1"], lambda: not place.comparing)
    assert _worn() == after
    assert not _tools()


def a_list_is_chosen_in_a_dialog() -> Story:
    """Bad lines stand in the dialog, and Enter queues nothing; put right, its textures go into the history."""
    fresh()
    lack = missing_hands()
    if lack:
        return lack
    wish(count=1)
    text = bpy.data.texts.new("walls")
    text.write("prompt,size\nold brick,64\nred clay,65\n")
    now, history = addon("common.state").current, addon("history.browse").get()
    for is_right in (False, True):
        if is_right:
            text.clear()
            text.write("prompt,size\nold brick,64\nred clay,64\n")
        window = bpy.context.window_manager.windows[0]
        subprocess.run(["xdotool", "mousemove", "800", "500"], check=True)
        yield 0.5
        with bpy.context.temp_override(window=window):
            bpy.ops.tilewright.generate_lines("INVOKE_DEFAULT", text="walls")
        yield 1.0
        # off the field that it opens over, which would take Enter for itself
        subprocess.run(["xdotool", "mousemove", "470", "558"], check=True)
        yield 0.5
        subprocess.run(["xdotool", "key", "Return"], check=True)
        yield 2.0
        assert bool(now.lists) is is_right
        subprocess.run(["xdotool", "key", "Escape", "Escape"], check=True)
        yield 1.0
    yield from _until(lambda: not now.lists[0].left)
    prompts = [entry.result.recipe.request.prompt for entry in history.entries[:2]]
    assert sorted(prompts) == ["old brick", "red clay"]
    return ""


def the_bake_dialog_starts_a_bake() -> Story:
    """Enter in the dialog bakes in the background; one undo takes the baked material back."""
    if lack := missing_hands():
        return lack
    fresh()
    _press(prompt="baked")
    yield from _until(made)
    push_undo()
    subprocess.run(["xdotool", "mousemove", "700", "400"], check=True)
    yield 0.5
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        assert bpy.ops.tilewright.bake("INVOKE_DEFAULT", True, size="512") == {"RUNNING_MODAL"}
    yield 1.0
    now = addon("common.state").current
    assert now.baked is None, "nobody has said yes yet"
    # off the fields, over the dialog's heading
    subprocess.run(["xdotool", "mousemove", "700", "370"], check=True)
    yield 0.5
    subprocess.run(["xdotool", "key", "Return"], check=True)
    yield from _until(lambda: now.baked is not None, 5.0)
    yield from _until(lambda: now.baked.is_over and now.baked_outcome, 120.0)
    assert now.baked.error is None
    assert "Material Baked" in bpy.data.materials
    undo()
    assert "Material Baked" not in bpy.data.materials
    return ""


def a_mask_is_painted_with_a_stroke() -> Story:
    """Paint Mask opens a window beside the layout, and a stroke there is white; undo takes the stroke back alone."""
    if lack := missing_hands():
        return lack
    fresh()
    settings, manager = bpy.context.scene.tilewright, bpy.context.window_manager
    settings.template_image = bpy.data.images.new("photo", 256, 128)
    layout = [area.type for area in manager.windows[0].screen.areas]
    push_undo()
    area = manager.windows[0].screen.areas[0]
    with bpy.context.temp_override(window=manager.windows[0], area=area, region=area.regions[-1]):
        assert bpy.ops.tilewright.paint_mask("EXEC_DEFAULT", True) == {"FINISHED"}  # with its undo step, as by a click
    yield 3.0
    assert [area.type for area in manager.windows[0].screen.areas] == layout
    window = manager.windows[-1]
    area = window.screen.areas[0]
    editor = area.spaces.active
    assert (editor.image, editor.mode) == (settings.mask, "PAINT")
    x = window.x + area.x + area.width // 2
    y = manager.windows[0].height - (window.y + area.y + area.height // 2)
    for step in (["mousemove", x - 40, y], ["mousemove", x - 38, y], ["mousedown", 1]):
        subprocess.run(["xdotool", *map(str, step)], check=True)
        yield 0.5
    for place in range(x - 36, x + 40, 4):
        subprocess.run(["xdotool", "mousemove", str(place), str(y)], check=True)
        yield 0.05

    def painted() -> tuple[float, float]:
        values = bpy.context.scene.tilewright.mask.pixels[0::4]  # after undo, what was looked up before is gone
        return min(values), max(values)

    yield from _xdotool(["mouseup", "1"], lambda: painted() == (0.0, 1.0))
    yield from _xdotool(["key", "ctrl+z"], lambda: painted() == (0.0, 0.0))
    assert bpy.context.scene.tilewright.region == "MASK"
    return ""


def history_shows_what_earlier_sessions_left() -> Story:
    """The store is read in the background when Blender has started, and its thumbnails are there."""
    view = addon("common.state").current.view
    yield from _until(lambda: view.found)
    assert len(view.offered) == 2
    assert set(addon("common.state").current.thumbnails) == {entry.name for entry in view.found}
    yield from _until(lambda: not bpy.app.timers.is_registered(addon("history.browse").tick))

    assert not [thread for thread in threading.enumerate() if thread.name == "tilewright-history"]


def leave_two_behind() -> Story:
    fresh()
    _press(prompt="left behind", count=2)
    yield from _until(lambda: len(made()) == 2)


def _worn() -> str:
    nodes = bpy.data.objects["Cube"].active_material.node_tree.nodes  # a copy, while it is tried on
    return str(next(node.image.name for node in nodes if node.bl_idname == "ShaderNodeTexImage"))


def _tools() -> list:
    return list(bpy.context.window_manager.windows[0].modal_operators)


def _try_on() -> Story:
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    subprocess.run(["xdotool", "mousemove", str(area.x + area.width // 2), "400"], check=True)
    yield 0.5
    with bpy.context.temp_override(window=window, area=area, region=region):
        assert bpy.ops.tilewright.try_on("INVOKE_DEFAULT") == {"RUNNING_MODAL"}
    yield 0.5


def _keys(key: str, condition: Callable[[], object]) -> Story:
    yield from _xdotool(["key", key], condition)


def _xdotool(arguments: list[str], condition: Callable[[], object]) -> Story:
    subprocess.run(["xdotool", *arguments], check=True)
    yield from _until(condition)
