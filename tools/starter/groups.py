# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiles by what they show, for `refine`: drawn families, and categories of photographs. May import torch, diffusers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny

from . import real
from .autoencoder import encode_tiles
from .data import Tiles, Wanted, make_tiles, read_tiles
from .eye import HEADS, PLAIN_LABELS, UNKNOWN, labels_of, rolled
from .prompts import for_family
from .textures import FAMILIES
from .workers import WISHES

CAPTIONS = 24  # of every photograph
PLAIN = 0.4  # share of draws of a drawn family under its plainest words
DIRECTIONS = {"vertical", "horizontal"}  # no label holds them, but the plainest words name none
WORN = 0.25  # share of them with one wear
HARDEST = 2.0  # a greater error counts as this
WEAR_COLUMN, SIZE_COLUMN = HEADS.index("wear"), HEADS.index("size")
# Among drawings of all families in turn hardly one shows red bricks: what is typed first lost its joints unnoticed.
ASKED: tuple[Wanted, ...] = tuple(wish[:3] for wish in WISHES if any(wish[1:3]))


@dataclass(frozen=True)
class Group:
    """Latents (N, C, h, w) of variance about 1, float16, captions of each, and labels (N, 4) in `eye.LABELS`.

    plain: the rows of which `words` say all: nothing else, no size and no direction is named.
    words: the plainest, of a family or of a wish; "" for photographs, whose labels are UNKNOWN.
    worn: the rows of each wear.
    often: how much more often than by its error it is drawn.
    """

    latents: torch.Tensor
    captions: Sequence[Sequence[str]]
    labels: torch.Tensor
    plain: Sequence[int] = ()
    words: str = ""
    worn: Sequence[Sequence[int]] = ()
    often: float = 1.0

    def draw(self, count: int, rng: np.random.Generator) -> tuple[torch.Tensor, list[str], torch.Tensor]:
        """Tiles, rolled by whole latents, with a caption of each and their labels; all different if there are enough.

        Under one caption some of the time, for that is what a prompt with several seeds is, and with one wear some of
        the time: among tiles of all wears what moss does to a layout hardly counts.
        """
        kind, worn = rng.random(), [rows for rows in self.worn if len(rows) >= count]
        if kind < PLAIN and len(self.plain) >= count:
            rows = rng.choice(self.plain, count, replace=False)
            captions = [self.words] * count
        else:
            among = worn[rng.integers(len(worn))] if worn and kind > 1 - WORN else range(len(self.latents))
            rows = rng.choice(among, count, replace=len(among) < count)
            captions = [str(rng.choice(self.captions[row])) for row in rows]
        chosen = torch.from_numpy(rows).to(self.latents.device)
        return rolled(self.latents[chosen].float()), captions, self.labels[chosen]


class Groups:
    """By size of tile: groups to draw from, and (how many of them, tiles of each) a step takes.

    The families that are named worst are drawn most often, as `learned` says. photographs: share of the draws.
    """

    def __init__(
        self, groups: Mapping[int, Sequence[Group]], counts: Mapping[int, tuple[int, int]], photographs: float
    ) -> None:
        self._groups, self._counts, self._photographs = groups, counts, photographs
        self.errors = {size: np.ones(len(some)) for size, some in groups.items()}

    def draw(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, torch.Tensor, list[str], torch.Tensor]:
        """(Numbers of groups, their latents one after another, a caption and labels of each tile)."""
        numbers = self._choose(size, rng)
        parts = [self._groups[size][number].draw(self._counts[size][1], rng) for number in numbers]
        captions = [caption for _, some, _ in parts for caption in some]
        return numbers, torch.cat([x for x, _, _ in parts]), captions, torch.cat([labels for _, _, labels in parts])

    def _choose(self, size: int, rng: np.random.Generator) -> np.ndarray:
        drawn = np.array([group.words != "" for group in self._groups[size]])
        often = np.array([group.often for group in self._groups[size]])
        weights = np.where(drawn, often * (0.3 + self.errors[size].clip(0, HARDEST)), 0.0)
        weights /= weights.sum()
        if not drawn.all():
            weights = weights * (1 - self._photographs) + np.where(drawn, 0.0, self._photographs / (~drawn).sum())
        return rng.choice(len(weights), min(self._counts[size][0], len(weights)), replace=False, p=weights)

    def learned(self, size: int, numbers: np.ndarray, errors: torch.Tensor) -> None:
        """errors: (tiles,), how wrongly the eye named the material of what was generated for a draw."""
        for number, error in zip(numbers, errors.view(len(numbers), -1).mean(1).tolist(), strict=True):
            self.errors[size][number] += 0.2 * (error - self.errors[size][number])

    def worst(self, size: int, count: int = 8) -> dict[str, float]:
        """The plainest words of the families with the greatest errors."""
        pairs = zip(self.errors[size], self._groups[size], strict=True)
        errors = [(error, group.words) for error, group in pairs if group.words]
        return {words: round(float(error), 2) for error, words in sorted(errors, reverse=True)[:count]}


