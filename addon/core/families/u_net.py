# SPDX-License-Identifier: GPL-3.0-or-later
"""What families with a U-Net have in common. Imports core and the standard library only."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..model_files.configs import read_config
from ..requests.texture import Scheduler
from .family import Component

UNET = Component("diffusers", ("UNet2DConditionModel",))
VAE = Component("diffusers", ("AutoencoderKL", "AutoencoderTiny"))
CLIP = Component("transformers", ("CLIPTextModel",))
CLIP_TOKENIZER = Component("transformers", ("CLIPTokenizer", "CLIPTokenizerFast"), has_weights=False)
SCHEDULER = Component(
    "diffusers",
    (
        "DDIMScheduler",
        "DDPMScheduler",
        "DPMSolverMultistepScheduler",
        "EulerAncestralDiscreteScheduler",
        "EulerDiscreteScheduler",
        "LCMScheduler",
        "LMSDiscreteScheduler",
        "PNDMScheduler",
        "TCDScheduler",
        "UniPCMultistepScheduler",
    ),
    has_weights=False,
)

_ALL = tuple(Scheduler)
# Straight-path models: the Euler and DDIM of diffusers ignore or refuse flow prediction (FIELD.md)
_FLOW = (Scheduler.MODEL, Scheduler.DPMPP_2M, Scheduler.UNIPC)
SCHEDULERS = {"epsilon": _ALL, "v_prediction": _ALL, "flow_prediction": _FLOW}


def grid(folder: Path) -> int:
    """The product of the strides of autoencoder and U-Net, in pixels: each halves its input between two levels."""
    return grid_of({part: read_config(folder, f"{part}/config.json") for part in ("vae", "unet")})


def grid_of(configs: Mapping[str, Mapping[str, Any]]) -> int:
    """The same from the configurations of both."""
    found = [configs["unet"].get("block_out_channels"), configs["vae"].get("block_out_channels")]
    # of the tiny autoencoder, in a file that brings no configuration
    levels = [*found, None if found[1] else configs["vae"].get("decoder_block_out_channels")]
    return math.prod(2 ** (min(len(widths), 8) - 1) for widths in levels if isinstance(widths, list) and widths)


def side(folder: Path) -> int | None:
    """The side that the U-Net was trained at, in pixels; its configuration counts latents of eight."""
    latents = read_config(folder, "unet/config.json").get("sample_size")
    return latents * 8 if isinstance(latents, int) else None
