# SPDX-License-Identifier: GPL-3.0-or-later
"""Z-Image and Z-Image-Turbo: one stream of picture and text, read by Qwen3. Imports core only."""

from pathlib import Path

from . import bases
from . import diffusion_transformer as transformer
from .family import Component, Defaults, Family

_TURBO = Defaults(8, 1.0, 1024, distilled=True)


def _few_steps(folder: Path) -> Defaults | None:
    return _TURBO if transformer.is_turbo(folder) else None


Z_IMAGE = Family(
    pipeline="ZImagePipeline",
    components={
        "transformer": Component("diffusers", ("ZImageTransformer2DModel",)),
        "vae": transformer.VAE,
        "text_encoder": Component("transformers", ("Qwen3Model", "Qwen3ForCausalLM")),
        "tokenizer": transformer.QWEN_TOKENIZER,
        "scheduler": transformer.FLOW_SCHEDULER,
    },
    denoiser="transformer",
    # Its own scale counts from 0: their 4 is 5 of everybody else's (`engine.families`).
    defaults=Defaults(30, 5.0, 1024),
    schedulers=transformer.FLOW_SCHEDULERS,
    prediction_type="flow_prediction",
    step_bytes=1070,  # 1017 counted at 1024 pixels
    grid=transformer.grid_of_pairs,
    side=lambda _folder: None,
    few_steps=_few_steps,
    bases=(bases.ZIMAGE,),
    by_file=lambda name, _guided: _TURBO if "turbo" in name else None,
    dtype="bfloat16",
)
