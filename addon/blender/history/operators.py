# SPDX-License-Identifier: GPL-3.0-or-later
"""What the history's buttons do. Each takes the folder name of a result, for scripts. Imports bpy and core."""

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from ...core.errors import ErrorKind, UserError
from ...core.history import Which
from ...core.naming import title
from ..common import preferences, reporting, state, targets
from ..common.languages import iface_, rpt_
from ..jobs import delivery
from ..material import color_node, shown
from ..pictures import editors, images
from ..settings.properties import chosen_target, target_problem
from . import browse


class _OnResult(reporting.Operator):
    """An operator on one result."""

    result: StringProperty(
        name="Result", description="The result's folder in the history", options={"SKIP_SAVE", "HIDDEN"}
    )


class TILEWRIGHT_OT_history_refresh(reporting.Operator):
    """Read the results folder again"""

    bl_idname = "tilewright.history_refresh"
    bl_label = "Refresh"

    def act(self, context: bpy.types.Context) -> None:
        browse.refresh()


class TILEWRIGHT_OT_select(_OnResult):
    bl_idname = "tilewright.select"
    bl_label = "Select"
    bl_options = {"INTERNAL"}

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """The whole prompt, which the button may have no room for."""
        entry = state.current.history.find(properties.result) if state.current.history else None
        return title(entry.result.recipe.request.prompt, 400) if entry else ""

    def act(self, context: bpy.types.Context) -> None:
        browse.select(self.result)


class TILEWRIGHT_OT_turn_page(reporting.Operator):
    """Show other results"""

    bl_idname = "tilewright.turn_page"
    bl_label = "Turn Page"
    bl_options = {"INTERNAL"}

    step: IntProperty(default=1, options={"SKIP_SAVE"})

    def act(self, context: bpy.types.Context) -> None:
        browse.show(state.current.view.page + self.step)


class TILEWRIGHT_OT_apply(reporting.Operator):
    """Put the texture into the active material, by the Target setting"""

    bl_idname = "tilewright.apply"
    bl_label = "Apply"
    bl_options = {"REGISTER", "UNDO"}
    keeps_error = True

    result: StringProperty(
        description="The result's folder in the history. Empty: the latest texture",
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return target_problem(context)

    def act(self, context: bpy.types.Context) -> None:
        _apply(context, self.result)


def _apply(context: bpy.types.Context, name: str) -> None:
    current = state.current
    result = browse.result(name) if name else current.result
    if result is None:
        raise UserError(ErrorKind.REQUEST, "There is no texture yet.", "Generate one.")
    target = chosen_target(context)
    # a job that waits for a tool to end is delivered by this, and not a second time
    if current.last in current.waiting and result == current.result:
        current.waiting.remove(current.last)
        current.targets.pop(current.last.id, None)
    delivery.tell(delivery.deliver([result], target), result.folder.name)
    browse.note_use(result.folder.name)


class TILEWRIGHT_OT_apply_in_group(reporting.Operator):
    """Put the texture into the node group that the material's Principled BSDF is in, though others use the group too"""

    bl_idname = "tilewright.apply_in_group"
    bl_label = "Apply in Group"
    bl_options = {"REGISTER", "UNDO"}
    keeps_error = True

    result: StringProperty(
        description="The result's folder in the history. Empty: the latest texture",
        options={"SKIP_SAVE", "HIDDEN"},
    )
    own: BoolProperty(
        name="Copy", description="Give this material a copy of the group first", options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if properties.own:
            return rpt_("Give this material its own copy of the group, and put the texture there")
        return rpt_("Put the texture into the group: all that use it show it")

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        material = targets.material_of(context)
        if material is None or material.node_tree is None or shown.surface(material.node_tree).shared is None:
            return targets.refusal("The Principled BSDF is in no group that others use.")
        return target_problem(context)

    def act(self, context: bpy.types.Context) -> None:
        tree = targets.material_of(context).node_tree
        (shown.make_own if self.own else shown.edit_for_all)(tree)
        color_node.remove_set_aside(tree)
        _apply(context, self.result)


class TILEWRIGHT_OT_favourite(_OnResult):
    """Mark as a favorite, which Clean Up never removes, or unmark"""

    bl_idname = "tilewright.favourite"
    bl_label = "Favorite"

    favourite: BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})

    def act(self, context: bpy.types.Context) -> None:
        browse.mark_favourite(self.result, self.favourite)


