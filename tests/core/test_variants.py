# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of tiles whose edges fit: the sheet, legal fields, and the rims that all edges of a color share."""

import random
from itertools import product

import numpy as np
import pytest

from addon.core.errors import UserError
from addon.core.requests.finish import Finish
from addon.core.requests.texture import Size, TextureRequest
from addon.core.variants import COUNTS, Sheet

SIDE, RIM = 24, 4
SETS = list(map(Sheet, COUNTS[1:]))


def noise(sheet: Sheet, dtype: type = np.float32) -> np.ndarray:
    shape = (sheet.rows * SIDE, sheet.columns * SIDE)
    return (np.random.default_rng(1).random(shape) * (255 if dtype is np.uint8 else 1)).astype(dtype)


def tiles_of(picture: np.ndarray, sheet: Sheet) -> np.ndarray:
    return picture.reshape(sheet.rows, SIDE, sheet.columns, SIDE)


@pytest.mark.parametrize("sheet", SETS)
def test_sheet_holds_each_tile_once_beside_others_that_fit(sheet: Sheet) -> None:
    assert sheet.columns * sheet.rows == sheet.count
    places = list(product(range(sheet.columns), range(sheet.rows)))
    for column, row in places:
        left, right, above, below = sheet.edges(column, row)
        assert right == sheet.edges((column + 1) % sheet.columns, row)[0]
        assert below == sheet.edges(column, (row + 1) % sheet.rows)[2]
        assert (column, row) in sheet.places(left, right, above, below)
    if sheet.by_corners:
        assert [sheet.corners(*sheet.place(*corners)) for corners in product((0, 1), repeat=4)] == [
            *product((0, 1), repeat=4)
        ]
    else:
        pairs = product(set(sheet.across), set(sheet.across), set(sheet.down), set(sheet.down))
        assert {len(sheet.places(*pair)) for pair in pairs} == {2 if sheet.count == 8 else 1}
    assert sheet.edges(*sheet.repeating) == (0, 0, 0, 0)


@pytest.mark.parametrize("sheet", SETS)
def test_every_field_is_legal_and_uses_all_tiles(sheet: Sheet) -> None:
    field = sheet.lay(16, 12, random.Random(3).randrange)
    for y, x in product(range(12), range(16)):
        here, right, below = field[y][x], field[y][(x + 1) % 16], field[(y + 1) % 12][x]
        assert sheet.edges(*here)[1] == sheet.edges(*right)[0]
        assert sheet.edges(*here)[3] == sheet.edges(*below)[2]
    assert len({place for row in field for place in row}) == sheet.count


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("sheet", SETS)
def test_edges_of_a_color_are_the_same_to_the_bit_in_every_field(sheet: Sheet, dtype: type) -> None:
    picture = noise(sheet, dtype)
    weights = np.cos(np.arange(RIM, dtype=np.float32) * np.pi / 2 / RIM) ** 2
    sheet.fit(tiles_of(picture, sheet), weights)
    tiles = tiles_of(picture, sheet)
    for (a, b), (c, d) in product(product(range(sheet.columns), range(sheet.rows)), repeat=2):
        one, other = tiles[b, :, a], tiles[d, :, c]
        for edge, line in enumerate((np.s_[:, 0], np.s_[:, -1], np.s_[0], np.s_[-1])):
            if sheet.edges(a, b)[edge] == sheet.edges(c, d)[edge]:
                assert np.array_equal(one[line], other[line])


@pytest.mark.parametrize("sheet", SETS)
def test_whole_rims_are_the_same_where_the_weight_is_one_and_the_inside_stays(sheet: Sheet) -> None:
    picture = noise(sheet)
    before = tiles_of(picture.copy(), sheet)
    sheet.fit(tiles_of(picture, sheet), np.ones(RIM, np.float32))
    tiles = tiles_of(picture, sheet)
    inside = np.s_[:, RIM:-RIM, :, RIM:-RIM]
    assert np.array_equal(tiles[inside], before[inside])
    lefts = {}
    for column, row in product(range(sheet.columns), range(sheet.rows)):
        rim = tiles[row, :, column, :RIM]
        assert np.array_equal(rim, lefts.setdefault(sheet.edges(column, row)[0], rim))


def test_copied_noise_keeps_its_deviation() -> None:
    sheet = Sheet(16)
    picture = np.random.default_rng(1).standard_normal((sheet.rows * 64, sheet.columns * 64)).astype(np.float32)
    sheet.fit(picture.reshape(4, 64, 4, 64), np.ones(8, np.float32), copied=True)
    assert picture.reshape(4, 64, 4, 64)[:, :, :, :8].std() == pytest.approx(1.0, abs=0.05)


def test_request_of_one_tile_is_the_json_that_it_was() -> None:
    assert "variants" not in TextureRequest("brick").to_json()
    request = TextureRequest("brick", size=Size(512, 256), variants=8)
    assert TextureRequest.from_json(request.to_json()) == request
    assert request.result_size == (2048, 512)


@pytest.mark.parametrize("wrong", [{"variants": 3}, {"variants": True}, {"variants": "8"}])
def test_impossible_sets_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError):
        TextureRequest("brick", **wrong)


def test_set_that_is_too_large_in_the_end_is_refused() -> None:
    with pytest.raises(UserError, match="pixels long"):
        TextureRequest("brick", size=Size(2048, 2048), variants=16, finish=Finish(upscale=4))
