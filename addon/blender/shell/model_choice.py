# SPDX-License-Identifier: GPL-3.0-or-later
"""The model in the panel: what was chosen, in words, and a file browser to choose with. Imports bpy and core."""

import os
from pathlib import Path

import bpy
from bpy.props import StringProperty

from ...core.errors import ErrorKind, UserError
from ...core.families.catalogue import ModelInfo
from ..common import preferences, reporting
from ..common.drawing import paragraph
from ..common.languages import message_of
from ..settings import models, told
from ..settings.properties import settings_of


class TILEWRIGHT_OT_choose_model(reporting.Operator):
    """Choose a checkpoint (.safetensors), or the model_index.json of a model in diffusers format"""

    bl_idname = "tilewright.choose_model"
    bl_label = "Choose Model"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"})
    filter_glob: StringProperty(default="*.safetensors;model_index.json", options={"SKIP_SAVE", "HIDDEN"})

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return None if context.scene else reporting.NO_SCENE

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        folder = preferences.models_folder()
        if folder is not None:
            self.filepath = os.path.join(folder, "")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: bpy.types.Context) -> None:
        path = Path(os.path.abspath(bpy.path.abspath(self.filepath)))
        if not self.filepath:
            raise UserError(ErrorKind.REQUEST, "No file is chosen.", "Choose one.")
        info = models.resolve(str(path))  # what is no model says so, and the model stays
        settings_of(context.scene).model = str(path)
        if said := told.of_model(info):
            self.report({"INFO"}, f"{info.title}: {said}")


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, info: ModelInfo | None) -> None:
    """The field, and the model's name and what it is, or why it is none."""
    settings = settings_of(context.scene)
    row = layout.row(align=True)
    row.prop(settings, "model")
    if not preferences.is_elsewhere():  # there, no file browser looks
        row.operator("tilewright.choose_model", text="", icon="FILE_FOLDER")
    problem = models.problem(settings.model)
    if problem is not None:
        paragraph(layout, context, message_of(problem), icon="ERROR")
    elif info is None:
        paragraph(layout, context, "Not read yet: Generate will read it.", icon="INFO")
    elif said := told.of_model(info):
        # the field shows the beginning of a path, and seldom the file's name
        paragraph(layout, context, f"{info.title}: {said}", icon="INFO")


CLASSES = (TILEWRIGHT_OT_choose_model,)
