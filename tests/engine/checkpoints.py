# SPDX-License-Identifier: GPL-3.0-or-later
"""Small models with random weights, and the checkpoints in one file that their authors would have made of them.

Widths are the least that the original layout allows: heads are 64 wide there, groups 32.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from addon.engine.vocabulary import clip_tokenizer

TEXT = 64
Tensors = dict[str, torch.Tensor]
_SCHEDULE = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1}


def _unet(kind: str, inputs: int = 4) -> UNet2DConditionModel:
    torch.manual_seed(11)
    if kind == "XL":
        return UNet2DConditionModel(
            sample_size=128,
            in_channels=inputs,
            block_out_channels=(64, 128, 192),
            layers_per_block=2,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2, 3),
            attention_head_dim=(1, 2, 3),
            use_linear_projection=True,
            cross_attention_dim=3 * TEXT,  # of both text encoders
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2 * TEXT + 6 * 256,
        ).eval()
    flat = kind == "2"
    widths = (64, 64, 128, 128) if flat else (32, 32, 64, 64)
    return UNet2DConditionModel(
        sample_size=64,
        in_channels=inputs,
        block_out_channels=widths,
        layers_per_block=2,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        attention_head_dim=tuple(width // 64 for width in widths) if flat else 8,
        use_linear_projection=flat,
        cross_attention_dim=TEXT,
    ).eval()


def vae(scale: float = 0.18215, seed: int = 12) -> AutoencoderKL:
    torch.manual_seed(seed)
    return AutoencoderKL(
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        scaling_factor=scale,
    ).eval()


def _text(act: str, layers: int = 2, *, projected: bool = False) -> CLIPTextModel | CLIPTextModelWithProjection:
    width = 2 * TEXT if projected else TEXT
    torch.manual_seed(13 + layers)
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        max_position_embeddings=77,
        hidden_act=act,
        projection_dim=width,
        bos_token_id=49406,
        eos_token_id=49407,
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config).eval()


def pipeline(kind: str, inputs: int = 4) -> StableDiffusionPipeline | StableDiffusionXLPipeline:
    """kind: "1", "2" or "XL"."""
    if kind == "XL":
        return StableDiffusionXLPipeline(
            vae=vae(0.13025),
            text_encoder=_text("quick_gelu"),
            text_encoder_2=_text("gelu", 3, projected=True),
            tokenizer=clip_tokenizer("<|endoftext|>"),
            tokenizer_2=clip_tokenizer("!"),
            unet=_unet(kind, inputs),
            scheduler=EulerDiscreteScheduler(timestep_spacing="leading", **_SCHEDULE),
        )
    first = kind == "1"
    return StableDiffusionPipeline(
        vae=vae(),
        text_encoder=_text("quick_gelu" if first else "gelu", 2 if first else 3),
        tokenizer=clip_tokenizer("<|endoftext|>" if first else "!"),
        unet=_unet(kind, inputs),
        scheduler=PNDMScheduler(skip_prk_steps=True, **_SCHEDULE)
        if first
        else DDIMScheduler(clip_sample=False, set_alpha_to_one=False, prediction_type="v_prediction", **_SCHEDULE),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_OUTER = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_MIDDLE = {"resnets.0": "middle_block.0", "attentions.0": "middle_block.1", "resnets.1": "middle_block.2"}


def original_unet(unet: UNet2DConditionModel) -> Tensors:
    """A U-Net's weights by the names that its authors use."""
    state = unet.state_dict()
    each = unet.config.layers_per_block + 1
    return {_unet_name(name, each, state): tensor for name, tensor in state.items()}


def _unet_name(name: str, each: int, state: Mapping[str, torch.Tensor]) -> str:
    outer = next((old for old in _OUTER if name.startswith(old + ".")), None)
    if outer:
        return _OUTER[outer] + name[len(outer) :]
    match = re.match(
        r"(down|up|mid)_block(?:s\.(\d+))?\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)", name
    )
    assert match, name
    side, level, kind, layer, rest = match.groups()
    if kind == "resnets":
        head, _, tail = rest.partition(".")
        rest = f"{_RESNET[head]}.{tail}"
    if side == "mid":
        return f"{_MIDDLE[f'{kind}.{layer}']}.{rest}"
    number = int(level) * each + int(layer)
    if kind == "downsamplers":
        return f"input_blocks.{(int(level) + 1) * each}.0.op.{rest.removeprefix('conv.')}"
    if kind == "upsamplers":
        attends = any(other.startswith(f"up_blocks.{level}.attentions.") for other in state)
        return f"output_blocks.{number + each - 1}.{2 if attends else 1}.{rest}"
    block = f"input_blocks.{number + 1}" if side == "down" else f"output_blocks.{number}"
    return f"{block}.{'0' if kind == 'resnets' else '1'}.{rest}"


