# SPDX-License-Identifier: GPL-3.0-or-later
"""Control pictures baked from an object: its relief as height or normals, its occlusion, its colors. Imports bpy, core.

Blender's own bake (Cycles) works on a copy of the object with copies of its materials, in a scene of its own: so
nothing of the user's is changed at any moment, and tidying up is to remove what was made. In a window it is Blender's
job, with its progress and Escape; the user goes on working.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import bpy
from bpy.app.handlers import persistent
from mathutils import Matrix, Vector

from ...core.errors import ErrorKind, UserError
from ...core.requests.guides import ControlKind
from ..common import state, targets
from ..common.drawing import redraw_sidebars
from ..common.languages import rpt_
from ..material import feeds, shown
from ..settings.properties import TILEWRIGHT_PG_control, settings_of
from . import delivery

_logger = logging.getLogger(__name__)
_TAG = "tilewright_bake"  # on all that is made for a bake
_NAME = ".Tilewright Bake"
_TICK = 0.2  # seconds
_SAMPLED = 20_000  # polygons that are looked at to find out how an object lies
_SHEET = 0.5  # of a sheet, polygons face one way on the whole: the length of their mean normal
_FLAT = 1e-4  # relief by width of a sheet that counts as none
_SAMPLES = 48  # of ambient occlusion; what else is baked has no noise
_NO_HEIGHT = "{name} has no height: it is no sheet with a relief, and its material has no displacement or bump."
_BAKING = UserError(ErrorKind.TARGET, "Blender is baking or rendering.", "Wait until it is done.")


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


@dataclass
class Bake:
    """One that goes on. document, scene: where its control is: the open file, the scene's session uid.

    index: the control's place. image: the session uid of the picture. title: the object's name. done: Blender says so.
    handler: what it calls then.
    """

    document: str
    scene: int
    index: int
    image: int
    title: str
    done: bool = False
    handler: Any = None


def problem(context: bpy.types.Context) -> UserError | None:
    """Why nothing can be baked, for greyed buttons. Looks at no mesh."""
    if context.object is None:
        return targets.refusal("No object is active.", "Select the object to bake.")
    if targets.lacks_uv_map(context.object):
        return targets.refusal(rpt_("{name} has no UV map.").format(name=context.object.name), "Unwrap it first.")
    if state.current.bake is not None or _is_busy():
        return _BAKING
    return None


def start(context: bpy.types.Context, index: int, shows: Shows) -> bpy.types.Image | None:
    """Bake what a control is to see. index: its place. The picture, but in a window None: there it comes later.

    Raises `UserError` where there is nothing of the kind to bake, or Blender cannot bake it.
    """
    if error := problem(context):
        raise error
    scene, obj = context.scene, context.object
    settings = settings_of(scene)
    try:
        made, copy, what = _prepare(context, obj, shows)
        image = _picture(obj, shows, settings.width, settings.height)
        for material in copy.data.materials:
            _aim(material, image)
        bake = Bake(state.current.document, scene.session_uid, index, image.session_uid, obj.name)
        _run(context, made, copy, what, bake)
    except BaseException:
        state.current.bake = None
        tidy()
        raise
    if bpy.app.background:
        return _finish(bake)
    state.current.bake = bake
    bpy.app.timers.register(_watch, first_interval=_TICK, persistent=True)
    redraw_sidebars()
    return None


def tidy() -> None:
    """Remove all that was made for a bake, also what undo or a file has brought back."""
    for collection in (bpy.data.scenes, bpy.data.objects, bpy.data.meshes, bpy.data.materials):
        items: Any = collection
        for item in [item for item in items if item.get(_TAG)]:
            items.remove(item)


# --- what is baked


def _prepare(context: bpy.types.Context, obj: bpy.types.Object, shows: Shows) -> tuple[Any, Any, dict[str, Any]]:
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
        return scene, copy, {"type": "DIFFUSE", "pass_filter": {"COLOR"}}
    elif shows in (Shows.HEIGHT, Shows.COLOR):
        for material, socket in zip(materials, sockets, strict=True):
            _show(material, socket)
    type_ = {Shows.NORMAL: "NORMAL", Shows.OCCLUSION: "AO"}.get(shows, "EMIT")
    return scene, copy, {"type": type_, "normal_space": "TANGENT" if frame is None else "OBJECT"}


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


def _picture(obj: bpy.types.Object, shows: Shows, width: int, height: int) -> bpy.types.Image:
    name = f"{obj.name} {rpt_(_TITLES[shows])}"
    return bpy.data.images.new(
        name, width, height, alpha=False, float_buffer=shows is Shows.HEIGHT, is_data=shows is not Shows.COLOR
    )


def _aim(material: bpy.types.Material, image: bpy.types.Image) -> None:
    """Have Blender write into the image what it bakes of the material."""
    nodes: Any = material.node_tree.nodes
    node = nodes.new("ShaderNodeTexImage")
    node.image = image
    for other in nodes:
        other.select = other == node
    nodes.active = node


# --- going on


def _run(context: bpy.types.Context, scene: bpy.types.Scene, copy: Any, what: dict[str, Any], bake: Bake) -> None:
    settings = what | {
        "margin": max(settings_of(context.scene).width, settings_of(context.scene).height),
        "margin_type": "EXTEND",  # over what the UV map leaves free, all of it: black would be seen as a hole
        "use_clear": True,
        "target": "IMAGE_TEXTURES",
        "save_mode": "INTERNAL",
        "use_selected_to_active": False,
    }

    def done(*_: object) -> None:
        bake.done = True

    bake.handler = done
    bpy.app.handlers.object_bake_complete.append(done)
    looked_at: dict[str, Any] = {"scene": scene, "view_layer": scene.view_layers[0], "active_object": copy}
    looked_at |= {"object": copy, "selected_objects": [copy], "selected_editable_objects": [copy]}
    try:
        with context.temp_override(**looked_at):
            ended = bpy.ops.object.bake("EXEC_DEFAULT" if bpy.app.background else "INVOKE_DEFAULT", **settings)
            bake.done = ended == {"FINISHED"}  # only jobs call the handler (4.5, 5.2)
    except RuntimeError as error:  # what Blender reports
        _forget(bake)
        reason = str(error).strip().removeprefix("Error: ").splitlines()[0].rstrip(".")
        words = rpt_("Blender can't bake {name}: {reason}.")
        raise targets.refusal(words.format(name=bake.title, reason=reason)) from error


def _watch() -> float | None:
    """The timer: wait for Blender's job, then give the control its picture."""
    bake = state.current.bake
    if _is_busy():
        return _TICK
    state.current.bake = None
    try:
        if bake is not None and _finish(bake) is not None:
            delivery.push_undo(rpt_("From Bake"))
    except Exception as error:  # a timer that raises is dropped by Blender
        _logger.exception("A bake could not be finished.")
        state.current.error = UserError(ErrorKind.TARGET, str(error))
    redraw_sidebars()
    return None


