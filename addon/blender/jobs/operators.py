# SPDX-License-Identifier: GPL-3.0-or-later
"""What buttons do: read the context, call one function, report. Imports bpy and core."""

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.props import IntProperty, StringProperty

from ...core.errors import ErrorKind, UserError
from ..common import languages, package, preferences, state, target
from ..common.drawing import redraw_sidebars
from ..material import uv
from ..settings import request
from . import generation, pump, status


def _explain(cls: type[bpy.types.Operator], error: UserError) -> bool:
    """For poll: grey the button, and say why."""
    cls.poll_message_set(languages.told(error))
    return False


class TILEWRIGHT_OT_generate(bpy.types.Operator):
    """Make a seamless texture of the prompt, in the background; it goes into the material when it is done"""

    bl_idname = "tilewright.generate"
    bl_label = "Generate"
    # no undo step of its own: nothing has changed yet, and the result makes one when it arrives

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.scene is None:
            return False
        settings = context.scene.tilewright
        if not request.whole_prompt(settings).strip():
            return _explain(cls, UserError(ErrorKind.REQUEST, "Describe the texture first."))
        error = None if preferences.get().previews_first else target.problem(context, settings.target)
        return _explain(cls, error) if error else True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            job = generation.start(context)
            if bpy.app.background:
                generation.wait(job)
        except UserError as error:
            self.report({"ERROR"}, languages.told(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class TILEWRIGHT_OT_cancel(bpy.types.Operator):
    """End the running job, or all of them"""

    bl_idname = "tilewright.cancel"
    bl_label = "Cancel"

    job: StringProperty(description="The job's id; empty: all jobs", options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if state.current.session is None or not len(state.current.session.jobs):
            return _explain(cls, UserError(ErrorKind.REQUEST, "Nothing is being made."))
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        session = state.current.session
        jobs = [job for job in session.jobs if self.job in ("", job.id)]
        if not jobs:
            self.report({"INFO"}, "That job has ended.")
            return {"CANCELLED"}
        for job in reversed(jobs):  # else the next would begin for a moment
            session.cancel(job)
        pump.ensure_running()
        return {"FINISHED"}


class TILEWRIGHT_OT_move_job(bpy.types.Operator):
    """Have a waiting job made earlier or later"""

    bl_idname = "tilewright.move_job"
    bl_label = "Move Job"
    bl_options = {"INTERNAL"}

    job: StringProperty(description="The job's id", options={"SKIP_SAVE", "HIDDEN"})
    places: IntProperty(
        name="Places", description="How far back; negative: to the front", default=-1, options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return state.current.session is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        session = state.current.session
        moved = [session.move(job, self.places) for job in list(session.jobs) if job.id == self.job]
        if not any(moved):
            return {"CANCELLED"}
        redraw_sidebars()
        return {"FINISHED"}


class TILEWRIGHT_OT_show(bpy.types.Operator):
    """Show another texture of the same job"""

    bl_idname = "tilewright.show"
    bl_label = "Show Another"
    bl_options = {"INTERNAL"}

    step: IntProperty(default=1, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return len(state.current.results) > 1

    def execute(self, context: bpy.types.Context) -> set[str]:
        state.current.shown = (state.current.shown + self.step) % len(state.current.results)
        redraw_sidebars()
        return {"FINISHED"}


class TILEWRIGHT_OT_add_uv_map(bpy.types.Operator):
    """Give the active object a UV map: each face from the side that it looks to, the longest side one texture wide"""

    bl_idname = "tilewright.add_uv_map"
    bl_label = "Add UV Map"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        obj = context.object
        if not target.lacks_uv_map(obj):
            return _explain(cls, UserError(ErrorKind.TARGET, "The active object needs no UV map, or has one."))
        if obj.mode != "OBJECT":
            return _explain(cls, UserError(ErrorKind.TARGET, "Go to Object Mode first."))
        if obj.data.library or obj.data.override_library:
            return _explain(
                cls, UserError(ErrorKind.TARGET, rpt_("{name} is linked from another file.").format(name=obj.data.name))
            )
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        uv.add_box_map(context.object)
        return {"FINISHED"}


class TILEWRIGHT_OT_open_log(bpy.types.Operator):
    """Open the log with the details"""

    bl_idname = "tilewright.open_log"
    bl_label = "Open Log"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if bpy.app.background:
            return _explain(cls, UserError(ErrorKind.REQUEST, "There is no window to open it in."))
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        error = state.current.error
        own = error is not None and error.kind is ErrorKind.BUG
        logs = [package.own_log(), package.engine_log()] if own else [package.engine_log(), package.own_log()]
        found = next((log for log in logs if log.is_file()), None)
        if found is None:
            self.report({"INFO"}, "Nothing was logged yet.")
            return {"CANCELLED"}
        return bpy.ops.wm.path_open(filepath=str(found))


class TILEWRIGHT_OT_dismiss(bpy.types.Operator):
    """Close this message"""

    bl_idname = "tilewright.dismiss"
    bl_label = "Close"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        state.current.error = None
        redraw_sidebars()
        status.redraw()
        return {"FINISHED"}


class TILEWRIGHT_OT_free(bpy.types.Operator):
    """Let go of the loaded models and their memory, for example before a large render"""

    bl_idname = "tilewright.free"
    bl_label = "Free Memory"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if state.current.session is None or state.current.session.worker_state == "none":
            return _explain(cls, UserError(ErrorKind.REQUEST, "No model is loaded."))
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        state.current.session.free()
        self.report({"INFO"}, "The memory is free as soon as no job runs.")
        return {"FINISHED"}


CLASSES = (
    TILEWRIGHT_OT_generate,
    TILEWRIGHT_OT_cancel,
    TILEWRIGHT_OT_move_job,
    TILEWRIGHT_OT_show,
    TILEWRIGHT_OT_add_uv_map,
    TILEWRIGHT_OT_open_log,
    TILEWRIGHT_OT_dismiss,
    TILEWRIGHT_OT_free,
)
