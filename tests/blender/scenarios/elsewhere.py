# SPDX-License-Identifier: GPL-3.0-or-later
"""Another machine makes the textures."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
from common import addon, drive, finish, fresh, generate, made, message_of, start, wish
from drawing import _draw as draw_panel


def _preferences(host: str, folder: str, place: str) -> Any:
    bpy.context.preferences.system.use_online_access = bool(host)
    chosen = addon("common.preferences").get()
    chosen.host, chosen.host_folder, chosen.place = host, folder, place
    return chosen


def checked_and_used(host: str, folder: str, model: str) -> dict[str, Any]:
    """Check, then a texture by the starter and one by a model that is only there; then here again."""
    chosen = _preferences(host, folder, "ELSEWHERE")
    state = addon("common.state").current
    assert state.engine_error is None, "the engine here is not asked for"
    assert message_of(bpy.ops.tilewright.check_elsewhere).count("is not a Python that the engine can use")
    command = addon("install.setup").install_command()
    image = generate(prompt="grey cobblestone")
    facts = image.tilewright
    settings = wish(model=model)
    assert addon("settings.models").candidates("")[-1][0] == model
    assert addon("settings.models").peek(model).defaults.steps == 25
    settings.model = "/not/there"
    unknown = message_of(bpy.ops.tilewright.generate)
    chosen.place = "HERE"
    assert state.engine_error is not None
    _preferences("", "~/tilewright", "HERE")
    return {"command": command, "file": bpy.path.abspath(image.filepath), "unknown": unknown, "made": facts.result}


def is_told(host: str, folder: str) -> str:
    """What Generate says where that machine cannot be had."""
    _preferences(host, folder, "ELSEWHERE")
    wish(prompt="bricks")
    said = message_of(bpy.ops.tilewright.generate)
    _preferences("", "~/tilewright", "HERE")
    return said


def line_breaks(host: str, folder: str, asks: str) -> list[str]:
    """A line that breaks under a job is told, tried again, and the job ends as if nothing had been."""
    fresh()
    _preferences(host, folder, "ELSEWHERE")
    job = start(prompt="by a bad line", steps=20)
    drive(lambda: job.progress and job.progress.phase.name == "SAMPLING")
    Path(asks).touch()
    drive(lambda: any(f"The line to {host} broke: trying again" in text for text in draw_panel()))
    assert addon("jobs.status").text() == f"The line to {host} broke: trying again"
    finish(job)
    assert job.state.name == "FINISHED", job.error
    _preferences("", "~/tilewright", "HERE")
    return [image.tilewright.prompt for image in made()]


def in_a_window(host: str, folder: str) -> Iterator[float]:
    """Check and Generate return at once; what comes over arrives by the timer, while Blender draws."""
    fresh()
    state = addon("common.state").current
    _preferences(host, folder, "ELSEWHERE")
    begin = time.perf_counter()
    assert bpy.ops.tilewright.check_elsewhere() == {"FINISHED"}
    wish(prompt="by the line")
    assert time.perf_counter() - begin < 1.0
    yield from _until(lambda: not state.setup.busy)
    assert state.elsewhere.place.host == host
    bpy.ops.tilewright.dismiss_setup()
    begin = time.perf_counter()
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        assert bpy.ops.tilewright.generate() == {"FINISHED"}
    assert time.perf_counter() - begin < 1.0
    yield from _until(made)
    assert made()[0].tilewright.prompt == "by the line"


def _until(condition: Callable[[], object], seconds: float = 60.0) -> Iterator[float]:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s; error: {addon('common.state').current.error}"
        yield 0.1


def is_reached_only_online(host: str) -> str:
    _preferences(host, "~/tilewright", "ELSEWHERE")
    bpy.context.preferences.system.use_online_access = False
    wish(prompt="bricks")
    said = message_of(bpy.ops.tilewright.generate)
    assert "is in the network" in message_of(bpy.ops.tilewright.check_elsewhere), "greyed, with the reason"
    chosen = addon("common.preferences").get()
    items = addon("shell.preferences")._place_items(chosen, None)
    assert items is addon("shell.preferences")._place_items(chosen, None), "Blender shows texts that Python has freed"
    assert items[1][1] == host
    _preferences("", "~/tilewright", "HERE")
    return said
