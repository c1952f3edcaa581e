# SPDX-License-Identifier: GPL-3.0-or-later
"""A figure, its arithmetic, and how it is shown. Imports only the standard library."""

import json
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """Something measured.

    Attributes:
        name: a part of another figure is named after it, with a full stop between.
        value: None where it could not be measured.
        unit: "s", "ms", "%", "levels" (of 8 bits), "dE00" (color difference), or "ratio".
        goal: the greatest value that is good enough; None for what only explains another figure.
        note: for people: what was run, where the time goes, or why there is no value.
    """

    name: str
    value: float | None
    unit: str
    goal: float | None = None
    note: str = ""

    @property
    def falls_short(self) -> bool:
        """Whether it has a goal and does not reach it; what was not measured does not."""
        return self.goal is not None and (self.value is None or not self.value <= self.goal)


def in_turn(sides: Sequence[Callable[[], float]], runs: int) -> list[list[float]]:
    """Measure each side `runs` times: a b, b a, a b ... so that a machine that slows down slows all of them.

    Returns:
        The values of each side, those of one round at the same place.
    """
    values: list[list[float]] = [[] for _ in sides]
    for run in range(runs):
        order = range(len(sides)) if run % 2 == 0 else reversed(range(len(sides)))
        for side in order:
            values[side].append(sides[side]())
    return values


def median_ratio(values: Sequence[float], others: Sequence[float]) -> float:
    """The median of the ratios of values measured in turn: of each with its neighbour in time."""
    return statistics.median(value / other for value, other in zip(values, others, strict=True))


def median_difference(values: Sequence[float], others: Sequence[float]) -> float:
    """The median of the differences of values measured in turn."""
    return statistics.median(value - other for value, other in zip(values, others, strict=True))


def spread(values: Sequence[float]) -> str:
    """The median of some values with the least and the greatest, for a note: "1.020 (1.001 to 1.050)"."""
    return f"{show(statistics.median(values))} ({show(min(values))} to {show(max(values))})"


def to_json(figures: Iterable[Figure]) -> str:
    """An array of {"name", "value", "unit", "goal"}; without a value or goal they are null."""
    return json.dumps(
        [{"name": f.name, "value": _finite(f.value), "unit": f.unit, "goal": f.goal} for f in figures],
        indent=1,
        allow_nan=False,
    )


def to_table(figures: Sequence[Figure]) -> str:
    """Lines for people: name, value, unit, goal, a mark where the goal is not reached; notes below their figure."""
    rows = []
    for figure in figures:
        *_, last = figure.name.split(".")
        rows.append(
            (
                figure.name if last == figure.name else f"  {last}",
                "-" if figure.value is None else show(figure.value),
                figure.unit,
                "" if figure.goal is None else f"<= {figure.goal:g}",
                "" if not figure.falls_short else "not measured" if figure.value is None else "SHORT",
                figure.note,
            )
        )
    head = ("name", "value", "unit", "goal", "", "")
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(4)]
    lines = []
    for row in (head, *rows):
        name, value, unit, goal, mark, note = row
        line = f"{name:{widths[0]}}  {value:>{widths[1]}}  {unit:{widths[2]}}  {goal:{widths[3]}}  {mark}"
        lines.append(line.rstrip())
        if note:
            lines.append(f"    {note}")
    return "\n".join(lines)


def show(value: float) -> str:
    """Four significant digits, and never an exponent for what people measure."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:.{max(3 - math.floor(math.log10(abs(value))), 0)}f}" if abs(value) >= 0.001 else f"{value:.2g}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
