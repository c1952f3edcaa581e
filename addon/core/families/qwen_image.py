# SPDX-License-Identifier: GPL-3.0-or-later
"""Qwen-Image: text read by Qwen2.5-VL, an autoencoder made for films. Imports core only."""

from . import transformer
from .family import Component, Defaults, Family

QWEN_IMAGE = Family(
    pipeline="QwenImagePipeline",
    components={
        "transformer": Component("diffusers", ("QwenImageTransformer2DModel",)),
        "vae": Component("diffusers", ("AutoencoderKLQwenImage",)),
        "text_encoder": Component("transformers", ("Qwen2_5_VLForConditionalGeneration",)),
        "tokenizer": transformer.QWEN_TOKENIZER,
        "scheduler": transformer.SCHEDULER,
    },
    denoiser="transformer",
    defaults=Defaults(50, 4.0, 1024),
    schedulers=transformer.SCHEDULERS,
    prediction_type=transformer.PREDICTION,
    step_bytes=1,
    grid=transformer.grid,
    side=transformer.side,
    dtype="bfloat16",
)
