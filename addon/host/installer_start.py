# SPDX-License-Identifier: GPL-3.0-or-later
"""The start of the installer's process, in which Blender's own Python runs: `start.py installer TASK`."""

from ..core import child_process
from . import maker


def main(arguments: list[str]) -> int:
    """Do the task; 0 if it went well."""
    replies = child_process.begin()
    child_process.end_with_stdin()
    return maker.main(arguments[0], replies)
