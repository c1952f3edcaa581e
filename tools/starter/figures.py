# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the starter model: `python -m tools.starter.figures`. May import torch, diffusers and the textures.

Prints the figures of the model card, so that anyone can check it. Those of materials, words and diversity need the
judge (`python -m tools.starter.train_judge`).
"""

import argparse
import functools
import io
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline
from PIL import Image

from . import cache, scores
from . import judge as judging
from .autoencoder import encode_tiles, to_batch
from .data import Tiles, read_tiles
from .losses import folded, local_amplitudes, strengths
from .networks import DEFAULT_PIXELS
from .sheet import GUIDANCE, draw, load_pipeline, own_steps
from .textures import FAMILIES, make_texture
from .workers import as_bytes

HELD_OUT_SEED = 987_654_321  # the training tiles are drawn from other seed sequences


def held_out_tiles(count: int = 118, size: int = 128) -> np.ndarray:
    """Drawings of all families in turn that no training saw: uint8 (count, size, size, 3)."""
    families = list(FAMILIES)
    drawn = (
        make_texture(np.random.default_rng((HELD_OUT_SEED, i)), size, families[i % len(families)]) for i in range(count)
    )
    return np.stack([as_bytes(texture) for texture in drawn])


def pieces(pictures: Sequence[Path], count: int = 5, size: int = 128) -> np.ndarray:
    """Pieces of pictures of surfaces, `count` of each at full sharpness: uint8 (N, size, size, 3)."""
    out = []
    for number, path in enumerate(pictures):
        whole = np.asarray(Image.open(path).convert("RGB"))
        rng = np.random.default_rng(number)
        for _ in range(count):
            top, left = (int(rng.integers(side - size + 1)) for side in whole.shape[:2])
            out.append(whole[top : top + size, left : left + size])
    return np.stack(out)


@torch.no_grad()
def reconstruction(model: AutoencoderTiny, tiles: np.ndarray) -> dict[str, float]:
    """Mean PSNR in dB over tiles, and how much grain is kept.

    `grain` is the mean ratio, in dB, of reconstructed to original local amplitudes (16 px windows) at periods below
    8 px: 0 is right, negative is too smooth.
    """
    rows, columns = torch.fft.fftfreq(16)[:, None], torch.fft.rfftfreq(16)[None]
    fine = (rows.square() + columns.square()).sqrt() > 1 / 8
    errors, grain = [], []
    for tile in tiles:
        x = to_batch(tile[None])
        y = model.decode(model.encode(x).latents).sample.clamp(-1, 1)
        errors.append(float((y - x).square().mean()) / 4.0)
        kept = local_amplitudes(y) - local_amplitudes(x)
        grain.append(float(kept[..., fine].mean()) * 20.0 / np.log(10.0))
    return {"PSNR": float(np.mean(-10.0 * np.log10(errors))), "grain": float(np.mean(grain))}


@torch.no_grad()
def place_strengths(model: AutoencoderTiny, tiles: np.ndarray) -> tuple[float, float]:
    """The least and greatest strength of fine detail by its place in the 8x8 blocks, in dB of the tiles' own.

    Alike for all places where the decoder paints no pattern of its own.
    """
    found = []
    for tile in tiles:
        x = to_batch(tile[None])
        y = model.decode(model.encode(x).latents).sample.clamp(-1, 1)
        found.append((strengths(y) - strengths(x))[0] * 10.0 / np.log(10.0))
    mean = torch.stack(found).mean(0)
    return float(mean.min()), float(mean.max())


@torch.no_grad()
def own_pattern(model: AutoencoderTiny, count: int = 48, size: int = 256) -> tuple[float, float]:
    """What comes back at the same place of every 8x8 block, where there is next to nothing: in levels of 8 bits.

    The root of the mean square over flat colours and soft gradients with a grain of up to four levels; first of what
    the autoencoder gives back, then of the pictures themselves, in which it is the grain's mean.
    """
    rng = np.random.default_rng(5)
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    found = []
    for _ in range(count):
        first, second = rng.random((2, 3))
        slope = rng.random() * wave[:, None, None] * (second - first)
        grain = 4.0 * rng.random() * rng.standard_normal((size, size, 1))
        x = to_batch(np.uint8(np.clip((first + slope) * 255.0 + grain, 0, 255) + np.zeros((size, size, 3)))[None])
        y = model.decode(model.encode(x).latents).sample.clamp(-1, 1)
        found.append([float(folded(part).square().mean()) for part in (y, x)])
    made, given = np.sqrt(np.mean(found, 0)) * 127.5
    return float(made), float(given)


@torch.no_grad()
def roll_error(model: AutoencoderTiny) -> float:
    """Greatest difference over greatest value between decoding rolled latents and rolling the decoded picture."""
    latents = torch.randn(1, model.config.latent_channels, 24, 32, generator=torch.Generator().manual_seed(0))
    plain, rolled = model.decode(latents).sample, model.decode(latents.roll((5, 11), (2, 3))).sample
    factor = 2 ** (len(model.config.block_out_channels) - 1)
    plain = plain.roll((5 * factor, 11 * factor), (2, 3))
    return float((plain - rolled).abs().max() / plain.abs().max())


def seconds(pipeline: StableDiffusionPipeline, size: int = 512, runs: int = 5) -> list[float]:
    """The time from prompt to PNG for one picture, in float32, warm, `runs` times."""
    times = []
    for run in range(runs + 1):
        started = time.perf_counter()
        (image,) = draw(pipeline, "red brick wall", (run,), size)
        image.save(io.BytesIO(), "PNG")
        times.append(time.perf_counter() - started)
    return times[1:]


def folder_lines(pipeline: StableDiffusionPipeline, folder: Path) -> list[str]:
    parts = ("unet", "vae", "text_encoder")
    lines = [f"{name}: {sum(p.numel() for p in getattr(pipeline, name).parameters()) / 1e6:.2f} M" for name in parts]
    weights = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    return [*lines, f"weights: {weights / 1e6:.1f} MB"]


def autoencoder_lines(pipeline: StableDiffusionPipeline, surfaces: Sequence[Path]) -> list[str]:
    """surfaces: pictures of real surfaces that no training saw."""
    sets = {"held-out drawings": held_out_tiles()} | ({"real surfaces": pieces(surfaces)} if surfaces else {})
    lines = [
        f"{title}: {name} {value:.2f} dB"
        for title, tiles in sets.items()
        for name, value in reconstruction(pipeline.vae, tiles).items()
    ]
    least, most = place_strengths(pipeline.vae, sets["held-out drawings"])
    lines.append(f"fine detail by its place in 8x8 px: {least:.1f} to {most:.1f} dB")
    made, given = own_pattern(pipeline.vae)
    lines.append(f"pattern in every 8x8 px of next to flat pictures: {made:.2f} levels ({given:.2f} in the originals)")
    return [*lines, f"decoder under roll: {roll_error(pipeline.vae):.1e}"]


def judge_lines(bench: judging.Bench, autoencoder: AutoencoderTiny, folder: Path) -> list[str]:
    """How good the judge itself is, also behind the model's autoencoder, which bounds what a denoiser can reach."""
    sets = {"unseen tiles": read_tiles(folder / "judge-tiles", judging.SIZE)}
    if (folder / "judge-real.npz").exists():
        kept = np.load(folder / "judge-real.npz")
        families: list[str] = kept["families"].tolist()
        empty: list[str | None] = [None] * len(families)
        sets["unseen real surfaces"] = Tiles(kept["pixels"], [[]] * len(families), families, empty, empty)
    behind = {
        f"{title} behind the autoencoder": replace(
            tiles, pixels=judging.give_back(autoencoder, encode_tiles(autoencoder, tiles.pixels))
        )
        for title, tiles in sets.items()
    }
    both = sets | behind
    shares = [
        f"{title}: {name} {share:.3f}"
        for title, tiles in both.items()
        for name, share in judging.score(bench, tiles).items()
        if name == "material" or "real" not in title
    ]
    return [*shares, *(f"drawings of the combinations: {line}" for line in share_lines(scores.drawn_pairs(bench)))]


