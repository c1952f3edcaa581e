# SPDX-License-Identifier: GPL-3.0-or-later
"""A result with all maps goes into a material, rule by rule. Each function starts from a new file with a cube.

The fake engine makes height, normal, roughness, metallic and occlusion beside each color.
"""

import itertools
import json
import os
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
from common import (
    PACKAGE,
    addon,
    drive,
    finish,
    fresh,
    generate,
    links,
    made,
    message_of,
    push_undo,
    redo,
    start,
    undo,
    wish,
)
from history import fingerprint

ALL = ("occlusion", "metallic", "roughness", "normal", "height")
NAMES = {
    "occlusion": "Tilewright Ambient Occlusion",
    "metallic": "Tilewright Metallic",
    "roughness": "Tilewright Roughness",
    "normal": "Tilewright Normal",
    "height": "Tilewright Height",
}


def run_all() -> dict[str, str]:
    """Each rule's name and what went wrong with it, "" if nothing."""
    told = {}
    for name, rule in [(name, rule) for name, rule in globals().items() if name.startswith("rule_")]:
        fresh()
        try:
            rule()
            told[name.removeprefix("rule_")] = ""
        except Exception:  # noqa: BLE001 - it is passed on, in what is told
            told[name.removeprefix("rule_")] = traceback.format_exc()
    return told


def _material() -> Any:
    return bpy.data.materials["Material"]


def _tree() -> Any:
    return _material().node_tree


def _principled() -> Any:
    return _tree().nodes["Principled BSDF"]


def _output() -> Any:
    return _tree().get_output_node("ALL")


def _source(node: Any, name: str) -> Any:
    (link,) = node.inputs[name].links
    return link.from_node


def _kinds() -> dict[str, Any]:
    """The image nodes of the tree by what their images hold."""
    nodes = [node for node in _tree().nodes if node.bl_idname == "ShaderNodeTexImage"]
    kinds = {node.image.tilewright.kind: node for node in nodes if node.image and node.image.tilewright.recipe}
    assert len(kinds) == len([node for node in nodes if node.image and node.image.tilewright.recipe])
    return kinds


def _outcome() -> str:
    return bpy.context.window_manager.tilewright.outcome


def _type_names() -> list[str]:
    return sorted(node.bl_idname for node in _tree().nodes)


def _boxes() -> list[tuple[str, float, float, float, float]]:
    """Name, left, bottom, right, top of each node but frames; heights are guessed, since nothing has been drawn."""
    place_of = addon("material.color_node").place_of
    boxes = []
    for node in _tree().nodes:
        if node.bl_idname != "NodeFrame":
            x, y = place_of(node)
            boxes.append((node.name, x, y - 280, x + node.width, y))
    return boxes


def _nothing_overlaps() -> None:
    boxes = _boxes()
    for number, (name, left, bottom, right, top) in enumerate(boxes):
        for other, left2, bottom2, right2, top2 in boxes[number + 1 :]:
            apart = right <= left2 or right2 <= left or top <= bottom2 or top2 <= bottom
            assert apart, f"{name} and {other} overlap: {boxes}"


def _deliver(without: tuple[str, ...], prompt: str = "brick") -> None:
    """A result that lacks some of its maps."""
    job = start(prompt=prompt, count=1)
    session, pump = addon("common.state").current.session, addon("jobs.pump")
    session.wait(job, tick=pump.handle)
    result = job.results[0]
    files = {kind: name for kind, name in result.files.items() if kind not in without}
    object.__setattr__(result, "files", files)
    pump.deliver_waiting()


# --- the tree of an empty material ---------------------------------------------------------------------------------


def rule_each_map_is_linked_to_where_it_belongs() -> None:
    image = generate(prompt="mossy red brick wall", use_random_seed=False, seed=7)
    image = _source(_principled(), "Base Color").image
    assert image.name == "mossy red brick wall 7"
    kinds = _kinds()
    assert set(kinds) == {"base_color", *ALL}
    assert _source(_principled(), "Metallic") == kinds["metallic"]
    assert _source(_principled(), "Roughness") == kinds["roughness"]
    normal_map = _source(_principled(), "Normal")  # exporters take what stands between for the normal map
    assert (normal_map.bl_idname, normal_map.space) == ("ShaderNodeNormalMap", "TANGENT")
    assert getattr(normal_map, "convention", "OPENGL") == "OPENGL"
    assert _source(normal_map, "Color") == kinds["normal"]
    assert not _output().inputs["Displacement"].is_linked
    assert not kinds["height"].outputs["Color"].is_linked, "the normal map has the same relief"
    (link,) = kinds["occlusion"].outputs["Color"].links
    assert (link.to_node.node_tree.name, link.to_socket.name) == ("glTF Material Output", "Occlusion")
    assert "With Ambient Occlusion, Metallic, Roughness, Normal, Height." in _outcome()
    assert "In Material, node Base Color." in _outcome()


def rule_bump_of_an_earlier_version_is_taken_out_on_demand() -> None:
    """It stood at no strength between Normal Map and Principled: exporters took its height for the normal map."""
    generate()
    after, types = links(_tree()), _type_names()
    tree, normal_map, height = _tree(), _source(_principled(), "Normal"), _kinds()["height"]
    bump = tree.nodes.new("ShaderNodeBump")
    bump.name, bump.label, bump.parent = "Tilewright Bump", "Bump", height.parent
    bump.inputs["Strength"].default_value = 0.0
    tree.links.new(height.outputs["Color"], bump.inputs["Height"])
    tree.links.new(normal_map.outputs[0], bump.inputs["Normal"])
    tree.links.new(bump.outputs[0], _principled().inputs["Normal"])
    generate(prompt="a delivery removes no node")
    assert _source(_principled(), "Normal") == bump
    assert bpy.ops.tilewright.follow_displacement() == {"FINISHED"}
    assert (links(_tree()), _type_names()) == (after, types)
    assert _source(_principled(), "Normal").inputs["Strength"].default_value == 1