def encoded(autoencoder: AutoencoderTiny, pixels: np.ndarray) -> torch.Tensor:
    """Latents of variance about 1, float16, on the autoencoder's device."""
    latents = torch.from_numpy(encode_tiles(autoencoder, pixels)).float() * float(autoencoder.config.scaling_factor)
    return latents.half().to(next(autoencoder.parameters()).device)


def drawn(folder: Path, size: int, count: int, seed: int, processes: int) -> Tiles:
    """`count` drawings of all families in turn, made once."""
    make_tiles(folder, size, count, seed, processes, tuple((family, None, None) for family in FAMILIES))
    return read_tiles(folder, size, count)


def asked(folder: Path, size: int, count: int, seed: int, processes: int) -> Tiles:
    """`count` drawings of each of ASKED, in turn, made once."""
    make_tiles(folder, size, count * len(ASKED), seed, processes, ASKED)
    return read_tiles(folder, size, count * len(ASKED))


def _plain(captions: Sequence[Sequence[str]], labels: torch.Tensor, first: int) -> list[int]:
    """The rows whose captions name nothing of the labels' columns from `first` on, and no direction."""
    bare = (labels[:, first:] == torch.tensor(PLAIN_LABELS[first:])).all(1).tolist()
    return [row for row, words in enumerate(captions) if bare[row] and DIRECTIONS.isdisjoint(words[0].split())]


def by_family(tiles: Tiles, latents: torch.Tensor, often: Mapping[str, float] | None = None) -> list[Group]:
    """A group of each family that the tiles show. often: see `Group`; 1 where nothing is said."""
    labels = labels_of(tiles)
    out = []
    for family in dict.fromkeys(tiles.families):
        rows = [number for number, name in enumerate(tiles.families) if name == family]
        mine = labels[rows]
        # Two colours are what checkered tiles are: their plainest words name none of them.
        captions = [tiles.captions[row] for row in rows]
        plain = _plain(captions, mine, 2 if family == "checkered tiles" else 1)
        worn = [(mine[:, WEAR_COLUMN] == wear).nonzero()[:, 0].tolist() for wear in range(PLAIN_LABELS[WEAR_COLUMN])]
        share = (often or {}).get(family, 1.0)
        out.append(Group(latents[rows], captions, mine.to(latents.device), plain, for_family(family), worn, share))
    return out


def by_wish(tiles: Tiles, latents: torch.Tensor, often: float) -> list[Group]:
    """A group of each of ASKED that the tiles show: that colour and that wear, or none. often: see `Group`."""
    labels = labels_of(tiles)
    shown = list(zip(tiles.families, tiles.colours, tiles.wears, strict=True))
    out = []
    for wish in ASKED:
        rows = [row for row, seen in enumerate(shown) if seen == wish]
        if rows:
            captions = [tiles.captions[row] for row in rows]
            plain = _plain(captions, labels[rows], SIZE_COLUMN)
            words = captions[plain[0] if plain else 0][0]
            out.append(Group(latents[rows], captions, labels[rows].to(latents.device), plain, words, often=often))
    return out


def by_category(folder: Path, size: int, autoencoder: AutoencoderTiny, fewest: int) -> list[Group]:
    """A group of each category of photographs that has at least so many."""
    tiles = real.for_training(folder, size)
    rng = np.random.default_rng(0)
    rows: dict[str, list[int]] = {}
    for number, label in enumerate(tiles.labels):
        rows.setdefault(label.category, []).append(number)
    out = []
    for numbers in rows.values():
        if len(numbers) >= fewest:
            captions = [real.captions(rng, tiles.labels[number], size, CAPTIONS) for number in numbers]
            labels = torch.full((len(numbers), len(PLAIN_LABELS)), UNKNOWN)
            latents = encoded(autoencoder, tiles.pixels[numbers])
            out.append(Group(latents, captions, labels.to(latents.device)))
    return out
