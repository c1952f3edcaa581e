# SPDX-License-Identifier: GPL-3.0-or-later
"""Two materials blended by a mask and their heights. Rules start from a new file; the fake engine makes all maps."""

import importlib.util
import json
import math
from array import array
from pathlib import Path
from typing import Any

import bpy
from common import addon, fresh, generate, lay_field, links, message_of, push_undo, redo, run_rules, undo

SIDE, RENDERED = 32, 64
RED, GREEN = (0.8, 0.1, 0.1), (0.1, 0.7, 0.2)


def run_all() -> dict[str, str]:
    return run_rules(globals())


def _two() -> tuple[Any, Any]:
    """The active material "Material", red, with all maps, and "Other", green: both with pixels of their own."""
    second = _made(GREEN, 2)
    second.name = "Other"
    bpy.context.object.active_material = bpy.data.materials.new("Material")
    return _made(RED, 1), second


def _made(color: tuple[float, float, float], waves: int) -> Any:
    generate()
    material = bpy.context.object.active_material
    for node in material.node_tree.nodes:
        if node.bl_idname == "ShaderNodeTexImage" and node.image:
            old = node.image.tilewright
            picture = _picture(old.kind, color, waves)
            picture.tilewright.kind, picture.tilewright.result = old.kind, old.result
            node.image = picture
    return material


def _picture(kind: str, color: tuple[float, float, float], waves: int) -> Any:
    image = bpy.data.images.new(kind, SIDE, SIDE, float_buffer=True, is_data=kind != "base_color")
    pixels = array("f")
    for _y in range(SIDE):
        for x in range(SIDE):
            high = 0.5 + 0.5 * math.sin(2 * math.pi * waves * x / SIDE)
            grey = {"roughness": 0.2 * waves, "metallic": 0.3 * waves, "height": high}.get(kind, 1.0)
            value = color if kind == "base_color" else (0.5, 0.5, 1.0) if kind == "normal" else (grey,) * 3
            pixels.extend((*value, 1.0))
    image.pixels.foreach_set(pixels)
    image.pack()
    return image


def _remove_maps(material: Any) -> None:
    nodes = material.node_tree.nodes
    for node in list(nodes):
        if node.name.startswith("Tilewright") and (node.bl_idname != "ShaderNodeTexImage" or node.image):
            nodes.remove(node)


def _blend(**values: Any) -> Any:
    assert bpy.ops.tilewright.blend_with(**({"material": "Other", "mask": "COLORS"} | values)) == {"FINISHED"}
    return addon("material.blend").blends(bpy.context.object.active_material)[0]


def _kinds(material: Any) -> dict[str, str]:
    return {kind: image.name for kind, image in addon("material.map_nodes").pictures(material).items()}


# --- rules ---------------------------------------------------------------------------------------------------------


def rule_blend_stands_before_all_that_the_material_shows_and_removed_all_is_as_before() -> None:
    material, other = _two()
    tree = material.node_tree
    before, untouched = links(tree), links(other.node_tree)
    blend = _blend()
    principled = tree.nodes["Principled BSDF"]
    for name in ("Base Color", "Roughness", "Metallic", "Normal"):
        assert principled.inputs[name].links[0].from_node == blend, name
    assert blend.inputs["Height A"].is_linked
    assert blend.inputs["Height B"].is_linked
    assert links(other.node_tree) == untouched
    assert bpy.ops.tilewright.remove_blend() == {"FINISHED"}
    assert links(tree) == before
    assert not [group.name for group in bpy.data.node_groups if group.name.startswith("Tilewright")]


def rule_one_undo_takes_all_of_it_back_and_redo_brings_it() -> None:
    material, _other = _two()
    push_undo("made")
    before = links(material.node_tree)
    _blend()
    push_undo("blended")
    after = links(bpy.data.materials["Material"].node_tree)
    undo()
    assert links(bpy.data.materials["Material"].node_tree) == before
    assert not bpy.context.object.data.color_attributes
    redo()
    assert links(bpy.data.materials["Material"].node_tree) == after
    assert "Blend Mask" in bpy.context.object.data.color_attributes


def rule_values_without_a_map_come_back_with_what_was_changed_since() -> None:
    material, _other = _two()
    _remove_maps(material)
    principled = material.node_tree.nodes["Principled BSDF"]
    principled.inputs["Roughness"].default_value = 0.3
    blend = _blend()
    assert abs(blend.inputs["Roughness A"].default_value - 0.3) < 1e-6
    blend.inputs["Roughness A"].default_value = 0.4
    bpy.ops.tilewright.remove_blend()
    assert not principled.inputs["Roughness"].is_linked
    assert abs(principled.inputs["Roughness"].default_value - 0.4) < 1e-6


