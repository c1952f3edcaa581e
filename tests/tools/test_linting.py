# SPDX-License-Identifier: GPL-3.0-or-later
"""Lint finds a misspelt property in Blender's room: Blender's own, and ours by `settings_of` and `facts_of`."""

import re
import subprocess

from tools import environments
from tools.linting import COMMANDS
from tools.machine import ROOT

SOURCE = """
import bpy
from addon.blender.settings.properties import facts_of, settings_of

def misspelt(scene: bpy.types.Scene, image: bpy.types.Image, obj: bpy.types.Object, layout: bpy.types.UILayout) -> None:
    settings_of(scene).promt = "bricks"
    facts_of(image).resipe = ""
    obj.activ_material = None
    layout.lable(text="Bricks")
    settings_of(scene).prompt = "bricks"
    facts_of(image).recipe = ""
    obj.active_material = None
    layout.label(text="Bricks")
"""


def test_misspelt_properties_are_found() -> None:
    python = environments.ensure(environments.LINT)
    done = subprocess.run([python, "-m", "mypy", "-c", SOURCE], cwd=ROOT, capture_output=True, text=True)
    assert re.findall(r'has no attribute "(\w+)"', done.stdout) == ["promt", "resipe", "activ_material", "lable"]
    assert done.stdout.count(": error:") == 4, done.stdout


def test_every_room_is_checked() -> None:
    mypy = next(command for command in COMMANDS if command[0] == "mypy")
    rooms = {folder.parent.relative_to(ROOT).as_posix() for folder in (ROOT / "addon").glob("*/__init__.py")}
    assert rooms | {"addon/start.py"} == set(mypy[1:])
