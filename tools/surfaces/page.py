# SPDX-License-Identifier: GPL-3.0-or-later
"""The manual's page on how good maps are: its picture, and its table between the two marks. Imports numpy, pillow.

    python -m tools.surfaces.page --real FOLDER [--cache FOLDER] [--names FILE]

FILE: names of surfaces, one a line, that the networks were not trained on; without it all are judged.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from addon.core.pbr import angles
from addon.core.surface_kinds import FACTS

from ..image_networks import judging
from ..machine import ROOT
from . import kinds, real

PAGE = ROOT / "tools" / "manual" / "maps.md"
PICTURE = PAGE.with_suffix(".webp")
MARKS = ("<!-- measured -->", "<!-- /measured -->")
SHOWN = ("bricks008", "fabric030", "woodfloor012", "rock024", "corrugatedsteel005", "tiles049")
_CELL, _GAP, _QUALITY = 144, 4, 70
_DIFFERENCE = 2.0  # by how much differences are brighter than they are
COLUMNS = (
    "normal: networks",
    "best strength",
    "flat",
    "slopes",
    "height",
    "roughness: with kind",
    "networks alone",
    "constant",
)
Row = dict[str, float]


def figures_of(surface: real.Surface, told: kinds.Told, made: dict[str, NDArray[np.float32]]) -> Row:
    """The table's figures of one surface, as far as it has the maps for them."""
    rows, columns = made["normal"].shape[:2]
    truth = {kind: values[:rows, :columns] for kind, values in surface.maps.items()}
    figures: Row = {}
    if "normal" in truth:
        flat = np.broadcast_to(np.array([0.5, 0.5, 1.0]), truth["normal"].shape)
        figures["normal: networks"] = float(angles(made["normal"], truth["normal"]).mean())
        vectors = (made["normal"] * 2 - 1, truth["normal"] * 2 - 1)
        figures["best strength"] = judging.by_hand(*vectors)["angle, best strength"]
        figures["flat"] = float(angles(flat, truth["normal"]).mean())
        figures["slopes"] = _correlation(made["normal"][..., :2], truth["normal"][..., :2])
    if "height" in truth:
        figures["height"] = _correlation(made["height"], truth["height"])
    if "roughness" in truth:
        seen = made["roughness"]
        ways = {"roughness: with kind": told.roughened(seen), "networks alone": seen, "constant": told.constant}
        figures |= {name: float(np.abs(values - truth["roughness"]).mean()) for name, values in ways.items()}
    return figures


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """NaN where one of the two does not vary."""
    a, b = (values.reshape(-1) - values.mean() for values in (one.astype(np.float64), other.astype(np.float64)))
    length = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / length if length else float("nan")


def table(surfaces: list[real.Surface], cache: Path | None) -> str:
    """Markdown: a row for each kind, and one for all."""
    known = kinds.crossed(surfaces)
    by_kind: dict[str, list[Row]] = defaultdict(list)
    for surface in surfaces:
        told = known[surface.name]
        figures = figures_of(surface, told, real.predicted(surface, cache))
        if figures:
            by_kind[told.found.kind.lower() if told.found else "unknown"].append(figures)
    lines = [f"| kind | surfaces | {' | '.join(COLUMNS)} |", f"|{'---|' * (2 + len(COLUMNS))}"]
    order = [kind.lower() for kind in FACTS] + ["unknown"]
    groups = [(kind, by_kind[kind]) for kind in order if kind in by_kind]
    groups.append(("**all**", [row for _kind, rows in groups for row in rows]))
    for kind, rows in groups:
        cells = []
        for column in COLUMNS:
            values = [row[column] for row in rows if column in row and not np.isnan(row[column])]
            degrees = column in COLUMNS[:3]
            cells.append((f"{np.mean(values):.1f}°" if degrees else f"{np.mean(values):.2f}") if values else "")
        lines.append(f"| {kind} | {len(rows)} | {' | '.join(cells)} |")
    lines.append("")
    for name, value in kinds.judge(surfaces, cache).items():
        if not name.startswith("roughness error"):
            lines.append(f"- {name[0].upper()}{name[1:]}: {value:.2f}")
    return "\n".join(lines)


def picture(surfaces: list[real.Surface], known: dict[str, kinds.Told]) -> Image.Image:
    """A row for each surface: color; normal real, made, their difference; roughness likewise."""
    rows = []
    for surface in surfaces:
        made = {kind.value: values for kind, values in real.make(surface.color).items()}
        made["roughness"] = known[surface.name].roughened(made["roughness"])
        cells = [surface.color]
        for kind in ("normal", "roughness"):
            truth, values = (np.broadcast_to(maps[kind], surface.color.shape) for maps in (surface.maps, made))
            cells += [truth, values, (np.abs(truth - values) * _DIFFERENCE).clip(0, 1)]
        rows.append(np.concatenate([_cell(cell) for cell in cells], 1)[:, :-_GAP])
    return Image.fromarray(np.concatenate(rows)[:-_GAP])


def _cell(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The upper left half of each side, small, with a white gap to the right and below."""
    part = values[: values.shape[0] // 2, : values.shape[1] // 2]
    image = Image.fromarray((part.clip(0, 1) * 255).round().astype(np.uint8))
    cell = np.full((_CELL + _GAP, _CELL + _GAP, 3), 255, np.uint8)
    cell[:_CELL, :_CELL] = np.asarray(image.resize((_CELL, _CELL), Image.Resampling.LANCZOS))
    return cell


def credits(surfaces: list[real.Surface]) -> str:
    """Who made what is shown, and where it is from."""
    made = [f"{surface.asset} by {surface.author}, from {_place(surface.repository)}" for surface in surfaces]
    return "Shown, from the top, all CC0 1.0: " + "; ".join(made) + "."


def _place(repository: str) -> str:
    return repository.removeprefix("https://github.com/")


def main() -> None:
    parser = argparse.ArgumentParser(prog="tools.surfaces.page", description=__doc__)
    parser.add_argument("--real", required=True, type=Path, metavar="FOLDER", help="index.tsv and sets/")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keeps the networks' maps of them")
    parser.add_argument("--names", type=Path, metavar="FILE", help="only these surfaces, one a line")
    options = parser.parse_args()
    surfaces = real.read(options.real)
    known = kinds.crossed(surfaces)
    names = options.names.read_text(encoding="utf-8").split() if options.names else []
    judged = [surface for surface in surfaces if not names or surface.name in names]
    shown = sorted((s for s in surfaces if s.name in SHOWN), key=lambda surface: SHOWN.index(surface.name))
    picture(shown, known).save(PICTURE, quality=_QUALITY, method=6)
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    parts = (MARKS[0], table(judged, options.cache), "", credits(shown), MARKS[1])
    PAGE.write_text(before + "\n".join(parts) + after, encoding="utf-8")


if __name__ == "__main__":
    main()
