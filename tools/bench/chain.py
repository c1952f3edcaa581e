# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of the worker's chain, measured inside a process like its own. Imports core, engine, torch, numpy, pillow."""

import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import diffusers
import numpy as np
import torch
import transformers
from PIL import Image

from addon.core import results, seams
from addon.core.families import catalogue
from addon.core.protocol import Phase, Start
from addon.core.requests.texture import STARTER, Axes, Size, TextureRequest
from addon.core.results import Draft, Result
from addon.engine import generate, pictures, turns
from addon.engine.models import LoadedModel, ModelCache
from addon.engine.prompts import embed
from addon.engine.seamless import seamless

MATRIX_SIDE = 2048
PROMPTS = ("mossy red brick wall", "rusty corrugated metal", "light oak planks", "fine white sand")


def machine() -> dict[str, Any]:
    """What absolute seconds depend on; `matrix_product` is the median of nine products of two float32 matrices."""
    a, b = torch.randn(2, MATRIX_SIDE, MATRIX_SIDE)
    torch.mm(a, b)
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "transformers": transformers.__version__,
        "numpy": np.__version__,
        "threads": torch.get_num_threads(),
        "matrix_product": statistics.median(timed(lambda: torch.mm(a, b)) for _ in range(9)),
    }


def seam_metric(sides: list[int], runs: int) -> dict[str, list[float]]:
    """Seconds that the seam metric takes on noise of each size; its work does not depend on the picture."""
    rng = np.random.default_rng(0)
    seconds = {}
    for side in sides:
        picture = rng.integers(0, 256, (side, side, 3), np.uint8)
        seams.measure(picture)
        seconds[str(side)] = [timed(lambda picture=picture: seams.measure(picture)) for _ in range(runs)]
    return seconds


def breakdown(side: int, steps: int, runs: int) -> dict[str, list[float]]:
    """Seconds of each part of a warm generation by the starter, and "all" of it: part -> one value a run.

    The parts are those of `engine.generate`; it runs as it is, with a clock around what it calls.
    """
    cache, watch = ModelCache(), Watch()
    parts: dict[str, list[float]] = {}
    with TemporaryDirectory(prefix="tilewright-bench-") as store:
        for run in range(-2, runs):  # two to warm up
            clock = _Clock(watch)
            begun = time.perf_counter()
            with clock:
                generate.make_images(cache, Start("bench", starter(side, steps, run + 2), store, "cpu", "full"), watch)
            clock.seconds["all"] = time.perf_counter() - begun
            clock.seconds["rest"] = 2 * clock.seconds["all"] - sum(clock.seconds.values())
            if run >= 0:
                for name, seconds in clock.seconds.items():
                    parts.setdefault(name, []).append(seconds)
    return parts


def starter(side: int, steps: int, seed: int) -> TextureRequest:
    """A request for the starter with the model's own settings but these; a prompt that no cache knows."""
    guidance = catalogue.resolve(STARTER).defaults.guidance_scale
    return TextureRequest(
        f"{PROMPTS[seed % len(PROMPTS)]} {seed}", size=Size(side, side), steps=steps, guidance_scale=guidance, seed=seed
    )


def timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


class Watch:
    """A watcher that publishes, as the worker's job does, and keeps the time of each step."""

    def __init__(self) -> None:
        self.steps: list[float] = []

    def check(self) -> None: ...

    def note(self, text: str) -> None: ...

    def progress(self, phase: Phase, image: int = 0, step: int = 0, steps: int = 0) -> None:
        if phase is Phase.SAMPLING:
            self.steps.append(time.perf_counter())

    def preview(self, image: int, step: int, path: Path) -> None: ...

    def publish(self, image: int, draft: Draft, result: Result) -> None:
        draft.publish(result)


class _Clock(ExitStack):
    """Times what a generation calls, while the block runs."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.seconds: dict[str, float] = {}
        self._watch = watch
        watch.steps.clear()

    def __enter__(self) -> "_Clock":
        super().__enter__()
        for name, owner, attribute in (
            ("text", turns, "embed"),
            ("decode", generate, "decode"),
            ("seam_metric", seams, "measure"),
            ("thumbnail", Image.Image, "thumbnail"),
            ("png", pictures, "write"),  # the thumbnail's too
            ("fsync", results, "sync"),
        ):
            self._time(name, owner, attribute)
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        steps = self._watch.steps
        if steps:
            self.seconds["steps"] = steps[-1] - steps[0]

    def _time(self, name: str, owner: Any, attribute: str) -> None:
        original = getattr(owner, attribute)

        def call(*arguments: Any, **options: Any) -> Any:
            begun = time.perf_counter()
            try:
                return original(*arguments, **options)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun

        self.enter_context(mock.patch.object(owner, attribute, call))


def periodicity(side: int, steps: int, seeds: int) -> list[dict[str, Any]]:
    """How far the starter's pictures are from rolling with their latents: one entry a picture.

    Of each: "levels", the greatest difference in 8-bit levels; "share", of values that differ at all.
    """
    cache = ModelCache()
    rng = np.random.default_rng(0)
    found = []
    for seed in range(seeds):
        request = starter(side, steps, seed)
        loaded = cache.get(request, "cpu", "full")
        generator = torch.Generator("cpu").manual_seed(seed)
        factor = loaded.pipeline.vae_scale_factor
        channels = loaded.pipeline.unet.config.in_channels
        latents = torch.randn(1, channels, side // factor, side // factor, generator=generator)
        grid = 2 ** (len(loaded.pipeline.unet.config.block_out_channels) - 1)
        down, right = (int(rng.integers(1, side // factor // grid)) * grid for _ in range(2))
        here = _picture(loaded, request, latents)
        there = _picture(loaded, request, latents.roll((down, right), (2, 3)))
        difference = np.abs(there.astype(int) - np.roll(here, (down * factor, right * factor), (0, 1)))
        found.append({"levels": int(difference.max()), "share": float((difference > 0).mean())})
    return found


@torch.inference_mode()
def _picture(loaded: LoadedModel, request: TextureRequest, latents: torch.Tensor) -> Any:
    """As `generate.make_images` makes it, from given latents."""
    pipeline = loaded.pipeline
    with seamless(pipeline, Axes.XY):
        embeddings, _ = embed(loaded, request)
        pipeline.scheduler = generate.make_scheduler(loaded, request.scheduler)
        denoised = pipeline(
            **embeddings,
            width=request.size.width,
            height=request.size.height,
            num_inference_steps=request.steps,
            guidance_scale=request.guidance_scale,
            latents=latents,
            output_type="latent",
        ).images
        return generate.decode(loaded, denoised, lambda text: None, Path(tempfile.gettempdir()))


def levels_apart(path: str, other: str) -> int:
    """The greatest difference of two pictures on disk, in levels of 8 bits."""
    with Image.open(Path(path)) as here, Image.open(Path(other)) as there:
        return int(np.abs(np.asarray(here).astype(int) - np.asarray(there)).max())
