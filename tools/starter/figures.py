# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the starter model: `python -m tools.starter.figures`. May import torch, diffusers and the texture generator.

Prints one line for each figure of the model card, so that the card can be checked by anyone.
"""

import argparse
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline

from . import cache
from .autoencoder import to_batch
from .losses import local_amplitudes
from .sheet import GUIDANCE, STEPS, draw, load_pipeline
from .textures import FAMILIES, make_texture

HELD_OUT_SEED = 987_654_321  # the training tiles are drawn from other seed sequences

# Middle shades in sRGB; a picture's colour is named by the nearest of them in Oklab's plane of hues and lightness.
PALETTE = {
    "red": (178, 40, 36),
    "orange": (226, 122, 40),
    "yellow": (232, 196, 50),
    "green": (62, 140, 60),
    "blue": (50, 100, 195),
    "purple": (120, 60, 165),
    "pink": (230, 140, 180),
    "brown": (115, 76, 42),
    "grey": (135, 135, 136),
    "black": (34, 34, 36),
    "white": (236, 235, 232),
    "teal": (26, 138, 136),
}
NOUNS = ("bricks", "wooden planks", "ceramic tiles", "fabric", "gravel", "leather")


def oklab(rgb: np.ndarray) -> np.ndarray:
    """sRGB 0..1 (..., 3) -> Oklab (..., 3) (B. Ottosson, 2020)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lms = linear @ np.array(
        (
            (0.4122214708, 0.2119034982, 0.0883024619),
            (0.5363325363, 0.6806995451, 0.2817188376),
            (0.0514459929, 0.1073969566, 0.6299787005),
        )
    )
    return np.asarray(
        np.cbrt(lms)
        @ np.array(
            (
                (0.2104542553, 1.9779984951, 0.0259040371),
                (0.7936177850, -2.4285922050, 0.7827717662),
                (-0.0040720468, 0.4505937099, -0.8086757660),
            )
        )
    )


def name_colour(pixels: np.ndarray) -> str:
    """The palette's name for the median colour of uint8 pixels (H, W, 3)."""
    middle = np.median(oklab(pixels.reshape(-1, 3) / 255.0), axis=0)
    names = list(PALETTE)
    shades = oklab(np.array([PALETTE[name] for name in names]) / 255.0)
    return names[int(np.argmin(np.linalg.norm(shades - middle, axis=1)))]


def colour_hits(pipeline: StableDiffusionPipeline, seeds: Sequence[int] = (0, 1), size: int = 128) -> dict[str, float]:
    """For every colour word, the share of pictures `{colour} {noun}` whose median colour is nearest to that word's."""
    hits = {}
    for colour in PALETTE:
        found = [
            name_colour(np.asarray(image)) == colour
            for noun in NOUNS
            for image in draw(pipeline, f"{colour} {noun}", seeds, size)
        ]
        hits[colour] = float(np.mean(found))
    return hits


@torch.no_grad()
def reconstruction(model: AutoencoderTiny, count: int = 94, size: int = 128) -> dict[str, float]:
    """PSNR in dB over held-out tiles of all families in turn, and how much grain is kept.

    `grain` is the mean ratio, in dB, of reconstructed to original local amplitudes (16 px windows) at periods below
    8 px: 0 is right, negative is too smooth.
    """
    errors, grain = [], []
    families = list(FAMILIES)
    for i in range(count):
        texture = make_texture(np.random.default_rng((HELD_OUT_SEED, i)), size, families[i % len(families)])
        x = to_batch(np.uint8(texture.color * 255.0 + 0.5)[None])
        y = model.decode(model.encode(x).latents).sample.clamp(-1, 1)
        errors.append(float((y - x).square().mean()) / 4.0)
        kept = local_amplitudes(y) - local_amplitudes(x)
        rows, columns = torch.fft.fftfreq(16)[:, None], torch.fft.rfftfreq(16)[None]
        fine = (rows.square() + columns.square()).sqrt() > 1 / 8
        grain.append(float(kept[..., fine].mean()) * 20.0 / np.log(10.0))
    return {"PSNR": float(np.mean(-10.0 * np.log10(errors))), "grain": float(np.mean(grain))}


@torch.no_grad()
def roll_error(model: AutoencoderTiny) -> float:
    """Greatest difference over greatest value between decoding rolled latents and rolling the decoded picture."""
    latents = torch.randn(1, model.config.latent_channels, 24, 32, generator=torch.Generator().manual_seed(0))
    plain, rolled = model.decode(latents).sample, model.decode(latents.roll((5, 11), (2, 3))).sample
    factor = 2 ** (len(model.config.block_out_channels) - 1)
    plain = plain.roll((5 * factor, 11 * factor), (2, 3))
    return float((plain - rolled).abs().max() / plain.abs().max())


def seconds(pipeline: StableDiffusionPipeline, size: int, runs: int = 3) -> float:
    """Best of `runs` for one picture, prompt to pixels, in float32."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        draw(pipeline, "red brick wall", (0,), size)
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.starter.figures", description=__doc__)
    parser.add_argument("--model", type=Path, default=cache.MODEL, metavar="DIR")
    options = parser.parse_args()
    pipeline = load_pipeline(options.model)
    print(f"{STEPS} steps, guidance {GUIDANCE}; {platform.machine()}, {torch.get_num_threads()} threads")
    for name in ("unet", "vae", "text_encoder"):
        print(f"{name}: {sum(p.numel() for p in getattr(pipeline, name).parameters()) / 1e6:.2f} M parameters")
    print(f"folder: {sum(f.stat().st_size for f in options.model.rglob('*') if f.is_file()) / 1e6:.1f} MB")
    for name, value in reconstruction(pipeline.vae).items():
        print(f"autoencoder, held-out tiles: {name} {value:.2f} dB")
    print(f"decoder under roll: {roll_error(pipeline.vae):.1e}")
    hits = colour_hits(pipeline)
    print(f"colour follows the word: {np.mean(list(hits.values())):.2f} of all;", end=" ")
    print(", ".join(f"{colour} {share:.2f}" for colour, share in hits.items()))
    for size in (256, 512):
        print(f"{size}x{size}: {seconds(pipeline, size):.2f} s")


if __name__ == "__main__":
    main()
