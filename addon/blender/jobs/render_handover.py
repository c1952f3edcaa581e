# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands the accelerator to renders: when one starts, the engine lets go of its models. Imports bpy."""

import bpy
from bpy.app.handlers import persistent

from ..common import preferences, state


@persistent
def _on_render(*_: object) -> None:
    """Runs in the render's thread, for each frame: it only puts a message on its way, and only once models are loaded.

    The next job loads them again.
    """
    session = state.current.session
    if session and preferences.get().yield_to_render and not preferences.is_elsewhere():
        session.free()


def register() -> None:
    bpy.app.handlers.render_pre.append(_on_render)


def unregister() -> None:
    if _on_render in bpy.app.handlers.render_pre:
        bpy.app.handlers.render_pre.remove(_on_render)
