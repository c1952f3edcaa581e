# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a button to see another texture on the object, and let go to see the present one again. Imports bpy and core."""

from dataclasses import dataclass
from typing import Any

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.props import StringProperty

from ...core.errors import UserError
from ..common import languages, state, target
from ..common.drawing import redraw_sidebars
from ..material import color_node, shown
from ..pictures import images
from ..settings import properties
from . import browse


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
    aim = target.choose(context, context.scene.tilewright.target, state.current.document)
    material = target.find_material(aim)
    kind = "BASE_COLOR" if aim.kind == "NEW_NODE" else aim.kind
    node = color_node.image_node(material, kind, aim.node) if material else None
    if node is None or node.image is None:
        return None
    image = node.image
    known = {item.session_uid for item in bpy.data.images}
    if name and image.tilewright.result != name:
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
    return exchange


def end(exchange: Exchange) -> None:
    """Show the present texture again, and leave nothing behind."""
    material = target.by_uid(bpy.data.materials, exchange.material)
    image = target.by_uid(bpy.data.images, exchange.image)
    other = target.by_uid(bpy.data.images, exchange.other)
    for node in shown.nodes(material) if material and image else ():
        if node.name == exchange.node and node.bl_idname == "ShaderNodeTexImage" and node.image == other:
            node.image = image
    if other is not None and exchange.loaded:
        bpy.data.images.remove(other)


class TILEWRIGHT_OT_compare(bpy.types.Operator):
    """Hold to see the texture from before; where another one is shown, hold to see this one"""

    bl_idname = "tilewright.compare"
    bl_label = "Compare"
    # no undo step: nothing is different afterwards

    result: StringProperty(
        description="The result's folder in the history; empty: the texture that is shown", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        error = target.problem(context, context.scene.tilewright.target) if context.scene else None
        if error:
            cls.poll_message_set(languages.told(error))
        return context.scene is not None and error is None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            self.exchange = begin(context, self.result)
        except UserError as error:
            self.report({"WARNING"}, languages.told(error))
            return {"CANCELLED"}
        if self.exchange is None:
            self.report({"INFO"}, rpt_("There is no texture to compare with."))
            return {"CANCELLED"}
        self.key = event.type if event.value == "PRESS" else "LEFTMOUSE"
        state.current.view.comparing = True
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        let_go = event.value == "RELEASE" and event.type in {self.key, "LEFTMOUSE"}
        other_key = event.value == "PRESS" and event.type != self.key and "MOUSEMOVE" not in event.type
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
    if not bpy.ops.tilewright.compare.poll() or "RUNNING_MODAL" not in bpy.ops.tilewright.compare(
        "INVOKE_DEFAULT", result=view.selected
    ):
        view.comparing = False


CLASSES = (TILEWRIGHT_OT_compare,)
