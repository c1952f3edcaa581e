# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Qwen-Image. Imports core and engine."""

from typing import Any

import torch

from ...core.families.qwen_image import QWEN_IMAGE
from ...core.requests.texture import TextureRequest
from . import autoencoders, rotary
from .packing import Tokens


class _QwenImage(Tokens):
    def embed(self, pipeline: Any, prompt: str, negative_prompt: str, guided: bool, **_chosen: Any) -> dict[str, Any]:
        embeddings = self._read(pipeline, prompt)
        if guided:
            negative = self._read(pipeline, negative_prompt or " ")  # of no words at all nothing would be left
            embeddings |= {f"negative_{name}": value for name, value in negative.items()}
        return embeddings

    def _read(self, pipeline: Any, text: str) -> dict[str, Any]:
        read, mask = pipeline.encode_prompt(text)
        if mask is None:  # nothing is padding; but told nothing, the pipeline warns
            mask = torch.ones(read.shape[:2], dtype=torch.long, device=read.device)
        return {"prompt_embeds": read, "prompt_embeds_mask": mask}

    def arguments(self, pipeline: Any, request: TextureRequest) -> dict[str, Any]:
        return {"true_cfg_scale": request.guidance_scale}


ADAPTER = _QwenImage(
    QWEN_IMAGE,
    rotary.PERIODIC | autoencoders.PERIODIC,
    takes_templates=True,
    reads=507,  # 512 with the end of what the chat is wrapped in
)
