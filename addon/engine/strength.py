# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules that begin late: the denoising strength. Imports torch, numpy and diffusers.

diffusers' image to image drops the first steps of a schedule, so that 4 steps know 4 strengths, and 0.3 of 25 steps
are 7. Here all steps are made, over what is left of the noise: 0.3 and 0.31 differ, with 4 steps as well.
"""

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from diffusers import LCMScheduler, PNDMScheduler, TCDScheduler

# Steps of the whole schedule from which the late one's noise levels are taken. Where timesteps are "leading", the
# length of a step is rounded down to whole ones (of 1000), by 499 steps least of all.
_FINE = 499


class _Asked(BaseException):
    """Ends a pipeline's run where it asks for its timesteps. Of no kind that a pipeline would catch."""

    def __init__(self, named: dict[str, Any]) -> None:
        super().__init__()
        self.named = named


def asked_of(scheduler: Any, run: Callable[[], object]) -> dict[str, Any]:
    """What a pipeline's run asks this scheduler of its `set_timesteps`, by name. It ends there.

    Some work out by the size of the picture how far the schedule is shifted, each in its own way.
    """
    plain, own = scheduler.set_timesteps, vars(scheduler).get("set_timesteps")
    names = inspect.signature(plain)

    @functools.wraps(plain)  # pipelines look at its signature
    def ask(*arguments: Any, **named: Any) -> None:
        raise _Asked(dict(names.bind(*arguments, **named).arguments))

    scheduler.set_timesteps = ask
    try:
        run()
    except _Asked as asked:
        return asked.named
    finally:
        del scheduler.set_timesteps
        if own is not None:
            scheduler.set_timesteps = own
    raise RuntimeError("the pipeline asked for no timesteps")


def begin_late(scheduler: Any, strength: float) -> None:
    """Have `set_timesteps` of this scheduler make a schedule that begins at `strength`, above 0 and below 1, of it.

    The steps asked for are made where the schedule has so many different ones in that part, otherwise fewer.
    """
    whole = scheduler.set_timesteps
    if not hasattr(scheduler, "sigmas"):
        # "Leading" ones, their usual, end with a step at next to no noise: of one step at 0.5 nothing would be left.
        scheduler.register_to_config(timestep_spacing="trailing")
    if isinstance(scheduler, PNDMScheduler):  # its Runge-Kutta steps only know the beginning of a whole schedule
        scheduler.register_to_config(skip_prk_steps=True)

    def late(
        num_inference_steps: int | None = None,
        device: Any = None,
        sigmas: Any = None,
        mu: float | None = None,
        timesteps: Any = None,
    ) -> None:
        steps = len(sigmas) if num_inference_steps is None else num_inference_steps
        if isinstance(scheduler, LCMScheduler | TCDScheduler):  # they know how
            own = scheduler.config.original_inference_steps
            most = max(int(own * strength), 1)
            whole(min(steps, most), device=device, strength=max(strength, 1 / own))
        elif hasattr(scheduler, "sigmas"):
            shifted = {} if mu is None else {"mu": mu}
            if timesteps is None:
                whole(_FINE, device=device, **shifted)
            else:  # the denoiser is told other times than those of the noise, which alone is shifted
                times = np.linspace(scheduler.config.num_train_timesteps, 1, _FINE, dtype=np.float32)
                levels = times / scheduler.config.num_train_timesteps
                whole(device=device, sigmas=levels, timesteps=times, **shifted)
            _keep(scheduler, np.unique(np.rint(_FINE * (1 - strength * np.linspace(1, 0, steps + 1))).astype(int)))
        else:
            total = min(math.ceil(steps / strength), scheduler.config.num_train_timesteps)
            whole(total, device=device)
            _cut(scheduler, max(min(steps, int(total * strength)), 1))

    scheduler.set_timesteps = late


def _keep(scheduler: Any, places: np.ndarray[Any, Any]) -> None:
    """Of a schedule with noise levels only those at these places, the last of which is its end."""
    kept = torch.from_numpy(places)
    scheduler.sigmas = scheduler.sigmas[kept]
    scheduler.timesteps = scheduler.timesteps[kept[:-1].to(scheduler.timesteps.device)]
    scheduler.num_inference_steps = len(scheduler.timesteps)
    scheduler.set_begin_index(0)  # what `add_noise` adds is then that of the step at hand


def _cut(scheduler: Any, steps: int) -> None:
    """Of a schedule whose steps are worked out from timesteps the last ones; its step's length stays."""
    last = torch.unique(scheduler.timesteps).flip(0)[-steps:]
    if isinstance(scheduler, PNDMScheduler) and len(last) > 1:
        # It takes its first step twice, and tells by counting: diffusers' own image to image cuts that off (0.42.1).
        last = torch.cat((last[:2], last[1:]))
    scheduler.timesteps = last


def noised(scheduler: Any, latents: torch.Tensor, noise: torch.Tensor, step: int) -> torch.Tensor:
    """The latents with as much noise as there is before that step (from 0); after the last, as they are."""
    if step >= len(scheduler.timesteps):
        return latents
    if not hasattr(scheduler, "add_noise"):  # a straight path
        sigma = scheduler.sigmas[step].to(latents)
        return sigma * noise + (1 - sigma) * latents
    result: torch.Tensor = scheduler.add_noise(latents, noise, scheduler.timesteps[step : step + 1])
    return result
