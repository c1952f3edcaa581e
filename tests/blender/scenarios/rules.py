# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the texture goes in a material, rule by rule. Each function starts from a new file with the default cube."""

import time
import traceback
from itertools import pairwise
from pathlib import Path
from typing import Any

import bpy
from common import addon, as_a_beginner_has_it, fresh, generate, links, made, message_of, wish


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


def _tree() -> Any:
    return bpy.data.materials["Material"].node_tree


def _image_nodes(tree: Any) -> list[Any]:
    return [node for node in tree.nodes if node.bl_idname == "ShaderNodeTexImage"]


def _base_color(tree: Any) -> Any:
    return tree.nodes["Principled BSDF"].inputs["Base Color"]


def _feed(tree: Any, *types: str) -> list[Any]:
    """Nodes in a row, the first one's first output into the next, the last into Base Color."""
    nodes = [tree.nodes.new(type_) for type_ in types]
    for left, right in pairwise(nodes):
        socket = next(s for s in right.inputs if s.type == "RGBA" or right.bl_idname == "NodeReroute")
        tree.links.new(left.outputs[0], socket)
    tree.links.new(nodes[-1].outputs[0], _base_color(tree))
    return nodes


def _outcome() -> str:
    return bpy.context.window_manager.tilewright.outcome


def _unchanged(tree: Any, before: set) -> None:
    assert before <= links(tree), f"links lost: {before - links(tree)}"


def rule_nothing_linked_gets_a_linked_node_with_coordinates() -> None:
    before = links(_tree())
    image = generate(prompt="mossy red brick wall", use_random_seed=False, seed=7)
    node = _base_color(_tree()).links[0].from_node
    assert node.image == image
    assert node.extension == "REPEAT"
    mapping = node.inputs["Vector"].links[0].from_node
    assert mapping.bl_idname == "ShaderNodeMapping"
    coordinates = mapping.inputs["Vector"].links[0]
    assert (coordinates.from_node.bl_idname, coordinates.from_socket.name) == ("ShaderNodeTexCoord", "UV")
    _unchanged(_tree(), before)
    assert image.name == "mossy red brick wall 7"
    assert image.colorspace_settings.name == "sRGB"
    assert not image.use_fake_user


def rule_new_nodes_stand_left_of_the_principled_and_over_no_other_node() -> None:
    tree = _tree()
    other = tree.nodes.new("ShaderNodeTexNoise")
    principled = tree.nodes["Principled BSDF"]
    other.location = (principled.location[0] - 250, principled.location[1])
    frame = tree.nodes.new("NodeFrame")
    generate()
    new = [node for node in tree.nodes if node not in (other, principled, frame) and "Output" not in node.name]
    assert len(new) == 3
    for node in new:
        x, y = node.location
        assert x + node.width < principled.location[0]
        apart = y <= other.location[1] - 250 or y - 250 >= other.location[1]
        beside = x >= other.location[0] + other.width or x + node.width <= other.location[0]
        assert apart or beside, (node.name, x, y, tuple(other.location))
        assert not node.select


def rule_single_image_node_gets_the_image() -> None:
    tree = _tree()
    (node,) = _feed(tree, "ShaderNodeTexImage")
    node.image = old = bpy.data.images.new("old", 8, 8)
    node.extension = "CLIP"
    before = links(tree)
    image = generate()
    assert node.image == image
    assert node.extension == "REPEAT"
    assert links(tree) == before
    assert old.use_fake_user
    assert len(_image_nodes(tree)) == 1


def rule_node_of_what_does_not_repeat_keeps_its_extension() -> None:
    tree = _tree()
    (node,) = _feed(tree, "ShaderNodeTexImage")
    for extension in ("CLIP", "REPEAT"):
        node.extension = extension
        assert generate(tiling="NONE") == node.image
        assert node.extension == extension
    node.extension = "CLIP"
    assert generate(tiling="X") == node.image
    assert node.extension == "REPEAT"


def rule_empty_image_node_gets_the_image() -> None:
    (node,) = _feed(_tree(), "ShaderNodeTexImage")
    assert generate() == node.image


def rule_image_behind_color_corrections_is_found() -> None:
    tree = _tree()
    node, *_ = _feed(
        tree,
        "ShaderNodeTexImage",
        "ShaderNodeHueSaturation",
        "NodeReroute",
        "ShaderNodeGamma",
        "ShaderNodeRGBCurve",
        "ShaderNodeBrightContrast",
    )
    before = links(tree)
    assert generate() == node.image
    assert links(tree) == before


