# SPDX-License-Identifier: GPL-3.0-or-later
"""A line in Blender's status bar while something is made: seen with the sidebar closed, gone when all is done.

An error stays until it is closed: where a job was started in the Image Editor, no panel of ours may be in sight.

Imports bpy and core. The bar's own key hints stay; the mouse pointer does not turn into a clock.
"""

from typing import Any

import bpy

from ..common import package, state
from ..common.languages import iface_
from . import panel as queue_panel


def text() -> str:
    """What is going on, in a line; "" where nothing is."""
    current = state.current
    jobs = list(current.session.jobs) if current.session else []
    if jobs:
        line = queue_panel.progress_text(jobs[0])
        return iface_("{line} ({count} waiting)").format(line=line, count=len(jobs) - 1) if len(jobs) > 1 else line
    return iface_(current.hindrance or (current.error.message if current.error else ""))


def draw(self: bpy.types.Header, context: bpy.types.Context) -> None:
    """Appended to the bar, at its right end."""
    line = text()
    if not line:
        return
    current = state.current
    jobs = list(current.session.jobs) if current.session else []
    row = self.layout.row(align=True)
    if jobs:
        row.progress(factor=jobs[0].fraction, text="", type="RING")
    icon: Any = "NONE" if jobs else "TIME" if current.hindrance else "ERROR"
    row.label(text=f"{package.TITLE}: {line}", icon=icon, translate=False)
    if jobs:
        row.operator("tilewright.cancel", text="", icon="X", emboss=False).job = jobs[0].id
    elif not current.hindrance:
        row.operator("tilewright.dismiss", text="", icon="X", emboss=False)


def redraw() -> None:
    """Have the status bars drawn again. No screen has them, but they listen to this name, and few others do."""
    key: Any = (bpy.types.ViewLayer, "name")
    bpy.msgbus.publish_rna(key=key)


def register() -> None:
    bpy.types.STATUSBAR_HT_header.append(draw)


def unregister() -> None:
    bpy.types.STATUSBAR_HT_header.remove(draw)
