# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the starter model's denoiser by flow matching on encoded tiles. May import torch, diffusers, transformers."""

import copy
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
from .text import MAX_TOKENS, WORD_WIDTH
from .torus import wrap

# Tile size in pixels, batch, and the share of the time at which it ends. First small tiles, for many cheap steps; the
# last tiles are of a size that shows more of a layout.
PHASES = ((128, 16, 0.75), (256, 6, 1.0))
# The second stage: the same network, towards its own guided velocity.
GUIDED_PHASES = ((128, 16, 0.6), (256, 5, 1.0))
# The guidance scale of each latent channel: the first is brightness, the next two are colour, the others detail
# (`networks._initialise` began them so, and training left them so). Guidance sharpens a layout, but makes colour
# garish: moss pushes the bricks below it to pink.
GUIDANCE = (2.0, 1.3, 1.3, 2.5, 2.5, 2.5, 2.5, 2.5)
EMPTY_CAPTIONS = 0.1
# Noise on the word vectors, whose own deviation is 1: it blurs the words into regions, so that a word which no caption
# held does what its neighbours do.
WORD_NOISE = 0.25


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


def flow_loss(
    model: UNet2DConditionModel, latents: torch.Tensor, states: torch.Tensor, teacher: "Teacher | None" = None
) -> torch.Tensor:
    """Mean squared error of the velocity `noise - latents` on the straight path between them (Lipman et al. 2023).

    Args:
        latents: (N, C, h, w) with variance about 1.
        states: the captions' encoder states, (N, MAX_TOKENS, width).
        teacher: if given, its guided velocity is the target.
    """
    noise = torch.randn_like(latents)
    sigmas = draw_sigmas(len(latents))
    mix = sigmas[:, None, None, None]
    mixed = (1 - mix) * latents + mix * noise
    with cache.mixed_precision():
        velocity = model(mixed, sigmas * TRAIN_TIMESTEPS, states).sample
    target = noise - latents if teacher is None else teacher(mixed, sigmas * TRAIN_TIMESTEPS, states)
    return (velocity.float() - target).square().mean()


@dataclass(frozen=True)
class Teacher:
    """A trained denoiser under classifier-free guidance, which is what its student learns to give in one pass.

    The guidance is baked in (Meng et al. 2023, for one fixed scale): the model then needs half the time, and each of
    the latent's channels may have its own scale, which no sampler could be told. It reacts to a guidance scale above 1
    and to a negative prompt as before, since the empty caption is taught as it was.
    """

    model: UNet2DConditionModel
    empty: torch.Tensor  # states of the empty caption, (1, MAX_TOKENS, width)
    guidance: Sequence[float]  # of each channel

    @torch.no_grad()
    def __call__(self, mixed: torch.Tensor, timesteps: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        """The guided velocity, float32, shaped as `mixed`."""
        with cache.mixed_precision():
            both = self.model(
                torch.cat((mixed, mixed)),
                torch.cat((timesteps, timesteps)),
                torch.cat((self.empty.expand_as(states), states)),
            ).sample.float()
        without, named = both.chunk(2)
        return without + torch.tensor(self.guidance)[:, None, None] * (named - without)


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
        rows = rng.integers(len(chosen.latents), size=batch)
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
        make_model: makes the network; tests pass a tiny one.
    """
    stage = Stage("denoiser", wrap(make_model()), folder, minutes, peak=8e-4, seed=seed, decay=0.999)
    return _run(stage, PHASES, material, None, preview, preview_minutes)


def bake_guidance(
    folder: Path,
    minutes: float,
    seed: int,
    material: Material,
    model: UNet2DConditionModel,
    preview: Callable[[UNet2DConditionModel], None],
    preview_minutes: float = 10.0,
) -> UNet2DConditionModel:
    """Go on from the trained `model` for `minutes` in all, towards what it gives under GUIDANCE; averaged weights."""
    teacher = Teacher(wrap(copy.deepcopy(model).eval().requires_grad_(False)), material.empty(), GUIDANCE)
    student = wrap(model.train().requires_grad_(True))
    stage = Stage("guided", student, folder, minutes, peak=3e-4, seed=seed, decay=0.998)
    return _run(stage, GUIDED_PHASES, material, teacher, preview, preview_minutes)


def _run(
    stage: Stage,
    phases: Sequence[tuple[int, int, float]],
    material: Material,
    teacher: Teacher | None,
    preview: Callable[[UNet2DConditionModel], None],
    preview_minutes: float,
) -> UNet2DConditionModel:
    model, average = stage.model, stage.average
    assert isinstance(model, UNet2DConditionModel)
    assert isinstance(average, UNet2DConditionModel)
    rng = np.random.default_rng((stage.seed, stage.step))
    running, shown, side = [], time.monotonic(), 0
    while not stage.done:
        size, batch = next((size, batch) for size, batch, until in phases if stage.progress < until)
        if size != side:
            chosen, side = material.tiles(size), size
            stage.pause()
        latents, states = material.draw(chosen, batch, rng)
        loss = flow_loss(model, latents, states, teacher)
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


def load(folder: Path, name: str = "denoiser") -> UNet2DConditionModel:
    """The averaged weights of the checkpoint in `folder`: of the stage "denoiser", or of "guided".

    Raises:
        FileNotFoundError: there is no checkpoint.
    """
    state = cache.load(folder / f"{name}.ckpt")
    if state is None:
        raise FileNotFoundError(f"no {name} in the cache: run that stage first")
    model = make_denoiser()
    model.load_state_dict(state["average"])
    return model.eval().requires_grad_(False)