def rule_textures_are_found_behind_the_blend_and_the_next_one_takes_their_place() -> None:
    material, _other = _two()
    nodes = addon("material.map_nodes")
    before = _kinds(material)
    assert set(before) == {"base_color", "roughness", "metallic", "normal", "height", "occlusion"}, before
    blend = _blend()
    assert _kinds(material) == before
    assert not nodes.is_outdated(material, "CYCLES")
    made = generate(prompt="grass")
    assert addon("material.color_node").image_node(material).image == made
    assert addon("material.blend").blends(material) == [blend]
    assert set(_kinds(material)) == set(before)


def rule_maps_that_come_later_go_behind_the_blend() -> None:
    material, _other = _two()
    _remove_maps(material)
    blend = _blend()
    assert not blend.inputs["Roughness A"].is_linked
    generate(prompt="grass")
    for name in ("Roughness A", "Metallic A", "Normal A", "Height A"):
        assert blend.inputs[name].is_linked, name
    assert addon("material.blend").blends(material) == [blend]


def rule_third_material_is_blended_into_both() -> None:
    material, other = _two()
    third = other.copy()
    third.name = "Third"
    before = links(material.node_tree)
    first = _blend()
    second = _blend(material="Third", name="Second Mask")
    assert addon("material.blend").blends(material) == [second, first]
    assert second.inputs["Height A"].links[0].from_node == first
    bpy.ops.tilewright.remove_blend()
    assert addon("material.blend").blends(material) == [first]
    bpy.ops.tilewright.remove_blend()
    assert links(material.node_tree) == before


def rule_displaced_height_is_blended_and_multiplied_occlusion_is_the_first_ones_alone() -> None:
    material, _other = _two()
    bpy.context.scene.render.engine = "CYCLES"
    material.displacement_method = "DISPLACEMENT"
    bpy.ops.tilewright.follow_displacement()
    before = links(material.node_tree)
    blend = _blend()
    displacement = material.node_tree.nodes["Tilewright Displacement"]
    assert displacement.inputs["Height"].links[0].from_node == blend
    assert not addon("material.map_nodes").is_outdated(material, "CYCLES")
    bpy.ops.tilewright.multiply_occlusion()
    mix = material.node_tree.nodes["Tilewright Occlusion Multiply"]
    assert blend.inputs["Color A"].links[0].from_node == mix
    bpy.ops.tilewright.multiply_occlusion()
    material.displacement_method = "BUMP"
    bpy.ops.tilewright.follow_displacement()
    assert not addon("material.map_nodes").is_outdated(material, "CYCLES")
    material.displacement_method = "DISPLACEMENT"
    bpy.ops.tilewright.follow_displacement()
    displacement = material.node_tree.nodes["Tilewright Displacement"]
    assert displacement.inputs["Height"].links[0].from_node == blend
    bpy.ops.tilewright.remove_blend()
    assert {(one, other) for one, _a, other, _b in links(material.node_tree)} == {
        (one, other) for one, _a, other, _b in before
    }


def rule_material_that_is_laid_stays_so_on_either_side() -> None:
    material, other = _two()
    assert bpy.ops.tilewright.lay_without_repeat() == {"FINISHED"}
    before = links(material.node_tree)
    nodes = addon("material.map_nodes").image_nodes(other)
    addon("material.without_repeat").lay(nodes, other)
    blend = _blend()
    feeds = addon("material.feeds")
    assert feeds.is_laid(blend.inputs["Height A"].links[0].from_node), "the heights lie as the color does"
    inner = addon("material.blend").second_node(blend).node_tree.nodes
    assert any(feeds.is_laid(node) for node in inner)
    bpy.ops.tilewright.remove_blend()
    assert links(material.node_tree) == before


