# SPDX-License-Identifier: GPL-3.0-or-later
"""The torus tiler: any image-to-image network over a picture of any size. Imports core, engine.devices, numpy, torch.

A picture is read in tiles with a halo as wide as the network sees, by index: modulo the size on axes that wrap,
mirrored on the others. Each tile's core is written to a canvas, so an accelerator holds one tile, whatever the size.

The law: where the halo covers all that the network sees, the result does not depend on the tile size (<= 1e-6 in
float32), and on wrapped axes it is that of the network made periodic on the whole picture. Sides that are no multiple
of the network's grid work, but are not exactly periodic: the grid's phase jumps where the picture starts over.
"""

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.requests.texture import Axes
from .canvas import AT_ONCE, give_back, trim_heap
from .devices import empty_cache, is_out_of_memory

log = logging.getLogger(__name__)

MAX_HALO = 96  # pixels; what sees further gets an effective halo, since the halo's area would be most of the work
MIN_TILE = 64
_TRIM_EVERY = 8  # tiles: giving memory back and asking for it anew took a tenth of the time of a small one
_PROBES = (32, MAX_HALO)  # reaches that are looked for, the cheaper first
# Of the greatest value: where a wider halo changes a tile by no more, it is wide enough. Half of an 8-bit level.
EFFECTIVE = 1 / 512


class NotFinite(ArithmeticError):
    """A network gave not-a-number or infinity."""


Network = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Reach:
    """How far a network sees, in pixels of its input: `halo`, a multiple of its grid.

    exact: nothing further away has any influence. Otherwise error is what a halo twice as wide changed, of the
    greatest value, on random pixels.
    """

    halo: int
    exact: bool
    error: float = 0.0


@dataclass
class TileLimits:
    """The largest tile that fitted on each device, learned from running out of memory; kept as long as the worker."""

    sides: dict[str, int] = field(default_factory=dict)

    def clamp(self, device: str, side: int) -> int:
        return min(side, self.sides.get(device, side))

    def shrink(self, device: str, side: int) -> None:
        self.sides[device] = min(side, self.sides.get(device, side))


