# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes two pictures ready for the tiles that lead from one to the other. Imports core, engine, numpy.

The sheet has each square of four corners once, of two colors (`core.variants`). Between the corners a field goes from 0
to 1; where it is near a half lies the border, which is made anew, and beyond it is what belongs to the nearer color,
bit for bit. The field along an edge depends on its two corners alone: edges that meet have their border in one place.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import results
from ..core.errors import UserError, bad_request
from ..core.recipe import read_png
from ..core.requests.finish import MapKind
from ..core.requests.texture import Axes, TextureRequest
from ..core.requests.transition import Transition
from ..core.variants import ONE_TILE, Sheet
from . import pictures
from .canvas import to_dtype
from .fitting import fit_pixels
from .template import Check, Floats, Ground, copied, encoded, hash_of, read_copy

_SOFT = 0.3  # of half the border: over which it sets in
_RAGGED = 0.6  # of half the border: how far the two pictures reach into it where it begins
_WAVES = 24  # that a ragged line is made of, at most 8 along a tile
_PARTS = {results.FIRST: "The first picture", results.SECOND: "The second picture"}


@contextmanager
def between(request: TextureRequest, store: Path, check: Check, note: Callable[[str], None]) -> Iterator[Ground]:
    """The ground of a transition while the block runs. As `template.ground`, for a request that has one."""
    transition = request.transition
    assert transition is not None
    with results.draft(store, "transition", 0) as scratch:
        yield _ground(request, transition, scratch.folder, check, note)


def _ground(
    request: TextureRequest, transition: Transition, folder: Path, check: Check, note: Callable[[str], None]
) -> Ground:
    sources = {results.FIRST: Path(transition.first), results.SECOND: Path(transition.second)}
    known = {results.FIRST: transition.first_sha256, results.SECOND: transition.second_sha256}
    copies = {kind: copied(_PARTS[kind], path, folder, kind, known[kind]) for kind, path in sources.items()}
    first, second = (_tile(copies[kind], sources[kind].name, note) for kind in _PARTS)
    if first.shape != second.shape:
        sizes = [
            f"{path.name} is {tile.shape[1]}x{tile.shape[0]}"
            for path, tile in zip(sources.values(), (first, second), strict=True)
        ]
        raise bad_request(
            f"{sizes[0]}, and {sizes[1]}: a transition needs two of one size.", "Scale one of them first."
        )
    if first.shape[:2] != (request.size.height, request.size.width):
        raise bad_request(
            f"The pictures are {first.shape[1]}x{first.shape[0]}, and the size asked for is {request.size}.",
            "Set the size to theirs.",
        )
    hashes = {kind: hash_of(path) for kind, path in copies.items()}
    transition = replace(transition, first_sha256=hashes[results.FIRST], second_sha256=hashes[results.SECOND])
    check()
    sheet = request.sheet
    field = corner_field(sheet, request.size.height, request.size.width)
    half = transition.width / 2
    away = np.abs(field - 0.5) / half  # 1 where the border ends
    t = ((1 - away) / _SOFT).clip(0, 1)
    weight = t * t * (3 - 2 * t)
    line = ragged(request.size.height, request.size.width, int(hashes[results.FIRST][:8], 16))
    moved = field + half * _RAGGED * np.tile(line, (sheet.rows, sheet.columns))
    is_second = np.where(weight > 0, moved, field) > 0.5
    check()
    copies_of = [np.tile(tile, (sheet.rows, sheet.columns, 1)) for tile in (first, second)]
    start = np.where(is_second[..., None], copies_of[1], copies_of[0])
    fit_pixels(start, sheet)  # where two pictures meet at an edge, the field is that of half a pixel beside it
    exact = all(pictures.repeats_exactly(path, Axes.XY) for path in copies.values())
    maps = {}
    for kind in request.finish.maps:
        found = [_map_beside(path, kind) for path in sources.values()]
        if None in found:
            continue
        names = [f"{part}_{kind.value}" for part in _PARTS]
        kept = [copied("The map", path, folder, name, "") for path, name in zip(found, names, strict=True) if path]
        tiles = [
            _cut(_shares(read_copy(path, path.name)), _sheet(copies[part]))
            for path, part in zip(kept, _PARTS, strict=True)
        ]
        channels = 3 if kind is MapKind.NORMAL else 1
        if all(tile.shape[:2] == first.shape[:2] and tile.shape[2] >= channels for tile in tiles):
            maps[kind] = (tiles[0][..., :channels], tiles[1][..., :channels])
            copies |= dict(zip(names, kept, strict=True))
    return Ground(
        start,
        start,
        weight,
        replace(request, transition=transition),
        {},
        copies,
        exact,
        is_second.astype(np.float32),
        maps,
    )


