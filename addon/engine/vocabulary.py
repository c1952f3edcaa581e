# SPDX-License-Identifier: GPL-3.0-or-later
"""CLIP's tokenizer, for checkpoints in one file, which bring none. Imports transformers.

Its vocabulary is in the package (addon/models/clip): the pieces that are joined, in order. All tokens follow from them.
"""

from pathlib import Path
from typing import Any

from transformers import CLIPTokenizer

_MERGES = Path(__file__).resolve().parents[1] / "models" / "clip" / "merges.txt"
_START, _END = "<|startoftext|>", "<|endoftext|>"
_LENGTH = 77  # tokens that CLIP reads


def clip_tokenizer(pad: str) -> Any:
    """pad: the token that fills a prompt up; models were trained with one or another."""
    merges = [tuple(line.split(" ")) for line in _MERGES.read_text(encoding="utf-8").splitlines()]
    letters = _letters()
    words = [*letters, *(f"{letter}</w>" for letter in letters), *map("".join, merges), _START, _END]
    vocabulary = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocabulary, merges, pad_token=pad, model_max_length=_LENGTH)


def _letters() -> list[str]:
    """A printed character for each byte, in CLIP's order: bytes that print stand for themselves, and come first."""
    printed = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printed]
    return [*map(chr, printed), *(chr(256 + number) for number in range(len(others)))]
