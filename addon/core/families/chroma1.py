# SPDX-License-Identifier: GPL-3.0-or-later
"""Chroma: FLUX.1's shape without the distillation, text read by T5 alone. Imports core only."""

from . import transformer
from .family import Component, Defaults, Family

CHROMA = Family(
    pipeline="ChromaPipeline",
    components={
        "transformer": Component("diffusers", ("ChromaTransformer2DModel",)),
        "vae": transformer.VAE,
        "text_encoder": transformer.T5,
        "tokenizer": transformer.T5_TOKENIZER,
        "scheduler": transformer.SCHEDULER,
    },
    denoiser="transformer",
    defaults=Defaults(35, 5.0, 1024),
    schedulers=transformer.SCHEDULERS,
    prediction_type=transformer.PREDICTION,
    step_bytes=1,
    grid=transformer.grid,
    side=transformer.side,
    dtype="bfloat16",
)
