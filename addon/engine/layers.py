# SPDX-License-Identifier: GPL-3.0-or-later
"""Autoencoders layer by layer, in strips of rows: exact, in a strip's memory. Imports engine, torch, diffusers.

What norms or attention over all of the picture give depends on all of it, so no tile can be run through to the end
alone. But a single layer can: it reads a strip of the layer before, one row more on either side, and writes its own.
What is between two layers lies in main memory, in a mapped file or on the card, and group norms' statistics are
gathered while it is written. What has attention is near the latents' size, and runs whole; the KL autoencoder's queries
in parts.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import torch
from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLHunyuanImage,
    AutoencoderKLQwenImage,
    AutoencoderKLWan,
)
from diffusers.models.autoencoders.autoencoder_dc import ResBlock
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
_DOUBLED, _HALVED = Fraction(2), Fraction(1, 2)

Work = Callable[[torch.Tensor, slice], torch.Tensor]
Strip = Callable[[torch.Tensor], torch.Tensor]
# A group norm, followed by SiLU; or what sees one pixel alone, its activation included.
Norm: TypeAlias = torch.nn.GroupNorm | Strip


def runs(vae: Any) -> bool:
    """Whether it is made of what is known here, as stock autoencoders are."""
    if isinstance(vae, AutoencoderKL | AutoencoderKLFlux2):
        blocks = [*vae.encoder.down_blocks, *vae.decoder.up_blocks]
        parts = [part for block in blocks for part in block.resnets]
        return all(type(block) in (DownEncoderBlock2D, UpDecoderBlock2D) for block in blocks) and all(
            isinstance(part, ResnetBlock2D) and part.time_embedding_norm != "scale_shift" for part in parts
        )
    if isinstance(vae, AutoencoderKLQwenImage | AutoencoderKLWan):
        return not getattr(vae.config, "is_residual", False) and not vae.config.attn_scales
    return isinstance(vae, AutoencoderDC | AutoencoderKLHunyuanImage)


@dataclass(frozen=True)
class _Resnet:
    """A residual block: norm, convolution, norm, convolution, and what goes past them. channels: that it gives."""

    norm1: Norm | None
    conv1: Strip
    norm2: Norm | None
    conv2: Strip
    channels: int
    shortcut: Strip | None = None
    divisor: float = 1.0


def _flat(module: Any) -> Strip:
    """A layer with an axis of time, for a single picture."""

    def run(strip: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = module(strip[:, :, None])[:, :, 0]
        return made

    return run


def _kl_resnet(part: ResnetBlock2D) -> _Resnet:
    return _Resnet(
        part.norm1,
        part.conv1,
        part.norm2,
        part.conv2,
        part.out_channels,
        part.conv_shortcut,
        part.output_scale_factor,
    )


def _causal_resnet(part: Any) -> _Resnet:
    def norm(module: Any) -> Strip:
        return _flat(lambda strip: part.nonlinearity(module(strip)))

    shortcut = None if isinstance(part.conv_shortcut, torch.nn.Identity) else _flat(part.conv_shortcut)
    return _Resnet(
        norm(part.norm1), _flat(part.conv1), norm(part.norm2), _flat(part.conv2), part.conv2.out_channels, shortcut
    )


def _dc_resnet(part: ResBlock) -> _Resnet:
    """Its norm comes last; the activation between its convolutions sees one pixel alone too."""

    def conv2(strip: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = part.norm(part.conv2(strip).movedim(1, -1)).movedim(-1, 1)
        return made

    return _Resnet(None, part.conv1, part.nonlinearity, conv2, part.conv2.out_channels)


def _hunyuan_resnet(part: Any) -> _Resnet:
    return _Resnet(part.norm1, part.conv1, part.norm2, part.conv2, part.out_channels)


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

    def put(self, rows: slice, strip: torch.Tensor, gathers: bool = True) -> None:
        """Write rows, and add them to the moments (Chan, Golub, LeVeque: updating formulae, 1979)."""
        self.values[:, :, rows] = strip
        self.touched(strip.numel() * self.values.itemsize)
        if not gathers:
            return
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
        self._gathers = any(isinstance(module, torch.nn.GroupNorm) for module in vae.modules())

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """What `vae.decode` gives: (1, 3, H, W), in float32, where its sheets are."""
        return apply_forward_hook(lambda _vae: self._decode(latents))(self._vae)

    def encode(self, picture: torch.Tensor) -> torch.Tensor:
        """What `vae.encode` gives, the middle of its distribution where it gives one: (1, channels, h, w)."""
        return apply_forward_hook(lambda _vae: self._encode(picture))(self._vae)

    def _decode(self, latents: torch.Tensor) -> torch.Tensor:
        decoder = self._vae.decoder
        if isinstance(self._vae, AutoencoderDC):
            picture = self._decode_dc(decoder, latents)
        elif isinstance(self._vae, AutoencoderKLHunyuanImage):
            inner = decoder.conv_in(latents) + latents.repeat_interleave(decoder.repeat, 1)
            sheet = self._sheet_of(decoder.mid_block(inner))
            for block in decoder.up_blocks:
                if hasattr(block, "repeats"):
                    sheet = self._layer(block, sheet, block.conv.out_channels // 4, scale=_DOUBLED)
                else:
                    sheet = self._resnet(_hunyuan_resnet(block), sheet)
            picture = self._layer(decoder.conv_out, sheet, decoder.conv_out.out_channels, norm=decoder.norm_out)
        elif isinstance(self._vae, AutoencoderKLQwenImage | AutoencoderKLWan):
            picture = self._decode_causal(decoder, latents)
        else:
            picture = self._decode_kl(decoder, latents)
        return picture.values.to(torch.float32, copy=True)

    def _encode(self, picture: torch.Tensor) -> torch.Tensor:
        encoder = self._vae.encoder
        if isinstance(self._vae, AutoencoderDC):
            return self._encode_dc(encoder, picture)
        if isinstance(self._vae, AutoencoderKLHunyuanImage):
            moments = self._encode_hunyuan(encoder, picture)
        elif isinstance(self._vae, AutoencoderKLQwenImage | AutoencoderKLWan):
            moments = self._encode_causal(encoder, picture)
        else:
            moments = self._encode_kl(encoder, picture)
        return moments.chunk(2, 1)[0]

    def _decode_kl(self, decoder: Any, latents: torch.Tensor) -> Sheet:
        if self._vae.post_quant_conv is not None:
            latents = self._vae.post_quant_conv(latents)
        sheet = self._sheet_of(middle(decoder.mid_block, decoder.conv_in(latents)))
        for block in decoder.up_blocks:
            for part in block.resnets:
                sheet = self._resnet(_kl_resnet(part), sheet)
            for layer in block.upsamplers or ():
                sheet = self._layer(layer, sheet, layer.out_channels, scale=_DOUBLED)
        return self._layer(decoder.conv_out, sheet, decoder.conv_out.out_channels, norm=decoder.conv_norm_out)

    def _encode_kl(self, encoder: Any, picture: torch.Tensor) -> torch.Tensor:
        sheet = self._layer(encoder.conv_in, self._sheet_of(picture), encoder.conv_in.out_channels)
        for block in encoder.down_blocks:
            for part in block.resnets:
                sheet = self._resnet(_kl_resnet(part), sheet)
            for layer in block.downsamplers or ():
                sheet = self._layer(layer, sheet, layer.out_channels, halo=(0, 2), scale=_HALVED)
        inner = middle(encoder.mid_block, sheet.values.to(self._vae.device))
        moments: torch.Tensor = encoder.conv_out(F.silu(encoder.conv_norm_out(inner)))
        return moments if self._vae.quant_conv is None else self._vae.quant_conv(moments)

    def _decode_causal(self, decoder: Any, latents: torch.Tensor) -> Sheet:
        inner = decoder.mid_block(decoder.conv_in(self._vae.post_quant_conv(latents[:, :, None])))
        sheet = self._sheet_of(inner[:, :, 0])
        for block in decoder.up_blocks:
            for part in block.resnets:
                sheet = self._resnet(_causal_resnet(part), sheet)
            for layer in block.upsamplers or ():
                sheet = self._layer(_flat(layer), sheet, layer.resample[1].out_channels, scale=_DOUBLED)
        norm = _flat(lambda strip: decoder.nonlinearity(decoder.norm_out(strip)))
        picture = self._layer(_flat(decoder.conv_out), sheet, decoder.conv_out.out_channels, norm=norm)
        picture.values.clamp_(-1, 1)
        return picture

    def _encode_causal(self, encoder: Any, picture: torch.Tensor) -> torch.Tensor:
        sheet = self._layer(_flat(encoder.conv_in), self._sheet_of(picture), encoder.conv_in.out_channels)
        for block in encoder.down_blocks:
            if hasattr(block, "resample"):
                channels = block.resample[1].out_channels
                sheet = self._layer(_flat(block), sheet, channels, halo=(0, 2), scale=_HALVED)
            else:
                sheet = self._resnet(_causal_resnet(block), sheet)
        inner = encoder.mid_block(sheet.values.to(self._vae.device)[:, :, None])
        moments = self._vae.quant_conv(encoder.conv_out(encoder.nonlinearity(encoder.norm_out(inner))))
        flat: torch.Tensor = moments[:, :, 0]
        return flat

    def _decode_dc(self, decoder: Any, latents: torch.Tensor) -> Sheet:
        inner = decoder.conv_in(latents)
        if decoder.in_shortcut:
            inner = inner + latents.repeat_interleave(decoder.in_shortcut_repeats, 1)
        parts = [part for block in reversed(decoder.up_blocks) for part in block]
        local = _from_the_last_attention(parts)
        for part in parts[:local]:
            inner = part(inner)
        sheet = self._sheet_of(inner)
        for part in parts[local:]:
            sheet = self._dc_layer(part, sheet, _DOUBLED)

        def norm(strip: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = decoder.conv_act(decoder.norm_out(strip.movedim(1, -1)).movedim(-1, 1))
            return made

        if isinstance(decoder.conv_out, torch.nn.Conv2d):
            return self._layer(decoder.conv_out, sheet, decoder.conv_out.out_channels, norm=norm)
        return self._layer(decoder.conv_out, sheet, self._vae.config.in_channels, norm=norm, scale=_DOUBLED)

    def _encode_dc(self, encoder: Any, picture: torch.Tensor) -> torch.Tensor:
        first = encoder.conv_in
        sheet = self._sheet_of(picture)
        if isinstance(first, torch.nn.Conv2d):
            sheet = self._layer(first, sheet, first.out_channels)
        else:
            sheet = self._dc_layer(first, sheet, _HALVED)
        parts = [part for block in encoder.down_blocks for part in block]
        local = len(parts) - _from_the_last_attention(parts[::-1])
        for part in parts[:local]:
            sheet = self._dc_layer(part, sheet, _HALVED)
        inner = sheet.values.to(self._vae.device)
        for part in parts[local:]:
            inner = part(inner)
        latents: torch.Tensor = encoder.conv_out(inner)
        if encoder.out_shortcut:
            latents = latents + inner.unflatten(1, (-1, encoder.out_shortcut_average_group_size)).mean(2)
        return latents

    def _dc_layer(self, part: Any, sheet: Sheet, scale: Fraction) -> Sheet:
        """A residual block, or what lies between two levels: it moves pixels to channels, or back."""
        if isinstance(part, ResBlock):
            return self._resnet(_dc_resnet(part), sheet)
        channels = part.conv.out_channels
        if scale > 1:
            return self._layer(part, sheet, channels if part.interpolate else channels // 4, scale=scale)
        return self._layer(part, sheet, channels * 4 if part.downsample else channels, halo=(2, 2), scale=scale)

    def _encode_hunyuan(self, encoder: Any, picture: torch.Tensor) -> torch.Tensor:
        sheet = self._layer(encoder.conv_in, self._sheet_of(picture), encoder.conv_in.out_channels)
        for block in encoder.down_blocks:
            if hasattr(block, "group_size"):
                sheet = self._layer(block, sheet, 4 * block.conv.out_channels, halo=(2, 2), scale=_HALVED)
            else:
                sheet = self._resnet(_hunyuan_resnet(block), sheet)
        inner = encoder.mid_block(sheet.values.to(self._vae.device))
        past = inner.unflatten(1, (-1, encoder.group_size)).mean(2)
        moments: torch.Tensor = encoder.conv_out(encoder.nonlinearity(encoder.norm_out(inner))) + past
        return moments

    def _sheet_of(self, values: torch.Tensor) -> Sheet:
        sheet = self._sheet(tuple(values.shape[1:]))
        sheet.put(slice(None), values, self._gathers)
        return sheet

    def _resnet(self, part: _Resnet, source: Sheet) -> Sheet:
        # Of the source only the rows that are written are read later, so the result may take its place.
        hidden = self._layer(part.conv1, source, part.channels, norm=part.norm1, keeps=True)
        roomy = part.channels <= source.values.shape[1]
        shortcut, values = part.shortcut, source.values
        result = source.narrow(part.channels) if roomy else self._like(source, part.channels)

        def work(strip: torch.Tensor, rows: slice) -> torch.Tensor:
            beside = values[:, :, rows].to(strip.device)
            if shortcut is not None:
                beside = shortcut(beside)
            return (beside + part.conv2(strip)[:, :, 1:-1]) / part.divisor

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
        layer: Strip,
        source: Sheet,
        channels: int,
        norm: Norm | None = None,
        halo: tuple[int, int] = (1, 1),
        scale: Fraction = Fraction(1),
        keeps: bool = False,
    ) -> Sheet:
        """What a layer makes of the source. keeps: the source is still needed."""
        result = self._like(source, channels, scale)
        skipped = int(halo[0] * scale)

        def work(strip: torch.Tensor, rows: slice) -> torch.Tensor:
            return layer(strip)[:, :, skipped : skipped + int((rows.stop - rows.start) * scale)]

        self._sweep(source, result, work, norm, halo, scale)
        if not keeps:
            source.drop()
        return result

    def _sweep(
        self,
        source: Sheet,
        result: Sheet,
        work: Work,
        norm: Norm | None,
        halo: tuple[int, int],
        scale: Fraction,
    ) -> None:
        """Strip by strip: the source's rows, `halo` more above and below, normalised and activated, through `work`."""
        device = str(self._vae.device)
        normal = self._activated(*source.normal(norm)) if isinstance(norm, torch.nn.GroupNorm) else norm
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
            result.put(slice(int(rows.start * scale), int(rows.stop * scale)), strip, self._gathers)
            source.touched(strip.numel() * strip.itemsize)
            first = rows.stop

    def _activated(self, factor: torch.Tensor, summand: torch.Tensor) -> Strip:
        """A group norm over all of the picture, for strips of it."""

        def normal(strip: torch.Tensor) -> torch.Tensor:
            return F.silu(torch.addcmul(summand, strip.float(), factor).to(self._vae.dtype), inplace=True)

        return normal

    def _strip(
        self,
        source: Sheet,
        rows: slice,
        halo: tuple[int, int],
        normal: Strip | None,
    ) -> torch.Tensor:
        first, stop, height = rows.start - halo[0], rows.stop + halo[1], source.values.shape[2]
        strip = source.rows(first, stop, self._axes.y).to(self._vae.device)
        if normal is not None:
            strip = normal(strip)
        above, below = max(-first, 0), max(stop - height, 0)
        if not self._axes.y and (above or below):  # as convolutions see an edge: zeros after the activation
            strip = F.pad(strip, (0, 0, above, below))
        return strip


def _from_the_last_attention(parts: list[Any]) -> int:
    """How many of a decoder's layers there are up to the last that sees all of the picture."""
    known = ("DCUpBlock2d", "DCDownBlock2d", "ResBlock")
    return max((number for number, part in enumerate(parts, 1) if type(part).__name__ not in known), default=0)


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
