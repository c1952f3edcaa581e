# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotary positions on a torus: the picture's table made periodic in the picture's size. Imports core, engine and torch.

A transformer with rotary positions turns each channel of a token by an angle that grows with its place, at a frequency
w of its own. On an axis of N tokens the last and the first are then N - 1 apart, not 1. Here every frequency becomes
the nearest one that comes round, 2 pi round(w N / 2 pi) / N, and the channel turns as it did in the middle of the axis:
so the distances to the text's tokens, which stay as they are, change by as little as can be.

The law: rolling a picture's tokens by s is the same as turning the picture's table by one angle a channel, exp(-i w s),
which only the text can tell. With the frequencies that the model was trained with it is not.

Nobody has to say what the frequencies are: they are read back from the table that the network's own module returns.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import nn

from ...core.requests.texture import Axes
from .adapter import PLAIN, Change, Changes

_KEPT = 4  # tables: for both halves of the guidance, of the picture at hand and of the one before


class Grid(NamedTuple):
    """Where a picture's tokens stand in a sequence: from `start` on, row by row."""

    start: int
    rows: int
    columns: int


def on_torus(phases: torch.Tensor, rows: int, columns: int, axes: Axes) -> torch.Tensor:
    """The phases of a picture's tokens made periodic on `axes`, in main memory.

    phases: complex numbers of length 1, (rows * columns, channels); each channel is a wave along each axis, so that its
    first row and its first column say all.
    """
    grid = phases.unflatten(0, (rows, columns))
    # in main memory, for not every graphics card reckons with 64 bits a number
    down, across = (line.cpu().to(torch.complex128) for line in (grid[:, 0], grid[0]))
    across = across / across[0]
    if axes.y:
        down = _nearest_wave(down)
    if axes.x:
        across = _nearest_wave(across)
    return (down.to(torch.complex64)[:, None] * across.to(torch.complex64)).flatten(0, 1)


def _nearest_wave(line: torch.Tensor) -> torch.Tensor:
    """Of the waves that fit into a line (places, channels), once around each, the one that each channel holds most of.

    For exp(i w x) that is the one of the frequency nearest to w, and both agree in the middle of the line.
    """
    waves = torch.fft.fft(line, dim=0)
    cycles = waves.abs().argmax(0, keepdim=True)
    wave = torch.take_along_dim(waves, cycles, 0)
    angles = torch.arange(len(line), dtype=torch.float64)[:, None] * cycles * (2 * torch.pi / len(line))
    return wave / wave.abs() * torch.polar(torch.ones_like(angles), angles)


# --- the forms in which networks keep phases


class Form(Protocol):
    """How a table holds the phases of its tokens; whatever other dimensions it has are 1 long, or its batch's."""

    def read(self, table: Any, tokens: int) -> torch.Tensor:
        """The phases (tokens, channels), complex."""

    def write(self, table: Any, tokens: int, where: slice, phases: torch.Tensor) -> None:
        """Put other phases in the place of some tokens'."""


class Complex:
    """One complex tensor."""

    def read(self, table: Any, tokens: int) -> torch.Tensor:
        return table.reshape(tokens, -1)

    def write(self, table: Any, tokens: int, where: slice, phases: torch.Tensor) -> None:
        table.view(tokens, -1)[where] = phases.to(table)


class FirstComplex:
    """A complex tensor for the picture, and one for the text."""

    def read(self, table: Any, tokens: int) -> torch.Tensor:
        return table[0].reshape(tokens, -1)

    def write(self, table: Any, tokens: int, where: slice, phases: torch.Tensor) -> None:
        table[0].view(tokens, -1)[where] = phases.to(table[0])


class CosineSine:
    """Cosines and sines. Each angle stands there twice, side by side or in two halves: that makes no difference."""

    def read(self, table: Any, tokens: int) -> torch.Tensor:
        return torch.complex(*(part.reshape(tokens, -1).float() for part in table))

    def write(self, table: Any, tokens: int, where: slice, phases: torch.Tensor) -> None:
        for part, values in zip(table, (phases.real, phases.imag), strict=True):
            part.view(tokens, -1)[where] = values.to(part)


class Angles:
    """The angles themselves."""

    def read(self, table: Any, tokens: int) -> torch.Tensor:
        angles = table.reshape(tokens, -1).float()
        return torch.polar(torch.ones_like(angles), angles)

    def write(self, table: Any, tokens: int, where: slice, phases: torch.Tensor) -> None:
        table.view(tokens, -1)[where] = phases.angle().to(table)


