# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a template ready: read, fitted on the torus, and how much of each pixel is made anew. Imports core, engine.

All of it is periodic on the axes on which the texture repeats: a rolled template, with its mask rolled, gives a rolled
ground. Only rolls by whole pixels that the fit maps to whole pixels can be seen as such: of a template of the wanted
size those are all.
"""

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import results, seams
from ..core.color import to_encoded
from ..core.errors import UserError, bad_request
from ..core.recipe import EXACTLY, PERIODIC, Recipe
from ..core.requests.finish import MapKind
from ..core.requests.template import Fit, Region, Template
from ..core.requests.texture import Axes, PictureSize, Size, TextureRequest
from ..core.results import Draft
from ..core.tileable import joined, make_tileable
from ..core.variants import RIM
from . import pictures
from .canvas import to_dtype
from .cover import cover
from .masks import depth_weight, frame, seam_band, wear
from .resampling import Taps, lanczos_taps, mean_taps, resample
from .tiles import indices

_STRIP = 64  # rows of the result that are resampled at once: the source may be 64 times as large as the texture
_RIM = 0.1  # Lanczos swings over by a few hundredths
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)

Floats = NDArray[np.float32]
Check = Callable[[], None]
HeightOf = Callable[[NDArray[np.uint8]], Floats]  # a color (H, W, 3) -> its height (H, W), 0 to 1


@dataclass
class Ground:
    """A template made ready, or the two pictures of a transition, for all pictures of a job.

    pixels: (H, W, 3), 8-bit sRGB, of the texture's size. start: what is encoded of it.
    weight: how much of each pixel is made anew, (H, W), 0 to 1; None: all of each.
    share: how much of the second prompt each pixel is made by, (H, W), 0 to 1; None: nothing.
    request: with the hashes of the files. words: what the recipe says besides.
    copies: the files as they were read, by their kind in a result. exact: whether they are periodic by construction.
    maps: of the two pictures, each (h, w, 1 or 3) in 0..1, where they are known.
    latents: of `start`, by the memory mode in which they were encoded.
    """

    pixels: NDArray[np.uint8]
    start: NDArray[np.uint8]
    weight: Floats | None
    request: TextureRequest
    words: dict[str, str]
    copies: dict[str, Path]
    exact: bool
    share: Floats | None = None
    maps: dict[MapKind, tuple[Floats, Floats]] = field(default_factory=dict)
    latents: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether the template itself is wanted, and no model."""
        return self.request.strength == 0

    @property
    def fingerprint(self) -> str:
        """Of the template's file; see `Recipe.model_fingerprint`."""
        template, transition = self.request.template, self.request.transition
        sha256 = template.sha256 if template else transition.first_sha256 if transition else ""
        return sha256[:16]

    def recipe(self, made: Recipe) -> Recipe:
        """The recipe of a picture that was made on it."""
        is_forgotten = self.request.strength == 1 and self.weight is None
        is_exact = (self.is_whole or made.is_exact) and (self.exact or is_forgotten)
        return made.noting({**self.words, PERIODIC: EXACTLY if is_exact else "as measured"})

    def of(self, request: TextureRequest) -> TextureRequest:
        """One picture's request with the hashes of the files."""
        return replace(request, template=self.request.template, transition=self.request.transition)

    def latent_weight(self, factor: int) -> torch.Tensor | None:
        """Which latents are denoised, (1, 1, h, w), 0 or 1: those with any pixel that is made anew."""
        if self.weight is None:
            return None
        cells = _cells(self.weight, factor).max((1, 3)) > 0
        return torch.from_numpy(cells.astype(np.float32))[None, None]

    def latent_share(self, factor: int) -> torch.Tensor | None:
        """`share` for latents, (1, 1, h, w)."""
        return None if self.share is None else torch.from_numpy(_cells(self.share, factor).mean((1, 3)))[None, None]

    def blend(self, made: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture that was made inside, the template outside, bit for bit."""
        if self.weight is None:
            return made
        result = np.empty_like(made)
        for top in range(0, len(made), _STRIP):
            rows = slice(top, top + _STRIP)
            old, new, weight = self.pixels[rows].astype(np.float32), made[rows], self.weight[rows, :, None]
            result[rows] = np.rint(old + weight * (new - old))
        return result

    def lay_map(self, kind: MapKind, made: Floats, *, outside: bool = False) -> None:
        """Put the maps that are known in the place of those that were made (H, W, C), blended as the colors are.

        outside: only where nothing is made anew, and as they are.
        """
        if kind not in self.maps or self.weight is None or self.share is None:
            return
        tiles = self.maps[kind]
        height, width = tiles[0].shape[:2]
        for top in range(0, len(made), _STRIP):
            rows = np.arange(top, min(top + _STRIP, len(made)))
            weight, is_second = self.weight[rows, :, None], self.share[rows, :, None] > 0.5
            first, second = (np.tile(tile[rows % height], (1, made.shape[1] // width, 1)) for tile in tiles)
            known, strip = np.where(is_second, second, first), made[top : top + _STRIP]
            if outside:
                np.copyto(strip, known, where=weight == 0)
            else:
                strip[...] = known + weight * (strip - known)

    def keep(self, draft: Draft) -> dict[str, str]:
        """Put the files beside the result: kind -> name. Raises `UserError` (kind `DISK`)."""
        return kept(self.copies, draft)


def _cells(values: Floats, factor: int) -> Floats:
    """(h, factor, w, factor) of (H, W)."""
    height, width = values.shape
    return values.reshape(height // factor, factor, width // factor, factor)


@dataclass
class TileGround(Ground):
    """Of one tile in the middle of what is around it on its sheet, half of each neighbor.

    sheet: all of the set, (H, W, 3). tile: where it is there. cut: where it is in `pixels`.
    """

    sheet: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 0, 3), np.uint8))
    tile: tuple[slice, slice] = (slice(0), slice(0))
    cut: tuple[slice, slice] = (slice(0), slice(0))

    def blend(self, made: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The set with the tile that was made, whose rims are what they were, bit for bit."""
        result = self.sheet.copy()
        result[self.tile] = super().blend(made)[self.cut]
        return result


@contextmanager
def ground(
    request: TextureRequest, store: Path, check: Check, note: Callable[[str], None], height_of: HeightOf
) -> Iterator[Ground | None]:
    """The ground of a job while the block runs, None where its request has no template.

    store: where the files are copied for as long: what becomes of the originals no longer matters.
    height_of: for `Region.WEAR`. Raises `UserError` (kinds `REQUEST`, `NUMERICS`, `DISK`), or what `check` raises.
    """
    if request.template is None:
        yield None
        return
    with results.draft(store, "template", 0) as scratch:
        yield _ground(request, request.template, scratch.folder, check, note, height_of)


def _ground(
    request: TextureRequest,
    template: Template,
    folder: Path,
    check: Check,
    note: Callable[[str], None],
    height_of: HeightOf,
) -> Ground:
    copies = {
        results.TEMPLATE: copied("The template", Path(template.source), folder, results.TEMPLATE, template.sha256)
    }
    if template.mask:
        copies[results.MASK] = copied("The mask", Path(template.mask), folder, results.MASK, template.mask_sha256)
    hashes = {kind: hash_of(path) for kind, path in copies.items()}
    known = replace(template, sha256=hashes[results.TEMPLATE], mask_sha256=hashes.get(results.MASK, ""))
    source = read_copy(copies[results.TEMPLATE], Path(template.source).name)
    if source.shape[2] in (2, 4) and template.region is not Region.ALPHA and _is_transparent(source):
        note("The template's transparency is left out.")
    pixels, opacity = _colors(source, request, template, check)
    if template.region is Region.TILE:
        return _tile_ground(source, pixels, replace(request, template=known), copies)
    words = {}
    if template.region is Region.SEAM:
        words[results.RECIPE_BEFORE] = f"{seams.measure(pixels, request.axes).value:.3f}"
    inside = _inside(request, known, copies, pixels, opacity, check, height_of)
    exact = (
        template.fit is not Fit.CROP
        and not template.tileable
        and pictures.repeats_exactly(copies[results.TEMPLATE], request.axes)
    )
    weight = None
    if inside is not None or template.keep_edges:
        inside = np.ones(pixels.shape[:2], np.float32) if inside is None else inside
        if template.keep_edges:
            inside = inside * frame(inside.shape, request.axes)
        feather = 0 if template.region is Region.WEAR else round(template.feather * min(inside.shape))
        weight = depth_weight(inside, feather, request.axes, check)
    start = pixels
    if template.strength > 0 and template.region is Region.SEAM:
        start = to_dtype(joined(pixels.astype(np.float32) / 255, request.axes, check), np.uint8)
    elif template.strength > 0 and inside is not None and _is_covered(template):
        # also what shows through the feather: a scratch is not to be seen in it, a seam may be
        start = pixels = cover(pixels, inside > 0, request.axes, check)
    return Ground(pixels, start, weight, replace(request, template=known), words, copies, exact)


def _tile_ground(
    source: NDArray[Any], sheet: NDArray[np.uint8], request: TextureRequest, copies: dict[str, Path]
) -> Ground:
    template = request.template
    assert template is not None
    size, tiles = request.size, request.sheet
    if source.shape[:2] != sheet.shape[:2]:
        wanted = f"{sheet.shape[1]}x{sheet.shape[0]}"
        raise bad_request(
            f"The set is {source.shape[1]}x{source.shape[0]} pixels; {tiles.count} tiles of {size} are {wanted}.",
            "Set the size to that of its tiles.",
        )
    starts, around, cut = [], [], []
    for number, side, count in zip(
        template.tile[::-1], (size.height, size.width), (tiles.rows, tiles.columns), strict=True
    ):
        margin = side // 2 if count > 1 else 0
        starts.append(slice(number * side, (number + 1) * side))
        around.append(np.arange(number * side - margin, (number + 1) * side + margin) % (side * count))
        cut.append(slice(margin, margin + side))
    rim = max(min(size.width, size.height) // RIM, 1)
    inside = np.zeros([len(places) for places in around], np.float32)
    inside[cut[0].start + rim : cut[0].stop - rim, cut[1].start + rim : cut[1].stop - rim] = 1
    pixels = sheet[np.ix_(*around)]
    weight = depth_weight(inside, round(template.feather * min(inside.shape)), Axes.XY)
    exact = pictures.repeats_exactly(copies[results.TEMPLATE], Axes.XY)
    return TileGround(
        pixels,
        pixels,
        weight,
        request,
        {},
        copies,
        exact,
        sheet=sheet,
        tile=(starts[0], starts[1]),
        cut=(cut[0], cut[1]),
    )


def _is_covered(template: Template) -> bool:
    return template.region is Region.ALPHA or (template.region is Region.MASK and template.cover)


def _inside(
    request: TextureRequest,
    template: Template,
    copies: dict[str, Path],
    pixels: NDArray[np.uint8],
    opacity: Floats | None,
    check: Check,
    height_of: HeightOf,
) -> Floats | None:
    """What is made anew, before the feather, (H, W), 0 to 1; None: all. Raises `UserError` where it is nothing."""
    size = request.size
    match template.region:
        case Region.ALL | Region.TILE:
            return None
        case Region.MASK:
            mask = read_copy(copies[results.MASK], Path(template.mask).name)
            inside = _mask(fit(mask, size, template.fit, request.axes, check))
            if not inside.any():
                hint = "Paint white where the texture is to be made anew."
                raise bad_request("The mask is all black: nothing would be made anew.", hint)
            return None if (inside == 1).all() else inside
        case Region.ALPHA:
            inside = np.zeros((size.height, size.width), np.float32) if opacity is None else _decided(1 - opacity)
            if not inside.any():
                hint = "Erase what is to be made anew, or paint a mask."
                raise bad_request("The template is nowhere transparent: nothing would be made anew.", hint)
            return inside
        case Region.SEAM:
            return seam_band(pixels.shape[:2], request.axes)
        case Region.GROW:
            return _grown(pixels.shape[:2], template, copies[results.TEMPLATE], size)
        case Region.WEAR:
            # by the template alone, so that all that is made from one wears at the same places
            seed = int(template.sha256[:8], 16)
            return wear(height_of(pixels), template.amount, request.axes, seed)


def _grown(shape: tuple[int, ...], template: Template, copy: Path, size: Size) -> Floats:
    source = read_copy(copy, Path(template.source).name)
    across, down = _copies(source, size, Fit.TILE)
    if across == down == 1:
        raise bad_request(
            f"The template has about the texture's size, {size}: there is no room to grow.", "Choose a larger size."
        )
    inside = np.ones(shape, np.float32)
    inside[: shape[0] // down, : shape[1] // across] = 0
    return inside


# --- files


def copied(title: str, source: Path, folder: Path, kind: str, sha256: str) -> Path:
    """A copy of the file, whose name is its kind. Raises `UserError` where it cannot be read, or is another by now."""
    suffix = source.suffix.lower()
    target = folder / (kind + (suffix if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix) else ""))
    try:
        file = source.open("rb")
    except OSError as error:
        raise bad_request(f"{title} {source} cannot be read: {error.strerror}.", "Choose it again.") from error
    with file, results.disk_errors(folder.parent), target.open("wb") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
    if sha256 and hash_of(target) != sha256:
        raise bad_request(
            f"{title} {source.name} has changed since.", "Choose it again to take it as it is, or put the old one back."
        )
    return target


def kept(copies: dict[str, Path], draft: Draft) -> dict[str, str]:
    """Put the copies beside the result: kind -> name. Raises `UserError` (kind `DISK`)."""
    with results.disk_errors(draft.root):
        for path in copies.values():
            shutil.copyfile(path, draft.folder / path.name)
    return {kind: path.name for kind, path in copies.items()}


def hash_of(path: Path) -> str:
    """The hash of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_copy(copy: Path, name: str) -> NDArray[Any]:
    """The pixels of a copy. Raises `UserError`, with the name of the original."""
    try:
        pixels = pictures.read(copy)
    except UserError as error:
        message = error.message.replace(str(copy), name).replace(copy.name, name)
        raise UserError(error.kind, message, error.hint) from error
    if pixels.dtype == np.float32:
        pictures.extent(pixels)
    return pixels


# --- fitting


def _colors(
    source: NDArray[Any], request: TextureRequest, template: Template, check: Check
) -> tuple[NDArray[np.uint8], Floats | None]:
    """The fitted colors (H, W, 3), 8-bit, and the opacity (H, W), None where the template has none.

    Where it is wholly transparent its colors are of no account, and its mean stands instead.
    """
    size = PictureSize(request.size.width * request.sheet.columns, request.size.height * request.sheet.rows)
    count = 3 if source.shape[2] >= 3 else 1
    has_alpha = source.shape[2] in (2, 4)

    def fitted(pixels: NDArray[Any], tileable: bool) -> Floats:
        return fit(pixels, size, template.fit, request.axes, check, tileable)

    if not has_alpha:
        colors, opacity = fitted(encoded(source), template.tileable), None
    else:
        straight = encoded(source)
        if straight.dtype != np.float32:
            straight = straight.astype(np.float32) / np.float32(np.iinfo(straight.dtype).max)
        alpha = straight[..., count:]
        mean = (straight[..., :count] * alpha).sum((0, 1)) / max(float(alpha.sum()), 1e-6)
        visible = np.where(alpha > 0, straight[..., :count], mean.astype(np.float32))
        colors = fitted(visible, template.tileable)
        opacity = fitted(alpha, False)[..., 0].clip(0, 1)
    if count == 1:
        colors = np.repeat(colors, 3, -1)
    return to_dtype(colors.clip(0, 1), np.uint8), opacity


def encoded(source: NDArray[Any]) -> NDArray[Any]:
    """sRGB-encoded: floats are taken for linear light, as everywhere; whole numbers are encoded already."""
    if source.dtype != np.float32:
        return source
    colors = source.shape[2] - (source.shape[2] in (2, 4))
    return np.concatenate((to_encoded(source[..., :colors]), source[..., colors:]), -1)


def fit(
    source: NDArray[Any], size: Size, how: Fit, axes: Axes, check: Check = lambda: None, tileable: bool = False
) -> Floats:
    """A picture (h, w, C) of any size as one of the texture's, (H, W, C) in shares of 1.

    Downwards by means, upwards by Lanczos; a picture of the wanted size stays what it is. axes: where the source
    repeats; with `tileable` it does not yet, and is made to there. check: called often, may raise.
    """
    across, down = _copies(source, size, how)
    if how is Fit.CROP:
        source = _middle(source, size)
    axes_before = Axes.NONE if tileable or how is Fit.CROP else axes
    result = _scaled(source, size.height // down, size.width // across, axes_before, check)
    if tileable:
        result = make_tileable(result, axes, check)
    result = _repeated(result, down, 0, axes.y)
    return _repeated(result, across, 1, axes.x)


def _copies(source: NDArray[Any], size: Size, how: Fit) -> tuple[int, int]:
    """How often the source stands beside itself in the texture: across and down."""
    if how is not Fit.TILE:
        return 1, 1

    def nearest(wanted: int, own: int) -> int:
        """Of the numbers that cut a side into whole pixels, that whose copies are scaled least."""
        whole = [number for number in range(1, wanted + 1) if wanted % number == 0 and wanted // number >= 8]
        return min(whole, key=lambda number: abs(np.log(wanted / number / own)))

    return nearest(size.width, source.shape[1]), nearest(size.height, source.shape[0])


def _middle(source: NDArray[Any], size: Size) -> NDArray[Any]:
    height, width = source.shape[:2]
    kept_width = min(width, max(round(height * size.width / size.height), 1))
    kept_height = min(height, max(round(width * size.height / size.width), 1))
    top, left = (height - kept_height) // 2, (width - kept_width) // 2
    return source[top : top + kept_height, left : left + kept_width]


def _scaled(source: NDArray[Any], height: int, width: int, axes: Axes, check: Check) -> Floats:
    share = np.float32(np.iinfo(source.dtype).max if np.issubdtype(source.dtype, np.integer) else 1)
    if source.shape[:2] == (height, width):
        return source.astype(np.float32) / share
    result = np.empty((height, width, source.shape[2]), np.float32)
    columns = _taps(slice(0, width), width, source.shape[1])
    across = indices(columns.start, columns.stop, source.shape[1], axes.x)
    for top in range(0, height, _STRIP):
        check()
        part = slice(top, min(top + _STRIP, height))
        rows = _taps(part, height, source.shape[0])
        down = indices(rows.start, rows.stop, source.shape[0], axes.y)
        patch = source[down][:, across].astype(np.float32) / share
        result[part] = resample(patch, rows, columns)
    return result


def _taps(part: slice, wanted: int, own: int) -> Taps:
    return mean_taps(part, wanted, own) if wanted <= own else lanczos_taps(part, own, wanted)


def _repeated(picture: Floats, copies: int, axis: int, repeats: bool) -> Floats:
    """The picture beside itself along an axis; where it does not repeat, every other copy is mirrored."""
    if copies == 1:
        return picture
    other = picture if repeats else np.flip(picture, axis)
    return np.concatenate([other if number % 2 else picture for number in range(copies)], axis)


def _mask(picture: Floats) -> Floats:
    """How white a fitted mask is, (H, W); what is transparent is black."""
    colors = picture[..., : 3 if picture.shape[2] >= 3 else 1]
    white = colors @ _LUMA if colors.shape[2] == 3 else colors[..., 0]
    if picture.shape[2] in (2, 4):
        white = white * picture[..., -1]
    return _decided(white)


def _decided(mask: Floats) -> Floats:
    """A scaled mask without the rims that Lanczos leaves beside hard edges, which must not count as painted."""
    return np.where(mask < _RIM, 0, np.where(mask > 1 - _RIM, 1, mask)).astype(np.float32)


def _is_transparent(source: NDArray[Any]) -> bool:
    top = np.iinfo(source.dtype).max if np.issubdtype(source.dtype, np.integer) else 1
    return bool((source[..., -1] < top).any())
