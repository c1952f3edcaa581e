# SPDX-License-Identifier: GPL-3.0-or-later
"""Decodes latents, encodes pictures; large ones in parts on the torus, exactly. Imports core, engine, torch, diffusers.

Tiny autoencoders have no global statistics, so tiles with a halo as wide as the decoder sees give what the whole gives,
and memory stays that of a tile. The norms or the attention of others see all of the picture: see `layers`.
"""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderTiny
from numpy.typing import NDArray

from ..core.requests.texture import Axes
from . import layers
from .canvas import canvases
from .devices import Decoding, free_main_memory
from .subpixel import fast_decoder
from .tiles import MIN_TILE, NotFinite, Reach, TileLimits, Tiler, measure_reach

_TILE = 512  # pixels
_ENCODER_TILE = 384  # its halo is wide, and at 512 a picture from a picture took 1.12 times one from words
# Pixels that an encoder is taken to see at most: 13 convolutions of 3x3 at an eighth of the size see 104, and some
# before them. The starter's halo is 160.
_ENCODER_REACH = 256

_limits = TileLimits()


def decode(vae: Any, latents: torch.Tensor, axes: Axes, folder: Path, how: Decoding) -> torch.Tensor:
    """The picture (1, 3, H, W) of scaled latents (1, C, h, w), in float32 where it was decoded in parts.

    folder: for files that hold what lies between two layers, where main memory does not. how: see `Plan.decoding`.
    """
    with fast_decoder(vae, axes):
        return _decode(vae, latents, axes, folder, how)


def factor_of(vae: Any) -> int:
    """Pixels of a side that one of its latents stands for."""
    config = vae.config
    told = getattr(config, "scale_factor_spatial", None) or getattr(config, "spatial_compression_ratio", None)
    if told:
        return int(told)
    if _has_frames(vae):
        return int(2 ** len(config.temperal_downsample))
    widths = getattr(config, "block_out_channels", None) or config.encoder_block_out_channels
    return int(2 ** (len(widths) - 1))


def _has_frames(vae: Any) -> bool:
    """Whether its pictures and latents have an axis of time, as Wan's and Qwen-Image's do."""
    return hasattr(vae.config, "temperal_downsample")


def decode_whole(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """The picture (1, 3, H, W) of scaled latents (1, C, h, w)."""
    if _has_frames(vae):
        first: torch.Tensor = vae.decode(latents[:, :, None], return_dict=False)[0][:, :, 0]
        return first
    whole: torch.Tensor = vae.decode(latents, return_dict=False)[0]
    return whole


def encode_whole(vae: Any, picture: torch.Tensor) -> torch.Tensor:
    """The latents (1, C, h, w) of a picture (1, 3, H, W) from -1 to 1: the middle of what the encoder says."""
    encoded = vae.encode(picture[:, :, None] if _has_frames(vae) else picture)
    latents: torch.Tensor
    if hasattr(encoded, "latent_dist"):
        latents = encoded.latent_dist.mode()
    else:
        latents = encoded.latents if hasattr(encoded, "latents") else encoded.latent
    return latents[:, :, 0] if _has_frames(vae) else latents


def _decode(vae: Any, latents: torch.Tensor, axes: Axes, folder: Path, how: Decoding) -> torch.Tensor:
    factor = factor_of(vae)
    if how is Decoding.WHOLE:
        return decode_whole(vae, latents)
    if layers.runs(vae):
        with canvases(folder, in_memory=free_main_memory() // 4) as easel:  # at most one and a half are full size
            return layers.Layers(vae, axes, easel, _limits, how is Decoding.SHEETS).decode(latents)
    if not isinstance(vae, AutoencoderTiny):
        return decode_whole(vae, latents)

    def network(tile: torch.Tensor) -> torch.Tensor:
        return vae.decode(tile, return_dict=False)[0]

    device, dtype = str(latents.device), latents.dtype
    reach = measure_reach(network, latents.shape[1], scale=Fraction(factor), device=device, dtype=dtype)
    if not reach.exact:
        return network(latents)
    return _in_tiles(network, latents, reach, factor, axes)


def encode(vae: Any, pixels: NDArray[np.uint8], axes: Axes, folder: Path, device: str, how: Decoding) -> torch.Tensor:
    """The latents (1, C, h, w) of a picture (H, W, 3), as the autoencoder gives them: the middle of its distribution.

    Drawn from it instead, as diffusers does, they would have noise of their own, which a rolled picture would not roll.
    device: where the autoencoder runs; offloaded, it does not say so itself. folder, how: as in `decode`.
    """
    if how is not Decoding.WHOLE and isinstance(vae, AutoencoderTiny):
        return _encode_tiles(vae, pixels, axes, factor_of(vae), device)
    picture = (torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1).to(vae.dtype)
    if how is not Decoding.WHOLE and layers.runs(vae):
        with canvases(folder, in_memory=free_main_memory() // 4) as easel:
            return layers.Layers(vae, axes, easel, _limits, how is Decoding.SHEETS).encode(picture)
    return encode_whole(vae, picture.to(device))


def _encode_tiles(
    vae: AutoencoderTiny, pixels: NDArray[np.uint8], axes: Axes, factor: int, device: str
) -> torch.Tensor:
    def network(tile: torch.Tensor) -> torch.Tensor:
        return encode_whole(vae, tile * 2 - 1)

    height, width = pixels.shape[:2]
    latents = torch.empty((height // factor, width // factor, vae.config.latent_channels))

    def write(rows: slice, columns: slice, values: NDArray[np.float32]) -> None:
        latents[rows, columns] = torch.from_numpy(values)

    scale = Fraction(1, factor)
    reach = measure_reach(
        network, 3, scale=scale, grid=factor, device=device, dtype=vae.dtype, probes=(_ENCODER_REACH,)
    )
    tiler = Tiler(network, scale, reach.halo, factor, _ENCODER_TILE, device, vae.dtype, _limits)
    try:
        tiler.run(pixels, write, axes)
    except NotFinite:
        latents[:] = torch.nan
    return latents.permute(2, 0, 1)[None]


def _in_tiles(network: Any, latents: torch.Tensor, reach: Reach, factor: int, axes: Axes) -> torch.Tensor:
    height, width = latents.shape[-2:]
    picture = np.empty((height * factor, width * factor, 3), np.float32)

    def write(rows: slice, columns: slice, values: NDArray[np.float32]) -> None:
        picture[rows, columns] = values

    device = str(latents.device)
    least = MIN_TILE // factor
    tiler = Tiler(network, Fraction(factor), reach.halo, 1, _TILE // factor, device, latents.dtype, _limits, least)
    try:
        tiler.run(latents[0].permute(1, 2, 0).float().cpu().numpy(), write, axes)
    except NotFinite:  # the caller looks at that, as it does for whole pictures
        picture[:] = np.nan
    return torch.from_numpy(picture).permute(2, 0, 1)[None]
