# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judge says of the starter model's pictures, and how much they differ. May import diffusers and core.

Every function draws a fixed set of prompts and seeds and leaves nothing out.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from diffusers import StableDiffusionPipeline
from scipy.ndimage import gaussian_filter

from addon.core import seams
from addon.core.requests.texture import Axes

from . import cache
from .judge import Bench, material_of
from .networks import DEFAULT_PIXELS
from .prompts import COMBINATIONS, SYNONYMS, for_family, for_pair
from .sheet import draw
from .textures import FAMILIES, WEAR, Texture, make_texture
from .workers import as_bytes

SIZE = 128  # px, of every picture that is judged
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "grey", "black", "white", "teal")
NOUNS = ("bricks", "wooden planks", "ceramic tiles", "woven fabric", "gravel", "leather")
DIVERSE = ("bricks", "planks", "wood", "cobblestone", "marble", "fabric", "gravel", "rock", "hexagon tiles", "ivy")
ROLLS = 199


def pictures(pipeline: StableDiffusionPipeline, prompt: str, seeds: Sequence[int], size: int = SIZE) -> np.ndarray:
    """uint8 (seeds, size, size, 3), drawn at 16 bits where that is fast: it looks the same."""
    with cache.mixed_precision():
        return np.stack([np.asarray(image) for image in draw(pipeline, prompt, seeds, size)])


def material_hits(
    pipeline: StableDiffusionPipeline, bench: Bench, seeds: Sequence[int], size: int = SIZE
) -> dict[str, float]:
    """For every family, the share of its pictures whose material the judge names right."""
    hits = {}
    for family in FAMILIES:
        verdicts = bench.verdicts(pictures(pipeline, for_family(family), seeds, size))
        hits[family] = float(np.mean([verdict.material == material_of(family) for verdict in verdicts]))
    return hits


def colour_hits(pipeline: StableDiffusionPipeline, bench: Bench, seeds: Sequence[int]) -> dict[str, float]:
    """For every one of COLOURS, the share of `{colour} {noun}` whose colour the judge, of these, names right."""
    hits = {}
    for colour in COLOURS:
        verdicts = [
            verdict
            for noun in NOUNS
            for verdict in bench.verdicts(pictures(pipeline, f"{colour} {noun}", seeds), COLOURS)
        ]
        hits[colour] = float(np.mean([verdict.colour == colour for verdict in verdicts]))
    return hits


def named_pairs(bench: Bench, family: str, word: str, pixels: np.ndarray) -> float:
    """The share of uint8 pictures (N, H, W, 3) in which the judge names the family and its colour or wear right."""
    # Of colours that are shades of one hue, any will do for a pair: the twelve plain words and gold.
    verdicts = bench.verdicts(pixels, (*COLOURS, "gold"))
    right = [v.material == material_of(family) and word == (v.wear if word in WEAR else v.colour) for v in verdicts]
    return float(np.mean(right))


def combination_hits(pipeline: StableDiffusionPipeline, bench: Bench, seeds: Sequence[int]) -> dict[str, float]:
    """For pairs that no caption held, the share of pictures in which the judge names both halves right."""
    prompts = {(family, word): for_pair(family, word) for family, word in COMBINATIONS}
    return {
        prompt: named_pairs(bench, family, word, pictures(pipeline, prompt, seeds))
        for (family, word), prompt in prompts.items()
    }


def drawings_of(family: str, word: str, seed: tuple[int, ...]) -> Iterator[Texture]:
    """Drawings of a family in a colour or with a wear, without any other wear, for ever."""
    wish = {"wear": word} if word in WEAR else {"colour": word}
    for number in itertools.count():
        texture = make_texture(np.random.default_rng((*seed, number)), SIZE, family, **wish)
        if texture.wear == wish.get("wear"):
            yield texture


def drawn_pairs(bench: Bench, count: int = 40) -> dict[str, float]:
    """What `combination_hits` would be of a model that drew like the drawings: what the judge itself allows."""
    hits = {}
    for number, (family, word) in enumerate(COMBINATIONS):
        drawn = itertools.islice(drawings_of(family, word, (99_000, number)), count)
        hits[for_pair(family, word)] = named_pairs(bench, family, word, np.stack([as_bytes(t) for t in drawn]))
    return hits


def synonym_hits(pipeline: StableDiffusionPipeline, bench: Bench, seeds: Sequence[int]) -> dict[str, float]:
    """For words that no caption held, the share of pictures that show one of the families the word may mean."""
    hits = {}
    for word, families in SYNONYMS:
        wanted = {material_of(family) for family in families}
        verdicts = bench.verdicts(pictures(pipeline, word, seeds))
        hits[word] = float(np.mean([verdict.material in wanted for verdict in verdicts]))
    return hits


def changes(pixels: np.ndarray) -> tuple[float, float]:
    """How much the brightness of uint8 (H, W, 3) changes down and across.

    The mean squared differences between neighbours, after a blur of 2 px, which takes most of the grain away.
    """
    smooth = gaussian_filter(pixels.astype(np.float64).mean(2), 2.0, mode="wrap")
    down, across = (float(np.square(smooth - np.roll(smooth, 1, axis)).mean()) for axis in (0, 1))
    return max(down, 1e-12), max(across, 1e-12)


