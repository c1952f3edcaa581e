# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of Stable Diffusion 1.5's and SDXL's size with random weights. Imports torch, diffusers."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    Flux2Transformer2DModel,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

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


def large_unet(width: int = 320) -> UNet2DConditionModel:
    """SDXL's: with its own width of 320 it has 2.6 billion weights, and heads of 64."""
    return UNet2DConditionModel(
        sample_size=128,
        block_out_channels=(width, 2 * width, 4 * width),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=tuple(max(count * width // 64, 1) for count in (1, 2, 4)),
        use_linear_projection=True,
        cross_attention_dim=2048,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=1280 + 6 * 256,
    ).eval()


def autoencoder(width: int = 128) -> AutoencoderKL:
    """That of both, whose own width is 128."""
    return AutoencoderKL(
        block_out_channels=(width, 2 * width, 4 * width, 4 * width),
        layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
    ).eval()


@torch.no_grad()
def filled(build: Callable[[], Any]) -> Any:
    """A network that is built without numbers, and given some: in a tenth of the time that its own take."""
    with torch.device("meta"):
        network = build()
    network = network.to_empty(device="cpu")
    numbers = torch.randn(1 << 22, generator=torch.Generator().manual_seed(0))
    for parameter in network.parameters():
        if parameter.ndim < 2:
            parameter.fill_(1.0)  # of norms; as a bias it does no harm
            continue
        repeated = numbers.repeat(-(-parameter.numel() // len(numbers)))[: parameter.numel()]
        parameter.copy_((repeated / math.sqrt(3 * math.prod(parameter.shape[1:]))).view_as(parameter))
    return network


def inputs(network: UNet2DConditionModel, side: int) -> dict[str, torch.Tensor]:
    """What a denoiser reads for two pictures of that side in latents."""
    given = {
        "latents": torch.randn(2, 4, side, side),
        "text": torch.randn(2, CLIP_TOKENS, network.config.cross_attention_dim),
    }
    if network.config.addition_embed_type:
        given |= {"text_embeds": torch.randn(2, 1280), "time_ids": torch.zeros(2, 6)}
    return given


def run(network: UNet2DConditionModel, given: dict[str, torch.Tensor]) -> torch.Tensor:
    """One pass over `inputs`."""
    added = {name: given[name] for name in ("text_embeds", "time_ids") if name in given}
    out: torch.Tensor = network(
        given["latents"], 500, encoder_hidden_states=given["text"], added_cond_kwargs=added, return_dict=False
    )[0]
    return out


def save_model(folder: str, width: int) -> int:
    """Save a whole pipeline of that width, 16 bits a number, as models are published; its number of weights."""
    torch.manual_seed(0)
    real = width == 320
    pipeline = StableDiffusionPipeline(
        unet=unet(width).half(),
        vae=(autoencoder() if real else small.kl_autoencoder()).half(),
        text_encoder=CLIPTextModel(_text(CLIP_WIDTH, 12 if real else 1, real)).half(),
        tokenizer=_tokenizer(),
        scheduler=DPMSolverMultistepScheduler(**_NOISE),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _save(pipeline, folder)


def save_large_model(folder: str, width: int) -> int:
    """As `save_model`, of SDXL's shape; any width but 320 gives a tiny one."""
    if width != 320:
        return _save(small.sdxl_pipeline(), folder)
    second = _text(1280, 32, True)
    pipeline = StableDiffusionXLPipeline(
        unet=filled(large_unet).half(),
        vae=filled(autoencoder).half(),
        text_encoder=filled(lambda: CLIPTextModel(_text(CLIP_WIDTH, 12, True))).half(),
        text_encoder_2=filled(lambda: CLIPTextModelWithProjection(second)).half(),
        tokenizer=_tokenizer(),
        tokenizer_2=_tokenizer(),
        scheduler=EulerDiscreteScheduler(**_NOISE),
    )
    return _save(pipeline, folder)


_NOISE = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


def _tokenizer() -> CLIPTokenizer:
    tokenizer = small.tokenizer()
    tokenizer.model_max_length = CLIP_TOKENS
    return tokenizer


def _text(width: int, layers: int, real: bool) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=49408 if real else 514,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        max_position_embeddings=CLIP_TOKENS,
        projection_dim=width,
        bos_token_id=512,
        eos_token_id=513,
    )


def _save(pipeline: DiffusionPipeline, folder: str) -> int:
    pipeline.save_pretrained(Path(folder))
    networks = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    return sum(parameter.numel() for network in networks for parameter in network.parameters())


@torch.inference_mode()
def step_seconds(width: int, side: int, runs: int) -> dict[str, Any]:
    """Seconds of a step's forward pass, seamless and plain in turn, laid out as the worker does on a processor.

    Args:
        width: of the U-Net.
        side: of the latents; two of them a pass, for the guidance.
        runs: of each.
    """
    network = unet(width).to(memory_format=torch.channels_last)
    given = inputs(network, side)
    given["latents"] = given["latents"].contiguous(memory_format=torch.channels_last)

    return _in_turn(network, lambda: run(network, given), runs)


@torch.inference_mode()
def transformer_seconds(heads: int, side: int, runs: int) -> dict[str, Any]:
    """As `step_seconds`, of four steps of a transformer with rotary positions and two blocks.

    The processor's seconds of one thread, so that others on the machine count for little.

    Args:
        heads: of 128 channels; FLUX.2 klein has 24, and 25 blocks.
        side: of the picture in tokens; beside them 128 of text.
        runs: of each.
    """
    network = filled(
        lambda: Flux2Transformer2DModel(
            num_layers=1,
            num_single_layers=1,
            num_attention_heads=heads,
            joint_attention_dim=7680,
            guidance_embeds=False,
        )
    ).eval()
    zero = torch.zeros(1)
    given = {
        "hidden_states": torch.randn(1, side * side, 128),
        "encoder_hidden_states": torch.randn(1, 128, 7680),
        "timestep": torch.full((1,), 0.5),
        "img_ids": torch.cartesian_prod(zero, torch.arange(float(side)), torch.arange(float(side)), zero),
        "txt_ids": torch.cartesian_prod(zero, zero, zero, torch.arange(128.0)),
        "guidance": None,
    }
    torch.set_num_threads(1)
    return _in_turn(network, lambda: [network(**given) for _ in range(4)], runs, time.thread_time)


def _in_turn(
    network: torch.nn.Module, run: Callable[[], Any], runs: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, Any]:
    def plain() -> float:
        begun = clock()
        run()
        return clock() - begun

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
