# SPDX-License-Identifier: GPL-3.0-or-later
"""Small networks of the real topology with random weights, for tests. Widths are narrow; blocks, attention, strides
and norms are those of the model named."""

from collections.abc import Callable
from pathlib import Path
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
    ControlNetModel,
    ControlNetUnionModel,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

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


def kl_autoencoder(width: int = 8, channels: int = 4) -> AutoencoderKL:
    """The autoencoder of both: attention in the middle, hand-made padding before its strided convolutions; f8.

    With 16 channels, as later models have it, there are no convolutions around the latents.
    """
    torch.manual_seed(3)
    return AutoencoderKL(
        block_out_channels=(width, 2 * width, 4 * width, 4 * width),
        layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=channels,
        norm_num_groups=4,
        use_quant_conv=channels == 4,
        use_post_quant_conv=channels == 4,
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


def dc_autoencoder(width: int = 8, *, plain: bool = True, growing: bool = False) -> AutoencoderDC:
    """Sana's: six levels, linear attention at the last three; f32. Not plain: levels move pixels to channels.

    growing: in width as the full-size one does.
    """
    torch.manual_seed(8)
    blocks = ("ResBlock",) * 3 + ("EfficientViTBlock",) * 3
    factors = (1, 2, 4, 4, 8, 8) if growing else (1, 1, 2, 2, 4, 4)
    widths = tuple(factor * width for factor in factors)
    return AutoencoderDC(
        latent_channels=8,
        attention_head_dim=8,
        encoder_block_types=blocks,
        decoder_block_types=blocks,
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        encoder_layers_per_block=(1,) * 6,
        decoder_layers_per_block=(1,) * 6,
        upsample_block_type="interpolate" if plain else "pixel_shuffle",
        downsample_block_type="Conv" if plain else "pixel_unshuffle",
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


# --- guides


def _filled(network: Any, seed: int) -> Any:
    """With random weights where a ControlNet begins with zeros, and says nothing."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


def control_net(unet: UNet2DConditionModel, seed: int = 7) -> ControlNetModel:
    """A ControlNet for this denoiser, whose first layers have the real strides: f8."""
    torch.manual_seed(seed)
    made = ControlNetModel.from_unet(
        unet, conditioning_embedding_out_channels=(4, 8, 8, 16), load_weights_from_unet=False
    )
    return _filled(made, seed)


def union_net(unet: UNet2DConditionModel, kinds: int = 8) -> ControlNetUnionModel:
    """The Union's topology, ProMax with its eight kinds."""
    torch.manual_seed(8)
    width = unet.config.block_out_channels[0]
    config = dict(control_net(unet).config) | {
        "conditioning_embedding_out_channels": (4, 8, 8, 16),
        "num_control_type": kinds,
        "num_trans_channel": width,
        "num_proj_channel": width,
        # the class takes as many numbers as its sinusoids give: 256 for each kind
        "projection_class_embeddings_input_dim": unet.config.projection_class_embeddings_input_dim,
    }
    config = {name: value for name, value in config.items() if not name.startswith("_")}
    return _filled(ControlNetUnionModel.from_config(config), 8)


def image_encoder() -> CLIPVisionModelWithProjection:
    """CLIP's eye: pictures of 16 pixels in patches of 8, seen as 12 numbers."""
    torch.manual_seed(9)
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        projection_dim=12,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
    )
    return CLIPVisionModelWithProjection(config).eval()


def ip_adapter(unet: UNet2DConditionModel, folder: Path, *, plus: bool = False) -> Path:
    """An IP-Adapter's file for this denoiser, with its encoder beside it, as they are published."""
    folder.mkdir(parents=True, exist_ok=True)
    image_encoder().save_pretrained(folder / "image_encoder")
    generator = torch.Generator().manual_seed(10)

    def random(*shape: int) -> torch.Tensor:
        return 0.3 * torch.randn(shape, generator=generator)

    text = unet.config.cross_attention_dim
    weights: dict[str, torch.Tensor] = {}
    if plus:
        weights |= _resampler(text, random)
    else:
        weights |= {
            "image_proj.proj.weight": random(4 * text, 12),
            "image_proj.proj.bias": random(4 * text),
            "image_proj.norm.weight": 1 + random(text),
            "image_proj.norm.bias": random(text),
        }
    cross = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    for number, name in enumerate(cross):
        width = unet.get_submodule(name.removesuffix(".processor")).inner_dim
        for letter in "kv":
            weights[f"ip_adapter.{2 * number + 1}.to_{letter}_ip.weight"] = random(width, text)
    path = folder / ("ip-adapter-plus.safetensors" if plus else "ip-adapter.safetensors")
    save_file(weights, path)
    return path


def _resampler(text: int, random: Callable[..., torch.Tensor]) -> dict[str, torch.Tensor]:
    """A Plus's, by the names in published files: it asks 4 questions of what the encoder sees, 4 times over."""
    width, inner = 16, 64  # diffusers counts on heads of 64
    weights = {
        "latents": random(1, 4, width),
        "proj_in.weight": random(width, 16),
        "proj_in.bias": random(width),
        "proj_out.weight": random(text, width),
        "proj_out.bias": random(text),
        "norm_out.weight": 1 + random(text),
        "norm_out.bias": random(text),
    }
    for layer in range(4):
        weights |= {
            f"layers.{layer}.0.norm1.weight": 1 + random(width),
            f"layers.{layer}.0.norm1.bias": random(width),
            f"layers.{layer}.0.norm2.weight": 1 + random(width),
            f"layers.{layer}.0.norm2.bias": random(width),
            f"layers.{layer}.0.to_q.weight": random(inner, width),
            f"layers.{layer}.0.to_kv.weight": random(2 * inner, width),
            f"layers.{layer}.0.to_out.weight": random(width, inner),
            f"layers.{layer}.1.0.weight": 1 + random(width),
            f"layers.{layer}.1.0.bias": random(width),
            f"layers.{layer}.1.1.weight": random(4 * width, width),
            f"layers.{layer}.1.3.weight": random(width, 4 * width),
        }
    return {f"image_proj.{name}": value for name, value in weights.items()}
