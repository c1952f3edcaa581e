# SPDX-License-Identifier: GPL-3.0-or-later
"""The setup's part of the panel and of the preferences. Draws only, and reads no disk. Imports bpy and core."""

from functools import lru_cache
from typing import Any

import bpy

from ...core.errors import UserError
from ...host.environment import Condition
from ...host.installer_messages import InstallerProgress, Stage
from ...host.ssh import FOLDER
from ..common import package, preferences, state
from ..common.drawing import lines, paragraph, size_text, time_text
from ..common.languages import iface_, message_of

_STAGES = {
    Stage.WAITING: "Waiting for another Blender",
    Stage.LOOKING: "Checking what is there",
    Stage.DOWNLOADING: "Downloading",
    Stage.INSTALLING: "Installing",
    Stage.CHECKING: "Checking",
    Stage.PREPARING: "Preparing the first start",
}


def is_wanted() -> bool:
    """Whether the panel has to show the box: something is missing that Install would bring, or it is at work."""
    current = state.current
    return current.setup.busy or current.setup.error is not None or bool(current.engine_error and _is_ours())


def _is_ours() -> bool:
    """Whether the engine is missing for want of an environment, and not of a Python that the user named wrongly."""
    found = state.current.environments
    return found is not None and found.lock is not None and not found.ready and not _named()


def _named() -> bool:
    return package.names_python() or bool(preferences.get().python.strip())


