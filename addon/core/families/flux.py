# SPDX-License-Identifier: GPL-3.0-or-later
"""FLUX.1 schnell, dev and their kind: text read by T5 and, as a whole, by CLIP. Imports core only."""

from pathlib import Path

from ..model_files.configs import read_config
from . import bases, u_net
from . import diffusion_transformer as transformer
from .family import Component, Defaults, Family

_SCHNELL = Defaults(4, 1.0, 1024, distilled=True)


def _few_steps(folder: Path) -> Defaults | None:
    """schnell's, which alone is not told a guidance scale."""
    told = read_config(folder, "transformer/config.json").get("guidance_embeds") is True
    return None if told else _SCHNELL


FLUX = Family(
    pipeline="FluxPipeline",
    components={
        "transformer": Component("diffusers", ("FluxTransformer2DModel",)),
        "vae": transformer.VAE,
        "text_encoder": u_net.CLIP,
        "text_encoder_2": transformer.T5,
        "tokenizer": u_net.CLIP_TOKENIZER,
        "tokenizer_2": transformer.T5_TOKENIZER,
        "scheduler": transformer.FLOW_SCHEDULER,
    },
    denoiser="transformer",
    defaults=Defaults(28, 3.5, 1024),
    schedulers=transformer.FLOW_SCHEDULERS,
    prediction_type="flow_prediction",
    step_bytes=490,  # 468 counted, of dev at 1024 pixels
    grid=transformer.grid_of_pairs,
    side=lambda _folder: None,
    few_steps=_few_steps,
    dtype="bfloat16",
    bases=(bases.FLUX1,),
    # dev is told its guidance scale and spreads its noise by the picture's size, schnell neither
    schedule=lambda guided: {"use_dynamic_shifting": guided, "shift": 3.0 if guided else 1.0},
    by_file=lambda _name, guided: None if guided else _SCHNELL,
)
