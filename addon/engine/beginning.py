# SPDX-License-Identifier: GPL-3.0-or-later
"""What a picture is sampled from besides the noise of its seed: a template's latents, a mask. Imports engine, torch.

The family's own text-to-image pipeline samples it: it is handed the first latents, its scheduler begins late
(`strength`), and after each step what is outside the mask is put back. diffusers' pipelines for image to image and
inpainting do the same, but resize and blur with edges, and draw latents from the encoder's distribution.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.utils.torch_utils import randn_tensor

from ..core.errors import ErrorKind, UserError
from ..core.requests.texture import Size, TextureRequest
from .devices import Offload
from .fitting import fit_noise
from .models import LoadedModel
from .strength import begin_late, noised
from .template import Ground

Encode = Callable[[np.ndarray[Any, Any]], torch.Tensor]
_GREY = 128  # stands for what an inpainting checkpoint is not shown


@dataclass(frozen=True)
class Beginning:
    """For one picture. All of it float32, on the processor.

    latents: the template's (1, C, h, w), as the denoiser has them; None: none, only noise.
    inside: which of them are denoised (1, 1, h, w), 0 or 1; None: all.
    beside: what an inpainting checkpoint reads beside its latents (1, 1 + C, h, w): `inside`, and the latents of what
    is outside; None for other models.
    share: how much of the second prompt each is made by (1, 1, h, w), 0 to 1; None: nothing.
    """

    latents: torch.Tensor | None = None
    inside: torch.Tensor | None = None
    beside: torch.Tensor | None = None
    share: torch.Tensor | None = None


PLAIN = Beginning()


def is_inpainting(loaded: LoadedModel) -> bool:
    """Whether the denoiser reads a mask and a masked picture beside its latents, 9 channels in place of 4."""
    unet = loaded.pipeline.components.get("unet")
    return unet is not None and unet.config.in_channels == 2 * loaded.pipeline.vae.config.latent_channels + 1


def begin(loaded: LoadedModel, request: TextureRequest, ground: Ground | None, encode: Encode) -> Beginning:
    """encode: a picture (H, W, 3), 8-bit -> its latents, as the denoiser has them. Raises `UserError`."""
    denoiser = loaded.pipeline.components[loaded.info.family.denoiser]
    # Others would see a whole sheet at once: more than they were trained with, and than most memories hold.
    if request.sheet.count > 1 and not (loaded.adapter.takes_templates and isinstance(denoiser, UNet2DConditionModel)):
        tiles = "variants" if request.transition is None else "tiles of a transition"
        raise UserError(
            ErrorKind.MODEL,
            f"{loaded.info.title} cannot make {tiles} that fit each other, in Tilewright yet.",
            "Choose another model, or one variant." if request.transition is None else "Choose another model.",
        )
    if (ground or request.variation) and not loaded.adapter.takes_templates:
        raise UserError(
            ErrorKind.MODEL,
            f"{loaded.info.title} cannot start from a picture, nor vary its noise, in Tilewright yet.",
            "Choose another model.",
        )
    latents = inside = beside = share = None
    shape = (request.picture_size.height, request.picture_size.width, 3)
    if ground is not None:
        mode = loaded.plan.mode.value
        if mode not in ground.latents:
            ground.latents[mode] = encode(ground.start)
        latents = ground.latents[mode]
        factor = loaded.adapter.pixels(loaded.pipeline)
        inside, share = ground.latent_weight(factor), ground.latent_share(factor)
    if is_inpainting(loaded):
        seen = np.full(shape, _GREY, np.uint8)
        if ground is not None and ground.weight is not None:
            seen = np.where(ground.weight[..., None] > 0, seen, ground.pixels)
        outside = encode(seen)
        beside = torch.cat((torch.ones_like(outside[:, :1]) if inside is None else inside, outside), 1)
    if loaded.plan.offload is Offload.MODEL:
        loaded.pipeline.maybe_free_model_hooks()  # the autoencoder, which would stay beside the denoiser
    return Beginning(latents, inside, beside, share)


def first_noise(loaded: LoadedModel, request: TextureRequest, generator: torch.Generator) -> torch.Tensor:
    """The noise that the pipeline itself would draw in float32; a variation's turned towards that of its other seed.

    In float32 whatever the model computes in: with 16 bits a number, torch draws others (2.11: all of them; 2.14.1:
    where their count is no multiple of 16), so a card would make another picture than a processor.
    As two noises are at right angles to each other, sine and cosine make this the spherical way between them, and what
    comes out has the deviation of noise.
    """
    shape = loaded.adapter.noise_shape(loaded.pipeline, request.picture_size)
    noise: torch.Tensor = randn_tensor(shape, generator=generator, dtype=torch.float32)
    if request.variation:
        other = torch.Generator("cpu").manual_seed(request.variation_seed)
        angle = torch.tensor(request.variation * torch.pi / 2)
        noise = angle.cos() * noise + angle.sin() * randn_tensor(shape, generator=other, dtype=torch.float32)
    if request.is_fitted:
        fit_noise(noise, request)
    return noise


@dataclass(frozen=True)
class Sampling:
    """How a beginning goes through the pipeline: its first latents, and what is put back after each step."""

    beginning: Beginning
    noise: torch.Tensor
    loaded: LoadedModel
    size: Size

    def first_latents(self, probe: Any) -> torch.Tensor:
        """What the pipeline begins with and multiplies. probe: a scheduler with its timesteps, not yet run."""
        latents = self.beginning.latents
        if latents is None or not is_late(probe):
            return self.noise
        # schedulers of straight paths have no such number, for it would be 1
        return noised(probe, latents, self.noise, 0) / getattr(probe, "init_noise_sigma", 1.0)

    def put_back(self, held: torch.Tensor, step: int) -> torch.Tensor:
        """What the sampler holds after a step (from 0), with the template where nothing is made anew."""
        known, inside = self.beginning.latents, self.beginning.inside
        if known is None or inside is None:
            return held
        pipeline, adapter = self.loaded.pipeline, self.loaded.adapter
        latents = adapter.unpack(pipeline, held, self.size)
        old = noised(pipeline.scheduler, known.to(latents.device), self.noise.to(latents.device), step + 1)
        return adapter.pack(pipeline, torch.where(inside.to(latents.device) > 0, latents, old.to(latents.dtype)))


def is_late(scheduler: Any) -> bool:
    """Whether `make_late` was asked of it."""
    return "set_timesteps" in vars(scheduler)


def make_late(scheduler: Any, request: TextureRequest) -> Any:
    """The scheduler; it begins at the request's strength."""
    if request.strength < 1:
        begin_late(scheduler, request.strength)
    return scheduler


@contextmanager
def beside(loaded: LoadedModel, beginning: Beginning) -> Iterator[None]:
    """Give an inpainting checkpoint the mask and the masked picture with its latents, while the block runs."""
    extra = beginning.beside
    if extra is None:
        yield
        return

    def add(_module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        latents, *rest = arguments
        more = extra.to(latents).expand(latents.shape[0], -1, -1, -1)
        return (torch.cat((latents, more), 1), *rest), named

    hook = loaded.pipeline.unet.register_forward_pre_hook(add, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