def _mix(tree: Any, *sources: Any) -> Any:
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    mix.inputs[0].default_value = 0.5  # as a new one has it up to 5.1; 1 from 5.2 on
    sockets = [socket for socket in mix.inputs if socket.enabled and socket.type == "RGBA"]
    for source, socket in zip(sources, sockets, strict=False):
        tree.links.new(source.outputs[0], socket)
    tree.links.new(next(s for s in mix.outputs if s.enabled), _base_color(tree))
    return mix


def _left_alone(tree: Any, said: str) -> None:
    """Nothing is relinked, the texture is in a node of its own, and the user is told."""
    before, nodes = links(tree), {node.name for node in tree.nodes}
    pictures = {node.name: node.image for node in _image_nodes(tree)}
    image = generate()
    assert links(tree) == before
    (new,) = [node for node in tree.nodes if node.name not in nodes]
    assert new.image == image
    assert all(tree.nodes[name].image == picture for name, picture in pictures.items())
    assert said in _outcome(), _outcome()
    count = len(tree.nodes)
    image = generate(prompt="the next one takes the place of the last")
    assert (len(tree.nodes), new.image, links(tree)) == (count, image, before)


def rule_color_that_is_turned_round_is_left_alone() -> None:
    tree = _tree()
    _image, invert = _feed(tree, "ShaderNodeTexImage", "ShaderNodeInvert")
    _left_alone(tree, "inverts its colors")
    invert.inputs[0].default_value = 0.2  # a weak one keeps the order
    node = tree.nodes["Image Texture"]
    assert generate() == node.image
    fresh()
    tree = _tree()
    _image, curves = _feed(tree, "ShaderNodeTexImage", "ShaderNodeRGBCurve")
    points = curves.mapping.curves[3].points
    points[0].location, points[1].location = (0.0, 1.0), (1.0, 0.0)
    _left_alone(tree, "inverts its colors")


def rule_color_that_is_turned_round_twice_is_found() -> None:
    node, *_ = _feed(_tree(), "ShaderNodeTexImage", "ShaderNodeInvert", "ShaderNodeGamma", "ShaderNodeInvert")
    assert generate() == node.image


def rule_muted_node_turns_nothing_round() -> None:
    node, invert = _feed(_tree(), "ShaderNodeTexImage", "ShaderNodeInvert")
    invert.mute = True
    assert generate() == node.image


def _multiplied(tree: Any, factor: Any) -> Any:
    """An image, multiplied by something into Base Color; the image's node."""
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = bpy.data.images.new("wall", 8, 8)
    mix = _mix(tree, node, factor)
    mix.blend_type = "MULTIPLY"
    return node


def rule_color_in_a_product_is_replaced_in_it() -> None:
    def occlusion(name: str, space: str) -> Any:
        node = _tree().nodes.new("ShaderNodeTexImage")
        node.image = bpy.data.images.new(name, 8, 8)
        node.image.colorspace_settings.name = space
        return node

    factors = (
        lambda: occlusion("mine", "Non-Color"),
        lambda: occlusion("Wall_AO.png", "sRGB"),
        lambda: _tree().nodes.new("ShaderNodeVertexColor"),
        lambda: _tree().nodes.new("ShaderNodeAttribute"),
        lambda: _tree().nodes.new("ShaderNodeAmbientOcclusion"),
        lambda: _tree().nodes.new("ShaderNodeTexNoise"),
    )
    for make in factors:
        fresh()
        tree = _tree()
        factor = make()
        kept = getattr(factor, "image", None)
        node = _multiplied(tree, factor)
        before, count = links(tree), len(tree.nodes)
        assert generate() == node.image
        assert generate(prompt="again") == node.image
        assert (links(tree), len(tree.nodes)) == (before, count)
        assert getattr(factor, "image", None) == kept


def rule_product_of_two_colors_is_left_alone_until_one_is_ours() -> None:
    tree = _tree()
    other = tree.nodes.new("ShaderNodeTexImage")
    other.image = bpy.data.images.new("moss", 8, 8)
    node = _multiplied(tree, other)
    _left_alone(tree, "not fed by one image alone")
    node.image = generate(prompt="by hand")
    assert generate(prompt="again") == node.image


def rule_many_products_in_a_row_take_no_time() -> None:
    tree = _tree()
    node = tree.nodes.new("ShaderNodeTexImage")
    last = node
    for _number in range(60):
        mix = tree.nodes.new("ShaderNodeMix")
        mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
        tree.links.new(last.outputs[2 if last != node else 0], mix.inputs[6])
        tree.links.new(last.outputs[2 if last != node else 0], mix.inputs[7])
        last = mix
    tree.links.new(last.outputs[2], _base_color(tree))
    before, start = links(tree), time.monotonic()
    generate()
    assert links(tree) == before
    assert time.monotonic() - start < 10


