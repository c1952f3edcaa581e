# SPDX-License-Identifier: GPL-3.0-or-later
"""Teaches the long steps by the statistics of whole textures. May import torch and diffusers.

Distillation gets no further than its teacher, and a small teacher no further than blotches for what is hard to draw.
But a texture is known by its statistics (Gatys et al. 2015), and a small network learns fast to draw what has the right
ones (Ulyanov et al. 2016). Here the statistics are those of `eye`s that name textures, and two clouds of them are
compared, of tiles drawn and of tiles generated under the same captions, by their energy distance (Szekely and Rizzo
2013): it is least where the clouds are alike, so seeds go on to differ. What the eye names wrong counts as well.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel

from . import cache, compiling, eye, tokens
from .denoiser import Network, as_unet, velocity
from .distil import grid
from .groups import Group, Groups, asked, by_category, by_family, by_wish, drawn, encoded
from .schedule import Stage
from .settings import Settings
from .words import Words

# Of the energy distances of what `Eye.compared` gives. With the first alone, textures went where the eye names them
# well and no drawing lies: in eight minutes it fell by 40 %, and that of whitened statistics rose by 30 %.
CLOUDS = (3.0, 3.0, 3.0)
NAMING = (0.2, 0.1, 0.1, 0.06)  # of the eye's errors, by head
AWAY = ("apart", "whitened", "moments")
REPORTED = 40  # steps of all sizes, of which means are told


def energy_distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Of two clouds of points (N, features), whose rows are pairs under one caption; without bias, so it may be < 0.

    2 E|a - b| - E|a - a'| - E|b - b'|, with the root of the mean square over features as the distance.
    """
    count = len(a)

    def between(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        apart = ((x[:, None] - y[None]).square().mean(2) + 1e-6).sqrt()
        return (apart.sum() - apart.diagonal().sum()) / (count * (count - 1))

    return 2 * between(a, b) - between(a, a) - between(b, b)


def generate(network: Network, noise: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """Latents by Euler's rule in the student's steps, all of which the gradient goes through."""
    x, sigmas = noise, grid().to(noise.device)
    for high, low in itertools.pairwise(sigmas):
        x = x + (low - high) * velocity(network, x, high.expand(len(x)), states)
        x = x.contiguous(memory_format=torch.channels_last)
    return x


def train(
    folder: Path,
    minutes: float,
    seed: int,
    groups: Groups,
    seers: Sequence[eye.Eye],
    words: Words,
    student: UNet2DConditionModel,
    settings: Settings,
) -> UNet2DConditionModel:
    """Train, or go on training, for `minutes` in all; returns the averaged weights.

    Args:
        seers: frozen and measured; they take turns. What one alone taught pleased that one: straw was not among what it
            named worst, and judges saw a sponge.
        student: wrapped, on the groups' device.
    """
    stage = Stage("refine", student, folder, minutes, peak=settings.rates["refine"], seed=seed, decay=0.99)
    run, named = compiling.network(stage.model, settings.compiled), replace(settings, empty_captions=0.0)
    rng = np.random.default_rng((seed, stage.step))
    since: list[list[float]] = []
    while not stage.done:
        round_, turn = divmod(stage.step, len(settings.sizes))
        size, seer = settings.sizes[turn], seers[round_ % len(seers)]
        numbers, real, captions, labels = groups.draw(size, rng)
        ids = torch.from_numpy(tokens.tokenize(words.known, captions)).to(words.device)
        made = generate(run, torch.randn_like(real), words.blurred(ids, named))
        with cache.mixed_precision(made.device):
            seen = seer.statistics(made)
            wrong = eye.errors(seer.scores(seen), labels)
            wanted = seer.statistics(real)
        with torch.no_grad():
            targets = seer.compared(real, wanted)
        each = len(real) // len(numbers)
        apart = [
            torch.stack([energy_distance(a, b) for a, b in zip(x.split(each), y.split(each), strict=True)]).mean()
            for x, y in zip(seer.compared(made, seen), targets, strict=True)
        ]
        parts = [weight * part for weight, part in zip(CLOUDS, apart, strict=True)]
        parts += [weight * error.mean() for weight, error in zip(NAMING, wrong, strict=True)]
        loss = torch.stack(parts).sum()
        stage.update(loss)
        groups.learned(size, numbers, wrong[0].detach())
        since.append([float(part.detach().mean()) for part in (*apart, *wrong)])
        if stage.step % REPORTED == 0:
            stage.report(**dict(zip((*AWAY, *eye.HEADS), np.mean(since, 0).tolist(), strict=True)))
            since.clear()
            print(f"refine: worst named: {[groups.worst(some) for some in dict.fromkeys(settings.sizes)]}", flush=True)
    return as_unet(stage.average)


def run(
    folder: Path,
    minutes: float,
    seed: int,
    settings: Settings,
    autoencoder: AutoencoderTiny,
    words: Words,
    student: UNet2DConditionModel,
    photographs: Path | None,
) -> UNet2DConditionModel:
    """Draw, train eyes for their share of the minutes, and train the student.

    Args:
        autoencoder: wrapped, with its scaling_factor.
        student: wrapped, on the autoencoder's device.
        photographs: the folder of tiles of real surfaces.
    """
    groups: dict[int, list[Group]] = {}
    seers: list[eye.Eye] = []
    for size, count in settings.refined.items():
        tiles = drawn(folder / "refine-tiles", size, count, seed, settings.workers)
        latents = encoded(autoencoder, tiles.pixels)
        families = by_family(tiles, latents, settings.often)
        if not seers:  # by the small ones, of which there are most
            labels = eye.labels_of(tiles).to(latents.device)
            each = minutes * settings.eye / settings.eyes
            for number in range(settings.eyes):
                seers.append(eye.train(folder, each, seed + number, latents, labels, f"eye-{number + 1}"))
                seers[-1].measure([group.latents for group in families])
        wishes = asked(folder / "asked-tiles", size, settings.asked[size], seed, settings.workers)
        groups[size] = families + by_wish(wishes, encoded(autoencoder, wishes.pixels), settings.wish)
        if photographs is not None:
            groups[size] += by_category(photographs, size, autoencoder, settings.groups[size][1])
    plan = Groups(groups, settings.groups, settings.photographs)
    return train(folder, minutes * (1 - settings.eye), seed, plan, seers, words, student, settings)
