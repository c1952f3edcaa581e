# SPDX-License-Identifier: GPL-3.0-or-later
"""Qwen-Image: text read by Qwen2.5-VL, an autoencoder made for films. Imports core only."""

from . import bases
from . import diffusion_transformer as transformer
from .family import Component, Defaults, Family

QWEN_IMAGE = Family(
    pipeline="QwenImagePipeline",
    components={
        "transformer": Component("diffusers", ("QwenImageTransformer2DModel",)),
        "vae": Component("diffusers", ("AutoencoderKLQwenImage",)),
        "text_encoder": Component("transformers", ("Qwen2_5_VLForConditionalGeneration",)),
        "tokenizer": transformer.QWEN_TOKENIZER,
        "scheduler": transformer.FLOW_SCHEDULER,
    },
    denoiser="transformer",
    defaults=Defaults(50, 4.0, 1024),
    schedulers=transformer.FLOW_SCHEDULERS,
    prediction_type="flow_prediction",
    step_bytes=400,  # 379 counted at 1024 pixels
    grid=transformer.grid_of_pairs,
    side=lambda _folder: None,
    dtype="bfloat16",
    bases=(bases.QWEN,),
)