def rule_mix_with_one_image_and_a_plain_color_is_that_image() -> None:
    tree = _tree()
    node = tree.nodes.new("ShaderNodeTexImage")
    _mix(tree, node)
    before = links(tree)
    assert generate() == node.image
    assert links(tree) == before


def rule_image_on_the_hidden_side_of_a_mix_is_left_alone() -> None:
    tree = _tree()
    mix = _mix(tree, tree.nodes.new("ShaderNodeTexImage"))
    mix.inputs[0].default_value = 1.0
    _left_alone(tree, "hides the image or inverts its colors")


def rule_mix_of_two_images_is_never_relinked() -> None:
    tree = _tree()
    _mix(tree, tree.nodes.new("ShaderNodeTexImage"), tree.nodes.new("ShaderNodeTexImage"))
    _left_alone(tree, "not fed by one image alone")


def rule_mix_of_an_image_and_noise_is_never_relinked() -> None:
    tree = _tree()
    _mix(tree, tree.nodes.new("ShaderNodeTexImage"), tree.nodes.new("ShaderNodeTexNoise"))
    _left_alone(tree, "not fed by one image alone")


def rule_mask_of_a_mix_is_not_its_image() -> None:
    tree = _tree()
    mix = _mix(tree, tree.nodes.new("ShaderNodeRGB"))
    tree.links.new(tree.nodes.new("ShaderNodeTexImage").outputs[0], mix.inputs[0])
    _left_alone(tree, "not fed by one image alone")


def rule_noise_is_never_relinked() -> None:
    _feed(_tree(), "ShaderNodeTexNoise")
    _left_alone(_tree(), "not fed by one image alone")


def rule_image_in_a_color_ramp_is_a_mask() -> None:
    tree = _tree()
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    tree.links.new(tree.nodes.new("ShaderNodeTexImage").outputs[0], ramp.inputs[0])
    tree.links.new(ramp.outputs[0], _base_color(tree))
    _left_alone(tree, "not fed by one image alone")


def rule_principled_behind_a_mix_shader_is_found() -> None:
    tree = _tree()
    principled, output = tree.nodes["Principled BSDF"], tree.get_output_node("ALL")
    mix = tree.nodes.new("ShaderNodeMixShader")
    tree.links.new(principled.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], output.inputs["Surface"])
    assert generate() == _base_color(tree).links[0].from_node.image


def rule_without_principled_the_node_is_added_unlinked() -> None:
    tree = _tree()
    tree.nodes.remove(tree.nodes["Principled BSDF"])
    emission = tree.nodes.new("ShaderNodeEmission")
    tree.links.new(emission.outputs[0], tree.get_output_node("ALL").inputs["Surface"])
    _left_alone(tree, "no Principled BSDF")


def rule_selected_node_gets_the_image() -> None:
    tree = _tree()
    _feed(tree, "ShaderNodeTexNoise")
    node = tree.nodes.new("ShaderNodeTexImage")
    tree.nodes.active = node
    before = links(tree)
    assert generate(target="SELECTED_NODE") == node.image
    assert links(tree) == before


def rule_without_a_selected_image_node_it_goes_into_the_history() -> None:
    _goes_into_the_history(target="SELECTED_NODE")
    assert "No Image Texture node is selected in Material" in message_of(bpy.ops.tilewright.apply)


def _goes_into_the_history(**settings: str) -> None:
    """A texture is made, and the file has none of it."""
    wish(prompt="x", **settings)
    before = len(bpy.data.images), len(addon("history.browse").get().entries)
    assert bpy.ops.tilewright.generate() == {"FINISHED"}
    assert (len(bpy.data.images), len(addon("history.browse").get().entries)) == (before[0], before[1] + 1)
    assert _outcome() == "Not in a material yet. Press Apply to use it."


def rule_new_node_is_linked_to_nothing() -> None:
    tree = _tree()
    before = links(tree)
    image = generate(target="NEW_NODE")
    assert [node.image for node in _image_nodes(tree)] == [image]
    assert links(tree) == before


