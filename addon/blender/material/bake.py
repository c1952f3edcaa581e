# SPDX-License-Identifier: GPL-3.0-or-later
"""What a material shows on an object, laid, blended or plain, as one image for each map. Imports bpy and core.

A second Blender does it (see `elsewhere`), in a copy of the object: so nothing of the scene is touched, and nothing
waits. Colors and values are baked as light, with Cycles, on the UV map that renders use; normals as its normal pass.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import bmesh
import bpy

from ...core.requests.finish import MapKind
from ...core.results import BASE_COLOR
from ..common import state, targets
from ..common.languages import rpt_
from ..pictures import images
from ..settings import extras, properties
from . import blend, elsewhere, feeds, map_nodes, physical_size, shown, without_repeat
from .wiring import Socket

SIDES = (512, 1024, 2048, 4096, 8192)
_SCENE = "scene.blend"
_INPUTS = {BASE_COLOR: "Base Color", MapKind.ROUGHNESS: "Roughness", MapKind.METALLIC: "Metallic"}
_DEEP = {MapKind.NORMAL, MapKind.HEIGHT}  # with 16 bits
_SAMPLES = 8  # of a pixel; more show no difference
_MARGIN = 64  # an island's border is this part of the side


class Bake(elsewhere.Errand):
    """One bake, running from the moment that this is made. made, count: maps, of at most how many.

    title: of the material. files: by kind, where they are once it is over: in a folder that goes with `remove`.
    beyond: the UV map goes beyond the image, where it lies on itself.
    """

    def __init__(self, obj: bpy.types.Object, material: bpy.types.Material, side: int, scratch: Path) -> None:
        super().__init__("baker", scratch, len(_INPUTS) + len(_DEEP))
        self.title = material.name
        self.files: dict[str, Path] = {}
        self.beyond = False
        self._kept = scratch.with_name(f"{scratch.name}-baked")
        _write(obj, material, scratch / _SCENE)
        self.begin({"object": obj.name, "material": material.name, "side": side}, {})

    def failed(self, reason: str) -> str:
        return rpt_("Cannot bake: {reason}.").format(reason=reason)

    def ended(self, code: int) -> str:
        return rpt_("Cannot bake: the Blender that bakes ended with {code}.").format(code=code)

    def take(self, answer: Mapping[str, Any]) -> None:
        self.beyond = bool(answer.get("beyond"))
        self._kept.mkdir()
        for kind, name in answer["files"]:
            self.files[kind] = Path(shutil.move(self._scratch / name, self._kept / name))

    def remove(self) -> None:
        """Delete the files."""
        shutil.rmtree(self._kept, ignore_errors=True)


def problem(obj: bpy.types.Object | None, material: bpy.types.Material) -> str:
    """Why it cannot be baked, "" where it can; for greyed buttons."""
    if obj is None or obj.type != "MESH" or material not in [slot.material for slot in obj.material_slots]:
        return rpt_("No mesh with this material is active.")
    if targets.lacks_uv_map(obj):
        return rpt_("{name} has no UV map.").format(name=obj.name)
    return ""


def is_running() -> bool:
    return state.current.baked is not None and not state.current.baked.is_over


def _write(obj: bpy.types.Object, material: bpy.types.Material, path: Path) -> None:
    """The object, its material and what they need, as a .blend file. What was painted on is packed for it."""
    if obj.mode == "EDIT":
        obj.update_from_editmode()
    for image in _images_of(material.node_tree, set()):
        if image.is_dirty and image.library is None:
            images.pack(image)
    bpy.data.libraries.write(str(path), {obj, material}, path_remap="ABSOLUTE", fake_user=True)


def _images_of(tree: Any, seen: set[str]) -> Iterator[bpy.types.Image]:
    for node in tree.nodes if tree is not None else ():
        if node.bl_idname == feeds.IMAGE and node.image is not None:
            yield node.image
        elif node.bl_idname == "ShaderNodeGroup" and node.node_tree is not None and node.node_tree.name not in seen:
            seen.add(node.node_tree.name)
            yield from _images_of(node.node_tree, seen)


# --- in the other Blender ------------------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Do what `Bake` asks for. Does not return: bpy 4.5 as a module hangs at its exit once it has baked."""
    parts = (properties, physical_size)
    for cls in (*extras.CLASSES, *properties.CLASSES, *physical_size.CLASSES):
        bpy.utils.register_class(cls)
    for part in parts:
        part.register()
    os._exit(elsewhere.answer(arguments, _bake))


