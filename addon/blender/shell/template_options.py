# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line for templates: a picture to start from, a mask, growing, variations. Imports bpy and core."""

import argparse
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import ErrorKind, UserError
from ...core.prompt_files import Wish
from ...core.recipe import Recipe
from ...core.requests.extras import HASH_DIGITS
from ...core.requests.picture import Content
from ...core.requests.template import USUAL_STRENGTH, Fit, Region, Template
from ...core.requests.texture import GRID, MAX_SIDE, MIN_SIDE, Axes, Size, TextureRequest
from ...core.variants import ONE_TILE, Sheet
from ..settings import properties
from ..settings.request import new_seed
from . import picture_commands

_GROWN = {"2x": (2, 2), "2x1": (2, 1), "1x2": (1, 2)}
_NEED_TEMPLATE = ("region", "strength", "fit", "tileable", "mask", "feather", "wear_amount", "grow", "tile_anew")


def add(parser: argparse.ArgumentParser) -> None:
    """The options of generate."""
    parser.add_argument("--template-image", metavar="FILE", help="a picture to start from")
    regions = tuple(region.value.lower() for region in Region if region is not Region.TILE)
    parser.add_argument("--region", choices=regions, help="which part of it is made anew (all; mask with --mask)")
    parser.add_argument(
        "--strength", type=float, metavar="F", help="how far from it, 0 to 1: 0 is the picture itself (0.6; by region)"
    )
    fits = tuple(fit.value.lower() for fit in Fit)
    parser.add_argument("--fit", choices=fits, help="how a picture of another size is fitted (stretch)")
    parser.add_argument(
        "--tileable", choices=("auto", "yes", "no"), help="make it repeat first (auto: where it doesn't)"
    )
    parser.add_argument("--mask", metavar="FILE", help="white is made anew, black stays")
    parser.add_argument("--no-cover", action="store_true", help="don't cover what is masked before it is made anew")
    parser.add_argument(
        "--feather", type=float, metavar="F", help="softness of the border, 0 to 0.25 of a side (0.016)"
    )
    parser.add_argument("--wear-amount", type=float, metavar="F", help="for --region wear: the share that wears (0.5)")
    parser.add_argument("--keep-edges", action="store_true", help="leave the edges, so variants tile with each other")
    parser.add_argument("--grow", choices=tuple(_GROWN), help="continue it to twice the size, both ways or one")
    parser.add_argument(
        "--tile-anew",
        nargs=2,
        type=int,
        metavar=("COLUMN", "ROW"),
        help="of a set that --template-image names, one tile, counted from 1 at the top left; all others stay",
    )
    parser.add_argument("--variation", type=float, default=0.0, metavar="F", help="0 to 1: go toward another seed (0)")
    parser.add_argument("--variation-seed", type=int, metavar="N", help="toward which one (random)")


