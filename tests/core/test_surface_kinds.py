# SPDX-License-Identifier: GPL-3.0-or-later
"""Words tell what a picture shows, and what a kind of surface is like is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon.core.foreign_words import NOUNS
from addon.core.recipe import Recipe
from addon.core.requests.finish import Finish
from addon.core.requests.picture import PictureRequest
from addon.core.requests.texture import TextureRequest
from addon.core.surface_kinds import FACTS, SurfaceKind, surface_of

AUTO = SurfaceKind.AUTO


@pytest.mark.parametrize(
    ("text", "kind", "metallic"),
    [
        ("brushed steel", "METAL", 1.0),
        ("wet asphalt", "STONE", 0.0),
        ("velvet", "CLOTH", 0.0),
        ("mossy red brick wall", "MASONRY", 0.0),
        ("steel blue fabric", "CLOTH", 0.0),  # the noun tells
        ("gold leaf", "METAL", 1.0),
        ("roof tiles", "MASONRY", 0.0),
        ("bathroom tiles", "CERAMIC", 0.0),
        ("oak floorboards", "WOOD", 0.0),
        ("blue painted metal", "PLASTIC", 0.0),  # what is seen is paint
        ("rusty metal", "METAL", None),  # rust is none
        ("rusty painted metal", "PLASTIC", None),
        ("stone wall with steel bolts", "STONE", None),  # both are there
        ("moss on stone", "GROUND", 0.0),
        ("wall of bricks", "MASONRY", 0.0),
        ("frozen ice", "LIQUID", 0.0),
        ("PavingStones070_1K_Color.png", "MASONRY", 0.0),
        ("metal-plate-02", "METAL", 1.0),
        ("nasser Asphalt", "STONE", 0.0),
        ("gebürsteter Stahl", "METAL", 1.0),
        ("roter Samt", "CLOTH", 0.0),
        ("acier rouillé", "METAL", None),
        ("mur en briques", "MASONRY", 0.0),
        ("terciopelo rojo", "CLOTH", 0.0),
        ("legno vecchio", "WOOD", 0.0),
        ("pedra molhada", "STONE", 0.0),
        ("roestvrij staal", "METAL", 1.0),
    ],
)
def test_words_name_a_kind(text, kind, metallic):
    found = surface_of(AUTO, text)
    assert (found.kind, found.metallic) == (SurfaceKind(kind), metallic)


@pytest.mark.parametrize("text", ["", "red", "4k 1024", "abstract blue pattern", "IMG_2034.JPG", "a steely look"])
def test_what_names_nothing_stays_unknown(text):
    assert surface_of(AUTO, text) is None


def test_states_move_the_roughness_and_keep_it_a_roughness():
    usual, wet, rough = (surface_of(AUTO, text).roughness for text in ("asphalt", "wet asphalt", "rough asphalt"))
    assert wet[1] < usual[0] < usual[1] < rough[1]
    assert surface_of(AUTO, "nasser Asphalt").roughness == wet, "in other languages too"
    assert surface_of(AUTO, "wet wet glossy asphalt").roughness == wet, "said twice is not wetter"


def test_a_chosen_kind_goes_before_the_words_and_their_states_stay():
    found = surface_of(SurfaceKind.METAL, "rusty brick wall")
    assert (found.kind, found.metallic) == (SurfaceKind.METAL, None)
    assert surface_of(SurfaceKind.WOOD, "").roughness == pytest.approx(FACTS[SurfaceKind.WOOD].roughness)
    assert surface_of(SurfaceKind.NONE, "brushed steel") is None


def test_what_was_found_can_be_told():
    assert str(surface_of(AUTO, "wet asphalt road")) == "STONE (wet asphalt)"
    assert str(surface_of(SurfaceKind.WOOD, "red")) == "WOOD"
    assert str(surface_of(SurfaceKind.METAL, "wet oak planks")) == "METAL (wet)", "no plank said that it is metal"
    assert str(surface_of(AUTO, "painted steel")) == "PLASTIC (painted steel)"


def test_only_deep_words_make_a_flat_kind_deep():
    assert surface_of(AUTO, "corrugated iron").relief[1] > 5 * surface_of(AUTO, "iron sheet").relief[1]


@given(st.sampled_from(list(FACTS)), st.text(max_size=60))
def test_no_text_leads_out_of_what_a_map_can_hold(kind, text):
    found = surface_of(kind, text)
    assert 0 <= found.roughness[0] <= found.roughness[1] <= 1
    assert 0 < found.relief[0] <= found.relief[1] <= 0.05
    assert found.metallic in (0.0, 1.0, None)
    surface_of(AUTO, text)


def test_every_kind_but_the_two_choices_has_its_facts():
    assert set(FACTS) == set(SurfaceKind) - {AUTO, SurfaceKind.NONE}


@pytest.mark.parametrize("language", NOUNS)
def test_most_foreign_materials_are_known(language):
    found = [surface_of(AUTO, word) is not None for word in NOUNS[language]]
    assert sum(found) >= 0.8 * len(found)


def test_a_recipe_reads_its_prompt_and_that_of_its_source():
    texture = Recipe(TextureRequest("brushed steel"), "0")
    assert texture.surface.kind is SurfaceKind.METAL
    made = Recipe(PictureRequest("/a/red 4x.png", Finish(2), source_recipe=texture.as_source()), "1")
    assert made.surface.kind is SurfaceKind.METAL
    assert Recipe(PictureRequest("/a/Bricks059.png", Finish(2)), "1").surface.kind is SurfaceKind.MASONRY
    assert Recipe(PictureRequest("/a/red.png", Finish(2)), "1").surface is None


@pytest.mark.parametrize(("said", "relief"), [("0.01", 0.01), ("nan", None), ("7", None), ("deep", None), (None, None)])
def test_a_recipes_relief_is_one_or_none(said, relief):
    environment = {} if said is None else {"relief": said}
    assert Recipe(TextureRequest("wall"), "0", environment).relief == relief
