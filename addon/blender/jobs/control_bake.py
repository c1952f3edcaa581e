# SPDX-License-Identifier: GPL-3.0-or-later
"""Control pictures baked from an object: its relief as height or normals, its occlusion, its colors. Imports bpy, core.

Blender's own bake (Cycles) works on a copy of the object with copies of its materials, in a scene of its own: so
nothing of the user's is changed, and tidying up is to remove what was made. `bake_job` does it without blocking.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import bpy
from mathutils import Matrix, Vector

from ...core.errors import UserError
from ...core.requests.guides import ControlKind
from ..common import targets
from ..common.languages import rpt_
from ..material import feeds, shown

_TAG = "tilewright_bake"  # on all that is made for a bake
_NAME = ".Tilewright Bake"
_SAMPLED = 20_000  # polygons that are looked at to find out how an object lies
_SHEET = 0.5  # of a sheet, polygons face one way on the whole: the length of their mean normal
_FLAT = 1e-4  # relief by width of a sheet that counts as none
_SAMPLES = 48  # of ambient occlusion; what else is baked has no noise
_NO_HEIGHT = "{name} has no height: it is no sheet with a relief, and its material has no displacement or bump."


class Shows(StrEnum):
    """What is baked."""

    HEIGHT = "HEIGHT"
    NORMAL = "NORMAL"
    OCCLUSION = "OCCLUSION"
    COLOR = "COLOR"


BY_KIND = {
    ControlKind.DEPTH: Shows.HEIGHT,
    ControlKind.NORMAL: Shows.NORMAL,
    ControlKind.TILE: Shows.COLOR,
    ControlKind.OTHER: Shows.OCCLUSION,
}
_TITLES = {
    Shows.HEIGHT: "Height",
    Shows.NORMAL: "Normal",
    Shows.OCCLUSION: "Ambient Occlusion",
    Shows.COLOR: "Color",
}


@dataclass(frozen=True)
class Picture:
    """An image that is to be baked."""

    name: str
    size: tuple[int, int]
    is_float: bool
    is_data: bool

    def new(self) -> bpy.types.Image:
        """A new image like that."""
        return bpy.data.images.new(self.name, *self.size, alpha=False, float_buffer=self.is_float, is_data=self.is_data)


@dataclass(frozen=True)
class Prepared:
    """What Blender bakes: the one object of a scene, into a picture. settings: of its operator."""

    scene: bpy.types.Scene
    settings: dict[str, Any]
    picture: Picture


def problem(context: bpy.types.Context) -> UserError | None:
    """Why nothing can be baked, for greyed buttons. Looks at no mesh."""
    if context.object is None:
        return targets.refusal("No object is active.", "Select the object to bake.")
    if targets.lacks_uv_map(context.object):
        return targets.refusal(rpt_("{name} has no UV map.").format(name=context.object.name), "Unwrap it first.")
    return None


@contextmanager
def prepared(context: bpy.types.Context, shows: Shows, size: tuple[int, int]) -> Iterator[Prepared]:
    """What is to be baked of the active object; it is there within the block. Raises `UserError`."""
    obj: Any = context.object
    try:
        scene, settings = _prepare(context, obj, shows)
        # over what the UV map leaves free, all of it: black would be seen as a hole
        settings |= {"margin": max(size), "margin_type": "EXTEND"}
        name = f"{obj.name} {rpt_(_TITLES[shows])}"
        yield Prepared(scene, settings, Picture(name, size, shows is Shows.HEIGHT, shows is not Shows.COLOR))
    finally:
        tidy()


def bake(scene: bpy.types.Scene, settings: dict[str, Any], image: bpy.types.Image) -> None:
    """Bake the scene's one object into an image; Blender is blocked meanwhile. Raises RuntimeError with its report."""
    obj = scene.objects[0]
    data: Any = obj.data
    for material in data.materials:
        _aim(material, image)
    looked_at: dict[str, Any] = {"scene": scene, "view_layer": scene.view_layers[0], "active_object": obj}
    looked_at |= {"object": obj, "selected_objects": [obj], "selected_editable_objects": [obj]}
    # not its job: in a scene that no window shows, that one's operator ends before it, and Blender crashes (5.2)
    with bpy.context.temp_override(**looked_at):
        bpy.ops.object.bake("EXEC_DEFAULT", use_clear=True, target="IMAGE_TEXTURES", save_mode="INTERNAL", **settings)


