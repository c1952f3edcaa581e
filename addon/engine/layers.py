# SPDX-License-Identifier: GPL-3.0-or-later
"""The KL autoencoder layer by layer, in strips of rows: exact, in a strip's memory. Imports engine, torch, diffusers.

Its norms take their statistics from all of the picture, so no tile can be run through to the end alone. But a single
layer can: it reads a strip of the layer before, one row more on either side, and writes its own. What is between two
layers lies in main memory, in a mapped file or on the card, and each norm's statistics are gathered while it is
written. The middle, with its attention, has the size of the latents and runs whole, its queries in parts.
"""

import logging
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderKLFlux2
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.unets.unet_2d_blocks import DownEncoderBlock2D, UpDecoderBlock2D
from diffusers.utils.accelerate_utils import apply_forward_hook
from torch.nn import functional as F

from ..core.requests.texture import Axes
from .canvas import Canvas, Easel
from .devices import STRIP, empty_cache, is_out_of_memory
from .tiles import MIN_TILE, TileLimits

log = logging.getLogger(__name__)

_WIDEST = 256  # channels at full size: a strip holds as many numbers as such a layer does in STRIP x STRIP pixels
_QUERIES = 1024  # of the attention, at once: where torch has no fused kernel, their scores alone are a matrix

Work = Callable[[torch.Tensor, slice], torch.Tensor]


def runs(vae: Any) -> bool:
    """Whether it is made of what is known here, as stock KL autoencoders are."""
    if not isinstance(vae, AutoencoderKL | AutoencoderKLFlux2):
        return False
    blocks = [*vae.encoder.down_blocks, *vae.decoder.up_blocks]
    parts = [part for block in blocks for part in block.resnets]
    return all(type(block) in (DownEncoderBlock2D, UpDecoderBlock2D) for block in blocks) and all(
        isinstance(part, ResnetBlock2D) and part.time_embedding_norm != "scale_shift" for part in parts
    )


class Sheet:
    """What one layer gives, for the whole picture: `values` (1, C, H, W), and their moments.

    device: where the values lie; None: on one of the easel's canvases.
    """

    def __init__(
        self, easel: Easel, shape: tuple[int, int, int], dtype: torch.dtype, device: str | None = None
    ) -> None:
        channels, height, width = shape
        self._easel = easel
        # kept (H, W, C), which is torch's channels_last
        self._canvas: Canvas | None = None
        if device is None:  # numpy has no bfloat16
            self._canvas = easel.make((height, width, channels), np.int32 if dtype.itemsize == 4 else np.int16)
            values = torch.from_numpy(self._canvas.array).view(dtype)
        else:
            values = torch.empty((height, width, channels), dtype=dtype, device=device)
        self.values = values.permute(2, 0, 1)[None]
        self.narrow(channels)

    def touched(self, count: int) -> None:
        """Note that so many bytes of it were used."""
        if self._canvas is not None:
            self._canvas.touched(count)

    def drop(self) -> None:
        """Let go of what is in it, for good."""
        self.values = self.values[..., :0, :0].clone()
        if self._canvas is not None:
            self._easel.drop(self._canvas)

    def narrow(self, channels: int) -> "Sheet":
        """Forget what is in it; from now on the first `channels` are used."""
        self.values = self.values[:, :channels]
        self._count = 0
        self._mean = self._squares = torch.zeros(channels, dtype=torch.float64)
        return self

    def rows(self, first: int, stop: int, wraps: bool) -> torch.Tensor:
        """Those rows, which go on at the other side where it wraps, and are left out outside of it elsewhere."""
        height = self.values.shape[2]
        if first >= 0 and stop <= height:
            return self.values[:, :, first:stop]
        if not wraps:
            return self.values[:, :, max(first, 0) : min(stop, height)]
        return self.values[:, :, torch.arange(first, stop) % height]

    def put(self, rows: slice, strip: torch.Tensor) -> None:
        """Write rows, and add them to the moments (Chan, Golub, LeVeque: updating formulae, 1979)."""
        self.values[:, :, rows] = strip
        self.touched(strip.numel() * self.values.itemsize)
        variance, mean = torch.var_mean(strip.float(), (0, 2, 3), correction=0)
        count = strip.shape[2] * strip.shape[3]
        total, mean = self._count + count, mean.cpu().double()
        apart = mean - self._mean
        self._squares = self._squares + variance.cpu().double() * count + apart**2 * (self._count * count / total)
        self._mean, self._count = self._mean + apart * (count / total), total

    def normal(self, norm: torch.nn.GroupNorm) -> tuple[torch.Tensor, torch.Tensor]:
        """The group norm over all of it as a factor and a summand for each channel: (1, C, 1, 1), float32."""
        mean = self._mean.view(norm.num_groups, -1)
        middle = mean.mean(1, keepdim=True)
        variance = (self._squares.view_as(mean) / self._count + (mean - middle) ** 2).mean(1, keepdim=True)
        factor = (variance + norm.eps).rsqrt().expand_as(mean).reshape(-1) * norm.weight.cpu().double()
        summand = norm.bias.cpu().double() - middle.expand_as(mean).reshape(-1) * factor
        where = norm.weight.device
        return factor.float().view(1, -1, 1, 1).to(where), summand.float().view(1, -1, 1, 1).to(where)