def original_vae(network: AutoencoderKL) -> Tensors:
    """An autoencoder's weights by the names that its authors use; its attention as convolutions, as there."""
    levels = len(network.config.block_out_channels)
    tensors = {}
    for name, tensor in network.state_dict().items():
        found = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        found = re.sub(r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block.", found)
        found = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0\.", r"down.\1.downsample.", found)
        found = re.sub(r"up_blocks\.(\d+)\.resnets\.", lambda m: f"up.{levels - 1 - int(m[1])}.block.", found)
        found = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0\.", lambda m: f"up.{levels - 1 - int(m[1])}.upsample.", found)
        found = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", found)
        if "mid_block.attentions.0." in found:
            found = found.replace("mid_block.attentions.0.", "mid.attn_1.").replace("group_norm", "norm")
            found = found.replace("to_out.0", "proj_out").replace("to_q", "q").replace("to_k", "k").replace("to_v", "v")
            tensor = tensor[:, :, None, None] if tensor.ndim == 2 else tensor
        tensors[found] = tensor.contiguous()
    return tensors


def original_clip(network: CLIPTextModel) -> Tensors:
    return {f"text_model.{name}": tensor for name, tensor in network.state_dict().items()}


_OPEN = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}


def original_open_clip(network: torch.nn.Module) -> Tensors:
    """A text encoder's weights by OpenCLIP's names: queries, keys and values together, the projection turned."""
    state = {name.removeprefix("text_model."): tensor for name, tensor in network.state_dict().items()}
    tensors = {
        "token_embedding.weight": state["embeddings.token_embedding.weight"],
        "positional_embedding": state["embeddings.position_embedding.weight"],
        "ln_final.weight": state["final_layer_norm.weight"],
        "ln_final.bias": state["final_layer_norm.bias"],
        "logit_scale": torch.tensor(4.6),
    }
    if "text_projection.weight" in state:
        tensors["text_projection"] = state["text_projection.weight"].T.contiguous()
    for layer in range(network.config.num_hidden_layers):
        old, new = f"encoder.layers.{layer}.", f"transformer.resblocks.{layer}."
        for end in ("weight", "bias"):
            parts = [state[f"{old}self_attn.{which}_proj.{end}"] for which in "qkv"]
            tensors[f"{new}attn.in_proj_{end}"] = torch.cat(parts)
            for theirs, ours in _OPEN.items():
                tensors[f"{new}{ours}.{end}"] = state[f"{old}{theirs}.{end}"]
    return tensors


def original(made: StableDiffusionPipeline | StableDiffusionXLPipeline) -> Tensors:
    """All weights of a pipeline, as in a checkpoint of its authors'."""
    tensors = _under("model.diffusion_model.", original_unet(made.unet))
    tensors |= _under("first_stage_model.", original_vae(made.vae))
    if isinstance(made, StableDiffusionXLPipeline):
        tensors |= _under("conditioner.embedders.0.transformer.", original_clip(made.text_encoder))
        return tensors | _under("conditioner.embedders.1.model.", original_open_clip(made.text_encoder_2))
    if made.text_encoder.config.hidden_act == "quick_gelu":
        return tensors | _under("cond_stage_model.transformer.", original_clip(made.text_encoder))
    found = _under("cond_stage_model.model.", original_open_clip(made.text_encoder))
    # the last layer, which is in such files and is never read
    last = made.text_encoder.config.num_hidden_layers
    spare = {
        name.replace(f".resblocks.{last - 1}.", f".resblocks.{last}."): torch.full_like(tensor, torch.nan)
        for name, tensor in found.items()
        if f".resblocks.{last - 1}." in name
    }
    return tensors | found | spare


def averaged_only(tensors: Tensors) -> Tensors:
    """The same file with its denoiser's averaged weights alone: their names have lost the dots."""
    prefix = "model.diffusion_model."
    return {
        "model_ema.diffusion_model" + name[len(prefix) :].replace(".", "") if name.startswith(prefix) else name: tensor
        for name, tensor in tensors.items()
    }


def save(tensors: Tensors, path: Path, dtype: torch.dtype = torch.float32, **metadata: str) -> Path:
    save_file({name: tensor.to(dtype).contiguous() for name, tensor in tensors.items()}, path, metadata or None)
    return path


def _under(prefix: str, tensors: Tensors) -> Tensors:
    return {prefix + name: tensor for name, tensor in tensors.items()}
