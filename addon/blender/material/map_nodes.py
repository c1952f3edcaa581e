# SPDX-License-Identifier: GPL-3.0-or-later
"""The maps of a whole material into its nodes, as a careful artist would: no user's link is removed. Imports bpy.

A set of maps stands in one frame, with one Mapping. Its nodes are known by name, and a later delivery goes into the
same ones; a map that an artist has linked is found by following the links, as the color is (see `materials`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import bpy

from ...core.image_networks import RELIEF
from ...core.requests.finish import MapKind
from ...core.results import BASE_COLOR, MAPS
from ..common.languages import rpt_
from . import color_node, coordinates, feeds, shown, without_repeat
from .color_node import GAP, PREFIX, Placed
from .feeds import IMAGE

FRAME = PREFIX + "Maps"
BUMP, DISPLACEMENT, NORMAL_MAP = PREFIX + "Bump", PREFIX + "Displacement", PREFIX + "Normal Map"
MULTIPLY = PREFIX + "Occlusion Multiply"
GLTF_NODE = PREFIX + "glTF"
GLTF = "glTF Material Output"  # the name of the group from whose input Blender's exporter takes occlusion
TITLES = {
    MapKind.OCCLUSION: "Ambient Occlusion",
    MapKind.METALLIC: "Metallic",
    MapKind.ROUGHNESS: "Roughness",
    MapKind.NORMAL: "Normal",
    MapKind.HEIGHT: "Height",
}
_VALUES = {
    MapKind.METALLIC: "Metallic",
    MapKind.ROUGHNESS: "Roughness",
}  # the inputs of Principled that take a map as it is
# Engines that move the surface; others, which are add-ons, may not. Workbench has no say: it shows no material.
_DISPLACING_ENGINES = {"CYCLES", "BLENDER_EEVEE", "BLENDER_EEVEE_NEXT", "BLENDER_WORKBENCH"}
_MOST_STRENGTH = 10.0  # of Blender's Normal Map
_IMAGE_WIDTH = 240.0
_SECOND, _THIRD = 160.0, 140.0  # the columns between images and Principled: normal map; bump, displacement, multiply
_COORDINATES = 140.0


def displaces(material: bpy.types.Material, engine: str) -> bool:
    """Whether the height moves the surface, and is not only to be shaded as if it did."""
    return material.displacement_method in {"DISPLACEMENT", "BOTH"} and engine in _DISPLACING_ENGINES


def assign(
    material: bpy.types.Material,
    base: Placed,
    pictures: Mapping[str, bpy.types.Image],
    engine: str,
    obj: bpy.types.Object | None = None,
) -> str:
    """Show a result's maps beside its color, placed by `color_node.assign`. Says what is left for the user to do.

    pictures: by kind, one of `results.MAPS`. Where the color is linked to nothing, neither are they. obj: shows them.
    """
    maps = _Maps(material, base, obj, displaced=displaces(material, engine))
    if pictures:
        maps.show(pictures)
    _lay_what_is_new(material, obj)
    return " ".join([*maps.notes, *maps.stale(pictures), *maps.muted()])


def follow(material: bpy.types.Material, engine: str, obj: bpy.types.Object | None = None) -> str:
    """Carry the relief as the displacement method and the coordinates ask for now. Says what is left for the user."""
    maps = _maps_of(material, engine, obj)
    if maps is None:
        return rpt_("{name} has no texture at its Base Color.").format(name=material.name)
    maps.follow()
    _lay_what_is_new(material, obj)
    return " ".join(maps.notes)


def is_outdated(material: bpy.types.Material, engine: str, obj: bpy.types.Object | None = None) -> bool:
    """Whether what carries the relief is not what displacement method and coordinates ask for; see `follow`."""
    maps = _maps_of(material, engine, obj)
    return maps is not None and maps.outdated()


def pictures(material: bpy.types.Material, obj: bpy.types.Object | None = None) -> dict[str, bpy.types.Image]:
    """The material's images by kind, `BASE_COLOR` or a `MapKind`, the user's own too, as far as there are any."""
    nodes = nodes_by_kind(material, obj)
    return {kind: node.image for kind, node in nodes.items() if node.image is not None}


def image_nodes(material: bpy.types.Material, obj: bpy.types.Object | None = None) -> list[feeds.Node]:
    """The nodes of `pictures`; none where the material has no texture at its Base Color."""
    return list(nodes_by_kind(material, obj).values())


def nodes_by_kind(material: bpy.types.Material, obj: bpy.types.Object | None = None) -> dict[str, feeds.Node]:
    """As `image_nodes`, by kind, the color first."""
    maps = _maps_of(material, "", obj)
    return {BASE_COLOR: maps.base.node} | maps.known if maps is not None else {}


def _lay_what_is_new(material: bpy.types.Material, obj: bpy.types.Object | None) -> None:
    """Where the material is laid without a visible repeat, that goes for what it shows now."""
    nodes = shown.nodes(material)
    if without_repeat.is_laid(nodes):
        without_repeat.follow(nodes, image_nodes(material, obj), material)


def set_laying(material: bpy.types.Material) -> None:
    """Give the groups that lay the material's images what its sliders say."""
    for node in shown.nodes(material):
        if feeds.is_laid(node):
            without_repeat.set_controls(node, material)


