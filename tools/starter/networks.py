# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes of the starter model's networks, all of them stock diffusers classes. May import torch and diffusers."""

import math
from typing import Any

import torch
from diffusers import AutoencoderTiny, DPMSolverMultistepScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from torch import nn
from torch.nn import functional

from addon.core.families.catalogue import resolve
from addon.core.requests.texture import STARTER

from .text import WIDTH
from .torus import wrap

LATENT_CHANNELS = 12
PIXELS_PER_LATENT = 8
DEFAULT_PIXELS = 512
TRAIN_TIMESTEPS = 1000
STEPS = resolve(STARTER).defaults.steps  # what the weights are taught to take, and are asked for

# Most of the blocks stand at coarse levels: a 3x3 convolution at full resolution costs 64 times one at the latents'.
AUTOENCODER: dict[str, Any] = {
    "encoder_block_out_channels": (48, 48, 48, 48),
    "decoder_block_out_channels": (48, 48, 48, 48),
    "num_encoder_blocks": (0, 1, 3, 4),
    "num_decoder_blocks": (3, 3, 1, 0),
    "latent_channels": LATENT_CHANNELS,
}

# Words come in twice: pooled into the time embedding, which scales and shifts every block (so that colour and material
# are known at all levels without attention), and token by token at the coarsest level. Attention at the finer levels
# took a third of the time.
DENOISER: dict[str, Any] = {
    "sample_size": DEFAULT_PIXELS // PIXELS_PER_LATENT,
    "in_channels": LATENT_CHANNELS,
    "out_channels": LATENT_CHANNELS,
    "block_out_channels": (64, 192, 256),
    "layers_per_block": 1,
    "mid_block_type": None,
    "down_block_types": ("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 4,
    "norm_num_groups": 16,
    "resnet_time_scale_shift": "scale_shift",
    "addition_embed_type": "text",
    "addition_embed_type_num_heads": 8,
}


def make_autoencoder() -> AutoencoderTiny:
    """A new AutoencoderTiny: 8 pixels a latent, no normalisation and no attention, so that tiles of it are exact."""
    model = AutoencoderTiny(**AUTOENCODER)
    _initialise(model)
    return model


# Latents begin as brightness and two colour differences of R, G and B, scaled to variance about 1, ...
OPPONENT = torch.tensor(((1.3, 1.3, 1.3), (6.0, -6.0, 0.0), (3.5, 3.5, -7.0)))
MEAN_GREY = 0.42
# ... and as these cosines (frequencies along y and x) of the luma in each 8x8 block, with their scale.
_COSINES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (2, 2), (0, 3))
_KEPT = max(19, 3 + 2 * len(_COSINES))  # channels of the encoder that carry them
_COSINE_SCALE = 30.0


def _initialise(model: AutoencoderTiny) -> None:
    """Begin as an encoder that takes colour and coarse cosines of every block, and a decoder that passes colour.

    There are no normalisation layers to help, and nearest-neighbour upsampling hides from a convolution which pixel of
    a block it is at: from random weights, detail was not even begun after a thousand steps. The channels used for this
    hold positive values, so that the ReLUs let them pass; the others begin at random, with their variance kept.
    """
    for part in (model.encoder.layers, model.decoder.layers):
        for layer in part:
            if isinstance(layer, AutoencoderTinyBlock):
                for conv, gain in ((layer.conv[0], 2.0), (layer.conv[2], 2.0), (layer.conv[4], 0.05)):
                    _draw(conv, gain)
                nn.init.zeros_(layer.conv[4].weight[: _KEPT if part is model.encoder.layers else 3])
            elif isinstance(layer, nn.Conv2d):
                _draw(layer, 1.0)
    with torch.no_grad():
        _take_cosines(*(layer for layer in model.encoder.layers if isinstance(layer, nn.Conv2d)))
        _pass_colour(*(layer for layer in model.decoder.layers if isinstance(layer, nn.Conv2d)))


