# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel of LoRAs and embeddings: a list of files, each with its weight and its words. Imports bpy and core."""

import os
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, StringProperty

from ...core.errors import UserError
from ...core.requests.extras import name_of
from ...core.requests.texture import STARTER
from ..common import preferences, reporting
from ..common.drawing import paragraph
from ..common.languages import iface_
from ..settings import extras, models
from ..settings.properties import TILEWRIGHT_PG_settings, settings_of

_STARTER = "The starter takes no LoRAs or embeddings: they are made for larger models. Choose one above."


class _OfSettings(reporting.Operator):
    """What the operators share."""

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return None if context.scene else reporting.NO_SCENE


class TILEWRIGHT_OT_add_lora(_OfSettings):
    """Add LoRAs or embeddings: .safetensors files, looked for in the Models folder of the preferences first"""

    bl_idname = "tilewright.add_lora"
    bl_label = "Add Files"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"})
    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})
    filter_glob: StringProperty(default="*.safetensors", options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        folder = preferences.models_folder()
        if folder is not None:
            self.filepath = os.path.join(folder, "")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def act(self, context: bpy.types.Context) -> None:
        names = [item.name for item in self.files if item.name]
        paths = [Path(self.directory, name) for name in names] or [Path(bpy.path.abspath(self.filepath))]
        for path in paths:
            extras.add(settings_of(context.scene), path)


class TILEWRIGHT_OT_remove_lora(_OfSettings):
    """Take this file off the list"""

    bl_idname = "tilewright.remove_lora"
    bl_label = "Remove File"
    bl_options = {"REGISTER", "UNDO"}

    index: IntProperty(options={"SKIP_SAVE", "HIDDEN"})
    embedding: BoolProperty(options={"SKIP_SAVE", "HIDDEN"})

    def act(self, context: bpy.types.Context) -> None:
        settings = settings_of(context.scene)
        (settings.embeddings if self.embedding else settings.loras).remove(self.index)


class TILEWRIGHT_OT_add_words(_OfSettings):
    """Add this word to the prompt: its maker says that it calls up what was trained"""

    bl_idname = "tilewright.add_words"
    bl_label = "Add to Prompt"
    bl_options = {"REGISTER", "UNDO"}

    words: StringProperty(options={"SKIP_SAVE", "HIDDEN"})

    def act(self, context: bpy.types.Context) -> None:
        settings = settings_of(context.scene)
        typed = settings.prompt.rstrip(" ,")
        if self.words.casefold() not in typed.casefold():
            settings.prompt = f"{typed}, {self.words}" if typed else self.words


def draw(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Both lists; greyed, with the reason, where the model takes none."""
    settings = settings_of(context.scene)
    takes = settings.model != STARTER
    if not takes:
        paragraph(layout, context, _STARTER, icon="INFO")
    for index, item in enumerate(settings.loras):
        _draw_file(layout.box(), settings, item, index, takes, embedding=False)
    for index, item in enumerate(settings.embeddings):
        _draw_file(layout.box(), settings, item, index, takes, embedding=True)
    row = layout.row()
    row.enabled = takes
    row.menu("TILEWRIGHT_MT_loras", text="Add LoRA or Embedding", icon="ADD")
    _draw_clip_skip(layout, settings, takes)


def _draw_file(
    layout: bpy.types.UILayout, settings: TILEWRIGHT_PG_settings, item: Any, index: int, takes: bool, *, embedding: bool
) -> None:
    column = layout.column(align=True)
    row = column.row()
    name = row.row()
    name.active = takes
    name.label(text=name_of(item.file).removesuffix(".safetensors"), icon="WORDWRAP_ON" if embedding else "MODIFIER_ON")
    remove: Any = row.operator("tilewright.remove_lora", text="", icon="X", emboss=False)
    remove.index, remove.embedding = index, embedding
    column = column.column()
    column.active = takes
    told = column.row()
    fits = _fits(settings, item)
    told.alert = takes and (item.missing or not fits)
    told.label(text=_what(item, embedding), icon="NONE" if fits and not item.missing else "ERROR", translate=False)
    if item.missing:
        column.prop(item, "file", text="")
    if not embedding:
        column.prop(item, "weight", slider=True)
    words = item.words.splitlines() or ([name_of(item.file).removesuffix(".safetensors")] if embedding else [])
    for word in words:
        button: Any = column.operator("tilewright.add_words", text=word, icon="ADD", translate=False)
        button.words = word


def _what(item: Any, embedding: bool) -> str:
    """What the file is, in the interface's language."""
    if item.missing:
        return iface_("Not here")
    if not item.base:
        return iface_("Embedding") if embedding else iface_("LoRA")
    return (iface_("Embedding for {base}") if embedding else iface_("LoRA for {base}")).format(base=item.base)


def _fits(settings: TILEWRIGHT_PG_settings, item: Any) -> bool:
    """Whether the file is for the chosen model, as far as both are known; the engine looks at every layer."""
    info = models.peek(settings.model)
    return not item.base or info is None or info.base is None or info.base.title == item.base


def _draw_clip_skip(layout: bpy.types.UILayout, settings: TILEWRIGHT_PG_settings, takes: bool) -> None:
    row = layout.row()
    row.enabled = takes
    row.use_property_split = True
    row.use_property_decorate = False
    row.prop(settings, "clip_skip")


CLASSES = (TILEWRIGHT_OT_add_lora, TILEWRIGHT_OT_remove_lora, TILEWRIGHT_OT_add_words)