def rule_height_that_came_first_hands_the_relief_over_on_demand() -> None:
    _deliver(without=("normal",))
    bump = _source(_principled(), "Normal")
    assert (bump.bl_idname, bump.inputs["Strength"].default_value) == ("ShaderNodeBump", 1)
    generate(prompt="second")
    assert _source(_principled(), "Normal") == bump
    assert "Bump carries the relief. Press Update Nodes" in _outcome()
    assert bpy.ops.tilewright.follow_displacement() == {"FINISHED"}
    normal_map = _source(_principled(), "Normal")
    assert _source(normal_map, "Color") == _kinds()["normal"]
    assert "ShaderNodeBump" not in _type_names()
    assert "fit its displacement method" in message_of(bpy.ops.tilewright.follow_displacement)
    _nothing_overlaps()


def rule_group_of_the_gltf_exporter_is_used_where_it_is() -> None:
    group = bpy.data.node_groups.new("glTF Material Output", "ShaderNodeTree")
    group.interface.new_socket("Occlusion", in_out="INPUT", socket_type="NodeSocketFloat")
    generate()
    assert [tree.name for tree in bpy.data.node_groups] == ["glTF Material Output"]


def rule_maps_are_data_and_the_color_is_not() -> None:
    generate(prompt="oak", use_random_seed=False, seed=5)
    for kind, node in _kinds().items():
        image = node.image
        assert image.colorspace_settings.name == ("sRGB" if kind == "base_color" else "Non-Color"), kind
        assert image.name == ("oak 5" if kind == "base_color" else f"oak 5 {kind}")
        assert image.tilewright.prompt == "oak"
        assert image.tilewright.recipe
        assert not image.use_fake_user
        assert image.users == 1
        assert node.extension == "REPEAT"


def rule_one_mapping_serves_all() -> None:
    generate()
    mappings = [node for node in _tree().nodes if node.bl_idname == "ShaderNodeMapping"]
    assert len(mappings) == 1
    assert {_source(node, "Vector").name for node in _kinds().values()} == {mappings[0].name}
    assert mappings[0].inputs["Vector"].links[0].from_socket.name == "UV"


def rule_tree_is_tidy() -> None:
    generate()
    _nothing_overlaps()
    frames = [node for node in _tree().nodes if node.bl_idname == "NodeFrame"]
    assert [frame.label for frame in frames] == ["Maps"]
    outside = {node.name for node in _tree().nodes if node.parent is None and node.bl_idname != "NodeFrame"}
    assert outside == {_principled().name, _output().name}
    labels = [node.label for node in _kinds().values()]
    assert sorted(labels) == ["Ambient Occlusion", "Base Color", "Height", "Metallic", "Normal", "Roughness"]
    left = addon("material.color_node").place_of(_principled())[0]
    assert all(box[3] < left for box in _boxes() if box[0] not in outside)
    assert not any(node.select for node in _tree().nodes if node.parent or node in frames)


def rule_tree_in_a_crowd_covers_nothing() -> None:
    x, y = _principled().location
    for number in range(4):
        node = _tree().nodes.new("ShaderNodeTexNoise")
        node.location = (x - 220 * (number + 1), y - 150 * number)
    others = [node for node in _tree().nodes if node.bl_idname == "ShaderNodeTexNoise"]
    for number, node in enumerate(others):  # not over each other, or the test would complain of itself
        node.location[1] = y - 400 * number
    generate()
    _nothing_overlaps()


def rule_maps_follow_the_coordinates_of_the_color() -> None:
    tree = _tree()
    uv, mapping, image = (tree.nodes.new(f"ShaderNode{name}") for name in ("UVMap", "Mapping", "TexImage"))
    uv.uv_map = "Second"
    tree.links.new(uv.outputs[0], mapping.inputs["Vector"])
    tree.links.new(mapping.outputs[0], image.inputs["Vector"])
    tree.links.new(image.outputs["Color"], _principled().inputs["Base Color"])
    image.interpolation = "Closest"
    before = links(tree)
    generate()
    assert before <= links(tree)
    kinds = _kinds()
    assert kinds["base_color"] == image
    assert all(_source(node, "Vector") == mapping for node in kinds.values())
    assert {node.interpolation for node in kinds.values()} == {"Closest"}
    assert _source(_principled(), "Normal").uv_map == "Second"
    assert image.parent is None, "the user's own node stays where it is"


# --- displacement --------------------------------------------------------------------------------------------------


def rule_height_displaces_where_the_material_wants_it() -> None:
    _material().displacement_method = "BOTH"
    generate()
    displacement = _source(_output(), "Displacement")
    assert displacement.bl_idname == "ShaderNodeDisplacement"
    assert _source(displacement, "Height") == _kinds()["height"]
    assert displacement.inputs["Midlevel"].default_value == 0.5
    assert abs(displacement.inputs["Scale"].default_value - 8 / 512) < 1e-6
    normal_map = _source(_principled(), "Normal")
    assert normal_map.bl_idname == "ShaderNodeNormalMap"
    assert getattr(normal_map, "base", "ORIGINAL") == "ORIGINAL"
    _nothing_overlaps()


def rule_engine_that_does_not_displace_gets_a_bump() -> None:
    displaces = addon("material.map_nodes").displaces
    _material().displacement_method = "DISPLACEMENT"
    assert displaces(_material(), "CYCLES")
    assert displaces(_material(), "BLENDER_EEVEE_NEXT")
    assert not displaces(_material(), "SOME_ADD_ON")
    _material().displacement_method = "BUMP"
    assert not displaces(_material(), "CYCLES")


def rule_what_the_user_put_between_height_and_bump_is_left_alone() -> None:
    _deliver(without=("normal",))
    tree, bump = _tree(), _source(_principled(), "Normal")
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    tree.links.new(_kinds()["height"].outputs["Color"], ramp.inputs[0])
    tree.links.new(ramp.outputs[0], bump.inputs["Height"])
    before = links(tree)
    _material().displacement_method = "DISPLACEMENT"
    _deliver(without=("normal",))
    assert links(tree) == before
    assert "There is something between the nodes Height and Bump" in _outcome()


