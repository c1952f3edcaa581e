# SPDX-License-Identifier: GPL-3.0-or-later
"""What families with a transformer for a denoiser have in common. Imports core and the standard library only."""

from pathlib import Path

from ..model_files.configs import read_config
from ..requests.texture import Scheduler
from .family import Component

# Straight paths from noise to picture, which is how nearly all of them are trained.
FLOW_SCHEDULER = Component("diffusers", ("FlowMatchEulerDiscreteScheduler",), has_weights=False)
T5 = Component("transformers", ("T5EncoderModel",))
T5_TOKENIZER = Component("transformers", ("T5Tokenizer", "T5TokenizerFast"), has_weights=False)
# transformers 5 gives the last two names to whatever tokenizer it has no class of its own for.
QWEN_TOKENIZER = Component(
    "transformers",
    ("Qwen2Tokenizer", "Qwen2TokenizerFast", "TokenizersBackend", "PreTrainedTokenizerFast"),
    has_weights=False,
)
VAE = Component("diffusers", ("AutoencoderKL",))
FLUX2_VAE = Component("diffusers", ("AutoencoderKLFlux2",))
# Most pipelines hand their scheduler noise levels of their own, which of diffusers' only the one above takes.
FLOW_SCHEDULERS = {"flow_prediction": (Scheduler.MODEL,)}


def grid(folder: Path) -> int:
    """Pixels of a side of one of the transformer's patches."""
    patch = read_config(folder, "transformer/config.json").get("patch_size")
    return latent_pixels(folder) * (patch if isinstance(patch, int) and 0 < patch <= 64 else 1)


def side(folder: Path) -> int | None:
    """The side that the transformer was trained at, in pixels."""
    latents = read_config(folder, "transformer/config.json").get("sample_size")
    return latents * latent_pixels(folder) if isinstance(latents, int) else None


def grid_of_pairs(folder: Path) -> int:
    """Pixels of a side of a token, where one is two latents wide whatever the transformer's configuration says."""
    return 2 * latent_pixels(folder)


def latent_pixels(folder: Path) -> int:
    """Pixels of a side that one latent of the autoencoder stands for: each of its levels but one halves."""
    config = read_config(folder, "vae/config.json")
    halvings = config.get("temperal_downsample")  # Qwen-Image's tells of time and space alike; so spelt in diffusers
    if isinstance(halvings, list):
        return int(2 ** min(len(halvings), 8))
    levels = config.get("block_out_channels") or config.get("encoder_block_out_channels")
    return int(2 ** (min(len(levels), 8) - 1)) if isinstance(levels, list) and levels else 1


def is_turbo(folder: Path) -> bool:
    """Whether its name, or that of its folder in the hub's cache, says that it was distilled to few steps."""
    return any("turbo" in part.lower() for part in folder.parts[-3:])
