# SPDX-License-Identifier: GPL-3.0-or-later
"""A network that sees textures in latents: what it makes of them is what `refine` compares. May import torch.

It learns to name material, colour, wear and size of drawings. It is not the judge, has other layers, and is trained on
other drawings; it never sees a generated picture while it learns.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from . import cache
from .data import Tiles
from .networks import LATENT_CHANNELS
from .schedule import Stage
from .textures import FAMILIES, WEAR
from .textures.colours import NAMED
from .torus import layer_statistics

LABELS: tuple[tuple[str | None, ...], ...] = (
    tuple(FAMILIES),
    (*NAMED, None),
    (*WEAR, None),
    ("small", "large", None),
)
HEADS = ("material", "colour", "wear", "size")
WEIGHTS = (1.0, 0.5, 0.5, 0.3)  # of the heads' errors
PLAIN_LABELS = tuple(len(names) - 1 for names in LABELS)  # nothing named; of the material it says nothing
UNKNOWN = -100  # the label that cross_entropy leaves out
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0))  # of neighbours, in latents
MOMENTS = LATENT_CHANNELS * (LATENT_CHANNELS + 1) // 2 + len(SHIFTS) * LATENT_CHANNELS**2
RATE = 2e-3
BATCH = 64
HELD = 1000  # tiles that it is tested on
_PLAN = ((LATENT_CHANNELS, 96, 1), (96, 128, 1), (128, 192, 2), (192, 192, 1), (192, 256, 2))


class Eye(nn.Module):
    """Latents (N, C, h, w) on a torus to scores for each of LABELS.

    Between them stand the statistics of its layers over the whole tile, as textures are compared by (Gatys et al.
    2015), of which only means and deviations are kept.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, stride) for a, b, stride in _PLAN)
        self.norms = nn.ModuleList(nn.GroupNorm(16, b) for _, b, _ in _PLAN)
        wide = 2 * (LATENT_CHANNELS + sum(b for _, b, _ in _PLAN))
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Dropout(0.2), nn.Linear(wide, 256), nn.SiLU(), nn.Linear(256, len(names)))
            for names in LABELS
        )
        # Within a family: a statistic's deviation, and what makes them, and moments, uncorrelated; see `measure`.
        self.within: torch.Tensor
        self.whitening: torch.Tensor
        self.moment_whitening: torch.Tensor
        self.register_buffer("within", torch.ones(wide), persistent=False)
        self.register_buffer("whitening", torch.eye(wide), persistent=False)
        self.register_buffer("moment_whitening", torch.eye(MOMENTS), persistent=False)

    def statistics(self, x: torch.Tensor) -> torch.Tensor:
        """Mean and deviation of every layer over the tile, float32 (N, statistics)."""
        return layer_statistics(self.convolutions, self.norms, x)

    def scores(self, statistics: torch.Tensor) -> list[torch.Tensor]:
        """For each of LABELS, (N, names)."""
        return [head(statistics) for head in self.heads]

    def compared(self, latents: torch.Tensor, statistics: torch.Tensor) -> list[torch.Tensor]:
        """(N, numbers) each: statistics over their deviation, whitened statistics, and whitened moments.

        Whitened ones are uncorrelated within a family and have a deviation of about 1.
        """
        return [statistics / self.within, statistics @ self.whitening, moments(latents) @ self.moment_whitening]

    @torch.no_grad()
    def measure(self, groups: Sequence[torch.Tensor]) -> None:
        """Find how statistics and moments vary within a family, from the latents (N, C, h, w) of each."""
        seen, second = [], []
        for latents in groups:
            rows = torch.cat([self.statistics(part.float()) for part in latents.split(64)])
            seen.append(rows - rows.mean(0))
            rows = moments(latents)
            second.append(rows - rows.mean(0))
        self.within = torch.cat(seen).std(0) + 1e-3
        self.whitening, self.moment_whitening = whitening(torch.cat(seen)), whitening(torch.cat(second))


