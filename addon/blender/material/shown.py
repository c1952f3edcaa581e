# SPDX-License-Identifier: GPL-3.0-or-later
"""What an object shows of a material: the output of the scene's engine, and the Principled BSDF behind it. Imports bpy.

What is linked may not be shown: behind a muted link or node, on the hidden side of a Mix Shader, at another engine's
output, on no face of the object. A node group is entered; its node belongs to the group's tree (`node.id_data`).
"""

from array import array
from dataclasses import dataclass, field
from typing import Any

import bpy

from ..common.languages import rpt_
from . import feeds

PRINCIPLED = "ShaderNodeBsdfPrincipled"
_FOR_ALL = "tilewright_for_all"  # on a group: the user wants it edited for all who use it; undo takes that back too
_DEEPEST = 16  # groups in each other
_ENGINES = {"CYCLES": "CYCLES", "BLENDER_EEVEE": "EEVEE", "BLENDER_EEVEE_NEXT": "EEVEE"}  # others take any output
_ENDS = 1e-6  # of a Mix Shader's factor


def output(tree: Any) -> Any:
    """The output node that the scene's engine shows."""
    return tree.get_output_node(_ENGINES.get(bpy.context.scene.render.engine, "ALL"))


@dataclass
class Surface:
    """What is behind an output. principled: the selected one of several, or else the nearest; None where none is shown.

    why: a sentence that says why there is none, and what to do. shared: there is none because it is in the group of
    this node, which others use too: `edit_for_all` or `make_own` changes that.
    """

    principled: Any = None
    why: str = ""
    shared: Any = None


@dataclass
class _Walk:
    """Along the shaders that are shown, from the output."""

    found: list[Any] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    groups: list[Any] = field(default_factory=list)  # that the way has entered
    shared: list[Any] = field(default_factory=list)  # the nodes of groups that others use too

    def behind(self, sockets: list[Any]) -> None:
        waiting = list(sockets)
        seen = set()
        while waiting:
            socket = waiting.pop(0)
            link = feeds.live_link(socket)
            if link is None:
                if socket.is_linked:
                    words = rpt_("The link to {input} of {node} is muted. Unmute it and press Apply.")
                    self.reasons.append(words.format(input=socket.name, node=socket.node.name))
                continue
            node = link.from_node
            if node.name in seen:
                continue
            seen.add(node.name)
            waiting += self._through(node, link)

    def _through(self, node: Any, link: Any) -> list[Any]:
        if node.mute:
            inner = feeds.passed_by_mute(link)
            words = rpt_("The node {node} is muted. Unmute it and press Apply.")
            self.reasons.append(words.format(node=node.name))
            return [inner] if inner is not None else []
        if node.bl_idname == PRINCIPLED:
            self.found.append(node)
            return []
        if node.bl_idname == "ShaderNodeMixShader":
            return self._mixed(node)
        if node.bl_idname == "ShaderNodeGroup":
            self._enter(node, link)
            return []
        if node.bl_idname == "NodeReroute":
            return list(node.inputs)
        shaders = [socket for socket in node.inputs if socket.type == "SHADER"]
        if not shaders:
            words = rpt_("Its surface is a {node}. Put a Principled BSDF in its place and press Apply.")
            self.reasons.append(words.format(node=node.bl_label))
        return shaders

    def _mixed(self, node: Any) -> list[Any]:
        """The inputs of a Mix Shader that have a part in it."""
        factor, one, other = node.inputs
        path = f"{factor.path_from_id('default_value')}"
        moving = node.id_data.animation_data
        curves = [*moving.drivers, *_curves(moving)] if moving else []
        if factor.is_linked or any(curve.data_path == path for curve in curves):
            return [one, other]
        amount = factor.default_value
        shown = [socket for socket, part in ((one, 1.0 - amount), (other, amount)) if part > _ENDS]
        if len(shown) == 1:
            words = rpt_("The factor {amount:g} of {node} hides one of its shaders. Change it and press Apply.")
            self.reasons.append(words.format(amount=amount, node=node.name))
        return shown

    def _enter(self, node: Any, link: Any) -> None:
        group = node.node_tree
        if group is None or len(self.groups) > _DEEPEST or any(entered.node_tree == group for entered in self.groups):
            return
        inner = _Walk(groups=[*self.groups, node])
        for end in group.nodes:
            if end.bl_idname == "NodeGroupOutput" and end.is_active_output:
                inner.behind([entry for entry in end.inputs if entry.identifier == link.from_socket.identifier])
        self.reasons += inner.reasons
        if not inner.found and not inner.shared:
            return
        if group.library is not None or group.override_library is not None:
            words = rpt_(
                "Its Principled BSDF is in the group {name}, which comes from another file. Make it local first."
            )
            self.reasons.append(words.format(name=group.name))
        elif users(group) > 1 and not group.get(_FOR_ALL):
            self.shared.append(node)
            words = rpt_(
                "Its Principled BSDF is in the group {name}, which is used {count} times. Edit it for all, or make a "
                "copy for this material."
            )
            self.reasons.insert(0, words.format(name=group.name, count=users(group)))
        else:
            self.found += inner.found
            self.shared += inner.shared


