# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves that make a histogram a normal distribution, and lead back."""

import random
from collections.abc import Callable
from statistics import fmean, pstdev

import pytest

from addon.core.quantiles import REACH, normal_curve

SHAPES: dict[str, Callable[[random.Random], float]] = {
    "even": lambda dice: dice.random(),
    "normal": lambda dice: dice.gauss(0.5, 0.1),
    "two hills": lambda dice: dice.gauss(0.3 if dice.random() < 0.7 else 0.8, 0.05),
    "dark": lambda dice: dice.random() ** 2,
}


def values(shape: str) -> list[float]:
    dice = random.Random(1)
    return [SHAPES[shape](dice) for _ in range(20_000)]


@pytest.mark.parametrize("shape", SHAPES)
def test_values_become_normal(shape: str) -> None:
    all_ = values(shape)
    curve = normal_curve(all_)
    assert curve
    normals = [curve.at((value - curve.low) / curve.span) for value in all_]
    assert fmean(normals) == pytest.approx(0.5, abs=0.01)
    assert fmean(normals) == pytest.approx(curve.mean, abs=0.005)
    assert pstdev(normals) * 2 * REACH == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("shape", SHAPES)
def test_curve_rises_from_end_to_end_and_leads_back(shape: str) -> None:
    curve = normal_curve(values(shape))
    assert curve
    assert curve.points[0] == (0.0, 0.0)
    assert curve.points[-1] == (1.0, 1.0)
    for (x0, y0), (x1, y1) in zip(curve.points, curve.points[1:], strict=False):
        assert x0 < x1
        assert y0 < y1
    assert curve.turned == tuple((y, x) for x, y in curve.points)


def test_map_of_two_values_keeps_both_ends() -> None:
    curve = normal_curve([0.0] * 900 + [1.0] * 100)
    assert curve
    assert curve.at(0.0) < curve.at(1.0)
    assert curve.mean == pytest.approx(0.9 * curve.at(0.0) + 0.1 * curve.at(1.0), abs=0.02)


@pytest.mark.parametrize("same", [[], [0.5], [0.25] * 100])
def test_one_value_has_no_curve(same: list[float]) -> None:
    assert normal_curve(same) is None
