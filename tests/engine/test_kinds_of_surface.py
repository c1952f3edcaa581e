# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a surface goes before what networks see of it: roughness, metallic, relief; told in the recipe."""

import numpy as np
import pytest
from PIL import Image

from addon.core import recipe
from addon.core.image_networks import RELIEF
from addon.core.recipe import Recipe, read_png
from addon.core.requests.finish import FILTER, Finish, MapKind
from addon.core.requests.picture import Content, PictureRequest
from addon.core.requests.texture import Axes, TextureRequest
from addon.core.surface_kinds import SurfaceKind, surface_of
from addon.engine import image_networks
from addon.engine.canvas import canvases
from addon.engine.maps import check_network, make_maps, relief_of, shifted
from addon.engine.tiles import TileLimits
from tests.engine.picture_networks import compact, save, texture
from tests.engine.test_picture_job import run

KINDS = (MapKind.HEIGHT, MapKind.ROUGHNESS, MapKind.METALLIC)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    file = save(compact(1), folder / "1x roughness.safetensors")
    return check_network(image_networks.load(file), (MapKind.ROUGHNESS,))


def make(color, sources, tmp_path, words, kind=SurfaceKind.AUTO, kinds=KINDS, tile=None):
    limits = TileLimits({"cpu": tile} if tile else {})
    surface = surface_of(kind, words)
    with canvases(tmp_path) as easel:
        made = make_maps(color, kinds, sources, Axes.XY, Content.COLOR, easel, limits, 1 << 30, surface=surface)
        return {kind: np.array(value.array) for kind, value in made.items()}


@pytest.mark.parametrize("words", ["wet marble", "rough asphalt", "velvet"])
def test_roughness_is_brought_into_range_by_the_nearest_way_and_keeps_its_order(words, sources, tmp_path):
    color = texture(64, 48)
    seen, told = (make(color, sources, tmp_path, text)[MapKind.ROUGHNESS].astype(float) for text in ("", words))
    low, high = surface_of(SurfaceKind.AUTO, words).roughness
    assert told.mean() == pytest.approx(np.clip(seen.mean(), low, high), abs=1e-5)
    assert 0 <= told.min() <= told.max() <= 1
    order = np.argsort(seen, axis=None)
    assert (np.diff(told.reshape(-1)[order]) >= -1e-6).all()
    assert told.std() > 0, "the detail that the network sees stays"


def test_roughness_in_range_stays_as_the_network_sees_it():
    values = np.linspace(0, 1, 11, dtype=np.float32)
    assert shifted(values, 0.5, (0.4, 0.6)) is values
    assert shifted(values, 0.5, (0.7, 0.9)).tolist()[-1] == 1.0
    assert shifted(values, 0.5, (0.1, 0.2)).tolist()[0] == 0.0


@pytest.mark.parametrize(
    ("words", "kind", "metallic"),
    [("brushed steel", SurfaceKind.AUTO, 1.0), ("oak", SurfaceKind.AUTO, 0.0), ("oak", SurfaceKind.METAL, 1.0)],
)
def test_metal_is_metal_and_wood_is_none(words, kind, metallic, sources, tmp_path):
    made = make(texture(64, 48), sources, tmp_path, words, kind, (MapKind.METALLIC,))
    assert (made[MapKind.METALLIC] == metallic).all()


def test_a_kind_keeps_the_roll_law_in_tiles_too(sources, tmp_path):
    color = texture(64, 48)
    plain = make(color, sources, tmp_path, "wet marble")
    rolled = make(np.roll(color, (12, 20), (0, 1)), sources, tmp_path, "wet marble", tile=32)
    for kind, value in plain.items():
        assert np.abs(np.roll(value, (12, 20), (0, 1)) - rolled[kind]).max() <= 1e-5


@pytest.mark.parametrize(("words", "way"), [("brushed steel", "flatter"), ("corrugated iron roof", "deeper")])
def test_the_relief_is_one_that_such_surfaces_have(words, way, tmp_path):
    surface = surface_of(SurfaceKind.AUTO, words)
    color = texture(64, 48) if way == "flatter" else np.full((64, 48, 3), 0.5, np.float32)
    with canvases(tmp_path) as easel:
        made = make_maps(
            color, (MapKind.HEIGHT,), {}, Axes.XY, Content.COLOR, easel, TileLimits(), 1 << 30, surface=surface
        )
        relief = relief_of(made[MapKind.HEIGHT], surface)
        low, high = np.percentile(made[MapKind.HEIGHT].array, (1, 99))
    assert RELIEF / 8 <= relief <= RELIEF * 8, "a guess goes only so far"
    if way == "flatter":
        assert relief < RELIEF
        assert (high - low) * relief == pytest.approx(max(surface.relief[1], (high - low) * RELIEF / 8), rel=0.01)


def test_what_a_picture_was_read_as_is_in_its_recipe_and_its_colors_are_judged(tmp_path):
    path = tmp_path / "Brushed steel.png"
    Image.fromarray((texture(80, 64) // 8).astype(np.uint8)).save(path)
    (result,) = run(PictureRequest(str(path), Finish(maps=KINDS, map_networks=FILTER)), tmp_path).done
    environment = result.recipe.environment
    assert environment[recipe.SURFACE] == "METAL (steel)"
    assert "dark for a bare metal" in environment[recipe.ALBEDO]
    assert environment[recipe.ALBEDO] in result.notes
    assert result.recipe.relief is not None
    assert read_png(result.path("metallic")) == read_png(result.path()) == result.recipe
    assert np.asarray(Image.open(result.path("metallic"))).min() == 255


@pytest.mark.parametrize("wanted", [{"kind": SurfaceKind.NONE}, {}], ids=["as seen", "no words"])
def test_what_is_not_known_changes_nothing_and_says_nothing(wanted, tmp_path):
    path = tmp_path / ("Brushed steel.png" if wanted else "IMG 7.png")
    Image.fromarray(texture(80, 64)).save(path)
    (result,) = run(PictureRequest(str(path), Finish(maps=KINDS, map_networks=FILTER, **wanted)), tmp_path).done
    assert not {recipe.SURFACE, recipe.RELIEF, recipe.ALBEDO} & set(result.recipe.environment)
    assert result.recipe.relief is None


def test_an_unfinished_texture_has_no_surface_to_tell():
    assert recipe.SURFACE not in Recipe(TextureRequest("brushed steel"), "0").environment
