# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of tiles whose edges fit each other: Wang tiles on one sheet that is a torus itself. Imports core only.

By edges: each line between columns of a sheet has a color, and so has each between rows; a tile's four edges have those
of the lines around it. On the sheet every pair of colors occurs, left and right, below and above (Wei 2004, Tile-Based
Texture Mapping on Graphics Hardware). Corners have no color: near them all tiles are the same.

By corners: each place where four tiles meet has a color, and an edge has those of its two ends (Lagae and Dutre 2006,
An Alternative for Wang Tiles). Of two colors there are 16 tiles as well, but four colors of edges each way, and two
corners: a field of them repeats half as much. With the first color for one terrain and the second for another they are
the tiles of a transition, of which any map of the two can be laid.

Either way, tiles may stand side by side where the edges that meet have one color, all tiles that are possible are on
the sheet, each beside others that fit it, and a picture sampled across an edge finds what belongs there. What is near
an edge, the rim, is the same for all edges of a color.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

COUNTS = (1, 4, 8, 16)
RIM = 12  # a rim is this part of a tile's side, on either side of the edge
_CYCLE = (0, 0, 1, 1)  # of two colors: in this circle each is followed by each
_EDGES = {1: ((0,), (0,)), 4: (_CYCLE, (0,)), 8: (_CYCLE, (0, 0))}
# Of the corners at the top left of the tiles, row by row: each square of four occurs once, over the edges too.
_CORNERS = ((0, 0, 0, 1), (0, 0, 1, 0), (1, 0, 1, 1), (0, 1, 1, 1))


