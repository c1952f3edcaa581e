# SPDX-License-Identifier: GPL-3.0-or-later
"""Blends a second material into one by a mask, with a border that follows the heights of both. Imports bpy.

Three nodes stand before the Principled BSDF: the mask, a group that shows the second material, and a group that blends.
What fed the BSDF feeds the blend, so everything else finds it there (`feeds.entry`), and `take_out` puts it back. It is
shader nodes only: the file needs no add-on.

With m the mask, x by how much the second one is higher, from -1 to 1, and c the contrast, the second one's part is
1/2 + (2m - 1 + cx) / 2(1 - c), between 0 and 1. So where the mask is black there is only the first one and where it is
white only the second, whatever their heights; a contrast of 0 is a plain fade, and 1 a hard edge along the heights.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import bpy

from ...core.requests.finish import MapKind
from ...core.results import BASE_COLOR
from ..common import targets
from ..common.languages import rpt_
from ..pictures import images
from . import color_node, coordinates, feeds, map_nodes, physical_size, shown, without_repeat
from .wiring import Socket, Wiring

GROUP, SECOND = color_node.PREFIX + "Blend", color_node.PREFIX + "Second"
ATTRIBUTE = "Blend Mask"
FEWEST = 64  # vertices of a mesh that is worth painting on them
_CONTRAST = 0.8
_SHARPEST = 0.999  # contrast; at 1 the border would have no width to divide by
_MIXED = {"Color": "Base Color", "Roughness": "Roughness", "Metallic": "Metallic", "Normal": "Normal"}  # of Principled
_LOWEST = 1e-6  # metres of relief; less is none

# Blender's types know the attributes of each kind of node by its own class, and here every kind comes along.
Node = Any


@dataclass(frozen=True)
class Second:
    """What is blended in.

    pictures: by kind. values: roughness and metallic where no map holds them. place: an image node that lies as these
    do, or None; times: how much closer together they lie than it, along U and V. settings: the material whose sliders
    lay them, where they are laid. relief: from the lowest to the highest point, in the scene's unit of length.
    """

    name: str
    pictures: Mapping[str, bpy.types.Image]
    place: Node | None
    settings: bpy.types.Material
    relief: float
    times: tuple[float, float] = (1.0, 1.0)
    is_laid: bool = False
    values: Mapping[str, float] = field(default_factory=dict)


def second_of(material: bpy.types.Material) -> Second:
    """What a material shows, to be blended into another one. Raises `UserError` where that has no texture."""
    pictures = map_nodes.pictures(material)
    if BASE_COLOR not in pictures:
        raise targets.refusal(rpt_("{name} has no texture at its Base Color.").format(name=material.name))
    return Second(
        material.name,
        pictures,
        color_node.image_node(material),
        material,
        physical_size.scale_of(material).height(),
        is_laid=without_repeat.is_laid(shown.nodes(material)),
        values=map_nodes.plain_values(material),
    )


def second_of_pictures(
    name: str, pictures: Mapping[str, bpy.types.Image], relief: float | None, beside: bpy.types.Material
) -> Second:
    """A result's images, to be blended into a material: a tile is as wide as one of the material's.

    relief: as a fraction of the tile's width, None where it is not known.
    """
    place = color_node.image_node(beside)
    sheet = without_repeat.sheet_of(pictures[BASE_COLOR])
    there = without_repeat.sheet_of(place.image if place is not None else None)
    facts = physical_size.scale_of(beside)
    return Second(
        name,
        pictures,
        place,
        beside,
        facts.tile_size * (facts.relief if relief is None else relief),
        times=(there.columns / sheet.columns, there.rows / sheet.rows),
        is_laid=sheet.count > 1,
    )


def blends(material: bpy.types.Material) -> list[Node]:
    """The nodes that blend something into a material, the last one that was added first."""
    principled = shown.principled(material.node_tree) if material.node_tree else None
    return feeds.blends(principled.inputs["Base Color"]) if principled is not None else []


def second_node(blend: Node) -> Node | None:
    """The group node with the second material."""
    link = feeds.live_link(blend.inputs["Color B"])
    return link.from_node if link is not None and link.from_node.bl_idname == "ShaderNodeGroup" else None


def mask_node(blend: Node) -> Node | None:
    """The node with the mask: a Color Attribute, an Image Texture, or what the user has put in its place."""
    link = feeds.live_link(blend.inputs["Mask"])
    return link.from_node if link is not None else None


def mix(material: bpy.types.Material, second: Second, mask: bpy.types.Image | str) -> Node:
    """Blend it into what the material shows. mask: an image, or the name of a color attribute. The new blend.

    Raises `UserError` where the material shows no Principled BSDF.
    """
    surface = shown.surface(material.node_tree) if material.node_tree else shown.Surface()
    principled = surface.principled
    if principled is None:
        words = rpt_("{name} has no Principled BSDF at its output.").format(name=material.name)
        raise targets.refusal(f"{words} {surface.why}".rstrip())
    tree = principled.id_data
    before = blends(material)
    blend = tree.nodes.new("ShaderNodeGroup")
    blend.node_tree = without_repeat.shared(GROUP, _fill_blend)
    blend.name = blend.label = GROUP
    other = tree.nodes.new("ShaderNodeGroup")
    other.node_tree = _second_tree(second, displaced=_displacement(tree) is not None)
    other.name, other.label = SECOND, second.name
    for socket in other.outputs:
        tree.links.new(socket, blend.inputs[f"{socket.name} B"])
    tree.links.new(_mask(tree, mask), blend.inputs["Mask"])
    height = before[0].outputs["Height"] if before else _height(material)
    if height is not None:
        tree.links.new(height, blend.inputs["Height A"])
    for name, input_ in _MIXED.items():
        _put_before(blend, name, principled.inputs[input_])
    if (displacement := _displacement(tree)) is not None:
        _put_before(blend, "Height", displacement.inputs["Height"])
    relief = physical_size.scale_of(material).height()
    blend.inputs["Relief B"].default_value = second.relief / relief if relief > _LOWEST else 1.0
    _arrange(blend, principled)
    nodes = shown.nodes(material)
    without_repeat.follow(nodes, map_nodes.image_nodes(material), material)  # the height counts now, and is laid too
    return blend


def take_out(material: bpy.types.Material, blend: Node) -> None:
    """Remove a blend: what it stood before is fed as it was. A mask stays in the file."""
    tree = blend.id_data
    for output in blend.outputs:
        source = blend.inputs[f"{output.name} A"]
        link = feeds.live_link(source)
        for target in [entry.to_socket for entry in output.links]:
            if link is not None:
                tree.links.new(link.from_socket, target)
                continue
            tree.links.remove(target.links[0])
            if output.name in ("Roughness", "Metallic"):  # the user may have changed it there
                target.default_value = source.default_value
    mask, other = mask_node(blend), second_node(blend)
    tree.nodes.remove(blend)
    for node in (mask, other):
        if node is None or any(output.is_linked for output in node.outputs):
            continue
        if node == mask and node.bl_idname == feeds.IMAGE:
            images.keep(node.image)
            if (place := feeds.live_link(node.inputs["Vector"])) is not None and len(place.from_socket.links) == 1:
                tree.nodes.remove(place.from_node)
        tree.nodes.remove(node)
    without_repeat.follow(shown.nodes(material), map_nodes.image_nodes(material), material)  # the height may rest again
    without_repeat.clean()


def ensure_attribute(obj: bpy.types.Object | None, name: str, amount: float) -> None:
    """Give an object's mesh that color attribute, of one grey; one that is there stays as it is. Raises `UserError`."""
    if obj is None or obj.type != "MESH":
        raise targets.refusal("Only a mesh has vertex colors.", "Choose an image as the mask.")
    mesh: Any = obj.data
    if name in mesh.color_attributes:
        return
    if mesh.library or not mesh.is_editable:
        raise targets.refusal(rpt_("The mesh {name} cannot be edited.").format(name=mesh.name), "Make it local.")
    if obj.mode == "EDIT":
        raise targets.refusal("Vertex colors cannot be added in Edit Mode.", "Press Tab to leave it.")
    attribute = mesh.color_attributes.new(name, "FLOAT_COLOR", "POINT")
    attribute.data.foreach_set("color", [amount, amount, amount, 1.0] * len(attribute.data))


