# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's side: everything that touches bpy. Imports core and host, never engine."""

import bpy

from . import commands, handover, operators, package, panels, preferences, properties, pump, setup, setup_operators

_CLASSES = (*properties.CLASSES, *preferences.CLASSES, *operators.CLASSES, *setup_operators.CLASSES, *panels.CLASSES)


def register() -> None:
    """Add classes, properties, handlers and the command, in this order."""
    package.open_log()
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    properties.register()
    pump.register()
    handover.register()
    commands.register()


def unregister() -> None:
    """Take all of it back in exact reverse; the worker ends."""
    commands.unregister()
    handover.unregister()
    setup.close()
    pump.unregister()
    properties.unregister()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
    package.close_log()
