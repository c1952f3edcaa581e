# SPDX-License-Identifier: GPL-3.0-or-later
"""An image in an Image Editor: one that is open, or a new window, so that the layout stays. Imports bpy."""

from typing import Any

import bpy


def show(context: bpy.types.Context, image: bpy.types.Image) -> bpy.types.SpaceImageEditor:
    """Show the image in an Image Editor of the screen that is not pinned to another, or else in a new window."""
    areas = context.screen.areas if context.screen else ()
    spaces = (area.spaces.active for area in areas)
    editors = [space for space in spaces if isinstance(space, bpy.types.SpaceImageEditor)]
    editor = next((space for space in editors if not space.use_image_pin or space.image == image), None)
    if editor is None:
        bpy.ops.wm.window_new()
        area = context.window_manager.windows[-1].screen.areas[0]
        area.type = "IMAGE_EDITOR"
        editor = area.spaces.active  # type: ignore[assignment]
    assert isinstance(editor, bpy.types.SpaceImageEditor)
    editor.image = image
    return editor


def take_white(context: bpy.types.Context, paint: Any) -> None:
    """White to paint, black at X. Before 5.0 the colors that all brushes share are the scene's, now each mode's.

    paint: the tool settings of one mode, such as `tool_settings.image_paint`.
    """
    tools: Any = context.tool_settings
    for owner in (getattr(paint, "unified_paint_settings", None), getattr(tools, "unified_paint_settings", None)):
        if owner is not None:
            owner.color, owner.secondary_color = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
    if paint.brush is not None:
        paint.brush.color, paint.brush.secondary_color = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