# --- nodes ---------------------------------------------------------------------------------------------------------


def _put_before(blend: Node, name: str, target: Socket) -> None:
    """Let an input take the blend's output instead of what it has, which becomes the first one's part."""
    tree, source = blend.id_data, blend.inputs[f"{name} A"]
    link = feeds.live_link(target)
    if link is not None:
        tree.links.new(link.from_socket, source)
    elif name in ("Roughness", "Metallic"):
        source.default_value = target.default_value
    elif name == "Color":
        source.default_value = tuple(target.default_value)
    tree.links.new(blend.outputs[name], target)


def _displacement(tree: Any) -> Node | None:
    """The Displacement at the output, where a height feeds it."""
    output = shown.output(tree)
    link = feeds.live_link(output.inputs["Displacement"]) if output is not None else None
    node = link.from_node if link is not None else None
    is_one = node is not None and node.bl_idname == "ShaderNodeDisplacement" and node.inputs["Height"].is_linked
    return node if is_one else None


def _height(material: bpy.types.Material) -> Socket | None:
    node = map_nodes.nodes_by_kind(material).get(MapKind.HEIGHT)
    if node is None or node.image is None:
        return None
    return (without_repeat.group_of(node) or node).outputs["Color"]


def _mask(tree: Any, mask: bpy.types.Image | str) -> Socket:
    if isinstance(mask, str):
        node = tree.nodes.new("ShaderNodeVertexColor")
        node.layer_name = mask
    else:
        node = tree.nodes.new(feeds.IMAGE)
        node.image = mask
        place = tree.nodes.new("ShaderNodeUVMap")  # else it would get the Mapping of the textures, see `physical_size`
        place.hide = True
        tree.links.new(place.outputs["UV"], node.inputs["Vector"])
    node.name = node.label = f"{GROUP} Mask"
    return node.outputs["Color"]