def _tile(copy: Path, name: str, note: Callable[[str], None]) -> NDArray[np.uint8]:
    """The colors (H, W, 3) of a picture; of a set of tiles those of one that fits itself."""
    source = read_copy(copy, name)
    if source.shape[2] in (2, 4):
        note(f"The transparency of {name} is left out.")
    straight = encoded(source)
    colors = straight[..., :3] if straight.shape[2] >= 3 else np.repeat(straight[..., :1], 3, -1)
    if colors.dtype != np.uint8:
        colors = to_dtype(_shares(colors).clip(0, 1), np.uint8)
    sheet = _sheet(copy)
    if sheet.count > 1:
        note(f"Of the {sheet.count} tiles of {name}, one is taken that repeats by itself.")
    return _cut(colors, sheet)


def _sheet(copy: Path) -> Sheet:
    try:
        made = read_png(copy)
    except UserError:  # no PNG
        made = None
    return made.sheet if made is not None else ONE_TILE


def _cut(pixels: NDArray[Any], sheet: Sheet) -> NDArray[Any]:
    """A tile that fits itself."""
    column, row = sheet.repeating
    height, width = pixels.shape[0] // sheet.rows, pixels.shape[1] // sheet.columns
    return pixels[row * height :, column * width :][:height, :width]


def _shares(pixels: NDArray[Any]) -> Floats:
    top = np.iinfo(pixels.dtype).max if np.issubdtype(pixels.dtype, np.integer) else 1
    return pixels.astype(np.float32) / np.float32(top)


def _map_beside(picture: Path, kind: MapKind) -> Path | None:
    """The map of a result's picture, or of one that the command line has written; None where there is none."""
    try:
        made = results.load(picture.parent)
    except UserError:
        beside = picture.with_name(f"{picture.stem}-{kind.value}.png")
        return beside if beside.is_file() else None
    title = next((title for title, name in made.files.items() if name == picture.name), results.BASE_COLOR)
    name = kind.value if title == results.BASE_COLOR else f"{title}_{kind.value}"
    return made.path(name) if name in made.files else None


def corner_field(sheet: Sheet, height: int, width: int) -> Floats:
    """From corner to corner of the tiles of a sheet, from color 0 to color 1: (rows * height, columns * width)."""
    down = ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None]
    along = (np.arange(width, dtype=np.float32) + 0.5) / width
    rows = []
    for row in range(sheet.rows):
        tiles = []
        for column in range(sheet.columns):
            first, second, third, fourth = sheet.corners(column, row)
            above = first + (second - first) * along
            below = third + (fourth - third) * along
            tiles.append(above + (below - above) * down)
        rows.append(np.concatenate(tiles, 1))
    return np.concatenate(rows)


def ragged(height: int, width: int, seed: int) -> Floats:
    """A field (height, width) from -1 to 1 that repeats, by which a straight line becomes a ragged one."""
    dice = np.random.default_rng(seed)
    y, x = np.arange(height)[:, None] / height, np.arange(width) / width
    total = np.zeros((height, width))
    for _ in range(_WAVES):
        down, across = dice.integers(-8, 9, 2)
        turn = 2 * np.pi * (down * y + across * x + dice.random())
        total += np.sin(turn) / max(float(np.hypot(down, across)), 1.0)
    return (total / max(float(np.abs(total).max()), 1e-6)).astype(np.float32)
