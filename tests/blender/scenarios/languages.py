# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface in another language."""

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_
from common import PACKAGE, addon


def left_in_english() -> list[str]:
    """Texts that a Blender set to German still shows in English, also after the extension was enabled again."""
    bpy.ops.preferences.addon_disable(module=PACKAGE)
    bpy.ops.preferences.addon_enable(module=PACKAGE)
    view = bpy.context.preferences.view
    view.language = "de_DE"
    view.use_translate_interface = view.use_translate_tooltips = view.use_translate_reports = True
    assert rpt_("Texture deleted.") == "Die Textur ist gelöscht."
    assert iface_("History", "Tilewright") == "Verlauf"
    languages = addon("common.languages")
    german = languages.GERMAN
    assert [text for text in german if languages.iface_(text) != german[text]] == [], "Blender's word, not ours"
    found = [text for text in german if iface_(text) == text != german[text]]
    view.language = "en_US"
    return found
