# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of Stable Diffusion 1.5's size with random weights, for what only shows there. Imports torch, diffusers."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from addon.core.requests.texture import Axes
from addon.engine import lora_files, loras
from addon.engine.families.u_net import first_names
from addon.engine.seamless import seamless
from tests.engine import lora_makers
from tests.engine import networks as small
from tools.bench.figures import in_turn

CLIP_WIDTH = 768
CLIP_TOKENS = 77


def unet(width: int = 320) -> UNet2DConditionModel:
    """Stable Diffusion 1.5's U-Net: with its own width of 320 it has 860 million weights."""
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(width, 2 * width, 4 * width, 4 * width),
        cross_attention_dim=CLIP_WIDTH,
        attention_head_dim=8,
    ).eval()


def save_model(folder: str, width: int) -> int:
    """Save a whole pipeline of that width, 16 bits a number, as models are published; its number of weights."""
    torch.manual_seed(0)
    text = CLIPTextConfig(
        vocab_size=49408 if width == 320 else 514,
        hidden_size=CLIP_WIDTH,
        intermediate_size=4 * CLIP_WIDTH,
        num_hidden_layers=12 if width == 320 else 1,
        num_attention_heads=12,
        max_position_embeddings=CLIP_TOKENS,
        bos_token_id=512,
        eos_token_id=513,
    )
    tokenizer = small.tokenizer()
    tokenizer.model_max_length = CLIP_TOKENS
    widths = (128, 256, 512, 512) if width == 320 else (32, 32, 32, 32)
    vae = AutoencoderKL(
        block_out_channels=widths,
        layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
    )
    networks = {"unet": unet(width), "vae": vae, "text_encoder": CLIPTextModel(text)}
    pipeline = StableDiffusionPipeline(
        **{name: network.half() for name, network in networks.items()},
        tokenizer=tokenizer,
        scheduler=DPMSolverMultistepScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(Path(folder))
    return sum(parameter.numel() for network in networks.values() for parameter in network.parameters())


@torch.inference_mode()
def step_seconds(width: int, side: int, runs: int) -> dict[str, Any]:
    """Seconds of a step's forward pass, seamless and plain in turn, laid out as the worker does on a processor.

    Args:
        width: of the U-Net.
        side: of the latents; two of them a pass, for the guidance.
        runs: of each.
    """
    network = unet(width).to(memory_format=torch.channels_last)
    latents = torch.randn(2, 4, side, side).contiguous(memory_format=torch.channels_last)
    text = torch.randn(2, CLIP_TOKENS, CLIP_WIDTH)

    def plain() -> float:
        begun = time.perf_counter()
        network(latents, 500, encoder_hidden_states=text, return_dict=False)
        return time.perf_counter() - begun

    def wrapped() -> float:
        with seamless(network, Axes.XY):
            return plain()

    in_turn((wrapped, plain), 2)
    mine, others = in_turn((wrapped, plain), runs)
    weights = sum(parameter.numel() for parameter in network.parameters())
    return {"seamless": mine, "plain": others, "weights": weights}


def lora_step_seconds(width: int, side: int, runs: int) -> dict[str, Any]:
    """Seconds of a step's forward pass with the same LoRA by our hooks and by diffusers and peft, in turn.

    The LoRA is as trainers make most: rank 16, on attention and its feed-forward, every block. Arguments as above.
    """
    network = unet(width).to(memory_format=torch.channels_last)
    with torch.device("meta"):
        bare = unet(width)
    bare.load_state_dict(network.state_dict(), assign=True)
    ends = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2")
    layers = [name for name, _module in network.named_modules() if name.endswith(ends)]
    made = lora_makers.factors(network, layers, size=0.01, rank=16)
    bare.load_lora_adapter(lora_makers.tensors("diffusers", made), prefix="unet")
    with TemporaryDirectory(prefix="tilewright-bench-") as folder:
        path = lora_makers.write(Path(folder) / "lora.safetensors", lora_makers.tensors("kohya", made))
        file = lora_files.read(path, lora_files.Names({"unet": network}, first_names))
    parts = {("unet", name): [(part, 1.0)] for name, part in file.parts["unet"].items()}
    latents = torch.randn(2, 4, side, side).contiguous(memory_format=torch.channels_last)
    text = torch.randn(2, CLIP_TOKENS, CLIP_WIDTH)

    def step(network: UNet2DConditionModel) -> float:
        begun = time.perf_counter()
        network(latents, 500, encoder_hidden_states=text, return_dict=False)
        return time.perf_counter() - begun

    def ours() -> float:
        with loras.hooked({"unet": network}, parts):
            return step(network)

    with torch.inference_mode():
        in_turn((ours, lambda: step(bare)), 2)
        mine, others = in_turn((ours, lambda: step(bare)), runs)
    return {"ours": mine, "bare": others, "layers": len(parts)}
