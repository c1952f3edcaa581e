# SPDX-License-Identifier: GPL-3.0-or-later
"""A recipe in words."""

from dataclasses import replace

from addon.core.recipe import Recipe
from addon.core.recipe_words import description, tags
from addon.core.requests.picture import PictureRequest
from addon.core.requests.texture import Axes

from .test_recipe import RECIPE


def test_description_tells_all_that_a_reader_could_repeat() -> None:
    request = replace(RECIPE.request, prompt="mossy\nred  brick", negative_prompt="snow", axes=Axes.X, seed=7)
    text = description(replace(RECIPE, request=request), "Starter")
    assert text.startswith("“mossy red brick”. Without: “snow”. ")
    assert f"{request.size.width} x {request.size.height} pixels, repeats left to right." in text
    assert "with the model Starter. Seed 7, " in text
    assert f"{request.steps} steps, guidance {request.guidance_scale:g}." in text


def test_description_without_a_negative_prompt_says_nothing_of_it() -> None:
    request = replace(RECIPE.request, negative_prompt=" ")
    assert "Without" not in description(replace(RECIPE, request=request), "Starter")


def test_tags_are_the_words_that_somebody_would_look_for() -> None:
    request = replace(RECIPE.request, prompt="Mossy red BRICK wall, with a red door and 12 Äpfel of it")
    assert tags(replace(RECIPE, request=request)) == ["mossy", "red", "brick", "wall", "door", "äpfel"]
    assert tags(replace(RECIPE, request=replace(RECIPE.request, prompt="🧱 1 2"))) == []


def test_word_that_is_none_fits_into_a_tag() -> None:
    request = replace(RECIPE.request, prompt="x" * 20_000)
    assert all(len(tag.encode()) <= 63 for tag in tags(replace(RECIPE, request=request)))


def test_description_tells_what_made_the_picture_that_it_was_made_from() -> None:
    request = PictureRequest("/a.png", tileable=True, title="Moss 2x", source_recipe=RECIPE.as_source())
    text = description(Recipe(request, "f"), "Starter")
    assert text == (
        "“Moss 2x”. Made from a picture by Tilewright; repeats both ways. The picture: "
        + description(RECIPE, "Starter")
    )