def _arrange(blend: Node, principled: Node) -> None:
    """In a row above all other nodes."""
    tree = blend.id_data
    mask, other = mask_node(blend), second_node(blend)
    new = [mask, other, blend]
    place = feeds.live_link(mask.inputs["Vector"]) if mask is not None and mask.bl_idname == feeds.IMAGE else None
    if place is not None:
        new.insert(0, place.from_node)
    names = {node.name for node in new}
    others = [node for node in tree.nodes if node.bl_idname != "NodeFrame" and node.name not in names]
    top = max(color_node.place_of(node)[1] for node in others) + 2 * color_node.HEIGHT
    right = color_node.place_of(principled)[0] - color_node.GAP
    for node in reversed(new):
        node.select = False
        right -= node.width
        node.location = (right, top)
        right -= color_node.GAP


def _fill_blend(tree: bpy.types.NodeTree) -> None:
    tree[feeds.BLEND] = True
    wiring = Wiring(tree)
    value, color, vector = ("Float", 0.5), ("Color", (0.8, 0.8, 0.8, 1.0)), ("Vector", None)
    both = [
        {f"Color_{one}": color, f"Roughness_{one}": value, f"Metallic_{one}": ("Float", 0.0)}
        | {f"Normal_{one}": vector, f"Height_{one}": value}
        for one in "AB"
    ]
    mask, contrast, offset, relief, *inputs = wiring.inputs(
        Mask=("Float", 0.0),
        Contrast=("Float", _CONTRAST),
        Offset=("Float", 0.0),
        Relief_B=("Float", 1.0),
        **both[0],
        **both[1],
    )
    _bound(tree)
    firsts, seconds = inputs[:5], inputs[5:]
    higher = wiring.math("MULTIPLY_ADD", wiring.math("SUBTRACT", seconds[4], 0.5), relief, offset)
    higher = wiring.math("SUBTRACT", higher, wiring.math("SUBTRACT", firsts[4], 0.5))
    higher = wiring.node("Clamp", higher, -1.0, 1.0).outputs[0]
    side = wiring.math("MULTIPLY_ADD", wiring.node("Clamp", mask, 0.0, 1.0).outputs[0], 2.0, -1.0)
    contrast = wiring.math("MINIMUM", contrast, _SHARPEST)
    lifted = wiring.math("MULTIPLY_ADD", higher, contrast, side)
    width = wiring.math("MULTIPLY_ADD", contrast, -2.0, 2.0)
    part = wiring.node("Math", wiring.math("DIVIDE", lifted, width), 0.5, operation="ADD", use_clamp=True).outputs[0]
    plain: dict[str, tuple[str, Socket]] = {}
    mixed: dict[str, tuple[str, Socket]] = {}
    scaled = wiring.math("MULTIPLY_ADD", wiring.math("SUBTRACT", seconds[4], 0.5), relief, 0.5)
    for name, kind, one, other in zip(
        (*_MIXED, "Height"),
        ["Color", "Float", "Float", "Vector", "Float"],
        firsts,
        [*seconds[:4], scaled],
        strict=True,
    ):
        plain[name] = (kind, one)
        if kind == "Vector":
            mixed[name] = (kind, wiring.vector("NORMALIZE", _mixed(wiring, kind, part, _whole(wiring, one), other)))
        else:
            mixed[name] = (kind, _mixed(wiring, kind, part, one, other))
    wiring.outputs(**plain)  # for Blender's exporter of glTF, which goes into the first: it gets the first material
    wiring.outputs(**mixed)


