# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Sana. Imports core and engine."""

import inspect
from typing import Any

from ...core.families.sana import SANA
from .autoencoders import PERIODIC
from .masked import EMBEDDINGS, Unbinned
from .sines import sines


class _Adapter(Unbinned):
    def embed(self, pipeline: Any, prompt: str, negative_prompt: str, guided: bool, **chosen: Any) -> dict[str, Any]:
        # The call's own default: what it tells the text encoder, a language model, to make of a prompt.
        told = inspect.signature(pipeline.__call__).parameters["complex_human_instruction"].default
        encoded = pipeline.encode_prompt(
            prompt,
            guided,
            negative_prompt=negative_prompt,
            device=pipeline._execution_device,
            complex_human_instruction=told,
            **chosen,
        )
        return {name: value for name, value in zip(self.embeddings, encoded, strict=True) if value is not None}


ADAPTER = _Adapter(
    SANA,
    {"SanaTransformer2DModel": sines, **PERIODIC},
    embeddings=EMBEDDINGS,
    takes_templates=True,
    blank="",
    reads=300,
    in_float32=True,
)
