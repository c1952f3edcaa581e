# SPDX-License-Identifier: GPL-3.0-or-later
"""Try on: walk through the history on the object itself, keep one or go back to exactly what was. Imports bpy, core."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import bpy
from bpy.props import StringProperty

from ...core.errors import ErrorKind, UserError
from ...core.naming import title
from ..common import languages, reporting, state, targets
from ..common.drawing import redraw_sidebars
from ..common.languages import iface_, rpt_
from ..common.targets import Target
from ..jobs import delivery
from ..material import shown, without_repeat
from ..settings import properties
from ..settings.properties import chosen_target, facts_of, target_problem
from . import browse

_FORWARD = {"RIGHT_ARROW", "DOWN_ARROW", "WHEELDOWNMOUSE"}
_BACK = {"LEFT_ARROW", "UP_ARROW", "WHEELUPMOUSE"}
_KEEP = {"RET", "NUMPAD_ENTER", "LEFTMOUSE"}
_RESTORE = {"ESC", "RIGHTMOUSE"}
# so that the object can be seen from all sides meanwhile
_NAVIGATE = {"MIDDLEMOUSE", "MOUSEMOVE", "MOUSEROTATE", "NDOF_MOTION", "TRACKPADPAN", "TRACKPADZOOM"}


@dataclass
class Trial:
    """One object, and the results that it wears one after the other.

    A texture is worn by a copy of the material, which all that has the material shows meanwhile: so nothing that
    happens to the copy has to be taken back, whoever does it. Everything is kept as values and looked up late.

    names: folders of results. worn: the session uid of what wears the texture, 0 while there is none. `wear` starts
    from `restore`, so that there is one way back, whatever was worn in between.
    """

    target: Target
    names: Sequence[str]
    at: int = -1
    worn: int = 0
    placed: set[str] = field(default_factory=set)
    images: dict[int, tuple[bool, int]] = field(default_factory=dict)  # uid -> its fake user, what it replaced
    fake_user: bool = False  # the material's own
    slots: int = 0
    groups: list[int] = field(default_factory=list)  # the copy's own, by uid

    def __post_init__(self) -> None:
        self.placed = set(state.current.view.placed)
        for image in bpy.data.images:
            self.images[image.session_uid] = (image.use_fake_user, _uid(properties.before_of(image)))
        obj = targets.object_of(self.target)
        self.slots = len(obj.material_slots) if obj else 0

    def wear(self, at: int) -> str:
        """Put on result number `at`, counted round. Says where it is. Raises `UserError`, and wears nothing then."""
        self.restore()
        self.at = at % len(self.names)
        result = browse.result(self.names[self.at])
        material = targets.find_material(self.target)
        known = {item.session_uid for item in bpy.data.materials}
        try:
            if material is None:  # one is made for the object
                outcome = delivery.deliver([result], self.target)
                made = next((item for item in bpy.data.materials if item.session_uid not in known), None)
                self.worn = _uid(made)
                return outcome
            copy = material.copy()
            self.worn = copy.session_uid
            self.groups = shown.own_groups(copy)
            self.fake_user = material.use_fake_user
            material.user_remap(copy)  # the fake user too (4.2 to 5.2)
            material.use_fake_user = True  # nothing uses it now, and a file that is saved meanwhile would lose it
            return delivery.deliver([result], replace(self.target, material=self.worn))
        except Exception:
            self.restore()
            raise

    def keep(self) -> str:
        """Put what is worn into the material itself. Says where it is. Raises `UserError`, and wears nothing then."""
        self.restore()
        return delivery.deliver([browse.result(self.names[self.at])], self.target)

    def restore(self) -> None:
        """Everything as it was before the first one."""
        if self.worn:
            self._take_off()
        for image in list(bpy.data.images):
            known = self.images.get(image.session_uid)
            if known is None:
                if facts_of(image).result in self.names and not image.is_dirty:
                    bpy.data.images.remove(image)
            elif image.library is None:
                fake, before = known
                if image.use_fake_user != fake:
                    image.use_fake_user = fake
                if _uid(properties.before_of(image)) != before:
                    facts_of(image).before = targets.by_uid(bpy.data.images, before)
        state.current.view.placed = set(self.placed)

    def _take_off(self) -> None:
        worn, self.worn = targets.by_uid(bpy.data.materials, self.worn), 0
        material = targets.by_uid(bpy.data.materials, self.target.material) if self.target.material else None
        if material is not None:
            if worn is not None:
                worn.user_remap(material)
            if material.use_fake_user != self.fake_user:
                material.use_fake_user = self.fake_user
        if worn is not None:
            bpy.data.materials.remove(worn)
        for group in [group for group in bpy.data.node_groups if group.session_uid in self.groups]:
            bpy.data.node_groups.remove(group)
        without_repeat.clean()
        obj = targets.object_of(self.target)
        if (
            not self.target.material
            and not self.slots
            and obj
            and not any(slot.material for slot in obj.material_slots)
        ):
            obj.data.materials.clear()  # the slot came with the material


def _uid(item: bpy.types.ID | None) -> int:
    return item.session_uid if item is not None else 0


class TILEWRIGHT_OT_try_on(reporting.Operator):
    """See textures of the history on the object. Arrow keys or wheel: next, Enter: keep, Escape: put back"""

    bl_idname = "tilewright.try_on"
    bl_label = "Try On"
    bl_options = {"UNDO"}

    result: StringProperty(
        description="The result to start with: its folder in the history", options={"SKIP_SAVE", "HIDDEN"}
    )

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        return target_problem(context)

    def act(self, context: bpy.types.Context) -> None:
        """For scripts: the result is kept at once."""
        name = self.result or state.current.view.selected
        delivery.tell(delivery.deliver([browse.result(name)], chosen_target(context)), name)
        browse.note_use(name)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        view = state.current.view
        names = [entry.name for entry in view.found]
        wanted = self.result or view.selected
        if wanted and wanted not in names:  # a search leaves it out
            names.insert(0, wanted)
        self.selected = view.selected
        try:
            if not names:
                raise UserError(ErrorKind.REQUEST, rpt_("There is no texture to try on."))
            target = chosen_target(context)
            self.trial = Trial(target, names)
            self.wear(context, names.index(wanted) if wanted in names else 0)
        except UserError as error:
            self.report({"WARNING"}, languages.message_of(error))
            return {"CANCELLED"}
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> reporting.Outcome:
        if self.trial.target.document != state.current.document:  # a script has opened another file
            self.leave(context)
            return {"CANCELLED", "PASS_THROUGH"}
        if event.type in _NAVIGATE or (event.type.startswith("NUMPAD_") and event.type not in _KEEP):
            return {"PASS_THROUGH"}
        if event.value != "PRESS":
            return {"RUNNING_MODAL"}
        try:
            if event.type in _FORWARD:
                self.wear(context, self.trial.at + 1)
            elif event.type in _BACK:
                self.wear(context, self.trial.at - 1)
            elif event.type in _KEEP:
                name = self.trial.names[self.trial.at]
                delivery.tell(self.trial.keep(), name)
                browse.note_use(name)
                self.leave(context)
                return {"FINISHED"}
            elif event.type in _RESTORE:
                self.cancel(context)
                return {"CANCELLED"}
        except UserError as error:  # this one cannot be worn; the walk goes on
            self.report({"WARNING"}, languages.message_of(error))
        return {"RUNNING_MODAL"}

    def wear(self, context: bpy.types.Context, at: int) -> None:
        self.trial.wear(at)
        name = self.trial.names[self.trial.at]
        browse.select(name)
        browse.show_selected()
        if context.area:
            request = browse.result(name).recipe.request
            words = iface_("{number} of {count}: {title}   Arrow keys or wheel: next, Enter: keep, Escape: put back")
            text = words.format(number=self.trial.at + 1, count=len(self.trial.names), title=title(request.prompt))
            context.area.header_text_set(text)

    def cancel(self, context: bpy.types.Context) -> None:
        """Escape; also when Blender's window is closed."""
        self.trial.restore()
        browse.select(self.selected)  # the panel is about what is worn again
        browse.show_selected()
        self.leave(context)

    def leave(self, context: bpy.types.Context) -> None:
        if context.area:
            context.area.header_text_set(None)
        redraw_sidebars()


CLASSES = (TILEWRIGHT_OT_try_on,)