class Layers:
    """Runs an autoencoder of which `runs` is true, on its own device, inside `seamless` or outside of it.

    on_device: what lies between two layers stays there too.
    """

    def __init__(self, vae: Any, axes: Axes, easel: Easel, limits: TileLimits, on_device: bool = False) -> None:
        self._vae, self._axes, self._easel, self._limits = vae, axes, easel, limits
        self._on_device = on_device

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """What `vae.decode` gives: (1, 3, H, W), in float32, where its sheets are."""
        return apply_forward_hook(lambda _vae: self._decode(latents))(self._vae)

    def encode(self, picture: torch.Tensor) -> torch.Tensor:
        """The moments that `vae.encode` makes its distribution of: (1, 2 * channels, h, w)."""
        return apply_forward_hook(lambda _vae: self._encode(picture))(self._vae)

    def _decode(self, latents: torch.Tensor) -> torch.Tensor:
        decoder = self._vae.decoder
        if self._vae.post_quant_conv is not None:
            latents = self._vae.post_quant_conv(latents)
        sheet = self._sheet_of(middle(decoder.mid_block, decoder.conv_in(latents)))
        for block in decoder.up_blocks:
            sheet = self._resnets(block, sheet)
            for layer in block.upsamplers or ():
                sheet = self._layer(layer, sheet, layer.out_channels, scale=Fraction(2))
        last = decoder.conv_out
        picture = self._layer(last, sheet, last.out_channels, norm=decoder.conv_norm_out)
        return picture.values.to(torch.float32, copy=True)

    def _encode(self, picture: torch.Tensor) -> torch.Tensor:
        encoder = self._vae.encoder
        sheet = self._layer(encoder.conv_in, self._sheet_of(picture), encoder.conv_in.out_channels)
        for block in encoder.down_blocks:
            sheet = self._resnets(block, sheet)
            for layer in block.downsamplers or ():
                sheet = self._layer(layer, sheet, layer.out_channels, halo=(0, 2), scale=Fraction(1, 2))
        inner = middle(encoder.mid_block, sheet.values.to(self._vae.device))
        moments = encoder.conv_out(F.silu(encoder.conv_norm_out(inner)))
        return moments if self._vae.quant_conv is None else self._vae.quant_conv(moments)

    def _sheet_of(self, values: torch.Tensor) -> Sheet:
        sheet = self._sheet(tuple(values.shape[1:]))
        sheet.put(slice(None), values)
        return sheet

    def _resnets(self, block: Any, sheet: Sheet) -> Sheet:
        for part in block.resnets:
            sheet = self._resnet(part, sheet)
        return sheet

    def _resnet(self, part: ResnetBlock2D, source: Sheet) -> Sheet:
        hidden = self._layer(part.conv1, source, part.out_channels, norm=part.norm1)
        # Only the rows that are written are read of the source, so the result may take its place.
        roomy = part.out_channels <= source.values.shape[1]
        shortcut, values = part.conv_shortcut, source.values
        result = source.narrow(part.out_channels) if roomy else self._like(source, part.out_channels)

        def work(strip: torch.Tensor, rows: slice) -> torch.Tensor:
            beside = values[:, :, rows].to(strip.device)
            if shortcut is not None:
                beside = shortcut(beside)
            return (beside + part.conv2(strip)[:, :, 1:-1]) / part.output_scale_factor

        self._sweep(hidden, result, work, part.norm2, (1, 1), Fraction(1))
        hidden.drop()
        if result is not source:
            source.drop()
        return result

    def _like(self, source: Sheet, channels: int, scale: Fraction = Fraction(1)) -> Sheet:
        height, width = (int(side * scale) for side in source.values.shape[2:])
        return self._sheet((channels, height, width))

    def _sheet(self, shape: tuple[int, int, int]) -> Sheet:
        return Sheet(self._easel, shape, self._vae.dtype, str(self._vae.device) if self._on_device else None)

    def _layer(
        self,
        layer: torch.nn.Module,
        source: Sheet,
        channels: int,
        norm: torch.nn.GroupNorm | None = None,
        halo: tuple[int, int] = (1, 1),
        scale: Fraction = Fraction(1),
    ) -> Sheet:
        """What a layer makes of the source, which is done with unless it was normalised first."""
        result = self._like(source, channels, scale)
        skipped = int(halo[0] * scale)

        def work(strip: torch.Tensor, rows: slice) -> torch.Tensor:
            return layer(strip)[:, :, skipped : skipped + int((rows.stop - rows.start) * scale)]

        self._sweep(source, result, work, norm, halo, scale)
        if norm is None:
            source.drop()
        return result

    def _sweep(
        self,
        source: Sheet,
        result: Sheet,
        work: Work,
        norm: torch.nn.GroupNorm | None,
        halo: tuple[int, int],
        scale: Fraction,
    ) -> None:
        """Strip by strip: the source's rows, `halo` more above and below, normalised and activated, through `work`."""
        device = str(self._vae.device)
        normal = source.normal(norm) if norm is not None else None
        height = source.values.shape[2]
        widest = max(sheet.values.shape[1] * sheet.values.shape[3] for sheet in (source, result)) * max(scale, 1)
        first = 0
        while first < height:
            side = self._limits.clamp(device, STRIP)
            count = max(int(_WIDEST * side**2 / widest) // 2 * 2, 2)
            rows = slice(first, min(first + count, height))
            strip = None
            try:
                strip = work(self._strip(source, rows, halo, normal), rows)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or side <= MIN_TILE:
                    raise
            # Outside of the handler the exception is gone, and with it the frames that kept tensors.
            if strip is None:
                empty_cache(device)
                log.warning("memory ran out on %s at strips of %d rows", device, count)
                self._limits.shrink(device, max(side // 2, MIN_TILE))
                continue
            result.put(slice(int(rows.start * scale), int(rows.stop * scale)), strip)
            source.touched(strip.numel() * strip.itemsize)
            first = rows.stop

    def _strip(
        self,
        source: Sheet,
        rows: slice,
        halo: tuple[int, int],
        normal: tuple[torch.Tensor, torch.Tensor] | None,
    ) -> torch.Tensor:
        first, stop, height = rows.start - halo[0], rows.stop + halo[1], source.values.shape[2]
        strip = source.rows(first, stop, self._axes.y).to(self._vae.device)
        if normal is not None:
            factor, summand = normal
            strip = F.silu(torch.addcmul(summand, strip.float(), factor).to(self._vae.dtype), inplace=True)
        above, below = max(-first, 0), max(stop - height, 0)
        if not self._axes.y and (above or below):  # as convolutions see an edge: zeros after the activation
            strip = F.pad(strip, (0, 0, above, below))
        return strip


def middle(block: Any, values: torch.Tensor) -> torch.Tensor:
    """The middle block, whole."""
    values = block.resnets[0](values, None)
    for attention, resnet in zip(block.attentions, block.resnets[1:], strict=True):
        if attention is not None:
            values = _attend(attention, values)
        values = resnet(values, None)
    return values


def _attend(attention: Any, values: torch.Tensor) -> torch.Tensor:
    """As diffusers' AttnProcessor2_0 does for pictures, the queries in parts."""
    places = attention.group_norm(values.flatten(2)).transpose(1, 2)
    query, key, value = (
        layer(places).unflatten(2, (attention.heads, -1)).transpose(1, 2)
        for layer in (attention.to_q, attention.to_k, attention.to_v)
    )
    del places
    for part in query.split(_QUERIES, 2):  # each is read once: what comes of it takes its place
        part.copy_(F.scaled_dot_product_attention(part, key, value))
    del key, value
    out = attention.to_out[0](query.transpose(1, 2).flatten(2))
    out = out.transpose(1, 2).unflatten(2, values.shape[2:])
    return (out + values) / attention.rescale_output_factor
