# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of tiles whose edges fit each other: Wang tiles on one sheet that is a torus itself. Imports core only.

Each line between columns of a sheet has a color, and so has each between rows; a tile's four edges have those of the
lines around it. Tiles may stand side by side where the edges that meet have one color. On the sheet every pair of
colors occurs, left and right, below and above (Wei 2004, Tile-Based Texture Mapping on Graphics Hardware): so all tiles
that are possible are on it, each beside others that fit it, and a picture sampled across an edge finds what belongs
there.

What is near an edge, the rim, is the same for all edges of a color. Corners have no color: near them all tiles are
the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

COUNTS = (1, 4, 8, 16)
RIM = 8  # a rim is this part of a tile's side, on either side of the edge
_CYCLE = (0, 0, 1, 1)  # of two colors: in this circle each is followed by each
_EDGES = {1: ((0,), (0,)), 4: (_CYCLE, (0,)), 8: (_CYCLE, (0, 0)), 16: (_CYCLE, _CYCLE)}


@dataclass(frozen=True)
class Sheet:
    """How a set of `count` tiles lies on its picture.

    across, down: the colors of the lines left of each column and above each row.
    """

    count: int

    @property
    def across(self) -> Sequence[int]:
        return _EDGES[self.count][0]

    @property
    def down(self) -> Sequence[int]:
        return _EDGES[self.count][1]

    @property
    def columns(self) -> int:
        return len(self.across)

    @property
    def rows(self) -> int:
        return len(self.down)

    def edges(self, column: int, row: int) -> tuple[int, int, int, int]:
        """The colors left and right of a tile, above and below."""
        left, right = self.across[column], self.across[(column + 1) % self.columns]
        return left, right, self.down[row], self.down[(row + 1) % self.rows]

    def places(self, left: int, right: int, above: int, below: int) -> list[tuple[int, int]]:
        """Column and row of each tile with these edges; none where there is no such color."""
        wanted = (left, right, above, below)
        return [place for place in product(range(self.columns), range(self.rows)) if self.edges(*place) == wanted]

    def lay(self, width: int, height: int, choose: Callable[[int], int]) -> list[list[tuple[int, int]]]:
        """A field on a torus on which all tiles fit: rows of (column, row). choose: a number below its argument."""
        vertical = [[choose(len(set(self.across))) for _x in range(width)] for _y in range(height)]
        level = [[choose(len(set(self.down))) for _x in range(width)] for _y in range(height)]
        field = []
        for y in range(height):
            row = []
            for x in range(width):
                right, below = vertical[y][(x + 1) % width], level[(y + 1) % height][x]
                fitting = self.places(vertical[y][x], right, level[y][x], below)
                row.append(fitting[choose(len(fitting))])
            field.append(row)
        return field

    def fit(self, tiles: Any, weights: Any, *, copied: bool = False) -> None:
        """Make what is near edges of a color the same, in place: each becomes the mean of all.

        tiles: (rows, height, columns, width, ...) of the sheet, a view of an array or a tensor.
        weights: how much, by the distance from the edge, as far as a rim reaches; at 1 they are the same to the bit.
            An array or a tensor like `tiles`, of one dimension.
        copied: what is at one of them instead of the mean, as suits noise, which would lose its deviation.
        """
        rim, rest = len(weights), tiles.ndim - 4
        away = weights.reshape(-1, *[1] * rest)  # along the side that runs away from the edge, the second
        back = away[list(range(rim - 1, -1, -1))]
        # All rows first, and all columns then: so what is in a corner is the mean of all corners, on either line.
        for color in set(self.down):
            rows = [row for row in range(self.rows) if self.down[row] == color]
            every = range(self.columns)
            _mix([tiles[row, :rim, column] for row in rows for column in every], away[:, None], copied)
            _mix([tiles[row - 1, -rim:, column] for row in rows for column in every], back[:, None], copied)
        for color in set(self.across):
            columns = [column for column in range(self.columns) if self.across[column] == color]
            every = range(self.rows)
            _mix([tiles[row, :, column, :rim] for row in every for column in columns], away[None], copied)
            _mix([tiles[row, :, column - 1, -rim:] for row in every for column in columns], back[None], copied)


ONE_TILE = Sheet(1)


def _mix(pieces: Sequence[Any], weights: Any, copied: bool) -> None:
    mean = pieces[0] * 1 if copied else sum(piece / len(pieces) for piece in pieces)
    is_whole = getattr(pieces[0].dtype, "kind", "f") in "iu"  # numpy's; it would cut fractions off
    for piece in pieces:
        mixed = piece * (1 - weights) + mean * weights
        piece[...] = mixed.round() if is_whole else mixed
