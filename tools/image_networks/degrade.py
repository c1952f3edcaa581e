# SPDX-License-Identifier: GPL-3.0-or-later
"""What foreign pictures have been through, on a torus: blur, noise, JPEG, casts, shrinking. May import torch, pillow.

Batches are (N, 3, H, W) float32 in 0..1, sRGB-encoded. Each example of a batch gets its own strength.
"""

import io

import numpy as np
import torch
from PIL import Image
from torch.nn import functional


def blur(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """A periodic Gaussian blur; sigma (N,) in pixels."""
    height, width = x.shape[-2:]
    fy, fx = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None, :]
    gain = torch.exp(-2.0 * (torch.pi * sigma.view(-1, 1, 1, 1)) ** 2 * (fx**2 + fy**2))
    return torch.fft.irfft2(torch.fft.rfft2(x) * gain, s=(height, width))


def jpeg(x: torch.Tensor, quality: int) -> torch.Tensor:
    """One picture (3, H, W) through a JPEG file."""
    pixels = (x.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1).float() / 255


def some_jpegs(x: torch.Tensor, share: float, low: int, high: int) -> torch.Tensor:
    """That share of a batch through JPEG, at qualities from low to high."""
    return torch.stack(
        [jpeg(one, int(torch.randint(low, high + 1, ()))) if torch.rand(()) < share else one for one in x]
    )


def some_noise(x: torch.Tensor, share: float, most: float) -> torch.Tensor:
    """Gaussian noise of up to `most` on that share of a batch."""
    strength = most * torch.rand(len(x), 1, 1, 1) * (torch.rand(len(x), 1, 1, 1) < share)
    return x + strength * torch.randn_like(x)


def some_blur(x: torch.Tensor, share: float, most: float) -> torch.Tensor:
    """Blur of up to `most` pixels on that share of a batch."""
    return blur(x, most * torch.rand(len(x)) * (torch.rand(len(x)) < share))


def taps(kernel: str) -> torch.Tensor:
    """The weights that halve a row: symmetric, an even number, their sum 1."""
    if kernel == "area":
        return torch.tensor([0.5, 0.5])
    reach = 4 if kernel == "bicubic" else 6
    t = (torch.arange(-reach, reach) + 0.5).abs() / 2  # in pixels of the small picture
    if kernel == "bicubic":  # Keys' with a = -0.5, as Pillow's
        weights = torch.where(
            t < 1, 1.5 * t**3 - 2.5 * t**2 + 1, torch.where(t < 2, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2, 0.0)
        )
    else:
        weights = torch.sinc(t) * torch.sinc(t / 3) * (t < 3)
    return weights / weights.sum()


def halve(x: torch.Tensor, kernel: str) -> torch.Tensor:
    """Half the size, periodic. kernel: "area", "bicubic" or "lanczos"."""
    weights = taps(kernel)
    before = len(weights) // 2 - 1
    for axis in (-1, -2):
        moved = x.transpose(axis, -1)
        wrapped = torch.cat((moved[..., moved.shape[-1] - before :], moved, moved[..., :before]), -1)
        rows = functional.conv1d(wrapped.reshape(-1, 1, wrapped.shape[-1]), weights.view(1, 1, -1), stride=2)
        x = rows.view(*moved.shape[:-1], -1).transpose(axis, -1)
    return x


def foreign_colors(x: torch.Tensor) -> torch.Tensor:
    """Other cameras and other hands: gain of each channel, gamma, contrast, brightness and saturation."""
    count = len(x)

    def between(low: float, high: float, channels: int = 1) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, channels, 1, 1)

    x = x.clamp(1e-4, 1) ** between(0.75, 1.35) * between(0.85, 1.15, 3)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * between(0.5, 1.3)
    middle = x.mean((1, 2, 3), keepdim=True)
    return (middle + (x - middle) * between(0.75, 1.25) + between(-0.06, 0.06)).clamp(0, 1)
