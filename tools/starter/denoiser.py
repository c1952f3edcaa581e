# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the starter model's denoiser by flow matching on encoded tiles. May import torch, diffusers, transformers."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from transformers import BertModel, BertTokenizer

from . import cache
from .autoencoder import roll_each
from .networks import TRAIN_TIMESTEPS, make_denoiser
from .schedule import Stage
from .text import MAX_TOKENS
from .torus import wrap

# Tile size in pixels, batch, and the share of the time at which it ends. First small tiles, for many cheap steps in
# which words and colours are learned; the last tiles are of the size that layout needs.
PHASES = ((64, 24, 0.25), (128, 12, 0.82), (256, 4, 1.0))
EMPTY_CAPTIONS = 0.1


@dataclass(frozen=True)
class Encoded:
    """Tiles of one size: raw latents float16 (count, C, h, w), and for each its captions' tokens (n, MAX_TOKENS)."""

    latents: np.ndarray
    tokens: list[np.ndarray]


def tokenize(tokenizer: BertTokenizer, captions: Sequence[str]) -> np.ndarray:
    """Token ids int64 (count, MAX_TOKENS), as the pipeline's encode_prompt makes them."""
    ids = tokenizer(list(captions), padding="max_length", max_length=MAX_TOKENS, truncation=True).input_ids
    return np.asarray(ids, np.int64)


def encode_captions(tokenizer: BertTokenizer, captions: Sequence[Sequence[str]]) -> list[np.ndarray]:
    """The token ids of every tile's captions."""
    flat = tokenize(tokenizer, [caption for tile in captions for caption in tile]).astype(np.int16)
    return np.split(flat, np.cumsum([len(tile) for tile in captions])[:-1])


def draw_sigmas(count: int) -> torch.Tensor:
    """Noise levels in 0..1, (count,): logit-normal, for the middle is the hardest, and a fifth uniform for the ends."""
    sigmas = torch.sigmoid(0.2 + 1.1 * torch.randn(count))
    return torch.where(torch.rand(count) < 0.2, torch.rand(count), sigmas)


def flow_loss(model: UNet2DConditionModel, latents: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the velocity `noise - latents` on the straight path between them (Lipman et al. 2023).

    Args:
        latents: (N, C, h, w) with variance about 1.
        states: the captions' encoder states, (N, MAX_TOKENS, width).
    """
    noise = torch.randn_like(latents)
    sigmas = draw_sigmas(len(latents))
    mix = sigmas[:, None, None, None]
    with torch.autocast("cpu", torch.bfloat16):
        velocity = model((1 - mix) * latents + mix * noise, sigmas * TRAIN_TIMESTEPS, states).sample
    return (velocity.float() - (noise - latents)).square().mean()


@dataclass(frozen=True)
class Words:
    """What turns captions into what the denoiser sees."""

    encoder: BertModel
    tokenizer: BertTokenizer


def train(
    folder: Path,
    minutes: float,
    seed: int,
    tiles: Callable[[int], Encoded],
    scale: float,
    words: Words,
    preview: Callable[[UNet2DConditionModel], None],
    preview_minutes: float = 10.0,
    make_model: Callable[[], UNet2DConditionModel] = make_denoiser,
) -> UNet2DConditionModel:
    """Train, or go on training, for `minutes` in all; returns the averaged weights.

    Args:
        tiles: gives the tiles of a size in pixels; asked once for each size in PHASES, when its time has come.
        scale: the autoencoder's scaling_factor.
        preview: called with the averaged weights every `preview_minutes`; its time is not counted.
        make_model: makes the network; tests pass a tiny one.
    """
    model = wrap(make_model())
    assert isinstance(model, UNet2DConditionModel)
    stage = Stage("denoiser", model, folder, minutes, peak=6e-4, seed=seed, decay=0.999)
    average = stage.average
    assert isinstance(average, UNet2DConditionModel)
    rng = np.random.default_rng((seed, stage.step))
    empty = tokenize(words.tokenizer, [""])[0]
    running, shown, side = [], time.monotonic(), 0
    while not stage.done:
        size, batch = next((size, batch) for size, batch, until in PHASES if stage.progress < until)
        if size != side:
            chosen, side = tiles(size), size
            stage.pause()
        rows = rng.integers(len(chosen.latents), size=batch)
        ids = [
            empty if rng.random() < EMPTY_CAPTIONS else chosen.tokens[row][rng.integers(len(chosen.tokens[row]))]
            for row in rows
        ]
        with torch.no_grad():
            states = words.encoder(torch.from_numpy(np.stack(ids).astype(np.int64)))[0]
        latents = roll_each(torch.from_numpy(chosen.latents[rows]).float() * scale)
        loss = flow_loss(model, latents, states)
        running.append(loss.item())
        stage.update(loss)
        if stage.step % 100 == 0:
            stage.report(loss=float(np.mean(running)), size=size)
            running.clear()
        if time.monotonic() - shown > preview_minutes * 60.0:
            preview(average)
            stage.pause()
            shown = time.monotonic()
    return average


def load(folder: Path) -> UNet2DConditionModel:
    """The averaged weights of the checkpoint in `folder`.

    Raises:
        FileNotFoundError: there is no checkpoint.
    """
    state = cache.load(folder / "denoiser.ckpt")
    if state is None:
        raise FileNotFoundError("no denoiser in the cache: run that stage first")
    model = make_denoiser()
    model.load_state_dict(state["average"])
    return model.eval().requires_grad_(False)
