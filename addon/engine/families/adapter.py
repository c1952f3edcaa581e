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
# Called after a step with the pipeline, the step from 0, its time, tensors by name; gives those to go on with.
StepEnded = Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]


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
    blank: what stands for no negative prompt; some pipelines tell an empty text from none.
    reads: tokens of a prompt that the pipeline hands to its first text encoder; None: as many as its tokenizer says.
    rolls: the denoiser's positions cannot be made periodic: see `rolling`.
    in_float32: the sampler holds its latents so, whatever the denoiser computes in.
    takes_templates: whether it can start from a picture, or vary its noise: `noise_shape`, what `unpack` gives and
        what `pack` takes are then latents as `from_vae` gives them.
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
    blank: str | None = None
    reads: int | None = None
    rolls: bool = False
    in_float32: bool = False

    def embed(self, pipeline: Any, prompt: str, negative_prompt: str, guided: bool, **chosen: Any) -> dict[str, Any]:
        """The pipeline's arguments for these prompts. guided: whether there is an unconditional half.

        chosen: further arguments of `encode_prompt`.
        """
        encoded = pipeline.encode_prompt(
            prompt=prompt,
            device=pipeline._execution_device,
            num_images_per_prompt=1,
            do_classifier_free_guidance=guided,
            negative_prompt=negative_prompt or self.blank,
            **chosen,
        )
        pairs = zip(self.embeddings, encoded, strict=True)
        return {name: value for name, value in pairs if value is not None}

    def weighs(self, pipeline: Any) -> bool:
        """Whether the model weighs the prompt against a negative one: not where guidance was distilled away."""
        return True

    def arguments(self, pipeline: Any, request: TextureRequest) -> dict[str, Any]:
        """What the pipeline is called with besides embeddings, size, steps, generator and callback."""
        return {"guidance_scale": request.guidance_scale}

    def after_step(self, told: StepEnded) -> dict[str, Any]:
        """The pipeline's arguments that have it call `told` after each step."""
        return {"callback_on_step_end": told}

    def pixels(self, pipeline: Any) -> int:
        """Pixels of a side that one of the denoiser's latents, as `unpack` gives them, stands for."""
        return int(pipeline.vae_scale_factor)

    def noise_shape(self, pipeline: Any, size: Size) -> tuple[int, ...]:
        """The shape of the noise that the pipeline draws for one picture, where it takes templates."""
        config, factor = pipeline.vae.config, pipeline.vae_scale_factor
        channels = getattr(config, "latent_channels", None) or config.z_dim  # Qwen-Image's and Wan's call it so
        return 1, channels, size.height // factor, size.width // factor

    def unpack(self, pipeline: Any, latents: torch.Tensor, size: Size) -> torch.Tensor:
        """Latents (1, channels, height / f, width / f) of what the sampler holds for a picture of that size.

        What the pipeline gives at its end too.
        """
        return latents

    def pack(self, pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
        """The reverse: what the sampler would hold."""
        return latents

    def first(self, pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
        """What the pipeline's argument `latents` takes, of latents as `unpack` gives them."""
        return self.pack(pipeline, latents)

    def to_vae(self, vae: Any, latents: torch.Tensor) -> torch.Tensor:
        """Latents of the denoiser, in float32, as this autoencoder has them."""
        scale, shift = _scale_and_shift(vae.config)
        statistics = _statistics(vae.config, latents)
        if statistics is None:
            return latents / scale + shift
        mean, deviation = statistics
        if hasattr(vae.config, "scaling_factor"):
            return latents / scale * deviation + mean + shift
        return latents / (1 / deviation) + mean  # as pipelines with such an autoencoder reckon, to the last bit

    def from_vae(self, vae: Any, latents: torch.Tensor) -> torch.Tensor:
        """The reverse of `to_vae`."""
        scale, shift = _scale_and_shift(vae.config)
        latents = latents - shift
        if (statistics := _statistics(vae.config, latents)) is not None:
            mean, deviation = statistics
            latents = (latents - mean) / deviation
        return latents * scale


def _scale_and_shift(config: Any) -> tuple[float, float]:
    """Of an autoencoder's configuration; 1 and 0 where it says nothing."""
    return getattr(config, "scaling_factor", None) or 1.0, getattr(config, "shift_factor", None) or 0.0


def _statistics(config: Any, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Mean and standard deviation of each channel, (1, C, 1, 1), where the autoencoder's configuration gives them."""
    values = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if values[0] is None or values[1] is None:
        return None
    mean, deviation = (torch.tensor(value, device=latents.device).view(1, -1, 1, 1) for value in values)
    return mean, deviation
