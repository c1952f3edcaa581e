# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole pipelines of families with a transformer, as small as they get, with random weights and sharpened attention."""

from collections.abc import Callable
from typing import Any

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler
from tokenizers.pre_tokenizers import ByteLevel
from torch import nn

from tests.engine import networks
from tests.engine.transformers_of_diffusers import AXES, HEAD, HEADS, WIDTH, make

WORDS = [*sorted(ByteLevel.alphabet()), "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
READ = 16  # width of what text encoders make


def qwen_tokenizer() -> transformers.PreTrainedTokenizerBase:
    made = transformers.Qwen2Tokenizer({word: index for index, word in enumerate(WORDS)}, [])
    made.add_special_tokens({"additional_special_tokens": WORDS[-4:]})
    made.chat_template = "not to be asked: {{ 1 / 0 }}"
    return made


def t5_tokenizer() -> transformers.PreTrainedTokenizerBase:
    letters = [(letter, -1.0) for letter in "▁abcdefghijklmnopqrstuvwxyz"]
    return transformers.T5Tokenizer([("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -10.0), *letters], extra_ids=0)


def t5() -> nn.Module:
    torch.manual_seed(8)
    config = transformers.T5Config(vocab_size=40, d_model=READ, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    return transformers.T5EncoderModel(config).eval()


def qwen3(cls: Any, layers: int) -> nn.Module:
    torch.manual_seed(9)
    sizes = {"hidden_size": READ, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1}
    return cls(transformers.Qwen3Config(vocab_size=300, num_hidden_layers=layers, head_dim=8, **sizes)).eval()


def qwen_vl() -> nn.Module:
    torch.manual_seed(10)
    text = {
        "hidden_size": READ,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "vocab_size": 300,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]},
    }
    seen = {"depth": 1, "hidden_size": 8, "intermediate_size": 8, "num_heads": 1, "out_hidden_size": READ}
    config = transformers.Qwen2_5_VLConfig(text_config=text, vision_config=seen)
    return transformers.Qwen2_5_VLForConditionalGeneration(config).eval()


def mistral3() -> nn.Module:
    torch.manual_seed(11)
    text = {
        "model_type": "ministral3",
        "hidden_size": READ,
        "intermediate_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "vocab_size": 300,
    }
    seen = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "head_dim": 8}
    config = transformers.Mistral3Config(text_config=text, vision_config={"model_type": "pixtral", **seen})
    return transformers.Mistral3Model(config).eval()


def kl(channels: int = 4) -> AutoencoderKL:
    vae = networks.kl_autoencoder()
    vae.register_to_config(scaling_factor=0.36, shift_factor=0.12)
    return vae


def flux2_autoencoder() -> nn.Module:
    torch.manual_seed(12)
    vae = diffusers.AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4, 4, 8, 8),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
    )
    vae.bn.running_mean.normal_()
    vae.bn.running_var.uniform_(0.5, 2)
    return vae.eval()


def qwen_autoencoder() -> nn.Module:
    torch.manual_seed(13)
    return diffusers.AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 2, 2, 2],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.1, -0.2, 0.3, 0.0],
        latents_std=[1.2, 0.8, 1.1, 0.9],
    ).eval()


ATTENTION = {"attention_head_dim": HEAD, "num_attention_heads": HEADS}


def z_image() -> Any:
    return diffusers.ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=kl(),
        text_encoder=qwen3(transformers.Qwen3Model, 2),
        tokenizer=qwen_tokenizer(),
        transformer=make(
            "ZImageTransformer2DModel",
            in_channels=4,
            dim=WIDTH,
            n_layers=2,
            n_refiner_layers=1,
            n_heads=HEADS,
            n_kv_heads=HEADS,
            cap_feat_dim=READ,
            axes_dims=list(AXES),
            axes_lens=[1024, 64, 64],
        ),
    )


def flux2_klein(distilled: bool = False) -> Any:
    return diffusers.Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0),
        vae=flux2_autoencoder(),
        text_encoder=qwen3(transformers.Qwen3ForCausalLM, 28),
        tokenizer=qwen_tokenizer(),
        transformer=make(
            "Flux2Transformer2DModel",
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            joint_attention_dim=3 * READ,
            timestep_guidance_channels=8,
            guidance_embeds=False,
            axes_dims_rope=(4, 8, 8, 4),
            **ATTENTION,
        ),
        is_distilled=distilled,
    )


