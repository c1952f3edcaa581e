# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of pictures in the making: what is written is read, anything else refused."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon.core import sketch
from addon.core.sketch import MAX_SIDE, Sketch


@given(st.integers(1, MAX_SIDE), st.integers(1, MAX_SIDE))
def test_a_sketch_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, width: int, height: int) -> None:
    file = tmp_path_factory.mktemp("sketch") / "0-1"
    written = Sketch(width, height, os.urandom(4 * width * height))
    sketch.write(file, written)
    assert sketch.read(file) == written
    assert os.listdir(file.parent) == ["0-1"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"TWsk",
        b"TWsk\x00\x01\x00\x01",
        b"TWsk\x00\x01\x00\x01abc",
        b"TWsk\x00\x01\x00\x01abcde",
        b"TWsk\x00\x00\x00\x01",
        b"TWsk\xff\xff\xff\xff" + bytes(1000),
        b"\x89PNG\r\n\x1a\n" + bytes(1000),
    ],
)
def test_what_is_no_sketch_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError):
        sketch.read(tmp_path / "file")


@pytest.mark.parametrize(("width", "height"), [(0, 1), (1, 0), (MAX_SIDE + 1, 1), (2, 1)])
def test_a_sketch_of_another_size_than_its_pixels_is_refused(width: int, height: int) -> None:
    with pytest.raises(ValueError):
        Sketch(width, height, bytes(4))
