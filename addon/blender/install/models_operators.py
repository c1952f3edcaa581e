# SPDX-License-Identifier: GPL-3.0-or-later
"""The models' buttons, and the lists that they stand beside. Imports bpy and core."""

from pathlib import Path
from typing import Any

import bpy
from bpy.props import CollectionProperty, IntProperty, PointerProperty, StringProperty

from ...core.errors import ErrorKind, UserError
from ...host.library import Entry, Source
from ..common import preferences, reporting, state
from . import models

_NOTHING = UserError(ErrorKind.MODEL, "No model is selected in the list.")


class TILEWRIGHT_PG_model_row(bpy.types.PropertyGroup):
    """A row of either list; `name` is a path, or a repository. What is drawn is known elsewhere."""

    number: IntProperty()


def _searched(self: Any, context: bpy.types.Context) -> None:
    models.search_soon(self.words)
    show_found()


def _chosen(self: Any, context: bpy.types.Context) -> None:
    state.current.models.look = None


class TILEWRIGHT_PG_models(bpy.types.PropertyGroup):
    """`window_manager.tilewright_models`: the two lists, and what is searched for."""

    rows: CollectionProperty(type=TILEWRIGHT_PG_model_row)
    active: IntProperty(name="Model", options={"SKIP_SAVE"})
    words: StringProperty(
        name="Search",
        description="Search the hub for models with these words in their names. Empty: those worth having for textures",
        options={"SKIP_SAVE", "TEXTEDIT_UPDATE"},
        update=_searched,
    )
    found: CollectionProperty(type=TILEWRIGHT_PG_model_row)
    chosen: IntProperty(name="Model", options={"SKIP_SAVE"}, update=_chosen)
    repository: StringProperty(
        name="Repository",
        description="Another model of the hub: its name there, “owner/model”",
        options={"SKIP_SAVE"},
        update=_chosen,
    )


def lists() -> Any:
    """The lists of this Blender's windows."""
    window_manager: Any = bpy.context.window_manager
    return window_manager.tilewright_models


def selected() -> Entry | None:
    """The model whose row is selected. Touches no disk."""
    shown = lists()
    if not 0 <= shown.active < len(shown.rows):
        return None
    path = shown.rows[shown.active].name
    return next((entry for entry in state.current.models.entries if str(entry.path) == path), None)


def show_entries() -> None:
    """Fill the list of what is on the disk; the same row stays selected."""
    shown, before = lists(), selected()
    shown.rows.clear()
    for number, entry in enumerate(state.current.models.entries):
        row = shown.rows.add()
        row.name, row.number = str(entry.path), number
    if before:
        names = [row.name for row in shown.rows]
        shown.active = names.index(str(before.path)) if str(before.path) in names else 0


def show_found() -> None:
    """Fill the list of what can be had."""
    shown, rows = lists(), models.rows()
    if [row.name for row in shown.found] == [repository for repository, _row, _licence in rows]:
        return
    shown.found.clear()
    for number, (repository, _row, _licence) in enumerate(rows):
        row = shown.found.add()
        row.name, row.number = repository, number


