# SPDX-License-Identifier: GPL-3.0-or-later
"""Lays a tile so that its repeat does not show: shader nodes that draw it three times, shifted, and blend. Imports bpy.

The plane is cut into triangles. Each corner shifts the tile by a hash of its own, and inside a triangle the three are
blended by how near their corners are, in a way that keeps the histogram: each channel goes through a curve that makes
it a normal distribution, the sum is divided by its deviation, and the reverse curve leads back (Heitz and Neyret 2018;
weights to the fourth power after Burley 2019). Normals are blended as slopes. The corners have three colors, no two of
a triangle the same, and each drawing belongs to a color: so it jumps only where its weight is 0, and no line shows
where a graphics card picks a mip level from neighbouring pixels.

A set of tiles that fit each other (`core.variants`) needs no blending: each line between cells gets its color from a
hash, or each corner, and so each cell its tile. But there a graphics card would see a jump at every edge. So the sheet
is drawn four times: by cell, by the nearest line across, by the nearest line down, and by both; around a line only
those count that go on over it, on the sheet, to a tile with the same rim.

Between an image node and what it feeds stands one group node with all of that, in which the image stands three or four
times. The image node keeps its links and its coordinates, so that everything else finds it. The file needs no add-on.
"""

import math
import os
from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import bpy

from ...core.quantiles import Curve, normal_curve
from ...core.requests.texture import Axes
from ...core.variants import ONE_TILE, RIM, Sheet
from ..common import targets
from ..common.languages import rpt_
from ..settings.properties import facts_of, readable_recipe_of
from . import coordinates, feeds, masks
from .wiring import Socket, Wiring

GROUP = "Tilewright Without Repeat"
CELLS = "Tilewright Cells"
MARK = "tilewright_laid"  # on a group: the version of what is in it
VERSION = 2  # 1: sets of 16 were laid by edges
_SHARP = 4.0  # Burley's exponent: the power of a weight
_DISPLAY = 2.2  # colors are blended as they are seen
_SAMPLES = 1 << 14  # pixels that a histogram is made of; its finest part, 0.13 % at either end, then has 21 of them
_LEAST_Z = 0.05  # of a normal; steeper slopes would outweigh all others
_GLTF = "glTF Material Output"  # takes a picture for the exporter, and draws nothing
MASK_NAME = "Transition Mask"
_MASKED = "tilewright_masked"  # on a group of cells that a mask lays
_MASK_SIDE = 256  # pixels
_ALMOST = 1e-6
_CONTROLS = ("Strength", "Patch Size", "Columns", "Rows")

# Blender's types know the attributes of each kind of node by its own class, and here every kind comes along.
Node = Any
Corners = Callable[[Socket, Socket], Socket]  # the color of a corner, 0 or 1, by its place in tiles


def problem(images: Iterable[Node]) -> str:
    """Why these image nodes cannot be laid so, and what to do; "" where they can."""
    for node in images:
        if node.image is None:
            continue
        if node.projection != "FLAT":
            return rpt_("The node {node} does not lie flat. Set its projection to Flat.").format(node=node.name)
        if node.extension != "REPEAT":
            return rpt_("The node {node} does not repeat. Set its extension to Repeat.").format(node=node.name)
        if node.image.source not in {"FILE", "GENERATED"}:
            return rpt_("{name} is no single image.").format(name=node.image.name)
        recipe = readable_recipe_of(node.image)
        if is_transition(node.image) and not _is_plain(node):
            words = rpt_("The mask of {name} needs plain UV coordinates: the node's Mapping may only scale them.")
            return words.format(name=node.image.name)
        if recipe is not None and recipe.request.axes is not Axes.XY:
            return rpt_("{name} does not repeat both ways.").format(name=node.image.name)
        if node.outputs["Alpha"].is_linked:
            return rpt_("The alpha of the node {node} is used, which cannot be laid so.").format(node=node.name)
    return ""