def plain_values(material: bpy.types.Material) -> dict[str, float]:
    """Roughness and metallic of a material that has no maps of them."""
    principled = shown.principled(material.node_tree) if material.node_tree else None
    if principled is None:
        return {}
    sockets = {kind: principled.inputs[name] for kind, name in _VALUES.items()}
    return {kind: socket.default_value for kind, socket in sockets.items() if not socket.is_linked}


def _maps_of(material: bpy.types.Material, engine: str, obj: bpy.types.Object | None) -> "_Maps | None":
    image = color_node.image_node(material)
    if image is None:
        return None
    base = Placed(image, principled=shown.principled(material.node_tree))
    return _Maps(material, base, obj, displaced=displaces(material, engine))


def set_relief(material: bpy.types.Material) -> None:
    """Give our Bump and Displacement the height that belongs to the material's tile size."""
    for node in shown.nodes(material):
        if is_ours(node, BUMP):
            node.inputs["Distance"].default_value = material.tilewright.height()
        elif is_ours(node, DISPLACEMENT):
            node.inputs["Scale"].default_value = material.tilewright.height()


def set_steepness(material: bpy.types.Material) -> None:
    """As `set_relief`, and our Normal Map too: it holds the same relief, at strength 1 that of `RELIEF`.

    Apart, since a strength that an artist has tuned stays while only the size of the tile changes.
    """
    set_relief(material)
    for node in shown.nodes(material):
        if is_ours(node, NORMAL_MAP):
            node.inputs["Strength"].default_value = steepness(material.tilewright.relief)


def steepness(relief: float) -> float:
    """The strength of a Normal Map of ours for a relief, which is a fraction of the tile's width."""
    return min(relief / RELIEF, _MOST_STRENGTH)


def is_ours(node: bpy.types.Node, name: str) -> bool:
    """Whether a node is one that we named so; a copy of it has a number behind the name."""
    stem, _, number = node.name.rpartition(".")
    return name in (node.name, stem if number.isdigit() else "")


def occlusion_node(material: bpy.types.Material) -> bpy.types.Node | None:
    """The node with the material's occlusion, None where there is none."""
    return next((node for node in shown.nodes(material) if is_ours(node, PREFIX + TITLES[MapKind.OCCLUSION])), None)


def multiply_node(material: bpy.types.Material) -> bpy.types.Node | None:
    """The node that multiplies occlusion into the color, None where none does."""
    return next((node for node in shown.nodes(material) if is_ours(node, MULTIPLY)), None)


def multiply_occlusion(material: bpy.types.Material, occlusion: bpy.types.Node) -> None:
    """Put occlusion between Principled's Base Color and all that feeds it now, which must be something."""
    principled = shown.principled(material.node_tree)
    tree = principled.id_data
    socket = feeds.entry(principled.inputs["Base Color"])
    mix = tree.nodes.new("ShaderNodeMix")
    mix.name, mix.label = MULTIPLY, "Occlusion"
    mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
    factor, one, other = (entry for entry in mix.inputs if entry.enabled)
    factor.default_value = 1.0
    source = socket.links[0].from_node
    x = color_node.place_of(occlusion)[0]
    y = color_node.place_of(source if source.parent == occlusion.parent else occlusion)[1]
    left = x + _IMAGE_WIDTH + GAP + _SECOND + GAP
    mix.location = (left, color_node.free_top(tree, left, left + _THIRD, y))
    mix.parent = occlusion.parent
    mix.select = False
    tree.links.new(socket.links[0].from_socket, one)
    tree.links.new(occlusion.outputs["Color"], other)
    tree.links.new(next(entry for entry in mix.outputs if entry.enabled), socket)


