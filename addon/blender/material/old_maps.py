# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps of another texture than the material's color is now: found, made anew, or taken out. Imports bpy and core."""

from typing import Any

import bpy

from ...core.requests.finish import MapKind
from ...core.results import MAPS
from ..pictures import images
from ..settings.properties import facts_of
from . import color_node, feeds, map_nodes

_ENDS = (map_nodes.DISPLACEMENT, map_nodes.NORMAL_MAP, map_nodes.GLTF_NODE)  # of ours, which nothing goes on from


def find(material: bpy.types.Material) -> list[Any]:
    """The image nodes that show such maps, those of ours too that are linked to nothing; none where all are idle.

    Reads no disk.
    """
    base: Any = color_node.image_node(material)
    if base is None or base.image is None or not facts_of(base.image).result:
        return []
    result = facts_of(base.image).result
    nodes: list[Any] = [node for node in material.node_tree.nodes if node.bl_idname == feeds.IMAGE]
    old = [
        node
        for node in nodes
        if node.image is not None
        and (facts := facts_of(node.image)).kind in MAPS
        and facts.result not in ("", result)
        and (_is_linked(node) or map_nodes.is_ours(node, color_node.PREFIX + map_nodes.TITLES[MapKind(facts.kind)]))
    ]
    return old if any(map(_is_linked, old)) else []


def _is_linked(node: Any) -> bool:
    return any(output.is_linked for output in node.outputs)


def take_out(material: bpy.types.Material) -> int:
    """Remove those nodes, and what we put between them and the material; their images stay. Returns how many."""
    tree: Any = material.node_tree
    old = find(material)
    for node in old:
        for helper in [link.to_node for output in node.outputs for link in output.links]:
            if map_nodes.is_ours(helper, map_nodes.MULTIPLY):
                map_nodes.unmultiply_occlusion(material, helper)
            elif map_nodes.is_ours(helper, map_nodes.BUMP):
                _pass_on(tree, helper)
            elif any(map_nodes.is_ours(helper, name) for name in _ENDS):
                tree.nodes.remove(helper)
        images.keep(node.image)
        tree.nodes.remove(node)
    return len(old)


def _pass_on(tree: Any, bump: Any) -> None:
    """Remove a bump; the normal that it had goes where its own went."""
    links = bump.inputs["Normal"].links
    source = links[0].from_socket if links else None
    targets = [link.to_socket for link in bump.outputs["Normal"].links]
    tree.nodes.remove(bump)
    for socket in targets if source is not None else ():
        tree.links.new(source, socket)
