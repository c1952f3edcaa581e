# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives a large picture the low frequencies of a small one, block by block. Imports engine, numpy."""

import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.requests.texture import Axes
from .canvas import Canvas, Easel
from .resampling import lanczos_taps, mean_taps, resample
from .tiles import Block, blocks, gather

# Pixels that a thread corrects at once: of the large picture in flat blocks, since the system reads a mapped file in
# runs as long as several rows, of which it would keep the most; of the small one in squares.
_ROWS, _COLUMNS, _SQUARE = 128, 1024, 256
_THREADS = min(os.cpu_count() or 1, 4)  # each holds a block

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Smoothing:
    """What keeps the pixels' grid out of a difference; `smooth` takes a patch with a rim of `halo`, and loses it."""

    smooth: Callable[[Floats], Floats]
    halo: int


def along(kernel: Floats, patch: Floats) -> Floats:
    """The first axis weighed by a kernel; loses its rim."""
    count = len(patch) - len(kernel) + 1
    total = kernel[0] * patch[:count]
    for place, weight in enumerate(kernel[1:], 1):
        total += weight * patch[place : place + count]
    return total


def smoothed(patch: Floats, times: int) -> Floats:
    """By 1 2 1 on both axes; loses a pixel on each side each time."""
    for _ in range(times):
        patch = (patch[:-2] + 2 * patch[1:-1] + patch[2:]) / 4
        patch = (patch[:, :-2] + 2 * patch[:, 1:-1] + patch[:, 2:]) / 4
    return np.ascontiguousarray(patch)


ONCE = Smoothing(lambda patch: smoothed(patch, 1), 1)


def give_low_frequencies(
    small: NDArray[Any],
    canvas: Canvas,
    axes: Axes,
    easel: Easel,
    check: Callable[[], None] = lambda: None,
    smoothing: Smoothing = ONCE,
    *,
    read: Callable[[Floats], Floats] = lambda values: values,
    write: Callable[[Floats], Floats] = lambda values: values.clip(0, 1),
) -> None:
    """Correct the first channels of a canvas (H, W, C) so that shrunk it is like `small` (h, w, c).

    The difference at the small size, smoothed so that noise and the pixels' grid stay out of it, is enlarged and added.
    The sides need be no multiples. read, write: from and to the values in which means are taken.
    """
    height, width, colors = small.shape
    down, across = canvas.array.shape[:2]
    difference = easel.make((height, width, colors), np.float32)
    smooth = easel.make((height, width, colors), np.float32)

    def compare(block: Block) -> None:
        rows, columns = block.scaled(Fraction(1))
        rows_of, columns_of = mean_taps(rows, height, down), mean_taps(columns, width, across)
        large = canvas.array[rows_of.start : rows_of.stop, columns_of.start : columns_of.stop, :colors]
        wanted = read(gather(small, block, 0, axes))
        difference.array[rows, columns] = wanted - resample(read(large), rows_of, columns_of)
        canvas.touched(large.nbytes)

    def keep(block: Block) -> None:
        patch = smoothing.smooth(gather(difference.array, block, smoothing.halo, axes))
        smooth.write(*block.scaled(Fraction(1)), patch)

    def add(block: Block) -> None:
        rows, columns = block.scaled(Fraction(1))
        rows_of, columns_of = lanczos_taps(rows, height, down), lanczos_taps(columns, width, across)
        around = Block(rows_of.start, rows_of.stop, columns_of.start, columns_of.stop)
        added = resample(gather(smooth.array, around, 0, axes), rows_of, columns_of)
        canvas.array[rows, columns, :colors] = write(read(canvas.array[rows, columns, :colors]) + added)
        canvas.touched(2 * added.nbytes)

    flat = blocks(height, width, max(_ROWS * height // down, 16), max(_COLUMNS * width // across, 16))
    _in_threads(compare, flat, check)
    _in_threads(keep, blocks(height, width, _SQUARE), check)
    easel.drop(difference)
    _in_threads(add, blocks(down, across, _ROWS, _COLUMNS), check)
    easel.drop(smooth)


def _in_threads(work: Callable[[Block], None], parts: Iterable[Block], check: Callable[[], None]) -> None:
    """Each block once; numpy lets other threads go on meanwhile."""
    running: deque[Future[None]] = deque()
    with ThreadPoolExecutor(_THREADS, "colors") as pool:
        for part in parts:
            check()
            running.append(pool.submit(work, part))
            if len(running) > _THREADS:
                running.popleft().result()
        for last in running:
            last.result()