class Matrices:
    """Rotations, 2 by 2."""

    def read(self, table: Any, tokens: int) -> torch.Tensor:
        turns = table.reshape(tokens, -1, 2, 2).float()
        return torch.complex(turns[..., 0, 0], turns[..., 1, 0])

    def write(self, table: Any, tokens: int, where: slice, phases: torch.Tensor) -> None:
        turns = torch.stack((phases.real, -phases.imag, phases.imag, phases.real), -1).unflatten(-1, (2, 2))
        table.view(tokens, -1, 2, 2)[where] = turns.to(table)


# --- where the picture's tokens stand, from the arguments of what makes the table


class Places(Protocol):
    """Tells it in two steps, for the second is needed once a size only."""

    def key(self, owner: Any, *arguments: Any, **named: Any) -> Hashable:
        """All that the table depends on. owner: whose function the arguments are for."""

    def find(self, key: Any) -> tuple[int, list[Grid]]:
        """The number of tokens in that table, and the pictures among them."""


@dataclass(frozen=True)
class Ids:
    """The place of each token is an argument, (..., tokens, axes). row: which of the axes counts rows; columns follow.

    What runs row by row through a rectangle is a picture. Texts stand still or go along a diagonal.
    """

    row: int = 1

    def key(self, _owner: Any, ids: torch.Tensor) -> Hashable:
        # Waits for a graphics card, in each step, before it is handed the step's work: microseconds of milliseconds.
        return tuple(ids.shape), ids.dtype, ids.device, ids.detach().cpu().double().numpy().tobytes()

    def find(self, key: Any) -> tuple[int, list[Grid]]:
        shape, *_, places = key
        places = np.frombuffer(places).reshape(-1, shape[-1])
        row, column = places[:, self.row], places[:, self.row + 1]
        runs = _pieces((np.diff(row) == 0) & (np.diff(column) == 1))
        first, length = runs[:-1], np.diff(runs)
        below = (np.diff(row[first]) == 1) & (np.diff(column[first]) == 0) & (np.diff(length) == 0)
        grids = [Grid(int(first[top]), int(end - top), int(length[top])) for top, end in pairwise(_pieces(below))]
        return len(places), [grid for grid in grids if grid.rows * grid.columns > 1]


