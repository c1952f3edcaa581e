# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface in other languages than English, which Blender looks up text by text. Imports bpy."""

from collections.abc import Callable

import bpy
from bpy.app.translations import pgettext_iface, pgettext_rpt

from ...core.errors import UserError
from . import package
from .german import TEXTS as GERMAN

rpt_: Callable[[str], str] = pgettext_rpt  # for what is reported
_CONTEXTS = ("*", "Operator", package.TITLE)  # most texts, buttons of operators, what Blender would say otherwise


def iface_(text: str) -> str:
    """For what is drawn: our own words first, for some of Blender's mean something else ("Assets", "Blend")."""
    return pgettext_iface(text, package.TITLE) if text in GERMAN else pgettext_iface(text)


def message_of(error: UserError) -> str:
    """An error for the user. What is not known here, such as the words of a library, stays as it is."""
    return f"{rpt_(error.message)} {rpt_(error.hint) if error.hint else ''}".strip()


def register() -> None:
    texts = {(context, text): german for text, german in GERMAN.items() for context in _CONTEXTS}
    bpy.app.translations.register(package.NAME, {"de_DE": texts})  # type: ignore[dict-item]


def unregister() -> None:
    bpy.app.translations.unregister(package.NAME)
