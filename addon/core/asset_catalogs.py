# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's file of asset catalogues, blender_assets.cats.txt. Imports the standard library only.

A line is UUID:PATH:SIMPLE NAME; the format is described in Blender's developer documentation, "Asset Catalogs". What
stands in the file already is kept as it is.
"""

from uuid import UUID, uuid5

FILE = "blender_assets.cats.txt"
_HEAD = """# This is an Asset Catalog Definition file for Blender.
#
# Empty lines and lines starting with `#` will be ignored.
# The first non-ignored line should be the version indicator.
# Other lines are of the format "UUID:catalog/path/for/assets:simple catalog name"

VERSION 1

"""
_OURS = UUID("6f2b0c3e-53a4-4d8e-9c1f-7e9a4b7c2d10")  # the space of names that our catalogues' UUIDs are made in


def clean(path: str) -> str:
    """A catalogue's path as Blender keeps it: parts between slashes, without colons."""
    parts = (" ".join(part.split()) for part in path.replace(":", "-").replace("\\", "/").split("/"))
    return "/".join(part for part in parts if part)


def find(text: str, path: str) -> str:
    """The UUID of the catalogue with that path in a file with that text; if there is none, the one it would get."""
    for line in text.splitlines():
        id_, _, rest = line.strip().partition(":")
        if rest.partition(":")[0] != path:
            continue
        try:
            return str(UUID(id_))
        except ValueError:
            continue
    return str(uuid5(_OURS, path))


def add(text: str, path: str) -> str:
    """The file's text with that catalogue in it; the same text if it was there."""
    id_ = find(text, path)
    if any(line.strip().casefold().startswith(f"{id_}:") for line in text.splitlines()):
        return text
    if not text.strip():
        text = _HEAD
    if not text.endswith("\n"):
        text += "\n"
    return f"{text}{id_}:{path}:{path.replace('/', '-')}\n"