def tidy() -> None:
    """Remove all that was made for a bake."""
    for collection in (bpy.data.scenes, bpy.data.objects, bpy.data.meshes, bpy.data.materials):
        items: Any = collection
        for item in [item for item in items if item.get(_TAG)]:
            items.remove(item)


# --- what is baked


def _prepare(context: bpy.types.Context, obj: bpy.types.Object, shows: Shows) -> tuple[Any, dict[str, Any]]:
    """A scene with a copy of the object, whose materials show what is wanted; and what Blender is to bake of them."""
    mesh = _mesh(context, obj)
    frame = _frame(mesh)
    if frame is not None:
        mesh.transform(frame)
        if frame.determinant() < 0:
            mesh.flip_normals()
    scene: Any = bpy.data.scenes.new(_NAME)
    scene[_TAG] = True
    try:
        scene.render.engine = "CYCLES"
    except TypeError as error:
        raise targets.refusal("Baking needs Cycles.", "Turn on the add-on Cycles Render Engine.") from error
    scene.cycles.samples = _SAMPLES if shows is Shows.OCCLUSION else 1
    copy = bpy.data.objects.new(_NAME, mesh)
    copy[_TAG] = True
    scene.collection.objects.link(copy)
    scene.view_layers[0].update()
    sides = [sorted(corner[axis] for corner in copy.bound_box) for axis in range(3)]
    low, high = sides[2][0], sides[2][-1]
    rises = frame is not None and high - low > _FLAT * max(side[-1] - side[0] for side in sides[:2])
    materials = list(mesh.materials)
    socket_of = _color_socket if shows is Shows.COLOR else _height_socket
    sockets = [socket_of(material) for material in materials]
    if shows is Shows.HEIGHT and rises:
        for material in materials:
            _show_depth(material, low, high)
    elif shows is Shows.HEIGHT and not any(sockets):
        raise targets.refusal(rpt_(_NO_HEIGHT).format(name=obj.name), "Choose a picture, or another object.")
    elif shows is Shows.COLOR and not all(sockets):
        return scene, {"type": "DIFFUSE", "pass_filter": {"COLOR"}}
    elif shows in (Shows.HEIGHT, Shows.COLOR):
        for material, socket in zip(materials, sockets, strict=True):
            _show(material, socket)
    type_ = {Shows.NORMAL: "NORMAL", Shows.OCCLUSION: "AO"}.get(shows, "EMIT")
    return scene, {"type": type_, "normal_space": "TANGENT" if frame is None else "OBJECT"}


def _mesh(context: bpy.types.Context, obj: bpy.types.Object) -> bpy.types.Mesh:
    """The object's mesh as the viewport shows it, in the world's axes, with copies of its materials."""
    obj.update_from_editmode()
    depsgraph = context.evaluated_depsgraph_get()
    try:
        mesh = bpy.data.meshes.new_from_object(
            obj.evaluated_get(depsgraph), preserve_all_data_layers=True, depsgraph=depsgraph
        )
    except RuntimeError as error:
        raise targets.refusal(rpt_("{name} has no surface to bake.").format(name=obj.name)) from error
    mesh[_TAG] = True
    if not mesh.polygons:
        raise targets.refusal(rpt_("{name} has no surface to bake.").format(name=obj.name))
    if not mesh.uv_layers:
        raise targets.refusal(rpt_("{name} has no UV map.").format(name=obj.name), "Unwrap it first.")
    turned = obj.matrix_world.to_3x3().to_4x4()
    mesh.transform(turned)
    if turned.determinant() < 0:
        mesh.flip_normals()
    # in place: a list that is emptied forgets which polygon has which
    for place in range(max(len(obj.material_slots), 1)):
        slot = obj.material_slots[place] if place < len(obj.material_slots) else None
        material = slot.material.copy() if slot and slot.material else bpy.data.materials.new(_NAME)
        material[_TAG] = True
        if material.node_tree is None:
            material.use_nodes = True
        if place < len(mesh.materials):
            mesh.materials[place] = material
        else:
            mesh.materials.append(material)
    return mesh


