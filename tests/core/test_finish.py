# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be asked for after a picture, and for a picture that exists; the same verdict wherever it is asked."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon.core import protocol
from addon.core.errors import ErrorKind, UserError
from addon.core.jobs import JobQueue
from addon.core.protocol import Phase, Progress, Start
from addon.core.recipe import Recipe
from addon.core.requests import recipe_json, request_from_json
from addon.core.requests.finish import Finish, MapKind, absolute, parse_kind, parse_maps
from addon.core.requests.picture import Content, PictureRequest
from addon.core.requests.texture import Axes, Size, TextureRequest
from addon.core.surface_kinds import SurfaceKind

finishes = st.builds(
    Finish,
    upscale=st.sampled_from([1, 2, 4, 8]),
    upscaler=st.sampled_from(["starter", "lanczos", "/models/4x.safetensors"]),
    maps=st.lists(st.sampled_from(list(MapKind)), unique=True).map(tuple),
    map_networks=st.sampled_from(["starter", "filter", "/models/maps"]),
    kind=st.sampled_from(list(SurfaceKind)),
    delight=st.booleans(),
    invert_relief=st.booleans(),
)
image_requests = st.builds(
    PictureRequest,
    source=st.just("/pictures/wall é.png"),
    finish=finishes,
    axes=st.sampled_from([Axes.XY, Axes.X, Axes.Y]),
    tileable=st.just(True),
    content=st.sampled_from([Content.COLOR, Content.LINEAR]),
    title=st.text(max_size=30),
)


@given(finishes)
def test_a_finish_survives_json(finish):
    assert Finish.from_json(json.loads(json.dumps(finish.to_json()))) == finish


@given(image_requests)
def test_a_pictures_request_survives_the_protocol_and_the_recipe(request_):
    (message,) = protocol.FrameReader().feed(protocol.encode(Start("job", request_, "/store")))
    assert message == Start("job", request_, "/store")
    recipe = Recipe(request_, "0123", {"torch": "2"})
    assert Recipe.loads(recipe.dumps()) == recipe


def test_a_textures_request_carries_its_finish_through_the_protocol():
    request = TextureRequest("wall", finish=Finish(4, maps=(MapKind.NORMAL, MapKind.HEIGHT)))
    assert request.finish.maps == (MapKind.HEIGHT, MapKind.NORMAL)  # in one order, so that equal wishes are equal
    (message,) = protocol.FrameReader().feed(protocol.encode(Start("job", request, "/store")))
    assert message == Start("job", request, "/store")


def test_a_finish_without_a_kind_is_the_json_it_always_was():
    assert set(Finish(2, maps=(MapKind.HEIGHT,)).to_json()) == {"upscale", "upscaler", "maps", "map_networks"}
    assert Finish.from_json({"upscale": 2}) == Finish(2, kind=SurfaceKind.AUTO, delight=False, invert_relief=False)


@pytest.mark.parametrize("name", ["metal", "METAL", "Metal"])
def test_kinds_are_read_in_any_letters(name):
    assert parse_kind(name) is SurfaceKind.METAL


@pytest.mark.parametrize("name", ["metall", "", 3, None, "name"])
def test_an_unknown_kind_is_one_sentence_with_those_there_are(name):
    with pytest.raises(UserError) as caught:
        Finish.from_json({"kind": name})
    assert caught.value.message.count(".") == 1
    assert "stone" in caught.value.hint


def test_only_colors_are_delit():
    assert Finish(delight=True).does_something
    with pytest.raises(UserError, match="de-lit"):
        PictureRequest("/a.png", Finish(delight=True), content=Content.NORMAL)
    assert PictureRequest("/a.png", Finish(delight=True)).file_stem == "a-de-lit"


def test_recipes_from_before_there_was_upscaling_are_read():
    data = TextureRequest("wall", seed=5).to_json()
    assert "finish" not in data
    assert request_from_json(data) == TextureRequest("wall", seed=5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"upscale": 3},
        {"upscale": 0},
        {"upscale": True},
        {"upscale": "2"},
        {"upscaler": ""},
        {"upscaler": "relative.safetensors"},
        {"upscaler": "/with\0nul"},
        {"map_networks": "lanczos"},
        {"maps": "height"},
        {"maps": ["depth"]},
        {"sharpen": 1},
        {"invert_relief": 1},
    ],
)
def test_a_wrong_finish_is_refused_everywhere(wrong):
    with pytest.raises(UserError) as caught:
        Finish.from_json(wrong)
    assert caught.value.kind is ErrorKind.REQUEST
    assert caught.value.message.endswith(".")
    data = {"type": "Start", "job": "7", "request": {"prompt": "wall", "finish": wrong}, "store": "/store"}
    with pytest.raises(protocol.InvalidRequest) as refused:
        protocol.decode(json.dumps(data).encode())
    assert refused.value.job == "7"


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "relative.png", "tileable": True},
        {"source": "/a.png"},
        {"source": "/a\0.png", "tileable": True},
        {"source": "/a.png", "tileable": 1},
        {"source": "/a.png", "tileable": True, "axes": "NONE"},
        {"source": "/a.png", "tileable": True, "axes": "Z"},
        {"source": "/a.png", "tileable": True, "content": "PHOTO"},
        {"source": "/a.png", "finish": {"maps": ["height"]}, "content": "NORMAL"},
        {"source": "/a.png", "tileable": True, "title": "x" * 2000},
        {"source": "/a.png", "tileable": True, "prompt": "wall"},
        {"source": "/a.png", "tileable": True, "source_recipe": {"request": {}}},
        {"source": "/a.png", "tileable": True, "source_recipe": "x" * 400_000},
    ],
)
def test_a_wrong_request_for_a_picture_is_refused(wrong):
    with pytest.raises(UserError) as caught:
        request_from_json(wrong)
    assert caught.value.kind is ErrorKind.REQUEST


