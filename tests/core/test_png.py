# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG files written in strips are what other readers expect."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from addon.core.png import PngWriter
from addon.core.recipe import PNG_KEY, Recipe, read_png
from addon.core.requests.texture import TextureRequest


def decode(data: bytes) -> np.ndarray:
    """The pixels of a PNG, by the specification's own words, pixel by pixel; checks every chunk's sum."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    place, packed, header = 8, b"", (0,) * 7
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        body = data[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", data, place + 8 + length)[0] == zlib.crc32(kind + body)
        place += 12 + length
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
    width, height, bits, color = header[:4]
    step = {0: 1, 4: 2, 2: 3, 6: 4}[color] * bits // 8
    raw, line = zlib.decompress(packed), width * step
    assert len(raw) == height * (line + 1)
    rows, above = [], [0] * line
    for y in range(height):
        kind, row = raw[y * (line + 1)], list(raw[y * (line + 1) + 1 : (y + 1) * (line + 1)])
        for x in range(line):
            a, b, c = row[x - step] if x >= step else 0, above[x], above[x - step] if x >= step else 0
            p = a + b - c
            nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            row[x] = (row[x] + {0: 0, 1: a, 2: b, 3: (a + b) // 2, 4: nearest}[kind]) & 255
        rows.append(row)
        above = row
    array = np.array(rows, np.uint8).reshape(height, -1)
    return array.view(">u2").astype(np.uint16) if bits == 16 else array


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 20),
    heights=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    channels=st.sampled_from([1, 2, 3, 4]),
    bits=st.sampled_from([8, 16]),
    smooth=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_what_is_written_in_strips_is_read_back(tmp_path_factory, width, heights, channels, bits, smooth, seed):
    path = tmp_path_factory.mktemp("png") / "a.png"
    dtype = np.uint8 if bits == 8 else np.uint16
    noise = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, (sum(heights), width, channels))
    pixels = (np.cumsum(noise // 50, axis=0) if smooth else noise).astype(dtype)
    with PngWriter(path, width, len(pixels), channels, bits) as writer:
        row = 0
        for height in heights:
            writer.write(pixels[row : row + height])
            row += height
    assert (decode(path.read_bytes()) == pixels.reshape(len(pixels), -1)).all()


def test_pillow_and_our_own_reader_take_it(tmp_path):

    recipe = Recipe(TextureRequest("Ziegel, rauh 🧱"), "f")
    pixels = np.random.default_rng(0).integers(0, 256, (70, 33, 3)).astype(np.uint8)
    with PngWriter(tmp_path / "a.png", 33, 70, 3, 8, {PNG_KEY: recipe.dumps()}) as writer:
        writer.write(pixels)
    assert (np.array(Image.open(io.BytesIO((tmp_path / "a.png").read_bytes()))) == pixels).all()
    assert read_png(tmp_path / "a.png") == recipe


def test_a_file_that_is_not_whole_is_no_success(tmp_path):
    with pytest.raises(ValueError, match="2 rows"), PngWriter(tmp_path / "a.png", 4, 3, 1, 8) as writer:
        writer.write(np.zeros((1, 4), np.uint8))


@pytest.mark.parametrize(
    "rows", [np.zeros((1, 5, 3), np.uint8), np.zeros((1, 4, 3), np.uint16), np.zeros((9, 4, 3), np.uint8)]
)
def test_rows_that_do_not_fit_are_refused(tmp_path, rows):
    with pytest.raises(ValueError, match="rows of shape"), PngWriter(tmp_path / "a.png", 4, 3, 3, 8) as writer:
        writer.write(rows)