def check_files(images: Iterable[Node]) -> None:
    """Raise `UserError` where the file of one of these image nodes is missing: nothing would be seen of a laid set."""
    for image in filter(None, (node.image for node in images)):
        path = bpy.path.abspath(image.filepath, library=image.library)
        if image.source == "FILE" and not (image.packed_file or image.has_data or os.path.isfile(path)):
            words = rpt_("The file of {name} is missing: {path}.").format(name=image.name, path=path)
            raise targets.refusal(words, "Find it with File, External Data.")


def group_of(node: Node) -> Node | None:
    """The group node that lays an image node, None where none does."""
    return next((link.to_node for link in node.outputs["Color"].links if feeds.is_laid(link.to_node)), None)


def is_laid(nodes: Iterable[Node]) -> bool:
    """Whether one of a material's nodes is a group that lays an image."""
    return any(feeds.is_laid(node) for node in nodes)


def lay(images: Iterable[Node], material: bpy.types.Material) -> int:
    """Lay these image nodes, as far as they feed anything. Returns how many are laid now.

    One that is of a single color needs no laying, and is left as it is. Reads the pixels of those that are new.
    """
    count = 0
    for node in images:
        group = group_of(node)
        targets_ = [link.to_socket for link in node.outputs["Color"].links if _draws(link.to_node)]
        if group is None and targets_ and node.image is not None:
            tree = _tree_for(node)
            if tree is not None:
                group = _put_before(node, tree, targets_)
        elif group is not None:
            for socket in targets_:  # linked since
                group.id_data.links.new(group.outputs["Color"], socket)
        if group is not None:
            set_controls(group, material)
            count += 1
    return count


def take_out(nodes: Sequence[Node]) -> None:
    """Lay nothing among a material's nodes any more: what the groups fed is fed by the images again."""
    for group in [node for node in nodes if feeds.is_laid(node)]:
        _remove(group)


def follow(nodes: Sequence[Node], images: Sequence[Node], material: bpy.types.Material) -> None:
    """Where a material is laid, lay what it shows now too, and nothing that feeds nothing. nodes: all that it has."""
    if not is_laid(nodes):
        return
    for group in [node for node in nodes if feeds.is_laid(node)]:
        image = feeds.laid_image(group)
        if image is None or not group.outputs["Color"].is_linked or problem([image]):
            _remove(group)
        else:
            show(image)
    lay([node for node in images if not problem([node])], material)


def show(node: Node) -> None:
    """Where an image node is laid, have its group draw the image that the node has now."""
    group = group_of(node)
    if group is None:
        return
    inner = next((entry for entry in group.node_tree.nodes if entry.bl_idname == feeds.IMAGE), None)
    if inner is not None and inner.image == node.image:
        return
    tree = _tree_for(node) if node.image is not None else None
    if tree is None:
        _remove(group)
        return
    _exchange(group, tree)
    clean()


def sheet_of(image: bpy.types.Image | None) -> Sheet:
    """How tiles lie on an image, or on the one that it was enlarged or mapped from; one tile where nobody knows."""
    recipe = readable_recipe_of(image) if image is not None else None
    if recipe is None:
        return ONE_TILE
    if not recipe.request.is_sampled:  # else it was made from a template, and is laid out anew
        recipe = recipe.source or recipe
    return recipe.request.sheet


def is_transition(image: bpy.types.Image | None) -> bool:
    """Whether the tiles on an image lead from one texture to another, so that a mask says where each lies."""
    recipe = readable_recipe_of(image) if image is not None else None
    if recipe is not None and not recipe.request.is_sampled:
        recipe = recipe.source or recipe
    return getattr(recipe.request, "transition", None) is not None if recipe is not None else False


def mask_of(nodes: Iterable[Node]) -> bpy.types.Image | None:
    """The mask by which a material's nodes are laid, None where there is none."""
    groups = [group.node_tree for group in nodes if feeds.is_laid(group)]
    inner = [node.node_tree for tree in groups for node in tree.nodes if node.bl_idname == "ShaderNodeGroup"]
    masks_ = (node.image for tree in inner for node in tree.nodes if node.bl_idname == feeds.IMAGE)
    return next(masks_, None)


