# SPDX-License-Identifier: GPL-3.0-or-later
"""The starter model's word table: vocabulary, vectors, and where unseen words lie."""

import numpy as np
import pytest

from tools.starter import text
from tools.starter.cache import MODEL
from tools.starter.lexicon import LEXICON, MEANINGS


@pytest.fixture(scope="module")
def shipped():
    from transformers import BertModel, BertTokenizer

    vocab = BertTokenizer.from_pretrained(MODEL / "tokenizer").get_vocab()
    encoder = BertModel.from_pretrained(MODEL / "text_encoder")
    table = encoder.embeddings.word_embeddings.weight.detach().numpy()[:, : text.WORD_WIDTH]
    return sorted(vocab, key=vocab.__getitem__), table


@pytest.mark.parametrize(
    ("word", "neighbours"),
    [
        ("timber", {"wood", "lumber", "wooden"}),
        ("masonry", {"brick", "bricks", "brickwork"}),
        ("scarlet", {"red", "crimson", "reddish"}),
        ("azure", {"blue", "cerulean", "sapphire"}),
        ("cobbles", {"cobble", "cobblestone", "cobblestones", "cobbled"}),
        ("rusted", {"rusty", "rust"}),
        ("tarmac", {"asphalt"}),
    ],
)
def test_an_unseen_word_lies_near_words_that_mean_the_same(shipped, word, neighbours):
    assert neighbours & set(text.nearest(word, *shipped, count=5))


def test_every_word_of_the_lexicon_and_of_the_captions_is_one_token(shipped):
    from tools.starter.textures import make_texture

    known = set(shipped[0])
    captions = [c for seed in range(60) for c in make_texture(np.random.default_rng(seed), 64).captions]
    assert known >= LEXICON
    assert text.caption_words(captions) <= known


def test_the_vocabulary_has_no_doubles_and_begins_with_the_special_tokens():
    vocabulary = text.choose_vocabulary(["the", "brick", "##s", "[unused1]", "étude"], ["brick", "mossy"])
    assert len(vocabulary) == len(set(vocabulary))
    assert tuple(vocabulary[:5]) == text.SPECIAL
    assert {"brick", "mossy", "##s", "a", "##a"} <= set(vocabulary)
    assert "étude" not in vocabulary


def test_rows_have_mean_0_and_variance_1_so_that_a_layer_norm_keeps_them():
    rows = text.reduce_width(np.random.default_rng(0).normal(size=(50, 32)), 8)
    assert rows.shape == (50, 8)
    np.testing.assert_allclose(rows.mean(1), 0.0, atol=1e-5)
    np.testing.assert_allclose(rows.var(1), 1.0, atol=1e-4)


def test_a_word_with_a_given_meaning_moves_towards_it():
    vocabulary = ["red", "blue", "scarlet", *sorted({w for m in MEANINGS.values() for w in m.split()} | set(MEANINGS))]
    vocabulary = list(dict.fromkeys(vocabulary))
    table = text.standardise(np.random.default_rng(0).normal(size=(len(vocabulary), text.WORD_WIDTH)))
    red, scarlet = vocabulary.index("red"), vocabulary.index("scarlet")
    before = float(table[red] @ table[scarlet]) / text.WORD_WIDTH
    text.apply_meanings(vocabulary, table)
    assert float(table[red] @ table[scarlet]) / text.WORD_WIDTH > max(0.8, before)


def test_new_words_are_added_to_a_table_and_the_others_stay(shipped):
    vocabulary, table = shipped
    fewer = [word for word in vocabulary if word != "pantiles"]
    rows = table[[vocabulary.index(word) for word in fewer]]
    extended, grown = text.extend(fewer, rows)
    assert extended == [*fewer, "pantiles"]
    np.testing.assert_array_equal(grown[:-1], rows)
    assert "tiles" in text.nearest("pantiles", extended, grown, count=4)
