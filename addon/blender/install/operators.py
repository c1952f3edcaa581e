# SPDX-License-Identifier: GPL-3.0-or-later
"""The setup's buttons: read the context, call one function, report. Imports bpy and core."""

from collections.abc import Callable

import bpy
from bpy.props import BoolProperty, StringProperty

from ...core.errors import UserError
from ...host.installer_messages import InstallerAction
from ..common import languages, preferences, state
from . import diagnostics, setup


class _Setup:
    """What these operators share: an error is reported, in one sentence."""

    bl_options = {"INTERNAL"}

    def attempt(self, function: Callable[[], object]) -> set[str]:
        try:
            function()
        except UserError as error:
            self.report({"ERROR"}, languages.told(error))
            return {"CANCELLED"}
        if bpy.app.background and state.current.setup.told:
            self.report({"INFO"}, state.current.setup.told)
        return {"FINISHED"}


class TILEWRIGHT_OT_install(_Setup, bpy.types.Operator):
    """Download and install what the engine needs, or mend it. Goes on where it was interrupted"""

    bl_idname = "tilewright.install"
    bl_label = "Install"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = setup.hindrance()
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.attempt(lambda: setup.start(InstallerAction.INSTALL))


class TILEWRIGHT_OT_verify(_Setup, bpy.types.Operator):
    """Compare every file of the engine's packages with its hash. What is damaged is named, and Repair mends it"""

    bl_idname = "tilewright.verify"
    bl_label = "Verify"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = setup.hindrance(InstallerAction.VERIFY)
        if not reason and not (state.current.environments and state.current.environments.ready):
            reason = "Nothing is installed that could be verified."
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.attempt(lambda: setup.start(InstallerAction.VERIFY))


class TILEWRIGHT_OT_cancel_install(_Setup, bpy.types.Operator):
    """Stop. What was downloaded is kept, and Install goes on from there"""

    bl_idname = "tilewright.cancel_install"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return state.current.setup.busy

    def execute(self, context: bpy.types.Context) -> set[str]:
        setup.cancel()
        return {"FINISHED"}


class TILEWRIGHT_OT_check_python(_Setup, bpy.types.Operator):
    """Run the engine's Python, and list what it has or lacks"""

    bl_idname = "tilewright.check_python"
    bl_label = "Check Python"

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.attempt(setup.check_python)


class TILEWRIGHT_OT_self_test(_Setup, bpy.types.Operator):
    """Have the engine tell its versions and device, and make a small texture that is not kept"""

    bl_idname = "tilewright.self_test"
    bl_label = "Self Test"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if state.current.lost_engine:
            cls.poll_message_set(str(state.current.lost_engine))
        return state.current.lost_engine is None and not state.current.setup.busy

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.attempt(setup.self_test)


class TILEWRIGHT_OT_copy_diagnostics(_Setup, bpy.types.Operator):
    """Copy versions, settings and the logs' ends for a report, without your name and your folders"""

    bl_idname = "tilewright.copy_diagnostics"
    bl_label = "Copy Diagnostics"

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = diagnostics.text()
        self.report({"INFO"}, "Copied. Read it before you paste it anywhere.")
        return {"FINISHED"}


class TILEWRIGHT_OT_open_installer_log(_Setup, bpy.types.Operator):
    """Open what the installer wrote"""

    bl_idname = "tilewright.open_installer_log"
    bl_label = "Open Log"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not bpy.app.background

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not setup.log().is_file():
            self.report({"INFO"}, "Nothing was installed yet.")
            return {"CANCELLED"}
        return bpy.ops.wm.path_open(filepath=str(setup.log()))


class TILEWRIGHT_OT_dismiss_setup(_Setup, bpy.types.Operator):
    """Close this message"""

    bl_idname = "tilewright.dismiss_setup"
    bl_label = "Close"

    def execute(self, context: bpy.types.Context) -> set[str]:
        state.current.setup.error = None
        setup.redraw()
        return {"FINISHED"}


class TILEWRIGHT_OT_remove_environment(_Setup, bpy.types.Operator):
    """Delete these packages from the disk"""

    bl_idname = "tilewright.remove_environment"
    bl_label = "Remove Packages"

    name: StringProperty(description="The environment's folder", options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.attempt(lambda: setup.remove_environment(preferences.environments_folder() / self.name))


class TILEWRIGHT_OT_remove_everything(_Setup, bpy.types.Operator):
    """Delete all that Tilewright has put on this machine: the engine's packages, logs and settings of its own"""

    bl_idname = "tilewright.remove_everything"
    bl_label = "Remove Everything"

    results: BoolProperty(
        name="Also the Textures",
        description="Delete the textures that were made as well; those in saved files stay in them",
        default=False,
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.attempt(lambda: setup.remove_everything(self.results))


CLASSES = (
    TILEWRIGHT_OT_install,
    TILEWRIGHT_OT_verify,
    TILEWRIGHT_OT_cancel_install,
    TILEWRIGHT_OT_check_python,
    TILEWRIGHT_OT_self_test,
    TILEWRIGHT_OT_copy_diagnostics,
    TILEWRIGHT_OT_open_installer_log,
    TILEWRIGHT_OT_dismiss_setup,
    TILEWRIGHT_OT_remove_environment,
    TILEWRIGHT_OT_remove_everything,
)
