# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of prompts for the panel, from a text in the file or a file beside it. Imports bpy and core."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ...core import prompt_files
from ...core.errors import ErrorKind, UserError
from ...core.prompt_files import LIST_COLUMNS, Wish
from ..common.languages import message_of, rpt_
from ..settings import request
from ..settings.properties import settings_of

_MOST = 16 << 20  # bytes of a file
_TOLD = 5  # bad lines


@dataclass(frozen=True)
class Found:
    """What a list asks for. wrong: what is wrong with it, line by line; then none of it is made."""

    title: str = ""
    wishes: list[Wish] = field(default_factory=list)
    wrong: list[UserError] = field(default_factory=list)

    def told(self) -> list[str]:
        """What is wrong, in the user's language, the first lines of it."""
        lines = [message_of(error) for error in self.wrong[:_TOLD]]
        if len(self.wrong) > _TOLD:
            lines.append(rpt_("And {count} more lines are wrong.").format(count=len(self.wrong) - _TOLD))
        return lines


def read(context: bpy.types.Context, text: str, file: str) -> Found:
    """A list, each line checked against the scene's settings. file: goes before the text; "" for none."""
    if not (text or file):  # the dialog of a file without texts
        return Found()
    path = Path(bpy.path.abspath(file))
    title = path.name if file else text
    try:
        data = _data(path) if file else _body(text)
        wrong: list[UserError] = []
        wishes = prompt_files.parse(data, title, LIST_COLUMNS, wrong)
    except UserError as error:
        return Found(title, wrong=[error])
    settings = settings_of(context.scene)
    for wish in wishes:
        try:
            request.from_settings(settings, wish)
        except UserError as error:
            words = rpt_("{name}, line {line}: {message}")
            told = words.format(name=title, line=wish.line, message=rpt_(error.message))
            wrong.append(UserError(error.kind, told, error.hint))
    return Found(title, wishes, wrong)


def _body(name: str) -> bytes:
    text: Any = bpy.data.texts.get(name)
    if text is None:
        raise UserError(ErrorKind.REQUEST, rpt_("There is no text {name}.").format(name=name), "Choose another.")
    body = text.as_string()
    if not body.strip():
        raise UserError(ErrorKind.REQUEST, "This text has no prompt in it.")
    return body.encode("utf-8", "replace")


def _data(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
    except OSError as error:
        words = rpt_("{name} cannot be read: {reason}.")
        raise UserError(ErrorKind.REQUEST, words.format(name=path, reason=error.strerror)) from error
    if len(data) > _MOST:
        raise UserError(ErrorKind.REQUEST, rpt_("{name} is too large for a list of prompts.").format(name=path.name))
    return data