@dataclass(frozen=True)
class Block:
    """A rectangle of the source, in pixels: rows `top` to `bottom`, columns `left` to `right`."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def longest(self) -> int:
        return max(self.bottom - self.top, self.right - self.left)

    def scaled(self, scale: Fraction) -> tuple[slice, slice]:
        """Where its result goes."""
        rows = slice(int(self.top * scale), math.ceil(self.bottom * scale))
        return rows, slice(int(self.left * scale), math.ceil(self.right * scale))


def blocks(height: int, width: int, tile: int, across: int = 0) -> Iterator[Block]:
    """The picture in tiles of at most `tile` pixels a side (`across` in width, unless 0), row by row."""
    across = across or tile
    for top in range(0, height, tile):
        for left in range(0, width, across):
            yield Block(top, min(top + tile, height), left, min(left + across, width))


def indices(start: int, stop: int, size: int, wraps: bool) -> NDArray[np.intp]:
    """Which pixels of a row of `size` stand at the places from start to stop, which may lie outside.

    Periodic where it wraps, else mirrored at the middles of the outermost pixels, as often as needed.
    """
    places = np.arange(start, stop)
    if wraps:
        return places % size
    if size == 1:
        return np.zeros_like(places)
    period = 2 * (size - 1)
    places = places % period
    return np.minimum(places, period - places)


def gather(source: NDArray[Any], block: Block, halo: int, axes: Axes, grid: int = 1) -> NDArray[np.float32]:
    """A block with its halo as float32 (H, W, C), whole numbers divided by their greatest.

    The far edges are lengthened to whole multiples of the grid.
    """
    height, width = source.shape[:2]
    more_y, more_x = -(block.bottom - block.top) % grid, -(block.right - block.left) % grid
    rows = indices(block.top - halo, block.bottom + halo + more_y, height, axes.y)
    columns = indices(block.left - halo, block.right + halo + more_x, width, axes.x)
    patch = _take(source, rows, columns)
    if np.issubdtype(source.dtype, np.integer):
        return patch.astype(np.float32) / np.float32(np.iinfo(source.dtype).max)
    return patch.astype(np.float32, copy=False)


def _take(source: NDArray[Any], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[Any]:
    """source[rows][:, columns], some rows at once: the system maps more of a file than what is read."""
    taken = np.empty((len(rows), len(columns), *source.shape[2:]), source.dtype)
    for top in range(0, len(rows), AT_ONCE):
        taken[top : top + AT_ONCE] = _part(source, rows[top : top + AT_ONCE], columns)
        give_back(source)
    return taken


def _part(source: NDArray[Any], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[Any]:
    """By slices where the places follow each other; never a copy of whole rows."""
    down, along = _slice(rows), _slice(columns)
    if down is not None:
        strip = source[down]
        return strip[:, along] if along is not None else np.take(strip, columns, axis=1)
    if along is not None:
        return source[:, along][rows]  # `np.take` would copy all of the picture first
    return source[np.ix_(rows, columns)]


def _slice(places: NDArray[np.intp]) -> slice | None:
    follow = (np.diff(places) == 1).all()
    return slice(int(places[0]), int(places[-1]) + 1) if follow else None


@dataclass(frozen=True)
class Tiler:
    """How a network is run over pictures.

    network: takes and gives (1, C, H, W) on `device` in `dtype`. scale: pixels of the result for one of the source
    (1/8 for an encoder). halo, grid: in pixels of the source; the halo is a multiple of the grid. tile: the wanted
    side of a tile, before limits.
    """

    network: Network
    scale: Fraction = Fraction(1)
    halo: int = 0
    grid: int = 1
    tile: int = 512
    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    limits: TileLimits = field(default_factory=TileLimits)
    least: int = MIN_TILE  # pixels of the source; a smaller tile is not tried

    def count(self, height: int, width: int) -> int:
        """How many tiles a picture takes, unless memory runs out."""
        side = self._side()
        return -(-height // side) * -(-width // side)

    def run(
        self,
        source: NDArray[Any],
        write: Callable[[slice, slice, NDArray[np.float32]], None],
        axes: Axes,
        done: Callable[[int], None] = lambda count: None,
    ) -> None:
        """Run over a picture (H, W, C) and hand each tile's result to `write`: rows, columns, (h, w, C) float32.

        done: called after each tile with how many are finished; it may raise to end the run.
        A tile for which memory runs out is cut into four, and smaller ones are used from then on; at `least` the
        error is passed on. Raises `NotFinite` where the network gives no valid numbers.
        """
        height, width = source.shape[:2]
        for finished, block in enumerate(blocks(height, width, self._side()), start=1):
            self._run_block(source, block, write, axes)
            if finished % _TRIM_EVERY == 0:
                trim_heap()
            done(finished)
        trim_heap()

    def _side(self) -> int:
        side = max(self.limits.clamp(self.device, self.tile), 1)
        return max(side // self.grid, 1) * self.grid

    def _run_block(
        self,
        source: NDArray[Any],
        block: Block,
        write: Callable[[slice, slice, NDArray[np.float32]], None],
        axes: Axes,
    ) -> None:
        side = self._side()
        if block.longest > side:  # cut by an earlier tile's running out
            self._run_parts(source, block, side, write, axes)
            return
        try:
            result = self._compute(source, block, axes)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or block.longest <= self.least:
                raise
            result = None
        # Outside of the handler the exception is gone, and with it the frames that kept tensors.
        if result is None:
            empty_cache(self.device)
            smaller = max(block.longest // 2, self.least)
            log.warning("memory ran out on %s at tiles of %d pixels; going on with %d", self.device, side, smaller)
            self.limits.shrink(self.device, smaller)
            self._run_parts(source, block, self._side(), write, axes)
            return
        write(*block.scaled(self.scale), result)

    def _run_parts(
        self,
        source: NDArray[Any],
        block: Block,
        side: int,
        write: Callable[[slice, slice, NDArray[np.float32]], None],
        axes: Axes,
    ) -> None:
        for part in blocks(block.bottom - block.top, block.right - block.left, side):
            moved = Block(
                part.top + block.top, part.bottom + block.top, part.left + block.left, part.right + block.left
            )
            self._run_block(source, moved, write, axes)

    @torch.inference_mode()
    def _compute(self, source: NDArray[Any], block: Block, axes: Axes) -> NDArray[np.float32]:
        patch = gather(source, block, self.halo, axes, self.grid)
        tensor = torch.from_numpy(patch).permute(2, 0, 1)[None].to(self.device, self.dtype)
        output = self.network(tensor)
        rows, columns = block.scaled(self.scale)
        first = int(self.halo * self.scale)
        core = output[0, :, first : first + rows.stop - rows.start, first : first + columns.stop - columns.start]
        result: NDArray[np.float32] = core.permute(1, 2, 0).float().cpu().numpy()
        if not np.isfinite(result).all():
            raise NotFinite(f"in the tile {block}")
        return result


@torch.inference_mode()
def measure_reach(
    network: Network,
    channels: int,
    *,
    scale: Fraction = Fraction(1),
    grid: int = 1,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    probes: tuple[int, ...] = _PROBES,
) -> Reach:
    """How far a network sees, measured: a patch of not-a-number turns all that depends on it into not-a-number.

    So what counts is what the network may look at, not what it makes of it; rounding plays no part. Networks with
    global statistics, and those that see further than `MAX_HALO`, turn all of it and get an effective halo.
    probes: the reaches that are looked for, in pixels.
    """
    for probe in probes:
        reach = -(-probe // grid) * grid
        if (seen := _spread(network, channels, reach, scale, grid, device, dtype)) is not None:
            return Reach(-(-seen // grid) * grid, exact=True)
    return _effective(network, channels, scale, grid, device, dtype)


def _spread(
    network: Network, channels: int, reach: int, scale: Fraction, grid: int, device: str, dtype: torch.dtype
) -> int | None:
    """Pixels of the input that the network sees to any side, None if `reach` or more."""
    side = 2 * reach + grid
    picture = torch.rand((1, channels, side, side), generator=torch.Generator().manual_seed(0))
    # a whole cell of the grid: what each phase of it sees
    picture[..., reach : reach + grid, reach : reach + grid] = torch.nan
    output = network(picture.to(device, dtype))[0]
    touched = torch.isnan(output).any(0).cpu().numpy()
    rows, columns = np.flatnonzero(touched.any(1)), np.flatnonzero(touched.any(0))
    if not len(rows):
        return 0
    first, last = int(min(rows[0], columns[0])), int(max(rows[-1], columns[-1]))
    # An output pixel that touches the border may have seen more than there was.
    if first <= 0 or last >= min(touched.shape) - 1:
        return None
    before = reach - math.floor(first / scale)
    after = math.ceil((last + 1) / scale) - (reach + grid)
    return max(before, after, 0)


def _effective(network: Network, channels: int, scale: Fraction, grid: int, device: str, dtype: torch.dtype) -> Reach:
    """The narrowest of a few halos that changes a random picture's core by at most `EFFECTIVE` when doubled."""
    core = -(-32 // grid) * grid
    widest = -(-MAX_HALO // grid) * grid
    side = core + 4 * widest
    picture = torch.rand((1, channels, side, side), generator=torch.Generator().manual_seed(1))
    # smooth as pictures are: white noise would make any network look more local than it is
    picture = torch.nn.functional.avg_pool2d(picture, 5, 1, 2, count_include_pad=False).to(device, dtype)

    def core_with(halo: int) -> torch.Tensor:
        begin = 2 * widest - halo
        patch = picture[..., begin : side - begin, begin : side - begin]
        first, length = int(halo * scale), int(core * scale)
        return network(patch)[..., first : first + length, first : first + length].float()

    results: dict[int, torch.Tensor] = {}
    for halo in sorted({-(-halo // grid) * grid for halo in (32, 64, MAX_HALO)}):
        for wanted in (halo, 2 * halo):
            if wanted not in results:
                results[wanted] = core_with(wanted)
        wider = results[2 * halo]
        error = float((wider - results[halo]).abs().max() / wider.abs().max().clamp(min=1e-12))
        if error <= EFFECTIVE:
            break
    return Reach(halo, exact=False, error=error)
