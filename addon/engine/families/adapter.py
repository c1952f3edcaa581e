# SPDX-License-Identifier: GPL-3.0-or-later
"""How the engine runs the models of a family: the half of it that needs torch. Imports core, torch, nothing heavier.

An adapter has no state, and names diffusers' classes instead of importing them: a family that no job asks for costs
nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ...core.families.family import Family
from ...core.requests.texture import Axes, Size, TextureRequest

# A module, the name of an attribute, and what it is while a block of `seamless` runs: `PLAIN` for what it always was.
Change = tuple[nn.Module, str, object]
# A network and the axes on which it repeats -> the changes. The same modules and names for all axes, `NONE` included.
Changes = Callable[[nn.Module, Axes], Iterable[Change]]
PLAIN = object()


def convolutions_only(_network: nn.Module, _axes: Axes) -> Iterable[Change]:
    """For a network that its convolutions alone keep from being periodic; `seamless` wraps those in every network."""
    return ()


def no_others(_network: nn.Module) -> Iterable[tuple[str, str]]:
    """For a denoiser whose layers files call as diffusers does, or in a way that its pipeline converts."""
    return ()


@dataclass(frozen=True)
class Adapter:
    """As it stands, for pipelines with a U-Net, as most of diffusers' are called; a family that differs overrides.

    text_encoders: the pipeline's tokenizers and text encoders, in pairs; the first reads all that the others do.
    embeddings: the pipeline's arguments that its `encode_prompt` returns, in that order.
    periodic: the networks, by the names of diffusers' classes, that obey the law of `seamless`, each with what has to
        be set on it besides its convolutions. What no adapter lists here is refused where a picture is to repeat.
    safety_checker: gives diffusers' class for the safety checker that its folders may bring; None: they bring none.
    takes_templates: whether it can start from a picture, or vary its noise: `noise_shape`, and what `unpack` takes, are
        then latents as `from_vae` gives them.
    other_names: of a denoiser's parts, for LoRAs: pairs of another name and diffusers' own.
    last_layer: which layer of its text encoder it reads by itself, from the end, where another can be chosen: 1 the
        last, 2 the one before; 0: none can.
    """

    family: Family
    periodic: Mapping[str, Changes]
    text_encoders: tuple[tuple[str, str], ...] = (("tokenizer", "text_encoder"),)
    embeddings: tuple[str, ...] = ("prompt_embeds", "negative_prompt_embeds")
    safety_checker: Callable[[], Any] | None = None
    takes_templates: bool = False
    other_names: Callable[[nn.Module], Iterable[tuple[str, str]]] = no_others
    last_layer: int = 0

    def embed(self, pipeline: Any, prompt: str, negative_prompt: str, guided: bool, **chosen: Any) -> dict[str, Any]:
        """The pipeline's arguments for these prompts. guided: whether there is an unconditional half.

        chosen: further arguments of `encode_prompt`.
        """
        encoded = pipeline.encode_prompt(
            prompt=prompt,
            device=pipeline._execution_device,
            num_images_per_prompt=1,
            do_classifier_free_guidance=guided,
            negative_prompt=negative_prompt or None,  # some pipelines tell an empty text from none
            **chosen,
        )
        pairs = zip(self.embeddings, encoded, strict=True)
        return {name: value for name, value in pairs if value is not None}

    def arguments(self, request: TextureRequest) -> dict[str, Any]:
        """What the pipeline is called with besides embeddings, size, steps, generator and callback."""
        return {"guidance_scale": request.guidance_scale}

    def noise_shape(self, pipeline: Any, size: Size) -> tuple[int, ...]:
        """The shape of the noise that the pipeline draws for one picture, where it takes templates."""
        channels, factor = pipeline.vae.config.latent_channels, pipeline.vae_scale_factor
        return 1, channels, size.height // factor, size.width // factor

    def unpack(self, _pipeline: Any, latents: torch.Tensor, _size: Size) -> torch.Tensor:
        """Latents (1, channels, height / f, width / f) of what the sampler holds for a picture of that size."""
        return latents

    def to_vae(self, config: Any, latents: torch.Tensor) -> torch.Tensor:
        """Latents of the denoiser, in float32, as the autoencoder with this configuration has them."""
        latents = latents / config.scaling_factor
        if (statistics := _statistics(config, latents)) is not None:
            mean, deviation = statistics
            latents = latents * deviation
            latents = latents + mean
        return latents

    def from_vae(self, config: Any, latents: torch.Tensor) -> torch.Tensor:
        """The reverse of `to_vae`."""
        if (statistics := _statistics(config, latents)) is not None:
            mean, deviation = statistics
            latents = (latents - mean) / deviation
        return latents * config.scaling_factor


def _statistics(config: Any, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Mean and standard deviation of each channel, (1, C, 1, 1), where the autoencoder's configuration gives them."""
    values = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if values[0] is None or values[1] is None:
        return None
    mean, deviation = (torch.tensor(value, device=latents.device).view(1, -1, 1, 1) for value in values)
    return mean, deviation
