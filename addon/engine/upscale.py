# SPDX-License-Identifier: GPL-3.0-or-later
"""Upscaling in bounded memory, periodic where the picture is, with the picture's own colors. Imports core, engine.

Passes of a network (or one of Lanczos) over canvases, then a correction that gives the low frequencies back: networks
drift in color, and each pass drifts again.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.color import to_linear
from ..core.errors import ErrorKind, UserError
from ..core.image_networks import LATE
from ..core.pbr import unit_normals
from ..core.requests.picture import Content
from ..core.requests.texture import Axes
from .canvas import AT_ONCE, Canvas, Easel, give_back, trim_heap
from .image_networks import ImageNetwork
from .low_frequencies import Smoothing, along, give_low_frequencies, smoothed
from .pictures import extent
from .resampling import LANCZOS_HALO, Lanczos
from .tiles import TileLimits, Tiler, blocks, gather

# How often the difference of colors is smoothed by 1 2 1. Once undid what the network had drawn at the finest periods
# of the source, 0.3 dB of it; sixteen times, over some six pixels, cost 0.06 dB of 0.96 (four times 0.15), and the
# colors are as near: mean dE00 0.44, 0.46 without any correction.
_SMOOTHINGS = 16
_BLOCK = 512  # pixels of the result that are corrected at once
# Pixels around what is visible that take its colors: the kernels of Lanczos and of the correction reach half as far,
# and what a network makes of pixels further away is little.
_FILLED = 16

Span = tuple[float, float]
UNIT: Span = (0.0, 1.0)

Check = Callable[[], None]
Step = Callable[[int, int], None]  # done, of how many


@dataclass(frozen=True)
class Means:
    """With what to upscale: a network or none (Lanczos), how tiles are limited, and the memory they may take.

    late: a network of the same scale for passes over what was enlarged `LATE` times already; None: the first one.
    """

    network: ImageNetwork | None
    limits: TileLimits
    free: int
    late: ImageNetwork | None = None

    def cancellable(self, check: Check) -> ExitStack:
        """Call `check` before each convolution of the networks."""
        stack = ExitStack()
        for network in (self.network, self.late):
            if network is not None:
                stack.enter_context(network.cancellable(check))
        return stack


def passes(scale: int, factor: int) -> list[tuple[int, int]]:
    """For a network of that scale, the passes that give `factor`: (enlarged by, and then shrunk by).

    Raises `UserError` (kind `MODEL`) for a network that cannot give it.
    """
    if scale < 2 or scale & (scale - 1):
        raise UserError(
            ErrorKind.MODEL,
            f"This network enlarges {scale} times; Tilewright needs 2, 4 or 8 times.",
            "Choose another upscaler.",
        )
    plan, reached = [], 1
    while reached < factor:
        excess = max(reached * scale // factor, 1)
        plan.append((scale, excess))
        reached = reached * scale // excess
    return plan


def check_upscaler(network: ImageNetwork, factor: int) -> list[tuple[int, int]]:
    """Its `passes`. Raises `UserError` (kind `MODEL`) for a network that cannot enlarge pictures so."""
    takes, gives = network.channels
    if takes != gives or takes not in (1, 3):
        raise UserError(
            ErrorKind.MODEL,
            f"{network.file.name} turns {takes} channels into {gives}; an upscaler for pictures is needed.",
            "Choose another upscaler.",
        )
    return passes(network.scale, factor)


def upscale(
    source: NDArray[Any],
    factor: int,
    means: Means,
    axes: Axes,
    content: Content,
    easel: Easel,
    *,
    check: Check = lambda: None,
    step: Step = lambda done, total: None,
) -> Canvas:
    """A picture (H, W, C) enlarged: a float32 canvas (H * factor, W * factor, C).

    source: whole numbers are read as shares of their greatest. C: 1 or 3, and one more for alpha, which is enlarged by
    Lanczos; the colors that it hides may change. content: colors keep the low frequencies of the source (in linear
    light), data is left as the network gives it, normals get unit length. Linear: premultiplied, as Blender's float
    pixels are, and as the result is; of it a network enlarges what is up to 1, Lanczos what is above.
    check: called very often, may raise. step: called for each tile.
    """
    height, width, channels = source.shape
    colors = 3 if channels >= 3 else 1
    span = _span(source[..., :colors], content)
    filled = None
    if channels > colors and _is_cut_out(source, content, span, check):
        filled = _fill_hidden(source, content, axes, easel, check)
        source = filled.array
    whole, base = source, None
    if content is Content.LINEAR and means.network is not None and span != UNIT:
        base, span = _below_white(source, easel, check), UNIT
        source = base.array
    tilers = _tilers(colors, span, factor, means, content)
    total, done = _count(tilers, height, width), 0

    def tile_done(_count: int) -> None:
        nonlocal done
        done += 1
        check()
        step(min(done, total), total)

    current: NDArray[Any] = source[..., :colors]
    last: Canvas | None = None
    for tiler in tilers:
        shape = (int(current.shape[0] * tiler.scale), int(current.shape[1] * tiler.scale))
        final = tiler is tilers[-1]
        canvas = easel.make((*shape, channels if final else colors), np.float32)
        with means.cancellable(check):
            tiler.run(current, _writer(canvas, colors), axes, tile_done)
        if last is not None:
            easel.drop(last)
        last, current = canvas, canvas.array
    assert last is not None
    if channels > colors:
        _alpha(source[..., colors:], last, factor, means, axes, check)
    if content in (Content.COLOR, Content.LINEAR):
        keep_colors(source[..., :colors], last, axes, content, easel, check)
    elif content is Content.NORMAL and colors == 3:
        _renormalise(last, check)
    if base is not None:
        _add_above_white(whole[..., :colors], last, factor, means, axes, check)
        easel.drop(base)
    if filled is not None:
        easel.drop(filled)
        if content is Content.LINEAR:
            _premultiply(last, check)
    last.release()
    return last


def _is_cut_out(source: NDArray[Any], content: Content, span: Span, check: Check) -> bool:
    """Whether something is hidden (alpha 0), and of one color all over.

    Various ones may be meant, as in textures that keep something else than opacity in this channel. In linear light,
    which is premultiplied, the one color is black, and none divided by alpha is above all that is there: what glows
    where it is transparent, as fire does, would.
    """
    if content not in (Content.COLOR, Content.LINEAR):
        return False
    first: NDArray[Any] | None = None
    for top in range(0, source.shape[0], AT_ONCE):
        check()
        strip = source[top : top + AT_ONCE]
        colors, alpha = strip[..., :-1], strip[..., -1:]
        hidden = colors[alpha[..., 0] <= 0]
        if len(hidden):
            first = hidden[0] if first is None else first
        various = first is not None and bool((hidden != first).any())
        # a hundredth for rounding
        glows = content is Content.LINEAR and bool((np.abs(colors) > 1.01 * span[1] * alpha).any())
        give_back(source)
        if various or glows:
            return False
    return first is not None


def _fill_hidden(source: NDArray[Any], content: Content, axes: Axes, easel: Easel, check: Check) -> Canvas:
    """A copy of a cut-out, not premultiplied, in which hidden pixels near visible ones have their colors.

    Otherwise what stands there, mostly black, bleeds into the edges; and premultiplied colors would not stay in step
    with alpha, which no network enlarges.
    """
    canvas = easel.make(source.shape, source.dtype)
    for block in blocks(source.shape[0], source.shape[1], _BLOCK):
        check()
        # Wide enough that a block comes out as the whole picture would: each turn looks a pixel further.
        patch = gather(source, block, _FILLED, axes)
        colors, alpha = patch[..., :-1], patch[..., -1:]
        known = alpha > 0
        if content is Content.LINEAR:
            colors /= np.where(known, alpha, 1)
        if known.any() and not known.all():
            patch[..., :-1] = _spread_colors(colors, known)
        canvas.write(*block.scaled(Fraction(1)), patch[_FILLED:-_FILLED, _FILLED:-_FILLED])
    return canvas


def _premultiply(canvas: Canvas, check: Check) -> None:
    for top in range(0, canvas.array.shape[0], AT_ONCE):
        check()
        strip = canvas.array[top : top + AT_ONCE]
        strip[..., :-1] *= strip[..., -1:]
        canvas.touched(strip.nbytes)


def _spread_colors(colors: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Each turn, pixels beside known ones take the mean of these; their own color where none is near."""
    weights = known.astype(np.float32)
    values = colors * weights
    for _ in range(_FILLED):
        sums, counts = _sum_of_nine(values), _sum_of_nine(weights)
        new = (weights == 0) & (counts > 0)
        if not new.any():
            break
        values = np.where(new, sums / np.maximum(counts, 1), values)
        weights = np.maximum(weights, new)
    return np.where(weights > 0, values, colors)