def moments(latents: torch.Tensor) -> torch.Tensor:
    """Covariances of the channels of latents (N, C, h, w), in a place and between neighbours: float32 (N, MOMENTS).

    They say how strong each period of a few latents is, and which channels go together: what the decoder knows.
    """
    centred = latents.float()
    centred = centred - centred.mean((2, 3), keepdim=True)
    here = centred.flatten(2)
    rows, columns = torch.triu_indices(LATENT_CHANNELS, LATENT_CHANNELS, device=latents.device)
    parts = [(here @ here.transpose(1, 2))[:, rows, columns]]
    for shift in SHIFTS:
        parts.append((here @ centred.roll(shift, (2, 3)).flatten(2).transpose(1, 2)).flatten(1))
    return torch.cat(parts, 1) / here.shape[2]


def whitening(centred: torch.Tensor) -> torch.Tensor:
    """A matrix that makes the columns of (N, numbers), of mean 0, uncorrelated and, but the weakest, of variance 1."""
    variances, axes = torch.linalg.eigh(centred.T @ centred / len(centred))
    return axes / (variances.clamp_min(0) + 1e-3 * variances.mean()).sqrt()


def labels_of(tiles: Tiles) -> torch.Tensor:
    """(count, 4) int64, in LABELS."""
    sizes = [captions[0].split()[0] for captions in tiles.captions]
    rows = zip(tiles.families, tiles.colours, tiles.wears, sizes, strict=True)
    return torch.tensor(
        [
            [
                LABELS[0].index(family),
                LABELS[1].index(colour),
                LABELS[2].index(wear),
                LABELS[3].index(size if size in LABELS[3] else None),
            ]
            for family, colour, wear, size in rows
        ]
    )


def rolled(latents: torch.Tensor) -> torch.Tensor:
    """Square latents (N, C, side, side), each by another distance along both axes."""
    count, side, device = len(latents), latents.shape[-1], latents.device
    along = torch.arange(side, device=device)
    y, x = ((along + torch.randint(side, (count, 1), device=device)) % side for _ in range(2))
    moved = latents.permute(0, 2, 3, 1)[torch.arange(count, device=device)[:, None, None], y[:, :, None], x[:, None, :]]
    return moved.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def train(folder: Path, minutes: float, seed: int, latents: torch.Tensor, labels: torch.Tensor, name: str) -> Eye:
    """Train, or go on, for `minutes` in all; frozen.

    Args:
        name: of its checkpoint; one that has had its minutes, of an earlier training too, is taken as it is.
        latents: of variance about 1, (N, C, h, w), with their labels, (N, 4). Up to HELD of them, the last, test it.
    """
    stage = Stage(name, Eye().to(latents.device), folder, minutes, peak=RATE, seed=seed, decay=0.995)
    model, average = stage.model, stage.average
    assert isinstance(model, Eye)
    assert isinstance(average, Eye)
    held = min(HELD, len(latents) // 4)
    while not stage.done:
        rows = torch.randint(len(latents) - held, (BATCH,), device=latents.device)
        x = rolled(latents[rows].float())
        x = x + 0.1 * torch.rand(BATCH, 1, 1, 1, device=x.device) * torch.randn_like(x)
        with cache.mixed_precision(x.device):
            scores = model.scores(model.statistics(x))
        loss = torch.zeros((), device=x.device)
        for weight, error in zip(WEIGHTS, errors(scores, labels[rows], smoothing=0.02), strict=True):
            loss = loss + weight * error.mean()
        stage.update(loss)
        if stage.step % 500 == 0:
            stage.report(loss=loss.item())
    stage.report(**shares(average, latents[-held:], labels[-held:]))
    stage.save()
    return average.requires_grad_(False)


def errors(scores: Sequence[torch.Tensor], labels: torch.Tensor, smoothing: float = 0.0) -> list[torch.Tensor]:
    """Cross entropy by head, (N,) each; 0 where the label is UNKNOWN."""
    return [
        functional.cross_entropy(
            score.float(), labels[:, head], label_smoothing=smoothing, ignore_index=UNKNOWN, reduction="none"
        )
        for head, score in enumerate(scores)
    ]


@torch.no_grad()
def shares(eye: Eye, latents: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Of tiles that are named right, by head."""
    named = [[score.argmax(1) for score in eye.scores(eye.statistics(x.float()))] for x in latents.split(64)]
    columns = [torch.cat(part) for part in zip(*named, strict=True)]
    return {
        name: float((column == labels[:, head]).float().mean())
        for head, (name, column) in enumerate(zip(HEADS, columns, strict=True))
    }
