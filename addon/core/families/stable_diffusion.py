# SPDX-License-Identifier: GPL-3.0-or-later
"""Stable Diffusion 1.x and 2.x, and what is built like them, as the starter is. Imports core only."""

from . import bases, original, u_net
from .family import Component, Defaults, Family

# the starter reads with BERT's classes
_TEXT_ENCODER = Component("transformers", (*u_net.CLIP.classes, "BertModel"))
_TOKENIZER = Component(
    "transformers", (*u_net.CLIP_TOKENIZER.classes, "BertTokenizer", "BertTokenizerFast"), has_weights=False
)

STABLE_DIFFUSION = Family(
    pipeline="StableDiffusionPipeline",
    components={
        "unet": u_net.UNET,
        "vae": u_net.VAE,
        "text_encoder": _TEXT_ENCODER,
        "tokenizer": _TOKENIZER,
        "scheduler": u_net.SCHEDULER,
    },
    denoiser="unet",
    defaults=Defaults(25, 7.0, 512),
    schedulers=u_net.SCHEDULERS,
    prediction_type="epsilon",
    step_bytes=530,  # 521 counted, of SD 1.5
    grid=u_net.grid,
    side=u_net.side,
    inpainting="StableDiffusionInpaintPipeline",
    controls=("ControlNetModel",),
    control_bytes=150,  # 665 counted with one, 767 with two or more
    bases=(bases.SD1, bases.SD2),
    grid_of=u_net.grid_of,
    checkpoint=original.read,
)
