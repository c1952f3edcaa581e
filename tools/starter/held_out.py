# SPDX-License-Identifier: GPL-3.0-or-later
"""A denoiser's loss on drawings that no training saw, by family: `python -m tools.starter.held_out --denoisers DIR...`.

All denoisers see the same tiles, captions, noise and sigmas, so that a hundredth is a difference. For those before
distillation, whose loss it is. May import torch, diffusers and the textures.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel

from . import cache, tokens
from .autoencoder import encode_tiles
from .denoiser import flow_loss, guidance
from .networks import train_lean
from .settings import SMALL, Settings, settings_for
from .textures import FAMILIES, make_texture
from .train_judge import load_autoencoder
from .words import Words, load
from .workers import as_bytes

SEED = 987_654_323  # the training's tiles are drawn from other seed sequences
FIRST = 7000  # of the noise


def drawn(family: str, count: int) -> tuple[np.ndarray, list[str]]:
    """uint8 (count, 128, 128, 3), and the plainest caption of each."""
    textures = [make_texture(np.random.default_rng((SEED, number)), SMALL, family) for number in range(count)]
    return np.stack([as_bytes(texture) for texture in textures]), [texture.captions[0] for texture in textures]


@torch.no_grad()
def losses(
    denoisers: Sequence[UNet2DConditionModel], latents: torch.Tensor, ids: np.ndarray, words: Words, settings: Settings
) -> list[float]:
    """`denoiser.flow_loss` of each, with the guidance that is baked in."""
    states, scale = words.states(torch.from_numpy(ids)), guidance(settings)
    out = []
    for model in denoisers:
        torch.manual_seed(FIRST)
        out.append(float(flow_loss(model, latents, states, words.empty, scale)))
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each family, and the mean."""
    parser = argparse.ArgumentParser(prog="python -m tools.starter.held_out", description=__doc__)
    parser.add_argument("--model", type=Path, default=cache.MODEL, metavar="DIR", help="whose words and encoder")
    parser.add_argument("--denoisers", type=Path, nargs="+", required=True, metavar="DIR", help="before distillation")
    parser.add_argument("--cache", type=Path, default=cache.default_cache(), metavar="DIR")
    parser.add_argument("--count", type=int, default=8, help="tiles of each family")
    options = parser.parse_args(arguments)
    autoencoder = load_autoencoder(options.model)
    words = load(options.model, options.cache / "tokenizer", torch.device("cpu"))
    denoisers = [
        train_lean(UNet2DConditionModel.from_pretrained(folder, local_files_only=True, torch_dtype=torch.float32))
        for folder in options.denoisers
    ]
    rows = []
    for family in FAMILIES:
        pixels, captions = drawn(family, options.count)
        latents = torch.from_numpy(encode_tiles(autoencoder, pixels)).float() * autoencoder.config.scaling_factor
        found = losses(denoisers, latents, tokens.tokenize(words.known, captions), words, settings_for("cpu"))
        rows.append(found)
        print(f"{family}: {', '.join(f'{value:.3f}' for value in found)}", flush=True)
    print(f"mean: {', '.join(f'{value:.4f}' for value in np.mean(rows, 0))}")


if __name__ == "__main__":
    main()