def _mixed(wiring: Wiring, kind: str, part: Socket, one: Socket, other: Socket) -> Socket:
    kinds = {"Color": "RGBA", "Float": "FLOAT", "Vector": "VECTOR"}
    node = wiring.node("Mix", data_type=kinds[kind])
    for socket, given in zip([entry for entry in node.inputs if entry.enabled], (part, one, other), strict=True):
        wiring.give(given, socket)
    return next(entry for entry in node.outputs if entry.enabled)


def _whole(wiring: Wiring, normal: Socket) -> Socket:
    """A normal; where nothing is linked there, which is 0, that of the surface."""
    missing = wiring.math("LESS_THAN", wiring.vector("DOT_PRODUCT", normal, normal), 0.25)
    own = wiring.vector("SCALE", wiring.node("NewGeometry").outputs["Normal"], missing)
    return wiring.vector("ADD", normal, own)


def _bound(tree: bpy.types.NodeTree) -> None:
    """How far the group's sliders go."""
    entries: Any = tree.interface.items_tree
    for entry in entries:
        lowest, highest = {"Offset": (-1.0, 1.0), "Relief B": (0.0, 100.0)}.get(entry.name, (0.0, 1.0))
        if entry.socket_type == "NodeSocketFloat":
            entry.min_value, entry.max_value = lowest, highest
            if entry.name in ("Mask", "Contrast", "Offset"):
                entry.subtype = "FACTOR"
        elif entry.socket_type == "NodeSocketVector":
            entry.hide_value = True


def _second_tree(second: Second, *, displaced: bool) -> bpy.types.NodeTree:
    tree: Any = bpy.data.node_groups.new(f"{SECOND} {second.name}"[:60], "ShaderNodeTree")
    tree[without_repeat.MARK] = without_repeat.VERSION
    wiring = Wiring(tree)
    (scale,) = wiring.inputs(Scale=("Float", 1.0))
    place = _place(wiring, second.place)
    where = wiring.vector("SCALE", wiring.vector("MULTIPLY", place, (*second.times, 1.0)), scale)
    made: dict[str, Node] = {}
    for kind, image in second.pictures.items():
        if kind == MapKind.OCCLUSION:
            continue
        node = made[kind] = wiring.node("TexImage", where, image=image, extension="REPEAT")
        if second.place is not None:
            node.interpolation, node.projection = second.place.interpolation, second.place.projection
            node.projection_blend = second.place.projection_blend
    outputs = {"Color": ("Color", made[BASE_COLOR].outputs["Color"])}
    for name, kind in (("Roughness", MapKind.ROUGHNESS), ("Metallic", MapKind.METALLIC)):
        if kind in made:
            outputs[name] = ("Float", made[kind].outputs["Color"])
        else:
            outputs[name] = ("Float", _held(wiring, second.values.get(kind, 0.5 if name == "Roughness" else 0.0)))
    outputs["Normal"] = ("Vector", _normal(wiring, second, made, displaced=displaced))
    height = made.get(MapKind.HEIGHT)
    outputs["Height"] = ("Float", height.outputs["Color"] if height is not None else _held(wiring, 0.5))
    wiring.outputs(**outputs)
    if second.is_laid and not without_repeat.problem(made.values()):
        without_repeat.lay(made.values(), second.settings)
    return tree


