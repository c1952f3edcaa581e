# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs FLUX.1. Imports core and engine."""

from typing import Any

from ...core.families.flux import FLUX
from ...core.requests.texture import TextureRequest
from . import autoencoders, rotary
from .packing import Tokens


class _Flux(Tokens):
    """dev is told the guidance scale and takes one pass a step; schnell, which is not, can take two."""

    def embed(self, pipeline: Any, prompt: str, negative_prompt: str, guided: bool, **_chosen: Any) -> dict[str, Any]:
        names = ("prompt_embeds", "pooled_prompt_embeds")
        longest = 512 if self._is_told(pipeline) else 256  # padding is read too, so it has to be as in training
        embeddings = dict(
            zip(names, pipeline.encode_prompt(prompt, None, max_sequence_length=longest)[:2], strict=True)
        )
        if guided:
            encoded = pipeline.encode_prompt(negative_prompt, None, max_sequence_length=longest)[:2]
            embeddings |= {f"negative_{name}": value for name, value in zip(names, encoded, strict=True)}
        return embeddings

    def weighs(self, pipeline: Any) -> bool:
        return not self._is_told(pipeline)

    def arguments(self, pipeline: Any, request: TextureRequest) -> dict[str, Any]:
        name = "guidance_scale" if self._is_told(pipeline) else "true_cfg_scale"
        return {name: request.guidance_scale}

    def _is_told(self, pipeline: Any) -> bool:
        return bool(pipeline.transformer.config.guidance_embeds)


ADAPTER = _Flux(
    FLUX,
    rotary.PERIODIC | autoencoders.PERIODIC,
    text_encoders=(("tokenizer_2", "text_encoder_2"), ("tokenizer", "text_encoder")),
    takes_templates=True,
    reads=256,
)
