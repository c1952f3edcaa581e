# SPDX-License-Identifier: GPL-3.0-or-later
"""Solves a network's last convolution in closed form. May import numpy and torch.

The last layer is linear in what the others see, so least squares give the best one there is for them, in a minute and
without steps: after short trainings that is worth more than the minutes it takes. How far it is drawn towards a constant
(the ridge) is what serves families best on which it was not solved: what does not carry over to them is left out.
"""

from collections.abc import Iterable

import torch
from torch import nn

from ..starter import cache
from ..starter.torus import _Wrap

RIDGES = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0)  # of the features' mean square
PIXELS = 4096  # of each batch, drawn at random: a few hundred weights need no more
FOLDS = 6


def last_convolution(network: nn.Module) -> nn.Conv2d:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)][-1]


@torch.no_grad()
def refit(
    network: nn.Module,
    examples: Iterable[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]],
    outputs: int,
) -> list[float]:
    """Solve the last 3x3 convolution of `network`, a function on a torus, in place, for its first `outputs` channels.

    examples: inputs (N, 3, H, W), wanted outputs (N, C, H, W), weights of the pixels (N, C, H, W), families (N,).
    Returns, for each output, the squared error on families left out, over that of a constant.
    """
    layer = last_convolution(network)
    assert layer.bias is not None
    seen: list[torch.Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    count = layer.in_channels * 9 + 1
    # of each fold of families and each output: the products of features, those with what is wanted, its square
    gram = torch.zeros(FOLDS, outputs, count, count, dtype=torch.float64)
    right = torch.zeros(FOLDS, outputs, count, dtype=torch.float64)
    square = torch.zeros(FOLDS, outputs, dtype=torch.float64)
    try:
        for inputs, wanted, weights, families in examples:
            with cache.mixed_precision():
                network(inputs)
            features = nn.functional.unfold(_Wrap.apply(seen.pop().float()), 3)  # (N, channels * 9, pixels)
            for one, target, each, family in zip(features, wanted, weights, families, strict=True):
                fold = int(family) % FOLDS
                drawn = torch.randperm(one.shape[1])[: PIXELS // len(features)]
                rows = torch.cat((one[:, drawn].T, torch.ones(len(drawn), 1)), 1)
                for output in range(outputs):
                    value, weight = target[output].flatten()[drawn], each[output].flatten()[drawn]
                    weighted = rows * weight[:, None]
                    gram[fold, output] += (weighted.T @ rows).double()
                    right[fold, output] += (weighted.T @ value).double()
                    square[fold, output] += (weight * value**2).sum().double()
    finally:
        handle.remove()
    left = []
    for output in range(outputs):
        g, r, s = gram[:, output], right[:, output], square[:, output]
        errors = [_left_out(g, r, s, ridge) for ridge in RIDGES]
        best = min(range(len(RIDGES)), key=errors.__getitem__)
        solution = _solved(g.sum(0), r.sum(0), RIDGES[best]).float()
        layer.weight[output] = solution[:-1].view(layer.in_channels, 3, 3)
        layer.bias[output] = solution[-1]
        left.append(errors[best] / _left_out(g, r, s, 1e9))
    return left


def _solved(gram: torch.Tensor, right: torch.Tensor, ridge: float) -> torch.Tensor:
    """Weights and, last, the bias, which the ridge leaves alone."""
    penalty = (ridge * gram.diagonal()[:-1].mean()).repeat(len(gram))
    penalty[-1] = 0
    return torch.linalg.solve(gram + penalty.diag(), right)


def _left_out(gram: torch.Tensor, right: torch.Tensor, square: torch.Tensor, ridge: float) -> float:
    """The squared error on each fold of what was solved on the others, in all."""
    error = torch.zeros((), dtype=torch.float64)
    for fold in range(len(gram)):
        solution = _solved(gram.sum(0) - gram[fold], right.sum(0) - right[fold], ridge)
        error += square[fold] - 2 * solution @ right[fold] + solution @ gram[fold] @ solution
    return float(error)
