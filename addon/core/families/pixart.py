# SPDX-License-Identifier: GPL-3.0-or-later
"""What the PixArts have in common: a transformer with a sine table, T5 reads. Imports core only."""

from . import diffusion_transformer as transformer
from . import u_net
from .family import Component, Defaults, Family


def pixart(pipeline: str) -> Family:
    """The family of those that run in this pipeline of diffusers'."""
    return Family(
        pipeline=pipeline,
        components={
            # its folders name it by the class that it was part of once
            "transformer": Component("diffusers", ("PixArtTransformer2DModel", "Transformer2DModel")),
            "vae": u_net.VAE,
            "text_encoder": transformer.T5,
            "tokenizer": transformer.T5_TOKENIZER,
            "scheduler": u_net.SCHEDULER,
        },
        denoiser="transformer",
        defaults=Defaults(20, 4.5, 1024),
        schedulers=u_net.SCHEDULERS,
        prediction_type="epsilon",
        step_bytes=270,  # 258 counted
        grid=transformer.grid,
        side=transformer.side,
    )
