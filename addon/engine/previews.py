# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures in the making, for next to nothing. Imports core, engine and torch.

A linear map takes each latent to a color; it is fitted once per model by least squares, on what the model's own
encoder makes of a picture whose colors are known. No decoder runs: a preview has as many pixels as there are latents.
"""

import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from ..core import sketch
from ..core.requests.texture import Size
from ..core.results import PART
from ..core.sketch import MAX_SIDE, Sketch
from .devices import is_out_of_memory
from .latents import encode_whole
from .models import LoadedModel, ready_vae

log = logging.getLogger(__name__)

SECONDS_BETWEEN = 0.5
# Latents of a side of the picture that the map is fitted on, and its pixels at most: some latents have 128 channels.
_FIT_LATENTS, _FIT_SIDE = 32, 512
_RIDGE = 1e-3  # times the latents' mean square: keeps the map small where the encoder leaves a direction unused


class Previews:
    """Makes the previews of one job, in a folder of its own.

    tell: is called with the picture, the step and the file. clock: seconds that only grow.
    """

    def __init__(
        self, folder: Path, tell: Callable[[int, int, Path], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._tell = tell
        self._clock = clock
        self._due = clock() + SECONDS_BETWEEN
        self._shown: list[Path] = []
        self._before: tuple[int, int, torch.Tensor] | None = None  # image, step, latents
        self._broken = False

    def offer(self, loaded: LoadedModel, latents: torch.Tensor, size: Size, image: int, step: int) -> None:
        """Show that picture after that step, if it is time. What goes wrong is logged, and ends the previews alone.

        latents: as the sampler has them for a picture of that size, packed where the family does that.
        """
        before, self._before = self._before, (image, step, latents)
        if self._broken or self._clock() < self._due:
            return
        try:
            with torch.inference_mode():
                last = before[2] if before is not None and before[:2] == (image, step - 1) else None
                latents = expected_end(loaded.pipeline.scheduler, latents, last, step)
                drawn = draw(loaded, loaded.adapter.unpack(loaded.pipeline, latents, size))
            path = self._folder / f"{image}-{step}"
            sketch.write(path, drawn)
        except (RuntimeError, ValueError, MemoryError, OSError) as error:
            if is_out_of_memory(error):
                log.warning("no memory for previews; the job goes on without")
            else:
                log.warning("previews failed; the job goes on without", exc_info=True)
            self._broken = True
            return
        self._due = self._clock() + SECONDS_BETWEEN
        self._tell(image, step, path)
        self._shown.append(path)
        while len(self._shown) > 2:  # the host may be reading the last but one
            self._shown.pop(0).unlink(missing_ok=True)


@contextmanager
def previews(store: Path, wanted: bool, tell: Callable[[int, int, Path], object]) -> Iterator[Previews | None]:
    """The previews of a job, None where none are wanted. Their folder is gone afterwards, whatever happens.

    It is named like a result that is not whole yet: where the worker is killed, the store's clean-up takes it.
    """
    if not wanted:
        yield None
        return
    folder = store / f"{PART}{os.getpid()}-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True)
    except OSError:  # the job itself will say so
        log.warning("no folder for previews", exc_info=True)
        yield None
        return
    try:
        yield Previews(folder, tell)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def expected_end(
    scheduler: Any, latents: torch.Tensor, before: torch.Tensor | None = None, step: int = 0
) -> torch.Tensor:
    """The latents that a sampler expects to end with, where it keeps them; else as they are, with their noise.

    before: what it held a step earlier. On a straight path, where the last step leads is where it ends.
    """
    config = scheduler.config
    if before is not None and isinstance(scheduler, FlowMatchEulerDiscreteScheduler):
        then, now = (float(sigma) for sigma in scheduler.sigmas[step - 1 : step + 1])
        return latents - (latents - before) * (now / (now - then)) if now < then else latents
    keeps_them = getattr(config, "algorithm_type", "") in ("dpmsolver++", "sde-dpmsolver++") or getattr(
        config, "predict_x0", False
    )
    last = (getattr(scheduler, "model_outputs", None) or [None])[-1] if keeps_them else None
    return latents if last is None or last.shape != latents.shape else last


def draw(loaded: LoadedModel, latents: torch.Tensor) -> Sketch:
    """One pixel a latent, of (1, channels, h, w). Raises ValueError where the latents or the map are not finite."""
    if loaded.color_map is None:
        loaded.color_map = fit(loaded)
    apart = -(-max(latents.shape[-2:]) // MAX_SIDE)
    values = latents[0, :, ::apart, ::apart].float().cpu()
    colors = torch.einsum("chw,cr->hwr", values, loaded.color_map[:-1]) + loaded.color_map[-1]
    if not torch.isfinite(colors).all():
        raise ValueError("latents that are not finite")
    height, width = colors.shape[:2]
    pixels = torch.full((height, width, 4), 255, dtype=torch.uint8)
    pixels[..., :3] = (colors.clamp(0, 1) * 255).round()
    return Sketch(width, height, pixels.flip(0).contiguous().numpy().tobytes())


def fit(loaded: LoadedModel) -> torch.Tensor:
    """The map from latents, scaled as the denoiser has them, to sRGB from 0 to 1.

    Shape (channels + 1, 3), the last row being what is added. Raises ValueError where the encoder gives no numbers.
    """
    vae, factor = ready_vae(loaded), loaded.adapter.pixels(loaded.pipeline)
    picture = _colors(min(_FIT_LATENTS, _FIT_SIDE // factor)).repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    latents = encode_whole(vae, (picture[None] * 2 - 1).to(loaded.plan.vae_device, vae.dtype))
    latents = loaded.adapter.from_vae(vae, latents.float().cpu())[0].flatten(1).T.double()
    if not torch.isfinite(latents).all():
        raise ValueError("the encoder gave numbers that are not finite")
    wanted = torch.nn.functional.avg_pool2d(picture, factor).flatten(1).T.double()
    known = torch.cat([latents, torch.ones(len(latents), 1, dtype=torch.float64)], 1)
    normal = known.T @ known / len(known)
    ridge = _RIDGE * latents.square().mean() * torch.eye(len(normal), dtype=torch.float64)
    ridge[-1, -1] = 0.0
    return torch.linalg.solve(normal + ridge, known.T @ wanted / len(known)).float()


def _colors(side: int) -> torch.Tensor:
    """Blotches of all colors, shape (3, side, side) from 0 to 1: large ones and small ones, always the same."""
    noise = torch.Generator().manual_seed(0)  # its own: a job's pixels must not depend on previews
    levels = [torch.rand(1, 3, max(side // size, 2), max(side // size, 2), generator=noise) for size in (8, 4, 2)]
    grown = [torch.nn.functional.interpolate(level, (side, side), mode="bilinear") for level in levels]
    mixed = sum(grown) / len(grown)
    return ((mixed[0] - 0.5) * 2.2 + 0.5).clamp(0, 1)