class _OnModel(reporting.Operator):
    """About one model of the list: the selected one, or the one that `path` names."""

    bl_options = {"INTERNAL"}

    path: StringProperty(name="Path", description="The model's folder or file", options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return models.BUSY if state.current.models.busy else None

    def entry(self) -> Entry:
        if self.path:
            return models.entry_of(self.path)
        found = selected()
        if found is None:
            raise _NOTHING
        return found

    def say(self) -> None:
        """Report how it ended, in background mode, where it has."""
        if bpy.app.background and state.current.models.message:
            self.report({"INFO"}, state.current.models.message)


class TILEWRIGHT_OT_verify_model(_OnModel):
    """Check the model's files: a download's against their hashes, others for what their headers say"""

    bl_idname = "tilewright.verify_model"
    bl_label = "Verify"

    def act(self, context: bpy.types.Context) -> None:
        models.verify(self.entry())
        self.say()


class TILEWRIGHT_OT_repair_model(_OnModel):
    """Check the download and fetch what is damaged or missing again"""

    bl_idname = "tilewright.repair_model"
    bl_label = "Repair"

    def act(self, context: bpy.types.Context) -> None:
        entry = self.entry()
        if entry.plan is None:
            message = "Tilewright did not download this model and doesn't know where it is from."
            raise UserError(ErrorKind.MODEL, message, "Download it again.")
        models.download(entry.plan)
        self.say()


class TILEWRIGHT_OT_remove_model(_OnModel):
    """Delete a download from the disk. What you added from elsewhere stays there and leaves the list"""

    bl_idname = "tilewright.remove_model"
    bl_label = "Remove"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        return context.window_manager.invoke_confirm(self, event)

    def act(self, context: bpy.types.Context) -> None:
        models.remove(self.entry())
        self.say()


class TILEWRIGHT_OT_open_model_folder(_OnModel):
    """Show the model's folder in the system's file manager"""

    bl_idname = "tilewright.open_model_folder"
    bl_label = "Open Folder"

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return reporting.NO_WINDOW if bpy.app.background else None

    def act(self, context: bpy.types.Context) -> reporting.Outcome:
        entry = self.entry()
        folder = entry.path if entry.path.suffix.lower() != ".safetensors" else entry.path.parent
        return bpy.ops.wm.path_open(filepath=str(folder))


class TILEWRIGHT_OT_refresh_models(reporting.Operator):
    """Look for models again"""

    bl_idname = "tilewright.refresh_models"
    bl_label = "Refresh"
    bl_options = {"INTERNAL"}

    def act(self, context: bpy.types.Context) -> None:
        models.refresh()


class TILEWRIGHT_OT_add_model(reporting.Operator):
    """Add a model from anywhere on your disks: a .safetensors file, or a diffusers folder. Nothing is copied"""

    bl_idname = "tilewright.add_model"
    bl_label = "Add Model"

    filepath: StringProperty(name="Path", description="The model's file or folder", subtype="FILE_PATH")
    filter_glob: StringProperty(default="*.safetensors;model_index.json", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: bpy.types.Context) -> None:
        path = preferences.chosen_path(self.filepath)
        if path is None:
            raise UserError(ErrorKind.MODEL, "No file or folder is chosen.")
        self.report({"INFO"}, models.add(path).title)


class TILEWRIGHT_OT_look_up_model(reporting.Operator):
    """Ask the hub for the model's files, size and licence. Nothing is downloaded yet"""

    bl_idname = "tilewright.look_up_model"
    bl_label = "Look Up"
    bl_options = {"INTERNAL"}

    repository: StringProperty(name="Repository", description="“owner/model”", options={"SKIP_SAVE"})
    revision: StringProperty(name="Revision", description="Empty: the newest", options={"SKIP_SAVE"})
    files: StringProperty(
        name="Files",
        description="Paths of files, with commas between. Empty: the model",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return models.offline() or (models.BUSY if state.current.models.busy else None)

    def act(self, context: bpy.types.Context) -> None:
        wanted = tuple(part.strip() for part in self.files.split(",") if part.strip())
        models.look_up(self.repository.strip(), self.revision.strip(), wanted)


class TILEWRIGHT_OT_download_model(reporting.Operator):
    """Download the model that was looked up. Continues where it stopped"""

    bl_idname = "tilewright.download_model"
    bl_label = "Download"
    bl_options = {"INTERNAL"}

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        current = state.current.models
        if current.look is None or current.look.plan is None:
            return UserError(ErrorKind.MODEL, "Look a model up first.")
        return models.offline() or (models.BUSY if current.busy else None)

    def act(self, context: bpy.types.Context) -> None:
        models.download(state.current.models.look.plan)
        if bpy.app.background:
            self.report({"INFO"}, state.current.models.message)


class TILEWRIGHT_OT_cancel_download(reporting.Operator):
    """Stop. What was downloaded is kept, and Download continues from there"""

    bl_idname = "tilewright.cancel_download"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return None if state.current.models.busy else UserError(ErrorKind.RUNTIME, "Nothing is running.")

    def act(self, context: bpy.types.Context) -> None:
        models.cancel()


class TILEWRIGHT_OT_open_model_page(reporting.Operator):
    """Open the model's page on the hub in your browser"""

    bl_idname = "tilewright.open_model_page"
    bl_label = "Open Page"
    bl_options = {"INTERNAL"}

    repository: StringProperty(name="Repository", options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return reporting.NO_WINDOW if bpy.app.background else models.offline()

    def act(self, context: bpy.types.Context) -> reporting.Outcome:
        return bpy.ops.wm.url_open(url=models.page_of(self.repository))


class TILEWRIGHT_OT_dismiss_models(reporting.Operator):
    """Close this message"""

    bl_idname = "tilewright.dismiss_models"
    bl_label = "Close"
    bl_options = {"INTERNAL"}

    def act(self, context: bpy.types.Context) -> None:
        current = state.current.models
        current.error, current.message = None, ""


class TILEWRIGHT_OT_open_models_log(reporting.Operator):
    """Open the log of the downloads"""

    bl_idname = "tilewright.open_models_log"
    bl_label = "Open Log"
    bl_options = {"INTERNAL"}

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return reporting.NO_WINDOW if bpy.app.background else None

    def act(self, context: bpy.types.Context) -> reporting.Outcome:
        if not Path(models.log()).is_file():
            self.report({"INFO"}, "Nothing has been downloaded yet.")
            return {"CANCELLED"}
        return bpy.ops.wm.path_open(filepath=str(models.log()))


ICONS = {
    Source.PACKAGE: "PACKAGE",
    Source.HUB: "IMPORT",
    Source.FOLDER: "FILE_FOLDER",
    Source.ADDED: "LINKED",
    Source.UNFINISHED: "SORTTIME",
    Source.GONE: "ERROR",
}


def register() -> None:
    """The lists hang on the window manager: they are no part of any file."""
    bpy.types.WindowManager.tilewright_models = PointerProperty(type=TILEWRIGHT_PG_models)  # type: ignore[attr-defined]
    preferences.models_handlers.extend((show_entries, show_found))


def unregister() -> None:
    preferences.models_handlers.clear()
    del bpy.types.WindowManager.tilewright_models  # type: ignore[attr-defined]


CLASSES = (
    TILEWRIGHT_PG_model_row,
    TILEWRIGHT_PG_models,
    TILEWRIGHT_OT_verify_model,
    TILEWRIGHT_OT_repair_model,
    TILEWRIGHT_OT_remove_model,
    TILEWRIGHT_OT_open_model_folder,
    TILEWRIGHT_OT_refresh_models,
    TILEWRIGHT_OT_add_model,
    TILEWRIGHT_OT_look_up_model,
    TILEWRIGHT_OT_download_model,
    TILEWRIGHT_OT_cancel_download,
    TILEWRIGHT_OT_open_model_page,
    TILEWRIGHT_OT_dismiss_models,
    TILEWRIGHT_OT_open_models_log,
)
