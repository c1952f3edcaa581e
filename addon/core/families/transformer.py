# SPDX-License-Identifier: GPL-3.0-or-later
"""What families with a transformer have in common. Imports core and the standard library only."""

from pathlib import Path

from ..model_files.configs import read_config
from ..requests.texture import Scheduler
from .family import Component

VAE = Component("diffusers", ("AutoencoderKL",))
FLUX2_VAE = Component("diffusers", ("AutoencoderKLFlux2",))
T5 = Component("transformers", ("T5EncoderModel",))
T5_TOKENIZER = Component("transformers", ("T5Tokenizer", "T5TokenizerFast"), has_weights=False)
# transformers 5 writes the last two for whatever it calls a tokenizer of no kind of its own
QWEN_TOKENIZER = Component(
    "transformers",
    ("Qwen2Tokenizer", "Qwen2TokenizerFast", "TokenizersBackend", "PreTrainedTokenizerFast"),
    has_weights=False,
)
SCHEDULER = Component("diffusers", ("FlowMatchEulerDiscreteScheduler",), has_weights=False)
# Their pipelines hand the scheduler noise levels of their own, which of diffusers' only this one takes.
SCHEDULERS = {"flow_prediction": (Scheduler.MODEL,)}
PREDICTION = "flow_prediction"


def grid(folder: Path) -> int:
    """The pixels of a token's side: two latents of the autoencoder's."""
    config = read_config(folder, "vae/config.json")
    halvings = config.get("temperal_downsample")  # Qwen-Image's; diffusers' spelling
    if isinstance(halvings, list):
        return int(2 ** (min(len(halvings), 8) + 1))
    widths = config.get("block_out_channels")
    return int(2 ** min(len(widths), 8)) if isinstance(widths, list) and widths else 1


def side(_folder: Path) -> None:
    """Configurations of transformers do not say at what size they were trained."""


def is_turbo(folder: Path) -> bool:
    """Whether its name, or that of its folder in the hub's cache, says that it was distilled to few steps."""
    return any("turbo" in part.lower() for part in folder.parts[-3:])
