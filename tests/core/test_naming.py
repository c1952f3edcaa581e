# SPDX-License-Identifier: GPL-3.0-or-later
"""Names are readable, and every file system and Blender take them."""

from hypothesis import given
from hypothesis import strategies as st

from addon.core.naming import image_name, slug, title


@given(st.text(max_size=300), st.integers(0, 2**31 - 1))
def test_names_hold_everywhere(prompt, seed):
    name = image_name(prompt, seed)
    assert len(name.encode("utf-8", "surrogatepass")) <= 63
    assert name.endswith(f" {seed}")
    assert "\0" not in name
    assert "\n" not in name
    stem = slug(prompt)
    assert stem
    assert len(stem.encode("utf-8")) <= 88
    assert not set(stem) & set('/\\:*?"<>| .\0')
    assert stem == slug(prompt)


def test_names_say_what_the_prompt_said():
    assert image_name("mossy red brick wall", 7) == "mossy red brick wall 7"
    assert slug("Mossy, red brick wall!") == "mossy-red-brick-wall"
    assert title("a " * 60) == ("a " * 20).strip()
    assert slug("砖墙") == "砖墙"


def test_nothing_readable_is_a_texture():
    assert title("\n\t") == title("") == "texture"
    assert slug("!?") == "texture"


def test_names_that_windows_reserves_are_changed():
    assert slug("CON") == "con-texture"
    assert slug("com1") == "com1-texture"


def test_names_of_maps_say_what_they_hold_however_long_the_prompt_is():
    assert image_name("oak", 7, "normal") == "oak 7 normal"
    assert image_name("oak 4x", None) == "oak 4x"
    assert image_name("oak 4x", None, "normal") == "oak 4x normal"
    name = image_name("ä" * 100, 2**31 - 1, "base_color")
    assert name.endswith(" 2147483647 base_color")
    assert len(name.encode()) <= 63
