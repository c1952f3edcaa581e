# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets and transitions in a Blender with a window: their dialogs by mouse and keys. Generators."""

import subprocess
from pathlib import Path

import bpy
from common import addon, fresh, made, push_undo, undo
from window import Story, _press, _until, missing_hands


def _do(*arguments: object) -> None:
    subprocess.run(["xdotool", *map(str, arguments)], check=True)


def _open(name: str, **values: object) -> Story:
    _do("mousemove", 700, 400)
    yield 0.5
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        assert getattr(bpy.ops.tilewright, name)("INVOKE_DEFAULT", True, **values) == {"RUNNING_MODAL"}
    yield 4.0
    _do("mousemove_relative", 3, 0)  # a dialog draws itself anew when the mouse moves: its pictures are there now
    yield 1.5


def dialogs(pictures: str) -> Story:
    """One Tile Anew: Escape, a cancel half way, a tile that is made, undo. Transition: the other texture is offered."""
    if lack := missing_hands():
        return lack
    fresh()
    _press(prompt="a set", variants="4", width=256)
    yield from _until(made)
    material = bpy.data.materials["Material"]
    now, node = addon("common.state").current, addon("material.color_node").image_node(material)
    history, name = addon("history.browse").get(), node.image.tilewright.result
    count = len(history.entries)

    yield from _open("tile_anew", result=name)
    subprocess.run(["import", "-window", "root", str(Path(pictures) / "tile-anew.png")], check=True)
    _do("key", "Escape")
    yield 1.0
    assert not bpy.context.window_manager.tilewright.running
    assert len(history.entries) == count

    yield from _open("tile_anew", result=name)
    _do("mousemove", 700, 370)
    yield 0.5
    _do("key", "Return")
    status = bpy.context.window_manager.tilewright
    yield from _until(lambda: status.running)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.tilewright.cancel()
    yield from _until(lambda: not status.running)
    assert len(history.entries) == count
    assert node.image.tilewright.result == name

    push_undo()
    yield from _open("tile_anew", result=name)
    _do("mousemove", 700, 370)
    yield 0.5
    _do("key", "Return")
    yield from _until(lambda: len(history.entries) == count + 1)
    yield 1.0
    anew = addon("material.color_node").image_node(material).image.tilewright.result
    assert anew != name
    feeds = addon("material.feeds")
    assert any(feeds.is_laid(entry) for entry in material.node_tree.nodes)
    undo()
    material = bpy.data.materials["Material"]
    assert addon("material.color_node").image_node(material).image.tilewright.result == name
    assert any(feeds.is_laid(entry) for entry in material.node_tree.nodes)

    for prompt in ("red clay", "old brick"):
        _press(prompt=prompt, variants="1", width=64)
        yield from _until(
            lambda prompt=prompt: any(entry.result.recipe.request.prompt == prompt for entry in history.entries)
        )
    yield 1.0
    first = history.entries[0]
    yield from _open("transition", result=first.name)
    subprocess.run(["import", "-window", "root", str(Path(pictures) / "transition.png")], check=True)
    assert "red clay" in [item[1] for item in now.view.seconds]
    _do("key", "Escape")
    yield 1.0
    return ""
