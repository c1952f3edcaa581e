# SPDX-License-Identifier: GPL-3.0-or-later
"""A tile laid without a visible repeat. Rules start from a new file with a cube; the fake engine makes all maps."""

import importlib.util
import json
import math
import random
import struct
import sys
from array import array
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import bpy
from common import PACKAGE, addon, fresh, generate, lay_field, links, message_of, push_undo, redo, run_rules, undo

SIDE, FIELD, RENDERED = 32, 8, 256  # pixels of a tile, tiles, pixels of a rendered field


def run_all() -> dict[str, str]:
    return run_rules(globals())


def _material() -> Any:
    return bpy.data.materials["Material"]


def _made() -> Any:
    """The material with a texture of which each map is more than one color."""
    generate()
    material = _material()
    _fill(material)
    return material


def _fill(material: Any) -> None:
    for node in material.node_tree.nodes:
        if node.bl_idname == "ShaderNodeTexImage" and node.image:
            kind = node.image.tilewright.kind
            picture = _picture(kind)
            picture.tilewright.kind, picture.tilewright.result = kind, node.image.tilewright.result
            node.image = picture


def _height(x: int, y: int) -> float:
    u, v = 2 * math.pi * x / SIDE, 2 * math.pi * y / SIDE
    return 0.5 + 0.25 * math.sin(2 * u) * math.cos(v) + 0.2 * math.sin(u + 2 * v)


def _normal(x: int, y: int) -> tuple[float, float, float]:
    slope_x, slope_y = (_height(x + 1, y) - _height(x - 1, y)) * 2, (_height(x, y + 1) - _height(x, y - 1)) * 2
    length = math.sqrt(slope_x**2 + slope_y**2 + 1)
    return (0.5 - slope_x / length / 2, 0.5 - slope_y / length / 2, 0.5 + 0.5 / length)


def _picture(kind: str) -> Any:
    dice = random.Random(kind)
    image = bpy.data.images.new(kind, SIDE, SIDE, float_buffer=True, is_data=kind != "base_color")
    pixels = []
    for y in range(SIDE):
        for x in range(SIDE):
            height = _height(x, y)
            if kind == "normal":
                pixels += [*_normal(x, y), 1.0]
            elif kind == "base_color":
                pixels += [0.1 + 0.8 * height * dice.uniform(0.7, 1.0), 0.2 + 0.2 * height, 0.6 - 0.4 * height, 1.0]
            else:
                pixels += [height, height, height, 1.0]
    image.pixels = pixels
    image.pack()
    return image


def _lay() -> None:
    assert bpy.ops.tilewright.lay_without_repeat() == {"FINISHED"}


def _groups(material: Any) -> list[Any]:
    return [node for node in material.node_tree.nodes if addon("material.feeds").is_laid(node)]


def _trees() -> list[str]:
    return [tree.name for tree in bpy.data.node_groups if tree.name.startswith("Tilewright")]


# --- rules ---------------------------------------------------------------------------------------------------------


def rule_all_maps_that_are_shown_are_laid_at_once_and_twice_pressed_is_as_before() -> None:
    material = _made()
    before = links(material.node_tree)
    _lay()
    laid = {addon("material.feeds").laid_image(group).image.tilewright.kind for group in _groups(material)}
    assert laid == {"base_color", "roughness", "metallic", "normal"}, laid  # height rests; occlusion is glTF's
    assert len(_trees()) == 5, _trees()
    _lay()
    assert links(material.node_tree) == before
    assert not _trees()


def rule_pictures_and_their_nodes_are_found_as_before() -> None:
    material = _made()
    nodes = addon("material.map_nodes")
    before = {kind: image.name for kind, image in nodes.pictures(material).items()}
    _lay()
    assert {kind: image.name for kind, image in nodes.pictures(material).items()} == before
    assert not nodes.is_outdated(material, "CYCLES")
    assert addon("material.physical_size").is_fitted(material)


def rule_next_texture_is_laid_too() -> None:
    material = _made()
    _lay()
    generate(prompt="grass")
    for group in _groups(material):
        outer = addon("material.feeds").laid_image(group).image
        inner = {node.image for node in group.node_tree.nodes if node.bl_idname == "ShaderNodeTexImage"}
        assert inner == {outer}, group.name
    (link,) = material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].links
    assert addon("material.feeds").is_laid(link.from_node)


