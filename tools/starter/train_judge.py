# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the judge: `python -m tools.starter.train_judge --real FOLDER`. May import torch, diffusers and the textures.

On procedural tiles and on three quarters of the real surfaces; it is tested on tiles of other seeds and on the other
quarter. What it judges comes through a decoder, so it sees half of them as the judged models' decoders give them back.
"""

import argparse
import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch.nn import functional

from . import cache, real
from .autoencoder import encode_tiles, roll_each
from .data import Tiles, joined, make_tiles, read_tiles
from .judge import (
    COLOURS,
    MATERIALS,
    REAL,
    WEARS,
    Bench,
    Judge,
    confusions,
    give_back,
    load,
    look,
    material_of,
    score,
)
from .networks import LATENT_CHANNELS
from .prompts import COMBINATIONS
from .schedule import Stage
from .scores import drawings_of
from .torus import wrap
from .workers import as_bytes

SIZE = 128
BATCH = 64
TRAIN_SEED, TRAIN_COUNT = 76_000, 12_000
TEST_SEED, TEST_COUNT = 77_000, 2000
# Drawings of each pair of words that no caption of the model's holds. A judge that had never seen purple grass either
# named 67 % of drawings of these pairs right (snow on bricks 7 %), which no model could pass.
PAIR_SEED, PAIR_COUNT = 78_000, 100
REAL_SHARE = 0.25  # of every batch
# How far the grain's strength wanders: how sharp a picture is is another figure than what it shows.
GRAIN_NOISE = 0.3
MINUTES = 12.0
UNKNOWN = -100  # the label that cross_entropy leaves out


def labels_of(tiles: Tiles) -> torch.Tensor:
    """(count, 3) int64: material, colour, wear."""
    rows = [
        (MATERIALS.index(material_of(family)), COLOURS.index(colour), WEARS.index(wear))
        for family, colour, wear in zip(tiles.families, tiles.colours, tiles.wears, strict=True)
    ]
    return torch.tensor(rows)


def real_tiles(folder: Path) -> tuple[Tiles, Tiles]:
    """(Those to train on, every fourth surface of each category to test on), as far as their material is known."""
    tiles = real.read(folder, SIZE)
    known = [number for number, label in enumerate(tiles.labels) if label.category in REAL]
    tested = set(known[3::4])  # categories stand one after another

    def some(rows: Sequence[int]) -> Tiles:
        families = [REAL[tiles.labels[row].category] for row in rows]
        empty: list[str | None] = [None] * len(families)
        return Tiles(tiles.pixels[list(rows)], [[]] * len(families), families, empty, empty)

    return some([row for row in known if row not in tested]), some(sorted(tested))


def decoded(model: AutoencoderTiny, tiles: Tiles) -> Tiles:
    """The tiles as an autoencoder gives them back."""
    return replace(tiles, pixels=give_back(model, encode_tiles(model, tiles.pixels)))


def load_autoencoder(model: Path) -> AutoencoderTiny:
    """That of a model's folder, wrapped."""
    found = AutoencoderTiny.from_pretrained(model / "vae", local_files_only=True)
    wrap(found.eval().requires_grad_(False).to(memory_format=torch.channels_last))
    return found


