# SPDX-License-Identifier: GPL-3.0-or-later
"""Texel density: laws of scale, and sizes that a model can make."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon.core.requests.texture import GRID, MAX_SIDE, MIN_SIDE
from addon.core.texels import mapping_scale, resolution, uv_density

lengths = st.floats(1e-3, 1e3)


def test_square_of_two_units_on_a_quarter_of_the_uv_map() -> None:
    # 2 x 2 on the surface, 0.5 x 0.5 in the map: 0.25 UV units to a unit of length
    assert uv_density([(2.0, 0.125), (2.0, 0.125)]) == pytest.approx(0.25)


@given(density=lengths, size=lengths, aspect=st.floats(0.1, 10.0))
def test_one_tile_is_as_large_as_it_was_meant_to_be(density: float, size: float, aspect: float) -> None:
    across, up = mapping_scale(density, size, aspect)
    # a length on the surface, times UV units, times the scale, is a number of tiles
    assert size * density * across == pytest.approx(1.0)
    assert size * aspect * density * up == pytest.approx(1.0)


@given(size=lengths, factor=lengths)
def test_object_that_is_scaled_needs_as_many_more_tiles(size: float, factor: float) -> None:
    small = mapping_scale(uv_density([(1.0, 0.5)]), size)[0]
    large = mapping_scale(uv_density([(factor**2, 0.5)]), size)[0]
    assert large / small == pytest.approx(factor)


@given(size=lengths, density=st.floats(1.0, 1e5), aspect=st.floats(0.1, 10.0))
def test_resolution_can_always_be_asked_for(size: float, density: float, aspect: float) -> None:
    pixels = resolution(size, density, aspect)
    for side, wanted in ((pixels.width, size * density), (pixels.height, size * density * aspect)):
        assert side % GRID == 0
        assert abs(side - min(max(wanted, MIN_SIDE), MAX_SIDE)) <= GRID / 2


@pytest.mark.parametrize("areas", [[], [(0.0, 1.0)], [(1.0, 0.0)], [(float("nan"), 1.0)], [(1.0, float("inf"))]])
def test_nothing_has_no_density(areas: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="no area"):
        uv_density(areas)


@pytest.mark.parametrize("values", [(0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (1.0, 1.0, 0.0), (1.0, -1.0, 1.0)])
def test_scale_of_nothing_is_refused(values: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        mapping_scale(*values)