def rule_change_of_the_method_is_followed_both_ways() -> None:
    generate()
    first = links(_tree())
    types = _type_names()
    assert "fit its displacement method" in message_of(bpy.ops.tilewright.follow_displacement)
    _material().displacement_method = "DISPLACEMENT"
    assert bpy.ops.tilewright.follow_displacement() == {"FINISHED"}
    assert _source(_output(), "Displacement").bl_idname == "ShaderNodeDisplacement"
    assert _source(_principled(), "Normal").bl_idname == "ShaderNodeNormalMap"
    assert "ShaderNodeBump" not in _type_names()
    _nothing_overlaps()
    _material().displacement_method = "BUMP"
    generate(prompt="the next delivery follows as well")
    assert links(_tree()) == first
    assert _type_names() == types
    assert getattr(_source(_principled(), "Normal"), "base", "DISPLACED") == "DISPLACED"
    _nothing_overlaps()


# --- again and again -----------------------------------------------------------------------------------------------


def rule_second_delivery_goes_into_the_same_nodes() -> None:
    generate(prompt="first", use_random_seed=False, seed=1)
    before, nodes = links(_tree()), {node.name: tuple(node.location) for node in _tree().nodes}
    normal_map = _source(_principled(), "Normal")
    normal_map.inputs["Strength"].default_value = 0.3
    for number in range(3):
        generate(prompt=f"again {number}")
        assert links(_tree()) == before
        assert {node.name: tuple(node.location) for node in _tree().nodes} == nodes
    assert abs(normal_map.inputs["Strength"].default_value - 0.3) < 1e-6, "what the user has tuned stays"
    assert {node.image.tilewright.prompt for node in _kinds().values()} == {"again 2"}
    assert not any(image.use_fake_user for image in made()), "what is in the history is not kept for ever"


def rule_nodes_that_the_user_has_moved_and_relinked_are_used() -> None:
    generate(prompt="first")
    tree = _tree()
    kinds = _kinds()
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    tree.links.new(kinds["roughness"].outputs["Color"], ramp.inputs[0])
    tree.links.new(ramp.outputs[0], _principled().inputs["Roughness"])
    for frame in [node for node in tree.nodes if node.bl_idname == "NodeFrame"]:
        tree.nodes.remove(frame)
    kinds["metallic"].location = (-2000, -2000)
    kinds["height"].name = "my own name"
    before = links(tree)
    generate(prompt="second")
    assert links(tree) == before
    assert {node.image.tilewright.prompt for node in _kinds().values()} == {"second"}
    assert _kinds() == kinds


def rule_color_whose_node_was_deleted_comes_back_with_the_same_mapping() -> None:
    generate(prompt="first")
    tree, types = _tree(), _type_names()
    tree.nodes.remove(_kinds()["base_color"])
    generate(prompt="second")
    assert _type_names() == types
    assert {node.image.tilewright.prompt for node in _kinds().values()} == {"second"}
    assert len({_source(node, "Vector").name for node in _kinds().values()}) == 1
    _nothing_overlaps()


def rule_color_that_was_there_first_gets_its_maps() -> None:
    state = addon("common.state").current
    generate(prompt="first")
    color_only = state.last.results[0]
    fresh()
    files = {kind: name for kind, name in color_only.files.items() if kind in ("base_color", "thumbnail")}
    object.__setattr__(color_only, "files", files)
    assert bpy.ops.tilewright.apply() == {"FINISHED"}
    assert set(_kinds()) == {"base_color"}
    generate(prompt="second")
    assert set(_kinds()) == {"base_color", *ALL}
    assert len([node for node in _tree().nodes if node.bl_idname == "ShaderNodeMapping"]) == 1
    _nothing_overlaps()
    assert _kinds()["base_color"].parent is not None, "nobody had touched it: it stands with its maps"


def rule_maps_of_another_texture_are_told() -> None:
    generate(prompt="first")
    _deliver(without=("normal", "height"), prompt="second")
    assert _kinds()["roughness"].image.tilewright.prompt == "second"
    assert _kinds()["normal"].image.tilewright.prompt == "first"
    assert "Still from the previous texture: Normal, Height." in _outcome(), _outcome()


def rule_maps_of_another_texture_are_taken_out_on_demand() -> None:
    generate(prompt="first")
    assert bpy.ops.tilewright.multiply_occlusion() == {"FINISHED"}
    assert "has no maps of another texture" in message_of(bpy.ops.tilewright.unlink_old_maps)
    _deliver(without=ALL, prompt="second")
    old = [image for image in made() if image.tilewright.kind in ALL]
    assert bpy.ops.tilewright.unlink_old_maps() == {"FINISHED"}
    assert set(_kinds()) == {"base_color"}
    assert [socket.name for socket in _principled().inputs if socket.is_linked] == ["Base Color"]
    assert not _output().inputs["Displacement"].is_linked
    ours = [node.name for node in _tree().nodes if node.name.startswith("Tilewright ")]
    assert ours == ["Tilewright Maps"], "more than the frame is left of them"
    assert all(image.use_fake_user for image in old), "an image is lost"
    generate(prompt="third")
    assert set(_kinds()) == {"base_color", *ALL}
    assert _principled().inputs["Normal"].is_linked
    _nothing_overlaps()


def rule_map_whose_file_is_gone_is_told_and_the_others_arrive() -> None:
    job = start(prompt="lost", count=1)
    session, pump = addon("common.state").current.session, addon("jobs.pump")
    session.wait(job, tick=pump.handle)
    job.results[0].path("normal").unlink()
    pump.deliver_waiting()
    assert set(_kinds()) == {"base_color", *ALL} - {"normal"}
    assert "normal.png." in _outcome(), _outcome()
    assert _source(_principled(), "Normal").inputs["Strength"].default_value == 1, "no normal map has the relief"


# --- what the user has linked --------------------------------------------------------------------------------------


def rule_links_of_the_user_are_never_lost() -> None:
    tree = _tree()
    for name in ("Metallic", "Roughness", "Normal"):
        tree.links.new(tree.nodes.new("ShaderNodeTexNoise").outputs[1], _principled().inputs[name])
    tree.links.new(tree.nodes.new("ShaderNodeTexNoise").outputs[1], _output().inputs["Displacement"])
    before = links(tree)
    for method in ("BUMP", "DISPLACEMENT"):
        _material().displacement_method = method
        generate()
        assert before <= links(tree)
        for node in tree.nodes:
            for socket in node.inputs:
                assert len(socket.links) <= 1
    assert set(_kinds()) == {"base_color", *ALL}


