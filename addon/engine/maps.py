# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps from a base color: height, normal, roughness, metallic, occlusion, in bounded memory. Imports core, engine.

Networks see some ninety pixels, and were taught on textures of a few hundred. On a larger picture a brick is wider than
that: so they are run twice, on the picture shrunk to about that size and on the picture itself; the first gives the low
frequencies, the second the rest. Each part is a function on the torus, and so is the whole; sides that the scale does
not divide are shrunk to whole pixels all the same, by a ratio that is no whole number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.color import to_encoded
from ..core.errors import ErrorKind, UserError
from ..core.image_networks import HEIGHT_DEPTH, RELIEF
from ..core.pbr import normals_of_patch, unit_normals
from ..core.requests.finish import MapKind
from ..core.requests.picture import Content
from ..core.requests.texture import Axes
from ..core.surface_kinds import Surface
from ..core.variants import ONE_TILE, Sheet
from .canvas import Canvas, Easel
from .image_networks import ImageNetwork
from .low_frequencies import give_low_frequencies
from .resampling import lanczos_taps, mean_taps, resample
from .tiles import Block, TileLimits, Tiler, blocks, gather
from .upscale import Check, Step

BASE_SIDE = 512  # pixels: the size at which a texture's features are as large as the networks were taught
_BLOCK = 512
# Radii (standard deviations) in pixels at the base size that occlusion looks at, and how dark it gets. Chosen by eye.
# Made from the true heights of 25 real surfaces it correlates by 0.54 with their authors' maps; where these say
# something (16) it is 0.06 off in the mean, and three quarters as dark.
_OCCLUSION_RADII = (1.5, 4.0, 10.0)
_OCCLUSION_STRENGTH = 1.0
_LEVELS = 4096  # of heights, where their spread is looked at
_MOST_STEEPER = 8.0  # by how much the relief of a height may be made deeper or flatter: all of it is a guess
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec.709


@dataclass(frozen=True)
class Source:
    """Where a map comes from: a network's channels."""

    network: ImageNetwork
    first: int
    channels: int


@dataclass(frozen=True)
class Map:
    """A finished map: some channels of a float32 canvas, in 0..1."""

    canvas: Canvas
    channels: slice

    @property
    def array(self) -> NDArray[np.float32]:
        return self.canvas.array[..., self.channels]


