# SPDX-License-Identifier: GPL-3.0-or-later
"""What a template costs, measured inside a process like the worker's. Imports core, engine, torch, numpy, pillow."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from diffusers import AutoencoderTiny
from PIL import Image

from addon.core.protocol import Start
from addon.core.requests.template import Template
from addon.core.requests.texture import Axes, Size, TextureRequest
from addon.engine import generate
from addon.engine.canvas import canvases
from addon.engine.layers import Layers
from addon.engine.models import ModelCache
from addon.engine.seamless import seamless
from addon.engine.template import ground
from addon.engine.tiles import TileLimits
from tests.engine.networks import kl_autoencoder
from tools.bench.chain import Watch, starter
from tools.bench.picture_chain import peak_while


def encode(side: int, runs: int) -> dict[str, list[float]]:
    """Seconds from a picture's file to latents, by the worker and by a bare script, warm and in turn.

    The script: Pillow, a tensor, the same autoencoder with the same seamless patch, its scaling factor.
    """
    cache, seconds = ModelCache(), {"worker": list[float](), "bare": list[float]()}
    with TemporaryDirectory() as name:
        folder = Path(name)
        source = _picture(folder, side)
        request = _request(source, side)
        loaded = cache.get(request, "cpu", "full")
        vae: AutoencoderTiny = loaded.pipeline.vae

        def worker() -> torch.Tensor:
            with ground(request, folder, lambda: None, lambda text: None, lambda pixels: pixels[..., 0]) as base:
                assert base
                return generate.encode(loaded, base.start, lambda text: None, folder, Axes.XY)

        def bare() -> torch.Tensor:
            pixels = np.asarray(Image.open(source).convert("RGB"))
            tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
            return vae.encode(tensor.to(memory_format=torch.channels_last)).latents * vae.config.scaling_factor

        with torch.inference_mode(), seamless(loaded.pipeline, Axes.XY):
            assert torch.allclose(worker(), bare(), atol=1e-4)
            for run in range(runs):
                for side_name, work in (("worker", worker), ("bare", bare))[:: 1 if run % 2 == 0 else -1]:
                    begun = time.perf_counter()
                    work()
                    seconds[side_name].append(time.perf_counter() - begun)
    return seconds


def peak(side: int, is_from_picture: bool) -> float:
    """The greatest resident memory, in bytes, of a starter's picture of that side, from words or a picture too."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        request = _request(_picture(folder, side), side) if is_from_picture else starter(side, 4, 1)
        start = Start("bench", request, str(folder / "store"), "cpu", "full")
        return peak_while(lambda: generate.make_images(ModelCache(), start, Watch()))["peak"]


def kl_peaks(side: int, width: int) -> dict[str, float]:
    """Bytes that a KL autoencoder takes layer by layer over what there was before: "encode", "decode"."""
    vae = kl_autoencoder(width).to(memory_format=torch.channels_last)
    picture, latents = torch.rand(1, 3, side, side), torch.randn(1, 4, side // 8, side // 8)
    told = {}
    with TemporaryDirectory() as name, canvases(Path(name), in_memory=0) as easel, seamless(vae, Axes.XY):
        by_layer = Layers(vae, Axes.XY, easel, TileLimits())
        with torch.inference_mode():
            by_layer.decode(latents[..., :8, :8])
            for what, run in (
                ("decode", lambda: by_layer.decode(latents)),
                ("encode", lambda: by_layer.encode(picture)),
            ):
                measured = peak_while(run)
                told[what] = measured["peak"] - measured["before"]
    return told


def _request(source: Path, side: int) -> TextureRequest:
    plain = starter(side, 4, 1)
    return TextureRequest(
        plain.prompt,
        size=Size(side, side),
        steps=4,
        guidance_scale=plain.guidance_scale,
        template=Template(str(source)),
    )


def _picture(folder: Path, side: int) -> Path:
    path = folder / "template.png"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(path)
    return path
