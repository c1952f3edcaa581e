# SPDX-License-Identifier: GPL-3.0-or-later
"""A base color that no real surface has is told of, once, and others are not."""

import numpy as np
import pytest

from addon.core.albedo import LEVELS, complaint, count


def of(*levels):
    return count(np.array(levels) / 255)


@pytest.mark.parametrize(
    ("levels", "is_metal", "words"),
    [
        ([12, 20, 25], False, "darker than real surfaces"),
        ([245, 250, 255], False, "brighter than real surfaces"),
        ([60, 80, 90], True, "dark for a bare metal"),
        ([0, 90, 255], False, ""),
        ([10, 15, 20, 20, 20, 255, 255], False, ""),  # half of it is dark: the mean is not
        ([250, 252, 254], True, ""),  # silver
        ([150, 160, 170], True, ""),  # as published metals are, whatever the charts say
        ([31, 32], False, ""),
    ],
)
def test_colors_out_of_range_are_told_of(levels, is_metal, words):
    said = complaint(of(*levels), is_metal)
    assert (words in said) if words else said == ""
    assert said.count(".") == bool(said), "one sentence"


def test_strips_add_up():
    values = np.random.default_rng(1).random((50, 40))
    assert (count(values[:20]) + count(values[20:]) == count(values)).all()
    assert count(values).shape == (LEVELS,)
    assert complaint(np.zeros(LEVELS, np.int64), False) == ""
