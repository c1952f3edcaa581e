# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender --background --command tilewright library DIR FILE`: what a batch has made, as assets in a .blend."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy

from ...core import results
from ...core.errors import ErrorKind, UserError
from ...core.results import MAPS, Result, disk_errors
from ..common import package
from ..material import assets, color_node, map_nodes, physical_size
from ..pictures import images
from ..settings.properties import facts_of

NAME = "library"


def add_parser(commands: Any, program: str) -> None:
    """Add the command."""
    parser = commands.add_parser(NAME, help="a batch's textures as assets", prog=f"{program} {NAME}")
    parser.add_argument("folder", metavar="DIR", help="the --output of a batch")
    parser.add_argument("file", metavar="FILE", help="the .blend, which is written anew")


def run(options: argparse.Namespace, path: Callable[[str], Path]) -> int:
    """A material for each texture, marked as an asset, in a file of its own. 0 if all are in it. Raises `UserError`.

    The pictures stay where they are; the file refers to them relatively. Subfolders become catalogs.
    """
    folder, file = path(options.folder), path(options.file)
    if file.suffix != ".blend":
        raise UserError(ErrorKind.REQUEST, f"{file.name} is no name of a .blend file.", "Write such as library.blend.")
    found = list(_made(folder))
    bpy.ops.wm.read_homefile(use_empty=True)
    with disk_errors(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
    _save(file)  # catalogs are kept beside the file that is open
    lost = 0
    for result in found:
        try:
            _add(result, result.folder.parent.relative_to(folder))
        except UserError as error:
            lost += 1
            print(error, file=sys.stderr, flush=True)
    bpy.ops.file.make_paths_relative()
    _save(file)
    print(f"{file}  {len(found) - lost} materials", flush=True)
    return 1 if lost else 0


def _made(folder: Path) -> Iterator[Result]:
    """What the list of a batch names. Raises `UserError`."""
    try:
        lines = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
        places = [(folder / json.loads(line)["file"]).resolve().parent for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(ErrorKind.REQUEST, f"{folder} holds no batch.", "Name the --output of one.") from error
    for place in places:
        if place != folder.resolve() and place.is_relative_to(folder.resolve()):
            yield results.load(folder / place.relative_to(folder.resolve()))


def _add(result: Result, below: Path) -> None:
    image = images.load(result)
    maps = {kind.value: images.load(result, kind.value) for kind in MAPS if kind in result.files}
    material = color_node.new(result.folder.name)
    placed = color_node.assign(material, image, "BASE_COLOR")
    if maps and result.recipe.relief is not None:
        physical_size.suggest_relief(material, result.recipe.relief)
    map_nodes.assign(material, placed, maps, bpy.context.scene.render.engine)
    assets.mark(material, author="", catalog="/".join([package.TITLE, *below.parts]))
    for used in (image, *maps.values()):
        facts_of(used).result = ""  # it is in no history, where another may have the name of this folder


def _save(file: Path) -> None:
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(file))
    except RuntimeError as error:
        raise UserError(ErrorKind.DISK, f"Cannot write {file}.", "Choose another place.") from error
