# SPDX-License-Identifier: GPL-3.0-or-later
"""What a search finds, what is offered again, and what a clean-up may take."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon.core.errors import UserError
from addon.core.history import YOUNG, Entry, Marks, Which, expendable, left_behind, newest_first, search
from addon.core.recipe import Recipe
from addon.core.requests.texture import Size, TextureRequest
from addon.core.results import Result

NOW = 1_000_000.0


def entry(name="a", prompt="mossy red bricks", created=0.0, size=10, favourite=False, taken_by=(), used=0.0, **request):
    recipe = Recipe(TextureRequest(prompt, **request), "weights")
    result = Result(Path("/store") / name, {"base_color": "base_color.png"}, recipe, created=created)
    return Entry(result, Marks(favourite, tuple(taken_by), used), size)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["a", "b"]),
        ("MOSSY", ["a"]),
        ("bricks red", ["a"]),
        ("red oak", []),
        ("  oak   ", ["b"]),
        ("256x128", ["b"]),
        ("starter", ["a", "b"]),
        ("77", ["b"]),
        ("ЁЛКА", []),
    ],
)
def test_a_search_finds_what_holds_every_word(text, found):
    entries = [entry("a"), entry("b", "oak planks", size=1, seed=77)]
    entries[1] = replace(
        entries[1],
        result=replace(
            entries[1].result,
            recipe=replace(
                entries[1].result.recipe, request=replace(entries[1].result.recipe.request, size=Size(256, 128))
            ),
        ),
    )
    assert [item.name for item in search(entries, text)] == found


def test_favourites_and_what_is_in_no_file_can_be_shown_alone():
    entries = [entry("a", favourite=True, taken_by=["/x.blend"]), entry("b"), entry("c", "oak")]
    assert [item.name for item in search(entries, "", Which.FAVOURITES)] == ["a"]
    assert [item.name for item in search(entries, "", Which.UNTAKEN)] == ["b", "c"]
    assert [item.name for item in search(entries, "oak", Which.UNTAKEN)] == ["c"]


def test_the_newest_come_first():
    assert [
        item.name for item in newest_first([entry("a", created=1), entry("b", created=3), entry("c", created=2)])
    ] == [
        "b",
        "c",
        "a",
    ]


def test_offered_again_is_what_no_file_took_and_the_user_has_not_dismissed():
    entries = [
        entry("dismissed", created=1),
        entry("lost", created=5),
        entry("taken", created=5, taken_by=["/x.blend"]),
        entry("of this session", created=9),
    ]
    assert [item.name for item in left_behind(entries, 2, 8)] == ["lost"]


def test_marks_read_back_and_keep_each_file_once():
    marks = Marks(True).taken("/a.blend").taken("/b.blend").taken("/a.blend")
    assert marks.taken_by == ("/a.blend", "/b.blend")
    assert Marks.from_json(marks.to_json()) == marks
    assert marks.left("/a.blend") == Marks(True, ("/b.blend",))


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"favourite": 1, "taken_by": [], "used": 0},
        {"favourite": True, "taken_by": ["a\0b"], "used": 0},
        {"favourite": True, "taken_by": "x", "used": 0},
        {"favourite": True, "taken_by": [], "used": "soon"},
        {"favourite": True, "taken_by": [], "used": float("nan")},
    ],
)
def test_marks_of_another_kind_are_refused(data):
    with pytest.raises(UserError):
        Marks.from_json(data)


def test_a_clean_up_takes_the_oldest_and_no_more_than_it_must():
    entries = [entry(name, created=age) for age, name in enumerate("abcd")]
    assert expendable(entries, 25, (), NOW, lambda file: False) == ["a", "b"]
    assert expendable(entries, 40, (), NOW, lambda file: False) == []


def test_a_clean_up_takes_nothing_that_is_in_use():
    entries = [
        entry("favourite", favourite=True),
        entry("open"),
        entry("saved", taken_by=["/gone.blend", "/there.blend"]),
        entry("young", created=NOW - YOUNG / 2),
        entry("used", used=NOW - YOUNG / 2),  # perhaps in a file of another Blender that was not saved yet
        entry("of a file that is gone", taken_by=["/gone.blend"]),
    ]
    assert expendable(entries, 0, {"open"}, NOW, lambda file: file == "/there.blend") == ["of a file that is gone"]


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.floats(0, NOW), st.booleans(), st.sampled_from([(), ("/there",), ("/gone",)])),
        max_size=20,
    ),
    st.integers(0, 500),
    st.sets(st.integers(0, 19)),
)
def test_law_of_the_clean_up(rows, limit, kept):
    entries = [
        entry(str(number), size=size, created=created, favourite=favourite, taken_by=files)
        for number, (size, created, favourite, files) in enumerate(rows)
    ]
    keep = {str(number) for number in kept}
    going = set(expendable(entries, limit, keep, NOW, lambda file: file == "/there"))
    safe = [
        item
        for item in entries
        if item.marks.favourite
        or item.name in keep
        or "/there" in item.marks.taken_by
        or NOW - item.result.created < YOUNG
    ]
    assert not going & {item.name for item in safe}
    left = sum(item.size for item in entries if item.name not in going)
    assert left <= limit or left == sum(item.size for item in safe)