def test_a_result_may_not_grow_over_what_a_texture_may_have():
    with pytest.raises(UserError, match="16384"):
        TextureRequest("wall", size=Size(2048, 2048 + 64 - 64), finish=Finish(8)).finish.check_size(4096, 64)
    Finish(8).check_size(2048, 2048)
    with pytest.raises(UserError, match="131072 pixels long"):
        Finish(8).check_size(16384, 10)


def test_all_stands_for_every_map():
    assert Finish(maps=parse_maps(["all", "height"])).maps == tuple(MapKind)


def test_choices_are_words_or_whole_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("starter") == "starter"
    assert absolute("up.safetensors") == str(tmp_path / "up.safetensors")


def test_a_picture_is_called_by_its_title_or_its_files_name():
    assert PictureRequest("/a/Old wall.png", tileable=True).prompt == "Old wall"
    assert PictureRequest("/a/Old wall.png", tileable=True, title="Wall").prompt == "Wall"


def test_the_progress_bar_never_runs_back_through_all_phases():
    queue = JobQueue()
    job = queue.add(PictureRequest("/a.png", Finish(8, maps=(MapKind.HEIGHT,)), tileable=True))
    queue.begin_next()
    seen = []
    for phase, steps in (
        (Phase.LOADING, 0),
        (Phase.TILING, 0),
        (Phase.UPSCALING, 4),
        (Phase.MAPPING, 2),
        (Phase.SAVING, 0),
    ):
        for step in range(steps + 1):
            queue.apply(Progress(job.id, phase, 0, 1, step, steps))
            seen.append(job.fraction)
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert 0.9 < seen[-1] < 1


# --- recipes that stand in files ------------------------------------------------------------------------------------

# As the first versions wrote them, to the byte: before there was upscaling, before there were pictures' recipes, and
# the last before requests said their kind.
STORED = (
    '{"request":{"prompt":"mossy bricks","negative_prompt":"","size":[512,256],"steps":20,"guidance_scale":6.5,'
    '"seed":7,"count":1,"axes":"X","scheduler":"DDIM","model":"starter"},"model_fingerprint":"9f","environment":{}}',
    '{"request":{"prompt":"wall","negative_prompt":"text","size":[64,64],"steps":4,"guidance_scale":7.0,"seed":0,'
    '"count":1,"axes":"XY","scheduler":"MODEL","model":"/m","finish":{"upscale":2,"upscaler":"starter",'
    '"maps":["height"],"map_networks":"filter"}},"model_fingerprint":"9f","environment":{"torch":"2.10"}}',
    '{"request":{"source":"/a/wall.png","finish":{"upscale":4,"upscaler":"lanczos","maps":[],"map_networks":"starter"},'
    '"axes":"XY","tileable":false,"content":"COLOR","title":"Wall 4x"},"model_fingerprint":"9f","environment":{}}',
)


@pytest.mark.parametrize("text", STORED)
def test_recipes_from_before_requests_said_their_kind_are_read_and_stay_the_same_text(text):
    recipe = Recipe.loads(text)
    assert type(recipe.request) is (PictureRequest if "source" in text else TextureRequest)
    assert recipe.dumps() == text
    assert Recipe.loads(recipe.dumps()) == recipe


@given(image_requests)
def test_a_request_says_its_kind_and_a_recipe_only_where_it_would_be_taken_for_another(request_):
    texture = TextureRequest("wall")
    assert (request_.to_json()["kind"], texture.to_json()["kind"]) == ("picture", "texture")
    for request in (request_, texture):
        assert request_from_json(request.to_json()) == request_from_json(recipe_json(request)) == request
        assert "kind" not in recipe_json(request)


def test_a_kind_that_would_be_guessed_wrong_stands_in_the_recipe():
    class Guided:
        """As a texture will be that is made after a picture."""

        kind = "texture"

        def to_json(self):
            return {"source": "/a.png", "prompt": "wall", "kind": "texture"}

    assert recipe_json(Guided())["kind"] == "texture"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"kind": "sound", "prompt": "wall"}, "'sound' is not known"),
        ({"kind": ["texture"], "prompt": "wall"}, "is not known"),
        ({"kind": "picture", "prompt": "wall"}, "not those of a picture"),
        ({"kind": "texture", "source": "/a.png", "tileable": True}, "not those of a texture"),
        ([], "not those of a texture"),
    ],
)
def test_a_kind_that_does_not_fit_is_refused(data, words):
    with pytest.raises(UserError, match=words) as caught:
        request_from_json(data)
    assert caught.value.kind is ErrorKind.REQUEST


@pytest.mark.parametrize("request_", [TextureRequest("wall", seed=3), PictureRequest("/a/wall.png", tileable=True)])
def test_each_request_is_what_it_is_and_refuses_to_be_the_other(request_):
    same, other = (request_.as_texture, request_.as_picture)[:: 1 if request_.is_sampled else -1]
    assert same() is request_
    with pytest.raises(UserError, match="wall"):
        other()
    assert bool(request_.steps) == (request_.result_size is not None) == request_.is_sampled
