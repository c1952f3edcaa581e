# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts that leave the machine in a report: without names and places of the user. Imports the standard library only."""

import re
from collections.abc import Iterable

# A path from its root on, up to what ends it in a sentence or a traceback. An address's "//host" is no path.
_ROOT = r"(?<![\w/:.…~])(?:[A-Za-z]:[\\/]|\\\\|/(?=[^/\s]))"
_REST = r"[^\s\"'<>|*?;,)]+"
_AFTER_SPACE = r"(?: [^\s\"'<>|*?;,):/\\]*[/\\][^\s\"'<>|*?;,)]*)*"  # a folder's name with a space in it
_PATH = re.compile(_ROOT + _REST + _AFTER_SPACE)
_SECRET = re.compile(r"//[^/@\s]+@")


def mask(text: str, homes: Iterable[str], names: Iterable[str]) -> str:
    """The text without passwords in addresses, home folders, user names, and all but the end of each path.

    homes, names: what to look for, such as "/home/anna" and "anna"; names shorter than 3 letters would hit too much.
    """
    text = _SECRET.sub("//", text)
    for home in sorted({item for item in homes if len(item) > 3}, key=len, reverse=True):
        text = text.replace(home, "/~").replace(home.replace("\\", "/"), "/~")
    text = _PATH.sub(lambda found: _end_of(found[0]), text)
    for name in sorted({item for item in names if len(item) >= 3}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "user", text, flags=re.IGNORECASE)
    return text


def _end_of(path: str) -> str:
    """The last part of a path, of code the last two: enough to tell a file, too little to tell whose it is."""
    parts = [part for part in re.split(r"[\\/]+", path.rstrip(".:")) if part]
    tail = path[len(path.rstrip(".:")) :]
    if len(parts) < 2:
        return path
    kept = parts[-2:] if parts[-1].endswith(".py") else parts[-1:]
    return "…/" + "/".join(kept) + tail
