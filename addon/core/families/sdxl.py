# SPDX-License-Identifier: GPL-3.0-or-later
"""SDXL: a larger U-Net, two text encoders. Imports core only."""

from . import bases, original, u_net
from .family import Component, Defaults, Family

SDXL = Family(
    pipeline="StableDiffusionXLPipeline",
    components={
        "unet": u_net.UNET,
        "vae": u_net.VAE,
        "text_encoder": u_net.CLIP,
        "text_encoder_2": Component("transformers", ("CLIPTextModelWithProjection",)),
        "tokenizer": u_net.CLIP_TOKENIZER,
        "tokenizer_2": u_net.CLIP_TOKENIZER,
        "scheduler": u_net.SCHEDULER,
    },
    denoiser="unet",
    defaults=Defaults(25, 6.0, 1024),
    schedulers=u_net.SCHEDULERS,
    prediction_type="epsilon",
    step_bytes=330,  # 318 counted
    grid=u_net.grid,
    side=u_net.side,
    inpainting="StableDiffusionXLInpaintPipeline",
    controls=("ControlNetModel", "ControlNetUnionModel"),
    control_bytes=130,  # 447 counted with one, 549 with two or more
    bases=(bases.XL,),
    grid_of=u_net.grid_of,
    checkpoint=original.read,
)
