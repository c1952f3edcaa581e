# SPDX-License-Identifier: GPL-3.0-or-later
"""What only a Blender with a window does: its timer, tools in the middle of something, undo steps. Generators."""

import shutil
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
    yield from _until(lambda: not bpy.app.timers.is_registered(addon("pump").tick))
    assert bpy.context.window_manager.tilewright.outcome
    assert made()[0].tilewright.result in addon("state").current.previews
    undo()
    assert not made()
    redo()
    assert [image.tilewright.prompt for image in made()] == ["by the timer"]
    _press(prompt="another", count=2)
    yield from _until(lambda: len(made()) == 3)
    assert len(addon("state").current.previews) == 2, "thumbnails that are not shown any more stay in memory"


def texture_waits_for_a_tool_to_end() -> Story:
    fresh()
    bpy.utils.register_class(WINDOW_OT_tool)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.window_test.tool("INVOKE_DEFAULT")
    yield 0.2
    now = addon("state").current
    _press(prompt="waits")
    yield from _until(lambda: now.hindrance)
    yield 1.0
    assert now.hindrance == "Waits for Tool to end"
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
    assert bpy.app.timers.is_registered(addon("pump").tick)
    status = bpy.context.window_manager.tilewright
    yield from _until(lambda: not status.running)
    yield 0.5
    assert "another file" in status.outcome
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
        assert time.monotonic() < end, f"not within {seconds} s; error: {addon('state').current.error}"
        yield 0.1
