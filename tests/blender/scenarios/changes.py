# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user does while a texture is made, or after: undo, redo, deleting the target, opening another file."""

from typing import Any

import bpy
from common import drive, finish, fresh, generate, made, push_undo, redo, start, undo
from common import pixels as pixels_of


def _status() -> Any:
    return bpy.context.window_manager.tilewright


def undo_removes_and_redo_restores() -> None:
    fresh()
    push_undo("start")
    image = generate(prompt="undo me")
    name, before = image.name, pixels_of(image)
    nodes = len(bpy.data.materials["Material"].node_tree.nodes)
    undo()
    assert not made()
    assert len(bpy.data.materials["Material"].node_tree.nodes) == nodes - 3
    redo()
    assert pixels_of(bpy.data.images[name]) == before
    assert len(bpy.data.materials["Material"].node_tree.nodes) == nodes
    assert bpy.data.images[name].tilewright.prompt == "undo me"


def undo_takes_a_new_material_back() -> None:
    fresh()
    bpy.data.objects["Cube"].data.materials.clear()
    push_undo("start")
    materials = len(bpy.data.materials)
    generate(prompt="undo me")
    assert len(bpy.data.materials) == materials + 1
    undo()
    assert len(bpy.data.materials) == materials
    assert bpy.data.objects["Cube"].active_material is None


def undo_in_edit_mode() -> None:
    fresh()
    push_undo("start")
    bpy.ops.object.mode_set(mode="EDIT")
    push_undo("edit")
    generate(prompt="undo me")
    undo()
    assert not made()
    assert bpy.context.mode == "EDIT_MESH"


def another_scene_by_override() -> None:
    fresh()
    scene = bpy.data.scenes.new("other")
    push_undo("start")
    with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0], object=bpy.data.objects["Cube"]):
        assert generate(prompt="undo me") in made()
    undo()
    assert not made()


def undo_and_redo_during_a_job() -> None:
    fresh()
    push_undo("start")
    bpy.data.objects["Cube"].location[0] = 5
    push_undo("move")
    job = start(prompt="during")
    drive(lambda: job.progress)
    undo()
    redo()
    undo()
    finish(job)
    node = next(
        node for node in bpy.data.materials["Material"].node_tree.nodes if node.bl_idname == "ShaderNodeTexImage"
    )
    assert node.image.tilewright.prompt == "during"
    assert bpy.data.objects["Cube"].location[0] == 0
    undo()
    assert not made()


def target_deleted_during_a_job(what: str) -> None:
    fresh()
    cube, material = bpy.data.objects["Cube"], bpy.data.materials["Material"]
    if what == "object":
        cube.data.materials.clear()
    if what in ("node", "image"):
        node = material.node_tree.nodes.new("ShaderNodeTexImage")
        node.image = bpy.data.images.new("old", 8, 8)
        material.node_tree.nodes.active = node
    job = start(prompt="target gone", target="SELECTED_NODE" if what in ("node", "image") else "BASE_COLOR")
    drive(lambda: job.progress)
    match what:
        case "material":
            bpy.data.materials.remove(material)
        case "object":
            bpy.data.objects.remove(cube)
        case "node":
            material.node_tree.nodes.remove(node)
        case "image":
            bpy.data.images.remove(node.image)
    materials = set(bpy.data.materials.keys())
    finish(job)
    assert job.state.value == "finished"
    assert _status().error == ""
    (image,) = made()
    assert set(bpy.data.materials.keys()) == materials
    if what == "image":
        assert node.image == image
    elif what == "node":
        assert "is gone" in _status().outcome
        assert [n.image for n in material.node_tree.nodes if n.bl_idname == "ShaderNodeTexImage"] == [image]
    else:
        assert "is gone" in _status().outcome, _status().outcome
        assert image.use_fake_user
        assert image.users == 1


def another_file_is_not_touched() -> None:
    fresh()
    job = start(prompt="for the old file")
    drive(lambda: job.progress)
    fresh()
    nodes = len(bpy.data.materials["Material"].node_tree.nodes)
    finish(job)
    assert job.state.value == "finished"
    assert not made()
    assert len(bpy.data.materials["Material"].node_tree.nodes) == nodes
    assert _status().outcome.startswith("Made for what was open before")
    assert bpy.ops.tilewright.apply() == {"FINISHED"}
    assert [image.tilewright.prompt for image in made()] == ["for the old file"]