def rule_set_takes_the_place_of_a_tile_and_back() -> None:
    material = _made()
    _lay()
    node = addon("material.color_node").image_node(material)
    plain, before = node.image, links(material.node_tree)
    group = addon("material.without_repeat").group_of(node)
    group.inputs["Strength"].default_value = 0.5
    for image, inputs in ((_sheet(addon("material.without_repeat").Sheet(8)), 2), (plain, 6)):
        node.image = image
        addon("material.without_repeat").show(node)
        assert len(group.inputs) == inputs
        assert {(one, other) for one, _a, other, _b in links(material.node_tree)} == {
            (one, other) for one, _a, other, _b in before
        }
        inner = {entry.image for entry in group.node_tree.nodes if entry.bl_idname == "ShaderNodeTexImage"}
        assert inner == {image}


def rule_tile_of_a_set_is_as_wide_as_the_tile_size_says() -> None:
    material = _made()
    node = addon("material.color_node").image_node(material)
    cube = bpy.data.objects["Cube"]
    fit = addon("material.physical_size").propose(cube, material, 64.0)
    for count, columns, rows in ((4, 4, 1), (8, 4, 2), (16, 4, 4)):
        node.image = _sheet(addon("material.without_repeat").Sheet(count))
        of_set = addon("material.physical_size").propose(cube, material, 64.0)
        wanted = (fit.mapping[0] / columns, fit.mapping[1] / rows)
        assert all(abs(one - other) < 1e-6 for one, other in zip(of_set.mapping, wanted, strict=True)), of_set
        assert of_set.size == fit.size


def rule_maps_made_of_a_set_afterwards_are_laid_as_one() -> None:
    material = _made()
    node = addon("material.color_node").image_node(material)
    node.image = _sheet(addon("material.without_repeat").Sheet(16))
    recipe = addon("history.recipes").Recipe.loads(node.image.tilewright.recipe)
    request = addon("settings.request").TextureRequest("one")
    picture = sys.modules[f"{PACKAGE}.core.requests.picture"].PictureRequest
    work = picture(str(Path("a.png").absolute()), tileable=True, source_recipe=recipe.as_source())
    roughness = material.node_tree.nodes["Tilewright Roughness"]
    for made, inputs in ((work, 2), (request, 6)):
        roughness.image.tilewright.recipe = addon("history.recipes").Recipe(made, "").dumps()
        _lay()
        assert len(addon("material.without_repeat").group_of(node).inputs) == 2
        assert len(addon("material.without_repeat").group_of(roughness).inputs) == inputs
        _lay()


def rule_set_is_laid_when_it_comes_and_a_tile_after_it_is_not() -> None:
    preferences = addon("common.preferences").get()
    generate(variants="8")
    material = _material()
    assert len(_groups(material)) == 4, "color, roughness, metallic and normal"
    generate(variants="1", prompt="grass")
    assert not _groups(material)
    preferences.lay_sets = False
    generate(variants="8")
    preferences.lay_sets = True
    assert not _groups(material)


def rule_tile_after_a_set_is_laid_where_the_user_has_asked_for_it() -> None:
    generate(variants="8")
    material = _material()
    _lay()
    assert not _groups(material)
    _lay()
    generate(variants="1", prompt="grass")
    _fill(material)
    assert _groups(material)


def rule_control_takes_one_tile_of_a_set_that_repeats() -> None:
    material = _made()
    node = addon("material.color_node").image_node(material)
    sheet = addon("material.without_repeat").Sheet(16)
    node.image = _sheet(sheet)
    bpy.ops.tilewright.add_control()
    bpy.context.scene.tilewright.controls[0].kind = "TILE"
    assert bpy.ops.tilewright.control_from_material(index=0) == {"FINISHED"}
    picture = bpy.context.scene.tilewright.controls[0].picture
    assert tuple(picture.size) == (SIDE, SIDE)
    column, row = sheet.places(0, 0, 0, 0)[0]
    tile = (row * sheet.columns + column) / 16
    values = picture.pixels[:]
    assert {values[0::4], values[1::4]} == {(0.0,) * SIDE**2}, "its edges all have the first color"
    assert set(values[2::4]) == {tile}