def unmultiply_occlusion(material: bpy.types.Material, mix: bpy.types.Node) -> None:
    """The reverse of `multiply_occlusion`."""
    _take_out(mix.id_data, mix, next(entry for entry in mix.inputs if entry.enabled and entry.name == "A"))


@dataclass
class _Chain:
    """What leads to Principled's Normal: bumps, the nearest first, then a normal map.

    end: the input that is free at the far end; None where a normal map or something else feeds it.
    """

    bumps: list[bpy.types.Node] = field(default_factory=list)
    normal_map: bpy.types.Node | None = None
    end: bpy.types.NodeSocket | None = None


class _Maps:
    """The maps beside one base color.

    The relief has one carrier: Displacement where the surface is moved, or else the Normal Map, or, where that cannot
    follow the coordinates, Bump. A Bump between Normal Map and Principled would be right in renders at no strength
    only, and even then exporters of glTF and USD take its height for the normal map, those of OBJ and FBX none (4.5).
    """

    def __init__(
        self, material: bpy.types.Material, base: Placed, obj: bpy.types.Object | None, *, displaced: bool
    ) -> None:
        self.material = material
        self.obj = obj
        self.tree = base.node.id_data  # that of a group, where Principled is in one
        self.base = base
        self.principled = base.principled
        self.displaced = displaced
        self.notes: list[str] = []
        self.images: list[tuple[str, bpy.types.Node]] = []  # new ones
        self.helpers: list[tuple[bpy.types.Node, bpy.types.Node, int]] = []  # a new one, its image node, its column
        self.coordinates: tuple[bpy.types.Node, ...] = ()  # Mapping and Texture Coordinate, where they are new
        linked = self._all_linked()
        frames = [node.parent for node in (base.node, *linked.values()) if node.parent and is_ours(node.parent, FRAME)]
        self.frame: bpy.types.Node | None = frames[0] if frames else None
        self.known: dict[str, bpy.types.Node] = {}  # the image nodes that show this color's maps, by kind
        if self.principled is not None or not base.made:  # else it is a set of its own
            named = {kind: self._named(PREFIX + TITLES[kind]) for kind in MAPS}
            # what is shown first: one of ours may be left from when something else was in its place
            self.known = {kind: node for kind, node in named.items() if node is not None} | linked
            for kind in MAPS:
                if kind not in self.known and (node := self._fellow(kind)) is not None:
                    self.known[kind] = node

    # --- finding -------------------------------------------------------------------------------------------------

    def _named(self, name: str) -> bpy.types.Node | None:
        """A node of ours: in the frame, or in none where the user has dissolved it."""
        return next((node for node in self.tree.nodes if node.parent == self.frame and is_ours(node, name)), None)

    def _fellow(self, kind: str) -> bpy.types.Node | None:
        """A node that is linked to nothing and was renamed, by its image: a map of the same texture as the others."""
        results = {_result(node) for node in self.known.values()} - {""}
        for node in self.tree.nodes:
            near = node.bl_idname == IMAGE and node.parent in (None, self.frame)
            if near and _result(node) in results and node.image.tilewright.kind == kind:
                return node
        return None

    def _all_linked(self) -> dict[str, bpy.types.Node]:
        """By kind, the image nodes that are linked to where such a map belongs, and to nothing else of the kind.

        An artist may have made the roughness from the color's own image: that one is no roughness map.
        """
        found = {kind: node for kind in MAPS if (node := self._linked(kind)) is not None}
        names = [self.base.node.name, *(node.name for node in found.values())]
        return {kind: node for kind, node in found.items() if names.count(node.name) == 1}

    def _linked(self, kind: str) -> bpy.types.Node | None:
        if self.principled is None:
            return None
        if kind in _VALUES:
            return feeds.value(self.principled.inputs[_VALUES[kind]]).image
        chain = self._chain()
        normal = None
        if chain.normal_map is not None and _reads_ours(chain.normal_map):
            normal = feeds.normal(chain.normal_map.inputs["Color"]).image
        if kind == MapKind.NORMAL:
            return normal
        if kind == MapKind.HEIGHT:
            # a bump beside a normal map is a detail of the artist's own: our height would be counted twice
            bumps = [bump for bump in chain.bumps if normal is None or is_ours(bump, BUMP)]
            for node in (self._displacement(), *bumps):
                if (
                    node is not None
                    and _raises(node)
                    and (found := feeds.value(node.inputs["Height"]).image) is not None
                ):
                    return found
        return None

    def _chain(self) -> _Chain:
        chain = _Chain()
        socket = feeds.entry(self.principled.inputs["Normal"])
        seen = set()
        while socket.is_linked:
            link = feeds.live_link(socket)
            if link is None or link.from_node.name in seen or link.from_node.mute:
                return chain
            node = link.from_node
            seen.add(node.name)
            if node.bl_idname == "NodeReroute":
                socket = node.inputs[0]
            elif node.bl_idname == "ShaderNodeBump":
                chain.bumps.append(node)
                socket = node.inputs["Normal"]
            else:
                chain.normal_map = node if node.bl_idname == "ShaderNodeNormalMap" else None
                return chain
        chain.end = socket
        return chain

    def _displacement(self) -> bpy.types.Node | None:
        """The Displacement node at the output."""
        output = shown.output(self.tree)
        socket = output.inputs["Displacement"] if output else None
        node = socket.links[0].from_node if socket and socket.is_linked else None
        return node if node and node.bl_idname == "ShaderNodeDisplacement" else None

    def stale(self, pictures: Mapping[str, bpy.types.Image]) -> list[str]:
        """What to say of maps that are of another texture than the color is now."""
        result = self.base.node.image.tilewright.result
        old = []
        for kind in MAPS:
            node = None if kind in pictures else self.known.get(kind)
            facts = node.image.tilewright if node is not None and node.image is not None else None
            if facts and facts.kind == kind and facts.result != result:
                old.append(TITLES[kind])
        names = ", ".join(rpt_(title) for title in old)
        return [rpt_("Still from the previous texture: {maps}.").format(maps=names)] if old else []

    def muted(self) -> list[str]:
        """What hides one of the maps, though it is linked."""
        notes = []
        for image in (self.base.node, *self.known.values()):
            waiting, seen = [image], set()
            while waiting:
                node = waiting.pop()
                if node.name in seen or node == self.principled:
                    continue
                seen.add(node.name)
                if node.mute:
                    notes.append(rpt_("The node {node} is muted. Unmute it to see its map.").format(node=node.name))
                waiting += [link.to_node for output in node.outputs for link in output.links]
        return list(dict.fromkeys(notes))

    def outdated(self) -> bool:
        """Whether `follow` would change anything."""
        if self.principled is None:
            return False
        bump, normal_map, displacement = map(self._named, (BUMP, NORMAL_MAP, DISPLACEMENT))
        normal, height = self.known.get(MapKind.NORMAL), self.known.get(MapKind.HEIGHT)
        turned = normal_map is not None and height is not None and not self._upright()
        if self.displaced:
            free = self._is_free_to_displace()
            return bump is not None or turned or (free and _rests(height))
        if displacement is not None or turned:
            return True
        return bump is not None and (_is_idle(bump) or (_rests(normal) and self._upright()))

    def follow(self) -> None:
        """Let what is right now carry the relief, without new maps."""
        self._follow_method()
        normal, height = self.known.get(MapKind.NORMAL), self.known.get(MapKind.HEIGHT)
        if self.principled is not None and self._upright():
            bump = self._named(BUMP)
            if bump is not None and (_is_idle(bump) or _rests(normal)) and self._free(bump, MapKind.HEIGHT):
                _take_out(self.tree, bump, bump.inputs["Normal"])
            if _rests(normal):
                self._link_normal(normal)
        elif self.principled is not None and height is not None:
            normal_map = self._named(NORMAL_MAP)
            if normal_map is not None and self._free(normal_map, MapKind.NORMAL):
                self.tree.nodes.remove(normal_map)
                bump = self._named(BUMP)
                if bump is not None:
                    bump.inputs["Strength"].default_value = 1.0
                elif _rests(height):
                    self._link_height(height)
        if self.helpers:
            self._arrange(False)

    def _is_free_to_displace(self) -> bool:
        output = shown.output(self.tree)
        return output is not None and not output.inputs["Displacement"].is_linked

    def _upright(self) -> bool:
        """Whether a tangent-space normal map can follow the coordinates; see `coordinates.layout`."""
        return coordinates.layout(self.base.node, self.obj).upright

    def _free(self, helper: bpy.types.Node, kind: str) -> bool:
        """Whether nothing of the user's stands between a map and our node, so that it may go. If not, says so."""
        image = self.known.get(kind)
        if image is None or helper.name in _fed_by(image):
            return True
        words = rpt_("There is something between the nodes {image} and {node}; it was left alone.")
        self.notes.append(words.format(image=TITLES[kind], node=helper.label))
        return False

    # --- making --------------------------------------------------------------------------------------------------

    def show(self, pictures: Mapping[str, bpy.types.Image]) -> None:
        self._take_coordinates_of_known()
        untouched = self.base.made or self._untouched()
        for kind in MAPS:  # the normal map before the height, whose bump goes between it and Principled
            if kind not in pictures:
                continue
            if kind in self.known:
                color_node.show(self.known[kind], pictures[kind])
            else:
                node = self.known[kind] = self._new_image(kind, pictures[kind])
                if self.principled is not None:
                    self._link(kind, node)
        self._follow_method()
        if self.images:
            self._share_coordinates()
        if self.principled is not None and self._named(NORMAL_MAP) is not None and not self._upright():
            words = "The coordinates now turn the texture, and its Normal Map doesn't follow. Press Update Nodes."
            self.notes.append(rpt_(words))
        if self.images or self.helpers:
            self._arrange(untouched)

    def _new_image(self, kind: str, image: bpy.types.Image) -> bpy.types.Node:
        node = self.tree.nodes.new(IMAGE)
        node.name, node.label = PREFIX + TITLES[kind], TITLES[kind]
        node.image = image
        node.extension = "REPEAT"
        self.images.append((kind, node))
        return node

    def _new_helper(self, type_: str, name: str, image: bpy.types.Node, column: int) -> bpy.types.Node:
        node = self.tree.nodes.new(type_)
        node.name, node.label = name, name.removeprefix(PREFIX)
        self.helpers.append((node, image, column))
        return node

    def _link(self, kind: str, node: bpy.types.Node) -> None:
        """Link a new image node to where its map belongs, unless something else is there."""
        if kind in _VALUES:
            socket = feeds.entry(self.principled.inputs[_VALUES[kind]])
            if socket.is_linked:
                self._leave(kind, _VALUES[kind])
            else:
                self.tree.links.new(node.outputs["Color"], socket)
        elif kind == MapKind.NORMAL:
            self._link_normal(node)
        elif kind == MapKind.HEIGHT:
            self._link_height(node)
        elif kind == MapKind.OCCLUSION:
            self._link_occlusion(node)

    def _link_occlusion(self, image: bpy.types.Node) -> None:
        """Where the exporter of glTF looks for it; renders do not see that group."""
        group = self._new_helper("ShaderNodeGroup", GLTF_NODE, image, 2)
        group.node_tree = _gltf_group()
        group.label = GLTF
        self.tree.links.new(image.outputs["Color"], group.inputs["Occlusion"])

    def _leave(self, kind: str, input_: str) -> None:
        words = rpt_("Something else feeds {input}: the node {node} is not linked.")
        self.notes.append(words.format(input=input_, node=TITLES[kind]))

    def _link_normal(self, image: bpy.types.Node) -> None:
        if not self._upright():
            note = "The coordinates turn the texture, so Bump or Displacement carries its relief, not a Normal Map."
            self.notes.append(rpt_(note))
            return
        chain = self._chain()
        normal_map = chain.normal_map
        carrier = self._bump_of_height(chain)
        if carrier is not None:
            note = rpt_("The node {name} already shows the relief: the node {image} is not linked.")
            if is_ours(carrier, BUMP):  # made when there was a height only; see `outdated`
                note = rpt_("Bump carries the relief. Press Update Nodes to let the Normal Map carry it.")
            self.notes.append(note.format(name=carrier.name, image=TITLES[MapKind.NORMAL]))
            return
        if normal_map is None and chain.end is not None:
            normal_map = self._new_helper("ShaderNodeNormalMap", NORMAL_MAP, image, 2)
            normal_map.inputs["Strength"].default_value = steepness(self.material.tilewright.relief)
            normal_map.space = "TANGENT"
            if hasattr(normal_map, "convention"):  # from 5.2 on
                normal_map.convention = "OPENGL"
            normal_map.uv_map = coordinates.layout(self.base.node, self.obj).uv_map
            self.tree.links.new(normal_map.outputs["Normal"], chain.end)
        if normal_map is None or normal_map.inputs["Color"].is_linked or not _reads_ours(normal_map):
            self._leave(MapKind.NORMAL, "Normal")
        else:
            self.tree.links.new(image.outputs["Color"], normal_map.inputs["Color"])

    def _bump_of_height(self, chain: _Chain) -> bpy.types.Node | None:
        """The bump that shows the height of ours, or will show it."""
        height = self.known.get(MapKind.HEIGHT)
        shown = (bump for bump in chain.bumps if feeds.value(bump.inputs["Height"]).image == height)
        return next(shown, None) if height is not None else None

    def _link_height(self, image: bpy.types.Node) -> None:
        blends = feeds.blends(self.principled.inputs["Base Color"])
        if blends and not blends[-1].inputs["Height A"].is_linked:
            self.tree.links.new(image.outputs["Color"], blends[-1].inputs["Height A"])
        if not (self._displace(image) if self.displaced else self._bump(image)):
            self._leave(MapKind.HEIGHT, "Displacement" if self.displaced else "Normal")

    def _displace(self, image: bpy.types.Node) -> bool:
        """Have the output displaced by a height. False where something else does that already."""
        output = shown.output(self.tree)
        if output is None:  # in a group
            return False
        socket = output.inputs["Displacement"]
        node = self._displacement()
        if node is None and not socket.is_linked:
            node = self._new_helper("ShaderNodeDisplacement", DISPLACEMENT, image, 3)
            node.space = "WORLD"  # an object's scale does not make bricks thicker than they are wide
            node.inputs["Midlevel"].default_value = 0.5
            node.inputs["Scale"].default_value = self.material.tilewright.height()
            self.tree.links.new(node.outputs["Displacement"], socket)
        if node is None or node.inputs["Height"].is_linked:
            return False
        blends = feeds.blends(self.principled.inputs["Base Color"])
        source = blends[0].outputs["Height"] if blends else image.outputs["Color"]
        self.tree.links.new(source, node.inputs["Height"])
        return True

    def _bump(self, image: bpy.types.Node) -> bool:
        """Have the height shaded, unless a normal map shows the relief. False where something else feeds Normal."""
        chain = self._chain()
        mapped = chain.normal_map is not None and self._linked(MapKind.NORMAL) is not None
        if mapped and not chain.bumps:
            return True
        free = next((bump for bump in chain.bumps if not bump.inputs["Height"].is_linked and _raises(bump)), None)
        if free is not None and not mapped:
            self.tree.links.new(image.outputs["Color"], free.inputs["Height"])
            return True
        if chain.bumps or chain.end is None:
            return False
        bump = self._new_helper("ShaderNodeBump", BUMP, image, 3)
        bump.inputs["Strength"].default_value = 1.0
        bump.inputs["Distance"].default_value = self.material.tilewright.height()
        self.tree.links.new(bump.outputs["Normal"], feeds.entry(self.principled.inputs["Normal"]))
        self.tree.links.new(image.outputs["Color"], bump.inputs["Height"])
        return True

    def _follow_method(self) -> None:
        """Where the displacement method was changed since, change what we made of the height."""
        image = self.known.get(MapKind.HEIGHT)
        if image is None or self.principled is None:
            return
        old = self._named(BUMP if self.displaced else DISPLACEMENT)
        free = self._is_free_to_displace()
        changed = bool(self.helpers)
        if old is not None and self._free(old, MapKind.HEIGHT):
            changed = True
            if self.displaced:
                _take_out(self.tree, old, old.inputs["Normal"])
            else:
                self.tree.nodes.remove(old)
            self._link_height(image)
        elif old is None and self.displaced and free and _rests(image):
            changed = True
            self._link_height(image)
        normal_map = self._chain().normal_map if changed else None  # else what the user has chosen stays
        if normal_map is not None and is_ours(normal_map, NORMAL_MAP) and hasattr(normal_map, "base"):
            # From 5.2 on: of a surface that the same height has displaced, the relief would be counted twice.
            normal_map.base = "ORIGINAL" if self._displacement() is not None else "DISPLACED"

    def _take_coordinates_of_known(self) -> None:
        """Where only the color's node is new, since the user deleted the old one, have the old Mapping serve it."""
        sockets = [node.inputs["Vector"] for node in self.known.values() if node.inputs["Vector"].is_linked]
        if self.base.made and sockets:
            self.tree.links.new(sockets[0].links[0].from_socket, self.base.node.inputs["Vector"])
            for node in self.base.made[1:]:
                self.tree.nodes.remove(node)
            self.base = Placed(self.base.node, self.base.note, self.principled, self.base.made[:1])

    def _share_coordinates(self) -> None:
        """Give new image nodes the coordinates of the color, and those a Mapping, if there is none."""
        base = self.base.node
        socket = base.inputs["Vector"]
        if socket.is_linked:
            source = socket.links[0].from_socket
        else:
            mapping, coordinates = color_node.add_coordinates(self.tree)
            self.coordinates = (mapping, coordinates)
            source = mapping.outputs["Vector"]
            self.tree.links.new(source, socket)
        for _kind, node in self.images:
            self.tree.links.new(source, node.inputs["Vector"])
            node.interpolation = base.interpolation
            node.projection, node.projection_blend = base.projection, base.projection_blend

    # --- arranging -----------------------------------------------------------------------------------------------

    def _untouched(self) -> bool:
        """Whether the color's nodes stand alone, where `color_node.assign` put them, so that they may be moved."""
        trio = self._trio()
        places = [color_node.place_of(node) for node in trio]
        if len(trio) < 3 or self.principled is None or any(node.parent for node in trio):
            return False
        (x, y), *rest = places
        step = _COORDINATES + GAP
        close = [(x - step, y), (x - 2 * step, y)]
        right = color_node.place_of(self.principled)[0]
        return x + _IMAGE_WIDTH + GAP == right and rest == close

    def _trio(self) -> list[bpy.types.Node]:
        """The color's image node, its Mapping and its Texture Coordinate, as far as there are any."""
        trio = [self.base.node]
        for type_ in ("ShaderNodeMapping", "ShaderNodeTexCoord"):
            socket = trio[-1].inputs["Vector"]
            node = socket.links[0].from_node if socket.is_linked else None
            if node is None or node.bl_idname != type_:
                break
            trio.append(node)
        return trio

    def _arrange(self, movable: bool) -> None:
        """Put what is new into columns left of Principled, over nothing else, and a frame around it.

        movable: the color's own nodes take part in it.
        """
        trio = self._trio() if movable and self.frame is None else []
        rows = [*trio[:1], *(node for _kind, node in self.images)]
        coordinates = [*trio[1:], *(node for node in self.coordinates if node not in trio)]
        if trio:
            trio[0].label = "Base Color"
        left, top = self._corner(rows, coordinates)
        for row, node in enumerate(rows):
            node.location = (left, top - row * color_node.HEIGHT)
        for column, node in enumerate(coordinates, start=1):
            node.location = (left - column * (_COORDINATES + GAP), top)
        for node, image, column in self.helpers:
            x, y = color_node.place_of(image)
            x += _IMAGE_WIDTH + GAP + (_SECOND + GAP if column == 3 else 0.0)
            # the bump goes on from the normal map, beside which it stands
            source = node.inputs["Normal"].links if is_ours(node, BUMP) else ()
            y = color_node.place_of(source[0].from_node)[1] if source else y
            node.location = (x, y)
        if self.frame is None:
            self.frame = self.tree.nodes.new("NodeFrame")
            self.frame.name, self.frame.label = FRAME, FRAME.removeprefix(PREFIX)
            self.frame.select = False
        for node in (*rows, *coordinates, *(node for node, _image, _column in self.helpers)):
            node.parent = self.frame
            node.select = False

    def _corner(self, rows: list[bpy.types.Node], coordinates: list[bpy.types.Node]) -> tuple[float, float]:
        """Where the first of the new image nodes goes."""
        new = {node.name for node in (*rows, *coordinates, *(node for node, _image, _column in self.helpers))}
        height = len(rows) * color_node.HEIGHT
        old = [node for node in self.tree.nodes if node.parent == self.frame and node.bl_idname == IMAGE]
        old = [node for node in old if node.name not in new] if self.frame is not None else []
        if old:  # below those that are there
            places = [color_node.place_of(node) for node in old]
            left, top = min(x for x, _y in places), min(y for _x, y in places) - color_node.HEIGHT
        else:
            right, top = color_node.corner(self.tree, self.principled or _beside(self.tree, new))
            left = right - _THIRD - GAP - _SECOND - GAP - _IMAGE_WIDTH
        width = _IMAGE_WIDTH + GAP + _SECOND + GAP + _THIRD
        outermost = left - len(coordinates) * (_COORDINATES + GAP)
        return left, color_node.free_top(self.tree, outermost, left + width, top, height, new)


