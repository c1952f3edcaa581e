# SPDX-License-Identifier: GPL-3.0-or-later
"""Large arrays in main memory, or in a file that is mapped above a limit. Imports core, numpy, the standard library.

What was written to a mapped canvas is handed to the system after each strip, so that resident memory stays that of a
strip, whatever the picture's size.
"""

import contextlib
import ctypes
import errno
import mmap
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..core.errors import ErrorKind, UserError
from ..core.results import PART, disk_errors

IN_MEMORY = 64 << 20  # bytes; larger canvases are files
_RELEASE_EVERY = 4 << 20  # bytes written or read before pages are given back
_SPARE = 256 << 20  # bytes that are left free on the disk, for the results themselves
AT_ONCE = 64  # rows that are read or written before pages are given back, where whole tiles are


def give_back(array: NDArray[Any]) -> None:
    """Give the pages of a mapped file back, so that they count no more as ours; of another array nothing."""
    mapping = getattr(array, "_mmap", None)
    # Windows has no madvise: there the system takes pages back by itself
    if mapping is not None and hasattr(mapping, "madvise"):
        mapping.madvise(mmap.MADV_DONTNEED)


def trim_heap() -> None:
    """Give freed memory back to the system.

    glibc keeps the tensors of a tile that are freed between others, and each tile adds to them: without this, enlarging
    8 times held 1.2 to 1.9 times what enlarging twice does (`upscale_memory_ratio`).
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    """glibc's; other systems and C libraries have none, and need none."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


class Canvas:
    """An array of a fixed shape; `array` is read and written like any other.

    touched: say how many bytes were read or written, so that a mapped canvas knows when to give memory back.
    """

    def __init__(self, array: NDArray[Any], mapped: bool) -> None:
        self.array = array
        self._mapped = mapped
        self._touched = 0

    def touched(self, count: int) -> None:
        """Note that `count` bytes of it were used; now and then their pages are given back to the system."""
        self._touched += count
        if self._mapped and self._touched >= _RELEASE_EVERY:
            self.release()

    def release(self) -> None:
        """Give the pages back; what was written is safe with the system."""
        self._touched = 0
        give_back(self.array)

    def write(self, rows: slice, columns: slice, values: NDArray[Any]) -> None:
        """Put a tile's values in; whole-number canvases take 0..1, rounded and clipped."""
        self.array[rows, columns] = to_dtype(values, self.array.dtype)
        self.touched(values.size * self.array.itemsize)


def _reserve(descriptor: int, size: int) -> None:
    """Have the disk set the space aside, where it can: of a sparse file, a write into the map of a full disk kills us.

    That is SIGBUS, which nobody can catch. Raises `OSError` where the space is not there.
    """
    if not hasattr(os, "posix_fallocate"):  # Windows has no sparse files unless asked for; macOS has no such call
        return
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # these are a file system that cannot
            raise


def to_dtype(values: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """Values in 0..1 as that type: whole numbers take their full range, rounded and clipped."""
    dtype = np.dtype(dtype)
    if values.dtype == dtype or not np.issubdtype(dtype, np.integer):
        return values.astype(dtype, copy=False)
    top = np.float32(np.iinfo(dtype).max)
    # in float32: 65535 fits exactly
    return np.clip(np.rint(values * top), 0, top).astype(dtype)


@contextmanager
def canvases(folder: Path, in_memory: int = IN_MEMORY) -> Iterator["Easel"]:
    """A maker of canvases whose files lie in a temporary folder inside `folder`, which goes with them at the end.

    It is named like a result that is not whole yet: where the worker is killed, the store's clean-up takes it.

    Raises `UserError` (kind `DISK`) where the folder cannot be written.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f"{PART}{os.getpid()}-", dir=folder))
    easel = Easel(scratch, in_memory)
    try:
        yield easel
    finally:
        easel.close()
        shutil.rmtree(scratch, ignore_errors=True)


class Easel:
    """Makes canvases; see `canvases`."""

    def __init__(self, folder: Path, in_memory: int) -> None:
        self._folder = folder
        self._in_memory = in_memory
        self._made: list[Canvas] = []

    def make(self, shape: tuple[int, ...], dtype: DTypeLike) -> Canvas:
        """A canvas, unfilled. Raises `UserError` (kind `DISK`) where its file would not fit on the disk."""
        size = int(np.prod([int(side) for side in shape])) * np.dtype(dtype).itemsize
        if size <= self._in_memory:
            return Canvas(np.empty(shape, dtype), mapped=False)
        self.check_space(size)
        with disk_errors(self._folder.parent):
            path = self._folder / f"{len(self._made)}.raw"
            with path.open("wb") as file:
                file.truncate(size)
                _reserve(file.fileno(), size)
            array = np.memmap(path, dtype=np.dtype(dtype), mode="r+", shape=shape)
        canvas = Canvas(array, mapped=True)
        self._made.append(canvas)
        return canvas

    def check_space(self, size: int) -> None:
        """Raise `UserError` (kind `DISK`) unless so many bytes fit, and some to spare."""
        with disk_errors(self._folder.parent):
            free = shutil.disk_usage(self._folder).free
        if size + _SPARE > free:
            raise UserError(
                ErrorKind.DISK,
                f"{self._folder.parent} has {free / 1e9:.1f} GB free; {(size + _SPARE) / 1e9:.1f} GB are needed.",
                "Free some space there, or choose another folder in the preferences.",
            )

    def drop(self, canvas: Canvas) -> None:
        """Let go of one before the end: its file's space is free again."""
        if canvas in self._made:
            mapping: Any = canvas.array
            path = Path(mapping.filename)
            canvas.array = np.empty(0)
            del mapping
            with contextlib.suppress(OSError):  # Windows: still mapped somewhere; the end of the block takes it
                path.unlink()

    def close(self) -> None:
        for canvas in self._made:
            canvas.array = np.empty(0)
        self._made.clear()
