# SPDX-License-Identifier: GPL-3.0-or-later
"""Results into the open file: images, nodes, one undo step. Imports bpy, core and its neighbours."""

import logging
from collections.abc import Mapping, Sequence

import bpy
from bpy.app.translations import pgettext_rpt as rpt_

from ...core.errors import UserError
from ...core.naming import title
from ...core.results import MAPS, Result
from ..common import state, target
from ..common.target import Target
from ..material import color_node, coordinates, map_nodes, shown
from ..pictures import images, sources

_logger = logging.getLogger(__name__)


def deliver(results: Sequence[Result], aim: Target) -> str:
    """Put the first result where it was meant to go and the others beside it, with fake users. Says where they went.

    Where the target is gone, the images are kept all the same. Raises `UserError` where all of the files are gone.
    """
    made: list[bpy.types.Image] = []
    lost: UserError | None = None
    for result in results:
        try:
            made.append(images.load(result))
            images.keep(made[-1])
            sources.settle(made[-1], result, aim.look)
        except UserError as error:
            lost = error
    if lost and not made:
        raise lost
    first = next(result for result in results if result.folder.name == made[0].tilewright.result)
    maps: dict[str, bpy.types.Image] = {}
    for kind in [kind for kind in MAPS if kind in first.files]:
        try:
            maps[kind] = images.load(first, kind)
            images.keep(maps[kind])
        except UserError as error:
            lost = error
    if aim.kind == "IMAGE":  # of a picture, and meant for no material
        _show_for(aim.source, made[0])
        return rpt_("The image {name} was added.").format(name=made[0].name)
    try:
        told = _place(made[0], maps, aim)
    except UserError as error:
        kept = rpt_("The image {name} is kept without it.").format(name=made[0].name)
        told = f"{error.message} {kept}"
    return f"{told} {lost.message}" if lost else told


def _show_for(source: int, image: bpy.types.Image) -> None:
    """Show the image in the Image Editors that still show its source, also in workspaces that are not in view."""
    for screen in bpy.data.screens:
        for area in screen.areas:
            editor = area.spaces.active
            if editor.type != "IMAGE_EDITOR" or editor.use_image_pin or editor.image is None:
                continue
            if editor.image.session_uid == source:
                editor.image = image


def _place(image: bpy.types.Image, maps: Mapping[str, bpy.types.Image], aim: Target) -> str:
    material = target.find_material(aim)
    if material is None:
        obj = target.object_of(aim)
        material = color_node.new(title(image.tilewright.prompt))
        obj.active_material = material
        if obj.active_material != material:
            bpy.data.materials.remove(material)
            raise target.refusal(rpt_("{name} did not take a material.").format(name=obj.name))
    placed = color_node.put(material, image, aim.kind, aim.node)
    obj = target.object_of(aim)
    left = map_nodes.put(material, placed, maps, bpy.context.scene.render.engine, obj)
    for used in (image, *maps.values()):
        used.use_fake_user = False  # it has a user of its own now
    node = placed.node.label or placed.node.name
    told = [placed.note or rpt_("In {material}, node {node}.").format(material=material.name, node=node)]
    if not placed.note and aim.kind != "NEW_NODE" and (why := shown.hidden(obj, material)):
        told.append(why)
    if maps:
        names = ", ".join(rpt_(map_nodes.TITLES[kind]) for kind in maps)
        told.append(rpt_("With {maps}.").format(maps=names))
    if left:
        told.append(left)
    if coordinates.lacks_uv_map(placed.node, obj):
        told.append(rpt_("{name} has no UV map to show it with.").format(name=obj.name))
    return " ".join(told)


def push_undo(message: str) -> None:
    """One step that takes back all that changed since the last one.

    Timers have no window, and without one there is no undo step: they borrow the first. Where there is one, as in
    background mode, nothing is overridden: Blender lets other threads run while an operator does, and with Python 3.11
    it reads an overridden context without holding Python's lock, which crashes when a thread of ours runs meanwhile.
    """
    if bpy.context.window is not None:
        bpy.ops.ed.undo_push(message=message)
        return
    for window in bpy.context.window_manager.windows[:1]:
        # Scene and view layer too: where a script has overridden them, Blender would mix the two, and crash.
        with bpy.context.temp_override(window=window, scene=window.scene, view_layer=window.view_layer):
            bpy.ops.ed.undo_push(message=message)


def is_here(aim: Target) -> bool:
    """Whether the file that the target is in is still open."""
    return aim.document == state.current.document
