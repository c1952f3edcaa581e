# SPDX-License-Identifier: GPL-3.0-or-later
"""How an image node is laid on a surface, and whether a tangent-space normal map can follow that. Imports bpy."""

import math
from dataclasses import dataclass
from typing import Any

import bpy
from mathutils import Matrix

from ..common import targets

# Blender's types know the attributes of each kind of node by its own class, and here every kind comes along.
Node = Any
Socket = Any
_ALMOST = 1e-4  # radians


@dataclass(frozen=True)
class Layout:
    """Where an image node's coordinates come from.

    by_uv: they are UV coordinates in the end; without a UV map the image shows one pixel's color, with Box projection
    too (seen in 4.5 and 5.2). uv_map: the name, "" for the map that renders use.
    upright: the image lies flat on the UV map, neither turned nor mirrored. Only then are the tangents of that map the
    directions that the image's red and green count from: else a normal map shows its relief turned or inside out.
    """

    by_uv: bool
    uv_map: str
    upright: bool


def layout(image: Node, obj: bpy.types.Object | None = None) -> Layout:
    """Follow the coordinates of an image node to where they begin.

    obj: the object that shows it, which tells a UV map from other attributes. What is not known counts as not upright.
    """
    upright = image.projection == "FLAT"
    socket = image.inputs["Vector"]
    seen = set()
    while True:
        link = next((link for link in socket.links if not link.is_muted), None)
        if link is None:  # an image takes the map that renders use; any other node, a constant
            return Layout(socket.node == image, "", upright and socket.node == image)
        node: Node = link.from_node
        if node.name in seen:
            return Layout(False, "", False)
        seen.add(node.name)
        inner = next((pair for pair in node.internal_links if node.mute and pair.to_socket == link.from_socket), None)
        if inner is not None:
            socket = inner.from_socket
        elif node.bl_idname == "NodeReroute":
            socket = node.inputs[0]
        elif node.bl_idname == "ShaderNodeMapping":
            upright = upright and not turns(node)
            socket = node.inputs["Vector"]
        else:
            return _origin(link, upright, obj)


def _origin(link: bpy.types.NodeLink, upright: bool, obj: bpy.types.Object | None) -> Layout:
    node: Node = link.from_node
    if node.bl_idname == "ShaderNodeUVMap":
        return Layout(True, str(node.uv_map), upright)
    if node.bl_idname == "ShaderNodeTexCoord" and link.from_socket.name == "UV":
        return Layout(True, "", upright)
    is_attribute = node.bl_idname == "ShaderNodeAttribute" and node.attribute_type == "GEOMETRY"
    layers = obj.data.uv_layers if is_attribute and obj is not None and obj.type == "MESH" else ()
    if is_attribute and node.attribute_name in layers:
        return Layout(True, str(node.attribute_name), upright)
    return Layout(False, "", False)


def turns(mapping: Node) -> bool:
    """Whether a Mapping turns or mirrors what it maps, or may do so."""
    rotation, scale = mapping.inputs["Rotation"], mapping.inputs["Scale"]
    if mapping.vector_type == "NORMAL" or rotation.is_linked or scale.is_linked:
        return True
    if any(abs(math.remainder(angle, math.tau)) > _ALMOST for angle in rotation.default_value):
        return True
    return min(scale.default_value[:2]) <= 0.0


def matrix(image: Node) -> Matrix:
    """From the coordinates that an image node begins with to the place in the image, 1 wide and high, by its Mappings.

    What is linked to a Mapping, and other nodes, are not followed: there it is as if they were not there.
    """
    whole = Matrix.Identity(4)
    socket = image.inputs["Vector"]
    seen = set()
    while (
        link := next((link for link in socket.links if not link.is_muted), None)
    ) and link.from_node.name not in seen:
        node: Node = link.from_node
        seen.add(node.name)
        if node.bl_idname == "NodeReroute":
            socket = node.inputs[0]
        elif node.bl_idname == "ShaderNodeMapping":
            whole @= _mapped(node)
            socket = node.inputs["Vector"]
        else:
            break
    return whole


def _mapped(mapping: Node) -> Matrix:
    """What a Mapping does, as Blender's manual has it: Texture is the reverse of Point, and Vector moves nothing."""
    if mapping.mute or mapping.vector_type == "NORMAL":
        return Matrix.Identity(4)
    inputs = mapping.inputs
    place = None if mapping.vector_type == "VECTOR" else inputs["Location"].default_value
    done = Matrix.LocRotScale(place, inputs["Rotation"].default_value, inputs["Scale"].default_value)
    return done.inverted_safe() if mapping.vector_type == "TEXTURE" else done


def lacks_uv_map(image: Node | None, obj: bpy.types.Object | None) -> bool:
    """Whether the image, or one with coordinates of ours where there is none, would show one pixel's color only."""
    return targets.lacks_uv_map(obj) and (image is None or layout(image, obj).by_uv)
