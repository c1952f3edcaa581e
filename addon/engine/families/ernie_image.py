# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ERNIE-Image. Imports core and engine."""

from typing import Any

from ...core.families.ernie_image import ERNIE_IMAGE
from . import autoencoders, rotary
from .packing import Normalized


class _Ernie(Normalized):
    def embed(self, pipeline: Any, prompt: str, negative_prompt: str, guided: bool, **_chosen: Any) -> dict[str, Any]:
        pipeline.tokenizer.model_max_length = self.reads  # it may have none, and is asked to cut
        device = pipeline._execution_device
        embeddings = {"prompt_embeds": pipeline.encode_prompt(prompt, device)}
        if guided:
            embeddings["negative_prompt_embeds"] = pipeline.encode_prompt(negative_prompt, device)
        return embeddings

    def pixels(self, pipeline: Any) -> int:
        return int(pipeline.vae_scale_factor)  # it counts the patches in

    def epsilon(self, vae: Any) -> float:
        return 1e-5  # as its pipeline has it: its configuration is wrong


ADAPTER = _Ernie(ERNIE_IMAGE, rotary.PERIODIC | autoencoders.PERIODIC, takes_templates=True, reads=2048)
