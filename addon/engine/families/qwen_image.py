# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Qwen-Image. Imports core and engine."""

from typing import Any

from ...core.families.qwen_image import QWEN_IMAGE
from ...core.requests.texture import TextureRequest
from . import autoencoders, rotary
from .packing import Tokens


class _QwenImage(Tokens):
    def embed(self, pipeline: Any, prompt: str, negative_prompt: str, guided: bool) -> dict[str, Any]:
        names = ("prompt_embeds", "prompt_embeds_mask")
        embeddings = dict(zip(names, pipeline.encode_prompt(prompt), strict=True))
        if guided:
            encoded = pipeline.encode_prompt(negative_prompt or " ")  # of no words at all nothing would be left
            embeddings |= {f"negative_{name}": value for name, value in zip(names, encoded, strict=True)}
        return {name: value for name, value in embeddings.items() if value is not None}

    def arguments(self, pipeline: Any, request: TextureRequest) -> dict[str, Any]:
        return {"true_cfg_scale": request.guidance_scale}


ADAPTER = _QwenImage(
    QWEN_IMAGE,
    rotary.PERIODIC | autoencoders.PERIODIC,
    takes_templates=True,
    reads=507,  # 512 with the end of what the chat is wrapped in
)
