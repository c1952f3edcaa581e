# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line for pictures that exist: upscale, maps, tileable; and what generate shares with it. Imports core."""

import argparse
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ...core import picture_facts
from ...core.errors import ErrorKind, UserError
from ...core.map_files import SCHEMES
from ...core.picture_facts import Facts
from ...core.recipe import read_png
from ...core.requests import Request
from ...core.requests.finish import LANCZOS, SCALES, STARTER_NETWORKS, Finish, absolute, parse_kind, parse_maps
from ...core.requests.picture import Content, PictureRequest
from ...core.requests.texture import Axes
from ...core.surface_kinds import SurfaceKind
from ..material import export_maps
from ..pictures import sources
from . import turned

_UDIM = "<UDIM>"
_EXR = b"\x76\x2f\x31\x01"
_KNOWN_TO_WORKER = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")
COMMANDS = ("upscale", "maps", "tileable")
_SCALES = ", ".join(str(scale) for scale in SCALES[1:])


@dataclass(frozen=True)
class Wanted:
    """A request. name: of its files, "" for one of the prompt. is_seed_chosen: it was not left to chance.

    profile: the ICC profile that the colors keep, b"" for none. notes: sentences about the picture that it is made of.
    """

    request: Request
    name: str = ""
    is_seed_chosen: bool = False
    profile: bytes = b""
    notes: tuple[str, ...] = ()


def add_parsers(commands: Any, program: str) -> None:
    """The three commands."""
    for name, help_ in (
        ("upscale", "enlarge a picture, seamlessly and with its own colors"),
        ("maps", "make height, normal, roughness, metallic and occlusion of a base color"),
        ("tileable", "make a picture repeat without a seam"),
    ):
        parser = commands.add_parser(name, help=help_, prog=f"{program} {name}", allow_abbrev=False)
        parser.add_argument(
            "files", nargs="+", metavar="FILE", help="pictures, which are not changed; NAME.<UDIM>.png is all its tiles"
        )
        parser.add_argument(
            "--output", metavar="DIR", help="where the results and results.jsonl go (the file's folder)"
        )
        parser.add_argument("--tile", choices=("xy", "x", "y", "none"), help="where it repeats (xy; UDIM tiles: none)")
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
    parser.add_argument("--delight", action="store_true", help="first remove shading from the colors")
    if maps:
        kinds = ", ".join(kind.value.lower() for kind in SurfaceKind)
        parser.add_argument("--kind", default="auto", metavar="KIND", help=f"what it is made of: {kinds} (auto)")
        parser.add_argument(
            "--maps", default="", metavar="LIST", help="height,normal,roughness,metallic,occlusion or all"
        )
        parser.add_argument("--invert-relief", action="store_true", help="make high what the maps would make deep")
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
        kind=parse_kind(getattr(options, "kind", SurfaceKind.AUTO.value)),
        delight=options.delight,
        invert_relief=getattr(options, "invert_relief", False),
    )


def export(options: argparse.Namespace) -> export_maps.Wish | None:
    """What `--export` asks for; None where nothing is exported."""
    if getattr(options, "export", None) is None:
        return None
    directx = None if options.normal is None else options.normal == "directx"
    return export_maps.Wish(options.export, directx, options.bits or 0, options.format == "exr")


def requests(options: argparse.Namespace, path: Callable[[str], Path]) -> list[Wanted]:
    """Those of one of `COMMANDS`, one for each picture. path: from text to a whole path. Raises `UserError`."""
    output(options, path)
    wanted = []
    for text in options.files:
        tiles = _tiles(path(text))
        axes = Axes((options.tile or ("none" if tiles else "xy")).upper())
        for file in tiles or [path(text)]:
            facts = facts_of(file)
            source, content, notes = readable(file, Content(options.content.upper()), facts)
            asked = PictureRequest(
                source=str(source),
                finish=finish(options),
                axes=axes,
                tileable=options.command == "tileable",
                content=content,
                title=file.stem if source != file else "",
                source_recipe=recipe_in(file),
            )
            profile = facts.profile if facts.is_rgb and content is Content.COLOR else b""
            if facts.profile and not facts.is_rgb and content is Content.COLOR:
                notes += (f"{file.name} has a color profile that is not of RGB colors. It is not kept.",)
            wanted.append(Wanted(asked, profile=profile, notes=notes))
    return wanted


def _tiles(file: Path) -> list[Path]:
    """The tiles of a set whose name holds <UDIM>; none for a single picture. Raises `UserError`."""
    if _UDIM not in file.name:
        return []
    before, _, after = file.name.partition(_UDIM)
    name = re.compile(f"{re.escape(before)}1[0-9]{{3}}{re.escape(after)}")
    try:
        tiles = sorted(entry for entry in file.parent.iterdir() if name.fullmatch(entry.name))
    except OSError as error:
        raise UserError(ErrorKind.REQUEST, f"{file.parent} cannot be read: {error.strerror}.") from error
    if not tiles:
        raise UserError(ErrorKind.REQUEST, f"There is no tile of {file}.", "Tiles are called 1001, 1002 and so on.")
    return tiles


def facts_of(file: Path) -> Facts:
    """What the picture says beside its pixels. Reading those reports what is wrong with a file."""
    try:
        return picture_facts.read(file)
    except OSError:
        return Facts()


def readable(file: Path, content: Content, facts: Facts) -> tuple[Path, Content, tuple[str, ...]]:
    """What the worker reads of a picture: itself, or what Blender makes of it; and notes. Raises `UserError`.

    A file of a kind that only Blender knows (EXR, HDR, PSD ...) is written out by it; one that is to be turned, as a
    camera's, is turned: in Blender pictures lie as they are, and there textures fit them.
    """
    try:
        with file.open("rb") as stream:
            head = stream.read(12)
    except OSError:
        return file, content, ()  # the worker says why
    if facts.orientation == 1 and (head.startswith(_KNOWN_TO_WORKER) or head[8:] == b"WEBP" or file.suffix == ".npy"):
        return file, content, ()
    try:
        image = bpy.data.images.load(str(file), check_existing=False)
    except RuntimeError:
        return file, content, ()
    try:
        image.colorspace_settings.is_data = image.colorspace_settings.is_data or content is not Content.COLOR
        if not all(image.size) and not head.startswith(_EXR):
            return file, content, ()
        place = sources.new_folder()
        if facts.orientation != 1:
            return turned.write(image, facts.orientation, place / f"{file.stem}.png"), content, ()
        made, found = sources.prepare(image, place)
        note = f"{file.name} has several layers. The Combined of the first is used."
        notes = (note,) if sources.has_layers(image) else ()
        return made, content if content is not Content.COLOR else found, notes
    finally:
        bpy.data.images.remove(image)


def recipe_in(file: Path) -> str:
    """For `PictureRequest.source_recipe`: the recipe in a PNG. Reading its pixels reports what is wrong with a file."""
    try:
        recipe = read_png(file)
    except (OSError, UserError):
        return ""
    return recipe.as_source() if recipe else ""


def output(options: argparse.Namespace, path: Callable[[str], Path]) -> Path:
    """Where results go. Raises `UserError`."""
    if options.output is not None:
        return path(options.output)
    folders = {path(text).parent for text in options.files}
    if len(folders) > 1:
        raise UserError(
            ErrorKind.REQUEST, "The pictures are in several folders.", "Say with --output where the results go."
        )
    return folders.pop()


def move(source: Path, target: Path) -> None:
    """Put a file where one was reserved; that one goes if it cannot be done. Raises OSError."""
    try:
        os.replace(source, target)
    except OSError:
        target.unlink(missing_ok=True)
        raise
