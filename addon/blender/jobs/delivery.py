# SPDX-License-Identifier: GPL-3.0-or-later
"""Results into the open file: images, nodes, one undo step. Imports bpy, core and its neighbours."""

import logging
from collections.abc import Mapping, Sequence

import bpy

from ...core.errors import UserError
from ...core.naming import title
from ...core.requests.finish import MapKind
from ...core.results import MAPS, Result
from ..common import preferences, state, targets
from ..common.languages import rpt_
from ..common.targets import Target
from ..material import color_node, coordinates, map_nodes, physical_size, shown, without_repeat
from ..pictures import images, sources
from ..settings.properties import facts_of, kind_title, readable_recipe_of

_logger = logging.getLogger(__name__)


def deliver(results: Sequence[Result], target: Target) -> str:
    """Put the first result where it was meant to go and the others beside it, with fake users. Says where they went.

    Where the target is gone, the images are kept all the same. Raises `UserError` where all of the files are gone.
    """
    made: list[bpy.types.Image] = []
    lost: UserError | None = None
    for result in results:
        try:
            made.append(images.load(result))
            images.keep(made[-1])
            sources.settle(made[-1], result, target.look)
        except UserError as error:
            lost = error
    if lost and not made:
        raise lost
    first = next(result for result in results if result.folder.name == facts_of(made[0]).result)
    maps: dict[str, bpy.types.Image] = {}
    for kind in [kind for kind in MAPS if kind in first.files]:
        try:
            maps[kind] = images.load(first, kind)
            images.keep(maps[kind])
        except UserError as error:
            lost = error
    if target.kind == "IMAGE":  # of a picture, and meant for no material
        _show_for(target.source, made[0])
        return rpt_("The image {name} was added.").format(name=made[0].name)
    try:
        outcome = _place(made[0], maps, target)
    except UserError as error:
        kept = rpt_("The image {name} is kept anyway.").format(name=made[0].name)
        outcome = f"{error.message} {kept}"
    return f"{outcome} {lost.message}" if lost else outcome


def _show_for(source: int, image: bpy.types.Image) -> None:
    """Show the image in the Image Editors that still show its source, also in workspaces that are not in view."""
    for screen in bpy.data.screens:
        for area in screen.areas:
            editor = area.spaces.active
            if not isinstance(editor, bpy.types.SpaceImageEditor) or editor.use_image_pin or editor.image is None:
                continue
            if editor.image.session_uid == source:
                editor.image = image


def _place(image: bpy.types.Image, maps: Mapping[str, bpy.types.Image], target: Target) -> str:
    material = targets.find_material(target)
    if material is None:
        obj = targets.object_of(target)
        material = color_node.new(title(facts_of(image).prompt))
        obj.active_material = material
        if obj.active_material != material:
            bpy.data.materials.remove(material)
            raise targets.refusal(rpt_("{name} did not accept a material.").format(name=obj.name))
    placed = color_node.assign(material, image, target.kind, target.node)
    recipe = readable_recipe_of(image)
    if recipe is not None and {MapKind.HEIGHT, MapKind.NORMAL}.intersection(maps):
        physical_size.suggest_relief(material, recipe.relief)
    obj = targets.object_of(target)
    if obj is not None and preferences.get().fit_new and any(n.bl_idname == "ShaderNodeMapping" for n in placed.made):
        physical_size.fit_new(obj, material)
    _lay_no_more(material, image)
    left = map_nodes.assign(material, placed, maps, bpy.context.scene.render.engine, obj)
    _lay_set(material, image, obj)
    for used in (image, *maps.values()):
        used.use_fake_user = False  # it has a user of its own now
    node = placed.node.label or placed.node.name
    sentences = [placed.note or rpt_("In {material}, node {node}.").format(material=material.name, node=node)]
    if not placed.note and target.kind != "NEW_NODE" and (why := shown.hidden(obj, material)):
        sentences.append(why)
    if maps:
        names = ", ".join(rpt_(map_nodes.TITLES[MapKind(kind)]) for kind in maps)
        sentences.append(rpt_("With {maps}.").format(maps=names))
        if recipe is not None and recipe.surface is not None:
            sentences.append(rpt_("Read as {kind}.").format(kind=rpt_(kind_title(recipe.surface.kind))))
    if left:
        sentences.append(left)
    if coordinates.lacks_uv_map(placed.node, obj):
        sentences.append(rpt_("{name} has no UV map to show it with.").format(name=obj.name))
    return " ".join(sentences)


def _lay_set(material: bpy.types.Material, image: bpy.types.Image, obj: bpy.types.Object | None) -> None:
    """Lay a set that the material shows now: what is on its picture is of no use as it is."""
    if without_repeat.sheet_of(image).count == 1 or not preferences.get().lay_sets:
        return
    nodes = map_nodes.image_nodes(material, obj)
    is_shown = bool(nodes) and nodes[0].image == image
    if is_shown and not without_repeat.is_laid(shown.nodes(material)) and not without_repeat.problem(nodes):
        without_repeat.lay(nodes, material)
        physical_size.scale_of(material).laid_as_set = True


def _lay_no_more(material: bpy.types.Material, image: bpy.types.Image) -> None:
    """Where a single tile follows a set that was laid by itself, lay it no more: nobody has asked for that."""
    facts = physical_size.scale_of(material)
    if facts.laid_as_set and without_repeat.sheet_of(image).count == 1:
        without_repeat.take_out(shown.nodes(material))
        facts.laid_as_set = False


def tell(outcome: str, name: str) -> None:
    """Have the panel say so of the result of that name, for as long as it is true: undo may take it out again."""
    current = state.current
    ours = (image for image in bpy.data.images if facts_of(image).result == name)
    current.outcome, current.outcome_of = outcome, name
    current.outcome_placed = any(image.users > image.use_fake_user for image in ours)


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


def is_here(target: Target) -> bool:
    """Whether the file that the target is in is still open."""
    return target.document == state.current.document
