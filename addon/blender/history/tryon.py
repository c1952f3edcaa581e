# SPDX-License-Identifier: GPL-3.0-or-later
"""Try on: walk through the history on the object itself, keep one or go back to exactly what was. Imports bpy, core."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.props import StringProperty

from ...core.errors import ErrorKind, UserError
from ...core.naming import title
from ..common import languages, state, target
from ..common.drawing import redraw_sidebars
from ..common.target import Target
from ..jobs import delivery
from ..settings import properties
from . import browse

_FORWARD = {"RIGHT_ARROW", "DOWN_ARROW", "WHEELDOWNMOUSE"}
_BACK = {"LEFT_ARROW", "UP_ARROW", "WHEELUPMOUSE"}
_KEEP = {"RET", "NUMPAD_ENTER", "LEFTMOUSE"}
_RESTORE = {"ESC", "RIGHTMOUSE"}
# so that the object can be seen from all sides meanwhile
_NAVIGATE = {"MIDDLEMOUSE", "MOUSEMOVE", "MOUSEROTATE", "NDOF_MOTION", "TRACKPADPAN", "TRACKPADZOOM"}


@dataclass(frozen=True)
class _Node:
    """What a texture may change in a node that was there before. image: its uid; values: unlinked inputs of a bump."""

    image: int
    extension: str
    frame: str
    location: tuple[float, float]
    values: tuple[float, ...]


@dataclass
class Trial:
    """One object, and the results that it wears one after the other.

    names: folders of results. Everything is kept as values and looked up late. `wear` starts from `restore`, so that
    there is one way back, whatever was worn in between.
    """

    aim: Target
    names: Sequence[str]
    at: int = -1
    placed: set[str] = field(default_factory=set)
    images: dict[int, tuple[bool, int]] = field(default_factory=dict)  # uid -> its fake user, what it replaced
    nodes: dict[str, _Node] | None = None  # the material's nodes by name; None: it has none
    links: frozenset[tuple[str, str, str, str]] = frozenset()
    slots: int = 0

    def __post_init__(self) -> None:
        self.placed = set(state.current.view.placed)
        for image in bpy.data.images:
            self.images[image.session_uid] = (image.use_fake_user, _uid(properties.before_of(image)))
        material = target.find_material(self.aim)
        if material is not None and material.node_tree is not None:
            self.nodes = {node.name: _remember(node) for node in material.node_tree.nodes}
            self.links = frozenset(_ends(link) for link in material.node_tree.links)
        obj = target.object_of(self.aim)
        self.slots = len(obj.material_slots) if obj else 0

    def wear(self, at: int) -> str:
        """Put on result number `at`, counted round. Says where it is. Raises `UserError`, and wears nothing then."""
        self.restore()
        self.at = at % len(self.names)
        try:
            return delivery.deliver([browse.result(self.names[self.at])], self.aim)
        except UserError:
            self.restore()
            raise

    def restore(self) -> None:
        """Everything as it was before the first one."""
        if self.aim.material:
            material = target.by_uid(bpy.data.materials, self.aim.material)
            if material is not None:
                self._restore_nodes(material)
        else:
            self._remove_material()
        for image in list(bpy.data.images):
            known = self.images.get(image.session_uid)
            if known is None:
                if image.tilewright.result in self.names and not image.is_dirty:
                    bpy.data.images.remove(image)
            elif image.library is None:
                fake, before = known
                if image.use_fake_user != fake:
                    image.use_fake_user = fake
                if _uid(properties.before_of(image)) != before:
                    image.tilewright.before = target.by_uid(bpy.data.images, before)
        state.current.view.placed = set(self.placed)

    def _restore_nodes(self, material: bpy.types.Material) -> None:
        tree = material.node_tree
        if tree is None:
            return
        if self.nodes is None:  # it had none at all, as materials could be before 5.0
            material.use_nodes = False
            return
        for node in list(tree.nodes):
            if node.name not in self.nodes:
                tree.nodes.remove(node)
        for link in list(tree.links):
            if _ends(link) not in self.links:
                tree.links.remove(link)
        for link in self.links - {_ends(link) for link in tree.links}:
            _link(tree, *link)
        for node in tree.nodes:
            _bring_back(node, self.nodes[node.name], tree)

    def _remove_material(self) -> None:
        """The one that was made for an object without any."""
        obj = target.object_of(self.aim)
        material = obj.active_material if obj else None
        if material is None:
            return
        if self.slots:
            obj.active_material = None
        else:
            obj.data.materials.clear()
        bpy.data.materials.remove(material)


def _remember(node: bpy.types.Node) -> _Node:
    pictured = node.bl_idname == "ShaderNodeTexImage"
    return _Node(
        _uid(node.image) if pictured else 0,
        node.extension if pictured else "",
        node.parent.name if node.parent else "",
        tuple(node.location),
        _values(node),
    )


def _values(node: bpy.types.Node) -> tuple[float, ...]:
    if node.bl_idname != "ShaderNodeBump":
        return ()
    return tuple(node.inputs[name].default_value for name in ("Strength", "Distance"))


def _bring_back(node: bpy.types.Node, known: _Node, tree: bpy.types.NodeTree) -> None:
    """Set what differs, and nothing else: what is set counts as a change for Blender."""
    if node.bl_idname == "ShaderNodeTexImage":
        if _uid(node.image) != known.image:
            node.image = target.by_uid(bpy.data.images, known.image)
        if node.extension != known.extension:
            node.extension = known.extension
    if (node.parent.name if node.parent else "") != known.frame:
        node.parent = tree.nodes.get(known.frame)
    if tuple(node.location) != known.location:
        node.location = known.location
    if _values(node) != known.values:
        node.inputs["Strength"].default_value, node.inputs["Distance"].default_value = known.values


def _ends(link: bpy.types.NodeLink) -> tuple[str, str, str, str]:
    return link.from_node.name, link.from_socket.identifier, link.to_node.name, link.to_socket.identifier


def _link(tree: bpy.types.NodeTree, from_node: str, from_socket: str, to_node: str, to_socket: str) -> None:
    outputs, inputs = tree.nodes[from_node].outputs, tree.nodes[to_node].inputs
    tree.links.new(
        next(socket for socket in outputs if socket.identifier == from_socket),
        next(socket for socket in inputs if socket.identifier == to_socket),
    )


def _uid(item: bpy.types.ID | None) -> int:
    return item.session_uid if item is not None else 0


class TILEWRIGHT_OT_try_on(bpy.types.Operator):
    """See the textures of the history on the object: arrow keys or wheel walk on, Enter keeps, Escape restores"""

    bl_idname = "tilewright.try_on"
    bl_label = "Try On"
    bl_options = {"UNDO"}

    result: StringProperty(
        description="The result to begin with, by its folder in the history", options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        error = target.problem(context, context.scene.tilewright.target) if context.scene else None
        if error:
            cls.poll_message_set(languages.told(error))
        return context.scene is not None and error is None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """For scripts: the result is kept at once."""
        try:
            aim = target.choose(context, context.scene.tilewright.target, state.current.document)
            state.current.outcome = Trial(aim, [browse.result(self.result).folder.name]).wear(0)
            browse.note_use(self.result)
        except UserError as error:
            self.report({"ERROR"}, languages.told(error))
            return {"CANCELLED"}
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        view = state.current.view
        names = [entry.name for entry in view.found]
        wanted = self.result or view.selected
        try:
            if not names:
                raise UserError(ErrorKind.REQUEST, rpt_("There is no texture to try on."))
            aim = target.choose(context, context.scene.tilewright.target, state.current.document)
            self.trial = Trial(aim, names)
            self.outcome = ""
            self.wear(context, names.index(wanted) if wanted in names else 0)
        except UserError as error:
            self.report({"WARNING"}, languages.told(error))
            return {"CANCELLED"}
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.trial.aim.document != state.current.document:  # a script has opened another file
            self.leave(context)
            return {"CANCELLED", "PASS_THROUGH"}
        if event.type in _NAVIGATE or (event.type.startswith("NUMPAD_") and event.type not in _KEEP):
            return {"PASS_THROUGH"}
        if event.value != "PRESS":
            return {"RUNNING_MODAL"}
        try:
            if event.type in _FORWARD:
                self.wear(context, self.trial.at + 1)
            elif event.type in _BACK:
                self.wear(context, self.trial.at - 1)
            elif event.type in _KEEP:
                state.current.outcome = self.outcome
                browse.note_use(self.trial.names[self.trial.at])
                self.leave(context)
                return {"FINISHED"}
            elif event.type in _RESTORE:
                self.cancel(context)
                return {"CANCELLED"}
        except UserError as error:  # this one cannot be worn; the walk goes on
            self.report({"WARNING"}, languages.told(error))
        return {"RUNNING_MODAL"}

    def wear(self, context: bpy.types.Context, at: int) -> None:
        self.outcome = self.trial.wear(at)
        name = self.trial.names[self.trial.at]
        browse.select(name)
        browse.show_selected()
        if context.area:
            request = browse.result(name).recipe.request
            words = iface_("{number} of {count}: {title}   Arrow keys or wheel: another, Enter: keep, Escape: restore")
            text = words.format(number=self.trial.at + 1, count=len(self.trial.names), title=title(request.prompt))
            context.area.header_text_set(text)

    def cancel(self, context: bpy.types.Context) -> None:
        """Escape; also when Blender's window is closed."""
        self.trial.restore()
        self.leave(context)

    def leave(self, context: bpy.types.Context) -> None:
        if context.area:
            context.area.header_text_set(None)
        redraw_sidebars()


CLASSES = (TILEWRIGHT_OT_try_on,)
