# SPDX-License-Identifier: GPL-3.0-or-later
"""*Bake*: what a material shows on an object as plain images and a material of them. Imports bpy and core."""

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty

from ...core.errors import UserError
from ...core.results import BASE_COLOR
from ..common import drawing, reporting, state, targets
from ..common.languages import iface_, message_of, rpt_
from ..material import bake, color_node, map_nodes
from ..material.operators import OnMaterial, active_material
from ..pictures import sources
from ..settings.properties import facts_of
from . import delivery, pump

_INTERVAL = 0.2  # seconds


class TILEWRIGHT_OT_bake(OnMaterial):
    """Bake what the material shows on this object into plain images, for game engines and glTF"""

    bl_idname = "tilewright.bake"
    bl_label = "Bake"
    bl_options = {"REGISTER"}

    size: EnumProperty(
        name="Size",
        description="Pixels of a side",
        items=[(str(side), f"{side}", "") for side in bake.SIDES],
        default="2048",
    )
    use: BoolProperty(name="Assign to Object", description="Give the object the baked material", default=False)

    @classmethod
    def problem_with(cls, material: bpy.types.Material, context: bpy.types.Context) -> UserError | None:
        if bake.is_running():
            return targets.refusal("A bake is running.", "Wait for it, or cancel it.")
        told = bake.problem(context.object, material)
        return targets.refusal(told) if told else None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        return context.window_manager.invoke_props_dialog(self, confirm_text=iface_("Bake"))

    def act(self, context: bpy.types.Context) -> None:
        obj: Any = context.object
        material = active_material(context)
        state.current.baked = bake.Bake(obj, material, int(self.size), sources.new_folder())
        state.current.baked_target = (state.current.document, obj.session_uid if self.use else 0, obj.session_uid)
        if bpy.app.background:
            state.current.baked.wait()
            _deliver()
            if state.current.baked.error:
                raise state.current.baked.error
        elif not bpy.app.timers.is_registered(_watch):
            bpy.app.timers.register(_watch, first_interval=_INTERVAL, persistent=True)


class TILEWRIGHT_OT_close_bake(reporting.Operator):
    """Cancel the bake, or close what is told of it"""

    bl_idname = "tilewright.close_bake"
    bl_label = "Close"

    def act(self, context: bpy.types.Context) -> None:
        if bake.is_running():
            state.current.baked.cancel()
        else:
            state.current.baked = None


def draw(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The button, or how far its bake is; below, what came of the last one."""
    now = state.current.baked
    if now is None:
        layout.operator("tilewright.bake", text="Bake...", icon="RENDER_STILL")
        return
    if not now.is_over:
        row = layout.row(align=True)
        text = iface_("Baking {done} of {count}").format(done=min(now.made + 1, now.count), count=now.count)
        row.progress(factor=now.made / now.count, text=text)
        row.operator("tilewright.close_bake", text="", icon="X")
        return
    layout.operator("tilewright.bake", text="Bake...", icon="RENDER_STILL")
    if now.error:
        told, icon = message_of(now.error), "ERROR"
    elif now.is_cancelled:
        told, icon = iface_("The bake was cancelled."), "INFO"
    else:
        told, icon = state.current.baked_outcome, "CHECKMARK"
    row = layout.row()
    drawing.paragraph(row, context, told, icon=icon, margin=1)
    row.operator("tilewright.close_bake", text="", icon="X", emboss=False)


def _watch() -> float | None:
    drawing.redraw_sidebars()
    if bake.is_running():
        return _INTERVAL
    if state.current.baked is not None and state.current.baked.files:
        if pump.hindrance():
            return _INTERVAL
        _deliver()
        delivery.push_undo("Tilewright: Bake")
    return None


def _deliver() -> None:
    """A new material with the images, packed; on the object where that was asked for."""
    done = state.current.baked
    document, assigned, shown_on = state.current.baked_target
    try:
        if not done.files:
            return
        if document != state.current.document:
            state.current.baked_outcome = rpt_("Baked for what was open before.")
            return
        made = {kind: _load(kind, path, done.title) for kind, path in done.files.items()}
        material = color_node.new(rpt_("{name} Baked").format(name=done.title)[:63])
        material.use_fake_user = True
        obj = targets.by_uid(bpy.data.objects, shown_on)
        maps = {kind: image for kind, image in made.items() if kind != BASE_COLOR}
        if BASE_COLOR in made:
            placed = color_node.assign(material, made[BASE_COLOR], "BASE_COLOR")
            map_nodes.assign(material, placed, maps, bpy.context.scene.render.engine, obj)
        for image in maps.values():
            image.use_fake_user = not image.users
        words = rpt_("The material {name} was added.").format(name=material.name)
        if assigned and obj is not None:
            obj.active_material = material
        if done.beyond:
            words += " " + rpt_("The UV map goes beyond the image: what lies there is on top of the rest.")
        state.current.baked_outcome = words
    finally:
        done.remove()


def _load(kind: str, path: Path, title: str) -> bpy.types.Image:
    image = bpy.data.images.load(str(path), check_existing=False)
    image.name = f"{title} {kind}"[:63]
    if kind == BASE_COLOR:
        sources.set_color_space(image, "sRGB")
    else:
        image.colorspace_settings.is_data = True
    image.pack()
    image.filepath_raw = f"//textures/{path.name}"
    facts_of(image).kind = kind
    return image


CLASSES = (TILEWRIGHT_OT_bake, TILEWRIGHT_OT_close_bake)


def register() -> None:
    """Nothing: the timer comes with the first bake."""


def unregister() -> None:
    """Stop the timer and what it watches."""
    if bpy.app.timers.is_registered(_watch):
        bpy.app.timers.unregister(_watch)
    if state.current.baked is not None:
        state.current.baked.finish()
        state.current.baked.remove()
