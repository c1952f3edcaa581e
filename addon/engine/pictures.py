# SPDX-License-Identifier: GPL-3.0-or-later
"""Picture files in and out: every depth and kind of pixel. Imports core, numpy, pillow and torchvision.

Reading gives arrays (H, W, C) in the file's own type: uint8, uint16 or float32; C is 1 (grey), 2 (with alpha), 3 or 4.
"""

import hashlib
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile
from torchvision.io import ImageReadMode, decode_png

from ..core.errors import ErrorKind, UserError
from ..core.exr import ExrWriter
from ..core.png import PngWriter
from ..core.recipe import read_png
from ..core.requests.finish import MAX_RESULT_SIDE
from ..core.requests.texture import Axes
from .canvas import Canvas, to_dtype

_MODES = {"1": "L", "L": "L", "LA": "LA", "La": "LA", "RGB": "RGB", "RGBA": "RGBA", "RGBa": "RGBA"}
_DEEP_GREY = ("I;16", "I;16B", "I;16L", "I")
_BITS_PER_SAMPLE = 258  # of the TIFF's tags; of more than 8 Pillow reads grey only, and drops the rest of colors
_ORIENTATION = 274  # of EXIF's and TIFF's tags; what its values 2 to 8 ask for, and the reverse
_TURNED: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}
_TURNED_BACK = _TURNED | {6: _TURNED[8], 8: _TURNED[6]}
_STRIP = 64  # rows that are written at once

# Pillow's guard against pictures that fill the memory refuses in its own words; ours is the side, which is looked at
# before anything is decoded.
Image.MAX_IMAGE_PIXELS = None


def read(path: Path) -> NDArray[Any]:
    """The pixels of a file. Raises `UserError` (kind `REQUEST`) where it is missing, broken, too large or of no use."""
    try:
        with path.open("rb") as file:
            head = file.read(33)
        if path.suffix.lower() == ".npy":
            return _read_array(path)
        if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) >= 33 and head[24] == 16:
            return _read_deep_png(path, head)
        return _read_with_pillow(path)
    except OSError as error:
        if isinstance(error, UnidentifiedImageError):
            raise _bad(f"{path.name} is not a picture we can read.", "Use PNG, JPEG, WebP or TIFF.") from error
        reason = error.strerror or "it is broken or cut short"
        raise _bad(f"{path} cannot be read: {reason}.") from error
    except (ValueError, SyntaxError, RuntimeError, EOFError, struct.error) as error:
        raise _bad(f"{path} cannot be read: it is broken or cut short.") from error


def extent(array: NDArray[Any]) -> tuple[float, float]:
    """The least and the greatest value. Raises `UserError` (kind `NUMERICS`) where there is one that is not finite."""
    low, high = float("inf"), float("-inf")
    for top in range(0, array.shape[0], _STRIP):
        strip = array[top : top + _STRIP]
        low, high = min(low, float(strip.min())), max(high, float(strip.max()))
        if not np.isfinite([strip.min(), strip.max()]).all():
            raise UserError(ErrorKind.NUMERICS, "The picture holds values that are not finite.", "Repair it first.")
    return low, high


