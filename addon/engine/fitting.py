# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the edges of a set of tiles fitting: in the noise, after each step, and in what is made of the picture.

Exact: the latents of a rim, as far as it reaches, are the same for all edges of a color after every step, and so are
the pixels on either side of an edge in every finished picture. Measured: what lies between, where a decoder or a map
network sees beyond the rim what stands there on the sheet, and not what will stand there; further from the edge it is
taken less and less from the mean of all edges of the color. Imports core, numpy and torch.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.errors import bad_request
from ..core.pbr import unit_normals
from ..core.requests.template import Region
from ..core.requests.texture import Axes, TextureRequest
from ..core.variants import RIM, Sheet
from .canvas import AT_ONCE, Canvas

# Schedulers that draw noise in a step: the mean of several draws would be weaker noise, and so one of them is taken.
_DRAWING = ("Ancestral", "LCM", "DDPM", "SDE", "TCD")


def check(request: TextureRequest) -> None:
    """Raise `UserError` where a set of tiles cannot be made so."""
    if request.variants == 1:  # a transition refuses all of this by itself
        return
    if request.axes is not Axes.XY:
        raise bad_request("Variants that fit each other repeat both ways.", "Set Tiling to both, or Variants to one.")
    if request.guides:
        raise bad_request("Variants are not guided by pictures yet.", "Clear the guides, or set Variants to one.")
    if request.template is not None and request.template.region is not Region.TILE:
        raise bad_request("Variants are not made from a template yet.", "Clear the template, or set Variants to one.")


def fit_noise(noise: torch.Tensor, request: TextureRequest) -> None:
    """Give all edges of a color the same noise, in place. noise: (1, C, h, w) of the whole sheet."""
    _fit(noise, request, copied=True)


def fit_latents(latents: torch.Tensor, request: TextureRequest, scheduler: Any) -> None:
    """As `fit_noise`, for the latents after a step."""
    name = type(scheduler).__name__ + str(getattr(scheduler.config, "algorithm_type", "")).upper()
    _fit(latents, request, copied=any(word in name for word in _DRAWING))


def _fit(latents: torch.Tensor, request: TextureRequest, *, copied: bool) -> None:
    sheet = request.sheet
    height, width = latents.shape[-2] // sheet.rows, latents.shape[-1] // sheet.columns
    tiles = latents[0].permute(1, 2, 0).unflatten(0, (sheet.rows, height)).unflatten(2, (sheet.columns, width))
    rim = max(min(height, width) // RIM, 1)
    sheet.fit(tiles, torch.ones(rim, dtype=latents.dtype, device=latents.device), copied=copied)


def fit_pixels(array: NDArray[Any], sheet: Sheet) -> None:
    """Make a picture (H, W, C) of the sheet fit, in place: to the bit at edges, and less and less away from them."""
    if sheet.count == 1:
        return
    height, width = array.shape[0] // sheet.rows, array.shape[1] // sheet.columns
    rim = max(min(height, width) // RIM, 1)
    weights = np.cos(np.arange(rim, dtype=np.float32) * np.float32(np.pi / 2 / rim)) ** 2
    for channel in range(array.shape[2]):  # one at a time, for the memory's sake
        sheet.fit(array[..., channel].reshape(sheet.rows, height, sheet.columns, width), weights)


def fit_canvas(canvas: Canvas, channels: slice, sheet: Sheet, *, normals: bool = False) -> None:
    """As `fit_pixels`, for some channels of a canvas. normals: they are, and have length one afterwards."""
    if sheet.count == 1:
        return
    fit_pixels(canvas.array[..., channels], sheet)
    for top in range(0, canvas.array.shape[0], AT_ONCE) if normals else ():
        strip = canvas.array[top : top + AT_ONCE, :, channels]
        strip[...] = unit_normals(strip)
    canvas.release()
