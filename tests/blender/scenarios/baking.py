# SPDX-License-Identifier: GPL-3.0-or-later
"""Control pictures baked from an object. Runs inside Blender; the story at the end in one with a window."""

import math
import time
from array import array
from collections.abc import Iterator
from typing import Any

import bpy
from common import addon, fresh, message_of, push_undo, redo, run_rules, undo, wish
from mathutils import Euler, Vector

SIDE = 64


def run_all() -> dict[str, str]:
    return run_rules(globals())


def _height(u: float, v: float) -> float:
    return 0.1 * math.sin(2 * math.pi * u) + 0.05 * math.cos(2 * math.pi * v)


def _sheet(mirrored: bool = False, relief: bool = True) -> Any:
    """Two metres square, somewhere in space and turned, with a relief that repeats, and a UV map of all of it."""
    count = 48
    points = [(x / count, y / count) for y in range(count + 1) for x in range(count + 1)]
    faces = [
        (y * (count + 1) + x, y * (count + 1) + x + 1, (y + 1) * (count + 1) + x + 1, (y + 1) * (count + 1) + x)
        for y in range(count)
        for x in range(count)
    ]
    mesh = bpy.data.meshes.new("sheet")
    mesh.from_pydata([(2 * u, 2 * v, _height(u, v) if relief else 0.0) for u, v in points], [], faces)
    layer = mesh.uv_layers.new(name="UVMap")
    for loop in mesh.loops:
        u, v = points[loop.vertex_index]
        layer.data[loop.index].uv = (1 - u if mirrored else u, v)
    for polygon in mesh.polygons:
        polygon.use_smooth = True
    return _placed(bpy.data.objects.new("sheet", mesh))


def _placed(obj: Any) -> Any:
    obj.location, obj.rotation_euler = Vector((3, 4, 5)), Euler((0.5, 1.0, 2.0))
    bpy.context.scene.collection.objects.link(obj)
    for other in bpy.context.selected_objects:
        other.select_set(False)
    obj.select_set(True)
    bpy.context.view_layer.objects.active = obj
    bpy.context.view_layer.update()
    return obj


def _baked(shows: str) -> Any:
    """Pixels as rows of RGBA, from the bottom, of the picture that the control reads then."""
    settings = wish()
    settings.controls.clear()
    settings.controls.add()
    assert bpy.ops.tilewright.control_from_bake(index=0, shows=shows) == {"FINISHED"}
    return _rows(settings.controls[0].picture)


def _rows(image: Any) -> list[list[tuple[float, ...]]]:
    flat = array("f", [0.0]) * (image.size[0] * image.size[1] * image.channels)
    image.pixels.foreach_get(flat)
    width, channels = image.size[0], image.channels
    pixels = [tuple(flat[place : place + 3]) for place in range(0, len(flat), channels)]
    return [pixels[start : start + width] for start in range(0, len(pixels), width)]


