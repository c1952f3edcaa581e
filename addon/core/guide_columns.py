# SPDX-License-Identifier: GPL-3.0-or-later
"""What a line of a table of prompts says of ControlNets and a style, as plain values. Imports core only.

Several controls stand in one cell, one a line or with semicolons between, in the same order in each column; where a
place is empty or missing, the default counts.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from .errors import bad_request
from .prompt_files import Wish
from .requests.guides import ControlKind

_OF_CONTROLS = (
    *("control_picture", "control_kind", "control_strength", "control_start", "control_end"),
    "control_tileable",
)
_KINDS = tuple(kind.value.lower() for kind in ControlKind)
_TILEABLE = ("auto", "yes", "no")


def controls(wish: Wish) -> list[dict[str, Any]] | None:
    """For each control what the options of the command line say, by their names: `control`, `control_picture`,
    `control_kind` ("depth" ...), `control_strength`, `control_start`, `control_end` (numbers), `control_tileable`
    ("auto", "yes", "no"); what the line says nothing of is left out. None where it names no control.

    Raises `UserError`.
    """
    named = _cells(wish.control)
    if not named:
        _refuse_alone(wish, _OF_CONTROLS, "control")
        return None
    found: list[dict[str, Any]] = [{"control": file} for file in named]
    for column in _OF_CONTROLS:
        values = _cells(getattr(wish, column))
        if len(values) > len(named):
            raise bad_request(f"{column} has more parts than control.", "Write one for each, semicolons between.")
        for control, text in zip(found, values, strict=False):
            if text:
                control[column] = _READERS.get(column, str)(text)
    if not all(control["control"] and "control_picture" in control for control in found):
        raise bad_request("Each control needs a control_picture.", "Name the picture that it reads.")
    return found


def style(wish: Wish) -> dict[str, Any] | None:
    """The same of the style: `style`, `style_picture`, `style_encoder`, `style_strength`. Raises `UserError`."""
    rest = ("style_picture", "style_encoder", "style_strength")
    if wish.style is None:
        _refuse_alone(wish, rest, "style")
        return None
    return {name: value for name in ("style", *rest) if (value := getattr(wish, name)) is not None}


def _cells(text: str | None) -> list[str]:
    return [part.strip() for part in re.split(r"[;\n]", text)] if text else []


def _refuse_alone(wish: Wish, columns: tuple[str, ...], needed: str) -> None:
    for column in columns:
        if getattr(wish, column) is not None:
            raise bad_request(f"{column} says nothing without {needed}.", f"Fill in the column {needed}.")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise bad_request(f"{text!r} is no number.") from error


def _one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in known:
            raise bad_request(f"{text!r} is not known.", f"Write one of {', '.join(known)}.")
        return text.lower()

    return read


_READERS: Mapping[str, Callable[[str], Any]] = {
    "control_kind": _one_of(_KINDS),
    "control_tileable": _one_of(_TILEABLE),
    "control_strength": _number,
    "control_start": _number,
    "control_end": _number,
}
