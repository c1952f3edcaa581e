# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pipelines of the families with transformers, with random weights and the real topology, for tests."""

import struct
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AuraFlowPipeline,
    AuraFlowTransformer2DModel,
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    PixArtAlphaPipeline,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
    SanaPipeline,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from torch import nn
from transformers import (
    Gemma2Config,
    Gemma2Model,
    GemmaTokenizer,
    LlamaTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

from tests.engine import networks

WIDTH = 24  # of the texts' states
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789,.-:'()"


def sharpened(network: nn.Module) -> nn.Module:
    """With attention that looks somewhere: with small random weights it would look everywhere alike.

    And with modulation that does something, where diffusers sets it to zero.
    """
    generator = torch.Generator().manual_seed(9)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1 and any(part in name for part in ("to_q", "to_k", "add_q_proj", "add_k_proj")):
            parameter.data.mul_(6)
        elif not parameter.any():
            parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return network.eval()


def sd3_transformer(**settings: Any) -> SD3Transformer2DModel:
    """Stable Diffusion 3.5 medium's: some blocks attend twice, norms of queries and keys; a table of 16 a side."""
    torch.manual_seed(20)
    given: dict[str, Any] = {
        "sample_size": 16,
        "patch_size": 2,
        "in_channels": 4,
        "num_layers": 3,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "joint_attention_dim": 2 * WIDTH,
        "caption_projection_dim": 32,
        "pooled_projection_dim": 2 * WIDTH,
        "out_channels": 4,
        "pos_embed_max_size": 24,
        "dual_attention_layers": (0,),
        "qk_norm": "rms_norm",
    }
    return sharpened(SD3Transformer2DModel(**given | settings))


def pixart_transformer(**settings: Any) -> PixArtTransformer2DModel:
    """PixArt's, with the variance that it predicts beside the noise."""
    torch.manual_seed(21)
    given: dict[str, Any] = {
        "num_attention_heads": 2,
        "attention_head_dim": 16,
        "in_channels": 4,
        "out_channels": 8,
        "num_layers": 2,
        "cross_attention_dim": 32,
        "sample_size": 16,
        "patch_size": 2,
        "caption_channels": WIDTH,
        "interpolation_scale": 2,
        "use_additional_conditions": False,
    }
    return sharpened(PixArtTransformer2DModel(**given | settings))


def sana_transformer(**settings: Any) -> SanaTransformer2DModel:
    """Sana's: linear attention, and 3x3 convolutions that tell where things are."""
    torch.manual_seed(22)
    given: dict[str, Any] = {
        "in_channels": 8,
        "out_channels": 8,
        "num_attention_heads": 2,
        "attention_head_dim": 16,
        "num_layers": 2,
        "num_cross_attention_heads": 2,
        "cross_attention_head_dim": 16,
        "cross_attention_dim": 32,
        "caption_channels": WIDTH,
        "sample_size": 4,
        "patch_size": 1,
    }
    return sharpened(SanaTransformer2DModel(**given | settings))


def aura_transformer(**settings: Any) -> AuraFlowTransformer2DModel:
    """AuraFlow's, with a learned table of 8 places a side."""
    torch.manual_seed(23)
    given: dict[str, Any] = {
        "sample_size": 8,
        "patch_size": 2,
        "in_channels": 4,
        "num_mmdit_layers": 1,
        "num_single_dit_layers": 1,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "joint_attention_dim": WIDTH,
        "caption_projection_dim": 32,
        "out_channels": 4,
        "pos_embed_max_size": 64,
    }
    return sharpened(AuraFlowTransformer2DModel(**given | settings))


def shifted_autoencoder() -> AutoencoderKL:
    vae = networks.kl_autoencoder()
    vae.register_to_config(shift_factor=0.06, scaling_factor=1.5)
    return vae


def _pieces() -> list[tuple[str, float]]:
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    return special + [(piece, -1.0 - number / 10) for number, piece in enumerate(("▁", *LETTERS))]


def t5_tokenizer() -> T5Tokenizer:
    return T5Tokenizer(vocab=_pieces(), model_max_length=64, extra_ids=0)


def t5_encoder(width: int = WIDTH) -> T5EncoderModel:
    torch.manual_seed(24)
    config = T5Config(vocab_size=64, d_model=width, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    return T5EncoderModel(config).eval()


def write_spiece(path: Path) -> None:
    """The same words in the file that T5's authors made, as old folders have them."""

    def number(value: int) -> bytes:
        more, rest = value >> 7, value & 127
        return bytes([rest | 128]) + number(more) if more else bytes([rest])

    def message(field: int, data: bytes) -> bytes:
        return number(field << 3 | 2) + number(len(data)) + data

    written = b""
    for text, score in _pieces():
        kind = {"<unk>": 2, "<pad>": 3, "</s>": 3}.get(text, 1)
        piece = message(1, text.encode()) + number(2 << 3 | 5) + struct.pack("<f", score)
        written += message(1, piece + number(3 << 3) + number(kind))
    path.write_bytes(written + message(3, message(1, b"identity")))


def _words(*special: str) -> dict[str, int]:
    return {word: number for number, word in enumerate((*special, "▁", *LETTERS))}


def sd3_pipeline(*, t5: bool = True, **shift: Any) -> StableDiffusion3Pipeline:
    return StableDiffusion3Pipeline(
        transformer=sd3_transformer(),
        scheduler=FlowMatchEulerDiscreteScheduler(**{"shift": 3.0} | shift),
        vae=shifted_autoencoder(),
        text_encoder=networks.text_encoder(projected=True),
        tokenizer=networks.tokenizer(),
        text_encoder_2=networks.text_encoder(projected=True),
        tokenizer_2=networks.tokenizer(),
        text_encoder_3=t5_encoder(2 * WIDTH) if t5 else None,
        tokenizer_3=t5_tokenizer() if t5 else None,
    )


def pixart_pipeline(cls: type = PixArtSigmaPipeline) -> PixArtSigmaPipeline | PixArtAlphaPipeline:
    """Alpha's largest is told the size of the picture too."""
    more = {"sample_size": 128, "use_additional_conditions": True, "num_attention_heads": 3, "cross_attention_dim": 48}
    settings = more if cls is PixArtAlphaPipeline else {}
    return cls(
        tokenizer=t5_tokenizer(),
        text_encoder=t5_encoder(),
        vae=networks.kl_autoencoder(),
        transformer=pixart_transformer(**settings),
        scheduler=DPMSolverMultistepScheduler(beta_schedule="linear", beta_start=0.0001, beta_end=0.02),
    )


def sana_pipeline() -> SanaPipeline:
    torch.manual_seed(25)
    config = Gemma2Config(
        vocab_size=64,
        hidden_size=WIDTH,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=512,
    )
    return SanaPipeline(
        tokenizer=GemmaTokenizer(vocab=_words("<pad>", "<eos>", "<bos>", "<unk>"), merges=[]),
        text_encoder=Gemma2Model(config).eval(),
        vae=networks.dc_autoencoder(),
        transformer=sana_transformer(),
        scheduler=DPMSolverMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, algorithm_type="dpmsolver++"
        ),
    )


def aura_pipeline() -> AuraFlowPipeline:
    torch.manual_seed(26)
    config = UMT5Config(vocab_size=64, d_model=WIDTH, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    return AuraFlowPipeline(
        tokenizer=LlamaTokenizer(
            vocab=_words("<unk>", "<s>", "</s>", "<pad>"), merges=[], pad_token="<pad>", model_max_length=64
        ),
        text_encoder=UMT5EncoderModel(config).eval(),
        vae=networks.kl_autoencoder(),
        transformer=aura_transformer(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.73),
    )
