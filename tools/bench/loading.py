# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a checkpoint in one file, measured inside a process like the worker's. Imports core, engine, diffusers."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from addon.core.model_files import folder as model_folder
from addon.core.requests.texture import STARTER, Size, TextureRequest
from addon.engine import models, turns, weights
from addon.engine.devices import READS, make_plan
from addon.engine.models import ModelCache
from tests.engine import checkpoints
from tools.bench.figures import in_turn
from tools.bench.picture_chain import peak_while

_PIECE = 16 << 20  # bytes that are read at once


def write(path: str, width: int) -> int:
    """A made-up checkpoint of Stable Diffusion 1.5's shape, 16 bits a number; its bytes. width: 320 is its own."""
    text, layers = (768, 12) if width == 320 else (64, 2)
    with init_empty_weights():
        unet = UNet2DConditionModel(
            block_out_channels=(width, 2 * width, 4 * width, 4 * width), cross_attention_dim=text, attention_head_dim=8
        )
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512) if width == 320 else (32, 32, 32, 32),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
        )
        encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=49408,
                hidden_size=text,
                intermediate_size=4 * text,
                num_hidden_layers=layers,
                num_attention_heads=text // 64,
            )
        )
    empty = {f"model.diffusion_model.{name}": tensor for name, tensor in checkpoints.original_unet(unet).items()}
    empty |= {f"first_stage_model.{name}": tensor for name, tensor in checkpoints.original_vae(vae).items()}
    empty |= {
        f"cond_stage_model.transformer.{name}": tensor for name, tensor in checkpoints.original_clip(encoder).items()
    }
    noise = (torch.randn(1 << 20, generator=torch.Generator().manual_seed(0)) * 0.02).half()
    made = {name: noise.repeat(t.numel() // len(noise) + 1)[: t.numel()].view(t.shape) for name, t in empty.items()}
    checkpoints.save(made, Path(path), torch.float16)
    return Path(path).stat().st_size


def times(path: str, runs: int) -> dict[str, list[float]]:
    """Seconds of the processor, in turn: to read the file into memory, to load its networks, to load them in float32.

    The file comes from the system's cache, so nothing else is waited for; and what others do beside it does not count.
    """
    sides = {
        "read": lambda: _read(Path(path)),
        "load": lambda: _load(Path(path), torch.float16),
        "widen": lambda: _load(Path(path), torch.float32),
    }
    for side in sides.values():  # imports, and the file into the system's cache
        side()
    return dict(zip(sides, in_turn([_timed(side) for side in sides.values()], runs), strict=True))


def peak(path: str, memory: str) -> dict[str, float]:
    """As `peak_while`, for loading a whole pipeline as jobs do; and the bytes of its "weights"."""
    starter = TextureRequest("x", size=Size(64, 64))
    cache = ModelCache()
    cache.get(starter, "cpu", memory)  # imports
    cache.free()
    told = peak_while(lambda: cache.get(TextureRequest("x", size=Size(64, 64), model=path), "cpu", memory))
    loaded = cache.get(TextureRequest("x", size=Size(64, 64), model=path), "cpu", memory)
    parts: list[Any] = [getattr(loaded.pipeline, name) for name in loaded.folder.weights]
    held = sum(p.numel() * p.element_size() for part in parts for p in part.parameters())
    return told | {"weights": float(held)}


def turns_peak(path: str) -> dict[str, float]:
    """As `peak`, with text encoders and denoiser in turns; "weights" are the most that are there at once, "all" all."""
    request = TextureRequest("x", size=Size(64, 64), model=path)
    own, models.make_plan = models.make_plan, lambda *some, **named: make_plan(*some, **named).taking_turns()
    try:
        cache = ModelCache()
        cache.get(replace(request, model=STARTER), "cpu", "full")  # imports
        cache.free()

        def run() -> None:
            turns.read(cache.get(request, "cpu", "full"), request, lambda _text: None)

        told = peak_while(run)
        loaded = cache.get(request, "cpu", "full")
    finally:
        models.make_plan = own
    held = {name: 4.0 * count for name, count in loaded.parameters.items()}
    reading = sum(size for name, size in held.items() if name.startswith(READS))
    most = held["vae"] + max(reading, sum(held.values()) - held["vae"] - reading)
    return told | {"weights": most, "all": sum(held.values())}


def _timed(work: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        begun = time.process_time()
        work()
        return time.process_time() - begun

    return run


def _read(path: Path) -> list[torch.Tensor]:
    kept, left = [], path.stat().st_size
    with path.open("rb", buffering=0) as file:
        while left:
            piece = torch.empty(min(_PIECE, left), dtype=torch.uint8)
            view = memoryview(piece.numpy())
            while view:
                view = view[file.readinto(view) :]
            kept.append(piece)
            left -= len(piece)
    return kept


def _load(path: Path, dtype: torch.dtype) -> list[Any]:
    return [weights.load(network, dtype) for network in model_folder.verify(path).in_files.values()]