def rule_map_without_a_place_is_told() -> None:
    tree = _tree()
    tree.links.new(tree.nodes.new("ShaderNodeTexNoise").outputs[0], _principled().inputs["Roughness"])
    generate()
    assert "Something else feeds Roughness: the node Roughness is not linked." in _outcome()
    assert not _kinds()["roughness"].outputs["Color"].is_linked


def _picture(name: str = "old") -> Any:
    node = _tree().nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.new(name, 8, 8, is_data=True)
    return node


def _row(input_: Any, *types: str) -> list[Any]:
    """An image node of the user's and nodes in a row behind it, the last into an input."""
    nodes = [_picture(), *(_tree().nodes.new(f"ShaderNode{type_}") for type_ in types)]
    for left, right in itertools.pairwise(nodes):
        names = ("Color", "Fac", "Factor", "Value", "Height")
        sockets = [socket for name in names for socket in right.inputs if socket.enabled and socket.name == name]
        wanted = [socket for socket in sockets if socket.name in ("Color", "Value", "Height")] or sockets
        _tree().links.new(left.outputs[0], wanted[0])
    _tree().links.new(nodes[-1].outputs[0], input_)
    return nodes


def rule_users_own_maps_are_replaced_where_they_are() -> None:
    roughness, *_ = _row(_principled().inputs["Roughness"], "Clamp", "ValToRGB")
    normal, _curves, _normal_map = _row(_principled().inputs["Normal"], "RGBCurve", "NormalMap")
    old = [node.image for node in (roughness, normal)]
    before = links(_tree())
    generate()
    assert before <= links(_tree())
    kinds = _kinds()
    assert (kinds["roughness"], kinds["normal"]) == (roughness, normal)
    assert not kinds["height"].outputs["Color"].is_linked, "the user's normal map has the relief"
    assert all(image.use_fake_user for image in old)


def rule_bump_of_the_users_is_given_the_height_and_carries_the_relief_alone() -> None:
    height, bump = _row(_principled().inputs["Normal"], "Bump")
    generate()
    assert _kinds()["height"] == height
    assert _source(_principled(), "Normal") == bump
    assert not bump.inputs["Normal"].is_linked
    assert "The node Bump already shows the relief: the node Normal is not linked." in _outcome(), _outcome()


def rule_bump_of_the_users_beside_a_normal_map_keeps_its_own_detail() -> None:
    normal, normal_map = _row(_principled().inputs["Normal"], "NormalMap")
    detail, bump = _row(_principled().inputs["Normal"], "Bump")
    _tree().links.new(normal_map.outputs[0], bump.inputs["Normal"])
    old = detail.image
    before = links(_tree())
    generate()
    assert before <= links(_tree())
    assert _kinds()["normal"] == normal
    assert detail.image == old, "with our height in it the relief would be counted twice"
    assert "Something else feeds Normal: the node Height is not linked." in _outcome(), _outcome()


def rule_map_whose_numbers_are_turned_round_is_left_to_the_user() -> None:
    """A gloss map behind an Invert, in the shapes that artists give it."""

    def subtract(node: Any) -> None:
        node.operation = "SUBTRACT"
        _tree().links.new(node.inputs[0].links[0].from_socket, node.inputs[1])
        _tree().links.remove(node.inputs[0].links[0])
        node.inputs[0].default_value = 1.0

    def map_range(node: Any) -> None:
        node.inputs["To Min"].default_value, node.inputs["To Max"].default_value = 1.0, 0.0

    def ramp(node: Any) -> None:
        node.color_ramp.elements[0].color, node.color_ramp.elements[1].color = (1, 1, 1, 1), (0, 0, 0, 1)

    def multiply(node: Any) -> None:
        node.operation = "MULTIPLY_ADD"
        node.inputs[1].default_value, node.inputs[2].default_value = -1.0, 1.0

    def curve(node: Any) -> None:
        points = node.mapping.curves[0].points
        points[0].location, points[1].location = (0.0, 1.0), (1.0, 0.0)

    shapes = {
        "Invert": lambda node: None,
        "Math": subtract,
        "MapRange": map_range,
        "ValToRGB": ramp,
        "Math ": multiply,
        "FloatCurve": curve,
    }
    for type_, shape in shapes.items():
        fresh()
        gloss, node = _row(_principled().inputs["Roughness"], type_.strip())
        shape(node)
        old, before = gloss.image, links(_tree())
        for _time in range(2):
            generate()
            assert gloss.image == old, type_
            assert before <= links(_tree())
            assert "Something else feeds Roughness: the node Roughness is not linked." in _outcome() or _time
        assert len([node for node in _tree().nodes if node.bl_idname == "NodeFrame"]) == 1
        node.mute = True
        generate()
        assert gloss.image != old, f"{type_}: muted, it turns nothing"


def rule_normal_map_that_reads_other_normals_is_left_to_the_user() -> None:
    def space(normal_map: Any) -> None:
        normal_map.space = "OBJECT"

    def convention(normal_map: Any) -> None:
        normal_map.convention = "DIRECTX"

    settings = [space, convention] if "convention" in bpy.types.ShaderNodeNormalMap.bl_rna.properties else [space]
    if bpy.app.version >= (5, 2, 0):
        assert convention in settings, "its name has changed"
    for setting in settings:
        fresh()
        normal, normal_map = _row(_principled().inputs["Normal"], "NormalMap")
        setting(normal_map)
        _left_to_the_user(normal)
    fresh()
    normal, curves, _normal_map = _row(_principled().inputs["Normal"], "RGBCurve", "NormalMap")
    points = curves.mapping.curves[1].points
    points[0].location, points[1].location = (0.0, 1.0), (1.0, 0.0)  # green: DirectX to OpenGL
    _left_to_the_user(normal)


def _left_to_the_user(node: Any) -> None:
    old, before = node.image, links(_tree())
    generate()
    assert node.image == old
    assert before <= links(_tree())
    assert "Something else feeds Normal: the node Normal is not linked." in _outcome(), _outcome()


def rule_bump_that_presses_in_is_left_to_the_user() -> None:
    for number in range(2):
        fresh()
        height, bump = _row(_principled().inputs["Normal"], "Bump")
        if number:
            bump.inputs["Distance"].default_value = -0.1
        else:
            bump.invert = True
        old = height.image
        generate()
        assert height.image == old
        assert "Something else feeds Normal: the node Height is not linked." in _outcome(), _outcome()


