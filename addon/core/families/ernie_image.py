# SPDX-License-Identifier: GPL-3.0-or-later
"""ERNIE-Image and ERNIE-Image-Turbo: text read by Mistral 3, FLUX.2's autoencoder. Imports core only."""

from pathlib import Path

from . import bases
from . import diffusion_transformer as transformer
from .family import Component, Defaults, Family

_TURBO = Defaults(8, 1.0, 1024, distilled=True)


def _few_steps(folder: Path) -> Defaults | None:
    return _TURBO if transformer.is_turbo(folder) else None


ERNIE_IMAGE = Family(
    pipeline="ErnieImagePipeline",
    components={
        "transformer": Component("diffusers", ("ErnieImageTransformer2DModel",)),
        "vae": transformer.FLUX2_VAE,
        "text_encoder": Component("transformers", ("Mistral3Model",)),
        "tokenizer": transformer.QWEN_TOKENIZER,
        "scheduler": transformer.FLOW_SCHEDULER,
    },
    denoiser="transformer",
    defaults=Defaults(50, 4.0, 1024),
    schedulers=transformer.FLOW_SCHEDULERS,
    prediction_type="flow_prediction",
    step_bytes=1680,  # 1594 counted at 1024 pixels
    grid=transformer.grid_of_pairs,
    side=lambda _folder: None,
    few_steps=_few_steps,
    by_file=lambda name, _guided: _TURBO if "turbo" in name else None,
    dtype="bfloat16",
    bases=(bases.ERNIE,),
    # a language model that rewrites prompts: other words than the user's, drawn by chance
    unused=("pe", "pe_tokenizer"),
)