def _beside(tree: bpy.types.NodeTree, new: set[str]) -> bpy.types.Node | None:
    """The node that is furthest to the left, for new nodes to stand beside."""
    others = [node for node in tree.nodes if node.bl_idname != "NodeFrame" and node.name not in new]
    return min(others, key=lambda node: color_node.place_of(node)[0], default=None)


def _take_out(tree: bpy.types.NodeTree, node: bpy.types.Node, through: bpy.types.NodeSocket) -> None:
    """Remove a node of ours; what it took through that input goes on to where its outputs went."""
    source = through.links[0].from_socket if through.is_linked else None
    for target in [link.to_socket for output in node.outputs for link in output.links]:
        if source is not None:
            tree.links.new(source, target)
    tree.nodes.remove(node)


def _fed_by(image: bpy.types.Node) -> set[str]:
    """The names of the nodes that an image feeds, as it is, laid without a visible repeat, or blended."""
    names: set[str] = set()
    waiting = list(image.outputs["Color"].links)
    while waiting:
        link = waiting.pop()
        node = link.to_node
        if feeds.is_laid(node):
            waiting += node.outputs["Color"].links
        elif feeds.is_blend(node) and link.to_socket.name.endswith(" A"):
            waiting += node.outputs[link.to_socket.name.removesuffix(" A")].links
        else:
            names.add(node.name)
    return names