def rule_color_in_the_users_product_has_one_set_of_maps() -> None:
    tree = _tree()
    color, occlusion = _picture("wall"), _picture("mine")
    color.image.colorspace_settings.name = "sRGB"
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
    tree.links.new(color.outputs["Color"], mix.inputs[6])
    tree.links.new(occlusion.outputs["Color"], mix.inputs[7])
    tree.links.new(mix.outputs[2], _principled().inputs["Base Color"])
    kept = occlusion.image
    generate()
    assert (_kinds()["base_color"], occlusion.image) == (color, kept)
    assert _source(_principled(), "Roughness") == _kinds()["roughness"]
    before, nodes = links(tree), len(tree.nodes)
    generate(prompt="second")
    assert (links(tree), len(tree.nodes)) == (before, nodes)


def rule_what_cannot_be_linked_is_one_set_however_often() -> None:
    tree = _tree()
    tree.links.new(tree.nodes.new("ShaderNodeTexNoise").outputs[1], _principled().inputs["Base Color"])
    generate()
    before, nodes = links(tree), len(tree.nodes)
    generate(prompt="second")
    assert (links(tree), len(tree.nodes)) == (before, nodes)
    assert {node.image.tilewright.prompt for node in _kinds().values()} == {"second"}


def rule_roughness_made_from_the_color_is_not_taken_for_a_map() -> None:
    tree = _tree()
    color, ramp = tree.nodes.new("ShaderNodeTexImage"), tree.nodes.new("ShaderNodeValToRGB")
    tree.links.new(color.outputs["Color"], _principled().inputs["Base Color"])
    tree.links.new(color.outputs["Color"], ramp.inputs[0])
    tree.links.new(ramp.outputs[0], _principled().inputs["Roughness"])
    before = links(tree)
    generate()
    assert before <= links(tree)
    assert _kinds()["base_color"] == color
    assert _kinds()["roughness"] != color
    assert "Something else feeds Roughness" in _outcome()


def rule_picture_with_a_map_in_each_channel_is_left_alone() -> None:
    tree = _tree()
    packed, split = tree.nodes.new("ShaderNodeTexImage"), tree.nodes.new("ShaderNodeSeparateColor")
    packed.image = picture = bpy.data.images.new("ORM", 8, 8)
    tree.links.new(packed.outputs["Color"], split.inputs[0])
    tree.links.new(split.outputs[1], _principled().inputs["Roughness"])
    tree.links.new(split.outputs[2], _principled().inputs["Metallic"])
    before = links(tree)
    generate()
    assert before <= links(tree)
    assert packed.image == picture


def rule_bump_of_the_user_gets_the_normal_map_below_it() -> None:
    tree = _tree()
    bump, noise = tree.nodes.new("ShaderNodeBump"), tree.nodes.new("ShaderNodeTexNoise")
    tree.links.new(noise.outputs[0], bump.inputs["Height"])
    tree.links.new(bump.outputs[0], _principled().inputs["Normal"])
    before = links(tree)
    generate()
    assert before <= links(tree)
    assert _source(bump, "Normal").bl_idname == "ShaderNodeNormalMap"
    assert "Something else feeds Normal: the node Height" in _outcome()


def rule_color_that_is_linked_to_nothing_leaves_its_maps_unlinked() -> None:
    for target in ("NEW_NODE", "BASE_COLOR"):
        fresh()
        tree = _tree()
        noise = tree.nodes.new("ShaderNodeTexNoise")
        noise.location = (-400, 100)
        tree.links.new(noise.outputs[1], _principled().inputs["Base Color"])
        generate(target=target)
        for kind, node in _kinds().items():
            assert not node.outputs["Color"].is_linked, kind
        for name in ("Metallic", "Roughness", "Normal"):
            assert not _principled().inputs[name].is_linked
        assert len([node for node in tree.nodes if node.bl_idname == "NodeFrame"]) == 1
        _nothing_overlaps()
        generate(target="NEW_NODE", prompt="a set of its own")
        assert len([node for node in tree.nodes if node.bl_idname == "NodeFrame"]) == 2
        _nothing_overlaps()


def rule_selected_node_that_gives_the_color_is_a_whole_material() -> None:
    tree = _tree()
    node = tree.nodes.new("ShaderNodeTexImage")
    tree.links.new(node.outputs["Color"], _principled().inputs["Base Color"])
    tree.nodes.active = node
    generate(target="SELECTED_NODE")
    assert _source(_principled(), "Roughness") == _kinds()["roughness"]


def rule_two_sets_in_one_material_are_kept_apart() -> None:
    generate(target="NEW_NODE", prompt="spare")
    spare = {kind: node.name for kind, node in _kinds().items()}
    generate(prompt="shown")
    generate(prompt="shown again")
    for kind, name in spare.items():
        assert _tree().nodes[name].image.tilewright.prompt == "spare", kind


# --- occlusion, size, asset ----------------------------------------------------------------------------------------


def rule_occlusion_is_multiplied_on_demand_and_taken_out_again() -> None:
    assert "has no ambient occlusion" in message_of(bpy.ops.tilewright.multiply_occlusion)
    generate(prompt="first")
    before, types = links(_tree()), _type_names()
    assert bpy.ops.tilewright.multiply_occlusion() == {"FINISHED"}
    mix = _source(_principled(), "Base Color")
    assert (mix.bl_idname, mix.blend_type, mix.data_type) == ("ShaderNodeMix", "MULTIPLY", "RGBA")
    sockets = [socket for socket in mix.inputs if socket.enabled]
    assert sockets[0].default_value == 1
    assert [socket.links[0].from_node for socket in sockets[1:]] == [_kinds()["base_color"], _kinds()["occlusion"]]
    _nothing_overlaps()
    with_it = links(_tree())
    generate(prompt="second")
    assert links(_tree()) == with_it, "the color is found behind it"
    assert {node.image.tilewright.prompt for node in _kinds().values()} == {"second"}
    assert bpy.ops.tilewright.multiply_occlusion() == {"FINISHED"}
    assert links(_tree()) == before
    assert _type_names() == types