def _pieces(joined: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where a sequence falls into pieces, its end included. joined: of each element but the first, if it goes with the
    one before."""
    return np.concatenate(([0], np.flatnonzero(~joined) + 1, [len(joined) + 1]))


@dataclass(frozen=True)
class Told:
    """The picture's size is an argument.

    where: owner, arguments -> where the picture stands, among how many tokens, and whatever else the table depends on.
    """

    where: Callable[..., tuple[Any, ...]]

    def key(self, owner: Any, *arguments: Any, **named: Any) -> Hashable:
        return self.where(owner, *arguments, **named)

    def find(self, key: Any) -> tuple[int, list[Grid]]:
        picture, tokens, *_ = key
        return tokens, [picture]


# --- what takes the place of what makes the table


@dataclass(eq=False)
class _Periodic:
    """Makes the picture's part of a table periodic, and remembers the last few.

    owner: what has the function whose place it takes. plain: that function. had: whether it was the owner's own, and
    not its class's.
    """

    owner: nn.Module
    plain: Callable[..., Any]
    had: bool
    axes: Axes
    form: Form
    places: Places
    tables: dict[Hashable, Any] = field(default_factory=dict)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        key = self.places.key(self.owner, *arguments, **named)
        if key not in self.tables:
            while len(self.tables) >= _KEPT:
                del self.tables[next(iter(self.tables))]
            self.tables[key] = self._make(key, self.plain(*arguments, **named))
        return self.tables[key]

    def _make(self, key: Hashable, table: Any) -> Any:
        tokens, pictures = self.places.find(key)
        if not pictures:
            return table
        # a copy, for networks keep tables too
        copy = tuple(part.clone() for part in table) if isinstance(table, tuple) else table.clone()
        phases = self.form.read(copy, tokens)
        for start, rows, columns in pictures:
            where = slice(start, start + rows * columns)
            self.form.write(copy, tokens, where, on_torus(phases[where], rows, columns, self.axes))
        return copy


# A network -> what has the function that makes its table, that function's name, and the function as it is now.
Maker = Callable[[Any], tuple[Any, str, Callable[..., Any]]]


def rotary(maker: Maker, form: Form, places: Places = Ids()) -> Changes:
    """What makes a network's rotary positions periodic, for `Adapter.periodic`.

    form: of the table. places: how to tell from the arguments of what makes it where the picture stands.
    """

    def changes(network: nn.Module, axes: Axes) -> Iterator[Change]:
        owner, name, plain = maker(network)
        had = name in vars(owner)
        if isinstance(plain, _Periodic):  # an outer block's
            had = plain.had
            plain = plain.plain
        if axes is Axes.NONE:
            yield owner, name, plain if had else PLAIN
        else:
            yield owner, name, _Periodic(owner, plain, had, axes, form, places)

    return changes


def _patches(owner: Any, latents: torch.Tensor) -> tuple[Any, ...]:
    """Latents (..., height, width) in patches, whose sides the owner knows."""
    sides = owner.patch_size
    down, across = (sides, sides) if isinstance(sides, int) else sides[-2:]
    picture = Grid(0, latents.shape[-2] // down, latents.shape[-1] // across)
    return picture, picture.rows * picture.columns, tuple(latents.shape), latents.device


def _shapes(_owner: Any, shapes: Any, device: Any = None, max_txt_seq_len: Any = None) -> tuple[Any, ...]:
    """Frames, rows and columns of each picture of a batch, which are all alike; each may stand in a list of its own."""
    first = shapes[0] if isinstance(shapes, list) else shapes
    _frames, rows, columns = first[0] if isinstance(first, list) else first
    return Grid(0, rows, columns), rows * columns, device, int(max_txt_seq_len)


def _among_text(_owner: Any, shapes: Any, is_picture: torch.Tensor, device: Any) -> tuple[Any, ...]:
    """One picture, in one sequence with its text."""
    ((_frames, rows, columns),) = shapes
    start = int(is_picture.int().argmax())
    return Grid(start, rows, columns), len(is_picture), device


def _position_embedder(network: Any) -> tuple[Any, str, Callable[..., Any]]:
    return network.pos_embed, "forward", network.pos_embed.forward


def _rope(network: Any) -> tuple[Any, str, Callable[..., Any]]:
    return network.rope, "forward", network.rope.forward


def _pe_embedder(network: Any) -> tuple[Any, str, Callable[..., Any]]:
    return network.pe_embedder, "forward", network.pe_embedder.forward


def _rotary_embedder(network: Any) -> tuple[Any, str, Callable[..., Any]]:
    return network.rotary_emb, "forward", network.rotary_emb.forward


def _lookup(network: Any) -> tuple[Any, str, Callable[..., Any]]:
    return network.rope_embedder, "_get_freqs_cis", network.rope_embedder._get_freqs_cis


def _table_itself(network: Any) -> tuple[Any, str, Callable[..., Any]]:
    return network, "rope_embedder", network.rope_embedder  # no module, but what is called


# diffusers' networks with rotary positions (0.42), each with what makes its table.
PERIODIC: dict[str, Changes] = {
    **dict.fromkeys(
        (
            "BriaFiboTransformer2DModel",
            "BriaTransformer2DModel",
            "ChromaTransformer2DModel",
            "Flux2Transformer2DModel",
            "FluxTransformer2DModel",
            "LongCatImageTransformer2DModel",
            "OvisImageTransformer2DModel",
        ),
        rotary(_position_embedder, CosineSine()),
    ),
    "CogView4Transformer2DModel": rotary(_rope, CosineSine(), Told(_patches)),
    "ErnieImageTransformer2DModel": rotary(_position_embedder, Angles()),
    "HiDreamImageTransformer2DModel": rotary(_pe_embedder, Matrices()),
    "HunyuanImageTransformer2DModel": rotary(_rope, CosineSine(), Told(_patches)),
    "Ideogram4Transformer2DModel": rotary(_rotary_embedder, CosineSine()),
    "Krea2Transformer2DModel": rotary(_rotary_embedder, CosineSine()),
    "Lumina2Transformer2DModel": rotary(_lookup, Complex()),
    "NucleusMoEImageTransformer2DModel": rotary(_position_embedder, FirstComplex(), Told(_shapes)),
    "PRXTransformer2DModel": rotary(_pe_embedder, Matrices(), Ids(row=0)),
    "QwenImage21Transformer2DModel": rotary(_position_embedder, Complex(), Told(_among_text)),
    "QwenImageTransformer2DModel": rotary(_position_embedder, FirstComplex(), Told(_shapes)),
    "ZImageTransformer2DModel": rotary(_table_itself, Complex()),
}
