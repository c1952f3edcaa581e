# SPDX-License-Identifier: GPL-3.0-or-later
"""Chroma: FLUX.1's shape without the distillation, text read by T5 alone. Imports core only."""

from . import bases
from . import diffusion_transformer as transformer
from .family import Component, Defaults, Family

CHROMA = Family(
    pipeline="ChromaPipeline",
    components={
        "transformer": Component("diffusers", ("ChromaTransformer2DModel",)),
        "vae": transformer.VAE,
        "text_encoder": transformer.T5,
        "tokenizer": transformer.T5_TOKENIZER,
        "scheduler": transformer.FLOW_SCHEDULER,
    },
    denoiser="transformer",
    defaults=Defaults(35, 5.0, 1024),
    schedulers=transformer.FLOW_SCHEDULERS,
    prediction_type="flow_prediction",
    step_bytes=570,  # 539 counted at 2048 pixels, of which its mask is 136; 487 at 1024
    grid=transformer.grid_of_pairs,
    side=lambda _folder: None,
    dtype="bfloat16",
    bases=(bases.CHROMA,),
)