def rule_object_without_material_gets_one() -> None:
    cube = bpy.data.objects["Cube"]
    cube.data.materials.clear()
    image = generate(prompt="oak planks")
    material = cube.active_material
    assert material.name == "oak planks"
    principled = next(node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    assert principled.inputs["Base Color"].links[0].from_node.image == image


def rule_empty_slot_is_filled() -> None:
    cube = bpy.data.objects["Cube"]
    cube.active_material = None
    generate(prompt="oak planks")
    assert len(cube.material_slots) == 1
    assert cube.active_material.name == "oak planks"


def rule_material_without_nodes_gets_them() -> None:
    if bpy.app.version >= (5, 0, 0):
        return  # there every material has nodes
    material = bpy.data.materials.new("plain")
    bpy.data.objects["Cube"].active_material = material
    assert not material.use_nodes
    image = generate()
    assert material.use_nodes
    assert [node.image for node in _image_nodes(material.node_tree)] == [image]


def rule_with_a_camera_or_nothing_active_it_goes_into_the_history() -> None:
    bpy.context.view_layer.objects.active = bpy.data.objects["Camera"]
    _goes_into_the_history()
    assert "Camera cannot have a material" in message_of(bpy.ops.tilewright.apply)
    bpy.context.view_layer.objects.active = None
    _goes_into_the_history()


def rule_each_line_of_a_text_is_made_for_the_history() -> None:
    assert "This file has no text." in message_of(bpy.ops.tilewright.generate_lines)
    text = bpy.data.texts.new("prompts")
    text.write("red brick\n\n  oak planks  \n")
    wish(prompt="not this one", template="{prompt} brick", count=1)
    assert bpy.ops.tilewright.generate_lines(text="prompts") == {"FINISHED"}
    entries = addon("history.browse").get().entries[:2]
    assert sorted(entry.result.recipe.request.prompt for entry in entries) == ["oak planks brick", "red brick"]
    assert not made()
    text.clear()
    assert "This text has no prompt in it." in message_of(lambda: bpy.ops.tilewright.generate_lines(text="prompts"))
    assert "There is no text gone." in message_of(lambda: bpy.ops.tilewright.generate_lines(text="gone"))


def rule_a_list_may_be_a_table_in_a_file_whose_lines_go_before_the_settings() -> None:
    file = Path(bpy.app.tempdir) / "list.csv"
    file.write_text("prompt,seed,size,steps,tiling\nred brick,7,128x64,1,x\noak,,,,\n", encoding="utf-8")
    wish(prompt="not this one", count=1, use_random_seed=False, seed=3, width=64, height=64)
    assert bpy.ops.tilewright.generate_lines(filepath=str(file)) == {"FINISHED"}
    requests = [entry.result.recipe.request for entry in addon("history.browse").get().entries[:2]]
    brick, oak = sorted(requests, key=lambda request: request.prompt, reverse=True)
    assert (brick.seed, str(brick.size), brick.steps, brick.axes.value) == (7, "128x64", 1, "X")
    assert (oak.seed, str(oak.size), oak.axes.value) == (3, "64x64", "XY")
    (done,) = addon("common.state").current.lists
    assert (done.title, done.left, done.failed, done.fraction) == ("list.csv", [], 0, 1.0)


def rule_bad_lines_of_a_list_are_all_told_and_nothing_is_queued() -> None:
    text = bpy.data.texts.new("table")
    rows = ["fine,64,", "a,65,", "b,,both", "c,,x", "d,64,many,cells", "e,0,", "f,1,", "g,2,", "h,3,"]
    text.write("prompt,size,tiling\n" + "\n".join(rows))
    wish(count=1)
    before = len(addon("history.browse").get().entries)
    said = message_of(lambda: bpy.ops.tilewright.generate_lines(text="table"))
    assert all(f"table, line {number}" in said for number in (3, 4, 6, 7, 8))
    assert "table, line 2" not in said
    assert "And 2 more lines are wrong." in said
    assert len(addon("history.browse").get().entries) == before
    session = addon("common.state").current.session
    assert session is None or not len(session.jobs)


def rule_a_new_mapping_is_fitted_and_follows_the_tile_size() -> None:
    cube = bpy.data.objects["Cube"]
    assert generate()
    material = cube.active_material
    scale = material.node_tree.nodes["Mapping"].inputs["Scale"].default_value
    assert [round(value, 3) for value in scale[:2]] == [8.0, 8.0], "a quarter of the UV map to 2 m, 1 m a tile"
    material.tilewright.tile_size = 0.5
    assert [round(value, 3) for value in scale[:2]] == [16.0, 16.0]
    scale[0] = 3.0  # by the user: it is his now
    material.tilewright.tile_size = 1.0
    assert scale[0] == 3.0
    assert bpy.ops.tilewright.fit_to_object() == {"FINISHED"}
    assert round(scale[0], 3) == 8.0


def rule_the_choice_beside_generate_is_the_setting_and_is_remembered() -> None:
    preferences = bpy.context.preferences.addons["bl_ext.user_default.tilewright"].preferences
    manager, settings = bpy.context.window_manager.tilewright, bpy.context.scene.tilewright
    assert (manager.makes, settings.maps) == ("COLOR", False), "a script gets what it asks for"
    as_a_beginner_has_it()
    assert (manager.makes, settings.maps) == ("MATERIAL", True), "a beginner gets a whole material"
    manager.makes = "COLOR"
    assert (settings.maps, preferences.whole_material) == (False, False)
    fresh()
    as_a_beginner_has_it()
    assert bpy.context.window_manager.tilewright.makes == "COLOR"
    bpy.context.window_manager.tilewright.makes = "MATERIAL"
    fresh()
    as_a_beginner_has_it()
    assert bpy.context.window_manager.tilewright.makes == "MATERIAL"
    bpy.context.scene.tilewright.maps = False  # a file's own word
    addon("settings.properties")._on_load()
    assert bpy.context.window_manager.tilewright.makes == "COLOR"


def rule_a_new_mapping_is_left_alone_where_that_is_wanted() -> None:
    preferences = bpy.context.preferences.addons["bl_ext.user_default.tilewright"].preferences
    preferences.fit_new = False
    assert generate()
    preferences.fit_new = True
    nodes = bpy.data.objects["Cube"].active_material.node_tree.nodes
    assert tuple(nodes["Mapping"].inputs["Scale"].default_value) == (1.0, 1.0, 1.0)


def rule_object_without_uv_map_can_be_given_one() -> None:
    cube = bpy.data.objects["Cube"]
    assert not addon("common.targets").lacks_uv_map(cube)
    cube.data.uv_layers.remove(cube.data.uv_layers[0])
    cube.scale = (2, 1, 1)
    bpy.context.view_layer.update()
    assert addon("common.targets").lacks_uv_map(cube)
    generate()
    assert "Cube has no UV map" in _outcome()
    assert bpy.ops.tilewright.add_uv_map() == {"FINISHED"}
    scale = cube.active_material.node_tree.nodes["Mapping"].inputs["Scale"].default_value
    assert round(scale[0], 3) == 4.0, "the longest side, of 4 m, is one texture wide, and a tile is 1 m"
    layer = cube.data.uv_layers.active
    for polygon in cube.data.polygons:
        us, vs = zip(*(layer.data[loop].uv for loop in polygon.loop_indices), strict=True)
        spans = sorted((round(max(us) - min(us), 4), round(max(vs) - min(vs), 4)))
        # two by one by one: the longest side is one texture, the others half of one
        assert spans in ([0.5, 0.5], [0.5, 1.0]), spans
        normal = max(range(3), key=lambda axis: abs(polygon.normal[axis]))
        turn = sum(
            us[index] * vs[(index + 1) % 4] - us[(index + 1) % 4] * vs[index] for index in range(4)
        )  # twice the area
        assert turn > 0, f"mirrored on axis {normal}"
    assert "already has a UV map" in message_of(bpy.ops.tilewright.add_uv_map)


def rule_many_textures_are_all_kept() -> None:
    generate(count=3, use_random_seed=False, seed=2**31 - 2)
    images = sorted(made(), key=lambda image: image.name)
    assert sorted(image.tilewright.seed for image in images) == [0, 2**31 - 2, 2**31 - 1]
    used = _base_color(_tree()).links[0].from_node.image
    assert used.tilewright.seed == 2**31 - 2
    assert all(image.use_fake_user for image in images if image != used)


def rule_apply_puts_the_shown_texture_into_the_material() -> None:
    generate(count=2, use_random_seed=False, seed=5)
    assert bpy.ops.tilewright.show(step=1) == {"FINISHED"}
    assert bpy.ops.tilewright.apply() == {"FINISHED"}
    used = _base_color(_tree()).links[0].from_node.image
    assert used.tilewright.seed == 6
    assert len(made()) == 2, "the image that was there already is used"


def rule_apply_shows_the_texture_though_its_image_was_given_another_file() -> None:
    changed = generate(prompt="oak planks")
    original = changed.filepath
    changed.filepath = "//mine.png"
    assert bpy.ops.tilewright.apply() == {"FINISHED"}
    assert _base_color(_tree()).links[0].from_node.image.filepath == original
    assert changed.filepath == "//mine.png"
