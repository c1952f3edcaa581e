# SPDX-License-Identifier: GPL-3.0-or-later
"""Captions to token ids as the pipeline makes them, also in processes without torch. Imports numpy and tokenizers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

MAX_TOKENS = 48


def load(folder: Path) -> Tokenizer:
    """The tokenizer of a model's `tokenizer` folder, which cuts and fills up to MAX_TOKENS."""
    known = Tokenizer.from_file(str(folder / "tokenizer.json"))
    known.enable_truncation(MAX_TOKENS)
    filler = "[PAD]"
    known.enable_padding(length=MAX_TOKENS, pad_id=known.token_to_id(filler), pad_token=filler)
    return known


def tokenize(known: Tokenizer, captions: Sequence[str]) -> np.ndarray:
    """int16 (captions, MAX_TOKENS)."""
    return np.array([encoding.ids for encoding in known.encode_batch(list(captions))], np.int16)
