# SPDX-License-Identifier: GPL-3.0-or-later
"""Color arithmetic against published values."""

import numpy as np
import pytest

from addon.core import color


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [  # Sharma, Wu and Dalal 2005, table 1: pairs 1, 2, 7, 10, 17, 18, 21, 25
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 3.1571, -77.2803), (50.0, 0.0, -82.7485), 2.8615),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0010), 7.1792),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((50.0, 2.5, 0.0), (61.0, -5.0, 29.0), 22.8977),
        ((50.0, 2.5, 0.0), (50.0, 3.1736, 0.5854), 1.0000),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ],
)
def test_color_differences_are_those_of_the_paper(monkeypatch, one, other, expected):
    monkeypatch.setattr(color, "to_lab", lambda lab: np.asarray(lab))
    assert color.delta_e(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-4)


def test_lab_of_known_colors():
    assert color.to_lab(np.ones(3)) == pytest.approx([100, 0, 0], abs=1e-3)
    red = color.to_lab(np.array([1.0, 0.0, 0.0]))
    assert red == pytest.approx([53.24, 80.09, 67.20], abs=0.02)


def test_the_curve_and_its_inverse():
    values = np.linspace(0, 1, 1001)
    assert color.to_encoded(color.to_linear(values)) == pytest.approx(values, abs=1e-6)
    assert color.to_linear(np.array([0.5]))[0] == pytest.approx(0.21404, abs=1e-5)
    assert color.to_encoded(np.array([-0.1]))[0] == 0
