# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokenizers of T5 that are there as a `spiece.model` alone, as old folders have them. Imports transformers.

transformers (5.23) asks for two more packages to read such a file. It is a message of Protocol Buffers, and what is
needed of it is in three fields: https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transformers import AddedToken, T5Tokenizer
from transformers.convert_slow_tokenizer import T5Converter

_PIECE, _NORMALIZER = 1, 3  # of the file
_TEXT, _SCORE, _KIND = 1, 2, 3  # of a piece
_CONTROL, _USERS = 3, 4  # kinds of pieces
_CHARACTERS = 2  # of the normalizer


class SpieceTokenizer(T5Tokenizer):
    """transformers', but for the reading of that file. `from_pretrained` raises `ValueError` where it is broken."""

    @classmethod
    def _convert_from_sentencepiece(cls, vocab_file: str, local_kwargs: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = T5Converter.convert_from_spm(**local_kwargs | read(Path(vocab_file)))
        return found


def read(path: Path) -> dict[str, Any]:
    """What `T5Tokenizer` is made of, by the names of its arguments. Raises `ValueError`."""
    pieces: list[tuple[str, float]] = []
    special: list[AddedToken] = []
    characters = None
    try:
        for field, value in _fields(path.read_bytes()):
            if field == _PIECE:
                piece = dict(_fields(value))
                text, kind = piece[_TEXT].decode("utf-8"), piece.get(_KIND, 1)
                pieces.append((text, struct.unpack("<f", piece[_SCORE])[0] if _SCORE in piece else 0.0))
                if kind in (_CONTROL, _USERS):
                    special.append(AddedToken(text, normalized=False, special=kind == _CONTROL))
            elif field == _NORMALIZER:
                characters = dict(_fields(value)).get(_CHARACTERS) or None
    except (IndexError, KeyError, struct.error) as error:
        raise ValueError(f"{path} is no list of tokens") from error
    if not pieces:
        raise ValueError(f"{path} holds no tokens")
    return {"vocab": pieces, "additional_special_tokens": special, "_spm_precompiled_charsmap": characters}


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """A message's fields: number and value, bytes or a whole number. Raises `IndexError` where it is cut short."""
    place = 0
    while place < len(data):
        key, place = _number(data, place)
        match key & 7:
            case 0:
                value, place = _number(data, place)
                yield key >> 3, value
                continue
            case 2:
                length, place = _number(data, place)
            case 5:
                length = 4
            case 1:
                length = 8
            case _:
                raise IndexError("a field of an unknown kind")
        if place + length > len(data):
            raise IndexError("cut short")
        yield key >> 3, data[place : place + length]
        place += length


def _number(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
