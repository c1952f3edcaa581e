# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Stable Diffusion 3 and 3.5. Imports core and engine."""

from typing import Any

from ...core.families.stable_diffusion_3 import STABLE_DIFFUSION_3
from .adapter import Adapter
from .autoencoders import PERIODIC
from .sines import sines


class _Adapter(Adapter):
    def embed(self, pipeline: Any, prompt: str, negative_prompt: str, guided: bool, **chosen: Any) -> dict[str, Any]:
        encoded = pipeline.encode_prompt(
            prompt,
            None,  # what the others read: the same
            None,
            device=pipeline._execution_device,
            do_classifier_free_guidance=guided,
            negative_prompt=negative_prompt,
            **chosen,
        )
        return {name: value for name, value in zip(self.embeddings, encoded, strict=True) if value is not None}


ADAPTER = _Adapter(
    STABLE_DIFFUSION_3,
    {"SD3Transformer2DModel": sines, **PERIODIC},
    # the third reads most, where it is there
    text_encoders=(
        ("tokenizer_3", "text_encoder_3"),
        ("tokenizer", "text_encoder"),
        ("tokenizer_2", "text_encoder_2"),
    ),
    embeddings=("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds"),
    takes_templates=True,
    reads=256,
)
