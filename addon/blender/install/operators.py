# SPDX-License-Identifier: GPL-3.0-or-later
"""The setup's buttons: read the context, call one function, report. Imports bpy and core."""

import bpy
from bpy.props import BoolProperty, StringProperty

from ...core.errors import ErrorKind, UserError
from ...host.installer_messages import InstallerAction
from ..common import package, preferences, reporting, state
from . import diagnostics, setup


class _Setup(reporting.Operator):
    """What these operators share."""

    bl_options = {"INTERNAL"}

    def say(self) -> None:
        """Report how it ended, in background mode, where it has."""
        if bpy.app.background and state.current.setup.message:
            self.report({"INFO"}, state.current.setup.message)


class TILEWRIGHT_OT_install(_Setup):
    """Download and install what the engine needs, or repair it. Continues where it stopped"""

    bl_idname = "tilewright.install"
    bl_label = "Install"

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return setup.problem(InstallerAction.INSTALL)

    def act(self, context: bpy.types.Context) -> None:
        setup.start(InstallerAction.INSTALL)
        self.say()


class TILEWRIGHT_OT_verify(_Setup):
    """Check every file of the engine's packages against its hash. Repair fixes what is damaged"""

    bl_idname = "tilewright.verify"
    bl_label = "Verify"

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        error = setup.problem(InstallerAction.VERIFY)
        if error is None and not (state.current.environments and state.current.environments.ready):
            return UserError(ErrorKind.RUNTIME, "There is nothing to verify: no packages are installed.")
        return error

    def act(self, context: bpy.types.Context) -> None:
        setup.start(InstallerAction.VERIFY)
        self.say()


class TILEWRIGHT_OT_cancel_install(_Setup):
    """Stop. Downloads are kept, and Install continues from there"""

    bl_idname = "tilewright.cancel_install"
    bl_label = "Cancel"

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return None if state.current.setup.busy else UserError(ErrorKind.RUNTIME, "Nothing is running.")

    def act(self, context: bpy.types.Context) -> None:
        setup.cancel()


class TILEWRIGHT_OT_check_python(_Setup):
    """Run the engine's Python and list what it has or lacks"""

    bl_idname = "tilewright.check_python"
    bl_label = "Check Python"

    def act(self, context: bpy.types.Context) -> None:
        setup.check_python()
        self.say()


class _Elsewhere(_Setup):
    """What needs another machine's name."""

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        if not preferences.get().host.strip():
            return UserError(ErrorKind.RUNTIME, "Name the other machine first, as ssh knows it.")
        try:
            preferences.named_place()
        except UserError as error:  # not allowed online, or no such name
            return error
        return setup.BUSY if state.current.setup.busy else None


class TILEWRIGHT_OT_check_elsewhere(_Elsewhere):
    """Connect by ssh and list what is there and what is missing. Nothing is changed there"""

    bl_idname = "tilewright.check_elsewhere"
    bl_label = "Check"

    def act(self, context: bpy.types.Context) -> None:
        setup.check_elsewhere()
        self.say()


class TILEWRIGHT_OT_copy_install_command(_Elsewhere):
    """Copy the command that installs or updates Tilewright there. Run it in a terminal of this computer"""

    bl_idname = "tilewright.copy_install_command"
    bl_label = "Copy Command"

    def act(self, context: bpy.types.Context) -> None:
        context.window_manager.clipboard = setup.install_command()
        self.report({"INFO"}, "Copied. Run it in a terminal.")


class TILEWRIGHT_OT_self_test(_Setup):
    """Show the engine's versions and device, and make a small test texture, which is not kept"""

    bl_idname = "tilewright.self_test"
    bl_label = "Self Test"

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return state.current.engine_error or (setup.BUSY if state.current.setup.busy else None)

    def act(self, context: bpy.types.Context) -> None:
        setup.self_test()
        self.say()


class TILEWRIGHT_OT_copy_diagnostics(_Setup):
    """Copy versions, settings and the end of the logs for a bug report, without your name or folders"""

    bl_idname = "tilewright.copy_diagnostics"
    bl_label = "Copy Diagnostics"

    def act(self, context: bpy.types.Context) -> None:
        context.window_manager.clipboard = diagnostics.text()
        self.report({"INFO"}, "Copied. Read it before you paste it anywhere.")


class TILEWRIGHT_OT_open_installer_log(_Setup):
    """Open the installer's log"""

    bl_idname = "tilewright.open_installer_log"
    bl_label = "Open Log"

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return reporting.NO_WINDOW if bpy.app.background else None

    def act(self, context: bpy.types.Context) -> reporting.Outcome:
        if not setup.log().is_file():
            self.report({"INFO"}, "Nothing has been installed yet.")
            return {"CANCELLED"}
        return bpy.ops.wm.path_open(filepath=str(setup.log()))


class TILEWRIGHT_OT_dismiss_setup(_Setup):
    """Close this message"""

    bl_idname = "tilewright.dismiss_setup"
    bl_label = "Close"

    def act(self, context: bpy.types.Context) -> None:
        state.current.setup.error = None
        setup.redraw()


class TILEWRIGHT_OT_open_manual(_Setup):
    """Open this version's manual"""

    bl_idname = "tilewright.open_manual"
    bl_label = "Tilewright Manual"

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return reporting.NO_WINDOW if bpy.app.background else None

    def act(self, context: bpy.types.Context) -> reporting.Outcome:
        return bpy.ops.wm.path_open(filepath=str(package.manual()))


class TILEWRIGHT_OT_remove_environment(_Setup):
    """Delete these packages from disk"""

    bl_idname = "tilewright.remove_environment"
    bl_label = "Remove Packages"

    name: StringProperty(description="The environment's folder", options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        return context.window_manager.invoke_confirm(self, event)

    def act(self, context: bpy.types.Context) -> None:
        setup.remove_environment(preferences.environments_folder() / self.name)
        self.say()


class TILEWRIGHT_OT_remove_everything(_Setup):
    """Delete everything Tilewright put on this machine: the engine's packages, logs and its own settings"""

    bl_idname = "tilewright.remove_everything"
    bl_label = "Remove Everything"

    results: BoolProperty(
        name="Also the Textures",
        description="Also delete the textures. Those in saved files stay there",
        default=False,
        options={"SKIP_SAVE"},
    )
    models: BoolProperty(
        name="Also the Models",
        description="Also delete the models that were downloaded. What you added stays",
        default=False,
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        return context.window_manager.invoke_props_dialog(self)

    def act(self, context: bpy.types.Context) -> None:
        setup.remove_everything(self.results, self.models)
        self.say()


def _draw_help(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.separator()
    self.layout.operator("tilewright.open_manual", icon="HELP")


def register() -> None:
    """Blender's Help menu."""
    bpy.types.TOPBAR_MT_help.append(_draw_help)


def unregister() -> None:
    bpy.types.TOPBAR_MT_help.remove(_draw_help)


CLASSES = (
    TILEWRIGHT_OT_install,
    TILEWRIGHT_OT_verify,
    TILEWRIGHT_OT_cancel_install,
    TILEWRIGHT_OT_check_python,
    TILEWRIGHT_OT_check_elsewhere,
    TILEWRIGHT_OT_copy_install_command,
    TILEWRIGHT_OT_self_test,
    TILEWRIGHT_OT_copy_diagnostics,
    TILEWRIGHT_OT_open_installer_log,
    TILEWRIGHT_OT_dismiss_setup,
    TILEWRIGHT_OT_open_manual,
    TILEWRIGHT_OT_remove_environment,
    TILEWRIGHT_OT_remove_everything,
)
