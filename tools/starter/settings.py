# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of the starter model's training. Imports the standard library only."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

SMALL, LARGE, FULL = 128, 256, 512  # px, of the tiles; the last stage alone sees those as large as a result


@dataclass(frozen=True)
class Settings:
    """What a training on some machine takes; lengths are shares of its minutes, because speeds differ by a hundred.

    workers: processes that draw. kept, ring: tiles of each size that are kept to be drawn from again, and that a worker
    may be ahead. first: tiles before the training begins.
    shares: of the minutes, by stage. plain, small: shares of the denoiser's time without baked-in guidance, and
    without large tiles.
    batch: of the denoiser and its distillation, by size of tile.
    guidance: the scale of brightness, of the two colours, and of the other channels (see `denoiser.flow_loss`).
    """

    workers: int
    compiled: bool
    kept: Mapping[int, int]
    ring: Mapping[int, int]
    first: int
    autoencoder_batch: int
    decoder_batch: int
    batch: Mapping[int, int]
    rates: Mapping[str, float]
    denoiser_decay: float  # of the average of the weights
    shares: Mapping[str, float] = field(
        default_factory=lambda: {"autoencoder": 0.22, "decoder": 0.12, "denoiser": 0.58, "distil": 0.08, "refine": 0.2}
    )
    plain: float = 0.48
    small: float = 0.69
    large_tiles: float = 0.5  # share of the workers' time
    # Share of every batch. At 0.5 and 0.3, and without words that tell a photograph from a drawing, plain words for
    # grass, tarmac or plaster gave the next to flat pictures that thumbnails of them are.
    real: Mapping[int, float] = field(default_factory=lambda: {SMALL: 0.2, LARGE: 0.2})
    sharp: float = 0.2  # of the autoencoder's batch: pieces of real surfaces at full sharpness
    spectral: float = 0.005  # weights of the decoder's losses
    spectrum: float = 0.035
    pattern: float = 5.0
    uneven: float = 0.06
    # At 2.0, 1.3 and 2.5 seeds hardly differed, and brushed metal and asphalt had the contrast of wood and knit.
    guidance: tuple[float, float, float] = (1.6, 1.2, 1.8)
    empty_captions: float = 0.1
    # The last stage's: drawings by size, all families in turn, and groups of tiles a step takes, of how many each.
    refined: Mapping[int, int] = field(default_factory=lambda: {SMALL: 14_160, LARGE: 2360, FULL: 1416})
    # And drawings of each of `groups.ASKED`, what people type first; how much more often than by its error each comes.
    asked: Mapping[int, int] = field(default_factory=lambda: {SMALL: 32, LARGE: 16, FULL: 8})
    wish: float = 4.0
    groups: Mapping[int, tuple[int, int]] = field(
        default_factory=lambda: {SMALL: (16, 16), LARGE: (8, 16), FULL: (2, 16)}
    )
    # In turn. Without FULL, textures of 128 px were right, and planks of 512 px, the size of a result, were blocks.
    sizes: tuple[int, ...] = (SMALL, FULL, SMALL, LARGE)
    # How much more often than by its error a family is drawn: what the eye names well though its layout is wrong, what
    # is slow to learn, and what is asked for most.
    often: Mapping[str, float] = field(
        default_factory=lambda: {
            "planks": 7.0,
            "wood": 5.0,
            "bricks": 4.0,
            "fur": 6.0,
            "brick paving": 7.0,
            "straw": 6.0,
            "mosaic": 5.0,
            "knit": 5.0,
            "corrugated metal": 2.0,
            "plaid": 2.0,
            "chipboard": 3.0,
            "wallpaper": 3.0,
            "asphalt": 3.0,
        }
    )
    eye: float = 0.3  # share of its minutes, for all eyes
    eyes: int = 4
    photographs: float = 0.12  # share of its groups
    reuse: int = 1  # how often a tile is drawn once it is encoded (see `encoded`)
    again: float = 0.5  # the denoiser's rate, over that from nothing, where a trained one is gone on from
    # Noise on the word vectors, whose own deviation is 1: it blurs the words into regions, so that a word which no
    # caption held does what its neighbours do.
    word_noise: float = 0.25


_CARD = Settings(
    workers=max(1, min(14, (os.cpu_count() or 2) - 2)),
    compiled=True,
    kept={SMALL: 320_000, LARGE: 80_000},
    ring={SMALL: 256, LARGE: 64},
    first=3000,
    autoencoder_batch=96,
    decoder_batch=64,
    batch={SMALL: 512, LARGE: 160},
    rates={"autoencoder": 1e-3, "decoder": 4e-4, "denoiser": 1e-3, "distil": 1e-4, "refine": 1.5e-4},
    denoiser_decay=0.9995,
)
_PROCESSOR = replace(
    _CARD,
    workers=1,
    compiled=False,  # compiling takes a compiler, and won nothing measurable here
    kept={SMALL: 20_000, LARGE: 5000},
    first=500,
    autoencoder_batch=8,
    decoder_batch=8,
    batch={SMALL: 24, LARGE: 6},
    rates={"autoencoder": 6e-4, "decoder": 5e-4, "denoiser": 6e-4, "distil": 1e-4, "refine": 9e-5},
    denoiser_decay=0.999,
    shares={"autoencoder": 0.2, "decoder": 0.1, "denoiser": 0.51, "distil": 0.19, "refine": 0.5},
    groups={SMALL: (4, 8), LARGE: (2, 4), FULL: (1, 4)},
    reuse=4,
)


def going_on(settings: Settings) -> Settings:
    """For a trained denoiser: a lower rate, guidance baked in and tiles of both sizes from the start."""
    rates = {**settings.rates, "denoiser": settings.again * settings.rates["denoiser"]}
    return replace(settings, rates=rates, plain=0.0, small=0.0)


def settings_for(device: str) -> Settings:
    """Those for "cuda" or "cpu"."""
    return _CARD if device == "cuda" else _PROCESSOR
