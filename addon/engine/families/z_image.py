# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Z-Image. Imports core and engine."""

from typing import Any

from ...core.families.z_image import Z_IMAGE
from ...core.requests.texture import TextureRequest
from . import autoencoders, rotary
from .adapter import Adapter
from .qwen3 import wrap_prompts


class _ZImage(Adapter):
    def embed(self, pipeline: Any, prompt: str, negative_prompt: str, guided: bool, **_chosen: Any) -> dict[str, Any]:
        wrap_prompts(pipeline)
        encoded = pipeline.encode_prompt(prompt, do_classifier_free_guidance=guided, negative_prompt=negative_prompt)
        return dict(zip(self.embeddings, encoded, strict=True))

    def arguments(self, pipeline: Any, request: TextureRequest) -> dict[str, Any]:
        # The pipeline adds so many times what the prompt changes; others count that it is there already.
        return {"guidance_scale": max(request.guidance_scale - 1, 0.0)}


ADAPTER = _ZImage(
    Z_IMAGE,
    rotary.PERIODIC | autoencoders.PERIODIC,
    takes_templates=True,
    in_float32=True,
    reads=504,  # 512 with what the chat is wrapped in
)