def _is_plain(node: Node) -> bool:
    layout = coordinates.layout(node)
    return layout.by_uv and layout.upright and coordinates.matrix(node).translation.length < _ALMOST


def set_controls(group: Node, material: bpy.types.Material) -> None:
    """Give a group what the material's sliders say."""
    facts: Any = material.tilewright  # type: ignore[attr-defined]
    values = (facts.lay_strength, facts.lay_patch, facts.lay_columns, facts.lay_rows)
    for name, value in zip(_CONTROLS, values, strict=True):
        if name in group.inputs:  # one that lays a set has none
            group.inputs[name].default_value = value


def _draws(node: Node) -> bool:
    is_gltf = node.bl_idname == "ShaderNodeGroup" and node.node_tree and node.node_tree.name.startswith(_GLTF)
    return not is_gltf and not feeds.is_laid(node)


def _put_before(node: Node, tree: bpy.types.NodeTree, sockets: Sequence[Socket]) -> Node:
    owner = node.id_data
    group = owner.nodes.new("ShaderNodeGroup")
    group.node_tree = tree
    group.name, group.label = f"{GROUP} {node.name}", rpt_("Without Repeat")
    group.parent, group.select = node.parent, False
    group.location = (node.location[0] + 30.0, node.location[1] + 40.0)  # above the image's right edge
    group.width, group.hide = 160.0, True
    vector = feeds.live_link(node.inputs["Vector"])
    if vector is not None:
        owner.links.new(vector.from_socket, group.inputs["Vector"])
    owner.links.new(node.outputs["Color"], group.inputs["Color"])
    for socket in sockets:
        owner.links.new(group.outputs["Color"], socket)
    return group


def _exchange(group: Node, tree: bpy.types.NodeTree) -> None:
    """Put another group into a node. Blender goes by the sockets' numbers, and those of a set's are others."""
    owner = group.id_data
    ends = {name: link.from_socket for name in ("Color", "Vector") if (link := feeds.live_link(group.inputs[name]))}
    fed = [link.to_socket for link in group.outputs["Color"].links]
    values = {name: group.inputs[name].default_value for name in _CONTROLS if name in group.inputs}
    group.node_tree = tree
    for name, end in ends.items():
        owner.links.new(end, group.inputs[name])
    for socket in fed:
        owner.links.new(group.outputs["Color"], socket)
    for name, value in values.items():
        if name in group.inputs:
            group.inputs[name].default_value = value


def _remove(group: Node) -> None:
    owner = group.id_data
    link = feeds.live_link(group.inputs["Color"])
    for socket in [link.to_socket for link in group.outputs["Color"].links]:
        if link is not None:
            owner.links.new(link.from_socket, socket)
    owner.nodes.remove(group)
    clean()


def clean() -> None:
    """Delete the groups of ours that nothing uses any more, and what they share after the last of them."""
    while unused := [tree for tree in bpy.data.node_groups if tree.get(MARK) and not (tree.users or tree.library)]:
        bpy.data.batch_remove(unused)


# --- the groups ----------------------------------------------------------------------------------------------------


