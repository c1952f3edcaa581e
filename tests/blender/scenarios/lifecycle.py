# SPDX-License-Identifier: GPL-3.0-or-later
"""Enabling, disabling, dying."""

import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import addon_utils
import bpy
from common import PACKAGE, addon, drive, generate, start
from files import children


def _footprint() -> dict[str, Any]:
    handlers = bpy.app.handlers
    return {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "processes": children(),
        "handlers": {
            name: len(getattr(handlers, name)) for name in dir(handlers) if isinstance(getattr(handlers, name), list)
        },
        "classes": sorted(name for name in dir(bpy.types) if "TILEWRIGHT" in name),
        "properties": [owner.__name__ for owner in _OWNERS if hasattr(owner, "tilewright")],
        "operators": sorted(dir(bpy.ops.tilewright)),
        "status bar": len(getattr(bpy.types.STATUSBAR_HT_header.draw, "_draw_funcs", ())),
        "log handlers": len(logging.getLogger(PACKAGE).handlers),
        "open files": len(os.listdir("/proc/self/fd")),
        "subclasses": sorted(
            cls.__name__
            for base in (bpy.types.Panel, bpy.types.Operator, bpy.types.PropertyGroup)
            for cls in base.__subclasses__()
            if cls.__module__.startswith(PACKAGE) and cls.is_registered
        ),
    }


_OWNERS = (bpy.types.Scene, bpy.types.Image, bpy.types.WindowManager)


def enabled_and_disabled_twenty_times() -> None:
    enabled = _footprint()
    assert enabled["properties"] == ["Scene", "Image", "WindowManager"]
    assert len(enabled["classes"]) > 10
    addon_utils.disable(PACKAGE)
    disabled = _footprint()
    assert disabled["classes"] == disabled["properties"] == disabled["operators"] == disabled["subclasses"] == []
    assert disabled["handlers"]["save_pre"] == enabled["handlers"]["save_pre"] - 1
    for number in range(20):
        addon_utils.enable(PACKAGE)
        if number % 5 == 0:
            generate(prompt=f"round {number}")
        if number % 5 == 1:
            job = start(prompt="stuck in SAMPLING")
            drive(lambda job=job: job.progress and job.progress.phase.name == "SAMPLING")
            start(prompt="waits")
        addon_utils.disable(PACKAGE)
        _settle(disabled)
    addon_utils.enable(PACKAGE)
    _settle(enabled)
    generate(prompt="last")


def _settle(expected: dict[str, Any]) -> None:
    """A thread that has done its last work takes a moment to be gone."""
    end = time.monotonic() + 5
    while (now := _footprint()) != expected and time.monotonic() < end:
        time.sleep(0.05)
    assert now == expected, {key: (now[key], expected[key]) for key in now if now[key] != expected[key]}


def start_and_wait_to_be_killed() -> None:
    job = start(prompt="stuck in the second", count=3)
    drive(lambda: len(job.results) == 1 and job.progress.image == 1)
    Path(os.environ["TILEWRIGHT_TEST_FILE"]).write_text(" ".join(children()), encoding="ascii")
    time.sleep(60)
    raise AssertionError("nobody killed it")


def list_results() -> list[list[Any]]:
    preferences = addon("common.preferences")
    store = addon("jobs.generation").Store(preferences.store_folder())
    return [[result.recipe.request.prompt, result.recipe.request.seed] for result in store.results()]


def quit_in_a_job() -> list[str]:
    """Blender ends while the engine works."""
    job = start(prompt="stuck in SAMPLING")
    drive(lambda: job.progress and job.progress.phase.name == "SAMPLING")
    return children()