def _reads_ours(normal_map: bpy.types.Node) -> bool:
    """Whether a Normal Map reads normals as ours are: of the tangent space, green up."""
    return normal_map.space == "TANGENT" and getattr(normal_map, "convention", "OPENGL") == "OPENGL"


def _raises(node: bpy.types.Node) -> bool:
    """Whether what is bright is high for a Bump or Displacement."""
    scale = node.inputs["Distance" if node.bl_idname == "ShaderNodeBump" else "Scale"]
    return not getattr(node, "invert", False) and (scale.is_linked or scale.default_value >= 0.0)


def _result(image: bpy.types.Node) -> str:
    return str(image.image.tilewright.result) if image.image is not None else ""


def _rests(image: bpy.types.Node | None) -> bool:
    """Whether an image node is there, and seen nowhere but in a border between two materials."""
    return image is not None and not _fed_by(image)


def _is_idle(bump: bpy.types.Node) -> bool:
    """Whether a Bump does nothing but pass a normal map on, as ours did in earlier versions."""
    strength = bump.inputs["Strength"]
    return bump.inputs["Normal"].is_linked and not strength.is_linked and strength.default_value == 0.0


def _gltf_group() -> bpy.types.NodeTree:
    """The group that Blender's exporter of glTF knows by its name; one that is there, also by the exporter, is used."""
    for group in bpy.data.node_groups:
        sockets = group.interface.items_tree if group.bl_idname == "ShaderNodeTree" else ()
        if group.name.startswith(GLTF) and any(item.name == "Occlusion" for item in sockets):
            return group
    group = bpy.data.node_groups.new(GLTF, "ShaderNodeTree")
    occlusion = group.interface.new_socket("Occlusion", in_out="INPUT", socket_type="NodeSocketFloat")
    occlusion.default_value = 1.0
    # as the exporter's own, which adds none where it finds one of this name
    thickness = group.interface.new_socket("Thickness", in_out="INPUT", socket_type="NodeSocketFloat")
    thickness.default_value = 0.0
    return group
