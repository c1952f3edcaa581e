# SPDX-License-Identifier: GPL-3.0-or-later
"""An image into a material's nodes, as a careful artist would do it: no link is ever removed. Imports bpy."""

from dataclasses import dataclass
from typing import Any

import bpy

from . import images

# What a colour passes through on its way from an image to Base Color. A colour ramp is not among them: there an image
# is a mask, and so is one inside a group, for all we know.
_PASS_COLOR = {
    "NodeReroute",
    "ShaderNodeBrightContrast",
    "ShaderNodeGamma",
    "ShaderNodeHueSaturation",
    "ShaderNodeInvert",
    "ShaderNodeMix",
    "ShaderNodeMixRGB",
    "ShaderNodeRGBCurve",
}
_IMAGE = "ShaderNodeTexImage"
_GAP = 60  # pixels between nodes
_HEIGHT = 300  # of an image node; Blender tells no heights before it has drawn them


@dataclass(frozen=True)
class Placed:
    """node: what shows the image now. note: a sentence where something is left for the user to do."""

    node: bpy.types.Node
    note: str = ""


def new(name: str) -> bpy.types.Material:
    """A material with a Principled BSDF."""
    material = bpy.data.materials.new(name)
    ensure_nodes(material)
    return material


def ensure_nodes(material: bpy.types.Material) -> None:
    # from 5.0 on every material has nodes, and asking about it warns
    if bpy.app.version < (5, 0, 0) and not material.use_nodes:
        material.use_nodes = True


def put(material: bpy.types.Material, image: bpy.types.Image, kind: str, node_name: str = "") -> Placed:
    """Show the image. kind: see `target.Target`; instead of a selected node that is gone, a new one."""
    ensure_nodes(material)
    tree = material.node_tree
    if kind == "SELECTED_NODE":
        node = tree.nodes.get(node_name)
        if node is not None and node.bl_idname == _IMAGE:
            return _replace(node, image)
        return Placed(_add_image_node(tree, image, None), f"The node {node_name} is gone; the texture is in a new one.")
    if kind == "NEW_NODE":
        return Placed(_add_image_node(tree, image, _principled(tree)))
    principled = _principled(tree)
    if principled is None:
        note = f"{material.name} has no Principled BSDF at its output; the texture is in a new node, linked to nothing."
        return Placed(_add_image_node(tree, image, None), note)
    socket = principled.inputs["Base Color"]
    if not socket.is_linked:
        node = _add_image_node(tree, image, principled, mapped=True)
        tree.links.new(node.outputs["Color"], socket)
        return Placed(node)
    node = _single_image_node(socket)
    if node is not None:
        return _replace(node, image)
    note = f"Base Color of {material.name} is not made from one image alone; the texture is in a new node beside it."
    return Placed(_add_image_node(tree, image, principled), note)


def image_node(material: bpy.types.Material, kind: str, node_name: str = "") -> bpy.types.Node | None:
    """The image node that `put` would give another image, None where it would make a node. kind: as for `put`."""
    tree = material.node_tree
    if tree is None or kind == "NEW_NODE":
        return None
    if kind == "SELECTED_NODE":
        node = tree.nodes.get(node_name)
        return node if node is not None and node.bl_idname == _IMAGE else None
    principled = _principled(tree)
    socket = principled.inputs["Base Color"] if principled else None
    return _single_image_node(socket) if socket and socket.is_linked else None


def _replace(node: bpy.types.Node, image: bpy.types.Image) -> Placed:
    if node.image is not image:
        images.keep(node.image)
        if image.library is None:
            image.tilewright.before = node.image
    node.image = image
    node.extension = "REPEAT"
    return Placed(node)