def _frame(mesh: bpy.types.Mesh) -> Matrix | None:
    """For a sheet, such as a terrain or a sculpted tile: the turn that lays its UV map's axes along x and y.

    Then z is its relief, and its normals are a normal map. None for what faces all ways, as a cube does.
    """
    layer: Any = mesh.uv_layers.active
    uvs, vertices = layer.data, mesh.vertices
    sums = [Vector(), Vector(), Vector()]
    area = 0.0
    for index in range(0, len(mesh.polygons), max(len(mesh.polygons) // _SAMPLED, 1)):
        polygon = mesh.polygons[index]
        first = polygon.loop_start
        points = [vertices[mesh.loops[first + corner].vertex_index].co for corner in range(3)]
        places = [uvs[first + corner].uv for corner in range(3)]
        one, other = points[1] - points[0], points[2] - points[0]
        u1, v1 = places[1].x - places[0].x, places[1].y - places[0].y
        u2, v2 = places[2].x - places[0].x, places[2].y - places[0].y
        determinant = u1 * v2 - u2 * v1
        area += polygon.area
        sums[2] += polygon.area * polygon.normal
        if determinant:
            along_u, along_v = (one * v2 - other * v1) / determinant, (other * u1 - one * u2) / determinant
            sums[0] += polygon.area * along_u.normalized()
            sums[1] += polygon.area * along_v.normalized()
    if not area or any(total.length < _SHEET * area for total in sums):
        return None
    out = sums[2].normalized()
    right = (sums[0] - out * out.dot(sums[0])).normalized()
    up: Any = out.cross(right)
    if up.dot(sums[1]) < 0:  # the UV map is mirrored
        up = -up
    axes: Any = (right, up, out)
    return Matrix(axes).to_4x4()


def _height_socket(material: bpy.types.Material) -> Any:
    """What is linked to the material's height: of its displacement, or else of a bump; None where nothing is."""
    tree: Any = material.node_tree
    output = tree.get_output_node("CYCLES")
    link = feeds.live_link(output.inputs["Displacement"]) if output else None
    kinds = {"ShaderNodeDisplacement", "ShaderNodeBump"}
    nodes = [link.from_node] if link else [node for node in tree.nodes if node.bl_idname == "ShaderNodeBump"]
    for node in nodes:
        height = feeds.live_link(node.inputs["Height"]) if node.bl_idname in kinds else None
        if height is not None:
            return height.from_socket
    return None


def _color_socket(material: bpy.types.Material) -> Any:
    """The Base Color of what is shown, or what is linked to it; None where there is no Principled BSDF in the tree."""
    principled = shown.principled(material.node_tree)
    if principled is None or principled.id_data != material.node_tree:
        return None
    link = feeds.live_link(principled.inputs["Base Color"])
    return link.from_socket if link is not None else principled.inputs["Base Color"]


def _show(material: bpy.types.Material, socket: Any) -> None:
    """Have the material glow with an output's values, or an input's own one; in a middle grey where there is none."""
    tree: Any = material.node_tree
    color = _glow(tree).inputs["Color"]
    if socket is None:
        color.default_value = (0.5, 0.5, 0.5, 1.0)
    elif socket.is_output:
        tree.links.new(socket, color)
    else:
        color.default_value = socket.default_value


def _show_depth(material: bpy.types.Material, low: float, high: float) -> None:
    """Have it glow with how high each point lies: black at the lowest, white at the highest."""
    tree: Any = material.node_tree
    place, split = tree.nodes.new("ShaderNodeNewGeometry"), tree.nodes.new("ShaderNodeSeparateXYZ")
    spread = tree.nodes.new("ShaderNodeMapRange")
    spread.inputs["From Min"].default_value, spread.inputs["From Max"].default_value = low, high
    tree.links.new(place.outputs["Position"], split.inputs[0])
    tree.links.new(split.outputs["Z"], spread.inputs["Value"])
    tree.links.new(spread.outputs["Result"], _glow(tree).inputs["Color"])


def _glow(tree: Any) -> Any:
    glow = tree.nodes.new("ShaderNodeEmission")
    output = tree.get_output_node("CYCLES") or tree.nodes.new("ShaderNodeOutputMaterial")
    for link in output.inputs["Displacement"].links:
        tree.links.remove(link)
    tree.links.new(glow.outputs["Emission"], output.inputs["Surface"])
    return glow


def _aim(material: bpy.types.Material, image: bpy.types.Image) -> None:
    """Have Blender write into the image what it bakes of the material."""
    nodes: Any = material.node_tree.nodes
    node = nodes.new("ShaderNodeTexImage")
    node.image = image
    for other in nodes:
        other.select = other == node
    nodes.active = node
