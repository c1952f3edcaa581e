# SPDX-License-Identifier: GPL-3.0-or-later
"""What turns captions into what the denoiser sees. May import torch and transformers."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import BertModel, BertTokenizer

from . import text, tokens
from .settings import Settings


class Words:
    """Text encoder and tokenizer of a model's folder, on a device.

    extended: with the words of `text.MEANINGS` that the folder does not hold.
    """

    def __init__(self, encoder: BertModel, tokenizer: BertTokenizer, folder: Path, device: torch.device) -> None:
        """folder: where the tokenizer's files are kept for the workers."""
        tokenizer.save_pretrained(folder)
        self.encoder, self.tokenizer, self.folder, self.device = encoder.to(device), tokenizer, folder, device
        self.known = tokens.load(folder)
        self.empty = self.of([""])

    @torch.no_grad()
    def states(self, ids: torch.Tensor) -> torch.Tensor:
        """Of token ids (N, MAX_TOKENS): (N, MAX_TOKENS, text.WIDTH)."""
        hidden: torch.Tensor = self.encoder(ids.long())[0]
        return hidden

    def of(self, captions: Sequence[str]) -> torch.Tensor:
        return self.states(torch.from_numpy(tokens.tokenize(self.known, captions)).to(self.device))

    def blurred(self, ids: torch.Tensor, settings: Settings) -> torch.Tensor:
        """States with noise on the words, and some of them those of the empty caption."""
        states, count = self.states(ids), len(ids)
        words = states[..., : text.WORD_WIDTH]
        known = words.square().sum(-1, keepdim=True) > 1.0  # neither padding nor the marks of start and end
        strength = settings.word_noise * torch.rand(count, 1, 1, device=self.device)
        noisy = words + strength * known * torch.randn_like(words)
        unnamed = torch.rand(count, 1, 1, device=self.device) < settings.empty_captions
        return torch.where(unnamed, self.empty, torch.cat((noisy, states[..., text.WORD_WIDTH :]), -1))


def load(model: Path, folder: Path, device: torch.device) -> Words:
    """The words of a model's folder, and those of `text.MEANINGS` that it lacks."""
    encoder = BertModel.from_pretrained(model / "text_encoder", local_files_only=True)
    known = BertTokenizer.from_pretrained(model / "tokenizer", local_files_only=True).get_vocab()
    table = encoder.embeddings.word_embeddings.weight[:, : text.WORD_WIDTH].detach().float().numpy()
    vocabulary, table = text.extend(sorted(known, key=known.__getitem__), table)
    return Words(text.make_encoder(table), text.make_tokenizer(vocabulary), folder, device)


def make(captions: Sequence[str], folder: Path, device: torch.device) -> Words:
    """A new table, with the words of these captions; see `text`."""
    vocabulary, table = text.make_table(captions)
    return Words(text.make_encoder(table), text.make_tokenizer(vocabulary), folder, device)
