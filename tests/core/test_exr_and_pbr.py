# SPDX-License-Identifier: GPL-3.0-or-later
"""Normals from heights; OpenEXR files (that Blender reads them is tested in Blender)."""

import struct

import numpy as np
import pytest

from addon.core.exr import ExrWriter
from addon.core.pbr import angles, normals_of_height, unit_normals


def test_normals_look_where_opengl_wants_them():
    x = np.arange(64)
    ridge = np.minimum(x, 64 - x) / 64  # rises to the right on the left half
    along_x = normals_of_height(np.tile(ridge, (64, 1)), 32) * 2 - 1
    assert along_x[10, 10] == pytest.approx(np.array([-0.5, 0, 1]) / np.hypot(0.5, 1), abs=1e-6)
    # rows count downwards: a height that rises with them looks up, which is green
    along_y = normals_of_height(np.tile(ridge[:, None], (1, 64)), 32) * 2 - 1
    assert along_y[10, 10] == pytest.approx(np.array([0, 0.5, 1]) / np.hypot(0.5, 1), abs=1e-6)


def test_normals_have_unit_length_and_look_forwards():
    encoded = np.random.default_rng(0).random((50, 3)).astype(np.float32)
    vector = unit_normals(encoded) * 2 - 1
    assert np.linalg.norm(vector, axis=-1) == pytest.approx(1, abs=1e-6)
    assert (vector[:, 2] > 0).all()


def test_angles_between_normals():
    up, right = np.array([0.5, 0.5, 1.0]), np.array([1.0, 0.5, 0.5])
    assert angles(up, right) == pytest.approx(90)
    assert angles(up, up) == pytest.approx(0, abs=1e-4)


def test_an_exr_holds_its_rows_where_its_table_says(tmp_path):
    pixels = np.random.default_rng(0).normal(size=(5, 7, 3)).astype(np.float32) * 100
    with ExrWriter(tmp_path / "a.exr", 7, 5, 3) as writer:
        writer.write(pixels[:2])
        writer.write(pixels[2:])
    data = (tmp_path / "a.exr").read_bytes()
    assert struct.unpack_from("<II", data) == (20000630, 2)
    end = data.index(b"screenWindowWidth\0float\0") + len(b"screenWindowWidth\0float\0") + 4 + 4 + 1
    offsets = struct.unpack_from("<5Q", data, end)
    for y, offset in enumerate(offsets):
        assert struct.unpack_from("<ii", data, offset) == (y, 7 * 3 * 4)
        row = np.frombuffer(data, "<f4", 21, offset + 8).reshape(3, 7)
        assert (row == pixels[y, :, ::-1].T).all()  # channels by name: B, G, R
    assert len(data) == offsets[-1] + 8 + 84


def test_an_exr_that_is_not_whole_is_no_success(tmp_path):
    with pytest.raises(ValueError, match="3 rows"), ExrWriter(tmp_path / "a.exr", 2, 4, 1) as writer:
        writer.write(np.zeros((1, 2, 1)))
