# SPDX-License-Identifier: GPL-3.0-or-later
"""FLUX.2 klein, and the base that it was distilled from: text read by Qwen3, normalized latents. Imports core only."""

from pathlib import Path

from ..model_files.configs import INDEX, read_config
from . import bases
from . import diffusion_transformer as transformer
from .family import Component, Defaults, Family

_DISTILLED = Defaults(4, 1.0, 1024, distilled=True)


def _few_steps(folder: Path) -> Defaults | None:
    return _DISTILLED if read_config(folder, INDEX).get("is_distilled") is True else None


FLUX2_KLEIN = Family(
    pipeline="Flux2KleinPipeline",
    components={
        "transformer": Component("diffusers", ("Flux2Transformer2DModel",)),
        "vae": transformer.FLUX2_VAE,
        "text_encoder": Component("transformers", ("Qwen3ForCausalLM",)),
        "tokenizer": transformer.QWEN_TOKENIZER,
        "scheduler": transformer.FLOW_SCHEDULER,
    },
    denoiser="transformer",
    defaults=Defaults(50, 4.0, 1024),
    schedulers=transformer.FLOW_SCHEDULERS,
    prediction_type="flow_prediction",
    step_bytes=620,  # 588 counted, of the 4B at 1024 pixels
    grid=transformer.grid_of_pairs,
    side=lambda _folder: None,
    few_steps=_few_steps,
    dtype="bfloat16",
    bases=(bases.KLEIN_4B, bases.KLEIN_9B),
    by_file=lambda name, _guided: None if "base" in name else _DISTILLED,
)
