# SPDX-License-Identifier: GPL-3.0-or-later
"""Sine tables of positions, made periodic in the size of the picture. Imports core, engine, diffusers, numpy and torch.

Such a table adds to each token sines and cosines of its place, at some frequencies along x and some along y. On a
torus of N tokens every frequency w becomes w' = 2 pi round(w N / (2 pi)) / N, laid out around the middle of the axis,
which keeps its own angles: there the table is what the network was trained with.

The law: the product of two rows of the table depends on the distance of their tokens around the torus alone.
"""

from collections.abc import Iterable

import numpy as np
import torch
from diffusers.models.embeddings import PatchEmbed
from numpy.typing import NDArray
from torch import nn

from ...core.errors import ErrorKind, UserError
from ...core.requests.texture import Axes
from .adapter import PLAIN, Change

_OFF = 0.02  # of 1: how far a table that was kept in 16 bits may be from sines


class SineTable:
    """Takes the place of a `PatchEmbed`'s `cropped_pos_embed`: (height, width) of latents -> (1, tokens, channels).

    turn: of the angles, in tokens along y and x: the table of a picture that was rolled by so many. A token more is one
    angle more for each frequency, also where the picture starts over.
    """

    def __init__(self, module: PatchEmbed, axes: Axes, turn: tuple[int, int] = (0, 0)) -> None:
        self.kept = _kept(module)
        self._module, self._axes, self._turn = module, axes, turn
        self._known: dict[tuple[int, int, torch.device], torch.Tensor] = {}

    def __call__(self, height: int, width: int) -> torch.Tensor:
        height, width = height // self._module.patch_size, width // self._module.patch_size
        key = height, width, self._module.pos_embed.device
        if key not in self._known:
            self._known = {key: self._made(height, width).to(key[2])}
        return self._known[key]

    def _made(self, height: int, width: int) -> torch.Tensor:
        channels = self._module.pos_embed.shape[-1]
        x = self._axis(width, "x", self._axes.x, self._turn[1])
        y = self._axis(height, "y", self._axes.y, self._turn[0])
        table = np.empty((height, width, channels), np.float32)
        table[..., : channels // 2] = x[None]  # diffusers' tables begin with x
        table[..., channels // 2 :] = y[:, None]
        return torch.from_numpy(table).reshape(1, -1, channels)

    def _axis(self, count: int, axis: str, wraps: bool, turn: int) -> NDArray[np.float64]:
        frequencies, first = self._frequencies(count, axis)
        angles = sine_angles(frequencies, first, count, wraps, turn)
        return np.concatenate([np.sin(angles), np.cos(angles)], -1)

    def _frequencies(self, count: int, axis: str) -> tuple[NDArray[np.float64], int]:
        """Of an axis, in angles a token, and which of the table's tokens comes first."""
        module = self._module
        if self.kept is None:  # made anew for each size, over as many positions whatever the size
            quarter = module.pos_embed.shape[-1] // 4
            step = module.base_size / count / module.interpolation_scale
            return step / 10000 ** (np.arange(quarter) / quarter), 0
        return _read(module.pos_embed, self.kept, axis), (self.kept - count) // 2


def sine_angles(
    frequencies: NDArray[np.float64], first: int, count: int, wraps: bool, turn: int = 0
) -> NDArray[np.float64]:
    """The angles (tokens, frequencies) of an axis. first: the table's number of its first token."""
    middle = first + (count - 1) / 2
    places = np.arange(count) - (count - 1) / 2 - turn
    if not wraps:
        return frequencies * (middle + places[:, None])
    turns = np.round(frequencies * count / (2 * np.pi))
    return frequencies * middle + 2 * np.pi / count * turns * places[:, None]


def _read(table: torch.Tensor, side: int, axis: str) -> NDArray[np.float64]:
    """The frequencies of a table (1, side * side, channels) that a model brings. Raises `UserError` for other kinds."""
    rows = table.detach().view(side, side, -1)
    half = rows.shape[-1] // 2
    first = rows[0, :, :half] if axis == "x" else rows[:, 0, half:]
    line = first.cpu().double().numpy()  # Apple's graphics know no double precision
    waves = line[:, half // 2 :] + 1j * line[:, : half // 2]
    if side == 1:
        return np.zeros(half // 2)
    frequencies: NDArray[np.float64] = np.angle(waves[1:] * waves[:-1].conj()).mean(0)
    if np.abs(waves - np.exp(1j * frequencies * np.arange(side)[:, None])).max() > _OFF:
        raise unknown_table(table.shape)
    return frequencies


def unknown_table(what: object) -> UserError:
    """What is said of a network whose positions are of another kind than its class has."""
    return UserError(
        ErrorKind.MODEL,
        f"This model's positions are no sine table and cannot be made seamless ({what}).",
        "Choose another model, or set tiling to none.",
    )


def sines(network: nn.Module, axes: Axes) -> Iterable[Change]:
    """For a network whose only positions are those of its `PatchEmbed`, or that has none."""
    embeds = [module for module in network.modules() if isinstance(module, PatchEmbed)]
    if len(embeds) != 1:
        if axes is not Axes.NONE:
            raise unknown_table(type(network).__name__)
        return
    (module,) = embeds
    if module.pos_embed is None:
        return
    kept = _kept(module)
    if axes is not Axes.NONE and kept is not None:
        for axis in "xy":
            _read(module.pos_embed, kept, axis)
    yield module, "cropped_pos_embed", PLAIN if axes is Axes.NONE else SineTable(module, axes)
    # whatever it is, the module then asks for its table by that method
    yield module, "pos_embed_max_size", kept if axes is Axes.NONE else (kept or 1)


def _kept(module: PatchEmbed) -> int | None:
    """Tokens a side of the table that a model brings, None where it is made anew for each size."""
    current = vars(module).get("cropped_pos_embed")
    if isinstance(current, SineTable):  # an outer block's
        return current.kept
    kept: int | None = module.pos_embed_max_size or None
    return kept
