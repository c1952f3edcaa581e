# SPDX-License-Identifier: GPL-3.0-or-later
"""The chain on a graphics card, measured inside a process like the worker's. Imports core, engine, torch.

With a processor for a device all of it runs too, and says nothing of memory.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
import torch

from addon.core.protocol import Start
from addon.core.requests.finish import Finish
from addon.core.requests.picture import PictureRequest
from addon.core.requests.texture import Axes, Size, TextureRequest
from addon.engine import generate, latents, picture_job, pictures, upscale
from addon.engine.devices import Decoding, Device, Kind, decode_bytes, probe, ready
from addon.engine.models import ModelCache
from addon.engine.seamless import Places, seamless, wrap
from addon.engine.tiles import Tiler
from tools.bench import networks
from tools.bench.chain import Watch
from tools.bench.figures import in_turn
from tools.bench.picture_chain import picture_file

_OFTEN = 20  # wraps that are timed together: one alone is over before it is measured


def about(name: str) -> dict[str, Any]:
    """The device of that name, as the engine finds it."""
    device = probe(name)
    return {"title": device.title, "is_card": device.kind is not Kind.CPU, "torch": torch.__version__}


@torch.inference_mode()
def step_seconds(name: str, large: bool, width: int, sides: list[int], runs: int) -> dict[str, dict[str, list[float]]]:
    """Seconds of the denoiser's pass over two pictures, "seamless" and "plain" in turn, for each side in pixels.

    large: SDXL's shape and not Stable Diffusion 1.5's; with a width of 320 it has the real one's weights. At 16 bits.
    """
    device = ready(name)
    dtype = torch.float32 if device.kind is Kind.CPU else torch.float16
    build = networks.large_unet if large else networks.unet
    unet = networks.filled(lambda: build(width)).to(device.name, dtype, memory_format=torch.channels_last)
    found = {}
    for side in sides:
        given = {name: value.to(device.name, dtype) for name, value in networks.inputs(unet, side // 8).items()}
        plain = partial(_seconds, device, partial(networks.run, unet, given))
        wrapped = partial(_wrapped, unet, plain)
        in_turn((wrapped, plain), min(runs, 3))
        mine, others = in_turn((wrapped, plain), runs)
        found[str(side)] = {"seamless": mine, "plain": others}
    return found


class _Ever(Places):
    """Gathers whatever its size."""

    def pay_for(self, tensor: torch.Tensor) -> bool:
        return True


@torch.inference_mode()
def wraps(name: str, shapes: list[list[int]], runs: int) -> list[dict[str, Any]]:
    """Of tensors of these shapes: seconds of a wrap by "copies" and "gathered" in turn, and which one the engine takes.

    At 16 bits on a card, from plain layout to channels last, as group norms there hand it to convolutions.
    """
    device = ready(name)
    dtype = torch.float32 if device.kind is Kind.CPU else torch.float16
    found = []
    for shape in shapes:
        given = torch.randn(shape).to(device.name, dtype)
        ways = [partial(wrap, given, 1, 1, 1, 1, channels_last=True, places=places) for places in (None, _Ever())]
        timed = [partial(_seconds, device, partial(_often, way)) for way in ways]
        in_turn(timed, 2)
        copies, gathered = ([seconds / _OFTEN for seconds in each] for each in in_turn(timed, runs))
        found.append({"copies": copies, "gathered": gathered, "gathers": Places().pay_for(given)})
    return found


def _often(work: Callable[[], object]) -> None:
    for _ in range(_OFTEN):
        work()


@torch.inference_mode()
def decodings(name: str, width: int, side: int, runs: int) -> dict[str, dict[str, float]]:
    """Of each way to decode a picture of that side: "seconds", and on a card "peak" beside the weights over "planned".

    width: of the KL autoencoder; the real one's is 128. At 16 bits.
    """
    device = ready(name)
    dtype = torch.float32 if device.kind is Kind.CPU else torch.float16
    vae = networks.filled(lambda: networks.autoencoder(width)).to(device.name, dtype, memory_format=torch.channels_last)
    given = torch.randn(1, 4, side // 8, side // 8).to(device.name, dtype)
    found = {}
    with TemporaryDirectory(prefix="tilewright-bench-") as folder, seamless(vae, Axes.XY):
        for way in Decoding:
            work = partial(latents.decode, vae, given, Axes.XY, Path(folder), way)
            work()
            held = _peak(device, lambda: None)
            peak = _peak(device, work) - held
            seconds = statistics.median(_seconds(device, work) for _ in range(runs))
            planned = decode_bytes(way, side * side) * (2 if dtype is torch.float32 else 1)
            found[way.value] = {"seconds": seconds, "peak": peak, "planned": planned}
    return found


def modes(name: str, model: str, side: int) -> dict[str, float]:
    """Bytes that each memory mode holds at most while a picture is made in two steps; 0 on a processor."""
    peaks = {}
    request = TextureRequest("bricks", size=Size(side, side), steps=2, guidance_scale=5.0, model=model)
    for mode in ("full", "offload", "lean", "minimal"):
        cache = ModelCache()
        with TemporaryDirectory(prefix="tilewright-bench-") as store:
            start = Start("bench", request, store, name, mode)
            peaks[mode] = _peak(ready(name), partial(generate.make_images, cache, start, Watch()))
        cache.free()
    return peaks


def upscaled(name: str, side: int, factor: int) -> dict[str, float]:
    """Seconds for a picture enlarged so, written with its recipe: "all", of which "tiles", "colors" and "png"."""
    cache = ModelCache().networks
    seconds: dict[str, float] = {}

    def timed(part: str, owner: Any, attribute: str) -> Any:
        original = getattr(owner, attribute)

        def call(*arguments: Any, **options: Any) -> Any:
            begun = time.perf_counter()
            try:
                return original(*arguments, **options)
            finally:
                seconds[part] = seconds.get(part, 0.0) + time.perf_counter() - begun

        return mock.patch.object(owner, attribute, call)

    with TemporaryDirectory(prefix="tilewright-bench-") as folder:

        def make(source: Path) -> None:
            request = PictureRequest(str(source), Finish(factor))
            picture_job.make_result(cache, Start("bench", request, folder, name, "auto"), Watch())

        make(picture_file(Path(folder), 64))  # loads the networks
        source = picture_file(Path(folder), side)
        begun = time.perf_counter()
        with (
            timed("tiles", Tiler, "run"),
            timed("colors", upscale, "keep_colors"),
            timed("png", pictures, "write"),
        ):
            make(source)
        seconds["all"] = time.perf_counter() - begun
    return seconds


def mean_levels_apart(path: str, other: str) -> float:
    """The mean difference of two pictures on disk, in levels of 8 bits."""
    one, two = (pictures.read(Path(name)).astype(int) for name in (path, other))
    return float(np.abs(one - two).mean())


def _wrapped(unet: torch.nn.Module, plain: Callable[[], float]) -> float:
    with seamless(unet, Axes.XY):
        return plain()


def _seconds(device: Device, work: Callable[[], object]) -> float:
    """Of one call, until the device has done it."""
    _wait(device)
    begun = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - begun


def _wait(device: Device) -> None:
    if device.kind is not Kind.CPU:
        torch.accelerator.synchronize()


def _peak(device: Device, work: Callable[[], object]) -> float:
    """Bytes that tensors take on the device at most meanwhile; 0 on a processor."""
    if device.kind is Kind.CPU:
        work()
        return 0.0
    torch.accelerator.empty_cache()
    torch.accelerator.reset_peak_memory_stats()
    work()
    torch.accelerator.synchronize()
    return float(torch.accelerator.max_memory_allocated())
