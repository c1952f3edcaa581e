# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender calls. Imports nothing at the top, so that core and the worker load without bpy."""


def register() -> None:
    """Add Tilewright to Blender: classes, properties, panels, handlers, the command line."""
    from . import blender

    blender.register()


def unregister() -> None:
    """Take everything back that register() added, and end the worker."""
    from . import blender

    blender.unregister()
