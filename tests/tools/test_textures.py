# SPDX-License-Identifier: GPL-3.0-or-later
"""The procedural textures: periodic, repeatable, in range, and named by captions that say what is seen."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the textures need scipy, which is in the worker's environment")

from tools.starter.textures import (
    FAMILIES,
    HELD_OUT_COMBINATIONS,
    HELD_OUT_WORDS,
    WEAR,
    Texture,
    make_texture,
)
from tools.starter.textures.canvas import Canvas
from tools.starter.textures.captions import captions
from tools.starter.textures.colours import NAMED, from_hex, from_oklab, named, to_oklab
from tools.starter.textures.families_wood import boards
from tools.starter.textures.surface import Style, Surface


class Elsewhere(Canvas):
    """The same torus, drawn from an origin `dy` rows and `dx` columns further on.

    Only what knows of positions is changed: coordinates, pixels, and the noise, which is rolled. Coordinates run past
    the tile's end, so a formula that does not go on there as it began is found out.
    """

    def __init__(self, rng: np.random.Generator, height: int, width: int, dy: int, dx: int) -> None:
        super().__init__(rng, height, width)
        self.dy, self.dx = dy, dx

    @property
    def x(self):
        return super().x + self.dx

    @property
    def y(self):
        return super().y + self.dy

    def transposed(self):
        return Elsewhere(self.rng, self.width, self.height, self.dx, self.dy)

    def _spectrum(self, shape):
        return np.roll(super()._spectrum(shape), (-self.dy, -self.dx), (0, 1))

    def grain(self):
        return np.roll(super().grain(), (-self.dy, -self.dx), (0, 1))

    def pixel(self, x, y):
        return super().pixel(x - self.dx, y - self.dy)


def draw(canvas: Canvas, family: str, colour: str | None, size: str | None, wear: str | None) -> Surface:
    style = Style(canvas.rng, colour, size)
    surface = FAMILIES[family].draw(canvas, style)
    if wear:
        WEAR[wear].apply(canvas, surface, style)
    return surface


def assert_rolls(family: str, wear: str | None, seed: int, size: str | None = None) -> None:
    height, width, dy, dx = 96, 160, 36, 60
    plain = draw(Canvas(np.random.default_rng(seed), height, width), family, None, size, wear)
    moved = draw(Elsewhere(np.random.default_rng(seed), height, width, dy, dx), family, None, size, wear)
    for name in ("color", "height", "roughness", "metallic"):
        difference = np.abs(np.roll(getattr(plain, name), (-dy, -dx), (0, 1)) - getattr(moved, name))
        # Rounding of coordinates may turn single pixels that lie on a border between two cells or under a stroke.
        assert np.mean(difference > 0.01) < 0.0005, f"{family}, {wear}: {name} changes where the origin moves"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_a_function_on_the_torus(family):
    for seed, size in enumerate((None, "small", "large")):
        assert_rolls(family, None, seed, size)


@pytest.mark.parametrize("wear", WEAR)
def test_wear_is_a_function_on_the_torus(wear):
    for family in ("bricks", "wood", "metal panels"):
        assert_rolls(family, wear, 3)


def test_what_stops_at_the_edge_is_found_out():
    """The law above is worth something: a field that is not periodic breaks it."""

    def slope(canvas: Canvas) -> np.ndarray:
        return np.broadcast_to(canvas.x / canvas.width, canvas.shape)

    plain, moved = (
        slope(Canvas(np.random.default_rng(0), 64, 64)),
        slope(Elsewhere(np.random.default_rng(0), 64, 64, 0, 9)),
    )
    assert np.mean(np.abs(np.roll(plain, -9, 1) - moved) > 0.01) > 0.1


def samples(count: int, size: int | tuple[int, int] = 64) -> list[Texture]:
    rng = np.random.default_rng(11)
    return [make_texture(rng, size) for _ in range(count)]


@pytest.fixture(scope="module")
def many() -> list[Texture]:
    return samples(500)


def test_the_same_seed_gives_the_same_texture():
    for seed in range(8):
        a, b = (make_texture(np.random.default_rng(seed), (72, 96)) for _ in range(2))
        assert a.captions == b.captions
        for name in ("color", "height", "roughness", "metallic"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_other_seeds_give_other_textures():
    a, b = (make_texture(np.random.default_rng(seed), 64, "bricks") for seed in (1, 2))
    assert np.abs(a.color - b.color).mean() > 0.01


def test_maps_are_finite_float32_in_range(many):
    for t in [*many, *samples(20, (64, 100))]:
        shape = t.height.shape
        for field, wanted in ((t.color, (*shape, 3)), (t.height, shape), (t.roughness, shape), (t.metallic, shape)):
            assert field.dtype == np.float32
            assert field.shape == wanted
            assert np.isfinite(field).all()
            assert field.min() >= 0.0
            assert field.max() <= 1.0


def test_all_families_are_drawn(many):
    assert len(FAMILIES) >= 24
    assert {t.family for t in many} == set(FAMILIES)


def test_every_texture_has_several_different_captions(many):
    for t in many:
        assert len(t.captions) >= 4
        assert len(set(t.captions)) == len(t.captions)
        for caption in t.captions:
            assert not re.search(r"\{|\}|  |^[ ,]| ,|[ ,]$", caption), caption


def test_captions_carry_the_colour_word(many):
    coloured = [t for t in many if t.colour]
    assert len(coloured) > 100
    for t in coloured:
        for caption in t.captions:
            assert t.colour in caption.replace("gray", "grey"), (t.colour, caption)


def test_the_simplest_caption_names_the_wear(many):
    for t in many:
        if t.wear:
            assert WEAR[t.wear].adjectives[0] in t.captions[0]


def test_held_out_words_are_in_no_caption():
    rng = np.random.default_rng(5)
    words: set[str] = set()
    for family in FAMILIES.values():
        for wear in (None, *family.wear):
            for colour in (None, *family.colours):
                style = Style(rng, colour, ("small", "large", None)[int(rng.integers(3))])
                for caption in captions(rng, family, style, wear):
                    words.update(re.findall(r"[a-z]+", caption.lower()))
    assert words
    assert not words & HELD_OUT_WORDS


def test_held_out_combinations_name_things_that_exist():
    for family, word in HELD_OUT_COMBINATIONS:
        assert word in FAMILIES[family].colours or word in FAMILIES[family].wear


def test_held_out_combinations_are_never_drawn(many):
    for t in many:
        assert (t.family, t.colour) not in HELD_OUT_COMBINATIONS
        assert (t.family, t.wear) not in HELD_OUT_COMBINATIONS
    rng = np.random.default_rng(6)
    for family, _ in HELD_OUT_COMBINATIONS:
        for t in (make_texture(rng, 64, family) for _ in range(12)):
            assert (family, t.colour) not in HELD_OUT_COMBINATIONS
            assert (family, t.wear) not in HELD_OUT_COMBINATIONS


def test_held_out_combinations_can_be_asked_for():
    rng = np.random.default_rng(7)
    assert make_texture(rng, 64, "cobblestone", colour="blue").colour == "blue"
    t = make_texture(rng, 64, "planks", wear="moss")
    assert "mossy" in t.captions[0]


@pytest.mark.parametrize("colour", NAMED)
def test_a_named_colour_is_the_colour_of_the_material(colour):
    """Without wear, the material's median colour is within 0.13 (Oklab) of what the word means."""
    rng = np.random.default_rng(8)
    anchors = to_oklab(np.stack([from_hex(text) for text in NAMED[colour]])).mean(axis=0)
    for family in ("bricks", "planks", "leather", "concrete", "tiles"):
        surface = draw(Canvas(rng, 128, 128), family, colour, None, None)
        lab = to_oklab(np.clip(surface.color[surface.joint < 0.3], 0, 1))
        assert np.linalg.norm(np.median(lab, axis=0) - anchors) < 0.13, (family, colour)


