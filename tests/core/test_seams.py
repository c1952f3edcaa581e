# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam metric passes textures that repeat, and sees the edge in those that do not."""

from pathlib import Path

import numpy as np
import pytest

from addon.core import seams
from addon.core.recipe import Recipe
from addon.core.requests.texture import Axes, TextureRequest
from addon.core.results import BASE_COLOR, RECIPE_P, RECIPE_SCORE, Result
from addon.core.seams import THRESHOLD, judge, measure, roll_p


def noise(seed: int, size: int, power: float = 1.5) -> np.ndarray:
    """Periodic by construction: random phases over a falling spectrum."""
    rng = np.random.default_rng(seed)
    fy, fx = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size), indexing="ij")
    shape = 1 / np.maximum(np.hypot(fx, fy), 1 / size) ** power
    field = np.fft.ifft2(np.fft.fft2(rng.normal(size=(3, size, size))) * shape).real
    field = (field - field.mean()) / field.std()
    return np.clip(128 + 40 * field.transpose(1, 2, 0), 0, 255).astype(np.uint8)


def bricks(size: int, row: int = 32, length: int = 64) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    shifted = x + (y // row % 2) * length // 2
    joint = (y % row < 4) | (shifted % length < 4)
    grain = noise(1, size, 0.5)
    return np.where(joint[..., None], 200, grain // 2 + 20).astype(np.uint8)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [64, 256, 512])
def test_periodic_noise_passes(seed, size):
    assert measure(noise(seed, size)).seamless


@pytest.mark.parametrize("seed", range(4))
def test_cut_noise_is_seen_on_the_axis_that_was_cut(seed):
    whole = noise(seed, 512)
    cut = whole[:, :337]
    assert not measure(cut).seamless
    assert not measure(cut, Axes.X).seamless
    assert measure(cut, Axes.Y).seamless
    assert not measure(cut, Axes.NONE).seamless
    assert measure(cut.transpose(1, 0, 2), Axes.X).seamless


def test_a_large_picture_is_rolled_in_part(monkeypatch):
    picture = hard_to_judge()
    monkeypatch.setattr(seams, "_MOST_ROLLED", 64 * 64)
    assert seams._thinned(picture).shape == (64, 64, 3)
    rolled = []
    monkeypatch.setattr(seams, "roll_p", lambda part, *_, **__: rolled.append(part.shape) or 0.25)
    assert judge(picture, Axes.XY, exact=True)[1][RECIPE_P] == "0.250"
    assert rolled == [(64, 64, 3)]


def test_whole_bricks_pass_and_cut_ones_are_seen():
    wall = bricks(512)
    for roll in (0, 13, 40):
        assert measure(np.roll(wall, (roll, roll), (0, 1))).seamless
    assert not measure(wall[5:-15, 20:-15]).seamless


def test_a_flat_picture_is_seamless():
    assert measure(np.full((128, 64, 3), 77, np.uint8)).seamless


def test_rounding_in_a_dark_even_picture_is_no_seam():
    for seed in range(6):
        assert measure((noise(seed, 256) // 40).astype(np.uint8)).seamless


def test_a_step_of_a_few_levels_in_a_flat_picture_is_seen():
    flat = np.full((128, 128, 3), 77, np.uint8)
    flat[:, :64] += np.arange(64, dtype=np.uint8)[None, :, None] // 8
    assert not measure(flat).seamless


def test_the_same_picture_has_the_same_score_and_is_not_changed():
    picture = noise(5, 1024)
    before = picture.copy()
    assert measure(picture) == measure(picture)
    assert (picture == before).all()


def test_strange_shapes_are_scored():
    for shape in ((64, 2048), (2048, 64), (64, 64)):
        tall = np.tile(noise(2, 64), (shape[0] // 64, shape[1] // 64, 1))
        assert np.isfinite(measure(tall).value)


def hard_to_judge() -> np.ndarray:
    """A picture that repeats, and whose seam lies on the one line where it is unlike itself."""
    stripe = np.full((128, 128, 3), 100, np.uint8)
    stripe[:, ::2] += noise(3, 128)[:, ::2] // 16
    stripe[:, 0] = 180
    return stripe


def test_where_the_chain_is_exact_a_failing_score_is_weighed_against_random_rolls():
    picture = hard_to_judge()
    score, words = judge(picture, Axes.XY, exact=True)
    assert score > THRESHOLD
    assert words == {RECIPE_SCORE: f"{score:.3f}", RECIPE_P: words[RECIPE_P]}
    assert RECIPE_P not in judge(picture, Axes.XY, exact=False)[1]
    assert RECIPE_P not in judge(picture, Axes.NONE, exact=True)[1]
    assert RECIPE_P not in judge(noise(0, 128), Axes.XY, exact=True)[1]


def test_the_roll_test_tells_an_edge_from_a_cut_among_equals():
    rng = np.random.default_rng(0)
    assert roll_p(noise(0, 128)[:, :75], Axes.XY, rng) == 0.01
    whole = [roll_p(noise(seed, 128), Axes.XY, rng) for seed in range(10)]
    assert min(whole) > 0.01
    assert 0.2 < np.mean(whole) < 0.8


def test_an_edge_in_what_is_said_to_be_exact_shows():
    score, words = judge(noise(0, 128)[:, :75], Axes.XY, exact=True)
    recipe = Recipe(TextureRequest("noise"), "", words)
    assert Result(Path(), {BASE_COLOR: "a.png"}, recipe, score).seam_shows


def test_a_roll_test_on_one_axis_rolls_that_axis_alone():
    cut = noise(0, 256)[:, :150]
    assert roll_p(cut, Axes.Y, np.random.default_rng(0)) > 0.01
