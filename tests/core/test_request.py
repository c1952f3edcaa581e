# SPDX-License-Identifier: GPL-3.0-or-later
"""The request refuses by name what cannot be made, and keeps exactly what can."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon.core.errors import ErrorKind, UserError
from addon.core.requests.detail import Detail, parse_detail
from addon.core.requests.texture import MAX_SEED, Axes, Scheduler, Size, TextureRequest

sizes = st.builds(Size, *(st.integers(1, 32).map(lambda n: 64 * n),) * 2)
prompts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300)
requests = st.builds(
    TextureRequest,
    prompt=prompts,
    negative_prompt=prompts,
    size=sizes,
    steps=st.integers(1, 150),
    guidance_scale=st.floats(0, 30),
    seed=st.integers(0, MAX_SEED),
    count=st.integers(1, 1000),
    axes=st.sampled_from(Axes),
    scheduler=st.sampled_from(Scheduler),
    model=st.just("starter"),
)


@given(requests)
def test_a_request_survives_json(request):
    assert TextureRequest.from_json(request.to_json()) == request


def test_a_detail_size_stands_in_json_where_it_is_not_medium_and_changes_what_is_sampled():
    plain = TextureRequest("bricks", size=Size(512, 256))
    assert "detail" not in plain.to_json()
    assert plain.picture_size == Size(512, 256)
    for detail, sides in ((Detail.FINE, (1024, 512)), (Detail.COARSE, (256, 128))):
        request = TextureRequest("bricks", size=Size(512, 256), detail=detail)
        assert request.to_json()["detail"] == detail.value
        assert TextureRequest.from_json(request.to_json()) == request
        assert (request.picture_size.width, request.picture_size.height) == sides
        assert request.result_size == (512, 256)
        assert request.pace_key != plain.pace_key
        assert f"Detail size: {detail.value.lower()}." in request.sentences("Starter")
    assert parse_detail(" Coarse") is Detail.COARSE


@pytest.mark.parametrize(
    ("size", "detail"), [(Size(1088, 512), Detail.FINE), (Size(64, 128), Detail.COARSE), (Size(512, 512), "huge")]
)
def test_a_detail_size_that_no_model_could_sample_is_refused(size, detail):
    with pytest.raises(UserError, match="detail size") as caught:
        TextureRequest("bricks", size=size, detail=detail)
    assert caught.value.kind is ErrorKind.REQUEST


def test_a_word_that_is_no_detail_size_is_refused():
    with pytest.raises(UserError, match="'huge' is no detail size"):
        parse_detail("huge")


@pytest.mark.parametrize("side", [-1, 0, 1, 63, 513, 2112, 8192, 2**31, 512.0, "512", None, True])
def test_fault_17_odd_sizes_are_refused_by_name(side):
    for build in (lambda: Size(side, 512), lambda: Size(512, side)):
        with pytest.raises(UserError) as caught:
            build()
        assert caught.value.kind is ErrorKind.REQUEST
        assert str(side) in caught.value.message


@pytest.mark.parametrize(("text", "size"), [("512", (512, 512)), ("512x256", (512, 256)), (" 64X2048 ", (64, 2048))])
def test_sizes_are_read_width_first(text, size):
    assert Size.parse(text) == Size(*size)


@pytest.mark.parametrize("text", ["", "x", "512x", "512x256x3", "5e2", "-512", "513", "9" * 30, "٥١٢"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UserError):
        Size.parse(text)


@pytest.mark.parametrize(
    "prompt", ["", "a" * 10_000, "two\nlines\r\n\ttab", "moss 🌿 砖墙 кирпич", "\u202eright to left"]
)
def test_fault_16_odd_prompts_are_kept_exactly(prompt):
    assert TextureRequest.from_json(TextureRequest(prompt).to_json()).prompt == prompt


@pytest.mark.parametrize(
    ("prompt", "name"), [("a\0b", "NUL"), ("\ud800", "surrogate"), ("a" * 20_001, "20001"), (7, "text")]
)
def test_fault_16_prompts_that_cannot_be_kept_are_refused_by_name(prompt, name):
    with pytest.raises(UserError, match=name):
        TextureRequest(prompt)
    with pytest.raises(UserError, match=name):
        TextureRequest("bricks", negative_prompt=prompt)


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 0},
        {"steps": 151},
        {"steps": 2.0},
        {"guidance_scale": float("nan")},
        {"guidance_scale": -0.1},
        {"guidance_scale": 31},
        {"seed": -1},
        {"seed": 2**31},
        {"seed": True},
        {"count": 0},
        {"count": 1001},
        {"axes": "XY"},
        {"model": "  "},
        {"model": "a\0"},
    ],
)
def test_values_out_of_range_are_refused(settings):
    with pytest.raises(UserError):
        TextureRequest("bricks", **settings)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"prompt": "x", "other": 1},
        {"prompt": "x", "size": 5},
        {"prompt": "x", "size": [64]},
        {"prompt": "x", "axes": "Z"},
    ],
)
def test_json_of_something_else_is_refused(data):
    with pytest.raises(UserError):
        TextureRequest.from_json(data)


def test_seeds_count_up_and_start_over():
    request = TextureRequest("bricks", seed=MAX_SEED - 1, count=3)
    assert request.seeds() == [MAX_SEED - 1, MAX_SEED, 0]
    assert request.single(2) == TextureRequest("bricks", seed=0)


def test_axes_say_which_edges_meet():
    assert [(axes.x, axes.y) for axes in (Axes.XY, Axes.X, Axes.Y, Axes.NONE)] == [
        (True, True),
        (True, False),
        (False, True),
        (False, False),
    ]