def _sum_of_nine(patch: NDArray[np.float32]) -> NDArray[np.float32]:
    padded = np.pad(patch, ((1, 1), (1, 1), (0, 0)))
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    total: NDArray[np.float32] = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    return total


def _below_white(source: NDArray[np.float32], easel: Easel, check: Check) -> Canvas:
    """A copy without what is above 1: a network knows no more, and one lamp at 1000 must not darken all else for it."""
    canvas = easel.make(source.shape, np.float32)
    for top in range(0, source.shape[0], AT_ONCE):
        check()
        strip = source[top : top + AT_ONCE]
        canvas.array[top : top + len(strip)] = np.minimum(strip, 1)
        canvas.touched(strip.nbytes)
        give_back(source)
    return canvas


def _add_above_white(
    source: NDArray[np.float32], canvas: Canvas, factor: int, means: Means, axes: Axes, check: Check
) -> None:
    """What `_below_white` left out, by Lanczos between the least and the greatest of the nearest pixels.

    Without these bounds it swings, and a lamp at 1000 would have dark and bright rings, far above all that is there.
    """
    lanczos = Lanczos(factor)
    enlarged = torch.nn.Upsample(scale_factor=factor)

    def above(picture: torch.Tensor) -> torch.Tensor:
        excess = (picture - 1).clamp(min=0)
        least = -torch.nn.functional.max_pool2d(-excess, 3, 1, 1)
        greatest = torch.nn.functional.max_pool2d(excess, 3, 1, 1)
        return lanczos(excess).clamp(enlarged(least), enlarged(greatest))

    def write(rows: slice, columns: slice, values: NDArray[np.float32]) -> None:
        canvas.array[rows, columns, : values.shape[2]] += values
        canvas.touched(2 * values.nbytes)

    tiler = Tiler(above, Fraction(factor), LANCZOS_HALO, tile=2 * _BLOCK // factor, limits=means.limits)
    tiler.run(source, write, axes, lambda count: check())


def _writer(canvas: Canvas, colors: int) -> Callable[[slice, slice, NDArray[np.float32]], None]:
    def write(rows: slice, columns: slice, values: NDArray[np.float32]) -> None:
        for top in range(0, len(values), AT_ONCE):
            part = values[top : top + AT_ONCE]
            first = rows.start + top
            canvas.array[first : first + len(part), columns, :colors] = part
            canvas.release()

    return write


def _tilers(colors: int, span: Span, factor: int, means: Means, content: Content) -> list[Tiler]:
    if means.network is None:
        tiler = Tiler(Lanczos(factor), Fraction(factor), LANCZOS_HALO, tile=2 * _BLOCK // factor, limits=means.limits)
        return [replace(tiler, network=_in_range(tiler.network, span, content))]
    tilers, reached = [], Fraction(1)
    for scale, excess in check_upscaler(means.network, factor):
        network = means.late if means.late is not None and reached >= LATE else means.network
        tiler = network.tiler(means.limits, means.free)
        if network.channels[0] < colors:  # Lanczos sees a few pixels as well
            tiler = replace(tiler, halo=max(tiler.halo, LANCZOS_HALO))
        adapted = _adapted(network, colors, span, content, excess)
        tilers.append(replace(tiler, network=adapted, scale=Fraction(scale, excess)))
        reached *= tilers[-1].scale
    return tilers


def _count(tilers: list[Tiler], height: int, width: int) -> int:
    total, scale = 0, Fraction(1)
    for tiler in tilers:
        total += tiler.count(int(height * scale), int(width * scale))
        scale *= tiler.scale
    return total


def _in_range(network: Any, span: Span, content: Content) -> Any:
    """Lanczos overshoots at edges; where the greatest value means something, it is kept."""
    if content is Content.LINEAR:
        return lambda picture: network(picture).clamp(min=0)
    return lambda picture: network(picture).clamp(*span)


def _adapted(network: ImageNetwork, colors: int, span: Span, content: Content, excess: int) -> Any:
    """The network, which knows 0 to 1, for pictures of so many channels and that span, shrunk afterwards."""
    low, high = span
    takes, _gives = network.channels

    def run(picture: torch.Tensor) -> torch.Tensor:
        if span != UNIT:
            picture = ((picture.float() - low) / (high - low)).to(picture.dtype)
        if content is Content.LINEAR:
            picture = _encode(picture.float()).to(picture.dtype)
        if takes == colors:
            result = network.module(picture)
        elif takes == 3:  # a grey picture
            result = network.module(picture.expand(-1, 3, -1, -1)).mean(1, keepdim=True)
        elif content in (Content.COLOR, Content.LINEAR):
            result = _by_mean(network.module, picture, network.scale)
        else:  # data: one channel after another, in the memory of one
            result = _by_channel(network.module, picture)
        if excess > 1:
            result = torch.nn.functional.avg_pool2d(result, excess)
        if content is Content.LINEAR:
            result = _decode(result.float())
        return result if span == UNIT else result.float() * (high - low) + low

    return run


def _by_mean(module: Any, picture: torch.Tensor, scale: int) -> torch.Tensor:
    """Colors (1, 3, H, W) by a one-channel network: Lanczos, and what the network adds to the mean of the channels.

    Detail of materials is nearly grey: with that of the true mean, real textures come 3 to 28 dB (19 in the mean) above
    Lanczos. All that is added is a projection on grey, which can't come out worse than Lanczos where the mean is right;
    with luminance in its place a green picture would.
    """
    grey = picture.mean(1, keepdim=True)
    made = module(grey)  # first, while nothing else is held
    plain = Lanczos(scale).to(picture.device)(picture)
    return (plain + (made - plain.mean(1, keepdim=True))).clamp(0, 1)


def _by_channel(module: Any, picture: torch.Tensor) -> torch.Tensor:
    """A one-channel network's result of each channel of (1, C, H, W)."""
    result: torch.Tensor | None = None
    for index in range(picture.shape[1]):
        made = module(picture[:, index : index + 1].contiguous())
        if result is None:
            result = made.new_empty((1, picture.shape[1], *made.shape[2:]))
        result[:, index] = made[:, 0]
        del made
        if picture.device.type == "cpu":
            trim_heap()  # else each channel finds holes of the last one's, and takes new memory
    assert result is not None
    return result


def _encode(linear: torch.Tensor) -> torch.Tensor:
    linear = linear.clamp(0, 1)
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def _decode(encoded: torch.Tensor) -> torch.Tensor:
    return torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)


def _span(source: NDArray[Any], content: Content) -> Span:
    """Between which values the picture lies: 0 to 1, more where light or float data go beyond.

    Raises `UserError` (kind `NUMERICS`) where a value is not finite.
    """
    if source.dtype != np.float32 or content not in (Content.LINEAR, Content.DATA):
        return UNIT
    low, high = extent(source)
    return 0.0 if content is Content.LINEAR else min(low, 0.0), max(high, 1.0)


def _alpha(alpha: NDArray[Any], canvas: Canvas, factor: int, means: Means, axes: Axes, check: Check) -> None:
    tiler = Tiler(Lanczos(factor), Fraction(factor), LANCZOS_HALO, tile=2 * _BLOCK // factor, limits=means.limits)

    def write(rows: slice, columns: slice, values: NDArray[np.float32]) -> None:
        canvas.array[rows, columns, -1:] = values.clip(0, 1)
        canvas.touched(canvas.array.itemsize * canvas.array.shape[-1] * values.size)

    tiler.run(alpha, write, axes, lambda count: check())


def keep_colors(
    source: NDArray[Any],
    canvas: Canvas,
    axes: Axes,
    content: Content,
    easel: Easel,
    check: Check = lambda: None,
) -> None:
    """Give an enlarged picture the low frequencies of its source, in linear light, in place. Its sides are multiples.

    The correction is worth two rounds, for one leaves about a fifth of the difference at the frequencies that are
    smoothed. What that is needs no second look at the large picture: all in between is linear but for the clipping.
    """
    kernel = Lanczos(canvas.array.shape[0] // source.shape[0]).weights.mean(0).numpy()  # enlarged, and shrunk again

    def smooth(patch: NDArray[np.float32]) -> NDArray[np.float32]:
        first, rim = smoothed(patch, _SMOOTHINGS), _SMOOTHINGS + LANCZOS_HALO
        left = patch[rim:-rim, rim:-rim] - along(kernel, along(kernel, first).swapaxes(0, 1)).swapaxes(0, 1)
        return first[rim:-rim, rim:-rim] + smoothed(left, _SMOOTHINGS)

    smoothing = Smoothing(smooth, 2 * _SMOOTHINGS + LANCZOS_HALO)
    if content is Content.COLOR:
        give_low_frequencies(source, canvas, axes, easel, check, smoothing, read=to_linear, write=_encoded)
    else:
        give_low_frequencies(source, canvas, axes, easel, check, smoothing, write=lambda values: np.maximum(values, 0))


def _encoded(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    # as `core.color.to_encoded`, in a third of numpy's time
    encoded: NDArray[np.float32] = _encode(torch.from_numpy(linear)).numpy()
    return encoded


def _renormalise(canvas: Canvas, check: Check) -> None:
    """Encoded normals (0..1) at unit length."""
    for top in range(0, canvas.array.shape[0], 64):
        check()
        strip = canvas.array[top : top + 64]
        strip[..., :3] = unit_normals(strip[..., :3])
        canvas.touched(strip.nbytes)
