# SPDX-License-Identifier: GPL-3.0-or-later
"""Pipelines that hand the denoiser a mask beside what the text encoder made of a prompt. Imports core and engine."""

from typing import Any

from ...core.requests.texture import TextureRequest
from .adapter import Adapter, StepEnded

EMBEDDINGS = ("prompt_embeds", "prompt_attention_mask", "negative_prompt_embeds", "negative_prompt_attention_mask")


class Masked(Adapter):
    """Their own default for a negative prompt is a text, which they refuse beside what was made of one."""

    def arguments(self, pipeline: Any, request: TextureRequest) -> dict[str, Any]:
        return super().arguments(pipeline, request) | {"negative_prompt": None}


class Unbinned(Masked):
    """They would resize and crop what does not have one of their own sizes: not periodic."""

    def arguments(self, pipeline: Any, request: TextureRequest) -> dict[str, Any]:
        return super().arguments(pipeline, request) | {"use_resolution_binning": False}


class ToldLate(Unbinned):
    """They only know the callback of older pipelines, which cannot give latents back."""

    def after_step(self, told: StepEnded) -> dict[str, Any]:
        def callback(step: int, time: Any, latents: Any) -> None:
            given = told(None, step, time, {"latents": latents})["latents"]
            if given is not latents:
                latents.copy_(given)  # it goes on with this very tensor

        return {"callback": callback, "callback_steps": 1}
