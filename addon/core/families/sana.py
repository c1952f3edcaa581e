# SPDX-License-Identifier: GPL-3.0-or-later
"""Sana: linear attention and convolutions at a 32nd of the size, Gemma reads. Imports core only."""

from . import diffusion_transformer as transformer
from . import u_net
from .family import Component, Defaults, Family

SANA = Family(
    pipeline="SanaPipeline",
    components={
        "transformer": Component("diffusers", ("SanaTransformer2DModel",)),
        "vae": Component("diffusers", ("AutoencoderDC",)),
        "text_encoder": Component("transformers", ("Gemma2Model",)),
        "tokenizer": Component("transformers", ("GemmaTokenizer", "GemmaTokenizerFast"), has_weights=False),
        "scheduler": Component(
            "diffusers", (*u_net.SCHEDULER.classes, *transformer.FLOW_SCHEDULER.classes), has_weights=False
        ),
    },
    denoiser="transformer",
    defaults=Defaults(20, 4.5, 1024),
    schedulers={"flow_prediction": u_net.SCHEDULERS["flow_prediction"]},
    prediction_type="flow_prediction",
    step_bytes=210,  # 199 counted
    grid=transformer.grid,
    side=transformer.side,
    dtype="bfloat16",  # what Gemma was trained in; 16 bits of the other kind overflow
)
