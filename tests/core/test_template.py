# SPDX-License-Identifier: GPL-3.0-or-later
"""A template is one value through requests, recipes and results; requests without one are what they were."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon.core import protocol, ways
from addon.core.errors import UserError
from addon.core.protocol import Start
from addon.core.recipe import Recipe
from addon.core.recipe_words import description
from addon.core.requests.finish import Finish
from addon.core.requests.template import USUAL_STRENGTH, Fit, Region, Template
from addon.core.requests.texture import MAX_SEED, Axes, Size, TextureRequest
from addon.core.results import BASE_COLOR, MASK, TEMPLATE, Result

HASH = "0123456789abcdef" * 4
WALL = Template("/pictures/wall é.png", source_recipe="{}")
REQUEST = TextureRequest("moss", seed=7)

shares = st.floats(0, 1)
templates = st.builds(
    lambda region, strength, **fields: Template(
        region=region,
        mask="/m.png" if region is Region.MASK else "",
        strength=strength or float(region is Region.TILE),
        **fields,
    ),
    region=st.sampled_from(Region),
    source=st.just("/pictures/wall é.png"),
    strength=shares,
    fit=st.sampled_from(Fit),
    tileable=st.booleans(),
    feather=st.floats(0, 0.25),
    amount=shares,
    keep_edges=st.booleans(),
    sha256=st.sampled_from(["", HASH]),
    source_recipe=st.text(max_size=20),
    tile=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)


@given(templates, shares, st.integers(0, MAX_SEED))
def test_a_template_survives_the_protocol_and_the_recipe(template, variation, seed):
    variants = 16 if template.region is Region.TILE else 1
    request = TextureRequest("moss", template=template, variation=variation, variation_seed=seed, variants=variants)
    (message,) = protocol.FrameReader().feed(protocol.encode(Start("job", request, "/store")))
    assert message.request == request
    assert Recipe.loads(Recipe(request, "0").dumps()).request == request


def test_a_request_without_a_template_is_written_as_before_there_were_any():
    assert not {"template", "variation", "variation_seed"} & set(REQUEST.to_json())
    assert TextureRequest("moss", seed=7, variation_seed=5) == REQUEST


def test_a_templates_defaults_are_left_out():
    assert Template("/a.png").to_json() == {"source": "/a.png", "strength": 0.6}
    assert Template("/a.png", region=Region.GROW).to_json() == {
        "source": "/a.png",
        "strength": 0.6,
        "fit": "TILE",
        "region": "GROW",
    }
    assert set(USUAL_STRENGTH) == set(Region)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"source": "wall.png"}, "whole path"),
        ({"source": 5}, "whole path"),
        ({"strength": 1.1}, "1.1"),
        ({"strength": float("nan")}, "nan"),
        ({"strength": True}, "True"),
        ({"feather": 0.3}, "0.25"),
        ({"amount": -1}, "amount of wear"),
        ({"fit": "STRETCH"}, "fit"),
        ({"tileable": 1}, "template"),
        ({"cover": None}, "template"),
        ({"region": Region.MASK}, "no mask"),
        ({"region": Region.MASK, "mask": "m.png"}, "whole path"),
        ({"mask": "/m.png"}, "region of the mask"),
        ({"sha256": "xyz"}, "hash"),
        ({"source_recipe": "x" * 300_001}, "too long"),
    ],
)
def test_a_template_that_cannot_be_is_refused_in_a_sentence(settings, word):
    with pytest.raises(UserError, match=word) as caught:
        Template(**{"source": "/wall.png"} | settings)
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    "data", [None, [], {}, {"source": "/a.png", "other": 1}, {"source": "/a.png", "fit": "WIDE"}, {"strength": 0.5}]
)
def test_json_of_something_else_is_refused(data):
    with pytest.raises(UserError):
        TextureRequest.from_json({"prompt": "moss", "template": data})


@pytest.mark.parametrize("settings", [{"tileable": True}, {"region": Region.SEAM}])
def test_what_needs_an_axis_is_refused_without_one(settings):
    with pytest.raises(UserError, match=r"axis|seam"):
        TextureRequest("moss", axes=Axes.NONE, template=replace(WALL, **settings))


@pytest.mark.parametrize("variation", [-0.1, 1.1, float("nan"), "1", True])
def test_a_variation_out_of_range_is_refused(variation):
    with pytest.raises(UserError, match="variation"):
        TextureRequest("moss", variation=variation)


def test_variations_count_their_own_seed_up():
    request = TextureRequest("moss", seed=7, count=2, variation=0.2, variation_seed=MAX_SEED)
    assert [(one.seed, one.variation_seed) for one in map(request.single, range(2))] == [(7, MAX_SEED), (7, 0)]
    assert request.seeds() == [7, 7]


def test_a_recipe_says_what_was_done_with_the_template():
    made = Recipe(REQUEST, "f")
    for region in Region:
        mask = "/m.png" if region is Region.MASK else ""
        template = Template("/p/wall.png", 0.25, region=region, mask=mask, source_recipe=made.dumps())
        request = replace(
            REQUEST, template=template, variation=0.5, variation_seed=9, variants=4 if region is Region.TILE else 1
        )
        text = description(Recipe(request, "f"), "Starter").replace(
            " 4 tiles of 512x512 pixels, whose edges fit each other.", ""
        )
        assert "the template wall.png, strength 0.25. Varied by 0.5 with the seed 9." in text or region is Region.SEAM
        assert text.endswith("The picture: " + description(made, "Starter"))


def test_a_texture_from_a_template_is_a_source_of_its_own_without_a_recipe_in_a_recipe():
    recipe = Recipe(replace(REQUEST, template=replace(WALL, source_recipe=Recipe(REQUEST, "f").dumps())), "g")
    source = Recipe.loads(recipe.as_source())
    assert source == Recipe(replace(REQUEST, template=replace(WALL, source_recipe="")), "g")


def result(request: TextureRequest, **files: str) -> Result:
    return Result(Path("/store/moss-7"), {BASE_COLOR: "base_color.png", **files}, Recipe(request, "f"))


def test_again_takes_the_copies_beside_the_result():
    template = Template("/gone/wall.jpg", region=Region.MASK, mask="/gone/m.png", sha256=HASH)
    made = result(replace(REQUEST, template=template), **{TEMPLATE: "template.jpg", MASK: "mask.png"})
    request = ways.again(made)
    assert request.template == replace(template, source="/store/moss-7/template.jpg", mask="/store/moss-7/mask.png")
    assert ways.again(result(REQUEST)) == REQUEST
    varied = ways.varied(made, 0.2, 5, 3)
    assert (varied.template, varied.variation, varied.variation_seed, varied.count) == (request.template, 0.2, 5, 3)


def test_a_part_of_a_result_is_made_anew_at_the_size_that_it_has():
    made = result(replace(REQUEST, finish=Finish(upscale=2)))
    request = ways.anew(made, Region.SEAM, feather=0.1)
    assert (request.size, request.finish) == (Size(1024, 1024), Finish())
    assert request.template == Template(
        "/store/moss-7/base_color.png",
        USUAL_STRENGTH[Region.SEAM],
        region=Region.SEAM,
        feather=0.1,
        source_recipe=json.dumps(made.recipe.to_json(), separators=(",", ":")),
    )
    grown = ways.grown(result(REQUEST), across=2, down=1)
    assert (grown.size, grown.template.region, grown.template.fit) == (Size(1024, 512), Region.GROW, Fit.TILE)
    larger = ways.larger(result(REQUEST), Size(2048, 2048))
    assert (larger.size, larger.template.strength) == (Size(2048, 2048), ways.LARGER_STRENGTH)
    with pytest.raises(UserError, match="2048"):
        ways.grown(result(REQUEST), across=8)
