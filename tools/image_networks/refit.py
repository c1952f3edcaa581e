# SPDX-License-Identifier: GPL-3.0-or-later
"""Solves a network's last convolution in closed form. May import numpy and torch.

The last layer is linear in what the others see, so least squares give the best one there is for them, in a minute and
without steps: after short trainings that is worth more than the minutes it takes. The normal's network starts so from
the one that sees heights.
"""

from collections.abc import Iterable

import torch
from torch import nn

from ..starter import cache
from ..starter.torus import _Wrap

RIDGE = 1e-4  # of the features' mean square
PIXELS = 4096  # of each batch, drawn at random: a few hundred weights need no more


def last_convolution(network: nn.Module) -> nn.Conv2d:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)][-1]


@torch.no_grad()
def refit(
    network: nn.Module,
    examples: Iterable[tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
) -> None:
    """Solve the last 3x3 convolution of `network`, a function on a torus, in place.

    examples: inputs (N, 3, H, W), wanted outputs (N, C, H, W), and weights of the pixels (N, 1 or C, H, W).
    """
    layer = last_convolution(network)
    seen: list[torch.Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    count = layer.in_channels * 9 + 1
    outputs = layer.out_channels
    gram = torch.zeros(outputs, count, count, dtype=torch.float64)
    right = torch.zeros(outputs, count, dtype=torch.float64)
    try:
        for inputs, wanted, weights in examples:
            with cache.mixed_precision():
                network(inputs)
            features = nn.functional.unfold(_Wrap.apply(seen.pop().float()), 3)  # (N, channels * 9, pixels)
            rows = features.permute(0, 2, 1).reshape(-1, count - 1)
            drawn = torch.randperm(len(rows))[:PIXELS]
            rows = torch.cat((rows[drawn], torch.ones(len(drawn), 1)), 1)
            target = wanted.permute(0, 2, 3, 1).reshape(-1, outputs)[drawn]
            each = weights.expand_as(wanted).permute(0, 2, 3, 1).reshape(-1, outputs)[drawn]
            shared = weights.shape[1] == 1
            for output in range(outputs):
                weighted = rows * each[:, output : output + 1]
                if output == 0 or not shared:
                    product = (weighted.T @ rows).double()
                gram[output] += product
                right[output] += (weighted.T @ target[:, output]).double()
    finally:
        handle.remove()
    for output in range(outputs):
        ridge = RIDGE * gram[output].diagonal().mean() * torch.eye(count, dtype=torch.float64)
        solution = torch.linalg.solve(gram[output] + ridge, right[output]).float()
        layer.weight[output] = solution[:-1].view(layer.in_channels, 3, 3)
        assert layer.bias is not None
        layer.bias[output] = solution[-1]