def rule_relief_goes_with_the_tile_size() -> None:
    _material().displacement_method = "DISPLACEMENT"
    _material().tilewright.tile_size = 2.0
    generate()
    scale = _source(_output(), "Displacement").inputs["Scale"]
    assert abs(scale.default_value - 2 * 8 / 512) < 1e-6
    _material().tilewright.relief = 0.1
    assert abs(scale.default_value - 0.2) < 1e-6
    fresh()
    _material().tilewright.tile_size, _material().tilewright.relief = 2.0, 0.1
    _deliver(without=("normal",))
    distance = _source(_principled(), "Normal").inputs["Distance"]
    assert abs(distance.default_value - 0.2) < 1e-6
    _material().tilewright.tile_size = 1.0
    assert abs(distance.default_value - 0.1) < 1e-6


def rule_the_normal_map_has_the_relief_too() -> None:
    """In Bump Only, Blender's default, it is all that shows the relief."""
    _material().tilewright.relief = 2 * 8 / 512
    generate()
    strength = _source(_principled(), "Normal").inputs["Strength"]
    assert abs(strength.default_value - 2) < 1e-5
    _material().tilewright.relief = 4 / 512
    assert abs(strength.default_value - 0.5) < 1e-5
    strength.default_value = 0.7
    _material().tilewright.tile_size = 3.0
    assert abs(strength.default_value - 0.7) < 1e-5, "tuned by an artist"
    _material().tilewright.relief = 1.0
    assert strength.default_value == 10


def rule_a_kinds_relief_is_set_until_somebody_sets_another() -> None:
    suggest = addon("material.physical_size").suggest_relief
    generate(prompt="brushed steel")
    assert "Read as Metal." in bpy.context.window_manager.tilewright.outcome
    facts, strength = _material().tilewright, _source(_principled(), "Normal").inputs["Strength"]
    suggest(_material(), 0.004)
    assert abs(facts.relief - 0.004) < 1e-6
    assert abs(strength.default_value - 0.004 * 512 / 8) < 1e-5, "normal map and height hold one relief"
    strength.default_value = 0.7
    suggest(_material(), 0.004)
    assert abs(strength.default_value - 0.7) < 1e-5, "tuned by an artist"
    suggest(_material(), 0.03)
    assert abs(facts.relief - 0.03) < 1e-6, "the next texture may be of another kind"
    facts.relief = 0.1
    suggest(_material(), 0.004)
    assert abs(facts.relief - 0.1) < 1e-6, "the user's own stays"
    suggest(_material(), None)
    assert abs(facts.relief - 0.1) < 1e-6, "also where nothing is known"


def rule_what_is_of_no_kind_is_not_as_flat_as_what_was_there_before() -> None:
    generate(prompt="oak planks")
    addon("material.physical_size").suggest_relief(_material(), 0.002)
    generate(prompt="IMG 7")
    assert abs(_material().tilewright.relief - 8 / 512) < 1e-6
    assert abs(_source(_principled(), "Normal").inputs["Strength"].default_value - 1) < 1e-5