def users(group: Any) -> int:
    """How many use a group."""
    return int(group.users - group.use_fake_user)


def _curves(moving: Any) -> list[Any]:
    """All curves of an action, before and after it was layered (4.4)."""
    action = moving.action
    if action is None:
        return []
    if not hasattr(action, "layers"):
        return list(action.fcurves)
    strips = [strip for layer in action.layers for strip in layer.strips]
    return [curve for strip in strips for bag in strip.channelbags for curve in bag.fcurves]


def surface(tree: Any) -> Surface:
    """What the output of the scene's engine shows."""
    end = output(tree)
    if end is None:
        return Surface(why=rpt_("It has no Material Output for this render engine. Add one and press Apply."))
    walk = _Walk()
    walk.behind([end.inputs["Surface"]])
    found = walk.found
    chosen = next((node for node in found if node.select and len(found) > 1), found[0] if found else None)
    if chosen is not None:
        return Surface(chosen)
    return Surface(why=next(iter(walk.reasons), ""), shared=next(iter(walk.shared), None))


def edit_for_all(tree: Any) -> None:
    """Let the Principled BSDF be edited where it is, in a group that others use too."""
    for _ in range(_DEEPEST):
        if (node := surface(tree).shared) is not None:
            node.node_tree[_FOR_ALL] = True


def make_own(tree: Any) -> None:
    """Put copies in place of the groups that others use too, down to the Principled BSDF; the outermost first."""
    for _ in range(_DEEPEST):
        if (node := surface(tree).shared) is not None:
            node.node_tree = node.node_tree.copy()


def principled(tree: Any) -> Any:
    """The Principled BSDF that is shown; see `Surface`."""
    return surface(tree).principled


def nodes(material: bpy.types.Material) -> list[Any]:
    """The material's nodes, and those of the group that its Principled BSDF is in."""
    if material.node_tree is None:
        return []
    inner = principled(material.node_tree)
    trees = [material.node_tree]
    if inner is not None and inner.id_data != material.node_tree:
        trees.append(inner.id_data)
    return [node for tree in trees for node in tree.nodes]


def own_groups(material: bpy.types.Material) -> list[int]:
    """Give a fresh copy of a material its own copies of the groups that only the original had. Their session uids."""
    made = []
    tree: Any = material.node_tree
    for node in tree.nodes if tree is not None else ():
        group = node.node_tree if node.bl_idname == "ShaderNodeGroup" else None
        if group is None or group.library is not None or (users(group) != 2 and not group.get(_FOR_ALL)):
            continue
        if any(inner.bl_idname == PRINCIPLED for inner in group.nodes):
            node.node_tree = group.copy()
            made.append(node.node_tree.session_uid)
    return made


def hidden(obj: bpy.types.Object | None, material: bpy.types.Material) -> str:
    """Why an object shows nothing of a material, and what to do; "" where it does, or where nobody can know."""
    if obj is None:
        return ""
    layer = bpy.context.view_layer
    override = layer.material_override if layer is not None else None
    if override is not None and override != material:
        words = rpt_("The view layer shows {other} on everything. Clear its Material Override to see it.")
        return words.format(other=override.name)
    if material not in [slot.material for slot in obj.material_slots]:
        return rpt_("{object} doesn't have this material. Assign it to see it.").format(object=obj.name)
    if obj.type != "MESH":
        return ""
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.data
    if not isinstance(mesh, bpy.types.Mesh) or not mesh.polygons:
        return ""
    indices = array("i", bytes(4 * len(mesh.polygons)))
    mesh.polygons.foreach_get("material_index", indices)
    used = [_material_at(obj, mesh, index) for index in sorted(set(indices))]
    if material in used:
        return ""
    names = ", ".join(other.name for other in used if other is not None)
    if any(modifier.type == "NODES" and modifier.show_viewport for modifier in obj.modifiers) and names:
        words = rpt_("Geometry Nodes of {object} show {other} instead. Make that one active, or remove Set Material.")
        return words.format(object=obj.name, other=names)
    return rpt_("No face of {object} has this material. Assign it in Edit Mode to see it.").format(object=obj.name)


def _material_at(obj: bpy.types.Object, mesh: bpy.types.Mesh, index: int) -> bpy.types.Material | None:
    """The material of faces with that index; one beyond the last counts as the last."""
    slots = obj.material_slots
    if index < len(slots) and slots[index].link == "OBJECT":
        shown = slots[index].material
    else:
        shown = mesh.materials[min(index, len(mesh.materials) - 1)] if mesh.materials else None
    return shown.original if shown is not None else None