def flux(told: bool = False) -> Any:
    return diffusers.FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=told, shift=3.0 if told else 1.0),
        vae=kl(),
        text_encoder=networks.text_encoder(),
        tokenizer=networks.tokenizer(),
        text_encoder_2=t5(),
        tokenizer_2=t5_tokenizer(),
        transformer=make(
            "FluxTransformer2DModel",
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            joint_attention_dim=READ,
            pooled_projection_dim=networks.TEXT_WIDTH,
            guidance_embeds=told,
            axes_dims_rope=AXES,
            **ATTENTION,
        ),
    )


def chroma() -> Any:
    return diffusers.ChromaPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0),
        vae=kl(),
        text_encoder=t5(),
        tokenizer=t5_tokenizer(),
        transformer=make(
            "ChromaTransformer2DModel",
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            joint_attention_dim=READ,
            approximator_num_channels=8,
            approximator_hidden_dim=16,
            approximator_layers=1,
            axes_dims_rope=AXES,
            **ATTENTION,
        ),
    )


def qwen_image() -> Any:
    return diffusers.QwenImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True,
            shift_terminal=0.02,
            base_image_seq_len=256,
            max_image_seq_len=8192,
            max_shift=0.9,
        ),
        vae=qwen_autoencoder(),
        text_encoder=qwen_vl(),
        tokenizer=qwen_tokenizer(),
        transformer=make(
            "QwenImageTransformer2DModel",
            in_channels=16,
            out_channels=4,
            num_layers=2,
            joint_attention_dim=READ,
            axes_dims_rope=AXES,
            **ATTENTION,
        ),
    )


def ernie_image() -> Any:
    return diffusers.ErnieImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=flux2_autoencoder(),
        text_encoder=mistral3(),
        tokenizer=qwen_tokenizer(),
        transformer=make(
            "ErnieImageTransformer2DModel",
            loudness=1,  # or rounding would come out 30,000 times as large after six steps
            hidden_size=WIDTH,
            num_attention_heads=HEADS,
            num_layers=2,
            ffn_hidden_size=64,
            in_channels=16,
            out_channels=16,
            text_in_dim=READ,
            rope_axes_dim=AXES,
        ),
    )


def gemma2() -> nn.Module:
    torch.manual_seed(14)
    config = transformers.Gemma2Config(
        vocab_size=300,
        hidden_size=READ,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
    )
    return transformers.Gemma2Model(config).eval()


def glm() -> nn.Module:
    torch.manual_seed(15)
    config = transformers.GlmConfig(
        vocab_size=300,
        hidden_size=READ,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        pad_token_id=0,
    )
    return transformers.GlmModel(config).eval()


def glm_tokenizer() -> transformers.PreTrainedTokenizerBase:
    return transformers.PreTrainedTokenizerFast(tokenizer_object=qwen_tokenizer()._tokenizer, pad_token=WORDS[-5])


def lumina2() -> Any:
    words = ["<pad>", "<eos>", "<bos>", "<unk>", *sorted(ByteLevel.alphabet()), "▁"]
    return diffusers.Lumina2Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=6.0),
        vae=kl(),
        text_encoder=gemma2(),
        tokenizer=transformers.GemmaTokenizer(vocab={word: index for index, word in enumerate(words)}, merges=[]),
        transformer=make(
            "Lumina2Transformer2DModel",
            in_channels=4,
            hidden_size=WIDTH,
            num_layers=1,
            num_refiner_layers=1,
            num_attention_heads=HEADS,
            num_kv_heads=HEADS,
            multiple_of=8,
            axes_dim_rope=AXES,
            axes_lens=(300, 64, 64),
            cap_feat_dim=READ,
        ),
    )


def cogview4() -> Any:
    return diffusers.CogView4Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True, base_shift=0.25, max_shift=0.75, time_shift_type="linear"
        ),
        vae=networks.kl_autoencoder(),
        text_encoder=glm(),
        tokenizer=glm_tokenizer(),
        transformer=make(
            "CogView4Transformer2DModel",
            in_channels=4,
            out_channels=4,
            num_layers=1,
            text_embed_dim=READ,
            time_embed_dim=8,
            condition_dim=4,
            sample_size=16,
            rope_axes_dim=(64, 64),
            **ATTENTION,
        ),
    )


PIPELINES: dict[str, Callable[[], Any]] = {
    "z_image": z_image,
    "flux2_klein": flux2_klein,
    "flux": flux,
    "chroma1": chroma,
    "qwen_image": qwen_image,
    "ernie_image": ernie_image,
    "lumina2": lumina2,
    "cogview4": cogview4,
}
