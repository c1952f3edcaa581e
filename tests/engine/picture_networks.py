# SPDX-License-Identifier: GPL-3.0-or-later
"""Small random networks of spandrel's architectures, and files of them."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from spandrel.architectures.Compact import Compact
from spandrel.architectures.ESRGAN import ESRGAN
from spandrel.architectures.SPAN import SPAN


def compact(scale: int = 2, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    network = Compact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=2, upscale=scale)
    for parameter in network.parameters():
        parameter.data *= 0.5  # close to the identity that it adds
    return network.eval()


def span(scale: int = 1, gives: int = 3, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return SPAN(num_in_ch=3, num_out_ch=gives, feature_channels=8, upscale=scale, norm=False).eval()


def unshuffled(seed: int = 0) -> torch.nn.Module:
    """1x, works at half the size: the shape of the starter map networks."""
    torch.manual_seed(seed)
    return ESRGAN(in_nc=12, out_nc=3, num_filters=8, num_blocks=1, scale=2, shuffle_factor=2).eval()


def save(network: torch.nn.Module, path: Path) -> Path:
    save_file({name: value.half().contiguous() for name, value in network.state_dict().items()}, path)
    return path


def texture(height: int, width: int, channels: int = 3, seed: int = 0, dtype: type = np.uint8) -> np.ndarray:
    """A smooth periodic picture with some grain."""
    rng = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    shape = np.exp(-60 * (fx**2 + fy**2))[..., None]
    field = np.fft.ifft2(np.fft.fft2(rng.normal(size=(height, width, channels)), axes=(0, 1)) * shape, axes=(0, 1)).real
    field = 0.5 + 0.18 * field / max(field.std(), 1e-9) + 0.02 * rng.normal(size=field.shape)
    field = field.clip(0, 1)
    if np.issubdtype(dtype, np.integer):
        return np.rint(field * np.iinfo(dtype).max).astype(dtype)
    return field.astype(dtype)
