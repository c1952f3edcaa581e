# SPDX-License-Identifier: GPL-3.0-or-later
"""Another machine makes the textures."""

from typing import Any

import bpy
from common import addon, generate, message_of, wish


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


def is_reached_only_online(host: str) -> str:
    _preferences(host, "~/tilewright", "ELSEWHERE")
    bpy.context.preferences.system.use_online_access = False
    wish(prompt="bricks")
    said = message_of(bpy.ops.tilewright.generate)
    assert message_of(bpy.ops.tilewright.check_elsewhere) == said
    _preferences("", "~/tilewright", "HERE")
    return said
