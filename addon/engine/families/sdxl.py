# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs SDXL. Imports core and engine."""

from ...core.families.sdxl import SDXL
from .adapter import Adapter
from .u_net import PERIODIC, first_names

ADAPTER = Adapter(
    SDXL,
    PERIODIC,
    text_encoders=(("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2")),
    embeddings=("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds"),
    takes_templates=True,
    other_names=first_names,
    last_layer=2,
)