def _take_cosines(first: nn.Conv2d, half: nn.Conv2d, quarter: nn.Conv2d, eighth: nn.Conv2d, last: nn.Conv2d) -> None:
    # A 3x3 kernel of stride 2 sees its own 2x2 block at rows and columns 1 and 2.
    inside = [(y, x) for y in (0, 1) for x in (0, 1)]
    for conv, used in ((first, 3), (half, 12), (quarter, 19), (eighth, 3 + 2 * len(_COSINES))):
        conv.weight[:used] = 0.0
    for c in range(3):
        first.weight[c, c, 1, 1] = 1.0
        for i, (y, x) in enumerate(inside):
            half.weight[4 * c + i, c, 1 + y, 1 + x] = 1.0  # every pixel of 2x2 in a channel of its own
            quarter.weight[16 + c, 4 * c : 4 * c + 4, 1 + y, 1 + x] = 1.0 / 16.0  # mean of 4x4
            eighth.weight[c, 16 + c, 1 + y, 1 + x] = 0.25  # mean of 8x8
            for j in range(4):
                quarter.weight[4 * i + j, 4 * c + j, 1 + y, 1 + x] = 1.0 / 3.0  # luma of every pixel of 4x4
    for n, (v, u) in enumerate(_COSINES):
        for y8 in range(8):
            for x8 in range(8):
                wave = math.cos(math.pi * v * (2 * y8 + 1) / 16) * math.cos(math.pi * u * (2 * x8 + 1) / 16) / 64
                channel = 4 * (2 * (y8 // 2 % 2) + x8 // 2 % 2) + 2 * (y8 % 2) + x8 % 2
                for sign in (0, 1):
                    eighth.weight[3 + 2 * n + sign, channel, 1 + y8 // 4, 1 + x8 // 4] = wave * (1 - 2 * sign)
    last.weight[:] = 0.0
    last.weight[:3, :3, 1, 1] = OPPONENT
    last.bias[:3] = -MEAN_GREY * OPPONENT.sum(1)
    for n in range(len(_COSINES)):
        last.weight[3 + n, 3 + 2 * n, 1, 1] = _COSINE_SCALE
        last.weight[3 + n, 4 + 2 * n, 1, 1] = -_COSINE_SCALE


def _pass_colour(first: nn.Conv2d, *rest: nn.Conv2d) -> None:
    blur = torch.tensor((0.25, 0.5, 0.25))
    first.weight[:3] = 0.0
    first.weight[:3, :3, 1, 1] = torch.linalg.inv(OPPONENT)
    first.bias[:3] = MEAN_GREY
    for conv in rest:
        conv.weight[:3] = 0.0
        conv.weight[[0, 1, 2], [0, 1, 2]] = blur[:, None] * blur


def _draw(conv: nn.Conv2d, gain: float) -> None:
    """Normal weights of variance gain / fan-in, and no bias."""
    nn.init.normal_(conv.weight, std=math.sqrt(gain / (conv.in_channels * 9)))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)


def make_denoiser() -> UNet2DConditionModel:
    """A new U-Net that predicts the velocity `noise - latents` from `(1 - sigma) * latents + sigma * noise`."""
    model = UNet2DConditionModel(**DENOISER)
    plain_attention(model)
    return model


def plain_attention(model: UNet2DConditionModel) -> None:
    """Attention by plain matrix products, which give the same numbers.

    Fused attention's backward pass is slow on processors. On an H100 the fifth version's training met batches that were
    no numbers, at 256 px only, where the attention has 64 places: cuDNN's fused backward pass gives such at lengths of
    64 over a multiple of 128 (pytorch/pytorch issue 196678).
    """
    model.set_attn_processor(AttnProcessor())


def _lean_norm(self: nn.GroupNorm, x: torch.Tensor) -> torch.Tensor:
    with torch.autocast(x.device.type, enabled=False):
        return functional.group_norm(x, self.num_groups, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)


def train_lean(model: UNet2DConditionModel) -> UNet2DConditionModel:
    """Make a denoiser periodic for its training, with group norms in the precision of what comes in.

    Their sums are float32 inside in any case; mixed precision would make all of their input float32.
    """
    plain_attention(model)
    wrap(model.to(memory_format=torch.channels_last))
    for module in model.modules():
        if isinstance(module, nn.GroupNorm):
            module.forward = _lean_norm.__get__(module)  # type: ignore[method-assign]
    return model


def make_scheduler() -> DPMSolverMultistepScheduler:
    """The scheduler whose sigmas and timesteps (1000 * sigma) the denoiser is trained for.

    Of first order, which is Euler's rule: the long steps are distilled for it.
    """
    return DPMSolverMultistepScheduler(
        num_train_timesteps=TRAIN_TIMESTEPS,
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=1.0,
        steps_offset=1,
        solver_order=1,
    )
