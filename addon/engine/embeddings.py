# SPDX-License-Identifier: GPL-3.0-or-later
"""Embeddings (textual inversions): words that a text encoder is taught for one picture. Imports core, engine, torch.

While a prompt is encoded, the pipeline has copies of its tokenizers that know the words, and tables of tokens that are
longer; afterwards it has its own again, bit for bit. The words are written into the prompt as tokens by us: diffusers'
way (0.42) takes but the first vector of a word that has capitals, since CLIP's tokenizer reads small letters.
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import align_module_device
from safetensors.torch import load_file
from torch import nn

from ..core.errors import ErrorKind, UserError
from ..core.model_files import kinds
from ..core.requests.texture import TextureRequest
from .models import LoadedModel

_ENCODERS = ("clip_l", "clip_g")  # the names of vectors in files for two text encoders, in the pipelines' order


@dataclass(frozen=True)
class _Word:
    """What a file teaches. word: as prompts have it. vectors: for each text encoder (n, width), n the same for all."""

    word: str
    vectors: tuple[torch.Tensor, ...]

    @property
    def tokens(self) -> list[str]:
        """What stands for it in a prompt, a token a vector; readable, for notes quote the prompt."""
        return [f"<{self.word.lower().strip('<>')}:{index}>" for index in range(1, len(self.vectors[0]) + 1)]

    def written_out(self, prompt: str) -> str:
        """The prompt with the tokens in the word's place, wherever it stands by itself, in large letters or small."""
        pattern = rf"(?<!\w){re.escape(self.word)}(?!\w)"
        return re.sub(pattern, lambda _match: " ".join(self.tokens), prompt, flags=re.IGNORECASE)


@contextmanager
def taught(loaded: LoadedModel, request: TextureRequest, note: Callable[[str], None]) -> Iterator[TextureRequest]:
    """The request as the model is to read it while the block runs, with its embeddings as tokens in the prompts.

    Raises `UserError` (kind `MODEL`) for a file that does not fit the model.
    """
    parts = loaded.pipeline.components
    pairs = [pair for pair in loaded.adapter.text_encoders if parts[pair[1]]]  # a folder may leave some out
    used = []
    for embedding in request.extras.embeddings:
        word = _read(Path(embedding.file), [parts[encoder] for _tokenizer, encoder in pairs])
        prompt, negative = word.written_out(request.prompt), word.written_out(request.negative_prompt)
        if (prompt, negative) == (request.prompt, request.negative_prompt):
            note(f"{embedding.name} does nothing: neither prompt has its word, {word.word}.")
            continue
        request = replace(request, prompt=prompt, negative_prompt=negative)
        used.append(word)
    with ExitStack() as stack:
        for index, (tokenizer, encoder) in enumerate(pairs) if used else ():
            stack.enter_context(_longer(loaded, tokenizer, parts[encoder], used, index))
        yield request


@contextmanager
def _longer(loaded: LoadedModel, name: str, encoder: Any, words: list[_Word], index: int) -> Iterator[None]:
    """A tokenizer and the table of its text encoder with these words. name: of the tokenizer."""
    pipeline = loaded.pipeline
    own, table = pipeline.components[name], encoder.get_input_embeddings()
    longer = copy.deepcopy(own)
    longer.add_tokens([token for word in words for token in word.tokens])
    with align_module_device(table, loaded.plan.device.name):  # its numbers may wait elsewhere
        device, dtype = table.weight.device, table.weight.dtype
        added = [word.vectors[index].to(device, dtype) for word in words]
        # ids go on after the tokenizer's last, which may not be the table's
        rows = torch.cat([table.weight[: len(own)], *added])
    taller = nn.Embedding(*rows.shape, device="meta")
    taller.weight = nn.Parameter(rows, requires_grad=False)
    encoder.set_input_embeddings(taller)
    setattr(pipeline, name, longer)
    try:
        yield
    finally:
        setattr(pipeline, name, own)
        encoder.set_input_embeddings(table)


def _read(path: Path, encoders: list[Any]) -> _Word:
    """Raises `UserError` (kind `MODEL`)."""
    try:
        tensors = load_file(path)
    except Exception as error:  # whatever the library makes of a file's contents is the file's fault
        raise UserError(ErrorKind.MODEL, f"{path.name} cannot be read: {error}.", "Choose another file.") from error
    word, vectors = _vectors(path, tensors)
    widths = [encoder.get_input_embeddings().embedding_dim for encoder in encoders]
    if [vector.shape[-1] for vector in vectors] != widths or len({len(vector) for vector in vectors}) != 1:
        base = kinds.look(path).base
        made_for = f"an embedding for {base.title}" if base else "an embedding for another model"
        raise UserError(
            ErrorKind.MODEL,
            f"{path.name} is {made_for}, and does not fit this one.",
            "Choose one that was made for it.",
        )
    return _Word(word, vectors)


def _vectors(path: Path, tensors: Mapping[str, torch.Tensor]) -> tuple[str, tuple[torch.Tensor, ...]]:
    """The word, and a matrix (n, width) for each text encoder. Files that name no word are called by their own name."""
    word, found = path.stem, [tensors[name] for name in _ENCODERS if name in tensors]
    if not found and len(tensors) == 1:
        (name, only), *_rest = tensors.items()
        word = word if name in ("emb_params", "string_to_param.*", "*") else name
        found = [only]
    elif not found and "emb_params" in tensors:
        found = [tensors["emb_params"]]
    return word, tuple(vector.reshape(-1, vector.shape[-1]) for vector in found)