def _tree_for(node: Node) -> bpy.types.NodeTree | None:
    """The group that lays what an image node shows; None where that is one color everywhere."""
    sheet = sheet_of(node.image)
    if sheet.count > 1:
        return _set_tree(node, sheet)
    is_normal = _is_normal(node)
    curves = [] if is_normal else _curves(node.image)
    if not is_normal and not any(curves):
        return None
    tree = _new_tree(node)
    wiring = Wiring(tree)
    color, vector, strength, patch, columns, rows = wiring.inputs(
        Color=("Color", None),
        Vector=("Vector", None),
        Strength=("Float", 1.0),
        Patch_Size=("Float", 0.6),
        Columns=("Float", 0.0),
        Rows=("Float", 0.0),
    )
    if not node.inputs["Vector"].is_linked:  # an image then takes the UV map that renders use; a group does not
        vector = wiring.node("TexCoord").outputs["UV"]
    cells = wiring.node("Group", node_tree=shared(CELLS, _fill_cells))
    for name, value in (("Vector", vector), ("Patch Size", patch), ("Columns", columns), ("Rows", rows)):
        wiring.give(value, cells.inputs[name])
    is_color = not node.image.colorspace_settings.is_data
    space = _Slopes(wiring) if is_normal else _Curved(wiring, curves, is_color=is_color)
    plain = space.enter(color)
    weights = wiring.separate(cells.outputs["Weights"])
    drawn = []
    for name, weight in zip("ABC", weights, strict=True):
        image = wiring.node("TexImage", cells.outputs[name], image=node.image, extension="REPEAT")
        image.interpolation = node.interpolation
        drawn.append(wiring.vector("SCALE", space.enter(image.outputs["Color"]), weight))
    whole = wiring.vector("ADD", wiring.vector("ADD", drawn[0], drawn[1]), drawn[2])
    squares = wiring.vector("DOT_PRODUCT", cells.outputs["Weights"], cells.outputs["Weights"])
    laid = wiring.vector("SCALE", whole, wiring.math("INVERSE_SQRT", squares))
    # the plain tile is one drawing more, so that the deviation is right at every strength
    rest = wiring.math("SUBTRACT", 1.0, strength)
    both = wiring.vector("ADD", wiring.vector("SCALE", plain, rest), wiring.vector("SCALE", laid, strength))
    length = wiring.math("MULTIPLY_ADD", strength, strength, wiring.math("MULTIPLY", rest, rest))
    mixed = wiring.vector("SCALE", both, wiring.math("INVERSE_SQRT", length))
    # Blender's exporter of glTF goes into a group from its first output node, active or not (4.2 to 5.2): there it
    # meets the plain tile, and not every way through the arithmetic, which took it over a minute.
    wiring.outputs(Color=("Color", color))
    wiring.outputs(Color=("Color", space.leave(mixed)))
    return tree


def _new_tree(node: Node) -> bpy.types.NodeTree:
    tree: Any = bpy.data.node_groups.new(f"{GROUP} {node.image.name}"[:60], "ShaderNodeTree")
    tree[feeds.LAID] = tree[MARK] = VERSION
    return tree


def _set_tree(node: Node, sheet: Sheet) -> bpy.types.NodeTree:
    """The group that lays a set of tiles."""
    tree = _new_tree(node)
    wiring = Wiring(tree)
    color, vector = wiring.inputs(Color=("Color", None), Vector=("Vector", None))
    if not node.inputs["Vector"].is_linked:
        vector = wiring.node("TexCoord").outputs["UV"]
    if is_transition(node.image):
        cells = wiring.node("Group", node_tree=_cells_by_mask(node, sheet))
        uv_map = coordinates.layout(node).uv_map
        wiring.give(wiring.node("UVMap", uv_map=uv_map).outputs["UV"], cells.inputs["UV"])
    else:
        filled = shared(f"{CELLS} of {sheet.count}", lambda made: _fill_set(made, sheet))
        cells = wiring.node("Group", node_tree=filled)
    wiring.give(vector, cells.inputs["Vector"])
    drawn = []
    for name in "ABCD":
        image = wiring.node("TexImage", cells.outputs[name], image=node.image, extension="REPEAT")
        image.interpolation = node.interpolation
        drawn.append(wiring.vector("SCALE", image.outputs["Color"], cells.outputs[f"Weight {name}"]))
    pairs = [wiring.vector("ADD", drawn[0], drawn[1]), wiring.vector("ADD", drawn[2], drawn[3])]
    wiring.outputs(Color=("Color", color))  # for glTF, see `_tree_for`
    wiring.outputs(Color=("Color", wiring.vector("ADD", *pairs)))
    return tree


