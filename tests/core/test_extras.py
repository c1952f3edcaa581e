# SPDX-License-Identifier: GPL-3.0-or-later
"""LoRAs, embeddings and clip skip in a request: refused by name, kept exactly, silent where there are none."""

from pathlib import Path

import pytest

from addon.core.errors import ErrorKind, UserError
from addon.core.model_files import hashes
from addon.core.requests.extras import Embedding, Extras, Lora, parse_lora
from addon.core.requests.texture import TextureRequest

MOSS = Lora("/models/moss.safetensors", weight=0.8)


def test_a_request_survives_json() -> None:
    extras = Extras(
        (MOSS, Lora("C:\\models\\brick.SAFETENSORS", "0123456789", -1)), (Embedding("/models/word.safetensors"),), 2
    )
    request = TextureRequest("bricks", extras=extras)
    assert TextureRequest.from_json(request.to_json()) == request
    assert [lora.name for lora in extras.loras] == ["moss.safetensors", "brick.SAFETENSORS"]


def test_without_any_the_json_is_what_it_was() -> None:
    assert "extras" not in TextureRequest("bricks").to_json()
    assert TextureRequest("bricks", extras=Extras((MOSS,))).to_json()["extras"] == {
        "loras": [{"file": "/models/moss.safetensors", "weight": 0.8}]
    }


def test_the_recipes_words_name_each() -> None:
    extras = Extras((MOSS,), (Embedding("/models/word.safetensors"),), 2)
    assert TextureRequest("bricks", extras=extras).sentences("Large")[-3:] == [
        "LoRA moss.safetensors, weight 0.8.",
        "Embedding word.safetensors.",
        "Clip skip 2.",
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"file": "moss.safetensors"}, "must be named by its whole path"),
        ({"file": "/models/moss.pt"}, "moss.pt is not a .safetensors file, the only kind that can't run code."),
        ({"file": "/models/moss.ckpt"}, "moss.ckpt is not a .safetensors file"),
        ({"file": "/mo\0ss.safetensors"}, "whole path"),
        ({"file": 7}, "whole path"),
        ({"weight": 4.1}, "The weight of moss.safetensors must be from -4 to 4, not 4.1."),
        ({"weight": float("nan")}, "The weight of moss.safetensors must be a number, not nan."),
        ({"weight": True}, "must be a number"),
        ({"weight": "1"}, "must be a number"),
        ({"sha256": "xyz"}, "The hash of moss.safetensors is not one."),
        ({"sha256": "0123456789abcdef"}, "is not one"),
    ],
)
def test_what_cannot_be_is_refused_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        Lora(**{"file": "/models/moss.safetensors"} | values)
    assert caught.value.kind is ErrorKind.REQUEST
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loras": (MOSS, MOSS)}, "moss.safetensors is there twice."),
        ({"loras": [MOSS]}, "The LoRAs are not known."),
        ({"loras": (Embedding(MOSS.file),)}, "The LoRAs are not known."),
        ({"embeddings": (MOSS,)}, "The embeddings are not known."),
        (
            {"loras": tuple(Lora(f"/{n}.safetensors") for n in range(33))},
            "There are 33 LoRAs; at most 32 are possible.",
        ),
        ({"clip_skip": 13}, "Clip skip must be a whole number from 0 to 12, not 13."),
        ({"clip_skip": True}, "Clip skip must be a whole number"),
    ],
)
def test_lists_that_cannot_be_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        Extras(**values)
    assert caught.value.message == message or message in caught.value.message


@pytest.mark.parametrize(
    "data",
    [
        7,
        {"loras": 7},
        {"loras": [7]},
        {"loras": [{}]},
        {"other": 1},
        {"loras": [{"file": "/a.safetensors", "run": "x"}]},
    ],
)
def test_json_that_is_something_else_is_refused(data: object) -> None:
    with pytest.raises(UserError):
        TextureRequest.from_json({"prompt": "bricks", "extras": data})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("moss.safetensors", ("moss.safetensors", 1.0)),
        ("moss.safetensors:0.8", ("moss.safetensors", 0.8)),
        ("C:\\models\\moss.safetensors", ("C:\\models\\moss.safetensors", 1.0)),
        ("C:\\models\\moss.safetensors:-1", ("C:\\models\\moss.safetensors", -1.0)),
    ],
)
def test_the_command_line_names_file_and_weight(text: str, found: tuple[str, float]) -> None:
    assert parse_lora(text) == found


def test_a_weight_that_is_none_is_said() -> None:
    with pytest.raises(UserError, match=r"^'strong' is not a weight\."):
        parse_lora("moss.safetensors:strong")


def test_a_hash_is_read_anew_when_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "moss.safetensors"
    path.write_bytes(b"a")
    first = hashes.short(path)
    assert first == "ca978112ca"  # of "a", as everybody's sha256 has it
    path.write_bytes(b"ab")
    assert hashes.short(path) != first
    path.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        hashes.short(path)
