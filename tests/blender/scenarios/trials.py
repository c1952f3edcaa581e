# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens to a material during a trial, Escape leaves it exactly as it was. Each function from a new file.

The fake engine makes height, normal, roughness, metallic and occlusion beside each color.
"""

import difflib
import json
import random
from pathlib import Path
from typing import Any

import bpy
from common import addon, fresh, generate, run_rules
from history import fingerprint

# Of our operators, those that touch no material because they are about the engine, its files, or a window; and the
# bake, which gives a material of its own.
_ELSEWHERE = {
    "add_preset",
    "bake",
    "cancel_install",
    "check_python",
    "copy_diagnostics",
    "dismiss_setup",
    "free",
    "install",
    "open_in_image_editor",
    "open_installer_log",
    "open_log",
    "remove_environment",
    "remove_everything",
    "self_test",
    "show_file",
    "verify",
}
_SEQUENCES, _LENGTH = 6, 14


def run_all() -> dict[str, str]:
    return run_rules(globals())


def _material() -> Any:
    return bpy.data.materials["Material"]


def _whole(prompt: str, seed: int) -> str:
    return str(generate(prompt=prompt, seed=seed, use_random_seed=False).tilewright.result)


def _trial(folders: list[str], kind: str = "BASE_COLOR") -> Any:
    state = addon("common.state").current
    return addon("history.tryon").Trial(addon("common.targets").choose(bpy.context, kind, state.document), folders)


def _plain(value: Any, depth: int = 0) -> Any:
    """A value of Blender's as what JSON knows; another data-block by its name, a part of this one by its values."""
    if isinstance(value, bpy.types.ID):
        return f"{type(value).__name__} {value.name}"
    if isinstance(value, bpy.types.bpy_prop_collection):
        return [_plain(item, depth + 1) for item in value] if depth < 5 else len(value)
    if isinstance(value, bpy.types.Node | bpy.types.NodeSocket):
        return value.name
    if isinstance(value, bpy.types.bpy_struct):
        return _values(value, depth + 1) if depth < 5 else type(value).__name__
    if hasattr(value, "__len__") and not isinstance(value, str | dict):
        return [_plain(item, depth + 1) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


def _values(item: Any, depth: int = 0, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    names = [entry.identifier for entry in item.bl_rna.properties if entry.identifier not in {"rna_type", *without}]
    return {name: _plain(getattr(item, name), depth) for name in names}


def dump() -> str:
    """All that the material is: its own values, and of its tree all nodes, sockets, values and links."""
    material, told = _material(), {}
    about = frozenset({"name", "name_full", "session_uid", "node_tree", "preview", "original", "asset_data", "bl_rna"})
    told["material"] = _values(material, without=about | {"is_evaluated", "users", "tag"})
    told["users"] = [material.users, material.use_fake_user, material.asset_data is not None]
    links = []
    for node in material.node_tree.nodes:
        sockets = {"inputs", "outputs", "internal_links"}
        told[node.name] = _values(node, without=frozenset(sockets)) | {
            side: [
                [socket.identifier, socket.enabled, socket.hide, _plain(getattr(socket, "default_value", None))]
                for socket in getattr(node, side)
            ]
            for side in ("inputs", "outputs")
        }
    for link in material.node_tree.links:
        ends = (link.from_node, link.from_socket, link.to_node, link.to_socket)
        links.append([getattr(end, "identifier", end.name) for end in ends] + [link.is_muted])
    told["links"] = sorted(links)
    told["active"] = material.node_tree.nodes.active.name if material.node_tree.nodes.active else ""
    return json.dumps(told, indent=1, sort_keys=True)


def _same(before: tuple[str, str]) -> None:
    for then, now in zip(before, (dump(), fingerprint()), strict=True):
        changes = difflib.unified_diff(then.splitlines(), now.splitlines(), n=6, lineterm="")
        assert then == now, "\n".join(list(changes)[:80])


def rule_a_changed_displacement_method_is_no_hindrance() -> None:
    """Putting on a texture takes our Bump out then, and Escape brings it back with its values and links.

    Restoring by names raised a KeyError here (seen in 4.5.15 and 5.2.2), and left the tried picture in place.
    """
    folders = [_whole("one", 1), _whole("two", 2)]
    _material().displacement_method = "DISPLACEMENT"
    before = dump(), fingerprint()
    trial = _trial(folders)
    for at in (0, 1):
        trial.wear(at)
        assert "Tilewright Bump" not in bpy.context.object.active_material.node_tree.nodes
    trial.restore()
    _same(before)


def rule_what_is_kept_is_in_the_material_itself() -> None:
    """Not in the copy that wore it: the other users of the material have it, and it is one undo step."""
    folders = [_whole("one", 1), _whole("two", 2)]
    cube = bpy.data.objects["Cube"]
    other = cube.copy()
    bpy.context.collection.objects.link(other)
    uid = _material().session_uid
    trial = _trial(folders)
    trial.wear(0)
    worn = cube.active_material
    assert worn.session_uid != uid
    assert other.active_material == worn, "all that has the material shows what is tried on"
    trial.keep()
    assert [material.session_uid for material in bpy.data.materials if material.name.startswith("Material")] == [uid]
    assert cube.active_material.session_uid == other.active_material.session_uid == uid
    nodes = _material().node_tree.nodes
    shown = {node.image.tilewright.result for node in nodes if node.bl_idname == "ShaderNodeTexImage"}
    assert shown == {folders[0]}


def rule_a_material_that_a_script_gives_meanwhile_stays() -> None:
    """Escape takes off only what the trial has put on; before, it deleted whatever material the object had."""
    folders = [_whole("one", 1)]
    cube = bpy.data.objects["Cube"]
    cube.active_material = None
    before = set(bpy.data.materials.keys())
    trial = _trial(folders)
    trial.wear(0)
    mine = bpy.data.materials.new("mine")
    cube.active_material = mine
    trial.restore()
    assert cube.active_material == mine
    assert set(bpy.data.materials.keys()) == before | {"mine"}


def rule_what_wears_the_texture_may_be_deleted_meanwhile() -> None:
    folders = [_whole("one", 1)]
    before = dump()
    trial = _trial(folders)
    trial.wear(0)
    bpy.data.materials.remove(bpy.context.object.active_material)
    trial.restore()
    assert _material().users == 0
    assert json.loads(dump())["links"] == json.loads(before)["links"]


def rule_whatever_our_operators_do_meanwhile_escape_restores_exactly() -> None:
    """A law, over random sequences of all our operators that touch materials, with what a user may set between."""
    folders = [_whole("one", 1), _whole("two", 2), _whole("plain", 3)]
    names = sorted(set(dir(bpy.ops.tilewright)) - _ELSEWHERE)
    assert {"apply", "follow_displacement", "multiply_occlusion", "fit_to_object", "make_maps", "try_on"} <= set(names)
    used: set[str] = set()
    for number in range(_SEQUENCES):
        choose = random.Random(number)
        _material().displacement_method = choose.choice(("BUMP", "DISPLACEMENT", "BOTH"))
        _an_artists_hand(_material(), choose)
        before = dump(), fingerprint()
        images = {image.session_uid for image in bpy.data.images}
        trial = _trial(folders, choose.choice(("BASE_COLOR", "NEW_NODE")))
        for _ in range(3):
            trial.wear(choose.randrange(3))
            # each of them within a few sequences
            for name in choose.sample(names, _LENGTH):
                used |= _press(name, folders, choose)
                bpy.context.object.active_material.displacement_method = choose.choice(("BUMP", "DISPLACEMENT"))
        assert dump() != before[0] or bpy.context.object.active_material != _material()
        trial.restore()
        # what was chosen as template or made meanwhile is no part of the trial, and stays beside the material
        bpy.context.scene.tilewright.template_image = bpy.context.scene.tilewright.mask = None
        for image in list(bpy.data.images):
            if image.session_uid not in images:
                bpy.data.images.remove(image)
        _same(before)
    needed = {"apply", "follow_displacement", "multiply_occlusion", "fit_to_object", "make_maps", "generate"}
    assert needed | {"lay_without_repeat"} <= used, used


def _an_artists_hand(material: Any, choose: random.Random) -> None:
    """A node between, a frame, a muted link, a value: what no record of ours would think of."""
    tree = material.node_tree
    ramp, frame = tree.nodes.new("ShaderNodeValToRGB"), tree.nodes.new("NodeFrame")
    ramp.color_ramp.elements.new(choose.random()).color = [choose.random() for _ in range(4)]
    ramp.parent = frame
    for node in tree.nodes:
        if node.bl_idname == "ShaderNodeMapping":
            node.inputs["Scale"].default_value[choose.randrange(3)] = choose.random()
    choose.choice(list(tree.links)).is_muted = True
    link = next(link for link in tree.links if link.to_socket.name == "Roughness")
    source = link.from_socket
    tree.links.new(source, ramp.inputs[0])
    tree.links.new(ramp.outputs[0], link.to_socket)


def _press(name: str, folders: list[str], choose: random.Random) -> set[str]:
    """Its name, where it did something."""
    operator = getattr(bpy.ops.tilewright, name)
    given = operator.get_rna_type().properties.keys()
    arguments: dict[str, Any] = {"result": choose.choice(folders)} if "result" in given else {}
    if "image" in given and made_in_tree():
        arguments["image"] = made_in_tree()[0].name
    try:
        return {name} if operator.poll() and "FINISHED" in operator(**arguments) else set()
    except (RuntimeError, TypeError):  # it was refused: the file shows it, or there is no dialog in the background
        return set()


def made_in_tree() -> list[Any]:
    tree = bpy.context.object.active_material.node_tree if bpy.context.object.active_material else None
    nodes = [node for node in tree.nodes if node.bl_idname == "ShaderNodeTexImage" and node.image] if tree else []
    return [node.image for node in nodes if node.image.tilewright.kind == "base_color"]


def is_restored_by_escape(file: str) -> None:
    """A file that is saved while a texture is tried on has the material that is tried on, and the own one."""
    folders = [_whole("one", 1), _whole("two", 2)]
    before = dump()
    trial = _trial(folders)
    trial.wear(0)
    bpy.ops.wm.save_as_mainfile(filepath=file, copy=True)
    trial.restore()
    assert dump() == before
    bpy.ops.wm.open_mainfile(filepath=file)
    assert "Material" in bpy.data.materials, Path(file).name
    fresh()
