# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's side: everything that touches bpy. Imports core and host, never engine."""

import bpy

from . import commands, operators, package, panels, picture_operators, preferences, properties, pump

_CLASSES = (*properties.CLASSES, *preferences.CLASSES, *operators.CLASSES, *picture_operators.CLASSES, *panels.CLASSES)


def register() -> None:
    """Add classes, properties, handlers and the command, in this order."""
    package.open_log()
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    properties.register()
    picture_operators.register()
    pump.register()
    commands.register()


def unregister() -> None:
    """Take all of it back in exact reverse; the worker ends."""
    commands.unregister()
    pump.unregister()
    picture_operators.unregister()
    properties.unregister()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
    package.close_log()
