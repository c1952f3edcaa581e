# SPDX-License-Identifier: GPL-3.0-or-later
"""What scenarios that share a process may do to each other: nothing. For the test of that."""

import os
import threading
import time

import bpy
from common import PACKAGE, addon, generate, start
from files import children

WORDS: list[str] = []


def leave_everything_behind() -> int:
    """Change all that a scenario can change, and leave a job running; the id of this process."""
    generate(prompt="earlier texture")
    start(prompt="stuck in SAMPLING")
    WORDS.append("earlier texture")
    os.environ["TILEWRIGHT_TEST_WORD"] = "earlier texture"
    bpy.context.preferences.view.ui_scale = 1.5
    bpy.context.preferences.addons[PACKAGE].preferences.store_limit = 7.0
    bpy.context.window_manager.tilewright_history.search = "earlier texture"
    bpy.context.scene.tilewright.prompt = "earlier texture"
    addon("common.package").own_log = None
    bpy.data.images.new("earlier texture", 8, 8)
    return os.getpid()


def variables(names: list[str]) -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in names}


def find_nothing() -> int:
    assert children() == []
    assert WORDS == []
    assert "TILEWRIGHT_TEST_WORD" not in os.environ
    assert bpy.context.preferences.view.ui_scale == 1.0
    assert bpy.context.preferences.addons[PACKAGE].preferences.store_limit == 0.0
    assert bpy.context.window_manager.tilewright_history.search == ""
    assert bpy.context.scene.tilewright.prompt == ""
    assert addon("common.package").own_log
    assert "earlier texture" not in bpy.data.images
    assert addon("common.state").current.session is None
    assert bpy.context.object == bpy.data.objects["Cube"]
    bpy.ops.tilewright.history_refresh()
    return os.getpid()


def results() -> int:
    bpy.ops.tilewright.history_refresh()
    return len(addon("history.browse").get().entries)


def fail() -> None:
    print("shortly before", flush=True)
    raise ValueError("for the test")


def return_what_json_cannot_hold() -> set[str]:
    return {"a set"}


def die() -> None:
    os._exit(3)


def die_later(seconds: float) -> None:
    """As of something that was left behind."""
    threading.Timer(seconds, os._exit, (4,)).start()


def hang() -> None:
    time.sleep(60)


def process() -> int:
    return os.getpid()
