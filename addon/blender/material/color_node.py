# SPDX-License-Identifier: GPL-3.0-or-later
"""An image into a material's nodes, as a careful artist would do it: no link is ever removed. Imports bpy."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import bpy

from ...core.errors import UserError
from ...core.requests.texture import Axes
from ..common.languages import rpt_
from ..pictures import images
from ..settings import properties
from ..settings.properties import facts_of
from . import feeds, shown
from .feeds import IMAGE

PREFIX = "Tilewright "  # of the names of nodes that are ours, and may be taken out again
SPARE = PREFIX + "Base Color"  # what could be linked to nothing, and the next one takes its place
GAP = 60  # pixels between nodes
HEIGHT = 300  # of an image node; Blender tells no heights before it has drawn them


@dataclass(frozen=True)
class Placed:
    """node: what shows the image now. note: a sentence where something is left for the user to do.

    principled: the node whose Base Color it gives, None where it gives none. made: what is new, `node` first.
    """

    node: bpy.types.ShaderNodeTexImage
    note: str = ""
    principled: bpy.types.Node | None = None
    made: tuple[bpy.types.Node, ...] = ()


def new(name: str) -> bpy.types.Material:
    """A material with a Principled BSDF."""
    material = bpy.data.materials.new(name)
    ensure_nodes(material)
    return material


def ensure_nodes(material: bpy.types.Material) -> None:
    # from 5.0 on every material has nodes, and asking about it warns
    if bpy.app.version < (5, 0, 0) and not material.use_nodes:
        material.use_nodes = True


def assign(material: bpy.types.Material, image: bpy.types.Image, kind: str, node_name: str = "") -> Placed:
    """Show the image. kind: see `target.Target`; instead of a selected node that is gone, a new one."""
    ensure_nodes(material)
    tree: Any = material.node_tree
    surface = shown.surface(tree)
    principled = surface.principled
    if kind == "SELECTED_NODE":
        node: Any = tree.nodes.get(node_name)
        if node is not None and node.bl_idname == IMAGE:
            feeds_it = principled is not None and feeds.color(principled.inputs["Base Color"]).image == node
            return _replace(node, image, principled if feeds_it else None)
        note = rpt_("The node {name} is gone. The texture is in a new one.").format(name=node_name)
        return _add(tree, image, None, note=note)
    if kind == "NEW_NODE":
        return _add(tree, image, principled if principled in tree.nodes.values() else None)
    if principled is None:
        note = rpt_("{name} has no Principled BSDF at its output. The texture is in a new node, not linked.")
        return _set_aside(tree, image, None, f"{note.format(name=material.name)} {surface.why}".rstrip())
    tree = principled.id_data  # that of a group, where it is in one
    socket = feeds.entry(principled.inputs["Base Color"])
    if not socket.is_linked:
        placed = _add(tree, image, principled, linked=True)
        tree.links.new(placed.node.outputs["Color"], socket)
        return placed
    feed = feeds.color(socket)
    if feed.image is not None:
        return _replace(feed.image, image, principled)
    note = rpt_("Base Color of {name} is not fed by one image alone. The texture is in a new node beside it.")
    if feed.turned:
        note = rpt_(
            "A node before Base Color of {name} hides the image or inverts its colors. The texture is in a new node "
            "beside it."
        )
    elif feeds.live_link(socket) is None:
        note = rpt_(
            "The link to Base Color of {name} is muted. Unmute it and press Apply; the texture is in a node beside it."
        )
    return _set_aside(tree, image, principled, note.format(name=material.name))


def _set_aside(tree: bpy.types.NodeTree, image: bpy.types.Image, beside: bpy.types.Node | None, note: str) -> Placed:
    """In a node that is linked to nothing: the one of the last time, or a new one."""
    nodes: Any = tree.nodes
    for node in nodes:
        if node.bl_idname == IMAGE and node.name.startswith(SPARE) and not node.outputs["Color"].is_linked:
            show(node, image)
            return Placed(node, note)
    placed = _add(tree, image, beside, note=note)
    placed.node.name = SPARE
    return placed


def remove_set_aside(tree: bpy.types.NodeTree) -> None:
    """Remove the nodes of ours that were set aside, linked to nothing but each other. Their images stay."""
    nodes: Any = tree.nodes
    ours = [node for node in nodes if node.name.startswith(PREFIX) or _is_coordinates_of_ours(node)]
    names = {node.name for node in ours}
    links = [(link.from_node.name, link.to_node.name) for link in tree.links]
    used = {start for start, end in links if start in names and end not in names}
    while more := {start for start, end in links if end in used and start in names} - used:
        used |= more
    framed = {node.parent.name for node in nodes if node.parent is not None and node.name not in names - used}
    for node in ours:
        if node.name not in used | framed:
            if node.bl_idname == IMAGE:
                images.keep(node.image)
            nodes.remove(node)


def _is_coordinates_of_ours(node: Any) -> bool:
    """Whether it is a Mapping or a Texture Coordinate in our frame, where they have Blender's own names."""
    coordinates = node.bl_idname in ("ShaderNodeMapping", "ShaderNodeTexCoord")
    return coordinates and node.parent is not None and node.parent.name.startswith(PREFIX)


