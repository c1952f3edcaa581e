# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of the time that is left."""

from dataclasses import replace

import pytest

from addon.core.pace import MAX_SECONDS, UNKNOWN, Pace, keys, remaining
from addon.core.requests.texture import Size, TextureRequest

REQUEST = TextureRequest("bricks", count=2, steps=10)
PACE = Pace(start=3.0, load=5.0, step=0.5, beside=1.0)


def test_a_job_takes_its_loading_its_steps_and_what_is_beside_them() -> None:
    assert remaining(PACE, REQUEST, loading=True) == 3 + 5 + 2 * (10 * 0.5 + 1)
    assert remaining(PACE, REQUEST, loading=False) == 2 * (10 * 0.5 + 1)


def test_what_is_done_is_not_to_come_any_more() -> None:
    assert remaining(PACE, REQUEST, loading=False, image=0, step=4) == 6 * 0.5 + 10 * 0.5 + 2
    assert remaining(PACE, REQUEST, loading=False, image=1, step=10) == 1
    seconds = [remaining(PACE, REQUEST, loading=False, image=i, step=s) for i in range(2) for s in range(11)]
    assert seconds == sorted(seconds, reverse=True)


def test_nothing_is_claimed_before_a_steps_time_is_known() -> None:
    assert remaining(UNKNOWN, REQUEST, loading=True) is None
    assert remaining(Pace(start=3.0, load=5.0, beside=1.0), REQUEST, loading=True) is None
    assert remaining(Pace(step=0.5), REQUEST, loading=True) == 10


@pytest.mark.parametrize(
    "change",
    [
        {"size": Size(512, 256)},
        {"model": "another"},
        {"guidance_scale": 1.0},
    ],
)
def test_jobs_of_another_kind_have_a_pace_of_their_own(change: dict) -> None:
    assert keys(replace(REQUEST, **change), "auto", "auto")[1] != keys(REQUEST, "auto", "auto")[1]


def test_words_seed_and_number_of_steps_change_no_pace() -> None:
    other = replace(REQUEST, prompt="oak", seed=7, steps=99, count=1)
    assert keys(other, "cpu", "auto") == keys(REQUEST, "cpu", "auto")
    assert keys(other, "cuda", "auto")[0] != keys(REQUEST, "cpu", "auto")[0]


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), 2 * MAX_SECONDS, "1", True, [1]])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        Pace.from_json({"step": value})
    with pytest.raises(TypeError):
        Pace.from_json({"stride": 1.0})
