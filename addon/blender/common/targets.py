# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a result goes: chosen at Generate, kept as plain values, looked up again when it arrives. Imports bpy."""

from dataclasses import dataclass
from typing import Any

import bpy

from ...core.errors import ErrorKind, UserError
from .languages import rpt_

_WITH_MATERIALS = {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD", "VOLUME"}


@dataclass(frozen=True)
class Look:
    """How an image's numbers are read: the name of its color space, and its alpha mode."""

    color_space: str
    alpha_mode: str


@dataclass(frozen=True)
class Target:
    """document: the file that was open (`state.document`).

    kind: BASE_COLOR, SELECTED_NODE or NEW_NODE; IMAGE for what is made of a picture and goes into no material.

    material, object: session uids, which survive undo and renaming; a material of 0 is to be made for the object.
    node: the image node's name for SELECTED_NODE. title: what it is called in a sentence.
    look, source: of the picture that the result is made of, if it is made of one: how it is read, its session uid.
    """

    document: str
    kind: str
    object: int
    material: int
    node: str
    title: str
    look: Look | None = None
    source: int = 0


def refusal(message: str, hint: str = "") -> UserError:
    """What is wrong with a target."""
    return UserError(ErrorKind.TARGET, message, hint)


def choose(context: bpy.types.Context, kind: str, document: str) -> Target:
    """The active object's active material, as a target. Raises `UserError` where no result could go there."""
    obj = context.object
    if obj is None:
        raise refusal("No object is active.", "Select the object to texture.")
    if obj.type not in _WITH_MATERIALS:
        raise refusal(
            rpt_("{name} cannot have a material.").format(name=obj.name), "Select one that can, such as a mesh."
        )
    material = material_of(context)
    if material is None:
        if kind == "SELECTED_NODE":
            raise refusal(
                rpt_("{name} has no material.").format(name=obj.name), "Choose the target Base Color, which makes one."
            )
        _check_slot(obj)
        return Target(document, kind, obj.session_uid, 0, "", obj.name)
    check_editable(material)
    node = ""
    if kind == "SELECTED_NODE":
        active = material.node_tree.nodes.active if material.node_tree else None
        if active is None or not active.select or active.bl_idname != "ShaderNodeTexImage":
            raise refusal(
                rpt_("No Image Texture node is selected in {name}.").format(name=material.name),
                "Select one in the Shader Editor.",
            )
        node = active.name
    return Target(document, kind, obj.session_uid, material.session_uid, node, material.name)


def material_of(context: bpy.types.Context) -> bpy.types.Material | None:
    """The material that is worked on: the one pinned in the Shader Editor that is looked at, or the active object's."""
    space: Any = context.space_data
    tree = space.node_tree if space is not None and space.type == "NODE_EDITOR" and space.pin else None
    pinned = [material for material in bpy.data.materials if material.node_tree == tree] if tree is not None else []
    if pinned:  # `space.id` is empty where a script has chosen the tree
        return pinned[0]
    return context.object.active_material if context.object is not None else None


def problem(context: bpy.types.Context, kind: str) -> UserError | None:
    """What is wrong with the present target, for greyed buttons."""
    try:
        choose(context, kind, "")
    except UserError as error:
        return error
    return None


def find_material(target: Target) -> bpy.types.Material | None:
    """The target's material; None where one has to be made for its object. Raises `UserError` where it is gone."""
    if target.material:
        material = by_uid(bpy.data.materials, target.material)
        if material is None:
            raise refusal(rpt_("The material {name} is gone.").format(name=target.title))
    else:
        obj = object_of(target)
        if obj is None:
            raise refusal(rpt_("The object {name} is gone.").format(name=target.title))
        material = obj.active_material  # another job may have made one meanwhile
        if material is None:
            _check_slot(obj)
    if material is not None:
        check_editable(material)
    return material


def object_of(target: Target) -> bpy.types.Object | None:
    """The object that the target was chosen by, None where it is gone."""
    return by_uid(bpy.data.objects, target.object)


def check_editable(material: bpy.types.Material) -> None:
    """Raise `UserError` where a material's nodes cannot be changed."""
    if material.library:
        raise refusal(
            rpt_("The material {name} is linked from {place}.").format(
                name=material.name, place=material.library.filepath
            ),
            "Make it local, or choose another material.",
        )
    if material.override_library:
        reference = material.override_library.reference
        place = reference.library.filepath if reference and reference.library else "another file"
        raise refusal(
            rpt_("The material {name} is a library override of one in {place}; its nodes cannot be changed.").format(
                name=material.name, place=place
            ),
            "Make it local, or choose another material.",
        )
    if not _is_editable(material):
        raise refusal(
            rpt_("The material {name} cannot be edited.").format(name=material.name), "Choose another material."
        )
    if material.is_grease_pencil:
        raise refusal(
            rpt_("{name} is a Grease Pencil material, which has no nodes.").format(name=material.name),
            "Choose another material.",
        )


def lacks_uv_map(obj: bpy.types.Object | None) -> bool:
    """Whether textures on the object would show nothing but one pixel's color."""
    return obj is not None and obj.type == "MESH" and not obj.data.uv_layers


def _check_slot(obj: bpy.types.Object) -> None:
    """Raise `UserError` where no material can be given to an object without one."""
    slot = obj.material_slots[obj.active_material_index] if obj.material_slots else None
    owner = obj if slot and slot.link == "OBJECT" else obj.data
    for item in (obj, owner):
        if item.library or not _is_editable(item):
            words = rpt_("{name} has no material, and {owner} cannot be edited.")
            if item.library:
                words = rpt_("{name} has no material, and {owner} is linked from {place}.")
            place = item.library.filepath if item.library else ""
            message = words.format(name=obj.name, owner=item.name, place=place)
            raise refusal(message, "Make it local, or choose another object.")


def _is_editable(item: bpy.types.ID) -> bool:
    return bool(getattr(item, "is_editable", True))


def by_uid(collection: Any, uid: int) -> Any:
    """The item of `bpy.data` with that session uid, None where it is gone."""
    return next((item for item in collection if item.session_uid == uid), None)