def image_node(
    material: bpy.types.Material, kind: str = "BASE_COLOR", node_name: str = ""
) -> bpy.types.ShaderNodeTexImage | None:
    """The image node that `assign` would reuse, None if it would make one. kind: as for `assign`."""
    tree = material.node_tree
    if tree is None or kind == "NEW_NODE":
        return None
    if kind == "SELECTED_NODE":
        node: Any = tree.nodes.get(node_name)
        return node if node is not None and node.bl_idname == IMAGE else None
    principled = shown.principled(tree)
    return feeds.color(principled.inputs["Base Color"]).image if principled else None


def show(node: bpy.types.ShaderNodeTexImage, image: bpy.types.Image) -> None:
    """Give an image node another image; the one that it had is kept, unless it is in the history.

    What the new one remembers it by counts as a user: of ours there is one, and not a chain of all that ever were.
    """
    old = node.image
    if old is not image:
        if old is not None and images.is_in_history(old):
            facts_of(old).before = None
        else:
            images.keep(old)
        if image.library is None:
            facts_of(image).before = old
    node.image = image
    if _repeats(image):  # what does not may be a decal, whose node's setting is the user's
        node.extension = "REPEAT"


def _repeats(image: bpy.types.Image) -> bool:
    try:
        recipe = properties.recipe_of(image)
    except UserError:
        recipe = None
    return recipe is not None and recipe.request.axes is not Axes.NONE


def _replace(node: bpy.types.ShaderNodeTexImage, image: bpy.types.Image, principled: bpy.types.Node | None) -> Placed:
    show(node, image)
    return Placed(node, principled=principled)


def _add(
    tree: bpy.types.NodeTree,
    image: bpy.types.Image,
    beside: bpy.types.Node | None,
    *,
    linked: bool = False,
    note: str = "",
) -> Placed:
    """An Image Texture node with the image, left of `beside` and over nothing; `linked`: with coordinates, for it."""
    width = 240.0
    mapping_width, coordinates_width = 140.0, 140.0
    whole = width + (2 * GAP + mapping_width + coordinates_width if linked else 0.0)
    right, top = corner(tree, beside)
    top = free_top(tree, right - whole, right, top)
    node: Any = tree.nodes.new(IMAGE)
    node.image = image
    node.extension = "REPEAT"
    node.location = (right - width, top)
    made = [node]
    if linked:
        mapping, coordinates = add_coordinates(tree)
        mapping.location = (right - width - GAP - mapping_width, top)
        coordinates.location = (right - whole, top)
        tree.links.new(mapping.outputs["Vector"], node.inputs["Vector"])
        made += [mapping, coordinates]
    for item in made:
        item.select = False  # what the user has selected stays as it is
    return Placed(node, note, beside if linked else None, tuple(made))


def add_coordinates(tree: bpy.types.NodeTree) -> tuple[bpy.types.Node, bpy.types.Node]:
    """A Mapping and the Texture Coordinate that it takes UV from."""
    mapping, coordinates = tree.nodes.new("ShaderNodeMapping"), tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(coordinates.outputs["UV"], mapping.inputs["Vector"])
    return mapping, coordinates


def corner(tree: bpy.types.NodeTree, beside: bpy.types.Node | None) -> tuple[float, float]:
    """Where the right upper corner of new nodes may be: left of `beside`, or else of all nodes."""
    if beside is not None:
        right, top = place_of(beside)
        return right - GAP, top
    places = [place_of(node) for node in tree.nodes if node.bl_idname != "NodeFrame"]
    return min((x for x, _y in places), default=0.0) - GAP, max((y for _x, y in places), default=300.0)


def free_top(
    tree: bpy.types.NodeTree,
    left: float,
    right: float,
    top: float,
    height: float = HEIGHT,
    besides: Collection[str] = (),
) -> float:
    """The greatest y, at most `top`, from which a block of new nodes covers no other node but those named `besides`."""
    others = sorted(
        (
            (*place_of(node), node.width)
            for node in tree.nodes
            if node.bl_idname != "NodeFrame" and node.name not in besides
        ),
        key=lambda box: -box[1],
    )
    for x, y, width in others:  # from the highest down
        beside = x >= right or x + width <= left
        if not beside and y - HEIGHT - GAP / 2 < top and top - height - GAP / 2 < y:
            top = y - HEIGHT - GAP / 2
    return top


def place_of(node: bpy.types.Node) -> tuple[float, float]:
    """Where a node's left upper corner is; its location counts from the frame that it is in."""
    x, y = node.location[0], node.location[1]
    parent: Any = node.parent
    while parent is not None:
        x, y = x + parent.location[0], y + parent.location[1]
        parent = parent.parent
    return x, y
