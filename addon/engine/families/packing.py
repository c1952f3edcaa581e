# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents that samplers keep as tokens, in patches of 2x2, or normalized by statistics. Imports engine and torch.

A patch of four latents becomes one with four times the channels: channel, row in the patch, column in the patch. All of
diffusers' pipelines that pack do it in that order.
"""

from typing import Any

import torch

from ...core.requests.texture import Size
from .adapter import Adapter


def patch(latents: torch.Tensor) -> torch.Tensor:
    """(B, C, h, w) -> (B, 4 C, h / 2, w / 2)."""
    return torch.nn.functional.pixel_unshuffle(latents, 2)


def unpatch(latents: torch.Tensor) -> torch.Tensor:
    """The reverse of `patch`."""
    return torch.nn.functional.pixel_shuffle(latents, 2)


def to_tokens(latents: torch.Tensor) -> torch.Tensor:
    """(B, C, h, w) -> (B, h * w, C), row by row."""
    return latents.flatten(2).transpose(1, 2)


def from_tokens(tokens: torch.Tensor, size: Size, pixels: int) -> torch.Tensor:
    """The reverse of `to_tokens`, for a picture of that size in which a token stands for so many pixels a side."""
    return tokens.transpose(1, 2).unflatten(2, (size.height // pixels, size.width // pixels))


class Tokens(Adapter):
    """For pipelines that sample 2x2 patches of latents as tokens and end with tokens: FLUX.1's and Qwen-Image's way."""

    def unpack(self, pipeline: Any, latents: torch.Tensor, size: Size) -> torch.Tensor:
        return unpatch(from_tokens(latents, size, 2 * pipeline.vae_scale_factor))

    def pack(self, pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
        return to_tokens(patch(latents))


class Normalized(Adapter):
    """For denoisers whose latents are patches that the autoencoder's batch norm normalizes: FLUX.2's way.

    `pack` keeps them as they are; see `NormalizedTokens` for pipelines that sample tokens.
    """

    def pixels(self, pipeline: Any) -> int:
        return 2 * int(pipeline.vae_scale_factor)

    def noise_shape(self, pipeline: Any, size: Size) -> tuple[int, ...]:
        pixels = self.pixels(pipeline)
        return 1, 4 * pipeline.vae.config.latent_channels, size.height // pixels, size.width // pixels

    def epsilon(self, vae: Any) -> float:
        """What is added to the batch norm's variance."""
        return float(vae.config.batch_norm_eps)

    def to_vae(self, vae: Any, latents: torch.Tensor) -> torch.Tensor:
        if latents.shape[1] == vae.config.latent_channels:  # a pipeline's last, which it gives as decoders take them
            return latents
        mean, deviation = self._statistics(vae, latents)
        return unpatch(latents * deviation + mean)

    def from_vae(self, vae: Any, latents: torch.Tensor) -> torch.Tensor:
        latents = patch(latents)
        mean, deviation = self._statistics(vae, latents)
        return (latents - mean) / deviation

    def _statistics(self, vae: Any, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, variance = (values.view(1, -1, 1, 1) for values in (vae.bn.running_mean, vae.bn.running_var))
        deviation = torch.sqrt(variance + self.epsilon(vae))
        return mean.to(latents.device, latents.dtype), deviation.to(latents.device, latents.dtype)


class NormalizedTokens(Normalized):
    """FLUX.2's own pipelines sample them as tokens, and are handed the first ones as a picture."""

    def unpack(self, pipeline: Any, latents: torch.Tensor, size: Size) -> torch.Tensor:
        return from_tokens(latents, size, self.pixels(pipeline)) if latents.ndim == 3 else latents

    def pack(self, pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
        return to_tokens(latents)

    def first(self, pipeline: Any, latents: torch.Tensor) -> torch.Tensor:
        return latents
