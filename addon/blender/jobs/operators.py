# SPDX-License-Identifier: GPL-3.0-or-later
"""What buttons do: read the context, call one function, report. Imports bpy and core."""

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from ...core.errors import ErrorKind, UserError
from ...core.prompts import fill
from ..common import drawing, package, preferences, reporting, state, targets
from ..common.drawing import redraw_sidebars
from ..common.languages import iface_, rpt_
from ..material import physical_size, uv
from ..settings.properties import settings_of
from . import generation, prompt_lists, pump, status

NOTHING_RUNS = UserError(ErrorKind.REQUEST, "No job is running.")


class TILEWRIGHT_OT_generate(reporting.Operator):
    """Make a seamless texture in the background, for the material or, without one, the history"""

    bl_idname = "tilewright.generate"
    bl_label = "Generate"
    # no undo step of its own: nothing has changed yet, and the result makes one when it arrives

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        if context.scene is None:
            return reporting.NO_SCENE
        settings = settings_of(context.scene)
        if not fill(settings.template, settings.prompt).strip():
            return UserError(ErrorKind.REQUEST, "Describe the texture first.")
        return None

    def act(self, context: bpy.types.Context) -> None:
        job = generation.start(context)
        if bpy.app.background:
            generation.wait(job)


class TILEWRIGHT_OT_generate_lines(reporting.Operator):
    """Make one texture for each line of a list, with the current settings. They go into the history"""

    bl_idname = "tilewright.generate_lines"
    bl_label = "Generate List"

    text: StringProperty(name="Text", description="A text in this file, one prompt per line or a table")
    filepath: StringProperty(
        name="File", description="A file instead, one prompt per line, CSV or JSON lines", subtype="FILE_PATH"
    )

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return reporting.NO_SCENE if context.scene is None else None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        if self.text not in bpy.data.texts and bpy.data.texts:
            spaces = [area.spaces.active for area in context.screen.areas]
            shown = (space.text for space in spaces if isinstance(space, bpy.types.SpaceTextEditor))
            self.text = next(filter(None, shown), bpy.data.texts[0]).name
        self._read(context)
        return context.window_manager.invoke_props_dialog(self, width=400, confirm_text=iface_("Generate"))

    def check(self, context: bpy.types.Context) -> bool:
        self._read(context)
        return True

    def _read(self, context: bpy.types.Context) -> None:
        """What the dialog shows: drawing reads no disk."""
        self.found = prompt_lists.read(context, self.text, self.filepath)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        column = layout.column()
        row = column.row()
        row.enabled = not self.filepath
        row.prop_search(self, "text", bpy.data, "texts")
        column.prop(self, "filepath")
        words = iface_("{count} prompts") if len(self.found.wishes) != 1 else iface_("1 prompt")
        layout.label(text=words.format(count=len(self.found.wishes)), translate=False)
        for line in self.found.told():
            drawing.lines(layout, line, icon="ERROR", width=60)

    def act(self, context: bpy.types.Context) -> None:
        if not (bpy.data.texts or self.filepath):
            hint = "Write one in a Text Editor, one prompt per line, or choose a file."
            raise UserError(ErrorKind.REQUEST, "This file has no text.", hint)
        found = prompt_lists.read(context, self.text, self.filepath)
        if found.wrong:
            raise UserError(ErrorKind.REQUEST, " ".join(found.told()), "Nothing was queued.")
        jobs = generation.start_all(context, found.wishes, found.title)
        if bpy.app.background:
            for job in jobs:
                generation.wait(job)
        self.report({"INFO"}, rpt_("{count} prompts queued.").format(count=len(jobs)))


