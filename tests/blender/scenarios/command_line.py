# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender does with `--command tilewright ...`, for bpy as a module, which has no command line."""

import contextlib
import io
import sys

from common import addon


def run(arguments: list[str]) -> None:
    sys.exit(addon("shell.commands").main(list(arguments)))


def told(arguments: list[str]) -> tuple[int, str, str]:
    """The command's exit code, and what it printed on stdout and stderr."""
    out, words = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(words):
        code = addon("shell.commands").main(list(arguments))
    return code, out.getvalue(), words.getvalue()


def verdicts(lines: list[list[str]]) -> list[tuple[int, str]]:
    """The command's exit code and what it complains about, for each line of arguments."""
    told = []
    for line in lines:
        words = io.StringIO()
        with contextlib.redirect_stderr(words):
            code = addon("shell.commands").main(line)
        told.append((code, words.getvalue()))
    return told
