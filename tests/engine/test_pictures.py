# SPDX-License-Identifier: GPL-3.0-or-later
"""Picture files of every kind, read and written."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, features

from addon.core.errors import ErrorKind, UserError
from addon.core.png import PngWriter
from addon.core.requests.finish import MAX_RESULT_SIDE
from addon.engine import pictures
from addon.engine.files import THUMBNAIL_SIDE, thumbnail
from addon.engine.resampling import shrink

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        *((mode, suffix) for mode in ("L", "LA", "RGB", "RGBA") for suffix in ("png", "tiff")),
        ("RGB", "webp"),  # which knows no grey
        ("RGBA", "webp"),
    ],
)
def test_eight_bits_are_read_as_they_are(tmp_path, mode, suffix):
    channels = len(mode)
    pixels = RNG.integers(0, 256, (9, 13, channels)).astype(np.uint8)
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels, mode).save(
        tmp_path / f"a.{suffix}", **({"lossless": True, "exact": True} if suffix == "webp" else {})
    )
    assert (pictures.read(tmp_path / f"a.{suffix}") == pixels).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_written_is_read_back(tmp_path, channels, dtype):
    pixels = RNG.integers(0, np.iinfo(dtype).max + 1, (70, 13, channels)).astype(dtype)
    pictures.write(tmp_path / "a.png", pixels, dtype, {"key": "text"})
    back = pictures.read(tmp_path / "a.png")
    assert back.dtype == dtype
    assert (back == pixels).all()


def test_floats_are_written_as_shares(tmp_path):
    pictures.write(tmp_path / "a.png", np.array([[[0.0], [0.5], [1.0], [2.0]]], np.float32), np.uint16, {})
    assert pictures.read(tmp_path / "a.png").ravel().tolist() == [0, 32768, 65535, 65535]


TURNED = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, 3),
    7: lambda pixels: np.rot90(pixels, 2).transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("suffix", "mode", "options"),
    [
        *(("tif", mode, {}) for mode in ("L", "LA", "RGB", "RGBA", "I;16")),
        ("tif", "RGB", {"compression": "tiff_lzw"}),
        ("jpg", "RGB", {"quality": 100, "subsampling": 0}),
        ("png", "RGBA", {}),
        ("webp", "RGBA", {"lossless": True, "exact": True}),
        pytest.param("avif", "RGB", {"quality": 100}, marks=pytest.mark.skipif(not features.check("avif"), reason="")),
    ],
)
def test_a_picture_lies_as_in_blender(tmp_path, suffix, mode, options, orientation):
    """Blender turns no file as its orientation asks, but for AVIF; Pillow 13.0 turns TIFF and nothing else.

    Seen with all eight in bpy 4.2.23, 4.5.15, 5.0.1 and Blender 5.2.2 (the only one of them that reads AVIF); Blender's
    half is `pixels.rule_files_lie_as_the_worker_reads_them`. Opened by its path, Pillow scrambles a TIFF of orientation
    5 to 8 that is not compressed.
    """
    channels = {"L": 1, "LA": 2, "I;16": 1, "RGB": 3, "RGBA": 4}[mode]
    blocks = RNG.integers(0, 256, (3, 5, channels))  # large ones, which the lossy kinds keep
    pixels = blocks.repeat(16, 0).repeat(16, 1).astype(np.uint16 if mode == "I;16" else np.uint8)
    exif = Image.Exif()
    exif[274] = orientation
    named = {"tiffinfo": {274: orientation}} if suffix == "tif" else {"exif": exif}
    picture = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    picture.save(tmp_path / f"a.{suffix}", **named, **options)
    read = pictures.read(tmp_path / f"a.{suffix}")
    wanted = TURNED[orientation](pixels) if suffix == "avif" else pixels
    assert read.shape == wanted.shape
    assert read.flags.c_contiguous
    apart = np.abs(read.astype(int) - wanted)[8::16, 8::16].max()
    assert apart <= {"jpg": 4, "avif": 12}.get(suffix, 0)


def test_palettes_bits_and_cmyk_become_colors(tmp_path):
    rgb = Image.fromarray(RNG.integers(0, 256, (8, 8, 3)).astype(np.uint8))
    rgb.quantize(16).save(tmp_path / "palette.png")
    rgb.convert("1").save(tmp_path / "bits.png")
    rgb.convert("CMYK").save(tmp_path / "cmyk.jpg")
    transparent = rgb.quantize(16)
    transparent.info["transparency"] = 3
    transparent.save(tmp_path / "transparent.png", transparency=3)
    shapes = [
        pictures.read(tmp_path / name).shape[2] for name in ("palette.png", "bits.png", "cmyk.jpg", "transparent.png")
    ]
    assert shapes == [3, 1, 3, 4]


def deep_tiff(width: int, height: int) -> bytes:
    """An RGB TIFF of 16 bits a channel, which Pillow reads and does not write."""
    tags = [
        (256, width),
        (257, height),
        (258, 158),
        (259, 1),
        (262, 2),
        (273, 164),
        (277, 3),
        (279, 6 * width * height),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 3 if tag == 258 else 4, 3 if tag == 258 else 1, v) for tag, v in tags)
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return head.ljust(158, b"\0") + struct.pack("<HHH", 16, 16, 16) + bytes(6 * width * height)


def test_a_tiff_whose_depth_would_be_lost_is_refused(tmp_path):
    (tmp_path / "a.tif").write_bytes(deep_tiff(4, 3))
    with pytest.raises(UserError, match="16 bits") as caught:
        pictures.read(tmp_path / "a.tif")
    assert "PNG" in caught.value.hint
    grey = RNG.integers(0, 65536, (3, 4)).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / "grey.tif")
    assert (pictures.read(tmp_path / "grey.tif")[..., 0] == grey).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_arrays_are_read_without_a_copy(tmp_path, dtype):
    array = (RNG.random((5, 6, 4)) * 100).astype(dtype)
    np.save(tmp_path / "a.npy", array)
    back = pictures.read(tmp_path / "a.npy")
    assert isinstance(back, np.memmap)
    assert (back == array).all()


def header_only(width: int, height: int) -> bytes:
    body = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + body + struct.pack(">I", zlib.crc32(b"IHDR" + body))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))


@pytest.mark.parametrize(("width", "height"), [(MAX_RESULT_SIDE + 1, 1), (10, 100000), (60000, 60000)])
def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded(tmp_path, width, height):
    (tmp_path / "a.png").write_bytes(header_only(width, height))
    with pytest.raises(UserError, match=f"{width}x{height}") as caught:
        pictures.read(tmp_path / "a.png")
    assert caught.value.kind is ErrorKind.REQUEST


def test_the_widest_picture_is_read(tmp_path):
    Image.new("RGB", (MAX_RESULT_SIDE, 2), (1, 2, 3)).save(tmp_path / "a.png")
    assert pictures.read(tmp_path / "a.png").shape == (2, MAX_RESULT_SIDE, 3)


class Payload:
    def __reduce__(self):
        return print, ("it ran",)


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "truncated", "truncated 16-bit", "pickle", "array"])
def test_what_is_no_picture_is_refused_in_a_sentence(tmp_path, kind, capsys):
    path = tmp_path / "a.png"
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("hello")
    elif kind.startswith("truncated"):
        pictures.write(path, RNG.integers(0, 256, (40, 40, 3)).astype(np.uint16), np.uint16, {})
        if kind == "truncated":
            Image.new("RGB", (40, 40)).save(path)
        path.write_bytes(path.read_bytes()[:-30])
    elif kind == "pickle":
        path = tmp_path / "a.npy"
        np.save(path, np.array([Payload()], object), allow_pickle=True)
    elif kind == "array":
        path = tmp_path / "a.npy"
        np.save(path, np.zeros((2, 3, 4, 5)))
    with pytest.raises(UserError) as caught:
        pictures.read(path)
    assert caught.value.kind is ErrorKind.REQUEST
    assert "it ran" not in capsys.readouterr().out


@pytest.mark.parametrize("channels", [1, 3])
def test_transparent_color_of_a_16_bit_png_is_its_alpha(tmp_path, channels):
    pixels = np.random.default_rng(0).integers(0, 65536, (4, 6, channels)).astype(np.uint16)
    path = tmp_path / "a.png"
    with PngWriter(path, 6, 4, channels, 16) as writer:
        writer.write(pixels)
    data, clear = path.read_bytes(), pixels[2, 3]
    body = b"tRNS" + struct.pack(f">{channels}H", *map(int, clear))
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(data[:33] + chunk + data[33:])
    read = pictures.read(path)
    assert read.shape == (4, 6, channels + 1)
    assert np.array_equal(read[..., :channels], pixels)
    assert np.array_equal(read[..., channels] == 0, (pixels == clear).all(-1))
    assert set(np.unique(read[..., channels])) == {0, 65535}


@pytest.mark.parametrize(("height", "width"), [(512, 512), (300, 777), (1025, 1999), (1600, 1537), (64, 64)])
def test_a_thumbnail_read_in_strips_is_that_of_the_whole(height: int, width: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    factor = max(min(height, width) // (2 * THUMBNAIL_SIDE), 1)
    whole = shrink(pixels[: height // factor * factor, : width // factor * factor], factor)
    wanted = Image.fromarray(np.rint(whole).astype(np.uint8))
    wanted.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(thumbnail(pixels)), np.asarray(wanted))