class TILEWRIGHT_OT_delete(_OnResult):
    """Delete this texture from disk. Refused while the open file still needs it"""

    bl_idname = "tilewright.delete"
    bl_label = "Delete"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        return self.attempt(lambda: self.confirm(context, event))

    def confirm(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        prompt = title(browse.result(self.result).recipe.request.prompt)
        return context.window_manager.invoke_confirm(
            self,
            event,
            title=iface_("Delete “{title}”?").format(title=prompt),
            message=iface_("This removes it from disk and cannot be undone."),
            confirm_text=iface_("Delete"),
            icon="WARNING",
        )

    def act(self, context: bpy.types.Context) -> None:
        self.report({"INFO"}, browse.delete(self.result))


class TILEWRIGHT_OT_open_in_image_editor(_OnResult):
    """Show the picture in an open Image Editor, or in a new window"""

    bl_idname = "tilewright.open_in_image_editor"
    bl_label = "Open in Image Editor"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return reporting.NO_WINDOW if bpy.app.background else None

    def act(self, context: bpy.types.Context) -> None:
        editors.show(context, images.load(browse.result(self.result)))


class TILEWRIGHT_OT_show_file(_OnResult):
    """Open the folder with the texture's files"""

    bl_idname = "tilewright.show_file"
    bl_label = "Show File"

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return reporting.NO_WINDOW if bpy.app.background else None

    def act(self, context: bpy.types.Context) -> None:
        bpy.ops.wm.path_open(filepath=str(browse.result(self.result).folder))


class TILEWRIGHT_OT_show_offers(reporting.Operator):
    """Show textures of earlier sessions that no saved file uses"""

    bl_idname = "tilewright.show_offers"
    bl_label = "Show"
    bl_options = {"INTERNAL"}

    def act(self, context: bpy.types.Context) -> None:
        view = state.current.view
        view.text, view.which = "", Which.UNTAKEN
        view.selected = view.offered[0] if view.offered else ""
        browse.show()
        browse.show_selected()


class TILEWRIGHT_OT_dismiss_offers(reporting.Operator):
    """Don't show these again. They stay in the history"""

    bl_idname = "tilewright.dismiss_offers"
    bl_label = "Close"
    bl_options = {"INTERNAL"}

    for_good: BoolProperty(
        name="For Good",
        description="Never show this message again. The preferences can bring it back",
        options={"SKIP_SAVE"},
    )

    def act(self, context: bpy.types.Context) -> None:
        if self.for_good:
            preferences.get().tell_unsaved = False
        browse.dismiss()


class TILEWRIGHT_OT_clear_filters(reporting.Operator):
    """Show all textures"""

    bl_idname = "tilewright.clear_filters"
    bl_label = "Show All"
    bl_options = {"INTERNAL"}

    def act(self, context: bpy.types.Context) -> None:
        view = state.current.view
        view.text, view.which = "", Which.ALL
        browse.show()
        browse.show_selected()


class TILEWRIGHT_OT_clean_up(reporting.Operator):
    """Delete the oldest results until they fit the size limit in the preferences. Nothing in use is deleted"""

    bl_idname = "tilewright.clean_up"
    bl_label = "Clean Up"

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return None if browse.limit() else UserError(ErrorKind.REQUEST, "There is no size limit.")

    def act(self, context: bpy.types.Context) -> None:
        browse.get()
        browse.clean_up()
        self.report({"INFO"}, rpt_("Kept: what is in use, favorites, and anything less than a day old."))


CLASSES = (
    TILEWRIGHT_OT_history_refresh,
    TILEWRIGHT_OT_select,
    TILEWRIGHT_OT_turn_page,
    TILEWRIGHT_OT_apply,
    TILEWRIGHT_OT_apply_in_group,
    TILEWRIGHT_OT_favourite,
    TILEWRIGHT_OT_delete,
    TILEWRIGHT_OT_open_in_image_editor,
    TILEWRIGHT_OT_show_file,
    TILEWRIGHT_OT_show_offers,
    TILEWRIGHT_OT_dismiss_offers,
    TILEWRIGHT_OT_clear_filters,
    TILEWRIGHT_OT_clean_up,
)
