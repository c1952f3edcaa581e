# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's side: everything that touches bpy. Imports core and host, never engine."""

import bpy

from . import (
    commands,
    material_operators,
    operators,
    package,
    panels,
    physical_size,
    preferences,
    properties,
    pump,
)

_CLASSES = (
    *properties.CLASSES,
    *physical_size.CLASSES,
    *preferences.CLASSES,
    *operators.CLASSES,
    *material_operators.CLASSES,
    *panels.CLASSES,
)


def register() -> None:
    """Add classes, properties, handlers and the command, in this order."""
    package.open_log()
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    properties.register()
    physical_size.register()
    pump.register()
    commands.register()


def unregister() -> None:
    """Take all of it back in exact reverse; the worker ends."""
    commands.unregister()
    pump.unregister()
    physical_size.unregister()
    properties.unregister()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
    package.close_log()
