# SPDX-License-Identifier: GPL-3.0-or-later
"""Triangles on a picture that repeats, and the guess whether a picture does."""

import random
from array import array

import pytest

from addon.core.torus_fill import fill, looks_cut


def shown(rows: list[bytearray]) -> list[str]:
    return ["".join(".#"[value] for value in row) for row in rows]


def square(x: float, y: float, side: float) -> list[list[tuple[float, float]]]:
    a, b, c, d = (x, y), (x + side, y), (x + side, y + side), (x, y + side)
    return [[a, b, c], [a, c, d]]


def test_a_square_is_its_pixels() -> None:
    assert shown(fill(square(1, 1, 2), 5, 4)) == [".....", ".##..", ".##..", "....."]


def test_what_leaves_on_one_side_comes_in_on_the_other() -> None:
    assert shown(fill(square(4, 3, 2), 5, 4)) == ["#...#", ".....", ".....", "#...#"]


@pytest.mark.parametrize(("x", "y"), [(5, 0), (0, 4), (-5, -4), (50, -400)])
def test_whole_repeats_change_nothing(x: int, y: int) -> None:
    assert fill(square(1.3 + x, 0.2 + y, 1.9), 5, 4) == fill(square(1.3, 0.2, 1.9), 5, 4)


def test_a_face_of_many_repeats_is_everywhere() -> None:
    for side in (20.0, 1e6):
        assert all(all(row) for row in fill(square(0, 0, side), 5, 4))


def test_a_face_smaller_than_a_pixel_is_one_pixel() -> None:
    assert sum(map(sum, fill([[(2.3, 1.4), (2.4, 1.4), (2.3, 1.5)]], 5, 4))) == 1
    assert sum(map(sum, fill([[(2.3, 1.4), (2.3, 1.4), (2.3, 1.4)]], 5, 4))) == 1


def test_neighbours_leave_no_gap() -> None:
    """A fan around a point, whose triangles share their sides."""
    rng = random.Random(1)
    rim = [(0.3, 0.2), (31.5, 0.7), (31.1, 31.2), (15.7, 31.9), (0.1, 30.8)]
    centre = (rng.uniform(10, 20), rng.uniform(10, 20))
    fan = [[a, b, centre] for a, b in zip(rim, [*rim[1:], rim[0]], strict=True)]
    assert all(all(row[1:31]) for row in fill(fan, 32, 32)[1:31])


def test_what_is_not_finite_is_passed_over() -> None:
    assert not any(map(any, fill([[(float("nan"), 0.0), (1.0, 1.0), (2.0, 0.0)]], 5, 4)))


def ramp(width: int, height: int) -> "array[float]":
    return array("f", [value for _ in range(height) for x in range(width) for value in [x / width] * 3])


def noise(width: int, height: int) -> "array[float]":
    rng = random.Random(2)
    return array("f", [rng.random() for _ in range(3 * width * height)])


def test_a_ramp_looks_cut_and_noise_does_not() -> None:
    assert looks_cut(ramp(64, 32), 64, 32, 3)
    assert not looks_cut(noise(64, 32), 64, 32, 3)
    assert not looks_cut(array("f", [0.5]) * (64 * 32 * 4), 64, 32, 4)
    assert looks_cut(array("f", [0.5]) * 12, 2, 2, 3), "too small to tell"
