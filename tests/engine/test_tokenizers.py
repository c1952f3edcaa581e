# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tokenizer's folder has to hold: the check says what transformers really makes of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers

from addon.core import families
from addon.core.errors import UserError
from addon.core.model_files.folder import check_vocabulary
from addon.engine.spiece import SpieceTokenizer
from tests.engine import transformer_networks

WORDS = ["<unk>", "<|endoftext|>", "<|startoftext|>", "a", "b", "ab", "a</w>", "b</w>", "ab</w>"]


def bpe(place: Path) -> None:
    (place / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(WORDS)}))
    (place / "merges.txt").write_text("#version: 0.2\na b\na b</w>\n")


def half(place: Path) -> None:
    bpe(place)
    (place / "merges.txt").unlink()


def bert(place: Path) -> None:
    (place / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nab\n")


def spiece(place: Path) -> None:
    transformer_networks.write_spiece(place / "spiece.model")


def sentencepiece(place: Path) -> None:
    transformer_networks.write_spiece(place / "tokenizer.model")


CLASSES = sorted(
    {
        cls.removesuffix("Fast")
        for family in families.FAMILIES
        for name, part in family.components.items()
        for cls in part.classes
        if name.startswith("tokenizer") and cls != "PreTrainedTokenizerFast"
    }
)
WAYS = (bpe, half, bert, spiece, sentencepiece, lambda _place: None)


@pytest.mark.parametrize("cls", [*CLASSES, "PreTrainedTokenizerFast"])
@pytest.mark.parametrize("write", WAYS, ids=lambda way: way.__name__)
def test_a_tokenizer_passes_where_its_words_can_be_read(
    tmp_path: Path, cls: str, write: Callable[[Path], None]
) -> None:
    write(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": cls}))
    if _reads(tmp_path, cls):
        check_vocabulary(tmp_path, cls)
    else:
        with pytest.raises(UserError, match="lacks"):
            check_vocabulary(tmp_path, cls)


def _reads(place: Path, cls: str) -> bool:
    """Whether a text of two words is several tokens that are known."""
    spiece = cls.startswith("T5") and (place / "spiece.model").is_file()
    kind: Any = SpieceTokenizer if spiece else getattr(transformers, cls)
    try:
        made = kind.from_pretrained(str(place), local_files_only=True)
    except ValueError:
        return False
    tokens = made("ab a", add_special_tokens=False).input_ids
    return len(tokens) > 1 and made.unk_token_id not in tokens and len(made) > 5 and made.decode(tokens) != ""
