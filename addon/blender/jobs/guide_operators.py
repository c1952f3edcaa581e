# SPDX-License-Identifier: GPL-3.0-or-later
"""What the buttons of Guide Pictures do: controls added, removed, with pictures from the object. Imports core."""

import bpy
from bpy.props import EnumProperty, IntProperty

from ...core.errors import ErrorKind, UserError
from ...core.requests.finish import MapKind
from ...core.requests.guides import MAX_CONTROLS, ControlKind
from ...core.results import BASE_COLOR
from ..common import reporting, state, targets
from ..common.languages import rpt_
from ..material import map_nodes, one_tile
from ..pictures import sources
from ..settings.properties import AUTO, TILEWRIGHT_PG_control, settings_of
from . import bake_job, control_bake

# Which of the material's images shows what a control wants to see; edges are in none.
_MAPS = {
    ControlKind.DEPTH: MapKind.HEIGHT,
    ControlKind.NORMAL: MapKind.NORMAL,
    ControlKind.TILE: BASE_COLOR,
    ControlKind.OTHER: BASE_COLOR,
}


class _OnGuides(reporting.Operator):
    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return None if context.scene else reporting.NO_SCENE


class TILEWRIGHT_OT_add_control(_OnGuides):
    """Add a ControlNet: a picture that says where things are in the texture"""

    bl_idname = "tilewright.add_control"
    bl_label = "Add Control"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        if error := super().problem(context):
            return error
        if len(settings_of(context.scene).controls) >= MAX_CONTROLS:
            return UserError(ErrorKind.REQUEST, "There are as many controls as can be used at once.")
        return None

    def act(self, context: bpy.types.Context) -> None:
        settings_of(context.scene).controls.add()


class _OnControl(_OnGuides):
    index: IntProperty(name="Index", description="Which control, from 0", min=0, options={"SKIP_SAVE"})

    def control(self, context: bpy.types.Context) -> TILEWRIGHT_PG_control:
        controls = settings_of(context.scene).controls
        if self.index >= len(controls):
            raise UserError(ErrorKind.REQUEST, "There is no such control.")
        control: TILEWRIGHT_PG_control = controls[self.index]
        return control


class TILEWRIGHT_OT_remove_control(_OnControl):
    """Remove this control. Its picture stays in the file"""

    bl_idname = "tilewright.remove_control"
    bl_label = "Remove Control"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context: bpy.types.Context) -> None:
        self.control(context)
        settings_of(context.scene).controls.remove(self.index)


class TILEWRIGHT_OT_control_from_material(_OnControl):
    """Take the picture from the active material: its height, normal or color, whichever the control shows"""

    bl_idname = "tilewright.control_from_material"
    bl_label = "From Material"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        if error := super().problem(context):
            return error
        if targets.material_of(context) is None:
            return targets.refusal("There is no active material.", "Select an object that has one.")
        return None

    def act(self, context: bpy.types.Context) -> None:
        control, material = self.control(context), targets.material_of(context)
        assert material is not None  # `problem` has looked
        kind = _MAPS.get(control.get_kind())
        if kind is None:
            raise targets.refusal("A material has no map of edges.", "Choose a picture, or another kind.")
        image = map_nodes.pictures(material, context.object).get(kind)
        if image is None:
            title = BASE_COLOR if kind == BASE_COLOR else map_nodes.TITLES[MapKind(kind)]
            words = rpt_("{name} has no image for its {map}.")
            shown = rpt_("Base Color") if title == BASE_COLOR else rpt_(title)
            hint = "Make a whole material first, or choose a picture."
            raise targets.refusal(words.format(name=material.name, map=shown), hint)
        if error := sources.problem(image):
            raise error
        image = control.picture = one_tile.of(image)
        self.report({"INFO"}, rpt_("The control reads {name} now.").format(name=image.name))


class TILEWRIGHT_OT_control_from_bake(_OnControl):
    """Bake the picture from the active object: its relief, its occlusion or its colors, whichever the control shows"""

    bl_idname = "tilewright.control_from_bake"
    bl_label = "From Bake"
    bl_options = {"REGISTER"}  # the step that undo takes back comes with the picture

    shows: EnumProperty(
        name="Bakes",
        description="What is baked",
        items=[
            (AUTO, "What It Shows", "Height for depth, normals for normals, colors for tile, else ambient occlusion"),
            (control_bake.Shows.HEIGHT.value, "Height", "How high each point is"),
            (control_bake.Shows.NORMAL.value, "Normal", "Surface direction, OpenGL style"),
            (control_bake.Shows.OCCLUSION.value, "Ambient Occlusion", "Where little light gets in"),
            (control_bake.Shows.COLOR.value, "Color", "The material's colors, without light"),
        ],
        options={"SKIP_SAVE"},
    )

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return super().problem(context) or bake_job.problem(context)

    def act(self, context: bpy.types.Context) -> None:
        kind = self.control(context).get_kind()
        shows = control_bake.BY_KIND.get(kind) if self.shows == AUTO else control_bake.Shows(self.shows)
        if shows is None:
            raise targets.refusal("Edges can't be baked.", "Choose a picture, or another kind.")
        image = bake_job.start(context, self.index, shows)
        if image is not None:
            self.report({"INFO"}, rpt_("The control reads {name} now.").format(name=image.name))


class TILEWRIGHT_OT_stop_bake(reporting.Operator):
    """Stop the bake. The control keeps the picture that it has"""

    bl_idname = "tilewright.stop_bake"
    bl_label = "Stop Bake"

    def act(self, context: bpy.types.Context) -> None:
        if state.current.bake is not None:
            state.current.bake.cancel()


CLASSES = (
    TILEWRIGHT_OT_add_control,
    TILEWRIGHT_OT_remove_control,
    TILEWRIGHT_OT_control_from_material,
    TILEWRIGHT_OT_control_from_bake,
    TILEWRIGHT_OT_stop_bake,
)
