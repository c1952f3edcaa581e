# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Chroma. Imports core and engine."""

from typing import Any

from ...core.families.chroma1 import CHROMA
from . import autoencoders, rotary
from .packing import Tokens


class _Chroma(Tokens):
    def embed(self, pipeline: Any, prompt: str, negative_prompt: str, guided: bool, **_chosen: Any) -> dict[str, Any]:
        encoded = pipeline.encode_prompt(prompt, negative_prompt, do_classifier_free_guidance=guided)
        embeds, _ids, mask, negative_embeds, _negative_ids, negative_mask = encoded
        embeddings = {"prompt_embeds": embeds, "prompt_attention_mask": mask}
        if guided:
            embeddings |= {"negative_prompt_embeds": negative_embeds, "negative_prompt_attention_mask": negative_mask}
        return embeddings


ADAPTER = _Chroma(CHROMA, rotary.PERIODIC | autoencoders.PERIODIC, takes_templates=True, reads=512)