def see(
    encoder: AutoencoderTiny, decoders: Sequence[AutoencoderTiny], tiles: Tiles
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the judge sees of the tiles, and once more of each as one of the decoders gives it back; their labels."""
    sheets, labels = [look(encoder, tiles.pixels)], [labels_of(tiles)]
    for number, model in enumerate(decoders):
        part = slice(number, None, len(decoders))
        given_back = give_back(model, encode_tiles(model, tiles.pixels[part]))
        sheets.append(look(encoder, given_back))
        labels.append(labels[0][part])
    return torch.cat(sheets), torch.cat(labels)


def pair_tiles(seed: int, count: int) -> Tiles:
    """`count` drawings of each of COMBINATIONS, without any other wear."""
    drawn = [
        texture
        for pair, (family, word) in enumerate(COMBINATIONS)
        for texture in itertools.islice(drawings_of(family, word, (seed, pair)), count)
    ]
    return Tiles(
        np.stack([as_bytes(texture) for texture in drawn]),
        [list(texture.captions) for texture in drawn],
        [texture.family for texture in drawn],
        [texture.colour for texture in drawn],
        [texture.wear for texture in drawn],
    )


def prepare(folder: Path, drawn: Tiles, photographed: Tiles | None, models: Sequence[Path]) -> None:
    """Keep what the judge is to see in the cache, and the encoder that it sees through: that of the first model."""
    if (folder / "judge-sheets.ckpt").exists():
        return
    decoders = [load_autoencoder(model) for model in models]
    sheets, labels = see(decoders[0], decoders, drawn)
    first = len(sheets)
    if photographed is not None:
        more, materials = see(decoders[0], decoders, photographed)
        materials[:, 1:] = UNKNOWN
        sheets, labels = torch.cat((sheets, more)), torch.cat((labels, materials))
    cache.save(folder / "judge-encoder.ckpt", decoders[0].encoder.state_dict())
    cache.save(folder / "judge-sheets.ckpt", {"sheets": sheets, "labels": labels, "drawn": first})


def train(folder: Path, minutes: float, seed: int) -> Judge:
    """Train, or go on, for `minutes` in all on what `prepare` kept; the averaged weights."""
    stage = Stage("judge", Judge(), folder, minutes, peak=2e-3, seed=seed, decay=0.995)
    model, average = stage.model, stage.average
    assert isinstance(average, Judge)
    kept = cache.load(folder / "judge-sheets.ckpt")
    assert kept is not None
    sheets, labels, drawn = kept["sheets"], kept["labels"], kept["drawn"]
    photographed = round(BATCH * REAL_SHARE) if len(labels) > drawn else 0
    rng = np.random.default_rng((seed, stage.step))
    stage.pause()
    while not stage.done:
        numbers = rng.integers(drawn, size=BATCH - photographed)
        if photographed:
            numbers = np.concatenate((numbers, rng.integers(drawn, len(labels), size=photographed)))
        rows = torch.from_numpy(numbers)
        x = roll_each(sheets[rows].float())
        x = x + 0.05 * torch.randn_like(x)
        x[:, LATENT_CHANNELS:] += GRAIN_NOISE * torch.randn(BATCH, 1, 1, 1)
        with cache.mixed_precision():
            scores = model(x)
        losses = [
            functional.cross_entropy(scores[i].float(), labels[rows, i], label_smoothing=0.02, ignore_index=UNKNOWN)
            for i in range(3)
        ]
        stage.update(losses[0] + 0.5 * losses[1] + 0.5 * losses[2])
        if stage.step % 100 == 0:
            right = [float((scores[i].argmax(1) == labels[rows, i]).float().mean()) for i in range(3)]
            stage.report(loss=losses[0].item(), material=right[0], colour=right[1], wear=right[2])
    return average


def lines(bench: Bench, title: str, tiles: Tiles) -> list[str]:
    """How good the judge is, and its most frequent mistakes."""
    shares = score(bench, tiles)
    if set(tiles.colours) == {None}:  # real ones, of which only the material is known
        shares = {"material": shares["material"]}
    mistakes = [
        f"{right} taken for {named} {n} times of {len(tiles.pixels)}" for right, named, n in confusions(bench, tiles)
    ]
    return [
        f"judge, {title}: {text}" for text in (*(f"{name} {share:.3f}" for name, share in shares.items()), *mistakes)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.starter.train_judge", description=__doc__)
    parser.add_argument("--cache", type=Path, default=cache.default_cache(), metavar="DIR")
    parser.add_argument("--real", type=Path, metavar="FOLDER", help="tiles of real surfaces, see tools/starter/real.py")
    parser.add_argument("--models", type=Path, nargs="+", default=[cache.MODEL], metavar="DIR", help="to be judged")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder: Path = options.cache
    make_tiles(folder / "judge-train", SIZE, TRAIN_COUNT, TRAIN_SEED, processes=1)
    make_tiles(folder / "judge-tiles", SIZE, TEST_COUNT, TEST_SEED, processes=1)
    known, kept_out = real_tiles(options.real) if options.real else (None, None)
    drawn = joined(read_tiles(folder / "judge-train", SIZE), pair_tiles(PAIR_SEED, PAIR_COUNT))
    prepare(folder, drawn, known, options.models)
    train(folder, options.minutes, options.seed)
    bench = load(folder)
    sets = {"unseen tiles": read_tiles(folder / "judge-tiles", SIZE)}
    if kept_out is not None:
        np.savez(folder / "judge-real.npz", pixels=kept_out.pixels, families=np.array(kept_out.families))
        sets["unseen real surfaces"] = kept_out
    report = [line for title, tiles in sets.items() for line in lines(bench, title, tiles)]
    (folder / "judge.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    print("\n".join(report))


if __name__ == "__main__":
    main()