def _cells_by_mask(node: Node, sheet: Sheet) -> bpy.types.NodeTree:
    """The cells of a transition, by the mask that the material has, or else a new one."""
    mask = mask_of(node.id_data.nodes) or masks.new_halves(MASK_NAME, _MASK_SIDE)
    for tree in bpy.data.node_groups:
        if tree.get(MARK) == VERSION and tree.get(_MASKED) and any(mask == _image(inner) for inner in tree.nodes):
            return tree
    made: Any = bpy.data.node_groups.new(f"{CELLS} by {mask.name}"[:60], "ShaderNodeTree")
    made[MARK] = VERSION
    made[_MASKED] = True
    _fill_set(made, sheet, mask)
    return made


def _image(node: Node) -> bpy.types.Image | None:
    return node.image if node.bl_idname == feeds.IMAGE else None


def _looked_up(wiring: Wiring, sheet: Sheet, mask: bpy.types.Image, vector: Socket, uv: Socket) -> Corners:
    """The colors of corners by what the mask shows there.

    The mask lies on the UV map itself. How much the material's Mapping scales that is seen in both coordinates.
    """
    back = wiring.vector("DIVIDE", uv, wiring.vector("MULTIPLY", vector, (sheet.columns, sheet.rows, 0.0)))

    def color(x: Socket, y: Socket) -> Socket:
        where = wiring.vector("MULTIPLY", wiring.combine(x, y), back)
        shown = wiring.node("TexImage", where, image=mask, extension="EXTEND")
        return wiring.math("GREATER_THAN", shown.outputs["Color"], 0.5)

    return color


def _fill_set(tree: bpy.types.NodeTree, sheet: Sheet, mask: bpy.types.Image | None = None) -> None:
    """Where on the sheet each of four drawings looks, and how much it weighs."""
    wiring = Wiring(tree)
    by_mask: Corners | None = None
    if mask is not None:
        vector, uv = wiring.inputs(Vector=("Vector", None), UV=("Vector", None))
        by_mask = _looked_up(wiring, sheet, mask, vector, uv)
    else:
        (vector,) = wiring.inputs(Vector=("Vector", None))
    counts = (float(sheet.columns), float(sheet.rows), 1.0)
    place = wiring.vector("MULTIPLY", vector, (counts[0], counts[1], 0.0))
    cell = wiring.vector("FLOOR", place)
    beyond = wiring.vector("FLOOR", wiring.vector("ADD", place, (-0.5, -0.5, 0.0)))  # whose far line is the nearest one
    cell_x, cell_y, _zero = wiring.separate(cell)
    beyond_x, beyond_y, _zero = wiring.separate(beyond)
    off = wiring.vector("SUBTRACT", wiring.vector("SUBTRACT", place, beyond), (1.0, 1.0, 0.0))
    near = wiring.vector("ABSOLUTE", off)
    # how much of a line's own drawing: all of it within a fourth of the rim, nothing from a half on
    slope, end = -4.0 * RIM, 2.0
    at_x, at_y = (
        wiring.node("Math", distance, slope, end, operation="MULTIPLY_ADD", use_clamp=True).outputs[0]
        for distance in wiring.separate(near)[:2]
    )
    off_x, off_y = (wiring.math("SUBTRACT", 1.0, at) for at in (at_x, at_y))
    outputs: dict[str, tuple[str, Socket]] = {}
    for name, x, y, weight_x, weight_y in (
        ("A", cell_x, cell_y, off_x, off_y),
        ("B", beyond_x, cell_y, at_x, off_y),
        ("C", cell_x, beyond_y, off_x, at_y),
        ("D", beyond_x, beyond_y, at_x, at_y),
    ):
        inside = wiring.vector("SUBTRACT", place, wiring.combine(x, y))
        looks = wiring.vector("ADD", inside, _tile_of(wiring, sheet, x, y, by_mask))
        outputs[name] = ("Vector", wiring.vector("DIVIDE", looks, counts))
        outputs[f"Weight_{name}"] = ("Float", wiring.math("MULTIPLY", weight_x, weight_y))
    wiring.outputs(**outputs)


