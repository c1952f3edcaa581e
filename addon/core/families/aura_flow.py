# SPDX-License-Identifier: GPL-3.0-or-later
"""AuraFlow: a transformer whose positions are learned, so that it cannot be made periodic. Imports core only."""

import math
from pathlib import Path

from ..model_files.configs import read_config
from . import diffusion_transformer as transformer
from .family import Component, Defaults, Family


def _largest(folder: Path) -> int | None:
    """The table of positions has so many a side, and none beyond."""
    places = read_config(folder, "transformer/config.json").get("pos_embed_max_size")
    return math.isqrt(places) * transformer.grid(folder) if isinstance(places, int) and places > 0 else None


AURA_FLOW = Family(
    pipeline="AuraFlowPipeline",
    components={
        "transformer": Component("diffusers", ("AuraFlowTransformer2DModel",)),
        "vae": transformer.VAE,
        "text_encoder": Component("transformers", ("UMT5EncoderModel", "T5EncoderModel")),
        "tokenizer": Component(
            "transformers",
            ("LlamaTokenizer", "LlamaTokenizerFast", *transformer.T5_TOKENIZER.classes),
            has_weights=False,
        ),
        "scheduler": transformer.FLOW_SCHEDULER,
    },
    denoiser="transformer",
    defaults=Defaults(28, 3.5, 1024),
    schedulers=transformer.FLOW_SCHEDULERS,
    prediction_type="flow_prediction",
    step_bytes=820,  # 793 counted
    grid=transformer.grid,
    side=lambda _folder: None,  # its configuration names half of what it was trained at
    exact=False,
    largest=_largest,
)