def _unwrap(cube: Any, size: float) -> None:
    """Give each face of the cube a square of the UV map that is so wide."""
    layer = cube.data.uv_layers.active
    for polygon in cube.data.polygons:
        for loop, corner in zip(polygon.loop_indices, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
            layer.data[loop].uv = [size * value for value in corner]


def rule_fit_to_object_repeats_the_texture_by_its_size() -> None:
    cube = bpy.data.objects["Cube"]  # 2 by 2 by 2
    _unwrap(cube, 0.5)
    generate(width=128, height=64)
    _material().tilewright.tile_size = 0.25
    assert bpy.ops.tilewright.fit_to_object(texels_per_metre=1024) == {"FINISHED"}
    (mapping,) = [node for node in _tree().nodes if node.bl_idname == "ShaderNodeMapping"]
    # a face of 2 m is 8 tiles of 0.25 m wide, on half of the UV map; the texture is half as high as it is wide
    assert [round(value, 4) for value in mapping.inputs["Scale"].default_value] == [16, 32, 1]
    settings = bpy.context.scene.tilewright
    assert (settings.width, settings.height) == (256, 128)
    settings.upscale = "2"  # Generate enlarges what it makes
    assert bpy.ops.tilewright.fit_to_object(texels_per_metre=1024) == {"FINISHED"}
    assert (settings.width, settings.height) == (128, 64)
    settings.upscale, settings.width = "1", 256
    cube.scale = (2, 2, 2)
    bpy.context.view_layer.update()
    assert bpy.ops.tilewright.fit_to_object(set_resolution=False, texels_per_metre=4096) == {"FINISHED"}
    assert [round(value, 4) for value in mapping.inputs["Scale"].default_value] == [32, 64, 1]
    assert settings.width == 256
    mapping.vector_type = "TEXTURE"
    bpy.ops.tilewright.fit_to_object()
    assert [round(1 / value, 4) for value in mapping.inputs["Scale"].default_value] == [32, 64, 1]


def rule_fit_to_object_reads_only_faces_with_the_material() -> None:
    cube = bpy.data.objects["Cube"]
    _unwrap(cube, 1.0)
    cube.data.materials.append(bpy.data.materials.new("other"))
    layer = cube.data.uv_layers.active
    for polygon in cube.data.polygons[1:]:
        polygon.material_index = 1
        for loop in polygon.loop_indices:
            layer.data[loop].uv = (0.0, 0.0)
    generate()
    bpy.ops.tilewright.fit_to_object()
    (mapping,) = [node for node in _tree().nodes if node.bl_idname == "ShaderNodeMapping"]
    assert round(mapping.inputs["Scale"].default_value[0], 4) == 2.0


def rule_fit_to_object_works_in_edit_mode() -> None:
    cube = bpy.data.objects["Cube"]
    generate()
    _unwrap(cube, 1.0)
    bpy.ops.object.mode_set(mode="EDIT")
    assert bpy.ops.tilewright.fit_to_object() == {"FINISHED"}
    bpy.ops.object.mode_set(mode="OBJECT")
    (mapping,) = [node for node in _tree().nodes if node.bl_idname == "ShaderNodeMapping"]
    assert round(mapping.inputs["Scale"].default_value[0], 4) == 2.0


def rule_fit_to_object_says_why_not() -> None:
    fit = bpy.ops.tilewright.fit_to_object
    assert "has no texture at its Base Color" in message_of(fit)
    generate()
    (mapping,) = [node for node in _tree().nodes if node.bl_idname == "ShaderNodeMapping"]
    coordinates = _source(mapping, "Vector")
    _tree().links.new(coordinates.outputs["Object"], mapping.inputs["Vector"])
    assert "is not placed by a Mapping node of the UV map" in message_of(fit)
    _tree().links.new(coordinates.outputs["UV"], mapping.inputs["Vector"])
    _unwrap(bpy.data.objects["Cube"], 0.0)
    assert "has an area, on the object and in the UV map" in message_of(fit)
    layers = bpy.data.objects["Cube"].data.uv_layers
    layers.remove(layers[0])
    assert "Cube has no UV map" in message_of(fit)
    bpy.context.view_layer.objects.active = None
    assert "No object is active" in message_of(fit)


def rule_fit_to_object_gives_a_bare_image_its_mapping() -> None:
    tree = _tree()
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.new("bare", 8, 8)
    tree.links.new(node.outputs["Color"], _principled().inputs["Base Color"])
    rough, normal, placed, unused = (tree.nodes.new("ShaderNodeTexImage") for _ in range(4))
    tree.links.new(rough.outputs["Color"], _principled().inputs["Roughness"])
    normal_map, own = tree.nodes.new("ShaderNodeNormalMap"), tree.nodes.new("ShaderNodeUVMap")
    tree.links.new(normal.outputs["Color"], normal_map.inputs["Color"])
    tree.links.new(normal_map.outputs["Normal"], _principled().inputs["Normal"])
    tree.links.new(placed.outputs["Color"], _principled().inputs["Metallic"])
    tree.links.new(own.outputs["UV"], placed.inputs["Vector"])
    _unwrap(bpy.data.objects["Cube"], 1.0)
    assert bpy.ops.tilewright.fit_to_object() == {"FINISHED"}
    mapping = _source(node, "Vector")
    assert _source(rough, "Vector") == _source(normal, "Vector") == mapping, "as importers leave them"
    assert _source(placed, "Vector") == own
    assert not unused.inputs["Vector"].is_linked
    assert round(mapping.inputs["Scale"].default_value[0], 4) == 2.0
    assert mapping.inputs["Vector"].links[0].from_socket.name == "UV"


def rule_asset_tells_what_made_it() -> None:
    assert "shows no texture from Tilewright" in message_of(bpy.ops.tilewright.mark_asset)
    generate(prompt="mossy red brick wall with snow", use_random_seed=False, seed=7)
    bpy.context.preferences.addons[PACKAGE].preferences.author = "Ada"
    assert bpy.ops.tilewright.mark_asset() == {"FINISHED"}
    data = _material().asset_data
    assert data.author == "Ada"
    assert data.license == "Model Starter: GPL-3.0-or-later"
    assert "“mossy red brick wall with snow”" in data.description
    assert "Seed 7, 3 steps" in data.description
    assert [tag.name for tag in data.tags] == ["Tilewright", "mossy", "red", "brick", "wall", "snow"]
    assert max(_material().preview.image_size) >= 64, "no preview"
    image = next(node.image for node in _tree().nodes if node.bl_idname == "ShaderNodeTexImage")
    recipe = json.loads(image.tilewright.recipe)
    recipe["environment"] |= {"network starter-2x.safetensors": "0, exactly", "network other.safetensors": "1, exactly"}
    image.tilewright.recipe = json.dumps(recipe)
    assert bpy.ops.tilewright.mark_asset(author="Grace") == {"FINISHED"}
    assert _material().asset_data.license == (
        "Model Starter: GPL-3.0-or-later; Network starter-2x.safetensors: GPL-3.0-or-later; "
        "Network other.safetensors: see its own page"
    )
    assert _material().asset_data.author == "Grace"
    assert len(_material().asset_data.tags) == 6


def _mark(**named: Any) -> Any:
    assert bpy.ops.tilewright.mark_asset(**named) == {"FINISHED"}
    return _material().asset_data


def rule_asset_updated_keeps_what_the_user_wrote() -> None:
    preferred = bpy.context.preferences.addons[PACKAGE].preferences
    preferred.author = ""
    generate(prompt="mossy brick")
    data = _mark(author="Grace")
    assert data.author == "Grace"
    assert _mark().author == "Grace", "nobody new was named"
    own = "12345678-1234-1234-1234-123456789abc"
    data.author, data.description, data.license, data.catalog_id = "Edsger", "My own words", "CC0", own
    preferred.author = "Ada"
    data = _mark()
    assert (data.author, data.description, data.license, data.catalog_id) == ("Edsger", "My own words", "CC0", own)
    assert _mark(author="Grace").author == "Grace", "asked for"
    assert _mark(catalog="Textures/Stone").catalog_id != own
    stone = data.catalog_id
    assert _mark().catalog_id == stone, "no other one was asked for"
    assert _mark(catalog="Tilewright").catalog_id not in (own, stone), "asked for"
    assert _mark(catalog="").catalog_id == _mark().catalog_id != stone
    data.description = data.license = ""
    assert "mossy brick" in _mark().description
    assert data.license == "Model Starter: GPL-3.0-or-later"
    generate(prompt="oak planks")
    assert "oak planks" in _mark().description, "these words were ours"
    preferred.author = data.author = ""
    assert _mark().author == ""


def rule_asset_updated_has_the_tags_of_its_texture() -> None:
    generate(prompt="mossy brick wall")
    _material().asset_mark()
    _material().asset_data.tags.new("brick")  # the user's own
    data = _mark()
    assert {tag.name for tag in data.tags} == {"Tilewright", "mossy", "brick", "wall"}
    data.tags.remove(data.tags["wall"])
    data.tags.new("favourite")
    assert {tag.name for tag in _mark().tags} == {"Tilewright", "mossy", "brick", "favourite"}
    generate(prompt="oak planks")
    assert {tag.name for tag in _mark().tags} == {"Tilewright", "brick", "favourite", "oak", "planks"}


def rule_asset_of_the_users_own_stays_in_its_catalog() -> None:
    generate(prompt="mossy brick")
    _material().asset_mark()
    data = _material().asset_data
    data.catalog_id = own = "12345678-1234-1234-1234-123456789abc"
    data["tilewright"] = "[1"  # nonsense from somebody else's file
    assert _mark().catalog_id == own
    data["tilewright"] = '{"tags": 3, "catalog": 5, "author": []}'
    assert _mark().catalog_id == own


def grows_no_more(file: str) -> list[int]:
    """The images in a file that is saved and reopened after each of several textures in the same nodes."""
    fresh()
    own = bpy.data.images.new("the user's", 8, 8)
    own.pack()
    node = _tree().nodes.new("ShaderNodeTexImage")
    node.image = own
    _tree().links.new(node.outputs["Color"], _principled().inputs["Base Color"])
    counts = []
    for number in range(4):
        generate(prompt=f"texture {number}")
        bpy.ops.wm.save_as_mainfile(filepath=file)
        bpy.ops.wm.open_mainfile(filepath=file)
        counts.append(len(made()))
        assert {node.image.tilewright.prompt for node in _kinds().values()} == {f"texture {number}"}
        assert bpy.data.images["the user's"].use_fake_user, "the user's own is kept"
    painted = _kinds()["roughness"].image
    painted.pixels[0] = 0.123
    painted.update()
    generate(prompt="last")
    assert painted.use_fake_user, "what was painted is nowhere else"
    return counts


# --- files ---------------------------------------------------------------------------------------------------------


def saved_and_reopened(file: str) -> None:
    """All of a material's images are in the file, each under a name of its own, and nothing is loaded twice."""
    generate(prompt="packed")
    assert bpy.ops.tilewright.mark_asset() == {"FINISHED"}
    bpy.ops.wm.save_as_mainfile(filepath=file)
    assert len(made()) == 6
    assert all(image.packed_file for image in made())
    assert len({image.filepath for image in made()}) == 6
    bpy.ops.wm.open_mainfile(filepath=file)
    assert {image.tilewright.kind for image in made()} == {"base_color", *ALL}
    assert max(_material().preview.image_size) >= 64
    data = _material().asset_data
    data.tags.remove(data.tags["Tilewright"])
    assert [tag.name for tag in _mark().tags] == ["packed"], "what was ours before the file was saved"
    bpy.ops.tilewright.apply()
    assert len(made()) == 6


def saved_with_copies(file: str) -> None:
    """Copied beside the .blend, the maps of one result keep apart."""
    bpy.context.preferences.addons[PACKAGE].preferences.on_save = "COPY"
    generate(prompt="copied")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.save_mainfile()
    paths = {os.path.abspath(bpy.path.abspath(image.filepath)) for image in made()}
    assert len(made()) == len(paths) == 6
    assert {os.path.dirname(path) for path in paths} == {os.path.join(os.path.dirname(file), "textures")}
    assert all(os.path.isfile(path) for path in paths)
    assert len(os.listdir(os.path.join(os.path.dirname(file), "textures"))) == 6


def try_on_restores_a_whole_material() -> None:
    """Walks through results with maps, then Escape: with maps already, without, and with an image of the user's."""
    folders = [generate(prompt=f"number {number}").tilewright.result for number in range(2)]
    tryon, state = addon("history.tryon"), addon("common.state")

    def walk() -> None:
        before = fingerprint()
        aim = addon("common.targets").choose(bpy.context, "BASE_COLOR", state.current.document)
        trial = tryon.Trial(aim, folders)
        worn = set()
        for step in (0, 1, 0):
            trial.wear(step)
            worn.add(fingerprint())
        assert len(worn) == 2
        trial.restore()
        assert fingerprint() == before, f"{before}\n{fingerprint()}"

    walk()  # on top of the maps that are there
    fresh()
    walk()
    tree = _material().node_tree
    own = tree.nodes.new("ShaderNodeTexImage")
    own.location = (-700.0, 90.0)
    own.image = bpy.data.images.new("the user's", 4, 4)
    principled = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    tree.links.new(own.outputs["Color"], principled.inputs["Base Color"])
    walk()


def catalog_is_written_beside_the_file(file: str, catalogs: str) -> str:
    generate(prompt="first")
    bpy.ops.tilewright.mark_asset()
    bpy.ops.wm.save_as_mainfile(filepath=file)
    assert _mark().catalog_id in Path(catalogs).read_text(encoding="utf-8"), "its file is there only now"
    assert bpy.ops.tilewright.mark_asset(catalog="Textures/Stone") == {"FINISHED"}
    assert bpy.ops.tilewright.mark_asset(catalog="Textures/Stone") == {"FINISHED"}
    with open(catalogs, encoding="utf-8") as stream:
        lines = stream.read().splitlines()
    id_ = _material().asset_data.catalog_id
    assert f"{id_}:Textures/Stone:Textures-Stone" in lines
    assert len([line for line in lines if "Textures/Stone" in line]) == 1
    return id_


def maps_of_a_lost_target_are_kept() -> None:
    job = start(prompt="lost")
    drive(lambda: job.progress)
    bpy.data.materials.remove(_material())
    finish(job)
    assert {image.tilewright.kind for image in made()} == {"base_color", *ALL}
    assert all(image.use_fake_user for image in made())
    assert "is gone" in _outcome()


def undo_takes_the_whole_material_back() -> None:
    fresh()
    push_undo("start")
    before, types = links(_tree()), _type_names()
    generate(prompt="undo me")
    after = links(_tree())
    undo()
    assert not made()
    assert links(_tree()) == before
    assert _type_names() == types
    redo()
    assert links(_tree()) == after
    assert len(made()) == 6


# --- with a window -------------------------------------------------------------------------------------------------


def asset_shows_its_texture() -> Iterator[float]:
    window = bpy.context.window_manager.windows[0]
    wish(prompt="oak")
    with bpy.context.temp_override(window=window):
        assert bpy.ops.tilewright.generate() == {"FINISHED"}
    yield from _until(lambda: len(made()) == 6)
    undo()
    assert not made()
    redo()
    assert len(made()) == 6, "one step is the whole material"
    with bpy.context.temp_override(window=window):
        assert bpy.ops.tilewright.mark_asset() == {"FINISHED"}
    yield from _until(lambda: _material().preview and any(_material().preview.image_pixels))


def _until(condition: Callable[[], object]) -> Iterator[float]:
    end = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < end, addon("common.state").current.error
        yield 0.2
