# SPDX-License-Identifier: GPL-3.0-or-later
"""Small networks of the real topology with random weights, for tests. Widths are narrow; blocks, attention, strides
and norms are those of the model named."""

from typing import Any

import torch
from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLHunyuanImage,
    AutoencoderKLQwenImage,
    AutoencoderKLQwenImage21,
    AutoencoderKLWan,
    AutoencoderTiny,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

TEXT_WIDTH = 24


def sd_unet(width: int = 16) -> UNet2DConditionModel:
    """Stable Diffusion 1.5's: four levels, attention at three of them; a grid of 8 latents."""
    torch.manual_seed(1)
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(width, 2 * width, 4 * width, 4 * width),
        layers_per_block=2,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        attention_head_dim=8,
        cross_attention_dim=TEXT_WIDTH,
        norm_num_groups=8,
    ).eval()


def sdxl_unet(width: int = 16, depth: int = 10) -> UNet2DConditionModel:
    """SDXL's: three levels, up to ten transformer layers in a block; a grid of 4 latents."""
    torch.manual_seed(2)
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(width, 2 * width, 4 * width),
        layers_per_block=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, depth),
        attention_head_dim=(2, 4, 8),
        use_linear_projection=True,
        cross_attention_dim=2 * TEXT_WIDTH,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=TEXT_WIDTH + 6 * 8,
        norm_num_groups=8,
    ).eval()


def kl_autoencoder(width: int = 8) -> AutoencoderKL:
    """The autoencoder of both: attention in the middle, hand-made padding before its strided convolutions; f8."""
    torch.manual_seed(3)
    return AutoencoderKL(
        block_out_channels=(width, 2 * width, 4 * width, 4 * width),
        layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=4,
    ).eval()


def tiny_autoencoder(width: int = 16) -> AutoencoderTiny:
    """TAESD's kind; f8."""
    torch.manual_seed(4)
    return AutoencoderTiny(
        encoder_block_out_channels=(width,) * 4,
        decoder_block_out_channels=(width,) * 4,
        num_encoder_blocks=(1, 3, 3, 3),
        num_decoder_blocks=(3, 3, 3, 1),
    ).eval()


def dc_autoencoder(width: int = 8) -> AutoencoderDC:
    """Sana's: six levels, linear attention at the last three, no pooling of the whole picture but that; f32."""
    torch.manual_seed(8)
    blocks = ("ResBlock",) * 3 + ("EfficientViTBlock",) * 3
    widths = (width, width, 2 * width, 2 * width, 4 * width, 4 * width)
    return AutoencoderDC(
        latent_channels=8,
        attention_head_dim=8,
        encoder_block_types=blocks,
        decoder_block_types=blocks,
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        encoder_layers_per_block=(1,) * 6,
        decoder_layers_per_block=(1,) * 6,
        upsample_block_type="interpolate",
        downsample_block_type="Conv",
        scaling_factor=0.41407,
    ).eval()


def flux2_autoencoder(width: int = 8) -> AutoencoderKLFlux2:
    """The KL autoencoder, with a batch norm beside it whose statistics are those of 2x2 patches of latents; f8."""
    torch.manual_seed(9)
    vae = AutoencoderKLFlux2(
        block_out_channels=(width, 2 * width, 4 * width, 4 * width),
        layers_per_block=2,
        latent_channels=4,
        norm_num_groups=4,
    ).eval()
    vae.bn.running_mean.copy_(torch.randn(16))
    vae.bn.running_var.copy_(torch.rand(16) + 0.2)
    return vae


def hunyuan_autoencoder(width: int = 32) -> AutoencoderKLHunyuanImage:
    """HunyuanImage's: pixels move to channels and back, attention in the middle; f8 here, f32 there."""
    torch.manual_seed(10)
    return AutoencoderKLHunyuanImage(
        in_channels=3,
        out_channels=3,
        latent_channels=8,
        block_out_channels=(width, width, 2 * width, 2 * width),
        layers_per_block=1,
        spatial_compression_ratio=8,
        sample_size=64,
        scaling_factor=0.75,
    ).eval()


def causal_autoencoder(
    cls: type = AutoencoderKLQwenImage, width: int = 8, channels: int = 4, **settings: Any
) -> AutoencoderKLQwenImage | AutoencoderKLQwenImage21 | AutoencoderKLWan:
    """Qwen-Image's and Wan's: convolutions in three dimensions that pad by hand; f8, and f16 with patches of 2."""
    torch.manual_seed(11)
    generator = torch.Generator().manual_seed(0)
    return cls(
        base_dim=width,
        z_dim=channels,
        dim_mult=[1, 2, 2, 2],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=torch.randn(channels, generator=generator).tolist(),
        latents_std=(torch.rand(channels, generator=generator) + 0.5).tolist(),
        **settings,
    ).eval()


def residual_autoencoder(cls: type = AutoencoderKLWan) -> AutoencoderKLWan | AutoencoderKLQwenImage21:
    """Wan 2.2's and Qwen-Image 2.1's: shortcuts past whole levels, patches of 2; f16."""
    return causal_autoencoder(
        cls, is_residual=True, in_channels=12, out_channels=12, patch_size=2, scale_factor_spatial=16
    )


def small_unet() -> UNet2DConditionModel:
    """As little as is a U-Net with attention, for tests of all that happens around it; a grid of 2 latents."""
    torch.manual_seed(5)
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=8,
        cross_attention_dim=TEXT_WIDTH,
        norm_num_groups=8,
    ).eval()


def tokenizer() -> CLIPTokenizer:
    """CLIP's, with single bytes for words; it reads 16 tokens."""
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer({word: index for index, word in enumerate(words)}, [], model_max_length=16)


def text_encoder(width: int = TEXT_WIDTH, *, projected: bool = False) -> CLIPTextModel | CLIPTextModelWithProjection:
    torch.manual_seed(6)
    config = CLIPTextConfig(
        vocab_size=514,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=16,
        projection_dim=width,
        bos_token_id=512,
        eos_token_id=513,
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config).eval()


def sd_pipeline(unet: UNet2DConditionModel, vae: AutoencoderKL | AutoencoderTiny) -> StableDiffusionPipeline:
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder(),
        tokenizer=tokenizer(),
        unet=unet,
        scheduler=DPMSolverMultistepScheduler(
            beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sdxl_pipeline() -> StableDiffusionXLPipeline:
    return StableDiffusionXLPipeline(
        vae=kl_autoencoder(),
        text_encoder=text_encoder(),
        text_encoder_2=text_encoder(projected=True),
        tokenizer=tokenizer(),
        tokenizer_2=tokenizer(),
        unet=sdxl_unet(depth=2),
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012),
    )
