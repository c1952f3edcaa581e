# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line for pictures that exist: upscale, maps, tileable; and what generate shares with it. Imports core."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...core.errors import UserError
from ...core.map_files import SCHEMES
from ...core.recipe import read_png
from ...core.requests.finish import LANCZOS, SCALES, STARTER_NETWORKS, Finish, absolute, parse_maps
from ...core.requests.picture import Content, PictureRequest
from ...core.requests.texture import Axes
from ..material import export_maps

COMMANDS = ("upscale", "maps", "tileable")
_SCALES = ", ".join(str(scale) for scale in SCALES[1:])


def add_parsers(commands: Any, program: str) -> None:
    """The three commands."""
    for name, help_ in (
        ("upscale", "enlarge a picture, seamlessly and with its own colors"),
        ("maps", "make height, normal, roughness, metallic and occlusion of a base color"),
        ("tileable", "make a picture repeat without a seam"),
    ):
        parser = commands.add_parser(name, help=help_, prog=f"{program} {name}", allow_abbrev=False)
        parser.add_argument("file", metavar="FILE", help="the picture, which is not changed")
        parser.add_argument(
            "--output", metavar="DIR", help="where the results and results.jsonl go (the file's folder)"
        )
        parser.add_argument("--tile", default="xy", choices=("xy", "x", "y", "none"), help="where it repeats (xy)")
        # Blender's FILE is a color unless told otherwise: from a name nothing sure can be known
        contents = ("color", "data", "normal")
        parser.add_argument("--content", default="color", choices=contents, help="what its numbers mean (color)")
        parser.add_argument("--json", action="store_true", help="print JSON, in lines that start with {")
        _add_finish(parser, scale="--scale", maps=name == "maps")
        if name == "maps":
            parser.set_defaults(maps="all")


def add_finish(parser: argparse.ArgumentParser) -> None:
    """The options of generate for what is done to each texture afterwards."""
    _add_finish(parser, scale="--upscale", maps=True)


def _add_finish(parser: argparse.ArgumentParser, *, scale: str, maps: bool) -> None:
    # the default of upscale is what the word says; the others leave the size as it is
    parser.add_argument(scale, dest="scale", type=int, metavar="N", help=f"how many times larger: {_SCALES}")
    parser.add_argument(
        "--upscaler",
        default=STARTER_NETWORKS,
        metavar="NAME|FILE",
        help=f"{STARTER_NETWORKS}, {LANCZOS} or a network's file, whose seamlessness is measured",
    )
    if maps:
        parser.add_argument(
            "--maps", default="", metavar="LIST", help="height,normal,roughness,metallic,occlusion or all"
        )
        parser.add_argument(
            "--map-networks", default=STARTER_NETWORKS, metavar="NAME|DIR", help="starter, filter or a folder"
        )
        parser.add_argument(
            "--export", choices=tuple(SCHEMES), help="also write the textures as that program imports them"
        )
        parser.add_argument("--normal", choices=("opengl", "directx"), help="of what is exported (the program's own)")
        parser.add_argument("--bits", type=int, choices=(8, 16), help="of what is exported (as many as the maps have)")
        parser.add_argument("--format", default="png", choices=("png", "exr"), help="of what is exported (png)")


def finish(options: argparse.Namespace) -> Finish:
    """What the options ask for. Raises `UserError`."""
    usual = 2 if options.command == "upscale" else 1
    names = [name.strip() for name in getattr(options, "maps", "").split(",") if name.strip()]
    return Finish(
        upscale=usual if options.scale is None else options.scale,
        upscaler=absolute(options.upscaler),
        maps=parse_maps(names),
        map_networks=absolute(getattr(options, "map_networks", STARTER_NETWORKS)),
    )


def export(options: argparse.Namespace) -> export_maps.Wish | None:
    """What `--export` asks for; None where nothing is exported."""
    if getattr(options, "export", None) is None:
        return None
    directx = None if options.normal is None else options.normal == "directx"
    return export_maps.Wish(options.export, directx, options.bits or 0, options.format == "exr")


def request(options: argparse.Namespace, path: Callable[[str], Path]) -> PictureRequest:
    """The request of one of `COMMANDS`. path: from text to a whole path. Raises `UserError`."""
    source = path(options.file)
    return PictureRequest(
        source=str(source),
        finish=finish(options),
        axes=Axes(options.tile.upper()),
        tileable=options.command == "tileable",
        content=Content(options.content.upper()),
        source_recipe=_recipe_in(source),
    )


def _recipe_in(file: Path) -> str:
    """For `PictureRequest.source_recipe`: the recipe in a PNG. What ails a file is told by who reads its pixels."""
    try:
        recipe = read_png(file)
    except (OSError, UserError):
        return ""
    return recipe.as_source() if recipe else ""


def output(options: argparse.Namespace, path: Callable[[str], Path]) -> Path:
    """Where results go."""
    if options.output is not None:
        return path(options.output)
    return path(options.file).parent


def move(source: Path, target: Path) -> None:
    """Put a file where one was reserved; that one goes if it cannot be done. Raises OSError."""
    try:
        os.replace(source, target)
    except OSError:
        target.unlink(missing_ok=True)
        raise
