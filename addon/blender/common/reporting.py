# SPDX-License-Identifier: GPL-3.0-or-later
"""What all our operators share: a `UserError` greys the button with its reason, or is reported. Imports bpy, core."""

from collections.abc import Callable
from typing import Any

import bpy

from ...core.errors import ErrorKind, UserError
from . import state
from .languages import message_of

NO_SCENE = UserError(ErrorKind.REQUEST, "There is no scene.")
NO_WINDOW = UserError(ErrorKind.REQUEST, "There is no window to open it in.")
Outcome = set[Any]  # what Blender takes from an operator, such as {"FINISHED"}


class Operator(bpy.types.Operator):
    """An operator says in `problem` why it cannot run, and does its work in `act`.

    Blender (4.2 to 5.2) registers classes whose base is an unregistered operator, with the properties of both.

    keeps_error: what goes wrong also stays in the panel, until it is closed.
    """

    keeps_error = False

    @classmethod
    def problem(cls, context: bpy.types.Context) -> UserError | None:
        """Why the button is greyed. Asked whenever it is drawn, so it may not look at the disk."""
        return None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        error = cls.problem(context)
        if error:
            cls.poll_message_set(message_of(error))
        return error is None

    def act(self, context: bpy.types.Context) -> Outcome | None:
        """Do the work. None says that it is finished. Raises `UserError`."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> Outcome:
        return self.attempt(lambda: self.act(context))

    def attempt(self, work: Callable[[], Outcome | None]) -> Outcome:
        """What the work returns; where it raises a `UserError`, that is reported, and the operator is cancelled."""
        try:
            return work() or {"FINISHED"}
        except UserError as error:
            if self.keeps_error:
                state.current.error = error
            self.report({"ERROR"}, message_of(error))
            return {"CANCELLED"}