def base_scale(height: int, width: int) -> int:
    """By how much a picture is larger than the size that the networks were taught at: a power of two.

    By its size alone: 2047 pixels hold the same bricks as 2048 do, and get the same slopes.
    """
    scale = 1
    while -(-min(height, width) // (2 * scale)) >= BASE_SIDE:
        scale *= 2
    return scale


def make_maps(
    color: NDArray[Any],
    kinds: tuple[MapKind, ...],
    sources: Mapping[MapKind, Source],
    axes: Axes,
    content: Content,
    easel: Easel,
    limits: TileLimits,
    free: int,
    *,
    surface: Surface | None = None,
    invert: bool = False,
    sheet: Sheet = ONE_TILE,
    check: Check = lambda: None,
    step: Step = lambda done, total: None,
) -> dict[MapKind, Map]:
    """The maps asked for, each (H, W, 1) or (H, W, 3) in 0..1, from a base color (H, W, 1 to 4).

    sources: the networks; a map without one is made by filters: height from luminance, normal from the height's slopes,
    roughness from luminance, metallic none at all. Occlusion always comes from the height.
    surface: what the picture is known to show. Its metallic goes before what networks see, and its roughness is one
    that such surfaces have (see `shifted`). invert: whether what would be deep is high, in all that is made of heights
    and slopes. sheet: of the picture's tiles.
    """
    height, width = color.shape[:2]
    scale = base_scale(height // sheet.rows, width // sheet.columns)
    work = _Work(color, scale, axes, content, easel, limits, free, check, step)
    metallic = surface.metallic if surface is not None else None
    if metallic is not None:  # no network need look for it
        sources = {kind: source for kind, source in sources.items() if kind is not MapKind.METALLIC}
    work.plan(kinds, sources)
    made: dict[MapKind, Map] = {}
    for kind in (MapKind.HEIGHT, MapKind.ROUGHNESS, MapKind.METALLIC, MapKind.NORMAL):
        if kind in sources and (kind in kinds or (kind is MapKind.HEIGHT and _needs_height(kinds, sources))):
            made[kind] = work.by_network(sources[kind], kind)
    for kind in (MapKind.HEIGHT, MapKind.ROUGHNESS, MapKind.METALLIC):
        if kind not in made and (kind in kinds or (kind is MapKind.HEIGHT and _needs_height(kinds, sources))):
            made[kind] = work.by_filter(kind, metallic or 0.0)
    for kind, inverted in ((MapKind.HEIGHT, inverted_height), (MapKind.NORMAL, inverted_normals)):
        if invert and kind in made:  # what is made of the height below is made of the inverted one
            work.change(made[kind], inverted)
    if surface is not None and MapKind.ROUGHNESS in made:
        work.shift(made[MapKind.ROUGHNESS], surface.roughness)
    if MapKind.NORMAL in kinds and MapKind.NORMAL not in made:
        made[MapKind.NORMAL] = work.normal_of(made[MapKind.HEIGHT])
    if MapKind.OCCLUSION in kinds:
        made[MapKind.OCCLUSION] = work.occlusion_of(made[MapKind.HEIGHT])
    return {kind: made[kind] for kind in kinds}


def _needs_height(kinds: tuple[MapKind, ...], sources: Mapping[MapKind, Source]) -> bool:
    return MapKind.OCCLUSION in kinds or (MapKind.NORMAL in kinds and MapKind.NORMAL not in sources)


class _Work:
    """The parts of one `make_maps`, and what they share."""

    def __init__(
        self,
        color: NDArray[Any],
        scale: int,
        axes: Axes,
        content: Content,
        easel: Easel,
        limits: TileLimits,
        free: int,
        check: Check,
        step: Step,
    ) -> None:
        self._color, self._scale, self._axes, self._content = color, scale, axes, content
        self._base = (round(color.shape[0] / scale), round(color.shape[1] / scale))  # the sides at the base size
        self._easel, self._limits, self._free, self._check, self._step = easel, limits, free, check, step
        self._made: dict[int, Canvas] = {}  # by the network's identity
        self._small: NDArray[np.float32] | None = None
        self._total, self._done = 0, 0

    def plan(self, kinds: tuple[MapKind, ...], sources: Mapping[MapKind, Source]) -> None:
        """Count the tiles and blocks of all that will be done, for the progress."""
        height, width = self._color.shape[:2]
        whole, base = _blocks(height, width), _blocks(*self._base)
        wanted = set(kinds) | ({MapKind.HEIGHT} if _needs_height(kinds, sources) else set())
        for network in {id(s.network): s.network for kind, s in sources.items() if kind in wanted}.values():
            tiler = network.tiler(self._limits, self._free)
            self._total += tiler.count(height, width)
            if self._scale > 1:
                self._total += tiler.count(*self._base)
        for kind in wanted - set(sources) - {MapKind.OCCLUSION}:
            self._total += 2 * whole if kind is MapKind.HEIGHT else whole  # its statistics come first
        if MapKind.OCCLUSION in kinds:
            self._total += base
            if self._scale > 1:
                self._total += _blocks(*self._base, _BLOCK // self._scale) + 2 * whole

    def _tick(self) -> None:
        """A tile or a block is done."""
        self._done += 1
        self._pulse()

    def _pulse(self) -> None:
        """Work goes on: without a word for long, the worker would be taken for hung and ended."""
        self._check()
        self._step(min(self._done, self._total), self._total)

    def by_network(self, source: Source, kind: MapKind) -> Map:
        key = id(source.network)
        if key not in self._made:
            self._made[key] = self._run(source.network)
        made = Map(self._made[key], slice(source.first, source.first + source.channels))
        if kind is MapKind.NORMAL:
            self.change(made, unit_normals)
        elif kind is MapKind.METALLIC:
            self.change(made, decided)
        return made

    def by_filter(self, kind: MapKind, metallic: float = 0.0) -> Map:
        """Height: the luminance, its mean at a half and four standard deviations across. Roughness: dark is rough.

        metallic: what that map holds everywhere.
        """
        canvas = self._easel.make((*self._color.shape[:2], 1), np.float32)
        mean, deviation = self._luminance_statistics() if kind is MapKind.HEIGHT else (0.0, 1.0)
        for block in blocks(self._color.shape[0], self._color.shape[1], _BLOCK):
            rows, columns = block.scaled(Fraction(1))
            luma = self._encoded(gather(self._color, block, 0, self._axes)) @ LUMA
            if kind is MapKind.HEIGHT:
                values = 0.5 + (luma - mean) / (4 * max(deviation, 1e-3))
            elif kind is MapKind.ROUGHNESS:
                values = 0.9 - 0.4 * luma
            else:
                values = np.full_like(luma, metallic)
            canvas.array[rows, columns, 0] = values.clip(0, 1)
            canvas.touched(values.nbytes)
            self._tick()
        return Map(canvas, slice(0, 1))

    def shift(self, roughness: Map, bounds: tuple[float, float]) -> None:
        """`shifted`, by the mean of the whole picture: in float64, so that the order of summing tells nothing."""
        total = 0.0
        for top in range(0, roughness.array.shape[0], 64):
            self._pulse()
            total += float(roughness.array[top : top + 64].sum(dtype=np.float64))
            roughness.canvas.touched(roughness.array[top : top + 64].nbytes)
        mean = total / roughness.array.size
        self.change(roughness, lambda strip: shifted(strip, mean, bounds))

    def normal_of(self, height: Map) -> Map:
        canvas = self._easel.make((*self._color.shape[:2], 3), np.float32)
        for block in blocks(self._color.shape[0], self._color.shape[1], _BLOCK):
            rows, columns = block.scaled(Fraction(1))
            patch = gather(height.array, block, 1, self._axes)[..., 0]
            canvas.array[rows, columns] = normals_of_patch(patch, HEIGHT_DEPTH * self._scale)
            canvas.touched(3 * patch.nbytes)
            height.canvas.touched(patch.nbytes)
            self._tick()
        return Map(canvas, slice(0, 3))

    def occlusion_of(self, height: Map) -> Map:
        """Wide radii on the height at the base size, enlarged; the narrowest at full size, where that is larger."""
        large, small = height.array, height.array
        if self._scale > 1:
            small = self._shrink(large, 1, lambda patch: patch, self._tick).array
        wide = self._easel.make((*self._base, 1), np.float32)
        self._darken(small, wide, _OCCLUSION_RADII, HEIGHT_DEPTH)
        if self._scale == 1:
            return Map(wide, slice(0, 1))
        canvas = self._easel.make(large.shape, np.float32)
        self._darken(large, canvas, (_OCCLUSION_RADII[0],), HEIGHT_DEPTH * self._scale)
        for block in blocks(large.shape[0], large.shape[1], _BLOCK):
            rows, columns = block.scaled(Fraction(1))
            rows_of = lanczos_taps(rows, self._base[0], large.shape[0])
            columns_of = lanczos_taps(columns, self._base[1], large.shape[1])
            around = Block(rows_of.start, rows_of.stop, columns_of.start, columns_of.stop)
            values = resample(gather(wide.array, around, 0, self._axes), rows_of, columns_of)
            canvas.array[rows, columns] *= values.clip(0, 1)
            canvas.touched(2 * values.nbytes)
            self._tick()
        return Map(canvas, slice(0, 1))

    def _darken(self, height: NDArray[np.float32], out: Canvas, radii: tuple[float, ...], depth: float) -> None:
        """exp(-strength * sum over radii of how far a place half as wide lies below its surroundings, over the radius).

        A place, and not a pixel: else each grain of the height is a black speck.
        """
        halo = int(3 * max(radii) + 1)
        kernels = [(radius, _gaussian(radius, halo), _gaussian(radius / 2, halo)) for radius in radii]

        def darken(patch: torch.Tensor) -> torch.Tensor:
            below = torch.zeros_like(patch)
            for radius, wide, narrow in kernels:
                below += (_blurred(patch, wide) - _blurred(patch, narrow)).clamp(min=0) * (depth / radius)
            return torch.exp(-_OCCLUSION_STRENGTH * below)

        Tiler(darken, halo=halo, tile=_BLOCK).run(height, out.write, self._axes, lambda count: self._tick())

    def _run(self, network: ImageNetwork) -> Canvas:
        tiler = network.tiler(self._limits, self._free)
        height, width = self._color.shape[:2]
        result = self._easel.make((height, width, network.channels[1]), np.float32)
        with network.cancellable(self._check):
            self._run_tiler(tiler, network, self._color, result)
            if self._scale > 1:
                small = self._easel.make((*self._base, network.channels[1]), np.float32)
                self._run_tiler(tiler, network, self._shrunk(), small)
                give_low_frequencies(small.array, result, self._axes, self._easel, self._pulse)
                self._easel.drop(small)
        return result

    def _run_tiler(self, tiler: Tiler, network: ImageNetwork, color: NDArray[Any], out: Canvas) -> None:
        linear = self._content is Content.LINEAR and color is self._color

        def run(picture: torch.Tensor) -> torch.Tensor:
            if picture.shape[1] < 3:
                picture = picture[:, :1].expand(-1, 3, -1, -1)
            picture = picture[:, :3]
            if linear:
                encoded = to_encoded(picture.float().cpu().numpy()).clip(0, 1)
                picture = torch.from_numpy(encoded).to(picture.device, picture.dtype)
            return network.module(picture)

        def tile_done(_count: int) -> None:
            self._tick()

        Tiler(run, tiler.scale, tiler.halo, tiler.grid, tiler.tile, tiler.device, tiler.dtype, tiler.limits).run(
            color, out.write, self._axes, tile_done
        )

    def _shrunk(self) -> NDArray[np.float32]:
        """The color at the base size, encoded, (h, w, 3)."""
        if self._small is None:
            self._small = self._shrink(self._color, 3, self._encoded, self._pulse).array
        return self._small

    def _shrink(
        self,
        large: NDArray[Any],
        channels: int,
        read: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        done: Callable[[], None],
    ) -> Canvas:
        """A picture at the base size, by means of what `read` makes of it. done: called after each block."""
        canvas = self._easel.make((*self._base, channels), np.float32)
        for block in blocks(*self._base, _BLOCK // self._scale):
            rows, columns = block.scaled(Fraction(1))
            rows_of = mean_taps(rows, self._base[0], large.shape[0])
            columns_of = mean_taps(columns, self._base[1], large.shape[1])
            under = Block(rows_of.start, rows_of.stop, columns_of.start, columns_of.stop)
            patch = read(gather(large, under, 0, self._axes))
            canvas.array[rows, columns] = resample(patch, rows_of, columns_of)
            canvas.touched(patch.nbytes)
            done()
        return canvas

    def _encoded(self, patch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Three channels, sRGB-encoded, in 0..1."""
        patch = patch[..., :3] if patch.shape[-1] >= 3 else np.repeat(patch[..., :1], 3, -1)
        return (to_encoded(patch) if self._content is Content.LINEAR else patch).clip(0, 1)

    def _luminance_statistics(self) -> tuple[float, float]:
        total, squares, count = 0.0, 0.0, 0
        for block in blocks(self._color.shape[0], self._color.shape[1], _BLOCK):
            luma = (self._encoded(gather(self._color, block, 0, self._axes)) @ LUMA).astype(np.float64)
            total, squares, count = total + luma.sum(), squares + (luma**2).sum(), count + luma.size
            self._tick()
        mean = total / count
        return mean, float(np.sqrt(max(squares / count - mean**2, 0.0)))

    def change(self, made: Map, to: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
        """Change a map in its place, in strips."""
        for top in range(0, made.array.shape[0], 64):
            self._pulse()
            strip = made.array[top : top + 64]
            strip[...] = to(strip)
            made.canvas.touched(strip.nbytes)


def inverted_height(height: NDArray[np.float32]) -> NDArray[np.float32]:
    return 1 - height


def inverted_normals(normal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Those of a ground whose hollows are hills (..., 3), encoded."""
    return np.concatenate((1 - normal[..., :2], normal[..., 2:]), -1)


def decided(metallic: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a network is unsure of, moved towards no metal or all of it: a pixel is one or the other, and a third of a
    metal looks like none. What is above a half stays above it."""
    t = ((metallic - 0.3) / 0.4).clip(0, 1)
    return t * t * (3 - 2 * t)


def shifted(roughness: NDArray[np.float32], mean: float, bounds: tuple[float, float]) -> NDArray[np.float32]:
    """Roughness whose mean is brought into bounds, by the nearest way; unchanged where it is in there.

    Linear, towards 0 or towards 1: what was rougher stays rougher, nothing leaves 0..1, and 0 (or 1) stays.
    """
    wanted = min(max(mean, bounds[0]), bounds[1])
    if wanted < mean:
        return roughness * np.float32(wanted / mean)
    if wanted > mean:
        return 1 - (1 - roughness) * np.float32((1 - wanted) / (1 - mean))
    return roughness


def relief_of(height: Map, surface: Surface) -> float:
    """What a height of 0 to 1 should stand for on such a surface, in widths of the picture.

    `RELIEF`, which is what the normals hold, unless what lies between the lowest and the highest hundredth would be
    more or less than such surfaces have: then what brings that to the nearest they have.
    """
    counts = np.zeros(_LEVELS, np.int64)
    for top in range(0, height.array.shape[0], 64):
        levels = (height.array[top : top + 64] * (_LEVELS - 1)).round().astype(np.int64)
        counts += np.bincount(levels.reshape(-1), minlength=_LEVELS)
        height.canvas.touched(levels.nbytes)
    share = np.cumsum(counts) / counts.sum()
    span = max(float(np.searchsorted(share, 0.99) - np.searchsorted(share, 0.01)), 1.0) / (_LEVELS - 1)
    wanted = min(max(span * RELIEF, surface.relief[0]), surface.relief[1])
    return RELIEF * min(max(wanted / (span * RELIEF), 1 / _MOST_STEEPER), _MOST_STEEPER)


def check_network(network: ImageNetwork, makes: tuple[MapKind, ...]) -> dict[MapKind, Source]:
    """Which channels of a network make which map. Raises `UserError` (kind `MODEL`) where it cannot make them."""
    takes, gives = network.channels
    sources, wanted = {}, 0
    for kind in makes:
        channels = 3 if kind is MapKind.NORMAL else 1
        sources[kind] = Source(network, wanted, channels)
        wanted += channels
    if network.scale != 1 or takes != 3 or gives < wanted:
        raise UserError(
            ErrorKind.MODEL,
            f"{network.file.name} is {network.scale}x from {takes} to {gives} channels; for "
            f"{' and '.join(makes)} one of 1x from 3 to {wanted} channels is needed.",
            "Choose another network.",
        )
    return sources


def _blocks(height: int, width: int, side: int = 0) -> int:
    return sum(1 for _ in blocks(height, width, side or _BLOCK))


def _gaussian(radius: float, halo: int) -> torch.Tensor:
    weights = torch.exp(-0.5 * (torch.arange(-halo, halo + 1, dtype=torch.float32) / radius) ** 2)
    return weights / weights.sum()


def _blurred(patch: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    halo = len(kernel) // 2
    rows = torch.nn.functional.conv2d(patch, kernel.view(1, 1, 1, -1), padding=(0, halo))
    return torch.nn.functional.conv2d(rows, kernel.view(1, 1, -1, 1), padding=(halo, 0))
