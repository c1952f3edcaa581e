# SPDX-License-Identifier: GPL-3.0-or-later
"""Lumina-Image 2.0: picture and text in one stream, text read by Gemma 2. Imports core only."""

from . import diffusion_transformer as transformer
from .family import Component, Defaults, Family

LUMINA2 = Family(
    pipeline="Lumina2Pipeline",
    components={
        "transformer": Component("diffusers", ("Lumina2Transformer2DModel",)),
        "vae": transformer.VAE,
        "text_encoder": Component("transformers", ("Gemma2Model",)),
        "tokenizer": Component("transformers", ("GemmaTokenizer", "GemmaTokenizerFast"), has_weights=False),
        "scheduler": transformer.FLOW_SCHEDULER,
    },
    denoiser="transformer",
    defaults=Defaults(30, 4.0, 1024),
    schedulers=transformer.FLOW_SCHEDULERS,
    prediction_type="flow_prediction",
    step_bytes=530,  # 507 counted at 1024 pixels
    grid=transformer.grid_of_pairs,
    side=lambda _folder: None,
    dtype="bfloat16",
)
