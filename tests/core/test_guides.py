# SPDX-License-Identifier: GPL-3.0-or-later
"""Guides are one value through requests, recipes and results; requests without any are what they were."""

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
from addon.core.requests import request_from_json
from addon.core.requests.guides import MAX_CONTROLS, Control, ControlKind, Guides, Style, kind_of
from addon.core.requests.texture import Axes, TextureRequest
from addon.core.results import BASE_COLOR, Result

HASH, PRINT = "0123456789abcdef" * 4, "0123456789abcdef"
CONTROL = Control("/models/depth", "/pictures/wall é.png")
STYLE = Style("/models/ip-adapter.safetensors", "/pictures/style.png")
REQUEST = TextureRequest("moss", seed=7)

controls = st.builds(
    Control,
    model=st.just("/models/depth"),
    picture=st.just("/pictures/wall é.png"),
    kind=st.sampled_from(ControlKind),
    strength=st.floats(0, 2),
    start=st.floats(0, 0.4),
    end=st.floats(0.5, 1),
    tileable=st.booleans(),
    sha256=st.sampled_from(["", HASH]),
    fingerprint=st.sampled_from(["", PRINT]),
)
styles = st.builds(
    Style,
    file=st.just("/models/ip.safetensors"),
    picture=st.just("/p.png"),
    encoder=st.sampled_from(["", "/models/eye"]),
    strength=st.floats(0, 1),
    sha256=st.sampled_from(["", HASH]),
    fingerprint=st.sampled_from(["", PRINT]),
)
guides = st.builds(Guides, st.lists(controls, max_size=MAX_CONTROLS).map(tuple), st.one_of(st.none(), styles))


@given(guides)
def test_guides_survive_the_protocol_and_the_recipe(some):
    request = TextureRequest("moss", guides=some)
    (message,) = protocol.FrameReader().feed(protocol.encode(Start("job", request, "/store")))
    assert message.request == request
    assert Recipe.loads(Recipe(request, "0").dumps()).request == request


def test_a_request_without_guides_is_written_as_before_there_were_any():
    assert "guides" not in REQUEST.to_json()
    assert not Guides()
    assert REQUEST.pace_key == replace(REQUEST, guides=Guides()).pace_key


def test_defaults_are_left_out():
    assert Guides((CONTROL,), STYLE).to_json() == {
        "controls": [{"model": "/models/depth", "picture": "/pictures/wall é.png"}],
        "style": {"file": "/models/ip-adapter.safetensors", "picture": "/pictures/style.png"},
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"strength": 2.1}, "from 0 to 2"),
        ({"strength": float("nan")}, "must be a number"),
        ({"strength": True}, "must be a number"),
        ({"start": 0.6, "end": 0.6}, "end after it starts"),
        ({"model": "depth"}, "whole path"),
        ({"picture": "/a\0b"}, "whole path"),
        ({"kind": "DEPTH!"}, "kind of control picture"),
        ({"fingerprint": HASH}, "hash is not one"),
    ],
)
def test_what_is_wrong_with_a_control_is_refused(change, words):
    with pytest.raises(UserError, match=words):
        replace(CONTROL, **change)


def test_so_is_what_is_wrong_with_the_rest():
    with pytest.raises(UserError, match="from 0 to 1"):
        replace(STYLE, strength=1.5)
    with pytest.raises(UserError, match="whole path"):
        replace(STYLE, encoder="eye")
    with pytest.raises(UserError, match="At most 4"):
        Guides((CONTROL,) * (MAX_CONTROLS + 1))
    with pytest.raises(UserError, match="needs an axis"):
        replace(REQUEST, axes=Axes.NONE, guides=Guides((replace(CONTROL, tileable=True),)))
    for data in (
        {"controls": [{"model": "/a"}]},
        {"controls": "a"},
        {"controls": [{"model": "/a", "picture": "/b", "kind": "SMELL"}]},
        {"style": {"file": "/a", "picture": "/b", "taste": 1}},
        {"else": 1},
        [],
    ):
        with pytest.raises(UserError):
            request_from_json({"prompt": "moss", "guides": data})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("/models/control_v11f1p_sd15_depth", ControlKind.DEPTH),
        ("C:\\models\\control_v11p_sd15_normalbae_fp16.safetensors", ControlKind.NORMAL),
        ("/depth/control_v11p_sd15_canny", ControlKind.EDGES),
        ("/models/control_v11f1e_sd15_tile", ControlKind.TILE),
        ("/models/controlnet-union-sdxl-1.0", ControlKind.OTHER),
    ],
)
def test_what_a_control_net_wants_to_see_stands_in_its_name(name, kind):
    assert kind_of(name) is kind


def test_people_read_what_guided_a_texture():
    request = replace(REQUEST, guides=Guides((replace(CONTROL, strength=0.5, end=0.8),), STYLE))
    text = description(Recipe(request, "0"), "a model")
    assert "Structure from wall é.png with the ControlNet depth, strength 0.5, from 0 to 0.8 of the steps." in text
    assert "Style of style.png with the IP-Adapter ip-adapter.safetensors, strength 0.6." in text


def test_a_result_is_made_again_with_the_copies_beside_it():
    request = replace(REQUEST, guides=Guides((CONTROL, CONTROL), STYLE))
    files = {BASE_COLOR: "a.png", "guide1": "guide1.png", "guide3": "guide3.jpg"}
    result = Result(Path("/store/moss"), files, Recipe(request, "0"))
    again = ways.again(result).guides
    assert again.pictures == ("/store/moss/guide1.png", CONTROL.picture, "/store/moss/guide3.jpg")
    assert ways.anew(result).guides == again
    assert ways.grown(result).guides == replace(again, controls=())