class TILEWRIGHT_OT_cancel(reporting.Operator):
    """Cancel the running job, a list, or all of them"""

    bl_idname = "tilewright.cancel"
    bl_label = "Cancel"

    job: StringProperty(description="The job's id. Empty: all jobs", options={"SKIP_SAVE", "HIDDEN"})
    of_list: BoolProperty(description="Also the others of its list", options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return None if state.current.session and len(state.current.session.jobs) else NOTHING_RUNS

    def act(self, context: bpy.types.Context) -> reporting.Outcome | None:
        session = state.current.session
        ids = {self.job}
        for one in state.current.lists if self.of_list else ():
            if self.job in [job.id for job in one.jobs]:
                ids = {job.id for job in one.jobs}
        jobs = [job for job in session.jobs if not self.job or job.id in ids]
        if not jobs:
            self.report({"INFO"}, "That job has ended.")
            return {"CANCELLED"}
        for job in reversed(jobs):  # else the next would begin for a moment
            session.cancel(job)
        pump.ensure_running()
        return None


class TILEWRIGHT_OT_move_job(reporting.Operator):
    """Move a waiting job up or down the queue"""

    bl_idname = "tilewright.move_job"
    bl_label = "Move Job"
    bl_options = {"INTERNAL"}

    job: StringProperty(description="The job's id", options={"SKIP_SAVE", "HIDDEN"})
    places: IntProperty(
        name="Places", description="How many places down; negative: up", default=-1, options={"SKIP_SAVE"}
    )

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return None if state.current.session else NOTHING_RUNS

    def act(self, context: bpy.types.Context) -> reporting.Outcome | None:
        session = state.current.session
        moved = [session.move(job, self.places) for job in list(session.jobs) if job.id == self.job]
        if not any(moved):
            return {"CANCELLED"}
        redraw_sidebars()
        return None


class TILEWRIGHT_OT_show(reporting.Operator):
    """Show another texture from the same job"""

    bl_idname = "tilewright.show"
    bl_label = "Show Another"
    bl_options = {"INTERNAL"}

    step: IntProperty(default=1, options={"SKIP_SAVE"})

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return None if len(state.current.results) > 1 else UserError(ErrorKind.REQUEST, "There is no other texture.")

    def act(self, context: bpy.types.Context) -> None:
        current = state.current
        current.shown = (current.shown + self.step) % len(current.results)
        current.view.selected = current.result.folder.name
        redraw_sidebars()


class TILEWRIGHT_OT_add_uv_map(reporting.Operator):
    """Give the active object a box-projected UV map; its longest side is one texture wide"""

    bl_idname = "tilewright.add_uv_map"
    bl_label = "Add UV Map"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        obj = context.object
        if not targets.lacks_uv_map(obj):
            return targets.refusal("The active object already has a UV map, or doesn't need one.")
        if obj.mode != "OBJECT":
            return targets.refusal("Switch to Object Mode first.")
        if obj.data.library or obj.data.override_library:
            return targets.refusal(rpt_("{name} is linked from another file.").format(name=obj.data.name))
        return None

    def act(self, context: bpy.types.Context) -> None:
        obj = context.object
        uv.add_box_map(obj)
        if preferences.get().fit_new and obj.active_material:
            physical_size.fit_untouched(obj, obj.active_material)


class TILEWRIGHT_OT_open_log(reporting.Operator):
    """Open the log with the details"""

    bl_idname = "tilewright.open_log"
    bl_label = "Open Log"

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return reporting.NO_WINDOW if bpy.app.background else None

    def act(self, context: bpy.types.Context) -> reporting.Outcome:
        error = state.current.error
        own = error is not None and error.kind is ErrorKind.BUG
        logs = [package.own_log(), package.engine_log()] if own else [package.engine_log(), package.own_log()]
        found = next((log for log in logs if log.is_file()), None)
        if found is None:
            self.report({"INFO"}, "Nothing has been logged yet.")
            return {"CANCELLED"}
        return bpy.ops.wm.path_open(filepath=str(found))


class TILEWRIGHT_OT_dismiss(reporting.Operator):
    """Close this message"""

    bl_idname = "tilewright.dismiss"
    bl_label = "Close"
    bl_options = {"INTERNAL"}

    def act(self, context: bpy.types.Context) -> None:
        state.current.error = None
        redraw_sidebars()
        status.redraw()


class TILEWRIGHT_OT_free(reporting.Operator):
    """Unload models to free their memory, for example before a large render"""

    bl_idname = "tilewright.free"
    bl_label = "Free Memory"

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        loaded = state.current.session is not None and state.current.session.worker_state != "none"
        return None if loaded else UserError(ErrorKind.REQUEST, "No model is loaded.")

    def act(self, context: bpy.types.Context) -> None:
        state.current.session.free()
        self.report({"INFO"}, "Memory is freed as soon as no job is running.")


CLASSES = (
    TILEWRIGHT_OT_generate,
    TILEWRIGHT_OT_generate_lines,
    TILEWRIGHT_OT_cancel,
    TILEWRIGHT_OT_move_job,
    TILEWRIGHT_OT_show,
    TILEWRIGHT_OT_add_uv_map,
    TILEWRIGHT_OT_open_log,
    TILEWRIGHT_OT_dismiss,
    TILEWRIGHT_OT_free,
)