def draw_box(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What is missing, how large it is, where it goes, and one button; while it works, how far it is."""
    current = state.current
    box = layout.box().column()
    if current.setup.busy:
        draw_progress(box)
        return
    if current.setup.error:
        _draw_error(box, context, current.setup.error)
    if not current.engine_error or not current.environments or not current.environments.lock:
        return
    found = current.environments
    if not current.setup.error:
        paragraph(box, context, current.engine_error.message, icon="INFO")
    words = iface_("Downloads up to {size}, into {place}.")
    paragraph(box, context, words.format(size=size_text(found.lock.size), place=_short(str(found.root))))
    if not bpy.app.online_access and not preferences.get().wheels.strip():
        paragraph(
            box,
            context,
            "Blender isn't allowed online. Allow it, or name a folder of wheels or a Python.",
            icon="INTERNET_OFFLINE",
        )
        box.operator("screen.userpref_show", text="Allow Online Access...", icon="INTERNET").section = "SYSTEM"
    else:
        row = box.row()
        row.scale_y = 1.4
        row.operator("tilewright.install", text=install_label(), icon="IMPORT")
    box.operator("preferences.addon_show", text="Other Ways...", icon="PREFERENCES").module = package.NAME


def install_label() -> str:
    """The button's verb."""
    found = state.current.environments
    missing = found is None or found.verdict is None or found.verdict.condition is Condition.MISSING
    return "Install" if missing else "Repair"


def draw_progress(layout: bpy.types.UILayout) -> None:
    setup = state.current.setup
    column = layout.column(align=True)
    if setup.installing:
        column.progress(factor=setup.installer.progress.fraction, text=progress_text(setup.installer.progress))
        column.operator("tilewright.cancel_install", text="Cancel")
    elif setup.chore:
        column.label(text=f"{iface_(setup.chore.title)}...", icon="TIME", translate=False)
        column.operator("tilewright.cancel_install", text="Stop")


def progress_text(progress: InstallerProgress) -> str:
    """ "torch, 812 of 3103 MB, 40 s left"."""
    if progress.stage is Stage.DOWNLOADING:
        words = iface_("{package}, {done:.0f} of {total:.0f} MB")
        text = words.format(package=progress.package, done=progress.done / 1e6, total=progress.total / 1e6)
        left = "" if progress.left is None else iface_("{duration} left").format(duration=time_text(progress.left))
        return f"{text}, {left}" if left else text
    stage = iface_(_STAGES[progress.stage])
    return f"{stage}: {progress.package}" if progress.package else stage


def _draw_error(layout: Any, context: bpy.types.Context, error: UserError) -> None:
    paragraph(layout, context, _short(error.message), icon="ERROR")
    if error.hint:
        paragraph(layout, context, _short(error.hint))
    row = layout.row(align=True)
    row.operator("tilewright.open_installer_log", icon="TEXT")
    row.operator("tilewright.dismiss_setup", text="Close")


def _short(text: str) -> str:
    """Without the user's folder, which says little and may name the user."""
    return text.replace(str(package.data_folder("")).rstrip("/\\"), "…")


def draw_preferences(layout: bpy.types.UILayout, chosen: Any) -> None:
    """The engine's section of the preferences."""
    current = state.current
    box = layout.box().column()
    box.label(text="Engine", icon="SCRIPTPLUGINS")
    text, icon = _status()
    lines(box, text, icon)
    # the buttons first, greyed while something goes on: nothing moves under the mouse
    row = box.row(align=True)
    row.operator("tilewright.install", text=install_label(), icon="IMPORT")
    row.operator("tilewright.verify", icon="CHECKMARK")
    row.operator("tilewright.self_test", icon="PLAY")
    row = box.row(align=True)
    row.operator("tilewright.open_installer_log", icon="TEXT")
    row.operator("tilewright.copy_diagnostics", icon="COPYDOWN")
    if current.setup.busy:
        draw_progress(box)
    elif current.setup.error:
        lines(box, message_of(current.setup.error), "ERROR")
    elif current.setup.message:
        lines(box, current.setup.message, "CHECKMARK")
    box.separator()
    box.prop(chosen, "environment", placeholder=str(package.data_folder("environments")))
    if len(chosen.bl_rna.properties["backend"].enum_items) > 1:
        box.prop(chosen, "backend")
    box.prop(chosen, "wheels")
    box.prop(chosen, "index", placeholder="as set for pip and uv")
    row = box.row(align=True)
    row.prop(chosen, "python")
    row.operator("tilewright.check_python", text="", icon="VIEWZOOM")
    _draw_found(box)
    box.operator("tilewright.remove_everything", icon="TRASH")


def draw_elsewhere(layout: bpy.types.UILayout, chosen: Any) -> None:
    """The other machine's section of the preferences."""
    box = layout.box().column()
    box.label(text="Another Machine", icon="NETWORK_DRIVE")
    box.prop(chosen, "host", placeholder="This Computer Alone")
    box.prop(chosen, "host_folder", placeholder=FOLDER)
    row = box.row(align=True)
    row.operator("tilewright.check_elsewhere", icon="CHECKMARK")
    row.operator("tilewright.copy_install_command", icon="COPYDOWN")
    report = state.current.elsewhere
    if report is not None and report.place.host == chosen.host.strip():
        problem = report.problem(_version())
        lines(box, problem or report.text, "ERROR" if problem else "CHECKMARK")
    if chosen.host.strip():
        box.prop(chosen, "place", expand=True)


@lru_cache(maxsize=1)
def _version() -> str:
    return package.version()


def _status() -> tuple[str, str]:
    current = state.current
    if current.engine_error:
        return current.engine_error.message, "ERROR"
    if _named():
        return "Using your own Python.", "CHECKMARK"
    found = current.environments
    text = iface_("The engine's packages are installed.")
    if not (found and found.lock and found.lock.verified):
        text = f"{text} {iface_('We have not tried this list on a machine like yours.')}"
    return text, "CHECKMARK"


def _draw_found(layout: Any) -> None:
    """Every environment on the disk, with its size, and a button that removes it."""
    found = state.current.environments
    for item in found.found if found else ():
        row = layout.row()
        size = iface_("incomplete") if item.size is None else size_text(item.size)
        use = iface_("in use") if item.current else iface_("not used by this Blender")
        row.label(text=f"{item.title}: {size}, {use}", icon="PACKAGE", translate=False)
        row.operator("tilewright.remove_environment", text="", icon="X").name = item.folder.name
