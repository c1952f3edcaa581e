# SPDX-License-Identifier: GPL-3.0-or-later
"""Stable Diffusion 3 and 3.5: a transformer with a sine table, three text encoders. Imports core only."""

from pathlib import Path

from . import bases
from . import diffusion_transformer as transformer
from .family import Component, Defaults, Family
from .u_net import CLIP_TOKENIZER

_CLIP = Component("transformers", ("CLIPTextModelWithProjection",))

_TURBO = Defaults(4, 1.0, 1024, distilled=True)


def _few_steps(folder: Path) -> Defaults | None:
    return _TURBO if transformer.is_turbo(folder) else None


STABLE_DIFFUSION_3 = Family(
    pipeline="StableDiffusion3Pipeline",
    components={
        "transformer": Component("diffusers", ("SD3Transformer2DModel",)),
        "vae": Component("diffusers", ("AutoencoderKL", "AutoencoderTiny")),
        "text_encoder": _CLIP,
        "text_encoder_2": _CLIP,
        # the largest part by far, and the one that can be left out
        "text_encoder_3": Component(transformer.T5.library, transformer.T5.classes, optional=True),
        "tokenizer": CLIP_TOKENIZER,
        "tokenizer_2": CLIP_TOKENIZER,
        "tokenizer_3": Component(
            transformer.T5_TOKENIZER.library, transformer.T5_TOKENIZER.classes, has_weights=False, optional=True
        ),
        "scheduler": transformer.FLOW_SCHEDULER,
    },
    denoiser="transformer",
    defaults=Defaults(28, 4.5, 1024),
    schedulers=transformer.FLOW_SCHEDULERS,
    prediction_type="flow_prediction",
    step_bytes=610,  # 590 counted, of 3.5 large
    grid=transformer.grid,
    side=transformer.side,
    few_steps=_few_steps,
    bases=(bases.SD3,),
    by_file=lambda name, _guided: _TURBO if "turbo" in name else None,
)