def test_oklab_goes_there_and_back():
    rng = np.random.default_rng(9)
    colours = np.stack([named(rng, name) for name in NAMED])
    np.testing.assert_allclose(from_oklab(to_oklab(colours)), colours, atol=1e-5)


def test_wear_is_seen_at_a_glance():
    for family in ("bricks", "concrete", "planks"):
        for wear in FAMILIES[family].wear:
            clean = draw(Canvas(np.random.default_rng(4), 128, 128), family, "beige", None, None)
            worn = draw(Canvas(np.random.default_rng(4), 128, 128), family, "beige", None, wear)
            changed = np.abs(clean.color - worn.color).max(axis=2) > 0.1
            assert changed.mean() > 0.03, (family, wear)


def test_rust_paint_moss_and_dirt_are_not_metal():
    for wear in ("rust", "peeling"):
        canvas = Canvas(np.random.default_rng(2), 96, 96)
        surface = draw(canvas, "metal panels", None, None, None)
        bare = surface.metallic.copy()
        WEAR[wear].apply(canvas, surface, Style(canvas.rng, "red"))
        assert bare.min() == 1.0
        assert np.mean(surface.metallic < 0.1) > 0.25
    painted = draw(Canvas(np.random.default_rng(2), 96, 96), "corrugated metal", "blue", None, None)
    assert painted.metallic.max() == 0.0


def test_wet_is_darker_and_smoother():
    dry = draw(Canvas(np.random.default_rng(3), 96, 96), "cobblestone", None, None, None)
    wet = draw(Canvas(np.random.default_rng(3), 96, 96), "cobblestone", None, None, "wet")
    assert wet.color.mean() < 0.9 * dry.color.mean()
    assert wet.roughness.mean() < 0.5 * dry.roughness.mean()


def features(size: str | None, tile: int) -> float:
    """Distance between mortar rows of brick walls, px, by the strongest frequency along y."""
    found = []
    for seed in range(8):
        surface = draw(Canvas(np.random.default_rng(seed), tile, tile), "bricks", None, size, None)
        power = np.abs(np.fft.rfft(surface.joint.mean(axis=1)))
        found.append(tile / (1 + int(np.argmax(power[1:]))))
    return float(np.median(found))


def test_features_keep_their_size_in_pixels_whatever_the_tile():
    assert 28 <= features(None, 256) <= 50
    assert 28 <= features(None, 512) <= 50


def test_small_and_large_change_the_size_of_features():
    assert features("small", 256) < 0.75 * features(None, 256)
    assert features("large", 256) > 1.3 * features(None, 256)


@pytest.mark.parametrize(
    "asked", [{"family": "cheese"}, {"family": "bricks", "colour": "mauve"}, {"family": "bricks", "wear": "x"}]
)
def test_what_does_not_exist_is_refused(asked):
    with pytest.raises(KeyError):
        make_texture(np.random.default_rng(0), 64, **asked)


def test_boards_longer_than_the_tile_may_go_right_through():
    ends = []
    for seed in range(60):
        cells, rows = boards(Canvas(np.random.default_rng(seed), 128, 128), 60.0, 300.0)
        for row in range(rows):
            middle = (cells.index == row) & (np.abs(cells.dy) < 5)
            ends.append(bool(cells.edge[middle].min() < 2))
    assert 0.3 < np.mean(ends) < 0.56, "as often as a board of 300 px ends in 128"
    cells, _rows = boards(Canvas(np.random.default_rng(1), 128, 128), 60.0, 60.0)
    assert cells.count == 4, "short ones all end"