def share_lines(hits: dict[str, float]) -> list[str]:
    """The mean, the worst, and all."""
    worst = min(hits, key=lambda name: hits[name])
    every = ", ".join(f"{name} {share:.2f}" for name, share in sorted(hits.items(), key=lambda item: item[1]))
    return [f"mean {np.mean(list(hits.values())):.3f}, worst {hits[worst]:.2f} ({worst})", every]


def result_lines(pipeline: StableDiffusionPipeline, bench: judging.Bench, seeds: Sequence[int]) -> list[str]:
    """Materials at a result's size, which the judge never learned at: so what it says of drawings of it comes first."""
    size = DEFAULT_PIXELS
    families = list(FAMILIES)
    named = bench.verdicts(held_out_tiles(2 * len(families), size))
    right = [seen.material == judging.material_of(family) for seen, family in zip(named, 2 * families, strict=True)]
    hits = scores.material_hits(pipeline, bench, seeds, size)
    return [f"drawings of {size} px: {np.mean(right):.3f}", *share_lines(hits)]


def length_lines(lengths: dict[str, float]) -> list[str]:
    return [f"{name} {value:.2f}" for name, value in lengths.items()]


def seam_lines(rejected: int, count: int) -> list[str]:
    return [f"{rejected} of {count} rejected by the roll test at p < 0.01 ({rejected / count:.1%}; chance is 0.5 %)"]