def rule_one_tile_of_a_set_is_made_anew_from_the_history() -> None:
    image = generate(variants="4")
    assert "no tile in column 9" in message_of(
        lambda: bpy.ops.tilewright.tile_anew(result=image.tilewright.result, column=9)
    )
    assert bpy.ops.tilewright.tile_anew(result=image.tilewright.result, column=2) == {"FINISHED"}
    made = addon("settings.properties").recipe_of(addon("material.color_node").image_node(_material()).image).request
    assert (made.variants, made.template.tile, made.seed != 0) == (4, (1, 0), True)


def rule_transition_gets_a_mask_and_needs_coordinates_that_are_only_scaled() -> None:
    material = _made()
    node = addon("material.color_node").image_node(material)
    node.image = _transition()
    mapping = next(node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeMapping")
    mapping.inputs["Location"].default_value[0] = 0.5
    assert "plain UV" in message_of(bpy.ops.tilewright.lay_without_repeat)
    mapping.inputs["Location"].default_value[0] = 0.0
    masks = len(bpy.data.images)
    _lay()
    mask = addon("material.without_repeat").mask_of(material.node_tree.nodes)
    assert len(bpy.data.images) == masks + 1
    assert (mask.pixels[0], mask.pixels[4 * (mask.size[0] - 1)]) == (0.0, 1.0)
    _lay()
    assert not _trees()


def rule_compare_shows_the_other_texture_laid() -> None:
    material = _made()
    _lay()
    generate(prompt="grass")
    _fill(material)
    node = addon("material.color_node").image_node(material)
    addon("material.without_repeat").show(node)
    here, other = node.image, _picture("base_color")
    here.tilewright.before = other
    other.tilewright.result = "other"
    exchange = addon("history.compare").begin(bpy.context, "")
    group = addon("material.without_repeat").group_of(node)
    inner = {entry.image for entry in group.node_tree.nodes if entry.bl_idname == "ShaderNodeTexImage"}
    assert inner == {other}, inner
    addon("history.compare").end(exchange)
    inner = {entry.image for entry in group.node_tree.nodes if entry.bl_idname == "ShaderNodeTexImage"}
    assert inner == {here}, inner


def rule_undo_and_redo() -> None:
    material = _made()
    before = links(material.node_tree)
    push_undo("made")
    _lay()
    push_undo("laid")
    after = links(_material().node_tree)
    undo()
    assert links(_material().node_tree) == before
    redo()
    assert links(_material().node_tree) == after
    assert len(_groups(_material())) == 4


def rule_sliders_reach_every_group() -> None:
    material = _made()
    _lay()
    material.tilewright.lay_strength = 0.25
    material.tilewright.lay_rows = 8
    for group in _groups(material):
        assert group.inputs["Strength"].default_value == 0.25
        assert group.inputs["Rows"].default_value == 8


def rule_height_is_laid_when_it_starts_to_move_the_surface() -> None:
    material = _made()
    _lay()
    bpy.context.scene.render.engine = "CYCLES"
    material.displacement_method = "DISPLACEMENT"
    assert addon("material.map_nodes").is_outdated(material, "CYCLES")
    assert bpy.ops.tilewright.follow_displacement() == {"FINISHED"}
    displacement = material.node_tree.nodes["Tilewright Displacement"]
    assert addon("material.feeds").is_laid(displacement.inputs["Height"].links[0].from_node)
    material.displacement_method = "BUMP"
    assert bpy.ops.tilewright.follow_displacement() == {"FINISHED"}
    assert len(_groups(material)) == 4, "the height rests again"
    assert not addon("material.map_nodes").is_outdated(material, "CYCLES")


def rule_copy_of_a_material_is_not_changed_with_it() -> None:
    material = _made()
    _lay()
    copy = material.copy()
    before = links(copy.node_tree)
    _lay()
    assert links(copy.node_tree) == before
    assert len(_groups(copy)) == 4
    assert all(group.node_tree for group in _groups(copy))


def rule_occlusion_multiplied_in_is_laid_with_the_color() -> None:
    material = _made()
    _lay()
    assert bpy.ops.tilewright.multiply_occlusion() == {"FINISHED"}
    _lay()
    _lay()
    assert len(_groups(material)) == 5
    mix = material.node_tree.nodes["Tilewright Occlusion Multiply"]
    fed = [link.from_node for socket in mix.inputs for link in socket.links]
    assert all(addon("material.feeds").is_laid(node) for node in fed), fed
    assert bpy.ops.tilewright.multiply_occlusion() == {"FINISHED"}


def rule_map_of_one_color_is_left_alone() -> None:
    material = _made()
    node = material.node_tree.nodes["Tilewright Metallic"]
    node.image.pixels = [0.0, 0.0, 0.0, 1.0] * SIDE**2
    _lay()
    assert len(_groups(material)) == 3


def rule_what_cannot_be_laid_is_refused_by_name() -> None:
    material = _made()
    node = addon("material.color_node").image_node(material)
    node.projection = "BOX"
    assert "Flat" in message_of(bpy.ops.tilewright.lay_without_repeat)
    node.projection, node.extension = "FLAT", "CLIP"
    assert "Repeat" in message_of(bpy.ops.tilewright.lay_without_repeat)
    node.extension = "REPEAT"
    material.node_tree.links.new(node.outputs["Alpha"], material.node_tree.nodes["Principled BSDF"].inputs["Alpha"])
    assert "alpha" in message_of(bpy.ops.tilewright.lay_without_repeat)
    assert not _groups(material)


def rule_image_without_coordinates_is_laid_on_the_uv_map() -> None:
    material = _made()
    tree = material.node_tree
    for node in [node for node in tree.nodes if node.bl_idname in ("ShaderNodeMapping", "ShaderNodeTexCoord")]:
        tree.nodes.remove(node)
    _lay()
    for group in _groups(material):
        assert not group.inputs["Vector"].is_linked
        assert any(node.bl_idname == "ShaderNodeTexCoord" for node in group.node_tree.nodes)


def rule_gltf_gets_the_plain_tile_in_a_moment() -> None:
    if not importlib.util.find_spec("numpy"):
        return
    material = _made()
    mapping = next(node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeMapping")
    mapping.inputs["Scale"].default_value = (3.0, 3.0, 1.0)
    _lay()
    bpy.ops.preferences.addon_enable(module="io_scene_gltf2")
    path = Path(bpy.app.tempdir) / "laid.gltf"
    bpy.ops.export_scene.gltf(filepath=str(path), export_format="GLTF_SEPARATE")
    data = json.loads(path.read_text(encoding="utf-8"))
    (told,) = data["materials"]
    color = told["pbrMetallicRoughness"]["baseColorTexture"]
    assert data["images"][data["textures"][color["index"]]["source"]]["name"].startswith("base_color")
    assert color["extensions"]["KHR_texture_transform"]["scale"] == [3, 3]
    assert "normalTexture" in told


def _exported(**options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What Blender's exporter of glTF says of the material, and its images, read back, by the texture's name."""
    bpy.ops.preferences.addon_enable(module="io_scene_gltf2")
    path = Path(bpy.app.tempdir) / "set.gltf"
    bpy.ops.export_scene.gltf(filepath=str(path), export_format="GLTF_SEPARATE", **options)
    data = json.loads(path.read_text(encoding="utf-8"))
    (told,) = data["materials"]
    surface = told.pop("pbrMetallicRoughness")
    textures = {name: value for name, value in (told | surface).items() if name.endswith("Texture")}
    images = {}
    for name, texture in textures.items():
        entry = data["textures"][texture["index"]]
        source = entry.get("source", entry.get("extensions", {}).get("EXT_texture_webp", {}).get("source"))
        uri = data["images"][source]["uri"]
        images[name] = bpy.data.images.load(str(path.parent / unquote(uri)))
    return textures, images


def rule_gltf_gets_one_tile_of_a_set() -> None:
    if not importlib.util.find_spec("numpy"):
        return
    sheet_of = addon("material.without_repeat").sheet_of
    for count, columns, rows in (("16", 4, 4), ("8", 4, 2)):
        fresh()
        generate(variants=count)
        material = _material()
        nodes = addon("material.map_nodes")
        mapping = next(node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeMapping")
        mapping.inputs["Scale"].default_value = (0.5, 0.5, 1.0)
        pictures = nodes.pictures(material)
        before = len(bpy.data.images)
        for options in ({}, {"export_image_format": "WEBP"}, {"export_image_format": "JPEG"}):
            textures, images = _exported(**options)
            assert set(images) == {
                "baseColorTexture",
                "normalTexture",
                "metallicRoughnessTexture",
                "occlusionTexture",
            }, images
            for name, image in images.items():
                color = pictures["base_color"]
                assert tuple(image.size) == (color.size[0] // columns, color.size[1] // rows), (name, *image.size)
                scale = textures[name]["extensions"]["KHR_texture_transform"]["scale"]
                assert scale == [0.5 * columns, 0.5 * rows], (name, scale)
            for image in images.values():
                bpy.data.images.remove(image)
            assert len(bpy.data.images) == before
        path = Path(bpy.app.tempdir) / "set.glb"
        bpy.ops.export_scene.gltf(filepath=str(path), export_format="GLB")
        raw = path.read_bytes()
        length = int.from_bytes(raw[12:16], "little")
        data, binary = json.loads(raw[20 : 20 + length]), raw[28 + length :]
        for told in data["images"]:
            png = binary[data["bufferViews"][told["bufferView"]].get("byteOffset", 0) :]
            wanted = (color.size[0] // columns, color.size[1] // rows)
            assert struct.unpack(">II", png[16:24]) == wanted, told
        _textures, images = _exported()
        column, row = sheet_of(color).repeating
        width, height = images["baseColorTexture"].size
        whole, part = list(color.pixels), list(images["baseColorTexture"].pixels)
        start = ((rows - 1 - row) * height * color.size[0] + column * width) * 4
        lines = [whole[start + 4 * y * color.size[0] :][: 4 * width] for y in range(height)]
        assert part == [value for line in lines for value in line]


def rule_missing_sheet_is_named() -> None:
    image = generate(variants="8")
    _lay()
    gone = Path(bpy.app.tempdir) / "gone.png"
    image.filepath = str(gone)
    told = message_of(bpy.ops.tilewright.lay_without_repeat)
    assert f"The file of {image.name} is missing: {gone}" in told, told
    assert not _groups(_material())


def rule_gltf_gets_the_whole_sheet_where_the_set_is_not_laid() -> None:
    if not importlib.util.find_spec("numpy"):
        return
    generate(variants="4")
    _lay()
    textures, images = _exported()
    color = addon("material.map_nodes").pictures(_material())["base_color"]
    assert tuple(images["baseColorTexture"].size) == tuple(color.size)
    assert textures["baseColorTexture"].get("extensions", {}).get("KHR_texture_transform", {}).get("scale") != [4, 1]


# --- figures -------------------------------------------------------------------------------------------------------


def rendered(folder: str) -> dict[str, dict[str, float]]:
    """What Cycles makes of a field of 8x8 tiles, as light, plain and laid."""
    fresh()
    material = _made()
    _field(material)
    plain = _look(folder, "base_color")
    figures = {"plain": _of_color(plain, plain)}
    figures["plain normals"] = _of_map("normal", _look(folder, "normal"))
    figures["plain height"] = _of_map("height", _look(folder, "height"))
    _lay()
    for name, strength in (("strength 0", 0.0), ("strength 0.5", 0.5), ("laid", 1.0)):
        material.tilewright.lay_strength = strength
        figures[name] = _of_color(_look(folder, "base_color"), plain)
    figures["normals"] = _of_map("normal", _look(folder, "normal"))
    figures["height"] = _of_map("height", _look(folder, "height"))
    _lay()
    figures["taken out"] = _of_color(_look(folder, "base_color"), plain)
    return figures


def _field(material: Any) -> None:
    """A plane that fills the picture, and each map as light at an output of its own."""
    lay_field(material, RENDERED)
    bpy.context.scene.cycles.pixel_filter_type = "BOX"
    tree = material.node_tree
    mapping = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeMapping")
    mapping.inputs["Scale"].default_value = (FIELD, FIELD, 1.0)
    # the height has to feed something to be laid
    tree.links.new(tree.nodes["Tilewright Height"].outputs["Color"], tree.nodes["Principled BSDF"].inputs["IOR"])


def _socket(material: Any, kind: str) -> Any:
    nodes = addon("material.map_nodes").image_nodes(material)
    node = next(node for node in nodes if node.image.tilewright.kind == kind)
    group = addon("material.without_repeat").group_of(node)
    return (group or node).outputs["Color"]


def _show_surface(material: Any) -> None:
    """Give the output its Principled BSDF again."""
    tree = material.node_tree
    tree.links.new(tree.nodes["Principled BSDF"].outputs[0], tree.nodes["Material Output"].inputs["Surface"])


def _look(folder: str, kind: str) -> array:
    """Pixels of the field, four numbers each."""
    material = _material()
    tree, socket = material.node_tree, _socket(material, kind)
    emission = tree.nodes.get("Look") or tree.nodes.new("ShaderNodeEmission")
    emission.name = "Look"
    tree.links.new(socket, emission.inputs["Color"])
    tree.links.new(emission.outputs[0], tree.nodes["Material Output"].inputs["Surface"])
    path = str(Path(folder) / f"{kind}.exr")
    bpy.context.scene.render.filepath = path
    bpy.ops.render.render(write_still=True)
    _show_surface(material)
    tree.nodes.remove(emission)
    image = bpy.data.images.load(path, check_existing=False)
    pixels = array("f", bytes(4 * len(image.pixels)))
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels


def _of_color(pixels: array, plain: array) -> dict[str, float]:
    reds = pixels[0::4]
    mean = sum(reds) / len(reds)
    deviation = math.sqrt(sum((red - mean) ** 2 for red in reds) / len(reds))
    period, width = RENDERED // FIELD, RENDERED
    along = [(reds[i] - mean) * (reds[i + period] - mean) for i in range(len(reds)) if i % width < width - period]
    up = [(reds[i] - mean) * (reds[i + period * width] - mean) for i in range(len(reds) - period * width)]
    peak = max(sum(along) / len(along), sum(up) / len(up)) / deviation**2
    off = max(abs(one - other) for one, other in zip(pixels, plain, strict=True))
    return {"mean": mean, "deviation": deviation, "peak": peak, "from plain": off}


def laid_sets(folder: str) -> dict[str, dict[str, int]]:
    """Of each size of set: how many edges in a field do not fit, and how many different tiles are in it.

    Each quarter of a tile says which: red the color of its left or right edge, green of its lower or upper one, blue
    the tile.
    """
    figures = {}
    for count in (4, 8, 16):
        fresh()
        material = _made()
        _field(material)
        node = addon("material.color_node").image_node(material)
        sheet = addon("material.without_repeat").Sheet(count)
        node.image, node.interpolation = _sheet(sheet), "Closest"
        mapping = next(node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeMapping")
        mapping.inputs["Scale"].default_value = (FIELD / sheet.columns, FIELD / sheet.rows, 1.0)
        _lay()
        pixels = _look(folder, "base_color")
        figures[str(count)] = _misfits(pixels)
    return figures


def _sheet(sheet: Any) -> Any:
    image = bpy.data.images.new("sheet", sheet.columns * SIDE, sheet.rows * SIDE, float_buffer=True, is_data=True)
    image.tilewright.kind = "base_color"
    request = addon("settings.request").TextureRequest("set", variants=sheet.count)
    image.tilewright.recipe = addon("history.recipes").Recipe(request, "").dumps()
    pixels = []
    for y in range(sheet.rows * SIDE):
        for x in range(sheet.columns * SIDE):
            row = sheet.rows - 1 - y // SIDE
            left, right, above, below = sheet.edges(x // SIDE, row)
            tile = (row * sheet.columns + x // SIDE) / 16
            pixels += [left if x % SIDE < SIDE // 2 else right, below if y % SIDE < SIDE // 2 else above, tile, 1.0]
    image.pixels = pixels
    image.pack()
    return image


def _transition() -> Any:
    """Each quarter of a tile is as bright as its corner's color."""
    sheet = addon("material.without_repeat").Sheet(16)
    image = bpy.data.images.new("sheet", sheet.columns * SIDE, sheet.rows * SIDE, float_buffer=True, is_data=True)
    image.tilewright.kind = "base_color"
    transition = sys.modules[f"{PACKAGE}.core.requests.transition"].Transition
    pictures = [str(Path(f"{name}.png").absolute()) for name in "ab"]
    request = addon("settings.request").TextureRequest("both", transition=transition(*pictures))
    image.tilewright.recipe = addon("history.recipes").Recipe(request, "").dumps()
    pixels = []
    for y in range(sheet.rows * SIDE):
        for x in range(sheet.columns * SIDE):
            corners = sheet.corners(x // SIDE, sheet.rows - 1 - y // SIDE)
            pixels += [corners[2 * (y % SIDE < SIDE // 2) + (x % SIDE >= SIDE // 2)]] * 3 + [1.0]
    image.pixels = pixels
    image.pack()
    return image


def laid_by_mask(folder: str) -> dict[str, int]:
    """How many corners of a field are not of the color that the mask has there, of how many; and colors seen."""
    fresh()
    material = _made()
    _field(material)
    node = addon("material.color_node").image_node(material)
    node.image, node.interpolation = _transition(), "Closest"
    mapping = next(node for node in material.node_tree.nodes if node.bl_idname == "ShaderNodeMapping")
    mapping.inputs["Scale"].default_value = (FIELD / 4, FIELD / 4, 1.0)
    _lay()
    mask = addon("material.without_repeat").mask_of(material.node_tree.nodes)
    width, height = mask.size
    dice = random.Random(1)
    wanted = [[dice.randrange(2) for _x in range(FIELD + 1)] for _y in range(FIELD + 1)]
    values = []
    for y in range(height):
        for x in range(width):
            color = wanted[round(y / height * FIELD)][round(x / width * FIELD)]
            values += [color, color, color, 1.0]
    mask.pixels = values
    mask.update()
    pixels = _look(folder, "base_color")
    cell, wrong, seen = RENDERED // FIELD, 0, set()
    for y in range(1, FIELD):
        for x in range(1, FIELD):
            for off_x, off_y in ((-8, -8), (8, -8), (-8, 8), (8, 8)):
                value = round(pixels[4 * ((y * cell + off_y) * RENDERED + x * cell + off_x)])
                wrong += value != wanted[y][x]
                seen.add(value)
    assert bpy.ops.tilewright.paint_blend() == {"FINISHED"}
    assert bpy.context.tool_settings.image_paint.canvas == mask
    return {"wrong": wrong, "of": 4 * (FIELD - 1) ** 2, "colors": len(seen)}


def _misfits(pixels: array) -> dict[str, int]:
    """Looked at in the middle of each tile's edges, away from where drawings blend."""
    cell = RENDERED // FIELD

    def color(x: float, y: float) -> tuple[int, ...]:
        at = 4 * (int(y * cell) * RENDERED + int(x * cell))
        return round(pixels[at]), round(pixels[at + 1]), round(16 * pixels[at + 2])

    misfits, tiles = 0, set()
    for y in range(FIELD):
        for x in range(FIELD):
            tiles.add(color(x + 0.3, y + 0.3)[2])
            if x + 1 < FIELD:
                misfits += color(x + 0.8, y + 0.3)[0] != color(x + 1.2, y + 0.3)[0]
            if y + 1 < FIELD:
                misfits += color(x + 0.3, y + 0.8)[1] != color(x + 0.3, y + 1.2)[1]
    return {"misfits": misfits, "tiles": len(tiles)}


def _of_map(kind: str, pixels: array) -> dict[str, float]:
    if kind == "height":
        return {"low": min(pixels[0::4]), "high": max(pixels[0::4])}
    normals = [[2 * value - 1 for value in pixels[i : i + 3]] for i in range(0, len(pixels), 4)]
    lengths = [math.hypot(*normal) for normal in normals]
    slopes = [(normal[0] / normal[2], normal[1] / normal[2]) for normal in normals]
    lean = math.hypot(*(sum(slope[axis] for slope in slopes) / len(slopes) for axis in (0, 1)))
    slope = math.sqrt(sum(x * x + y * y for x, y in slopes) / len(slopes))
    return {"length off": max(abs(length - 1) for length in lengths), "lean": lean, "slope": slope}