def rule_result_of_the_history_is_blended_with_tiles_of_the_same_width() -> None:
    material, _other = _two()
    image = addon("material.color_node").image_node(bpy.data.materials["Other"])
    result = image.image.tilewright.result
    blend = _blend(material="", result=result)
    inner = addon("material.blend").second_node(blend).node_tree.nodes
    names = {node.image.tilewright.kind for node in inner if node.bl_idname == "ShaderNodeTexImage"}
    assert names == {"base_color", "roughness", "metallic", "normal", "height"}, names
    theirs = next(node for node in inner if node.bl_idname == "ShaderNodeMapping").inputs["Scale"].default_value[:]
    own = next(node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeMapping")
    assert theirs == own.inputs["Scale"].default_value[:]


def rule_transition_is_made_of_two_results_and_laid_by_a_mask() -> None:
    material, other = _two()
    node = addon("material.color_node").image_node
    first, second = (node(one).image.tilewright.result for one in (material, other))
    assert "second texture" in message_of(lambda: bpy.ops.tilewright.transition(result=first))
    assert bpy.ops.tilewright.transition(result=first, second=second) == {"FINISHED"}
    image = node(material).image
    transition = addon("settings.properties").recipe_of(image).request.transition
    assert (Path(transition.first).parent.name, Path(transition.second).parent.name) == (first, second)
    assert addon("material.without_repeat").mask_of(material.node_tree.nodes) is not None


def rule_transition_offers_the_other_textures_of_the_same_tile_size_by_their_prompts() -> None:
    material, other = _two()
    node = addon("material.color_node").image_node
    first, second = (node(one).image.tilewright.result for one in (material, other))
    generate(prompt="large", width=128)
    browse, view = addon("history.browse"), addon("common.state").current.view
    browse.list_seconds(browse.result(first))
    names = {item[0]: item[1] for item in view.seconds}
    assert first not in names
    assert names[second] == browse.result(second).recipe.request.prompt
    large = browse.get().entries[0]
    assert large.result.recipe.request.prompt == "large"
    assert large.name not in names
    assert bpy.ops.tilewright.transition(result=first, to=second) == {"FINISHED"}
    assert "second texture" in message_of(lambda: bpy.ops.tilewright.transition(result=first))
    browse.list_seconds(large.result)
    assert not view.seconds


def rule_transition_is_made_of_two_materials_of_one_tile_size() -> None:
    material, other = _two()
    node = addon("material.color_node").image_node
    first, second = (node(one).image.tilewright.result for one in (material, other))
    bpy.context.object.active_material = material
    other.tilewright.tile_size = 2 * material.tilewright.tile_size
    told = message_of(lambda: bpy.ops.tilewright.transition(material=other.name))
    assert "a transition needs one scale" in told, told
    other.tilewright.tile_size = material.tilewright.tile_size
    assert bpy.ops.tilewright.transition(material=other.name) == {"FINISHED"}
    transition = addon("settings.properties").recipe_of(node(material).image).request.transition
    assert (Path(transition.first).parent.name, Path(transition.second).parent.name) == (first, second)
    bare = bpy.data.materials.new("Bare")
    told = message_of(lambda: bpy.ops.tilewright.transition(material=bare.name))
    assert "Bare shows no texture of the history." in told, told


def rule_color_attribute_is_made_once_and_what_is_painted_stays() -> None:
    _two()
    mesh = bpy.context.object.data
    _blend(amount=0.25)
    attribute = mesh.color_attributes["Blend Mask"]
    assert (attribute.domain, attribute.data_type) == ("POINT", "FLOAT_COLOR")
    assert abs(attribute.data[0].color[0] - 0.25) < 1e-6
    attribute.data[0].color = (1.0, 1.0, 1.0, 1.0)
    bpy.ops.tilewright.remove_blend()
    _blend(amount=0.25)
    assert mesh.color_attributes["Blend Mask"].data[0].color[0] == 1.0


def rule_image_mask_is_made_and_kept_when_the_blend_goes() -> None:
    _two()
    blend = _blend(mask="IMAGE", size=32, amount=1.0)
    node = addon("material.blend").mask_node(blend)
    assert tuple(node.image.size) == (32, 32)
    assert node.image.colorspace_settings.is_data
    assert node.image.pixels[0] == 1.0
    name = node.image.name
    bpy.ops.tilewright.remove_blend()
    assert bpy.data.images[name].use_fake_user
    assert addon("material.blend").mask_node(_blend(mask="IMAGE")).image.name == name


def rule_what_cannot_be_blended_is_refused_by_name() -> None:
    material, other = _two()
    assert "itself" in message_of(lambda: bpy.ops.tilewright.blend_with(material="Material"))
    assert "second material" in message_of(lambda: bpy.ops.tilewright.blend_with(material="nothing"))
    bare = bpy.data.materials.new("Bare")
    addon("material.color_node").ensure_nodes(bare)
    assert "no texture" in message_of(lambda: bpy.ops.tilewright.blend_with(material="Bare"))
    before = links(material.node_tree)
    bpy.ops.object.mode_set(mode="EDIT")
    assert "Edit Mode" in message_of(lambda: bpy.ops.tilewright.blend_with(material="Other", mask="COLORS"))
    bpy.ops.object.mode_set(mode="OBJECT")
    assert links(material.node_tree) == before
    assert not bpy.ops.tilewright.remove_blend.poll()
    material.node_tree.nodes.remove(material.node_tree.nodes["Principled BSDF"])
    assert "Principled" in message_of(lambda: bpy.ops.tilewright.blend_with(material="Other", mask="COLORS"))
    assert other.node_tree


def rule_gltf_gets_the_first_material() -> None:
    if not importlib.util.find_spec("numpy"):
        return
    _two()
    _blend()
    bpy.ops.preferences.addon_enable(module="io_scene_gltf2")
    path = Path(bpy.app.tempdir) / "blended.gltf"
    bpy.ops.export_scene.gltf(filepath=str(path), export_format="GLTF_SEPARATE")
    data = json.loads(path.read_text(encoding="utf-8"))
    (told,) = data["materials"]
    color = told["pbrMetallicRoughness"]["baseColorTexture"]
    assert data["images"][data["textures"][color["index"]]["source"]]["name"].startswith("base_color")
    assert "normalTexture" in told


def rule_paint_mask_begins_with_white_on_the_mask() -> None:
    _two()
    _blend()
    assert bpy.ops.tilewright.paint_blend() == {"FINISHED"}
    assert bpy.context.object.mode == "VERTEX_PAINT"
    assert bpy.context.object.data.color_attributes.active_color.name == "Blend Mask"
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.tilewright.remove_blend()
    _blend(mask="IMAGE", size=32)
    assert bpy.ops.tilewright.paint_blend() == {"FINISHED"}
    assert bpy.context.object.mode == "TEXTURE_PAINT"
    assert bpy.context.tool_settings.image_paint.canvas.name.startswith("Blend Mask")


# --- figures -------------------------------------------------------------------------------------------------------


def rendered(folder: str) -> dict[str, dict[str, float]]:
    """What Cycles draws of a blend's outputs, as light: means over the picture, and the part that is between both."""
    fresh()
    material, _other = _two()
    lay_field(material, RENDERED)
    figures = {"first alone": _look(folder, "Base Color"), "first normal": _look(folder, "Normal")}
    blend = _blend(amount=0.5, mask="IMAGE", size=32)
    mask = addon("material.blend").mask_node(blend).image
    for name, amount, contrast, offset in (
        ("black", 0.0, 0.8, 0.0),
        ("white", 1.0, 0.8, 0.0),
        ("black, hard", 0.0, 1.0, 1.0),
        ("half, no contrast", 0.5, 0.0, 0.0),
        ("half, contrast", 0.5, 0.8, 0.0),
        ("half, hard", 0.5, 1.0, 0.0),
        ("half, raised", 0.5, 0.8, 0.5),
    ):
        mask.generated_color = (amount, amount, amount, 1.0)
        blend.inputs["Contrast"].default_value, blend.inputs["Offset"].default_value = contrast, offset
        figures[name] = _look(folder, "Base Color")
        for input_ in ("Roughness", "Metallic", "Normal"):
            figures[f"{name}, {input_}"] = _look(folder, input_)
    bpy.ops.tilewright.remove_blend()
    figures["removed"] = _look(folder, "Base Color")
    return figures


def _look(folder: str, input_: str) -> dict[str, float]:
    """Means of red, green and blue of what feeds an input, and their deviations."""
    tree = bpy.data.materials["Material"].node_tree
    emission = tree.nodes.new("ShaderNodeEmission")
    tree.links.new(tree.nodes["Principled BSDF"].inputs[input_].links[0].from_socket, emission.inputs["Color"])
    end = tree.nodes["Material Output"].inputs["Surface"]
    tree.links.new(emission.outputs[0], end)
    path = str(Path(folder) / "look.exr")
    bpy.context.scene.render.filepath = path
    bpy.ops.render.render(write_still=True)
    tree.links.new(tree.nodes["Principled BSDF"].outputs[0], end)
    tree.nodes.remove(emission)
    image = bpy.data.images.load(path, check_existing=False)
    pixels = array("f", bytes(4 * len(image.pixels)))
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    told = {}
    for index, name in enumerate("rgb"):
        plane = pixels[index::4]
        mean = sum(plane) / len(plane)
        told[name] = mean
        told[f"{name} off"] = math.sqrt(sum((value - mean) ** 2 for value in plane) / len(plane))
    return told
