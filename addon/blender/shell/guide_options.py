# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line for guides: ControlNets with their pictures, an IP-Adapter with its. Imports bpy and core."""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...core import guide_columns
from ...core.errors import ErrorKind, UserError
from ...core.model_files.kinds import Role
from ...core.prompt_files import GUIDE_COLUMNS, Wish
from ...core.requests.guides import Control, ControlKind, Guides, Style, kind_of
from ...core.requests.picture import Content
from ...core.requests.texture import Axes
from ..settings import library
from . import picture_commands, template_options

_CONTENT = {ControlKind.DEPTH: Content.DATA, ControlKind.NORMAL: Content.NORMAL}


class _OfControl(argparse.Action):
    """An option that says more of the --control before it; --control itself begins one."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        controls = list(getattr(namespace, "controls", None) or [])
        if self.dest == "control":
            controls.append({})
        elif not controls:
            raise argparse.ArgumentError(self, "needs a --control before it")
        else:
            controls[-1] = dict(controls[-1])
        controls[-1][self.dest] = values
        namespace.controls = controls


def add(parser: argparse.ArgumentParser) -> None:
    """The options of generate. Those of a control may be said again, after each --control."""
    kinds = tuple(kind.value.lower() for kind in ControlKind)
    options: Sequence[tuple[str, dict[str, Any]]] = (
        ("--control", {"metavar": "FILE|DIR", "help": "a ControlNet for the model; several are possible"}),
        ("--control-picture", {"metavar": "FILE", "help": "what it reads"}),
        ("--control-kind", {"choices": kinds, "help": "what the picture shows (by the ControlNet's name)"}),
        ("--control-strength", {"type": float, "metavar": "F", "help": "0 to 2 (1)"}),
        ("--control-start", {"type": float, "metavar": "F", "help": "from which part of the steps on, 0 to 1 (0)"}),
        ("--control-end", {"type": float, "metavar": "F", "help": "up to which part of the steps, 0 to 1 (1)"}),
        (
            "--control-tileable",
            {"choices": ("auto", "yes", "no"), "help": "make its picture repeat first (auto: where it doesn't)"},
        ),
    )
    for name, settings in options:
        parser.add_argument(name, action=_OfControl, **settings)
    parser.add_argument("--style", metavar="FILE", help="an IP-Adapter for the model")
    parser.add_argument("--style-picture", metavar="FILE", help="the picture whose style the texture takes")
    parser.add_argument("--style-encoder", metavar="DIR", help="the adapter's image encoder (the one beside it)")
    parser.add_argument("--style-strength", type=float, metavar="F", help="0 to 1 (0.6)")


class GuidesOf:
    """The guides of one command, read once however many lines name the same.

    path: from what was typed to a path; folder: of a file of prompts, whose paths are relative to it.
    """

    def __init__(self, options: argparse.Namespace, path: Callable[[str], Path], folder: Path | None = None) -> None:
        self._options, self._path, self._folder = options, path, folder
        self._known: dict[tuple[Axes, tuple[Any, ...]], tuple[Guides, tuple[str, ...]]] = {}

    def of(self, wish: Wish, axes: Axes) -> tuple[Guides, tuple[str, ...]]:
        """What a line asks for, or the options do, where a texture repeats on these axes, and notes on the pictures.

        A line that names a control or a style names all of that kind. Raises `UserError`.
        """
        key = axes, tuple(getattr(wish, name) for name in GUIDE_COLUMNS)
        if key not in self._known:
            self._known[key] = self._read(wish, axes)
        return self._known[key]

    def _read(self, wish: Wish, axes: Axes) -> tuple[Guides, tuple[str, ...]]:
        controls: list[Control] = []
        notes: list[str] = []
        of_line = guide_columns.controls(wish)
        path = self._path if of_line is None else self._beside
        for said in (getattr(self._options, "controls", None) or ()) if of_line is None else of_line:
            control, more = _control(said, path, axes)
            controls.append(control)
            notes += more
        style, more = self._style(wish)
        return Guides(tuple(controls), style), (*notes, *more)

    def _beside(self, text: str) -> Path:
        """A path of a line."""
        folder = self._folder
        return self._path(text) if folder is None else (folder / os.path.expanduser(text)).absolute()

    def _style(self, wish: Wish) -> tuple[Style | None, tuple[str, ...]]:
        if (said := guide_columns.style(wish)) is not None:
            return _style(said, self._beside)
        names = ("style", "style_picture", "style_encoder", "style_strength")
        said = {name: value for name in names if (value := getattr(self._options, name)) is not None}
        if said and "style" not in said:
            option = next(iter(said)).replace("_", "-")
            raise _refusal(f"--{option} needs a --style.", "Name the file of an IP-Adapter with it.")
        return _style(said, self._path) if said else (None, ())


def _style(said: dict[str, Any], path: Callable[[str], Path]) -> tuple[Style, tuple[str, ...]]:
    if "style_picture" not in said:
        raise _refusal("--style needs a --style-picture.", "Name the picture whose style it takes.")
    picture, notes = _readable(path(said["style_picture"]), Content.COLOR)
    file = library.path_of(said["style"], path, Role.IP_ADAPTER)
    if "style_encoder" in said:
        encoder = str(library.path_of(said["style_encoder"], path, Role.IMAGE_ENCODER))
    else:
        encoder = library.elsewhere(file)
        notes = (*notes, *([f"The image encoder is {encoder}."] if encoder else []))
    numbers = {"strength": said["style_strength"]} if "style_strength" in said else {}
    return Style(file=str(file), picture=str(picture), encoder=encoder, **numbers), notes


def _control(said: dict[str, Any], path: Callable[[str], Path], axes: Axes) -> tuple[Control, tuple[str, ...]]:
    if "control_picture" not in said:
        raise _refusal("--control needs a --control-picture.", "Name the picture that it reads after it.")
    model, file = library.path_of(said["control"], path, Role.CONTROLNET), path(said["control_picture"])
    kind = ControlKind(said["control_kind"].upper()) if "control_kind" in said else kind_of(str(model))
    picture, notes = _readable(file, _CONTENT.get(kind, Content.COLOR))
    tileable = {"yes": True, "no": False}.get(said.get("control_tileable", ""))
    if tileable is None:
        tileable = template_options.measured(picture)[1]
    numbers = {name: said[f"control_{name}"] for name in ("strength", "start", "end") if f"control_{name}" in said}
    return Control(str(model), str(picture), kind, tileable=tileable and axes is not Axes.NONE, **numbers), notes


def _readable(file: Path, content: Content) -> tuple[Path, tuple[str, ...]]:
    picture, _content, notes = picture_commands.readable(file, content, picture_commands.facts_of(file))
    return picture, notes


def key(asked: dict[str, Any]) -> dict[str, Any]:
    """A request as JSON, with its guides by what the pictures hold: where those lie changes no pixel."""
    if "guides" not in asked:
        return asked
    said = asked["guides"]
    known = [dict(part) for part in (*said.get("controls", ()), *([said["style"]] if "style" in said else []))]
    for part in known:
        picture = part["picture"]
        part.pop("picture")
        part.pop("fingerprint", None)
        part["sha256"] = part.get("sha256") or template_options.hash_of(picture)
    return asked | {"guides": known}


def _refusal(message: str, hint: str) -> UserError:
    return UserError(ErrorKind.REQUEST, message, hint)
