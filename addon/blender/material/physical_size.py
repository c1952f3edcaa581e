# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a texture is in the scene: on the material, and from an object's UV map. Imports bpy, mathutils, core."""

from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast

import bpy
from bpy.props import BoolProperty, FloatProperty, FloatVectorProperty, IntProperty, PointerProperty
from mathutils import Vector
from mathutils.geometry import area_tri

from ...core import texels
from ...core.errors import UserError
from ...core.image_networks import RELIEF
from ...core.requests.texture import Size
from ...core.variants import ONE_TILE
from ..common import targets
from ..common.languages import rpt_
from ..settings import properties
from . import color_node, coordinates, map_nodes, shown

_ENOUGH = 20_000  # triangles; more would take long, and say the same
_MULTIPLYING = {"POINT", "VECTOR"}


class TILEWRIGHT_PG_material(bpy.types.PropertyGroup):
    """`material.tilewright`: how large its texture is meant to be."""

    tile_size: FloatProperty(
        name="Tile Size",
        description="Width of one repeat on the object; the relief is a fraction of it. Fitted textures follow it",
        subtype="DISTANCE",
        unit="LENGTH",
        default=1.0,
        min=0.0001,
        soft_min=0.01,
        soft_max=100.0,
        precision=3,
        update=lambda self, context: _size_changed(self.id_data),
    )
    relief: FloatProperty(
        name="Relief",
        description="Height from lowest to highest point, as a fraction of the tile size",
        subtype="FACTOR",
        default=RELIEF,
        min=0.0,
        max=1.0,
        soft_max=0.25,
        precision=3,
        update=lambda self, context: map_nodes.set_steepness(self.id_data),
    )

    lay_strength: FloatProperty(
        name="Strength",
        description="How little of the plain, repeating tile is left",
        subtype="FACTOR",
        default=1.0,
        min=0.0,
        max=1.0,
        update=lambda self, context: map_nodes.set_laying(self.id_data),
    )
    lay_patch: FloatProperty(
        name="Patch Size",
        description="Size of the pieces, in tiles. Larger ones keep larger shapes whole, but show more repeats",
        default=0.6,
        min=0.05,
        max=4.0,
        soft_min=0.2,
        soft_max=1.5,
        update=lambda self, context: map_nodes.set_laying(self.id_data),
    )
    lay_columns: IntProperty(
        name="Columns",
        description="How many bricks, planks or slabs a tile has from left to right, to move by whole ones. 0: freely",
        default=0,
        min=0,
        max=256,
        soft_max=32,
        update=lambda self, context: map_nodes.set_laying(self.id_data),
    )
    lay_rows: IntProperty(
        name="Rows",
        description="How many rows of bricks, planks or slabs a tile has, to move by whole ones. 0: freely",
        default=0,
        min=0,
        max=256,
        soft_max=32,
        update=lambda self, context: map_nodes.set_laying(self.id_data),
    )

    laid_as_set: BoolProperty(name="Laid as Set", description="Laid by itself, for a set of tiles", options={"HIDDEN"})
    suggested_relief: FloatProperty(name="Suggested Relief", description="Set last for a texture", options={"HIDDEN"})
    fitted: FloatProperty(
        name="Fitted", description="Tile size the texture was last scaled to; 0: never", options={"HIDDEN"}
    )
    fitted_scale: FloatVectorProperty(name="Fitted Scale", description="The scale set then", size=2, options={"HIDDEN"})

    def height(self) -> float:
        """From the lowest to the highest point, in the scene's unit of length."""
        return self.tile_size * self.relief


def scale_of(material: bpy.types.Material) -> TILEWRIGHT_PG_material:
    """`material.tilewright`, with its type."""
    return material.tilewright  # type: ignore[attr-defined]


def suggest_relief(material: bpy.types.Material, relief: float | None) -> None:
    """Give the material the relief that a texture of its kind has, unless the user has set another since.

    relief: None for a texture whose kind is not known: its maps are right as they are, and not as flat as the planks
    that were here before.
    """
    facts = scale_of(material)
    if facts.is_property_set("relief") and abs(facts.relief - facts.suggested_relief) > 1e-6:
        return
    wanted = RELIEF if relief is None else relief
    if abs(facts.relief - wanted) > 1e-6:  # else a strength that an artist has tuned would be set anew
        facts.relief = wanted
    facts.suggested_relief = facts.relief


@dataclass(frozen=True)
class Fit:
    """What suits an object. mapping: for U and V. size: in pixels, for the texels that were asked for."""

    mapping: tuple[float, float]
    size: Size


