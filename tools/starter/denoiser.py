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
from .networks import LATENT_CHANNELS, TRAIN_TIMESTEPS, make_denoiser
from .schedule import Stage
from .text import MAX_TOKENS, WORD_WIDTH
from .torus import wrap

# Tile size in pixels, batch, and the share of the time at which it ends. First small tiles, for many cheap steps; the
# last tiles are of a size that shows more of a layout.
PHASES = ((128, 16, 0.9), (256, 6, 1.0))
# Families that the third version did not yet draw so that the judge knew them: their tiles are drawn twice as often.
LATE = (
    "brick paving",
    "basket bricks",
    "flagstones",
    "planks",
    "parquet",
    "chipboard",
    "soil",
    "pebbles",
    "asphalt",
    "brushed metal",
    "diamond plate",
    "corrugated metal",
    "fabric",
    "knit",
    "leather",
    "fur",
    "wallpaper",
    "cardboard",
)
# The guidance scale of each latent channel: the first is brightness, the next two are colour, the others detail
# (`networks._initialise` began them so, and training left them so). Guidance sharpens a layout, but makes colour
# garish: moss pushes the bricks below it to pink. At 2.0, 1.3 and 2.5 seeds hardly differed, and brushed metal,
# cardboard and asphalt had the contrast of wood and knit.
GUIDANCE = (1.6, 1.2, 1.2, *(1.8,) * (LATENT_CHANNELS - 3))
EMPTY_CAPTIONS = 0.1
# Noise on the word vectors, whose own deviation is 1: it blurs the words into regions, so that a word which no caption
# held does what its neighbours do.
WORD_NOISE = 0.25


@dataclass(frozen=True)
class Encoded:
    """Tiles of one size: raw latents float16 (count, C, h, w), for each its captions' tokens (n, MAX_TOKENS), and how
    likely it is to be drawn (count,), 1 in all."""

    latents: np.ndarray
    tokens: list[np.ndarray]
    chances: np.ndarray


def chances(families: Sequence[str]) -> np.ndarray:
    """How likely each tile is to be drawn, by its family; 1 in all."""
    weights = np.where(np.isin(families, LATE), 2.0, 1.0)
    return weights / weights.sum()


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


def flow_loss(
    model: UNet2DConditionModel, latents: torch.Tensor, states: torch.Tensor, empty: torch.Tensor
) -> torch.Tensor:
    """Mean squared error of the velocity `noise - latents` on the straight path between them (Lipman et al. 2023).

    The model gives the guided velocity in one pass, with a scale for each latent channel, which no sampler could be
    told. So what is compared with the data is the velocity that, guided by GUIDANCE, would be the model's: without
    guidance itself, it is a step back towards what the model says of the empty caption (guidance-free training, Chen
    et al. 2025). The empty caption is taught as it is, so a guidance scale above 1 and a negative prompt still work.

    Args:
        latents: (N, C, h, w) with variance about 1.
        states: the captions' encoder states, (N, MAX_TOKENS, width).
        empty: those of the empty caption, (1, MAX_TOKENS, width).
    """
    noise = torch.randn_like(latents)
    sigmas = draw_sigmas(len(latents))
    mix = sigmas[:, None, None, None]
    mixed = ((1 - mix) * latents + mix * noise).contiguous(memory_format=torch.channels_last)
    unnamed = (states == empty).flatten(1).all(1)[:, None, None, None]
    with cache.mixed_precision():
        with torch.no_grad():
            without = model(mixed, sigmas * TRAIN_TIMESTEPS, empty.expand_as(states)).sample.float()
        guided = model(mixed, sigmas * TRAIN_TIMESTEPS, states).sample.float()
    step = (guided - without) / torch.tensor(GUIDANCE)[:, None, None]
    return (torch.where(unnamed, guided, without + step) - (noise - latents)).square().mean()


@dataclass(frozen=True)
class Words:
    """What turns captions into what the denoiser sees."""

    encoder: BertModel
    tokenizer: BertTokenizer


@dataclass(frozen=True)
class Material:
    """What both stages of the denoiser's training draw from.

    tiles: gives the tiles of a size in pixels, when they are first needed. scale: the autoencoder's scaling_factor.
    """

    tiles: Callable[[int], Encoded]
    scale: float
    words: Words

    def empty(self) -> torch.Tensor:
        """States of the empty caption, (1, MAX_TOKENS, width)."""
        with torch.no_grad():
            return self.words.encoder(torch.from_numpy(tokenize(self.words.tokenizer, [""])))[0]

    def draw(self, chosen: Encoded, batch: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents (batch, C, h, w), rolled anywhere, and the states of one caption each, some of them empty."""
        rows = rng.choice(len(chosen.latents), size=batch, p=chosen.chances)
        ids = [chosen.tokens[row][rng.integers(len(chosen.tokens[row]))] for row in rows]
        with torch.no_grad():
            states = self.words.encoder(torch.from_numpy(np.stack(ids).astype(np.int64)))[0]
            words = states[..., :WORD_WIDTH]
            known = words.square().sum(-1, keepdim=True) > 1.0  # neither padding nor the marks of start and end
            words += WORD_NOISE * torch.rand(batch, 1, 1) * known * torch.randn_like(words)
            states[torch.rand(batch) < EMPTY_CAPTIONS] = self.empty()
        return roll_each(torch.from_numpy(chosen.latents[rows]).float() * self.scale), states


def train(
    folder: Path,
    minutes: float,
    seed: int,
    material: Material,
    preview: Callable[[UNet2DConditionModel], None],
    preview_minutes: float = 10.0,
    make_model: Callable[[], UNet2DConditionModel] = make_denoiser,
) -> UNet2DConditionModel:
    """Train, or go on training, for `minutes` in all; returns the averaged weights.

    Args:
        preview: called with the averaged weights every `preview_minutes`; its time is not counted.
        make_model: makes the network to begin with.
    """
    model = wrap(make_model().to(memory_format=torch.channels_last))
    stage = Stage("denoiser", model, folder, minutes, peak=6e-4, seed=seed, decay=0.999)
    average = stage.average
    assert isinstance(model, UNet2DConditionModel)
    assert isinstance(average, UNet2DConditionModel)
    rng = np.random.default_rng((stage.seed, stage.step))
    empty = material.empty()
    running, shown, side = [], time.monotonic(), 0
    while not stage.done:
        size, batch = next((size, batch) for size, batch, until in PHASES if stage.progress < until)
        if size != side:
            chosen, side = material.tiles(size), size
            stage.pause()
        latents, states = material.draw(chosen, batch, rng)
        loss = flow_loss(model, latents, states, empty)
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
