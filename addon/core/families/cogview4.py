# SPDX-License-Identifier: GPL-3.0-or-later
"""CogView4: text read by GLM-4. Imports core only."""

from . import diffusion_transformer as transformer
from .family import Component, Defaults, Family

COGVIEW4 = Family(
    pipeline="CogView4Pipeline",
    components={
        "transformer": Component("diffusers", ("CogView4Transformer2DModel",)),
        "vae": transformer.VAE,
        "text_encoder": Component("transformers", ("GlmModel",)),
        "tokenizer": Component("transformers", ("PreTrainedTokenizerFast", "TokenizersBackend"), has_weights=False),
        "scheduler": transformer.FLOW_SCHEDULER,
    },
    denoiser="transformer",
    defaults=Defaults(50, 3.5, 1024),
    schedulers=transformer.FLOW_SCHEDULERS,
    prediction_type="flow_prediction",
    step_bytes=455,  # 435 counted at 1024 pixels
    grid=transformer.grid_of_pairs,
    side=lambda _folder: None,
    dtype="bfloat16",
)