def _held(wiring: Wiring, value: float) -> Socket:
    output = wiring.node("Value").outputs[0]
    output.default_value = value
    return output


def _normal(wiring: Wiring, second: Second, made: Mapping[str, Node], *, displaced: bool) -> Socket:
    """Of the normal map, or of the height where the map cannot follow the coordinates; else the surface's own."""
    layout = coordinates.layout(second.place) if second.place is not None else coordinates.Layout(True, "", True)
    if MapKind.NORMAL in made and layout.upright:
        node = wiring.node("NormalMap", space="TANGENT", uv_map=layout.uv_map)
        wiring.give(made[MapKind.NORMAL].outputs["Color"], node.inputs["Color"])
        width = physical_size.scale_of(second.settings).tile_size
        node.inputs["Strength"].default_value = map_nodes.steepness(second.relief / width)
        if hasattr(node, "convention"):  # from 5.2 on
            node.convention = "OPENGL"
        if displaced and hasattr(node, "base"):
            node.base = "ORIGINAL"
        return node.outputs["Normal"]
    if MapKind.HEIGHT in made and not displaced:
        node = wiring.node("Bump")
        node.inputs["Strength"].default_value, node.inputs["Distance"].default_value = 1.0, second.relief
        wiring.give(made[MapKind.HEIGHT].outputs["Color"], node.inputs["Height"])
        return node.outputs["Normal"]
    return wiring.node("NewGeometry").outputs["Normal"]


def _place(wiring: Wiring, image: Node | None) -> Socket:
    """The coordinates of an image node once more, by copies of its Mappings and what they begin with."""
    socket = image.inputs["Vector"] if image is not None else None
    mappings: list[Node] = []
    link = feeds.live_link(socket) if socket is not None else None
    while link is not None and len(mappings) < 16:
        node: Node = link.from_node
        if node.bl_idname == "ShaderNodeMapping":
            mappings.append(node)
            socket = node.inputs["Vector"]
        elif node.bl_idname == "NodeReroute":
            socket = node.inputs[0]
        else:
            break
        link = feeds.live_link(socket)
    where = _beginning(wiring, link)
    for node in reversed(mappings):
        copy = wiring.node("Mapping", where, vector_type=node.vector_type, mute=node.mute)
        for name in ["Location", "Rotation", "Scale"]:
            if name in copy.inputs and name in node.inputs:
                copy.inputs[name].default_value = node.inputs[name].default_value
        where = copy.outputs["Vector"]
    return where


def _beginning(wiring: Wiring, link: bpy.types.NodeLink | None) -> Socket:
    """What coordinates begin with; UV where that is something that is not known here."""
    node: Node = link.from_node if link is not None else None
    if node is not None and node.bl_idname == "ShaderNodeUVMap":
        return wiring.node("UVMap", uv_map=node.uv_map).outputs["UV"]
    if node is not None and node.bl_idname == "ShaderNodeAttribute":
        copy = wiring.node("Attribute", attribute_type=node.attribute_type, attribute_name=node.attribute_name)
        return copy.outputs[link.from_socket.name]
    copy = wiring.node("TexCoord")
    if node is not None and node.bl_idname == "ShaderNodeTexCoord":
        copy.object = node.object
        return copy.outputs[link.from_socket.name]
    if node is not None and node.bl_idname == "ShaderNodeNewGeometry":
        return wiring.node("NewGeometry").outputs[link.from_socket.name]
    return copy.outputs["UV"]