def fingerprint(path: Path) -> str:
    """The hash of a file's bytes, 16 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def repeats_exactly(path: Path, axes: Axes) -> bool:
    """Whether a picture is periodic by construction, on these axes: by the recipe in its own file, if it has any."""
    try:
        made = read_png(path)
    except (UserError, OSError):  # no PNG, mostly
        return False
    if made is None or not made.is_exact:
        return False
    kept = made.request.axes
    return kept.x >= axes.x and kept.y >= axes.y


def _read_array(path: Path) -> NDArray[Any]:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4) or array.dtype not in (np.uint8, np.uint16, np.float32):
        raise _bad(f"{path.name} holds no picture, but an array {array.shape} of {array.dtype}.")
    _check_side(path, array.shape[1], array.shape[0])
    return array


def _read_deep_png(path: Path, head: bytes) -> NDArray[np.uint16]:
    width, height = struct.unpack(">II", head[16:24])
    _check_side(path, width, height)
    content = path.read_bytes()
    data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    pixels: NDArray[np.uint16] = decode_png(data, mode=ImageReadMode.UNCHANGED).permute(1, 2, 0).contiguous().numpy()
    return _with_transparent_color(pixels, content)


def _with_transparent_color(pixels: NDArray[np.uint16], content: bytes) -> NDArray[np.uint16]:
    """With alpha where a chunk tRNS names one color that is transparent, which torchvision passes over."""
    chunk, channels = content.find(b"tRNS", 33, content.find(b"IDAT")), pixels.shape[2]
    if chunk < 0 or channels not in (1, 3):
        return pixels
    clear = struct.unpack(f">{channels}H", content[chunk + 4 : chunk + 4 + 2 * channels])
    alpha = np.where((pixels == np.array(clear, np.uint16)).all(-1, keepdims=True), 0, 65535).astype(np.uint16)
    return np.concatenate((pixels, alpha), -1)


def _read_with_pillow(path: Path) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about odd metadata; what cannot be read raises
        # By its path, Pillow 13.0 scrambles a TIFF that is to lie on its side and is not compressed (grey or RGBA).
        with path.open("rb") as file, Image.open(file) as image:
            _check_side(path, image.width, image.height)
            restore = _as_blender_sees_it(image)
            if image.mode in _DEEP_GREY:
                grey = np.asarray(image).astype(np.int64)
                return restore(grey.clip(0, 65535).astype(np.uint16)[..., None])
            if image.mode == "F":
                return restore(np.asarray(image, np.float32)[..., None])
            bits = image.tag_v2.get(_BITS_PER_SAMPLE, (8,)) if isinstance(image, TiffImageFile) else (8,)
            if max(bits) > 8:
                raise _bad(f"{path.name} has {max(bits)} bits a channel.", "Save it as a PNG of 16 bits.")
            has_alpha = image.mode == "PA" or "transparency" in image.info
            mode = _MODES.get(image.mode, "RGBA" if has_alpha else "RGB")
            if has_alpha and mode in ("L", "RGB"):
                mode = "LA" if mode == "L" else "RGBA"
            pixels = np.asarray(image.convert(mode))
    return restore(pixels[..., None] if pixels.ndim == 2 else pixels)


def _as_blender_sees_it(image: Image.Image) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """What turns the pixels (H, W, C) that Pillow will read of a file so that they lie as in Blender.

    Files may say how they are to be turned. Blender (4.2 to 5.2) turns AVIF and nothing else, Pillow (13.0) turns TIFF
    and nothing else.
    """
    turns = {"TIFF": _TURNED_BACK, "AVIF": _TURNED}.get(image.format or "", {})
    turn = turns.get(image.getexif().get(_ORIENTATION, 1))
    return (lambda pixels: np.ascontiguousarray(turn(pixels))) if turn else (lambda pixels: pixels)


def _check_side(path: Path, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise _bad(f"{path.name} has no pixels.")
    if max(width, height) > MAX_RESULT_SIDE:
        raise _bad(
            f"{path.name} is {width}x{height} pixels; at most {MAX_RESULT_SIDE} a side are possible.",
            "Choose a smaller picture.",
        )


def write(
    path: Path,
    array: NDArray[Any],
    dtype: Any,
    text: dict[str, str],
    canvas: Canvas | None = None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """An array (H, W, C) as a file of that type: PNG for uint8 and uint16, OpenEXR for float32.

    Floats become whole numbers as shares of their greatest. canvas: the one that the array is of, if it is of one.
    check: called very often, may raise. Raises OSError where the disk fails.
    """
    height, width, channels = array.shape
    dtype = np.dtype(dtype)
    writer: Any
    if dtype == np.float32:
        writer = ExrWriter(path, width, height, channels)
    else:
        writer = PngWriter(path, width, height, channels, dtype.itemsize * 8, text)
    with writer:
        for top in range(0, height, _STRIP):
            check()
            strip = array[top : top + _STRIP]
            writer.write(to_dtype(strip, dtype))
            if canvas is not None:
                canvas.touched(strip.nbytes)


def _bad(message: str, hint: str = "") -> UserError:
    return UserError(ErrorKind.REQUEST, message, hint)
