# SPDX-License-Identifier: GPL-3.0-or-later
"""From pixels to the files of a result: tileable, upscaled, with maps. Imports core, engine, numpy and torch.

The one way by which generated and foreign pictures are finished; `generate` and `picture_job` call it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import albedo, image_networks, recipe, results, seams
from ..core.color import to_encoded, to_linear
from ..core.errors import ErrorKind, UserError
from ..core.pbr import unit_normals
from ..core.protocol import Phase, Start
from ..core.recipe import Recipe
from ..core.requests.finish import Finish, MapKind
from ..core.requests.picture import Content
from ..core.requests.texture import Axes
from ..core.results import Draft
from ..core.surface_kinds import Surface
from ..core.tileable import make_tileable
from ..core.variants import ONE_TILE, Sheet
from . import pictures
from .canvas import Canvas, Easel, canvases, to_dtype
from .delight import delight
from .devices import Device, is_out_of_memory, ready
from .files import Files, write_color
from .fitting import fit_canvas, fit_pixels
from .image_networks import ImageNetwork, NetworkCache, pickle_warning
from .maps import LUMA, Map, Source, check_network, make_maps, relief_of
from .template import Ground
from .tiles import NotFinite
from .upscale import Means, check_upscaler, upscale
from .watcher import Watcher

log = logging.getLogger(__name__)

_LEAST_MEASURED = 64  # pixels; seams of smaller pictures are not measured
_MAX_TILEABLE = 36 << 20  # pixels; made tileable in main memory, some 60 bytes for each
# 16 bits where steps of 8 would be seen: in slopes and displacement
_MAP_DTYPES: dict[MapKind, Any] = {MapKind.HEIGHT: np.uint16, MapKind.NORMAL: np.uint16}


@dataclass(frozen=True)
class FinishTask:
    """One picture to finish. pixels (H, W, C): uint8, uint16 or float32. image: its number in the job.

    sheet: how the tiles lie on it. ground: what it was made on, whose maps it has where they are known.
    """

    pixels: NDArray[Any]
    finish: Finish
    axes: Axes
    content: Content = Content.COLOR
    tileable: bool = False
    image: int = 0
    sheet: Sheet = ONE_TILE
    ground: Ground | None = None


@dataclass(frozen=True)
class _Networks:
    """What a picture goes through. upscaler: None for Lanczos. late: see `Means`. used: what a recipe says of them."""

    upscaler: ImageNetwork | None
    late: ImageNetwork | None
    sources: dict[MapKind, Source]
    used: dict[str, str]


def check_networks(finish: Finish, cache: NetworkCache, device: str, watch: Watcher) -> None:
    """Load the networks that `write_files` will use, so that an unusable one is reported before a picture is made.

    device: see `protocol.Start`. Raises `UserError`, or what `watch` raises.
    """
    try:
        _load(finish, cache, ready(device), watch, lambda text: None)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        # No fault of the networks: a model of an earlier job may be in the way, and be freed before they are used.
        log.warning("out of memory while the networks were checked", exc_info=True)


def height(
    pixels: NDArray[np.uint8], finish: Finish, axes: Axes, cache: NetworkCache, start: Start, watch: Watcher
) -> NDArray[np.float32]:
    """The height (H, W), 0 to 1, of a color (H, W, 3), as the finish has it made. Raises `UserError`, or what `watch`
    raises."""
    wanted = Finish(maps=(MapKind.HEIGHT,), map_networks=finish.map_networks)
    found = ready(start.device)
    networks = _load(wanted, cache, found, watch, watch.note)
    with canvases(Path(start.store)) as easel:
        maps = make_maps(
            pixels,
            wanted.maps,
            networks.sources,
            axes,
            Content.COLOR,
            easel,
            cache.limits,
            found.left,
            invert=finish.invert_relief,
            check=watch.check,
        )
        return maps[MapKind.HEIGHT].array[..., 0].copy()


def at_half(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A color (H, W, 3) of even sides at half of them: the mean of each 2x2 pixels, in linear light."""
    height, width, channels = pixels.shape
    fours = to_linear(pixels / np.float32(255)).reshape(height // 2, 2, width // 2, 2, channels)
    shrunk: NDArray[np.uint8] = (to_encoded(fours.mean((1, 3))) * 255).round().astype(np.uint8)
    return shrunk


def at_double(
    pixels: NDArray[np.uint8], image: int, cache: NetworkCache, start: Start, watch: Watcher
) -> tuple[NDArray[np.uint8], dict[str, str]]:
    """A color (H, W, 3) that repeats both ways at twice its sides, by the starter's upscaler; what a recipe says of it.

    Raises `UserError`, or what `watch` raises.
    """
    task = FinishTask(pixels, Finish(upscale=2), Axes.XY, image=image)
    found = ready(start.device)
    networks = _load(task.finish, cache, found, watch, watch.note, torch.float32)
    means = Means(networks.upscaler, cache.limits, found.left, networks.late)
    with canvases(Path(start.store)) as easel:
        return _color(task, means, easel, watch, watch.note).array.copy(), networks.used


def write_files(
    draft: Draft,
    task: FinishTask,
    made_from: Recipe,
    cache: NetworkCache,
    device: str,
    watch: Watcher,
    note: Callable[[str], None],
) -> Files:
    """Finish a picture and write all of its files into the draft's folder.

    made_from: what is known of the recipe; the networks are added to its environment, and it stands in every PNG.
    device: see `protocol.Start`.
    Not-a-number from a network at 16 bits is tried once more in float32. Raises `UserError`, or what `watch` raises.
    """
    task.finish.check_size(task.pixels.shape[1], task.pixels.shape[0])
    found = ready(device)
    for dtype in dict.fromkeys((_precision(task), torch.float32)):  # once where that is the usual one
        try:
            return _write_files(draft, task, made_from, cache, found, watch, note, dtype)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise UserError(
                ErrorKind.MEMORY,
                "Out of memory, even with the smallest tiles.",
                "Choose a smaller factor or a smaller network, or close other programs.",
            ) from error
        except NotFinite:
            log.warning("a network gave numbers that are not finite", exc_info=True)
            if dtype is None:
                note("A network gave invalid numbers; trying once more in float32.")
    raise UserError(ErrorKind.NUMERICS, "The network gave invalid numbers, even in float32.", "Choose another one.")


def _precision(task: FinishTask) -> torch.dtype | None:
    """For the upscaler: None, which is what suits the device, only where its 11 bits cannot be seen.

    In 16-bit pixels they are terraces; and heights and normals show them in shading whatever their depth.
    """
    return None if task.pixels.dtype == np.uint8 and task.content is Content.COLOR else torch.float32


def _load(
    finish: Finish,
    cache: NetworkCache,
    device: Device,
    watch: Watcher,
    note: Callable[[str], None],
    dtype: torch.dtype | None = None,
) -> _Networks:
    """The networks, which can do what they are to do. Raises `UserError` (kind `MODEL`), or what `watch` raises."""
    used: dict[str, str] = {}

    def load(file: Path, dtype: torch.dtype | None = dtype) -> ImageNetwork:
        watch.check()
        if warning := pickle_warning(file):
            note(warning)
        network = cache.get(file, device, dtype)
        precision = str(network.dtype).removeprefix("torch.")
        used[recipe.NETWORK + network.file.name] = f"{network.fingerprint}, {precision}, {network.periodic}"
        if not network.exact:
            halo, error = network.reach.halo, 100 * network.reach.error
            note(f"{network.file.name} sees further than {halo} pixels; tiles may be off by {error:.2g} %.")
        return network

    upscaler = late = None
    if finish.upscale > 1:
        file = image_networks.upscaler_file(finish.upscaler)
        upscaler = load(file) if file is not None else None
        file = image_networks.late_upscaler_file(finish.upscaler, finish.upscale)
        late = load(file) if file is not None else None
    if upscaler is not None:
        check_upscaler(upscaler, finish.upscale)
    sources: dict[MapKind, Source] = {}
    if finish.maps or finish.delight:
        found = image_networks.map_networks(finish.map_networks)
        needed = set(finish.maps) | ({MapKind.NORMAL} if finish.delight else set())
        of_height = {MapKind.OCCLUSION, MapKind.NORMAL} - {kind for network in found for kind in network.makes}
        if needed & of_height:
            needed.add(MapKind.HEIGHT)
        for network in found:
            if needed & set(network.makes):
                # 16 bits on a graphics card would be 11 of a height's 16, and terraces in its slopes.
                sources |= check_network(load(network.file, torch.float32), network.makes)
    return _Networks(upscaler, late, sources, used)


def _write_files(
    draft: Draft,
    task: FinishTask,
    made_from: Recipe,
    cache: NetworkCache,
    device: Device,
    watch: Watcher,
    note: Callable[[str], None],
    dtype: torch.dtype | None,
) -> Files:
    # Everything is loaded first: errors in files come before the work.
    networks = _load(task.finish, cache, device, watch, note, dtype)
    upscaler = networks.upscaler
    made = made_from.noting(networks.used)
    if upscaler is not None and not upscaler.exact:
        made = made.noting({recipe.PERIODIC: upscaler.periodic})
    free = device.left
    with canvases(draft.folder) as easel, results.disk_errors(draft.root):
        if task.finish.delight:
            task = replace(task, pixels=_delit(task, networks.sources, cache, free, easel, watch))
            fit_pixels(task.pixels, task.sheet)
        color = _color(task, Means(upscaler, cache.limits, free, networks.late), easel, watch, note)
        visible = _visible(color, task, easel)
        score = None
        if min(visible.array.shape[:2]) >= _LEAST_MEASURED:
            score, words = seams.judge(visible.array, task.axes, made.is_exact)
            made = made.noting(words)
        surface = made.surface if task.finish.maps else None
        if surface is not None:
            made = made.noting({recipe.SURFACE: str(surface)})
        if task.finish.maps and (problem := _albedo_problem(visible, surface)):
            note(problem)
            made = made.noting({recipe.ALBEDO: problem})
        maps: dict[MapKind, Map] = {}
        if task.finish.maps:
            maps = _maps(color, task, networks.sources, surface, cache, free, easel, watch)
        if surface is not None and MapKind.HEIGHT in maps:
            made = made.noting({recipe.RELIEF: f"{relief_of(maps[MapKind.HEIGHT], surface):.6g}"})
        text = {recipe.PNG_KEY: made.dumps()}
        files = write_color(draft, color.array, visible.array, made, color, watch.check)
        visible.release()
        for number, (kind, made_map) in enumerate(maps.items()):
            # Each file is a sign of life: five of 16384 pixels take minutes.
            watch.progress(Phase.SAVING, task.image, number, len(maps))
            files[kind.value] = f"{kind.value}.png"
            path = draft.folder / files[kind.value]
            depth = _MAP_DTYPES.get(kind, np.uint8)
            pictures.write(path, made_map.array, depth, text, made_map.canvas, watch.check)
    watch.progress(Phase.SAVING, task.image)
    return Files(files, made, score)


def _delit(
    task: FinishTask,
    sources: dict[MapKind, Source],
    cache: NetworkCache,
    free: int,
    easel: Easel,
    watch: Watcher,
) -> NDArray[Any]:
    """The picture without its shading. Before it is made tileable: until then light may fall off across it."""
    watch.progress(Phase.MAPPING, task.image)

    def step(done: int, total: int) -> None:
        watch.progress(Phase.MAPPING, task.image, done, total)

    axes = Axes.NONE if task.tileable else task.axes
    canvas = delight(task.pixels, sources, axes, task.content, easel, cache.limits, free, check=watch.check, step=step)
    return canvas.array


def _color(task: FinishTask, means: Means, easel: Easel, watch: Watcher, note: Callable[[str], None]) -> Canvas:
    """The finished picture, in the type of its file."""
    pixels = task.pixels
    dtype = pixels.dtype
    if task.tileable:
        watch.progress(Phase.TILING, task.image)
        pixels = _tileable(task, watch, note)
    if task.finish.upscale == 1:
        canvas = easel.make(pixels.shape, dtype)
        _copy(pixels, canvas, watch)
        return canvas
    watch.progress(Phase.UPSCALING, task.image)

    def step(done: int, total: int) -> None:
        watch.progress(Phase.UPSCALING, task.image, done, total)

    large = upscale(pixels, task.finish.upscale, means, task.axes, task.content, easel, check=watch.check, step=step)
    is_normal = task.content is Content.NORMAL
    fit_canvas(large, slice(3) if is_normal else slice(None), task.sheet, normals=is_normal)
    if dtype == np.float32:
        return large
    canvas = easel.make(large.array.shape, dtype)
    _copy(large.array, canvas, watch, large)
    easel.drop(large)
    return canvas


def _copy(array: NDArray[Any], canvas: Canvas, watch: Watcher, source: Canvas | None = None) -> None:
    for top in range(0, array.shape[0], 64):
        watch.check()
        strip = array[top : top + 64]
        canvas.write(slice(top, top + len(strip)), slice(0, array.shape[1]), strip)
        if source is not None:
            source.touched(strip.nbytes)


def _tileable(task: FinishTask, watch: Watcher, note: Callable[[str], None]) -> NDArray[np.float32]:
    height, width = task.pixels.shape[:2]
    if height * width > _MAX_TILEABLE:
        raise UserError(
            ErrorKind.REQUEST,
            f"{width}x{height} pixels are too many to make tileable; the limit is {_MAX_TILEABLE >> 20} million.",
            "Shrink the picture first.",
        )
    pixels = task.pixels
    share = np.float32(np.iinfo(pixels.dtype).max if np.issubdtype(pixels.dtype, np.integer) else 1)
    before = _score(_to_visible(pixels, task.content), task.axes)
    result = make_tileable(pixels.astype(np.float32) / share, task.axes, watch.check)
    if task.content is Content.NORMAL and result.shape[2] >= 3:
        result[..., :3] = unit_normals(result[..., :3])
    if before is not None:
        after = _score(_to_visible(to_dtype(result, pixels.dtype), task.content), task.axes)
        note(f"Seam score {before:.2f} before, {after:.2f} after it was made tileable.")
    return result


def _maps(
    color: Canvas,
    task: FinishTask,
    sources: dict[MapKind, Source],
    surface: Surface | None,
    cache: NetworkCache,
    free: int,
    easel: Easel,
    watch: Watcher,
) -> dict[MapKind, Map]:
    watch.progress(Phase.MAPPING, task.image)

    def step(done: int, total: int) -> None:
        watch.progress(Phase.MAPPING, task.image, done, total)

    made = make_maps(
        color.array,
        task.finish.maps,
        sources,
        task.axes,
        task.content,
        easel,
        cache.limits,
        free,
        surface=surface,
        invert=task.finish.invert_relief,
        sheet=task.sheet,
        check=watch.check,
        step=step,
    )
    for kind, one in made.items():
        if task.ground is not None:
            task.ground.lay_map(kind, one.array)
        fit_canvas(one.canvas, one.channels, task.sheet, normals=kind is MapKind.NORMAL)
        if task.ground is not None:
            task.ground.lay_map(kind, one.array, outside=True)  # giving length one has moved the last bit
            one.canvas.release()
    return made


def _albedo_problem(visible: Canvas, surface: Surface | None) -> str:
    """What is amiss of the colors, "" if nothing. visible: 8-bit RGB."""
    counts = np.zeros(albedo.LEVELS, np.int64)
    for top in range(0, visible.array.shape[0], 64):
        strip = visible.array[top : top + 64]
        counts += albedo.count(strip.astype(np.float32) @ LUMA / 255)
        visible.touched(strip.nbytes)
    return albedo.complaint(counts, surface is not None and surface.metallic == 1.0)


def _visible(color: Canvas, task: FinishTask, easel: Easel) -> Canvas:
    """The picture as it is looked at: 8-bit RGB. The canvas itself where it is that already."""
    if color.array.dtype == np.uint8 and color.array.shape[2] == 3:
        return color
    canvas = easel.make((*color.array.shape[:2], 3), np.uint8)
    for top in range(0, color.array.shape[0], 64):
        strip = color.array[top : top + 64]
        canvas.array[top : top + 64] = _to_visible(strip, task.content)
        canvas.touched(strip.nbytes)
        color.touched(strip.nbytes)
    return canvas


def _to_visible(pixels: NDArray[Any], content: Content) -> NDArray[np.uint8]:
    colors = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, -1)
    if colors.dtype == np.uint8:
        return np.ascontiguousarray(colors)
    if colors.dtype == np.uint16:
        return (colors >> 8).astype(np.uint8)
    if content is Content.LINEAR:
        colors = to_encoded(colors)
    visible: NDArray[np.uint8] = to_dtype(colors.astype(np.float32), np.uint8)
    return visible


def _score(visible: NDArray[np.uint8], axes: Axes) -> float | None:
    if min(visible.shape[:2]) < _LEAST_MEASURED:
        return None
    return seams.measure(visible, axes).value
