# SPDX-License-Identifier: GPL-3.0-or-later
"""See another texture on the object while a button is held, or from one click to the next. Imports bpy and core."""

import time
from dataclasses import dataclass
from typing import Any

import bpy
from bpy.props import StringProperty

from ...core.errors import UserError
from ..common import languages, reporting, state, targets
from ..common.drawing import redraw_sidebars
from ..common.languages import rpt_
from ..material import color_node, shown, without_repeat
from ..pictures import images
from ..settings import properties
from ..settings.properties import chosen_target, facts_of, target_problem
from . import browse

CLICK = 0.4  # seconds: what is let go sooner was clicked, and not held
_NAVIGATE = {"MIDDLEMOUSE", "WHEELUPMOUSE", "WHEELDOWNMOUSE", "NDOF_MOTION", "TRACKPADPAN", "TRACKPADZOOM"}
_ENDING = {"LEFTMOUSE", "RIGHTMOUSE", "ESC"}


@dataclass(frozen=True)
class Exchange:
    """What was changed, as values: a file may be opened while the button is held.

    material, image, other: session uids. loaded: `other` was not in the file before.
    """

    material: int
    node: str
    image: int
    other: int
    loaded: bool


def begin(context: bpy.types.Context, name: str) -> Exchange | None:
    """Show the other texture; None where there is nothing to compare with. Raises `UserError`.

    Where the object wears the result `name`, the other one is what it wore before; otherwise it is that result.
    """
    target = chosen_target(context)
    material = targets.find_material(target)
    kind = "BASE_COLOR" if target.kind == "NEW_NODE" else target.kind
    node = color_node.image_node(material, kind, target.node) if material else None
    if node is None or node.image is None:
        return None
    image = node.image
    known = {item.session_uid for item in bpy.data.images}
    if name and facts_of(image).result != name:
        placed = name in state.current.view.placed
        other = images.load(browse.result(name))
        if not placed:  # a look is not yet a use
            state.current.view.placed.discard(name)
    else:
        other = properties.before_of(image)
    if other is None or other == image:
        return None
    exchange = Exchange(
        material.session_uid, node.name, image.session_uid, other.session_uid, other.session_uid not in known
    )
    node.image = other
    without_repeat.show(node)
    return exchange


def end(exchange: Exchange) -> None:
    """Show the present texture again, and leave nothing behind."""
    material = targets.by_uid(bpy.data.materials, exchange.material)
    image = targets.by_uid(bpy.data.images, exchange.image)
    other = targets.by_uid(bpy.data.images, exchange.other)
    nodes: list[Any] = shown.nodes(material) if material and image else []
    for node in nodes:
        if node.name == exchange.node and node.bl_idname == "ShaderNodeTexImage" and node.image == other:
            node.image = image
            without_repeat.show(node)
    if other is not None and exchange.loaded:
        bpy.data.images.remove(other)


class TILEWRIGHT_OT_compare(reporting.Operator):
    """See the previous texture or, if the object shows another one, this one. Hold, or click and click again"""

    bl_idname = "tilewright.compare"
    bl_label = "Compare"
    # no undo step: nothing is different afterwards

    result: StringProperty(
        description="The result's folder in the history. Empty: the one shown", options={"SKIP_SAVE"}
    )

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return target_problem(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        try:
            self.exchange = begin(context, self.result)
        except UserError as error:
            self.report({"WARNING"}, languages.message_of(error))
            return {"CANCELLED"}
        if self.exchange is None:
            self.report({"INFO"}, rpt_("There is no texture to compare with."))
            return {"CANCELLED"}
        self.key = event.type if event.value == "PRESS" else "LEFTMOUSE"
        self.began, self.stays = time.monotonic(), False
        state.current.view.comparing = True
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        let_go = event.value == "RELEASE" and event.type in {self.key, "LEFTMOUSE"}
        if self.stays:  # it was clicked: it can be looked at from all sides until the next click or key
            if event.value != "PRESS" or event.type in _NAVIGATE or "MOUSEMOVE" in event.type:
                return {"PASS_THROUGH"}
            self.cancel(context)
            # the click that ends it, also one on the same button, is meant for nothing else
            return {"FINISHED"} if event.type in _ENDING else {"FINISHED", "PASS_THROUGH"}
        other_key = event.value == "PRESS" and event.type != self.key and "MOUSEMOVE" not in event.type
        if let_go and time.monotonic() - self.began < CLICK:
            self.stays = True
            return {"RUNNING_MODAL"}
        if not let_go and not other_key:
            return {"PASS_THROUGH"}
        self.cancel(context)
        return {"FINISHED", "PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        state.current.view.comparing = False
        end(self.exchange)
        redraw_sidebars()


def hold(self: Any, context: bpy.types.Context) -> None:
    """The update callback of a toggle: those act when they are pressed, and operators' buttons when they are let go."""
    view = state.current.view
    if not view.comparing:
        return
    operator: Any = bpy.ops.tilewright.compare  # type: ignore[attr-defined]
    if not operator.poll() or "RUNNING_MODAL" not in operator("INVOKE_DEFAULT", result=view.selected):
        view.comparing = False


CLASSES = (TILEWRIGHT_OT_compare,)