def _state() -> dict[str, Any]:
    """All of the file that a bake might change, without the images."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    names = {
        kind: sorted(item.name for item in getattr(bpy.data, kind))
        for kind in ("scenes", "objects", "meshes", "materials", "node_groups", "worlds", "cameras")
    }
    return names | {
        "engine": scene.render.engine,
        "active": layer.objects.active and layer.objects.active.name,
        "selected": sorted(obj.name for obj in bpy.context.selected_objects),
        "mode": bpy.context.mode,
        "nodes": {
            material.name: sorted(node.name for node in material.node_tree.nodes)
            for material in bpy.data.materials
            if material.node_tree
        },
        "slots": {
            obj.name: [slot.material and slot.material.name for slot in obj.material_slots] for obj in layer.objects
        },
    }


def rule_a_sheets_relief_is_baked_wherever_it_lies() -> None:
    _sheet()
    before = _state()
    rows = _baked("HEIGHT")
    assert _state() == before
    low = min(_height(x / 480, y / 480) for x in range(481) for y in range(481))
    high = max(_height(x / 480, y / 480) for x in range(481) for y in range(481))
    off = max(
        abs(rows[y][x][0] - (_height((x + 0.5) / SIDE, (y + 0.5) / SIDE) - low) / (high - low))
        for x in range(SIDE)
        for y in range(SIDE)
    )
    assert off < 0.02, off  # as fine as the mesh is
    image = bpy.context.scene.tilewright.controls[0].picture
    assert (image.name, image.is_float, bool(image.packed_file)) == ("sheet Height", True, True)
    assert image.colorspace_settings.is_data
    assert not bpy.context.scene.tilewright.controls[0].make_tileable, "it repeats as it is"


def rule_its_normals_are_those_of_the_relief_in_the_axes_of_the_uv_map() -> None:
    for mirrored in (False, True):
        fresh()
        _sheet(mirrored)
        rows = _baked("NORMAL")
        off = 0.0
        for x in range(SIDE):
            for y in range(SIDE):
                u, v = (x + 0.5) / SIDE, (y + 0.5) / SIDE
                along = 1 - u if mirrored else u
                slope_u = 0.1 * 2 * math.pi * math.cos(2 * math.pi * along) / 2 * (-1 if mirrored else 1)
                slope_v = -0.05 * 2 * math.pi * math.sin(2 * math.pi * v) / 2
                wanted = Vector((-slope_u, -slope_v, 1)).normalized() * 0.5 + Vector((0.5, 0.5, 0.5))
                off = max(off, *(abs(a - b) for a, b in zip(rows[y][x], wanted, strict=True)))
        assert off < 0.03, (mirrored, off)


def _material(obj: Any) -> Any:
    material = bpy.data.materials.new("Wall")
    material.use_nodes = True
    obj.data.materials.clear()
    obj.data.materials.append(material)
    return material


def rule_the_height_of_what_is_no_relief_is_its_materials() -> None:
    cube = bpy.data.objects["Cube"]
    material = _material(cube)
    before = _state()
    said = message_of(lambda: _baked("HEIGHT"))
    assert "Cube has no height: it is no sheet with a relief" in said, said
    assert _state() == before, "also after an error"
    nodes, links = material.node_tree.nodes, material.node_tree.links
    value, moved = nodes.new("ShaderNodeValue"), nodes.new("ShaderNodeDisplacement")
    value.outputs[0].default_value = 0.25
    links.new(value.outputs[0], moved.inputs["Height"])
    links.new(moved.outputs[0], nodes["Material Output"].inputs["Displacement"])
    rows = _baked("HEIGHT")
    assert max(abs(part - 0.25) for row in rows for pixel in row for part in pixel) < 1e-4, "and no holes"
    fresh()
    flat = _sheet(relief=False)
    nodes, links = (tree := _material(flat).node_tree).nodes, tree.links
    value, bump = nodes.new("ShaderNodeValue"), nodes.new("ShaderNodeBump")
    value.outputs[0].default_value = 0.75
    links.new(value.outputs[0], bump.inputs["Height"])
    links.new(bump.outputs[0], nodes["Principled BSDF"].inputs["Normal"])
    assert abs(_baked("HEIGHT")[9][9][0] - 0.75) < 1e-4


def rule_colors_are_those_of_the_material_also_of_metal() -> None:
    obj = _sheet()
    principled = _material(obj).node_tree.nodes["Principled BSDF"]
    principled.inputs["Base Color"].default_value, principled.inputs["Metallic"].default_value = (0.2, 0.4, 0.6, 1), 1.0
    pixel = _baked("COLOR")[5][5]
    image = bpy.context.scene.tilewright.controls[0].picture
    assert not image.colorspace_settings.is_data
    wanted = [1.055 * part ** (1 / 2.4) - 0.055 for part in (0.2, 0.4, 0.6)]  # as 8-bit images hold them
    assert max(abs(a - b) for a, b in zip(pixel, wanted, strict=True)) < 0.01, pixel


def rule_hollows_are_dark_in_the_occlusion() -> None:
    _sheet()
    rows = _baked("OCCLUSION")
    hollow, hill = rows[SIDE // 2][SIDE * 3 // 4][0], rows[SIDE // 2][SIDE // 4][0]
    assert hollow < hill, (hollow, hill)


def rule_without_being_told_it_bakes_what_the_control_shows() -> None:
    _sheet()
    settings = wish()
    control = settings.controls.add()
    for kind, name in (("DEPTH", "Height"), ("NORMAL", "Normal"), ("TILE", "Color"), ("OTHER", "Ambient Occlusion")):
        control.kind = kind
        assert bpy.ops.tilewright.control_from_bake() == {"FINISHED"}
        assert control.picture.name == f"sheet {name}"
    control.kind = "EDGES"
    assert "Edges can't be baked." in message_of(bpy.ops.tilewright.control_from_bake)


def rule_modifiers_edit_mode_scale_and_several_materials_are_no_trouble() -> None:
    obj = _sheet()
    obj.scale = (1, 1, -1)
    obj.modifiers.new("Subdivision", "SUBSURF").levels = 1
    first, second = _material(obj), bpy.data.materials.new("Second")
    obj.data.materials.append(second)
    obj.material_slots[1].link = "OBJECT"
    obj.material_slots[1].material = first
    for polygon in list(obj.data.polygons)[::2]:
        polygon.material_index = 1
    bpy.context.view_layer.update()
    bpy.ops.object.mode_set(mode="EDIT")
    before = _state()
    rows = _baked("HEIGHT")
    assert _state() == before
    assert bpy.context.mode == "EDIT_MESH"
    # mirrored it is seen from the other side, where a hill is a hill
    assert rows[SIDE // 2][SIDE * 3 // 4][0] < 0.1 < 0.9 < rows[0][SIDE // 4][0]
    bpy.ops.object.mode_set(mode="OBJECT")


def rule_what_cannot_be_baked_is_refused_and_nothing_stays() -> None:
    settings = wish()
    settings.controls.add()
    before = _state()
    bare = _placed(bpy.data.objects.new("bare", bpy.data.meshes.new("bare")))
    assert not bpy.ops.tilewright.control_from_bake.poll(), "no UV map"
    lamp = bpy.data.objects["Light"]
    bpy.context.view_layer.objects.active = lamp
    assert "Light has no surface to bake." in message_of(lambda: bpy.ops.tilewright.control_from_bake(shows="NORMAL"))
    bpy.data.objects.remove(bare)
    bpy.data.meshes.remove(bpy.data.meshes["bare"])
    bpy.context.view_layer.objects.active = None
    assert not bpy.ops.tilewright.control_from_bake.poll()
    bpy.context.view_layer.objects.active = bpy.data.objects["Cube"]
    baking = addon("jobs.control_bake")

    def fail(*_: object) -> None:
        raise RuntimeError("Error: No memory.\n")

    kept, baking._aim = baking._aim, fail
    try:
        said = message_of(lambda: bpy.ops.tilewright.control_from_bake(shows="NORMAL"))
    finally:
        baking._aim = kept
    assert "Blender can't bake it: No memory." in said, said
    assert not [image.name for image in bpy.data.images if image.name.startswith("Cube")]
    after = _state()
    assert {name: after[name] for name in ("scenes", "objects", "meshes", "materials")} == {
        name: before[name] for name in ("scenes", "objects", "meshes", "materials")
    }


def in_a_window() -> Iterator[float]:
    """Another Blender bakes: this one answers, and its file is as it was, but for the control's picture."""
    state = addon("common.state")
    obj = _sheet()
    settings = wish(width=256, height=256)
    settings.controls.add().kind = "DEPTH"
    push_undo()
    before = _state()
    began = time.monotonic()
    assert bpy.ops.tilewright.control_from_bake(index=0) == {"FINISHED"}
    assert time.monotonic() - began < 5.0, "it does not wait"
    assert _state() == before, "nothing of it is in the file, not even meanwhile"
    assert not bpy.ops.tilewright.control_from_bake.poll(), "one at a time"
    while state.current.bake is not None:
        obj.location.x += 0.01  # the user works on
        assert time.monotonic() - began < 200
        yield 0.1
    assert state.current.error is None, state.current.error
    picture = settings.controls[0].picture
    assert (picture.name, picture.is_float, tuple(picture.size)) == ("sheet Height", True, (256, 256))
    rows = _rows(picture)
    assert rows[128][192][0] < 0.1 < 0.9 < rows[0][64][0]
    assert _state() == before
    undo()
    assert bpy.context.scene.tilewright.controls[0].picture is None, "one step takes it back"
    redo()
    settings = bpy.context.scene.tilewright
    picture = settings.controls[0].picture
    assert bpy.ops.tilewright.control_from_bake(index=0, shows="OCCLUSION") == {"FINISHED"}
    assert bpy.ops.tilewright.stop_bake() == {"FINISHED"}
    end = time.monotonic() + 60
    while state.current.bake is not None:
        assert time.monotonic() < end
        yield 0.1
    assert settings.controls[0].picture == picture, "it was stopped"
    assert _state()["scenes"] == ["Scene"]
    return "done"