def _bake(scratch: Path, task: Mapping[str, Any], done: Callable[[], object]) -> Mapping[str, Any]:
    bpy.ops.wm.open_mainfile(filepath=str(scratch / _SCENE), load_ui=False)
    material: Any = bpy.data.materials[task["material"]]
    obj, beyond = _bare(bpy.data.objects[task["object"]], material)
    scene: Any = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = _SAMPLES, False
    scene.render.bake.margin = max(task["side"] // _MARGIN, 1)
    tree = material.node_tree
    target = tree.nodes.new(feeds.IMAGE)
    files = []
    for kind, socket in _sockets(material, obj).items():
        image = bpy.data.images.new(
            kind, task["side"], task["side"], float_buffer=kind in _DEEP, is_data=kind != BASE_COLOR
        )
        target.image, tree.nodes.active, target.select = image, target, True
        with bpy.context.temp_override(object=obj, active_object=obj, selected_objects=[obj]):
            if kind == MapKind.NORMAL:
                _leave_one_relief(material)
                bpy.ops.object.bake(type="NORMAL", normal_space="TANGENT")
            else:
                _bake_light(tree, socket)
        image.file_format = "PNG"
        image.save(filepath=str(scratch / f"{kind}.png"))
        bpy.data.images.remove(image)
        files.append((str(kind), f"{kind}.png"))
        done()
    return {"files": files, "beyond": beyond}


def _bare(obj: bpy.types.Object, material: bpy.types.Material) -> tuple[bpy.types.Object, bool]:
    """A new object of the faces with the material, with all modifiers, and whether its UV map goes beyond the image."""
    scene = bpy.context.scene
    if obj.name not in scene.collection.all_objects:
        scene.collection.objects.link(obj)
    obj.hide_viewport = obj.hide_render = False
    graph = bpy.context.evaluated_depsgraph_get()
    mesh = bpy.data.meshes.new_from_object(obj.evaluated_get(graph), preserve_all_data_layers=True, depsgraph=graph)
    own = {index for index, slot in enumerate(obj.material_slots) if slot.material == material}
    last = max(len(obj.material_slots) - 1, 0)
    work = bmesh.new()
    work.from_mesh(mesh)
    others = [face for face in work.faces if min(face.material_index, last) not in own]
    bmesh.ops.delete(work, geom=others, context="FACES")
    for face in work.faces:
        face.material_index = 0
    work.to_mesh(mesh)
    work.free()
    if not mesh.polygons:
        words = rpt_("No face of {name} has the material {material}.")
        raise targets.refusal(words.format(name=obj.name, material=material.name))
    mesh.materials.clear()
    mesh.materials.append(material)
    made = bpy.data.objects.new("Tilewright", mesh)
    scene.collection.objects.link(made)
    layers: Any = mesh.uv_layers
    layer = next(layer for layer in layers if layer.active_render)
    layers.active = layer  # that is the one that is baked on
    beyond = any(not -1e-3 <= value <= 1.001 for loop in layer.uv for value in loop.vector)
    obj.hide_render = True
    made.select_set(True)
    bpy.context.view_layer.objects.active = made
    return made, beyond


def _sockets(material: bpy.types.Material, obj: bpy.types.Object) -> dict[str, Socket]:
    """What is baked, by kind: where it comes from; None for normals. What is one value everywhere is left out."""
    principled = shown.principled(material.node_tree)
    if principled is None or principled.id_data != material.node_tree:
        words = rpt_("The Principled BSDF of {name} is not in the material itself.")
        raise targets.refusal(words.format(name=material.name), "Ungroup it first.")
    found: dict[str, Socket] = {}
    for kind, name in _INPUTS.items():
        if (link := feeds.live_link(principled.inputs[name])) is not None:
            found[kind] = link.from_socket
    output = shown.output(material.node_tree)
    if principled.inputs["Normal"].is_linked or output.inputs["Displacement"].is_linked:
        found[MapKind.NORMAL] = None
    blends = blend.blends(material)
    nodes = map_nodes.nodes_by_kind(material, obj)
    if blends:
        found[MapKind.HEIGHT] = blends[0].outputs["Height"]
    else:
        for kind in (MapKind.HEIGHT, MapKind.OCCLUSION):
            if kind in nodes and nodes[kind].image is not None:
                found[kind] = _laid(material, nodes[kind])
    if not found:
        raise targets.refusal(rpt_("{name} has no texture at its Base Color.").format(name=material.name))
    return found


def _laid(material: Any, node: Any) -> Socket:
    """A map that nothing shows, laid as what is shown is."""
    if without_repeat.is_laid(material.node_tree.nodes) and without_repeat.group_of(node) is None:
        keeper = material.node_tree.nodes.new("ShaderNodeEmission")
        material.node_tree.links.new(node.outputs["Color"], keeper.inputs["Color"])
        without_repeat.lay([node], material)
    return (without_repeat.group_of(node) or node).outputs["Color"]


def _bake_light(tree: Any, socket: Socket) -> None:
    end = shown.output(tree).inputs["Surface"]
    before = end.links[0].from_socket
    light = tree.nodes.new("ShaderNodeEmission")
    tree.links.new(socket, light.inputs["Color"])
    tree.links.new(light.outputs[0], end)
    bpy.ops.object.bake(type="EMIT")
    tree.links.new(before, end)
    tree.nodes.remove(light)


def _leave_one_relief(material: Any) -> None:
    """A displaced surface has no shading of its relief left to bake: its height is shaded, unless a normal map does."""
    principled = shown.principled(material.node_tree)
    displacement = shown.output(material.node_tree).inputs["Displacement"]
    if displacement.is_linked and principled.inputs["Normal"].is_linked:
        material.node_tree.links.remove(displacement.links[0])
    material.displacement_method = "BUMP"
