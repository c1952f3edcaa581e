# SPDX-License-Identifier: GPL-3.0-or-later
"""A small critic that tells real tiles from decoded ones, so that the decoder paints grain. Imports torch only."""

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm


class Critic(nn.Module):
    """A score for every 4x4 px of a batch (N, 3, H, W) on a torus, each seen with about 34 px around it."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        widths = (3, width, 2 * width, 2 * width, 1)
        strides = (2, 2, 1, 1)
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 5, stride))
            for a, b, stride in zip(widths[:-1], widths[1:], strides, strict=True)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i, layer in enumerate(self.layers):
            x = torch.cat((x[..., -2:, :], x, x[..., :2, :]), -2)
            x = layer(torch.cat((x[..., -2:], x, x[..., :2]), -1))
            if i < len(self.layers) - 1:
                x = functional.leaky_relu(x, 0.2)
        return x


def critic_loss(critic: Critic, real: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """Hinge loss of the critic."""
    return functional.relu(1.0 - critic(real)).mean() + functional.relu(1.0 + critic(made)).mean()
