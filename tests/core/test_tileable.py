# SPDX-License-Identifier: GPL-3.0-or-later
"""Any picture made to repeat."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from addon.core import seams
from addon.core.requests.texture import Axes
from addon.core.tileable import cheapest_path, make_tileable, periodic_component


def bricks(size: int = 320, seed: int = 0) -> np.ndarray:
    """A cut from a larger wall, so that neither axis meets itself, lit from one corner."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] + np.array([13, 29])[:, None, None]
    row = y // 37
    column = (x + row % 2 * 35) // 71
    tone = rng.uniform(0.3, 0.6, (20, 20))[row % 20, column % 20]
    joint = (y % 37 < 4) | ((x + row % 2 * 35) % 71 < 4)
    field = np.where(joint, 0.4, tone) + 0.03 * rng.normal(size=(size, size)) + 0.25 * (x + y) / size
    return np.repeat(field[..., None], 3, -1).clip(0, 1).astype(np.float32)


def as_bytes(picture: np.ndarray) -> np.ndarray:
    return np.rint(picture * 255).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("axes", [Axes.XY, Axes.X, Axes.Y])
@pytest.mark.parametrize("seed", range(3))
def test_the_seam_goes_and_the_picture_stays(axes, seed):
    picture = bricks(seed=seed)
    result = make_tileable(picture, axes)
    assert seams.measure(as_bytes(picture), axes).value > 1.5
    assert seams.measure(as_bytes(result), axes).value <= seams.THRESHOLD
    assert result.shape == picture.shape
    assert abs(result.mean() - picture.mean()) < 0.03
    # the light's slope is gone, the detail is not
    assert 0.85 < np.diff(result, axis=0).std() / np.diff(picture, axis=0).std() < 1.15


@pytest.mark.parametrize(("axes", "other"), [(Axes.X, 0), (Axes.Y, 1)])
def test_only_the_chosen_axis_is_changed(axes, other):
    """The other edges still do not meet."""
    picture = bricks()
    picture = picture + np.linspace(0, 0.2, 320, dtype=np.float32).reshape(-1, 1, 1).swapaxes(0, other)
    result = make_tileable(picture, axes)
    first, last = result.take(0, other), result.take(-1, other)
    assert np.abs(first - last).mean() > 0.05


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    axes=st.sampled_from([Axes.XY, Axes.X, Axes.Y]),
    seed=st.integers(0, 99),
)
def test_a_picture_of_any_size_works(height, width, axes, seed):
    picture = np.random.default_rng(seed).random((height, width, 4), np.float32)
    result = make_tileable(picture, axes)
    assert result.shape == picture.shape
    assert result.min() >= picture.min()
    assert result.max() <= picture.max()


def test_a_periodic_picture_keeps_its_brightness():
    x = np.arange(64) * 2 * np.pi / 64
    channel = (0.5 + 0.3 * np.sin(x)[None] * np.cos(2 * x)[:, None]).astype(np.float32)
    assert np.abs(periodic_component(channel, Axes.XY) - channel).max() < 0.02


def test_a_slope_is_taken_away():
    slope = np.tile(np.linspace(0, 1, 128, dtype=np.float32), (16, 1))
    assert np.abs(periodic_component(slope, Axes.X) - 0.5).max() < 0.05


def test_the_path_is_the_cheapest():
    cost = np.ones((50, 20), np.float32)
    ditch = (10 + 6 * np.sin(np.arange(50) / 8)).astype(int)
    cost[np.arange(50), ditch] = 0
    assert (cheapest_path(cost, 1, closed=False) == ditch).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_closed_path_meets_its_own_end(seed):
    cost = np.random.default_rng(seed).random((60, 30)).astype(np.float32)
    path = cheapest_path(cost, 2, closed=True)
    assert abs(int(path[0]) - int(path[-1])) <= 1
    assert (np.abs(np.diff(path)) <= 1).all()
    assert path.min() >= 2
    assert path.max() < 28


def test_it_can_be_ended():
    class Stop(Exception):
        pass

    def check() -> None:
        raise Stop

    with pytest.raises(Stop):
        make_tileable(bricks(64), Axes.XY, check)
