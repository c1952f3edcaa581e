# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one scenario inside Blender, or in a Python with bpy: the last argument names a JSON file that says which.

Writes what the scenario returned, or its traceback, into the file that the JSON names as "report". No pytest in here.
With "serve" in the JSON, scenarios come as lines of JSON on stdin, until that ends; see `serve`.
"""

import importlib
import json
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import bpy

SCENARIOS = Path(__file__).resolve().parent / "scenarios"
PACKAGE = "bl_ext.user_default.tilewright"


def main() -> int:
    task = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    sys.path.insert(0, str(SCENARIOS))
    if task.get("serve"):
        serve(task)
        return 0
    # A Blender has loaded its preferences and enabled the extension; bpy as a module starts without any.
    if not hasattr(bpy.types.Scene, "tilewright") and task["extension"]:
        if bpy.app.version >= (4, 3):
            bpy.ops.wm.read_userpref()
        else:  # bpy 4.2 as a module dies when it reads preferences, whatever is in them
            bpy.ops.preferences.addon_enable(module=PACKAGE)
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
    bpy.ops.preferences.addon_disable(module=PACKAGE)
    leave(task | {"hard_exit": True}, {"value": value, "error": error}, 0)
    return None


def serve(task: dict) -> None:
    """Run one scenario after the other, each as if this Blender had just been started.

    Between two of them the extension is disabled, which ends its worker, and all its modules and the scenarios' are
    forgotten; then the profile may be changed, and the next one begins with its preferences and a new file.
    """
    at_start = dict(os.environ)
    forget()
    for line in sys.stdin:
        asked = json.loads(line)
        report = {"value": None, "error": ""}
        try:
            os.environ.update(asked["variables"])
            for name in asked["unset"]:
                os.environ.pop(name, None)
            bpy.ops.wm.read_homefile()
            bpy.ops.wm.read_userpref()  # enables the extension
            report["value"] = getattr(importlib.import_module(asked["module"]), asked["function"])(**asked["arguments"])
        except BaseException:  # noqa: BLE001 - it is passed on, in the report
            report["error"] = traceback.format_exc()
        try:
            forget()
        except Exception:  # noqa: BLE001 - as above
            report["error"] += traceback.format_exc()
        for name in os.environ.keys() - at_start.keys():
            del os.environ[name]
        os.environ.update(at_start)
        sys.stdout.flush()
        sys.stderr.flush()
        part = Path(asked["report"] + ".part")
        try:
            text = json.dumps(report)
        except TypeError:  # the scenario returned what JSON cannot hold
            text = json.dumps({"value": None, "error": traceback.format_exc()})
        part.write_text(text, encoding="utf-8")
        part.replace(asked["report"])
    if task["hard_exit"]:
        os._exit(0)


def forget() -> None:
    """Disable the extension, and drop what Python and Blender keep of it and of the scenarios."""
    manager = bpy.context.window_manager
    for name in ("tilewright", "tilewright_history"):
        if hasattr(manager, name):
            manager.property_unset(name)
    bpy.ops.preferences.addon_disable(module=PACKAGE)
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name == PACKAGE or name.startswith(f"{PACKAGE}.") or (file and Path(file).parent == SCENARIOS):
            del sys.modules[name]


def leave(task: dict, report: dict, code: int) -> None:
    Path(task["report"]).write_text(json.dumps(report), encoding="utf-8")
    sys.stdout.flush()
    sys.stderr.flush()
    if task["hard_exit"]:
        os._exit(code)


code = main()
if code or not bpy.app.binary_path:  # a Blender that did its work ends by itself
    sys.exit(code)
