# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line for transitions: two pictures and the tiles between them. Imports bpy and core."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...core import recipe
from ...core.errors import ErrorKind, UserError
from ...core.requests.picture import Content
from ...core.requests.texture import Size
from ...core.requests.transition import LEAST_WIDTH, MAX_WIDTH, Transition
from ...core.variants import ONE_TILE
from . import picture_commands, template_options

_NEED = ("to_prompt", "border", "border_strength")


def add(parser: argparse.ArgumentParser) -> None:
    """The options of generate."""
    parser.add_argument(
        "--transition", nargs=2, metavar="FILE", help="16 tiles that lead from one texture to another of its size"
    )
    parser.add_argument("--to-prompt", metavar="TEXT", help="what the second shows (what it was made of)")
    parser.add_argument(
        "--border", type=float, metavar="F", help=f"how wide it is, {LEAST_WIDTH} to {MAX_WIDTH} of a tile (0.375)"
    )
    parser.add_argument("--tiles", action="store_true", help="also write each tile of a set as a file of its own")
    parser.add_argument("--border-strength", type=float, metavar="F", help="how much of it is new, 0 to 1 (0.7)")


def of(options: argparse.Namespace, path: Callable[[str], Path]) -> tuple[Transition | None, Size | None]:
    """What the options ask for, and the size of a tile; None for neither. Raises `UserError`."""
    if options.transition is None:
        for name in _NEED:
            if getattr(options, name) is not None:
                option = name.replace("_", "-")
                raise UserError(ErrorKind.REQUEST, f"--{option} needs a --transition.", "Name two pictures with it.")
        return None, None
    files = [path(text) for text in options.transition]
    known = [picture_commands.readable(file, Content.COLOR, picture_commands.facts_of(file))[0] for file in files]
    made = [_recipe(file) for file in files]
    width, height = template_options.measured(known[0])[0]
    sheet = made[0].sheet if made[0] else ONE_TILE
    second = made[1].source or made[1] if made[1] else None
    words = options.to_prompt if options.to_prompt is not None else second.request.prompt if second else ""
    given = {"width": options.border, "strength": options.border_strength}
    chosen = {name: value for name, value in given.items() if value is not None}
    transition = Transition(str(known[0]), str(known[1]), words, **chosen)
    return transition, Size(width // sheet.columns, height // sheet.rows) if width and height else None


def _recipe(file: Path) -> recipe.Recipe | None:
    try:
        return recipe.read_png(file)
    except (UserError, OSError):  # no PNG; what cannot be read at all, the worker says
        return None


def key(asked: dict[str, Any]) -> dict[str, Any]:
    """As `template_options.key`, for the pictures of a transition."""
    if "transition" not in asked:
        return asked
    known = dict(asked["transition"])
    for name in ("first", "second"):
        known[f"{name}_sha256"] = known.get(f"{name}_sha256") or template_options.hash_of(known.pop(name))
        known.pop(name, None)
    return asked | {"transition": known}
