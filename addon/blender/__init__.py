# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's side: everything that touches bpy. Imports core and host, never engine."""

import bpy

from . import (
    commands,
    compare,
    handover,
    history,
    history_operators,
    history_panel,
    languages,
    material_operators,
    operators,
    package,
    panels,
    physical_size,
    picture_operators,
    preferences,
    presets,
    properties,
    pump,
    recipes,
    setup,
    setup_operators,
    status,
    tryon,
)

_CLASSES = (
    *properties.CLASSES,
    *physical_size.CLASSES,
    *preferences.CLASSES,
    *operators.CLASSES,
    *setup_operators.CLASSES,
    *material_operators.CLASSES,
    *picture_operators.CLASSES,
    *history_operators.CLASSES,
    *compare.CLASSES,
    *tryon.CLASSES,
    *recipes.CLASSES,
    *presets.CLASSES,
    *panels.CLASSES,
    *history_panel.CLASSES,
)
# Each has register() and unregister(), which take nothing; in this order, and back in reverse.
_PARTS = (
    languages,
    properties,
    physical_size,
    picture_operators,
    history_panel,
    presets,
    recipes,
    pump,
    status,
    history,
    handover,
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
    for part in reversed(_PARTS):
        part.unregister()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
    package.close_log()
