# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels share: where they are, texts in lines that fit, drawing again. Imports bpy."""

import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import blf
import bpy

from . import package, state
from .languages import iface_


class View3D:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = package.TITLE


class ShaderEditor:
    bl_space_type = "NODE_EDITOR"
    bl_region_type = "UI"
    bl_category = package.TITLE

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        space = context.space_data
        return isinstance(space, bpy.types.SpaceNodeEditor) and space.tree_type == "ShaderNodeTree"


PLACES = ((View3D, "view3d"), (ShaderEditor, "shader"))


def redraw_sidebars() -> None:
    """Have the sidebars drawn again that show the panel, and nothing else: each says so when it is drawn.

    And once more a moment later: Blender (5.2) moves the panels below one that has grown or shrunk only then.
    """
    _redraw()
    if not bpy.app.background and not bpy.app.timers.is_registered(_redraw):
        bpy.app.timers.register(_redraw, first_interval=0.15)


def unregister() -> None:
    """Stop the timer."""
    if bpy.app.timers.is_registered(_redraw):
        bpy.app.timers.unregister(_redraw)


def _redraw() -> None:
    shown_in = state.current.shown_in
    for window in bpy.context.window_manager.windows if shown_in else ():
        for area in window.screen.areas:
            for region in area.regions:
                if region.type == "UI" and region.as_pointer() in shown_in:
                    region.tag_redraw()
    shown_in.clear()


@contextmanager
def without_asking(layout: bpy.types.UILayout) -> Iterator[None]:
    """What is drawn meanwhile is executed when it is pressed, and asks for nothing.

    Blender (4.2 to 5.2) keeps the operator context for the whole panel, on whichever of its layouts it is set: so it is
    set back, or every button that is drawn later is executed too.
    """
    before = layout.operator_context
    layout.operator_context = "EXEC_DEFAULT"
    try:
        yield
    finally:
        layout.operator_context = before


def paragraph(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: Any = "NONE", margin: int = 0
) -> None:
    """A text in as many lines as the sidebar's width asks for. margin: icons that stand to its right."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    scale = context.preferences.system.ui_scale
    width = context.region.width - (66 + 20 * (margin + (icon != "NONE"))) * scale
    for number, line in enumerate(wrap(iface_(text), width, _measure(context))):
        column.label(text=line, icon=icon if number == 0 else "BLANK1" if icon != "NONE" else "NONE", translate=False)


def lines(layout: bpy.types.UILayout, text: str, icon: Any = "NONE", width: int = 90) -> None:
    """A text in lines of at most `width` letters: as many as fit the default width of the preferences."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(textwrap.wrap(iface_(text), width)):
        column.label(text=line, icon=icon if number == 0 else "BLANK1" if icon != "NONE" else "NONE", translate=False)


def size_text(count: int) -> str:
    """Bytes for people: "2.1 GB", "34 MB"."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def time_text(seconds: float) -> str:
    """ "40 s", "3 min"."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _measure(context: bpy.types.Context) -> Callable[[str], float]:
    """Tells how many pixels a text is wide."""
    points = context.preferences.ui_styles[0].widget.points
    blf.size(0, points * context.preferences.system.ui_scale)
    return lambda text: float(blf.dimensions(0, text)[0])


def wrap(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """Lines of at most `width`; a word that is longer, such as a path, is cut."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if measure(longer) <= width:
            line = longer
            continue
        lines += [line] if line else []
        line = word
        while measure(line) > width and len(line) > 1:
            cut = max((n for n in range(1, len(line)) if measure(line[:n]) <= width), default=1)
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line] if line else lines
