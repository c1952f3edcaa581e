# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one scenario inside Blender, or in a Python with bpy: the last argument names a JSON file that says which.

Writes what the scenario returned, or its traceback, into the file that the JSON names as "report". No pytest in here.
"""

import importlib
import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import bpy


def main() -> int:
    task = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    sys.path.insert(0, str(Path(__file__).resolve().parent / "scenarios"))
    # A Blender has loaded its preferences and enabled the extension; bpy as a module starts without any.
    if not hasattr(bpy.types.Scene, "tilewright") and task["extension"]:
        if bpy.app.version >= (4, 3):
            bpy.ops.wm.read_userpref()
        else:  # bpy 4.2 as a module dies when it reads preferences, whatever is in them
            bpy.ops.preferences.addon_enable(module="bl_ext.user_default.tilewright")
    report = {"value": None, "error": ""}
    code = 0
    try:
        scenario = getattr(importlib.import_module(task["module"]), task["function"])
        report["value"] = scenario(**task["arguments"])
        if isinstance(report["value"], Iterator):
            STORIES.append((report["value"], task))
            bpy.app.timers.register(go_on, first_interval=1.0, persistent=True)
            return 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:  # noqa: BLE001 - it is passed on, in the report
        report["error"] = traceback.format_exc()
    leave(task, report, code)
    return code


STORIES: list[tuple[Iterator[float], dict]] = []


def go_on() -> float | None:
    """The timer of a scenario in a Blender with a window: it yields the seconds until it wants to go on."""
    story, task = STORIES[0]
    value, error = None, ""
    try:
        return next(story)
    except StopIteration as end:
        value = end.value
    except BaseException:  # noqa: BLE001 - it is passed on, in the report
        error = traceback.format_exc()
    bpy.ops.preferences.addon_disable(module="bl_ext.user_default.tilewright")
    leave(task | {"hard_exit": True}, {"value": value, "error": error}, 0)
    return None


def leave(task: dict, report: dict, code: int) -> None:
    Path(task["report"]).write_text(json.dumps(report), encoding="utf-8")
    sys.stdout.flush()
    sys.stderr.flush()
    if task["hard_exit"]:
        os._exit(code)


code = main()
if code or not bpy.app.binary_path:  # a Blender that did its work ends by itself
    sys.exit(code)