def _tile_of(wiring: Wiring, sheet: Sheet, x: Socket, y: Socket, by_mask: "Corners | None" = None) -> Socket:
    """Column and row, from the bottom, of the tile that lies in a cell, by the colors of its corners or edges.

    by_mask: gives the color of a corner, in place of a hash.
    """

    def colors(right: float, up: float) -> tuple[Socket, Socket, Socket]:
        """Of the line on the left and that below, 0 or 1; and which of several tiles."""
        hashed = wiring.node("TexWhiteNoise", noise_dimensions="2D")
        # half a step off whole numbers: 0 and -0 are one place, and have two hashes
        name = wiring.combine(wiring.math("ADD", x, right + 0.5), wiring.math("ADD", y, up + 0.5))
        wiring.give(name, hashed.inputs["Vector"])
        parts = wiring.separate(hashed.outputs["Color"])
        left, below, choice = (wiring.math("GREATER_THAN", part, 0.5) for part in parts)
        return left, below, choice

    def differ(one: Socket, other: Socket) -> Socket:
        return wiring.math("ABSOLUTE", wiring.math("SUBTRACT", one, other))

    def in_cycle(first: Socket, second: Socket) -> Socket:
        """Where in 0, 0, 1, 1 a color is followed by another."""
        return wiring.math("MULTIPLY_ADD", first, 2.0, differ(first, second))

    if sheet.by_corners:  # as `Sheet.place`
        places = [(right, up) for up in (1.0, 0.0) for right in (0.0, 1.0)]
        if by_mask is None:
            first, second, third, fourth = (colors(right, up)[0] for right, up in places)
        else:
            first, second, third, fourth = (
                by_mask(wiring.math("ADD", x, right), wiring.math("ADD", y, up)) for right, up in places
            )

        def of(two: Socket, one: Socket, other: Socket, apart: tuple[Socket, Socket]) -> Socket:
            """Twice one of two, or the other where a third pair differs; and 1 where those `apart` differ."""
            chosen = wiring.math("MULTIPLY_ADD", two, wiring.math("SUBTRACT", other, one), one)
            return wiring.math("MULTIPLY_ADD", chosen, 2.0, differ(*apart))

        column = of(differ(second, fourth), first, third, (first, fourth))
        row = of(differ(third, fourth), second, first, (second, third))
        return wiring.combine(column, wiring.math("SUBTRACT", sheet.rows - 1.0, row))
    left, _below, choice = colors(0.0, 0.0)
    column = in_cycle(left, colors(1.0, 0.0)[0])
    if sheet.rows == 1:
        return wiring.combine(column, 0.0)
    return wiring.combine(column, choice)


def shared(name: str, fill: Callable[[bpy.types.NodeTree], None]) -> bpy.types.NodeTree:
    """The group of that name, in which nothing depends on an image; made where it is not there."""
    for tree in bpy.data.node_groups:
        if tree.name.partition(".")[0] == name and tree.get(MARK) == VERSION and tree.library is None:
            return tree
    made: Any = bpy.data.node_groups.new(name, "ShaderNodeTree")
    made[MARK] = VERSION
    fill(made)
    return made


