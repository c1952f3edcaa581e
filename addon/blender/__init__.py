# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's side: everything that touches bpy. Imports core and host, never engine."""

import bpy

from .common import languages, package
from .history import blending, browse, compare, going_on, recipes, tryon, viewport
from .history import operators as history_operators
from .history import panel as history_panel
from .install import models, models_operators, models_panel, setup
from .install import operators as setup_operators
from .jobs import (
    bake_job,
    baking,
    guide_operators,
    mask_overlay,
    operators,
    picture_operators,
    pump,
    render_handover,
    status,
    template_operators,
)
from .material import blend_operators, export_job, exporters, physical_size
from .material import operators as material_operators
from .settings import extras, presets, properties
from .shell import commands, loras, model_choice, pickers, preferences, sidebar

_CLASSES = (
    *extras.CLASSES,  # which the settings hold
    *properties.CLASSES,
    *physical_size.CLASSES,
    *preferences.CLASSES,
    *operators.CLASSES,
    *setup_operators.CLASSES,
    *models_operators.CLASSES,
    *models_panel.CLASSES,
    *material_operators.CLASSES,
    *blend_operators.CLASSES,
    *baking.CLASSES,
    *picture_operators.CLASSES,
    *template_operators.CLASSES,
    *guide_operators.CLASSES,
    *history_operators.CLASSES,
    *compare.CLASSES,
    *tryon.CLASSES,
    *viewport.CLASSES,
    *recipes.CLASSES,
    *going_on.CLASSES,
    *blending.CLASSES,
    *presets.CLASSES,
    *pickers.CLASSES,
    *loras.CLASSES,
    *model_choice.CLASSES,
    *sidebar.CLASSES,
    *history_panel.CLASSES,
)
# Each has register() and unregister(), which take nothing; in this order, and back in reverse.
_PARTS = (
    languages,
    properties,
    physical_size,
    picture_operators,
    mask_overlay,
    history_panel,
    presets,
    recipes,
    setup_operators,
    models_operators,
    bake_job,
    pump,
    export_job,
    exporters,
    baking,
    status,
    browse,
    render_handover,
    commands,
)


def register() -> None:
    """Add classes, properties, handlers and the command, in this order."""
    package.open_log()
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    for part in _PARTS:
        part.register()


def unregister() -> None:
    """Take all of it back in exact reverse; the worker ends."""
    setup.close()
    models.close()
    for part in reversed(_PARTS):
        part.unregister()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
    package.close_log()