def propose(obj: bpy.types.Object, material: bpy.types.Material, texels_per_length: float) -> Fit:
    """What the object's UV map and the material's tile size ask for. Raises `UserError` if that is unknown."""
    if obj.type != "MESH":
        message = rpt_("{name} is not a mesh, so it has no texel density.").format(name=obj.name)
        raise targets.refusal(message)
    image = _image_node(material)
    name = coordinates.layout(image, obj).uv_map
    layers = obj.data.uv_layers
    layer = layers.get(name) if name else next((layer for layer in layers if layer.active_render), None)
    if layer is None:
        words = rpt_("{name} has no UV map {map}.") if name else rpt_("{name} has no UV map.")
        raise targets.refusal(words.format(name=obj.name, map=name), "Give it one first.")
    try:
        with _readable(obj) as mesh:
            density = texels.uv_density(_triangles(mesh, obj, material, layer.name))
    except ValueError as error:
        words = rpt_("No face of {name} with {material} has an area, on the object and in the UV map.")
        message = words.format(name=obj.name, material=material.name)
        raise targets.refusal(message, "Unwrap it again, or assign the material to its faces.") from error
    size, aspect = scale_of(material).tile_size, _aspect(image.image)
    recipe = properties.readable_recipe_of(image.image)
    sheet = recipe.request.sheet if recipe is not None else ONE_TILE
    of_tile = aspect * sheet.columns / sheet.rows
    return Fit(
        texels.mapping_scale(density, size * sheet.columns, aspect),
        texels.resolution(size, texels_per_length, of_tile),
    )


def apply(material: bpy.types.Material, fit: Fit) -> None:
    """Scale the material's texture so. Raises `UserError` where its coordinates are no plain Mapping of the UV map."""
    mapping = _mapping(material, _image_node(material))
    socket: Any = mapping.inputs["Scale"]
    facts = scale_of(material)
    if socket.is_linked:
        words = rpt_("The scale of {node} in {material} comes from another node.")
        raise targets.refusal(words.format(node=mapping.name, material=material.name))
    if mapping.vector_type in _MULTIPLYING:
        socket.default_value[:2] = fit.mapping
    elif mapping.vector_type == "TEXTURE":  # which divides by it
        socket.default_value[:2] = [1.0 / value for value in fit.mapping]
    else:
        words = rpt_("{node} in {material} maps normals, not points.")
        raise targets.refusal(words.format(node=mapping.name, material=material.name))
    facts.fitted, facts.fitted_scale = facts.tile_size, socket.default_value[:2]


def fit_new(obj: bpy.types.Object, material: bpy.types.Material) -> None:
    """Scale a texture whose mapping is new to the material's tile size, where the object tells how."""
    with suppress(UserError):
        apply(material, propose(obj, material, 1.0))


def fit_untouched(obj: bpy.types.Object, material: bpy.types.Material) -> None:
    """As `fit_new`, for a texture of ours that could not be fitted when it came, where nobody has scaled it since."""
    node = color_node.image_node(material)
    mapping: Any = _source(node.inputs["Vector"]) if node is not None else None
    ours = node is not None and node.image is not None and properties.facts_of(node.image).result
    plain = mapping is not None and mapping.bl_idname == "ShaderNodeMapping"
    if ours and plain and tuple(mapping.inputs["Scale"].default_value) == (1.0, 1.0, 1.0):
        fit_new(obj, material)


def is_fitted(material: bpy.types.Material) -> bool:
    """Whether one repeat is as large as the tile size says, as far as that was ever fitted; looks at no mesh."""
    facts, mapping = scale_of(material), _fitted_mapping(material)
    return mapping is not None and abs(facts.fitted - facts.tile_size) <= 1e-6 * facts.tile_size


def _fitted_mapping(material: bpy.types.Material) -> Any:
    """The Mapping that was fitted last and not changed since, None where there is none."""
    node = color_node.image_node(material)
    mapping: Any = _source(node.inputs["Vector"]) if node is not None else None
    if mapping is None or mapping.bl_idname != "ShaderNodeMapping" or mapping.inputs["Scale"].is_linked:
        return None
    facts, scale = scale_of(material), mapping.inputs["Scale"].default_value[:2]
    same = (abs(a - b) <= 1e-6 * abs(b) for a, b in zip(scale, facts.fitted_scale, strict=True))
    return mapping if facts.fitted > 0.0 and all(same) else None


def _size_changed(material: bpy.types.Material) -> None:
    """A texture that is fitted follows; its relief too."""
    facts, mapping = scale_of(material), _fitted_mapping(material)
    if mapping is not None and facts.fitted != facts.tile_size:
        factor = facts.fitted / facts.tile_size
        factor = 1.0 / factor if mapping.vector_type == "TEXTURE" else factor
        scale = mapping.inputs["Scale"].default_value
        scale[0], scale[1] = scale[0] * factor, scale[1] * factor
        facts.fitted, facts.fitted_scale = facts.tile_size, scale[:2]
    map_nodes.set_relief(material)


def _image_node(material: bpy.types.Material) -> bpy.types.ShaderNodeTexImage:
    node = color_node.image_node(material)
    if node is None or node.image is None:
        message = rpt_("{name} has no texture at its Base Color.").format(name=material.name)
        raise targets.refusal(message, "Add one first.")
    return node