def lengths(
    pipeline: StableDiffusionPipeline, family: str, colour: str | None = None, count: int = 8
) -> dict[str, float]:
    """How long the pieces of a family are that lie along x, at a result's size.

    For drawings and the model's pictures the median of how much more brightness changes down than across; and as
    `joints`, how much it changes across, where joints stand, over the drawings'.

    Args:
        colour: a colour word; without one none is named.
    """
    size, number = DEFAULT_PIXELS, 0
    drawn: list[tuple[float, float]] = []
    while len(drawn) < 3 * count:
        texture = make_texture(np.random.default_rng((5, number)), size, family, colour=colour)
        number += 1
        if texture.wear is None and texture.colour == colour:
            drawn.append(changes(as_bytes(texture)))
    prompt = " ".join(filter(None, (colour, for_family(family))))
    made = [changes(picture) for picture in pictures(pipeline, prompt, range(count), size)]
    (theirs, upright), (ours, standing) = (
        (float(np.median([down / across for down, across in some])), float(np.median([across for _, across in some])))
        for some in (drawn, made)
    )
    return {"drawings": theirs, "pictures": ours, "joints": standing / upright}


def spread(rows: np.ndarray, scale: np.ndarray) -> float:
    """Mean distance between two of the rows (N, features), each feature divided by `scale`."""
    scaled = rows / scale
    squared = np.square(scaled).sum(1)
    between = np.sqrt(np.maximum(squared[:, None] + squared[None] - 2 * scaled @ scaled.T, 0.0))
    return float(between.sum() / (len(rows) * (len(rows) - 1)))


def diversity(pipeline: StableDiffusionPipeline, bench: Bench, count: int = 20) -> dict[str, float]:
    """For each family of DIVERSE: how far its pictures lie apart, over how far real tiles of it do.

    Distances are those between the judge's features. The real tiles are without wear and without a named colour, as the
    prompt is.
    """
    real, made = {}, {}
    for family in DIVERSE:
        drawn: list[np.ndarray] = []
        i = 0
        while len(drawn) < count:
            texture = make_texture(np.random.default_rng((88_000, i)), SIZE, family)
            i += 1
            if texture.wear is None and (texture.colour is None or family == "checkered tiles"):
                drawn.append(np.uint8(texture.color * 255.0 + 0.5))
        real[family] = bench.features(np.stack(drawn))
        made[family] = bench.features(pictures(pipeline, for_family(family), range(count)))
    scale = np.concatenate(list(real.values())).std(0) + 1e-6
    return {family: spread(made[family], scale) / spread(real[family], scale) for family in DIVERSE}


def seam_rejected(pixels: np.ndarray, rng: np.random.Generator, rolls: int = ROLLS) -> bool:
    """Whether the seam scores worse than the seams of all `rolls` random rolls, which has a chance of 1 / (rolls + 1).

    A picture that is exactly periodic has no edge, so its seam is one cut among equals.
    """
    return seams.roll_p(pixels, Axes.XY, rng, rolls, enough=1) <= 1 / (rolls + 1)


def seams_rejected(pipeline: StableDiffusionPipeline, count: int = 400) -> tuple[int, int]:
    """(How many of `count` pictures the roll test rejects at p < 0.01, how many there were), over all families."""
    rng = np.random.default_rng(4)
    families = list(FAMILIES)
    rejected = 0
    for i in range(count):
        # At 32 bits: only there is the chain exactly periodic.
        (image,) = draw(pipeline, for_family(families[i % len(families)]), (i,), SIZE)
        rejected += seam_rejected(np.asarray(image), rng)
    return rejected, count


@dataclass(frozen=True)
class Nearest:
    """A picture and the training tile that is nearest to it, with how alike they are, 1 for a copy."""

    prompt: str
    picture: np.ndarray
    tile: np.ndarray
    correlation: float


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """The greatest correlation of two uint8 pictures (H, W, 3) over all rolls of one; each channel is centred."""
    x, y = (p.astype(np.float64) - p.mean((0, 1)) for p in (a, b))
    product = np.fft.ifft2(np.fft.fft2(x, axes=(0, 1)) * np.conj(np.fft.fft2(y, axes=(0, 1))), axes=(0, 1))
    return float(product.real.sum(2).max() / max(np.sqrt(np.square(x).sum() * np.square(y).sum()), 1e-9))


def nearest_tiles(
    pipeline: StableDiffusionPipeline,
    bench: Bench,
    tiles: np.ndarray,
    known: np.ndarray,
    prompts: Sequence[str],
    candidates: int = 40,
) -> list[Nearest]:
    """For one 128 px picture of every prompt, the training tile (uint8 (N, 128, 128, 3)) that correlates most with it.

    known: the judge's features of the tiles, (N, features).

    Of all tiles, the `candidates` nearest by the judge's features are compared pixel by pixel, at every roll.
    """
    scale = known.std(0) + 1e-6
    found = []
    for prompt in prompts:
        (picture,) = pictures(pipeline, prompt, (0,))
        distance = np.square((known - bench.features(picture[None])) / scale).sum(1)
        close = np.argsort(distance)[:candidates]
        alike = [correlation(picture, tiles[row]) for row in close]
        best = int(np.argmax(alike))
        found.append(Nearest(prompt, picture, tiles[close[best]], alike[best]))
    return found
