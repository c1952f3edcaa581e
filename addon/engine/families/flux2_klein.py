# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs FLUX.2 klein. Imports core and engine."""

from typing import Any

from ...core.families.flux2_klein import FLUX2_KLEIN
from . import autoencoders, rotary
from .packing import NormalizedTokens
from .qwen3 import wrap_prompts


class _Klein(NormalizedTokens):
    def embed(self, pipeline: Any, prompt: str, negative_prompt: str, guided: bool, **_chosen: Any) -> dict[str, Any]:
        wrap_prompts(pipeline)
        embeddings = {"prompt_embeds": pipeline.encode_prompt(prompt)[0]}
        if guided:
            embeddings["negative_prompt_embeds"] = pipeline.encode_prompt(negative_prompt)[0]
        return embeddings

    def weighs(self, pipeline: Any) -> bool:
        return not pipeline.config.is_distilled


ADAPTER = _Klein(
    FLUX2_KLEIN,
    rotary.PERIODIC | autoencoders.PERIODIC,
    takes_templates=True,
    reads=500,  # 512 with what the chat is wrapped in
)