def _mapping(material: bpy.types.Material, image: bpy.types.Node) -> Any:
    """The Mapping that the image is shown with; a new one where it has no coordinates of its own."""
    socket = image.inputs["Vector"]
    if not socket.is_linked:
        tree: Any = image.id_data
        mapping, coordinates = color_node.add_coordinates(tree)
        for node in {image, *_bare_images(tree)}:  # a material's maps stay on one another
            tree.links.new(mapping.outputs["Vector"], node.inputs["Vector"])
        x, y = color_node.place_of(image)
        for number, node in enumerate((mapping, coordinates), start=1):
            node.location = (x - number * (140 + color_node.GAP), y)
            node.select = False
        return mapping
    node = _source(socket)
    if node is not None and node.bl_idname == "ShaderNodeMapping":
        link = _link(node.inputs["Vector"])
        if link and (link.from_node.bl_idname == "ShaderNodeUVMap" or link.from_socket.name == "UV"):
            return node
    raise targets.refusal(
        rpt_("The texture of {name} is not placed by a Mapping node of the UV map.").format(name=material.name),
        "Link Texture Coordinate's UV to a Mapping node, and that to the image.",
    )


def _bare_images(tree: bpy.types.ShaderNodeTree) -> list[bpy.types.Node]:
    """The image nodes that the material's output depends on and that have no coordinates of their own."""
    output = shown.output(tree)
    waiting = [output] if output else []
    seen = {node.name: node for node in waiting}
    while waiting:
        for link in (link for socket in waiting.pop().inputs for link in socket.links):
            if link.from_node.name not in seen:
                seen[link.from_node.name] = link.from_node
                waiting.append(link.from_node)
    images = [node for node in seen.values() if node.bl_idname == "ShaderNodeTexImage"]
    return [node for node in images if not node.inputs["Vector"].is_linked]


def _link(socket: bpy.types.NodeSocket) -> bpy.types.NodeLink | None:
    """The link that feeds an input, from behind reroutes."""
    seen = set()
    while socket.is_linked:
        link = socket.links[0]
        if link.from_node.bl_idname != "NodeReroute" or link.from_node.name in seen:
            return link
        seen.add(link.from_node.name)
        socket = link.from_node.inputs[0]
    return None


def _source(socket: bpy.types.NodeSocket) -> bpy.types.Node | None:
    link = _link(socket)
    return link.from_node if link else None


def _aspect(image: bpy.types.Image) -> float:
    """Height over width; of ours by the recipe, since asking a large image has Blender decode it."""
    recipe = properties.readable_recipe_of(image)
    width, height = (recipe and recipe.request.result_size) or image.size
    return height / width if width and height else 1.0


@contextmanager
def _readable(obj: bpy.types.Object) -> Iterator[bpy.types.Mesh]:
    """The object's mesh; in Edit Mode, where Blender gives no UV coordinates out, a copy for the time being."""
    if obj.mode != "EDIT":
        yield cast(bpy.types.Mesh, obj.data)
        return
    obj.update_from_editmode()
    mesh = cast(bpy.types.Mesh, obj.data).copy()
    try:
        yield mesh
    finally:
        bpy.data.meshes.remove(mesh)


def _triangles(
    mesh: bpy.types.Mesh, obj: bpy.types.Object, material: bpy.types.Material, layer: str
) -> Iterator[tuple[float, float]]:
    """(area in the scene, area in the UV map) of the triangles with the material, a part of them where there are many.

    Of the mesh itself, without its modifiers: most keep the texel density.
    """
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    loops, slots = array("i", bytes(12 * count)), array("i", bytes(4 * count))
    mesh.loop_triangles.foreach_get("loops", loops)
    mesh.loop_triangles.foreach_get("material_index", slots)
    corners = array("i", bytes(4 * len(mesh.loops)))
    mesh.loops.foreach_get("vertex_index", corners)
    points = array("f", bytes(12 * len(mesh.vertices)))
    mesh.vertices.foreach_get("co", points)
    uv = array("f", bytes(8 * len(mesh.loops)))
    mesh.uv_layers[layer].uv.foreach_get("vector", uv)
    wanted = {index for index, slot in enumerate(obj.material_slots) if slot.material == material}
    chosen = [index for index in range(count) if min(slots[index], len(obj.material_slots) - 1) in wanted]
    matrix = obj.matrix_world
    for index in chosen[:: max(len(chosen) // _ENOUGH, 1)]:
        triangle = loops[3 * index : 3 * index + 3]
        places = [matrix @ Vector(points[3 * corners[loop] : 3 * corners[loop] + 3]) for loop in triangle]
        flat = [Vector(uv[2 * loop : 2 * loop + 2]) for loop in triangle]
        yield area_tri(*places), abs(area_tri(*flat))


CLASSES = (TILEWRIGHT_PG_material,)


def register() -> None:
    bpy.types.Material.tilewright = PointerProperty(type=TILEWRIGHT_PG_material)  # type: ignore[attr-defined]


def unregister() -> None:
    del bpy.types.Material.tilewright  # type: ignore[attr-defined]
