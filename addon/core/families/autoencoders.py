# SPDX-License-Identifier: GPL-3.0-or-later
"""What autoencoders hold while they decode, by diffusers' classes. Imports the standard library only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DecodeBytes:
    """Besides the weights, at 2 bytes a number; all but `sweep` per pixel of the picture.

    whole: at once; counted on full-size networks without data (tests/engine/test_devices.py).
    Layer by layer (`engine/layers.py`), sweep: a strip. middle: what runs whole all the same, near the latents' size.
    sheets: that, and what lies between two layers, where it stays on the device.
    """

    whole: int
    sweep: int
    middle: int = 0
    sheets: int = 0


_MB = 1 << 20
# 2054 counted, which is four tensors of 256 channels. An H100 held 0.60 and 1.35 GiB at 1024 pixels in float16 (torch
# 2.11) in strips and with sheets, convolutions' workspaces included; its other numbers are fitted to that.
KL = DecodeBytes(whole=2060, sweep=360 * _MB, middle=250, sheets=1030)
# Of the others `whole` is counted too. What was counted of the rest is taken by the factors that the KL autoencoder has
# between counted and held: 2.25 for a strip, 1.25 for sheets; nobody has held them on a card yet.
_KNOWN = {
    "AutoencoderKL": KL,
    "AutoencoderKLFlux2": KL,
    "AutoencoderKLQwenImage": DecodeBytes(whole=3650, sweep=460 * _MB, middle=250, sheets=520),
    "AutoencoderKLWan": DecodeBytes(whole=3650, sweep=460 * _MB, middle=250, sheets=520),
    "AutoencoderDC": DecodeBytes(whole=1840, sweep=505 * _MB, middle=790, sheets=790),
    "AutoencoderKLHunyuanImage": DecodeBytes(whole=1080, sweep=360 * _MB, middle=100, sheets=690),
    "AutoencoderTiny": DecodeBytes(whole=540, sweep=270 * _MB),  # tiles of 512 pixels, with their halo
}


def decode_bytes_of(autoencoder: str) -> DecodeBytes:
    """autoencoder: the name of diffusers' class; the KL one's figures where it is not known."""
    return _KNOWN.get(autoencoder, KL)