def _finish(bake: Bake) -> bpy.types.Image | None:
    """Remove what was made, and give the control its picture; None where it was stopped, or the control is gone."""
    _forget(bake)
    if bake.document != state.current.document:
        return None  # another file was opened
    tidy()
    image = targets.by_uid(bpy.data.images, bake.image)
    scene = targets.by_uid(bpy.data.scenes, bake.scene)
    if image is None:
        return None
    controls = settings_of(scene).controls if scene is not None else ()
    if not bake.done or bake.index >= len(controls):
        bpy.data.images.remove(image)
        return None
    image.pack()  # else it is lost with the file
    control: TILEWRIGHT_PG_control = controls[bake.index]
    control.picture = image
    made: bpy.types.Image = image
    return made


def _forget(bake: Bake) -> None:
    if bake.handler in bpy.app.handlers.object_bake_complete:  # opening a file removes it
        bpy.app.handlers.object_bake_complete.remove(bake.handler)


def _is_busy() -> bool:
    return not bpy.app.background and (bpy.app.is_job_running("OBJECT_BAKE") or bpy.app.is_job_running("RENDER"))


@persistent
def _on_change(*_: object) -> None:
    """What undo or a file that was saved meanwhile has brought back goes again."""
    if not _is_busy() and state.current.bake is None:
        tidy()


def _lists() -> Iterator[Any]:
    handlers = bpy.app.handlers
    yield from (handlers.load_post, handlers.undo_post, handlers.redo_post)


def register() -> None:
    for handlers in _lists():
        handlers.append(_on_change)


def unregister() -> None:
    """Stop waiting. A bake that goes on ends in nothing; what was made for it goes when it can."""
    if bpy.app.timers.is_registered(_watch):
        bpy.app.timers.unregister(_watch)
    for handlers in _lists():
        if _on_change in handlers:
            handlers.remove(_on_change)
    if (bake := state.current.bake) is not None:
        state.current.bake = None
        _forget(bake)
        if not _is_busy():
            tidy()