def _fill_cells(tree: bpy.types.NodeTree) -> None:
    """Where each of three drawings looks and how much it weighs: the weights to the fourth power."""
    wiring = Wiring(tree)
    vector, patch, columns, rows = wiring.inputs(
        Vector=("Vector", None), Patch_Size=("Float", 0.6), Columns=("Float", 0.0), Rows=("Float", 0.0)
    )
    scaled = wiring.vector("SCALE", vector, wiring.math("DIVIDE", 1.0, wiring.math("MAXIMUM", patch, 0.01)))
    root = math.sqrt(3.0)  # to coordinates in which the triangles are halves of squares
    skewed = wiring.combine(
        wiring.vector("DOT_PRODUCT", scaled, (1.0, -1.0 / root, 0.0)),
        wiring.vector("DOT_PRODUCT", scaled, (0.0, 2.0 / root, 0.0)),
    )
    corner = wiring.vector("FLOOR", skewed)
    inside = wiring.vector("FRACTION", skewed)
    in_x, in_y, _zero = wiring.separate(inside)
    upper = wiring.math("GREATER_THAN", wiring.math("ADD", in_x, in_y), 1.0)
    corner_x, corner_y, _zero = wiring.separate(corner)
    hue = wiring.math("SUBTRACT", corner_x, corner_y)
    # Shifts by whole columns and rows, where asked for. Else by 4096th parts: whole pixels, drawn as sharp as the tile.
    steps_x, steps_y = (
        wiring.math("MAXIMUM", count, wiring.math("MULTIPLY", wiring.math("LESS_THAN", count, 0.5), 4096.0))
        for count in (columns, rows)
    )
    steps, flat = wiring.combine(steps_x, steps_y, 1.0), wiring.combine(steps_x, steps_y, 0.0)
    places, weights = [], []
    for number in range(3):
        # which corner of the triangle has this color: 0 the first, or the far one of the upper triangle; 1 and 2 others
        turn = wiring.math("WRAP", wiring.math("SUBTRACT", number + 0.5, hue), 3.0, 0.0)
        first = wiring.math("MULTIPLY", wiring.math("LESS_THAN", turn, 1.0), upper)
        along_x = wiring.math("ADD", wiring.math("COMPARE", turn, 1.5, 0.4), first)
        along_y = wiring.math("ADD", wiring.math("COMPARE", turn, 2.5, 0.4), first)
        own = wiring.combine(along_x, along_y)
        off_x, off_y, _zero = wiring.separate(wiring.vector("ABSOLUTE", wiring.vector("SUBTRACT", inside, own)))
        signed_x, signed_y, _zero = wiring.separate(wiring.vector("SUBTRACT", inside, own))
        across = wiring.math("ABSOLUTE", wiring.math("ADD", signed_x, signed_y))
        far = wiring.math("MAXIMUM", wiring.math("MAXIMUM", off_x, off_y), across)
        near = wiring.math("MAXIMUM", wiring.math("SUBTRACT", 1.0, far), 0.0)
        weights.append(wiring.math("POWER", near, _SHARP))
        # half a step off whole numbers: 0 and -0 are one place, and have two hashes
        name = wiring.vector("ADD", wiring.vector("ADD", corner, own), (0.5, 0.5, 0.0))
        hashed = wiring.node("TexWhiteNoise", noise_dimensions="2D")
        wiring.give(name, hashed.inputs["Vector"])
        shift = wiring.vector("FLOOR", wiring.vector("MULTIPLY", hashed.outputs["Color"], flat))
        places.append(wiring.vector("ADD", vector, wiring.vector("DIVIDE", shift, steps)))
    wiring.outputs(
        A=("Vector", places[0]),
        B=("Vector", places[1]),
        C=("Vector", places[2]),
        Weights=("Vector", wiring.combine(*weights)),
    )


