# SPDX-License-Identifier: GPL-3.0-or-later
"""A recipe is written into a PNG and read back as it was."""

import struct
import zlib

import pytest
from hypothesis import given

from addon.core import protocol
from addon.core.errors import UserError
from addon.core.recipe import Recipe, read_png
from addon.core.requests.picture import PictureRequest
from addon.core.requests.texture import MAX_PROMPT, TextureRequest

from .test_request import requests

RECIPE = Recipe(TextureRequest("moss 🌿\nred", seed=3), "abc", {"torch": "2.14.1"})


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"\0\1\2\3"))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + data + chunk(b"IEND", b"")


def itxt(text: bytes, key: bytes = b"tilewright", compressed: bytes = b"\0\0") -> bytes:
    return chunk(b"iTXt", key + b"\0" + compressed + b"\0\0" + text)


@given(requests)
def test_a_recipe_survives_text(request):
    recipe = Recipe(request, "0123", {"device": "cpu"})
    assert Recipe.loads(recipe.dumps()) == recipe
    assert recipe.dumps().isascii()


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"request": {}}', "[" * 100_000])
def test_what_is_no_recipe_is_refused(text):
    with pytest.raises(UserError):
        Recipe.loads(text)


@pytest.mark.parametrize(
    "body",
    [itxt(RECIPE.dumps().encode()), itxt(zlib.compress(RECIPE.dumps().encode()), compressed=b"\1\0")],
    ids=["plain", "compressed"],
)
def test_the_recipe_in_a_png_is_found_among_other_texts(tmp_path, body):
    path = tmp_path / "a.png"
    path.write_bytes(png(itxt(b"hello", b"Comment"), body))
    assert read_png(path) == RECIPE


def test_a_png_without_a_recipe_has_none(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(itxt(b"hello", b"Comment")))
    assert read_png(path) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        png(itxt(RECIPE.dumps().encode()))[:60],
        png(itxt(b"\xff")),
        png(itxt(b"x", compressed=b"\1\0")),
        png()[:40],
    ],
    ids=["empty", "html", "cut", "not utf-8", "not compressed", "no end"],
)
def test_a_broken_png_is_refused_in_one_sentence(tmp_path, data):
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(UserError):
        read_png(path)


def test_a_text_chunk_that_claims_gigabytes_is_not_read(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 2**31 - 1) + b"iTXt" + b"tilewright\0")
    with pytest.raises(UserError):
        read_png(path)


def test_what_made_a_picture_goes_with_what_is_made_of_it():
    first = RECIPE.noting({"network up.safetensors": "1, exactly"})
    recipe = first
    for index in range(5):
        request = PictureRequest("/a.png", tileable=True, source_recipe=recipe.as_source())
        recipe = Recipe(request, "f", {f"network {index}.safetensors": "2, exactly", "network up.safetensors": "3"})
        assert Recipe.loads(recipe.dumps()) == recipe
    assert recipe.source.request == RECIPE.request
    assert recipe.networks == ["up.safetensors", *(f"{index}.safetensors" for index in range(5))]
    assert len(recipe.dumps()) < 2000


def test_a_picture_whose_maker_is_not_known_has_the_recipe_it_always_had():
    recipe = Recipe(PictureRequest("/a.png", tileable=True), "f")
    assert "source_recipe" not in recipe.dumps()
    assert Recipe.loads(recipe.dumps()) == recipe
    assert recipe.source is None
    assert Recipe(PictureRequest("/b.png", tileable=True, source_recipe=recipe.as_source()), "f").source == recipe


def test_a_source_that_tells_nonsense_or_too_much_is_as_one_that_is_not_known():
    assert Recipe(PictureRequest("/a.png", tileable=True, source_recipe="nonsense"), "f").source is None
    assert RECIPE.noting({"torch": "x" * 400_000}).as_source() == ""


def test_the_longest_prompts_go_with_what_is_made_of_them():
    longest = Recipe(TextureRequest("苔" * MAX_PROMPT, negative_prompt="苔" * MAX_PROMPT), "abc", {"torch": "2.14.1"})
    request = PictureRequest("/a.png", tileable=True, source_recipe=longest.as_source())
    assert Recipe(request, "f").source == longest
    start = protocol.Start("j", request, "/store")
    assert protocol.decode(protocol.encode(start)[4:]) == start
