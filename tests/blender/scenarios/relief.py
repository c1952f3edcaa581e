# SPDX-License-Identifier: GPL-3.0-or-later
"""The relief of what we link is looked at: each face of a cube in Cycles, against the same height as a bump."""

import math
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
from common import fresh, generate, message_of
from mathutils import Vector

SIDE = 64
DEPTH = 8.0  # pixels from the lowest to the highest point


def _height(x: int, y: int) -> float:
    """Of the pixel; the picture repeats, and looks another way turned or mirrored."""
    u, v = 2 * math.pi * x / SIDE, 2 * math.pi * y / SIDE
    return 0.5 + 0.25 * math.sin(2 * u) * math.cos(v) + 0.2 * math.sin(u + 2 * v)


def _picture(name: str, color_of: Callable[[int, int], tuple[float, float, float]]) -> Any:
    image = bpy.data.images.new(name, SIDE, SIDE, float_buffer=True, is_data=True)
    image.pixels = [value for y in range(SIDE) for x in range(SIDE) for value in (*color_of(x, y), 1.0)]
    image.pack()
    return image


def _normal(x: int, y: int) -> tuple[float, float, float]:
    slope_x = (_height(x + 1, y) - _height(x - 1, y)) / 2 * DEPTH
    slope_y = (_height(x, y + 1) - _height(x, y - 1)) / 2 * DEPTH
    normal = Vector((-slope_x, -slope_y, 1.0)).normalized()
    return tuple(value / 2 + 0.5 for value in normal)


def _grey(value: float) -> Any:
    return _picture(f"grey {value}", lambda x, y: (value, value, value))


def _fill(tree: Any) -> None:
    """Real relief instead of the fake engine's, and nothing else to be seen."""
    pictures = {
        "height": lambda: _picture("height", lambda x, y: (_height(x, y),) * 3),
        "normal": lambda: _picture("normal", _normal),
        "roughness": lambda: _grey(1.0),
        "metallic": lambda: _grey(0.0),
        "base_color": lambda: _grey(0.8),
    }
    for node in [node for node in tree.nodes if node.bl_idname == "ShaderNodeTexImage" and node.image]:
        if node.image.tilewright.kind in pictures:
            node.image = pictures[node.image.tilewright.kind]()


def _look(place: Path, keep: str = "") -> list[list[float]]:
    """The brightness of each face's pixels. keep: a name for pictures to be looked at."""
    scene, camera, sun = bpy.context.scene, bpy.data.objects["Camera"], bpy.data.objects["Light"]
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 4, False
    scene.render.resolution_x = scene.render.resolution_y = 32
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.0
    camera.data.type, camera.data.ortho_scale = "ORTHO", 2.0
    sun.data.type, sun.data.energy = "SUN", 3.0
    faces = []
    for axis in range(3):
        for side in (1.0, -1.0):
            towards = Vector((0.0, 0.0, 0.0))
            towards[axis] = side
            camera.location = 5 * towards
            camera.rotation_euler = (-towards).to_track_quat("-Z", "Y").to_euler()
            light = camera.rotation_euler.to_matrix() @ Vector((1.0, 1.4, 1.2))
            sun.rotation_euler = (-light).to_track_quat("-Z", "Y").to_euler()
            scene.render.filepath = str(place / f"{keep or 'face'}-{axis}{side:+.0f}.exr")
            bpy.ops.render.render(write_still=True)
            image = bpy.data.images.load(scene.render.filepath, check_existing=False)
            pixels = array("f", bytes(4 * len(image.pixels)))
            image.pixels.foreach_get(pixels)
            bpy.data.images.remove(image)
            faces.append(list(pixels[0::4]))
    return faces


def _correlation(one: list[float], other: list[float]) -> float:
    first, second = sum(one) / len(one), sum(other) / len(other)
    product = sum((a - first) * (b - second) for a, b in zip(one, other, strict=True))
    return product / math.sqrt(sum((a - first) ** 2 for a in one) * sum((b - second) ** 2 for b in other) + 1e-20)