class _Slopes:
    """A normal map's colors as slopes, whose mean is 0, and back."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def enter(self, color: Socket) -> Socket:
        wiring = self._wiring
        normal = wiring.vector("MULTIPLY_ADD", color, (2.0, 2.0, 2.0), (-1.0, -1.0, -1.0))
        x, y, z = wiring.separate(normal)
        steep = wiring.math("DIVIDE", 1.0, wiring.math("MAXIMUM", z, _LEAST_Z))
        return wiring.vector("SCALE", wiring.combine(x, y), steep)

    def leave(self, slopes: Socket) -> Socket:
        wiring = self._wiring
        normal = wiring.vector("NORMALIZE", wiring.vector("ADD", slopes, (0.0, 0.0, 1.0)))
        return wiring.vector("MULTIPLY_ADD", normal, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class _Curved:
    """Colors or values as a normal distribution around 0, by each channel's histogram, and back."""

    def __init__(self, wiring: Wiring, curves: Sequence[Curve | None], *, is_color: bool) -> None:
        self._wiring = wiring
        self._is_color = is_color
        flat = Curve(((0.0, 0.0), (1.0, 1.0)), 0.0, 1.0, 0.5)
        self._curves = [curve or flat for curve in curves]

    def enter(self, color: Socket) -> Socket:
        wiring = self._wiring
        if self._is_color:
            color = wiring.node("Gamma", color, 1.0 / _DISPLAY).outputs[0]
        spans = [1.0 / curve.span for curve in self._curves]
        lows = [-curve.low / curve.span for curve in self._curves]
        scaled = wiring.vector("MULTIPLY_ADD", color, spans, lows)
        even = self._through(scaled, [curve.points for curve in self._curves])
        return wiring.vector("SUBTRACT", even, [curve.mean for curve in self._curves])

    def leave(self, even: Socket) -> Socket:
        wiring = self._wiring
        moved = wiring.vector("ADD", even, [curve.mean for curve in self._curves])
        back = self._through(moved, [curve.turned for curve in self._curves])
        spans, lows = [curve.span for curve in self._curves], [curve.low for curve in self._curves]
        color = wiring.vector("MULTIPLY_ADD", back, spans, lows)
        return wiring.node("Gamma", color, _DISPLAY).outputs[0] if self._is_color else color

    def _through(self, vector: Socket, channels: Sequence[Sequence[tuple[float, float]]]) -> Socket:
        node = self._wiring.node("RGBCurve")
        self._wiring.give(vector, node.inputs["Color"])
        mapping = node.mapping
        mapping.extend = "HORIZONTAL"
        for curve, points in zip(mapping.curves, channels, strict=False):
            while len(curve.points) > 2:
                curve.points.remove(curve.points[1])
            curve.points[0].location, curve.points[-1].location = points[0], points[-1]
            for x, y in points[1:-1]:
                curve.points.new(x, y)
            for point in curve.points:
                point.handle_type = "VECTOR"
        mapping.update()
        return node.outputs[0]


# --- what is in an image -------------------------------------------------------------------------------------------


def _is_normal(node: Node) -> bool:
    """Whether an image holds normals: ours say so, others go into a Normal Map."""
    kind = facts_of(node.image).kind
    if kind:
        return bool(kind == "normal")
    return any(
        link.to_node.bl_idname == "ShaderNodeNormalMap" for link in node.outputs["Color"].links if _draws(link.to_node)
    )


def _curves(image: bpy.types.Image) -> list[Curve | None]:
    """For red, green and blue, as they are blended."""
    source: Any = image.pixels
    width, height, channels = *image.size, image.channels
    pixels = array("f", [0.0]) * len(source)  # not of bytes, which took half of the whole time
    if not pixels:
        raise targets.refusal(rpt_("{name} has no pixels.").format(name=image.name))
    source.foreach_get(pixels)
    # A stride that has nothing in common with the width runs over all columns.
    stride = max(width * height // _SAMPLES, 1)
    while math.gcd(stride, width) > 1:
        stride += 1
    planes = [pixels[min(channel, channels - 1) :: channels * stride] for channel in range(3)]
    if not image.colorspace_settings.is_data:
        curve = cache(_from_linear if image.is_float else _from_encoded)  # most images have 256 values at most
        planes = [array("f", map(curve, plane)) for plane in planes]
    if planes[0] == planes[1] == planes[2]:  # a map's
        return [normal_curve(planes[0])] * 3
    return [normal_curve(plane) for plane in planes]


def _from_linear(value: float) -> float:
    return max(value, 0.0) ** (1.0 / _DISPLAY)


def _from_encoded(value: float) -> float:
    return _from_linear(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