def _principled(tree: bpy.types.NodeTree) -> bpy.types.Node | None:
    """The Principled BSDF that the output shows; of several the selected one, or else the nearest to the output."""
    output = tree.get_output_node("ALL") or tree.get_output_node("EEVEE") or tree.get_output_node("CYCLES")
    found: list[bpy.types.Node] = []
    seen = set()
    waiting = [output] if output else []
    while waiting:
        node = waiting.pop(0)
        if node.name in seen:
            continue
        seen.add(node.name)
        if node.bl_idname == "ShaderNodeBsdfPrincipled":
            found.append(node)
            continue
        for socket in node.inputs:
            if socket.type == "SHADER" and (node is not output or socket.name == "Surface"):
                waiting += [link.from_node for link in socket.links]
    return next((node for node in found if node.select and len(found) > 1), found[0] if found else None)


def _single_image_node(socket: bpy.types.NodeSocket) -> bpy.types.Node | None:
    """The one image node that gives an input its colour; None where there are several, or anything else has a part."""
    found: dict[str, bpy.types.Node] = {}
    seen = set()
    waiting = list(socket.links)
    while waiting:
        link = waiting.pop()
        node = link.from_node
        if node.bl_idname == _IMAGE and link.from_socket.name == "Color":
            found[node.name] = node
            continue
        inputs = _color_inputs(node)
        if not inputs:
            return None
        if node.name not in seen:
            seen.add(node.name)
            waiting += [link for input_ in inputs for link in input_.links]
    return next(iter(found.values())) if len(found) == 1 else None


def _color_inputs(node: bpy.types.Node) -> list[bpy.types.NodeSocket]:
    """The linked inputs whose colour a node passes on."""
    if node.bl_idname not in _PASS_COLOR:
        return []
    return [
        socket
        for socket in node.inputs
        if socket.enabled and socket.is_linked and (socket.type == "RGBA" or node.bl_idname == "NodeReroute")
    ]


def _add_image_node(
    tree: bpy.types.NodeTree, image: bpy.types.Image, beside: bpy.types.Node | None, mapped: bool = False
) -> bpy.types.Node:
    """An Image Texture node with the image, left of `beside` and over nothing; `mapped`: with coordinates."""
    width = 240.0
    mapping_width, coordinates_width = 140.0, 140.0
    whole = width + (2 * _GAP + mapping_width + coordinates_width if mapped else 0.0)
    if beside is not None:
        right, top = _place(beside)
        right -= _GAP
    else:
        places = [(_place(node), node) for node in tree.nodes if node.bl_idname != "NodeFrame"]
        right = min((x for (x, _y), _node in places), default=0.0) - _GAP
        top = max((y for (_x, y), _node in places), default=300.0)
    top = _free_top(tree, right - whole, right, top)
    node = tree.nodes.new(_IMAGE)
    node.image = image
    node.extension = "REPEAT"
    node.location = (right - width, top)
    made = [node]
    if mapped:
        mapping = tree.nodes.new("ShaderNodeMapping")
        mapping.location = (right - width - _GAP - mapping_width, top)
        coordinates = tree.nodes.new("ShaderNodeTexCoord")
        coordinates.location = (right - whole, top)
        tree.links.new(coordinates.outputs["UV"], mapping.inputs["Vector"])
        tree.links.new(mapping.outputs["Vector"], node.inputs["Vector"])
        made += [mapping, coordinates]
    for item in made:
        item.select = False  # what the user has selected stays as it is
    return node


def _free_top(tree: bpy.types.NodeTree, left: float, right: float, top: float) -> float:
    """The greatest y, at most `top`, from which a row of nodes covers no other."""
    others = sorted(
        ((*_place(node), node.width) for node in tree.nodes if node.bl_idname != "NodeFrame"), key=lambda box: -box[1]
    )
    for x, y, width in others:  # from the highest down
        beside = x >= right or x + width <= left
        if not beside and y - _HEIGHT - _GAP / 2 < top and top - _HEIGHT - _GAP / 2 < y:
            top = y - _HEIGHT - _GAP / 2
    return top


def _place(node: bpy.types.Node) -> tuple[float, float]:
    """Where a node's left upper corner is; its location counts from the frame that it is in."""
    x, y = node.location
    parent: Any = node.parent
    while parent is not None:
        x, y = x + parent.location[0], y + parent.location[1]
        parent = parent.parent
    return x, y