def time_lines(times: list[float]) -> list[str]:
    """To be measured on a machine that does nothing else."""
    return [
        f"512x512: median {np.median(times):.2f} s, {min(times):.2f} to {max(times):.2f} s,"
        f" on {torch.get_num_threads()} threads"
    ]


NAMES = (
    "folder",
    "autoencoder",
    "judge",
    "materials",
    "colours",
    "combinations",
    "synonyms",
    "diversity",
    "results",
    "boards",
    "bricks",
    "seams",
    "seconds",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.starter.figures", description=__doc__)
    parser.add_argument("--model", type=Path, default=cache.MODEL, metavar="DIR")
    parser.add_argument("--cache", type=Path, default=cache.default_cache(), metavar="DIR", help="where the judge is")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="FIGURE", help=", ".join(NAMES))
    parser.add_argument("--surfaces", type=Path, nargs="+", default=(), metavar="FILE", help="pictures no training saw")
    parser.add_argument("--seeds", type=int, default=10, help="pictures of each prompt that is judged")
    options = parser.parse_args()
    pipeline = load_pipeline(options.model)
    seeds = range(options.seeds)

    @functools.cache
    def judge() -> judging.Bench:
        return judging.load(options.cache)

    # In this order, slow ones late; each measured only if it was asked for.
    measures: dict[str, Callable[[], list[str]]] = {
        "folder": lambda: folder_lines(pipeline, options.model),
        "autoencoder": lambda: autoencoder_lines(pipeline, options.surfaces),
        "judge": lambda: judge_lines(judge(), pipeline.vae, options.cache),
        "materials": lambda: share_lines(scores.material_hits(pipeline, judge(), seeds)),
        "colours": lambda: share_lines(scores.colour_hits(pipeline, judge(), seeds[:2])),
        "combinations": lambda: share_lines(scores.combination_hits(pipeline, judge(), seeds)),
        "synonyms": lambda: share_lines(scores.synonym_hits(pipeline, judge(), seeds)),
        "diversity": lambda: share_lines(scores.diversity(pipeline, judge())),
        "results": lambda: result_lines(pipeline, judge(), seeds[:3]),
        "boards": lambda: length_lines(scores.lengths(pipeline, "planks")),
        "bricks": lambda: length_lines(scores.lengths(pipeline, "bricks", "red")),
        "seams": lambda: seam_lines(*scores.seams_rejected(pipeline)),
        "seconds": lambda: time_lines(seconds(pipeline)),
    }
    print(f"{own_steps(pipeline)} steps, guidance {GUIDANCE:g}; {platform.machine()}", flush=True)
    for name in NAMES:
        if name in options.only:
            for line in measures[name]():
                print(f"{name}: {line}", flush=True)


if __name__ == "__main__":
    main()