def _seen(place: Path, case: str) -> float:
    """How like the relief is to that of a bump made by hand, on the face where it is worst."""
    layer = bpy.data.objects["Cube"].data.uv_layers
    for polygon in bpy.data.objects["Cube"].data.polygons if layer else ():
        for loop, corner in zip(polygon.loop_indices, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
            layer[0].data[loop].uv = corner
    tree = bpy.data.materials["Material"].node_tree
    height = next(
        node for node in tree.nodes if getattr(node, "image", None) and node.image.tilewright.kind == "height"
    )
    _fill(tree)
    normal = tree.nodes["Principled BSDF"].inputs["Normal"]
    bumps = [node for node in tree.nodes if node.bl_idname == "ShaderNodeBump"]
    for node in bumps:
        node.inputs["Distance"].default_value = 2 * DEPTH / SIDE  # the faces are 2 wide
    ours = _look(place, case)
    ours_source = normal.links[0].from_socket
    bump = tree.nodes.new("ShaderNodeBump")
    bump.inputs["Distance"].default_value = 2 * DEPTH / SIDE
    tree.links.new(height.outputs["Color"], bump.inputs["Height"])
    tree.links.new(bump.outputs["Normal"], normal)
    reference = _look(place)
    tree.links.new(ours_source, normal)
    tree.nodes.remove(bump)
    worst = min(_correlation(a, b) for a, b in zip(ours, reference, strict=True))
    spread = max(max(face) - min(face) for face in reference)
    assert spread > 0.2, "no relief to be seen"
    return worst


def _cases() -> dict[str, Callable[[Any, Any, Any, Any], None]]:
    def flat(tree: Any, image: Any, mapping: Any, coordinates: Any) -> None:
        mapping.inputs["Location"].default_value[0] = 0.3

    def scaled(tree: Any, image: Any, mapping: Any, coordinates: Any) -> None:
        mapping.inputs["Scale"].default_value = (2.0, 2.0, 1.0)

    def turned_90(tree: Any, image: Any, mapping: Any, coordinates: Any) -> None:
        mapping.inputs["Rotation"].default_value[2] = math.pi / 2

    def turned_180(tree: Any, image: Any, mapping: Any, coordinates: Any) -> None:
        mapping.inputs["Rotation"].default_value[2] = math.pi

    def mirrored(tree: Any, image: Any, mapping: Any, coordinates: Any) -> None:
        mapping.inputs["Scale"].default_value[0] = -1.0

    def box(tree: Any, image: Any, mapping: Any, coordinates: Any) -> None:
        image.projection = "BOX"
        tree.links.new(coordinates.outputs["Generated"], mapping.inputs["Vector"])

    def attribute(tree: Any, image: Any, mapping: Any, coordinates: Any) -> None:
        node = tree.nodes.new("ShaderNodeAttribute")
        node.attribute_name = bpy.data.objects["Cube"].data.uv_layers[0].name
        tree.links.new(node.outputs["Vector"], mapping.inputs["Vector"])

    return {case.__name__: case for case in (flat, scaled, turned_90, turned_180, mirrored, box, attribute)}


def worst_faces(folder: str) -> dict[str, tuple[float, str, str]]:
    """By case: the correlation on the worst face, the type of the node at Principled's Normal, what was told."""
    told = {}
    for name, case in _cases().items():
        fresh()
        tree = bpy.data.materials["Material"].node_tree
        image, mapping, coordinates = (
            tree.nodes.new(f"ShaderNode{kind}") for kind in ("TexImage", "Mapping", "TexCoord")
        )
        tree.links.new(coordinates.outputs["UV"], mapping.inputs["Vector"])
        tree.links.new(mapping.outputs["Vector"], image.inputs["Vector"])
        tree.links.new(image.outputs["Color"], tree.nodes["Principled BSDF"].inputs["Base Color"])
        case(tree, image, mapping, coordinates)
        if name == "box":
            layers = bpy.data.objects["Cube"].data.uv_layers
            layers.remove(layers[0])
        generate()
        node = tree.nodes["Principled BSDF"].inputs["Normal"].links[0].from_node
        if name == "attribute":
            assert node.uv_map == "UVMap"
        outcome = bpy.context.window_manager.tilewright.outcome
        told[name] = (_seen(Path(folder), name), node.bl_idname, outcome)
    return told


def turned_later(folder: str) -> None:
    """Noticed by the next Generate, and put right by one button; turned back, the other way round."""
    fresh()
    preferences = bpy.context.preferences.addons["bl_ext.user_default.tilewright"].preferences
    preferences.fit_new = False  # the relief is compared with one repeat on each face
    generate()
    preferences.fit_new = True
    tree = bpy.data.materials["Material"].node_tree
    (mapping,) = [node for node in tree.nodes if node.bl_idname == "ShaderNodeMapping"]
    mapping.inputs["Scale"].default_value = (1.0, 1.0, 1.0)  # it was fitted to the cube
    assert "fit its displacement method and coordinates" in message_of(bpy.ops.tilewright.follow_displacement)
    mapping.inputs["Rotation"].default_value[2] = math.pi
    generate(prompt="again")
    outcome = bpy.context.window_manager.tilewright.outcome
    assert "The coordinates now turn the texture" in outcome, outcome
    assert _seen(Path(folder), "wrong") < 0, "nobody pressed the button"
    generate(prompt="for its images")
    assert bpy.ops.tilewright.follow_displacement() == {"FINISHED"}
    assert "ShaderNodeNormalMap" not in [node.bl_idname for node in tree.nodes]
    assert _seen(Path(folder), "right") > 0.9
    generate(prompt="and it stays so")
    assert "ShaderNodeNormalMap" not in [node.bl_idname for node in tree.nodes]
    mapping.inputs["Rotation"].default_value[2] = 0.0
    assert bpy.ops.tilewright.follow_displacement() == {"FINISHED"}
    assert "ShaderNodeBump" not in [node.bl_idname for node in tree.nodes]
    assert _seen(Path(folder), "back") > 0.9