@dataclass(frozen=True)
class Sheet:
    """How a set of `count` tiles lies on its picture: of 16 by corners, of fewer by edges."""

    count: int

    @property
    def by_corners(self) -> bool:
        return self.count not in _EDGES

    @property
    def across(self) -> Sequence[int]:
        """The colors of the lines left of each column, of a set by edges."""
        return _EDGES[self.count][0]

    @property
    def down(self) -> Sequence[int]:
        """The colors of the lines above each row, of a set by edges."""
        return _EDGES[self.count][1]

    @property
    def columns(self) -> int:
        return len(_CORNERS if self.by_corners else self.across)

    @property
    def rows(self) -> int:
        return len(_CORNERS if self.by_corners else self.down)

    def corner(self, column: int, row: int) -> int:
        """The color of the corner at the top left of a tile; sets by edges have one for all. Any whole numbers."""
        return _CORNERS[row % 4][column % 4] if self.by_corners else 0

    def corners(self, column: int, row: int) -> tuple[int, int, int, int]:
        """The colors of a tile's corners: at the top left and right, at the bottom left and right."""
        right, below = column + 1, row + 1
        return (
            self.corner(column, row),
            self.corner(right, row),
            self.corner(column, below),
            self.corner(right, below),
        )

    def edges(self, column: int, row: int) -> tuple[int, int, int, int]:
        """The colors left and right of a tile, above and below."""
        if self.by_corners:
            first, second, third, fourth = self.corners(column, row)
            return 2 * first + third, 2 * second + fourth, 2 * first + second, 2 * third + fourth
        left, right = self.across[column], self.across[(column + 1) % self.columns]
        return left, right, self.down[row], self.down[(row + 1) % self.rows]

    def place(self, first: int, second: int, third: int, fourth: int) -> tuple[int, int]:
        """Column and row of the tile with these corners (see `corners`), of a set by corners.

        In numbers, for shaders have no tables: of the 32 sheets that have each square of corners once, this has the
        shortest way.
        """
        column = 2 * (first if second == fourth else third) + (first != fourth)
        return column, 2 * (second if third == fourth else first) + (second != third)

    def places(self, left: int, right: int, above: int, below: int) -> list[tuple[int, int]]:
        """Column and row of each tile with these edges; none where there is no such tile."""
        wanted = (left, right, above, below)
        return [place for place in self._places if self.edges(*place) == wanted]

    @property
    def repeating(self) -> tuple[int, int]:
        """Column and row of a tile that fits itself on all sides."""
        return next(place for place in self._places if self.edges(*place) == (0, 0, 0, 0))

    @property
    def _places(self) -> list[tuple[int, int]]:
        return list(product(range(self.columns), range(self.rows)))

    def lay(self, width: int, height: int, choose: Callable[[int], int]) -> list[list[tuple[int, int]]]:
        """A field on a torus on which all tiles fit: rows of (column, row). choose: a number below its argument."""
        if self.by_corners:
            corners = [[choose(2) for _x in range(width)] for _y in range(height)]
            return [self._row_of(corners[y], corners[(y + 1) % height]) for y in range(height)]
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

    def _row_of(self, above: Sequence[int], below: Sequence[int]) -> list[tuple[int, int]]:
        width = len(above)
        return [
            self.place(*(line[(x + right) % width] for line in (above, below) for right in (0, 1)))
            for x in range(width)
        ]

    def fit(self, tiles: Any, weights: Any, *, copied: bool = False) -> None:
        """Make what is near edges of a color the same, in place: each becomes the mean of all.

        tiles: (rows, height, columns, width, ...) of the sheet, a view of an array or a tensor.
        weights: how much, by the distance from the edge, as far as a rim reaches; at 1 they are the same to the bit.
            An array or a tensor like `tiles`, of one dimension.
        copied: what is at one of them instead of the mean, as suits noise, which would lose its deviation.
        """
        rim = len(weights)
        near = weights.reshape(-1, *[1] * (tiles.ndim - 4))
        # Of a line between tiles, the side after it and that before: which tile, which part of it, how much of the rim.
        sides = ((0, slice(None, rim), near), (-1, slice(-rim, None), near[list(range(rim - 1, -1, -1))]))
        down, across = ({place: self.edges(*place)[edge] for place in self._places} for edge in (0, 2))
        corner = {place: self.corner(*place) for place in self._places}

        def means(colors: dict[Any, int], pieces: dict[Any, Any]) -> dict[int, Any]:
            """By color. Both by place."""
            found: dict[int, list[Any]] = {}
            for place, color in colors.items():
                found.setdefault(color, []).append(pieces[place])
            return {color: alike[0] * 1 if copied else _mean(alike) for color, alike in found.items()}

        # All of it is looked at before anything is changed. Along a rim that runs down, corners take over at its ends
        # as the rims that run across come nearer: so on either line there is only what all edges of its color have.
        of_lines = [
            (
                means(across, {(x, y): tiles[y + shift, part, x] for x, y in across}),
                means(down, {(x, y): tiles[y, :, x + shift, part] for x, y in down}),
                [
                    means(corner, {(x, y): tiles[y + up, rows, x + shift, part] for x, y in corner})
                    for up, rows, _ in sides
                ],
            )
            for shift, part, _weight in sides
        ]
        for (shift, part, weight), (means_across, *_rest) in zip(sides, of_lines, strict=True):
            for (x, y), color in across.items():
                _mix(tiles[y + shift, part, x], means_across[color], weight[:, None])
        for (shift, part, weight), (_means_across, means_down, ends) in zip(sides, of_lines, strict=True):
            for (x, y), color in down.items():
                mean = means_down[color] * 1
                for below, (end, (_up, rows, share)) in enumerate(zip(ends, sides, strict=True)):
                    share = share[:, None]
                    mean[rows] = mean[rows] * (1 - share) + end[self.corner(x, y + below)] * share
                _mix(tiles[y, :, x + shift, part], mean, weight[None])


ONE_TILE = Sheet(1)


def _mean(pieces: Sequence[Any]) -> Any:
    return sum(piece / len(pieces) for piece in pieces)


def _mix(piece: Any, mean: Any, weights: Any) -> None:
    mixed = piece * (1 - weights) + mean * weights
    # of whole numbers, numpy would cut fractions off
    piece[...] = mixed.round() if getattr(piece.dtype, "kind", "f") in "iu" else mixed
