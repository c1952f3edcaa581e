# SPDX-License-Identifier: GPL-3.0-or-later
"""The curve that makes a picture's histogram a normal distribution, for blending that keeps it. Standard library only.

Heitz and Neyret, High-Performance By-Example Noise using a Histogram-Preserving Blending Operator, 2018.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

REACH = 3.0  # standard deviations from the middle to either end of a curve
_POINTS = 24
_MEANT = 1024  # values in order that a mean is taken of
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Curve:
    """Points (value, normal) of a rising curve, both 0 to 1, straight in between; its reverse is `turned`.

    normal: 0.5 in the middle of the histogram, and `REACH` standard deviations off it at 0 and 1.
    low, span: the value at 0 and what 1 is above it, as they were before. mean: of the normals of all values.
    """

    points: tuple[tuple[float, float], ...]
    low: float
    span: float
    mean: float

    @property
    def turned(self) -> tuple[tuple[float, float], ...]:
        """The points of the way back."""
        return tuple((normal, value) for value, normal in self.points)

    def at(self, value: float) -> float:
        """The normal of a value, 0 to 1 as in `points`; outside, that of the nearer end."""
        return _between(self.points, value)


def normal_curve(values: Sequence[float]) -> Curve | None:
    """The curve for these values, in any order; None where they are all the same, or there are none.

    A value that occurs often, as black does in a map of metal, stands in the middle of its ranks.
    """
    ordered = sorted(values)
    if not ordered or ordered[-1] - ordered[0] < 1e-6:
        return None
    low, span, count = ordered[0], ordered[-1] - ordered[0], len(ordered)
    points = [(0.0, 0.0)]
    for number in range(_POINTS + 1):
        part = _NORMAL.cdf((2.0 * number / _POINTS - 1.0) * REACH)
        value = ordered[min(int(part * count), count - 1)]
        rank = (bisect_left(ordered, value) + bisect_right(ordered, value)) / 2 / count
        normal = 0.5 + _NORMAL.inv_cdf(min(max(rank, 1e-4), 1 - 1e-4)) / (2 * REACH)
        point = ((value - low) / span, min(max(normal, 0.0), 1.0))
        if all(new - old > 1e-4 for new, old in zip(point, points[-1], strict=True)):
            points.append(point)
    while len(points) > 1 and max(points[-1]) > 1.0 - 1e-3:
        points.pop()
    points.append((1.0, 1.0))
    step = max(count // _MEANT, 1)
    mean = fmean(_between(points, (value - low) / span) for value in ordered[step // 2 :: step])
    return Curve(tuple(points), low, span, mean)


def _between(points: Sequence[tuple[float, float]], value: float) -> float:
    after = min(max(bisect_right(points, (value, 2.0)), 1), len(points) - 1)
    (x0, y0), (x1, y1) = points[after - 1], points[after]
    return y0 + (y1 - y0) * min(max((value - x0) / (x1 - x0), 0.0), 1.0)