def variation(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of the request. Which one is left to chance where nobody says."""
    seed = options.variation_seed
    return {"variation": options.variation, "variation_seed": new_seed() if seed is None else seed}


class Templates:
    """The templates of one command. What is known of a file is found once, for a batch may name it on each line.

    path: from what was typed to a whole path; folder: of a file of prompts, whose paths are relative to it.
    """

    def __init__(self, options: argparse.Namespace, path: Callable[[str], Path], folder: Path | None = None) -> None:
        self._options, self._path, self.folder = options, path, folder
        self._files: dict[Path, tuple[Path, tuple[str, ...]]] = {}
        self._facts: dict[Path, tuple[tuple[int, int], bool]] = {}

    def of(self, wish: Wish, axes: Axes) -> tuple[Template | None, Size | None, tuple[str, ...]]:
        """The template that a line asks for, the size that goes with it, None where that is the model's, and notes.

        Raises `UserError`.
        """
        name = self._named(wish, "template_image")
        if name is None:
            self._refuse_options(wish)
            return None, None, ()
        region = self._region(wish)
        size, is_cut = self._known(name)
        mask = self._named(wish, "mask")
        tileable = {"yes": True, "no": False}.get(self._options.tileable or "", is_cut)
        strength, fit = self._chosen(wish, "strength"), self._chosen(wish, "fit")
        shares = {"feather": self._options.feather, "amount": self._options.wear_amount}
        template = Template(
            source=str(self._readable(name)),
            strength=USUAL_STRENGTH[region] if strength is None else strength,
            fit=_one_of(Fit, fit or Fit.STRETCH.value, "way to fit a picture"),
            tileable=tileable and axes is not Axes.NONE,
            region=region,
            mask=str(self._readable(mask)) if mask is not None else "",
            cover=not self._options.no_cover,
            keep_edges=self._options.keep_edges,
            source_recipe=picture_commands.recipe_in(name),
            tile=_place(self._options) or (0, 0),
            **{field: value for field, value in shares.items() if value is not None},
        )
        notes = self._files[name][1] + (self._files[mask][1] if mask is not None else ())
        return template, self._size(template, size), notes

    def variants(self, template: Template | None, asked: int) -> int:
        """How many the request says: those of the set of which one tile is made anew. Raises `UserError`."""
        if template is None or template.region is not Region.TILE:
            return asked
        sheet = _sheet(template)
        if sheet == ONE_TILE:
            name = Path(template.source).name
            raise UserError(ErrorKind.REQUEST, f"{name} holds no set of tiles.", "Name a picture made with --variants.")
        return sheet.count

    def _size(self, template: Template, size: tuple[int, int]) -> Size | None:
        """Where a part stays, it stays as it is at the picture's own size; where it grows, at a multiple of that."""
        region = template.region
        if region is Region.ALL or not all(size):
            return None
        if region is Region.TILE:
            sheet = _sheet(template)
            return Size(size[0] // sheet.columns, size[1] // sheet.rows)
        times = _GROWN[self._options.grow or "2x"] if region is Region.GROW else (1, 1)
        sides = (round(side * factor / GRID) * GRID for side, factor in zip(size, times, strict=True))
        return Size(*(min(max(side, MIN_SIDE), MAX_SIDE) for side in sides))

    def _region(self, wish: Wish) -> Region:
        chosen = self._chosen(wish, "region")
        if chosen is not None:
            return _one_of(Region, chosen, "part of a picture")
        if self._named(wish, "mask") is not None:
            return Region.MASK
        if self._options.tile_anew:
            return Region.TILE
        return Region.GROW if self._options.grow else Region.ALL

    def _chosen(self, wish: Wish, name: str) -> Any:
        value = getattr(wish, name)
        return getattr(self._options, name) if value is None else value

    def _named(self, wish: Wish, name: str) -> Path | None:
        """A file, of the line or of the whole command."""
        text = getattr(wish, name)
        if text is not None and self.folder is not None:
            return self.folder / Path(text).expanduser()
        text = getattr(self._options, name)
        return None if text is None else self._path(text)

    def _refuse_options(self, wish: Wish) -> None:
        for name in _NEED_TEMPLATE:
            if getattr(self._options, name, None) is not None or getattr(wish, name, None) is not None:
                option = name.replace("_", "-")
                raise UserError(ErrorKind.REQUEST, f"--{option} needs a --template-image.", "Name a picture with it.")

    def _readable(self, file: Path) -> Path:
        if file not in self._files:
            facts = picture_commands.facts_of(file)
            path, _content, notes = picture_commands.readable(file, Content.COLOR, facts)
            self._files[file] = path, notes
        return self._files[file][0]

    def _known(self, file: Path) -> tuple[tuple[int, int], bool]:
        """Width and height, 0 where Blender cannot read it, and whether it has to be made tileable."""
        if file not in self._facts:
            self._facts[file] = measured(self._readable(file))
        return self._facts[file]


def _place(options: argparse.Namespace) -> tuple[int, int] | None:
    """The column and row of `--tile-anew`, from 0."""
    if not options.tile_anew:
        return None
    column, row = options.tile_anew
    return column - 1, row - 1


def _sheet(template: Template) -> Sheet:
    """How the tiles of a set lie on a template; one tile where nothing says that it is a set."""
    made = Recipe.loads(template.source_recipe) if template.source_recipe else None
    is_set = made is not None and made.request.is_sampled and made.texture.transition is None
    return made.sheet if made is not None and is_set else ONE_TILE


def measured(file: Path) -> tuple[tuple[int, int], bool]:
    """A picture's width and height, 0 where Blender cannot read it, and whether it has to be made tileable."""
    try:
        image = bpy.data.images.load(str(file), check_existing=False)
    except RuntimeError:  # the worker says what is wrong, or reads what Blender does not
        return (0, 0), True
    try:
        width, height = image.size
        return (width, height), properties.is_cut(image)
    finally:
        bpy.data.images.remove(image)


def _one_of(kind: Any, text: str, what: str) -> Any:
    try:
        return kind(str(text).upper())
    except ValueError as error:
        names = ", ".join(item.value.lower() for item in kind)
        raise UserError(ErrorKind.REQUEST, f"{text!r} is no {what}.", f"Choose one of: {names}.") from error


def key(asked: dict[str, Any], template: Template | None) -> dict[str, Any]:
    """A request as JSON, with its files by what they hold: where they lie changes no pixel."""
    asked = _by_hashes(asked)
    if template is None:
        return asked
    paths = ("source", "mask", "source_recipe", "sha256", "mask_sha256")
    known = {name: value for name, value in template.to_json().items() if name not in paths}
    hashes = [template.sha256 or hash_of(template.source), template.mask_sha256 or hash_of(template.mask)]
    return asked | {"template": known, "hashes": hashes}


def _by_hashes(asked: dict[str, Any]) -> dict[str, Any]:
    """The same with LoRAs and embeddings by their hashes."""
    extras = dict(asked.get("extras", {}))
    for name in ("loras", "embeddings"):
        if name in extras:
            known = [
                item | {"sha256": item.get("sha256") or hash_of(item["file"])[:HASH_DIGITS]} for item in extras[name]
            ]
            extras[name] = [{key: value for key, value in item.items() if key != "file"} for item in known]
    return asked | ({"extras": extras} if extras else {})


def hash_of(file: str) -> str:
    """The hash of a file's bytes, "" where it cannot be read."""
    if not file:
        return ""
    try:
        with open(file, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""  # the worker says what is wrong


def template_of(request: Any) -> Template | None:
    """The template of any request."""
    return request.template if isinstance(request, TextureRequest) else None
