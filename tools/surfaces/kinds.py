# SPDX-License-Identifier: GPL-3.0-or-later
"""What kinds of surface have in common, measured on real ones, and what it helps. Imports numpy and the engine.

    python -m tools.surfaces.kinds --real FOLDER [--cache FOLDER]

prints the quartiles of each kind's mean roughness and relief, for the table in `core/surface_kinds.py`, and then what
that table does for maps by the shipped networks. To be honest it is judged on surfaces that its numbers are not from:
those of one half are taken for the other half, and the other way round. Kinds are told by the captions.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from addon.core.surface_kinds import FACTS, Surface, SurfaceKind, surface_of
from addon.engine.maps import shifted

from . import real

Range = tuple[float, float]
_FEWEST = 3  # surfaces that a kind's numbers are taken from; below that the table's stand


def relief(normal: NDArray[np.float32]) -> NDArray[np.float64]:
    """The periodic height (H, W), in pixels, whose slopes come nearest to the normals' (Frankot, Chellappa 1988)."""
    vector = normal.astype(np.float64) * 2 - 1
    across, down = -vector[..., 0] / vector[..., 2].clip(0.05), vector[..., 1] / vector[..., 2].clip(0.05)
    rows, columns = normal.shape[:2]
    kx, ky = 2 * np.pi * np.fft.fftfreq(columns)[None], 2 * np.pi * np.fft.fftfreq(rows)[:, None]
    square = kx**2 + ky**2
    square[0, 0] = 1.0
    spectrum = -1j * (kx * np.fft.fft2(across) + ky * np.fft.fft2(down)) / square
    spectrum[0, 0] = 0.0
    height: NDArray[np.float64] = np.fft.ifft2(spectrum).real
    return height


def depth(normal: NDArray[np.float32]) -> float:
    """From the lowest to the highest hundredth, in widths of the picture."""
    low, high = np.percentile(relief(normal), (1, 99))
    return float(high - low) / normal.shape[1]


def kind_of(surface: real.Surface) -> Surface | None:
    return surface_of(SurfaceKind.AUTO, surface.caption)


def fit(surfaces: Iterable[real.Surface]) -> dict[SurfaceKind, tuple[int, Range, Range]]:
    """By kind: of how many surfaces, the quartiles of their mean roughness, those of their depth.

    Without surfaces whose caption says that they are not as usual ("polished", "rusty").
    """
    means: dict[SurfaceKind, list[float]] = defaultdict(list)
    depths: dict[SurfaceKind, list[float]] = defaultdict(list)
    for surface in surfaces:
        found = kind_of(surface)
        if found is None:
            continue
        if "roughness" in surface.maps and np.allclose(found.roughness, FACTS[found.kind].roughness):
            means[found.kind].append(float(surface.maps["roughness"].mean()))
        if "normal" in surface.maps:
            depths[found.kind].append(depth(surface.maps["normal"]))
    return {kind: (len(values), _quartiles(values), _quartiles(depths[kind])) for kind, values in means.items()}


def _quartiles(values: list[float]) -> Range:
    low, high = np.percentile(values, (25, 75)) if values else (0.0, 0.0)
    return float(low), float(high)


def settled(found: Surface, bounds: Mapping[SurfaceKind, Range]) -> Range:
    """The roughness of a surface, by other numbers for its kind than the table's."""
    if found.kind not in bounds:
        return found.roughness
    (low, high), (least, most) = FACTS[found.kind].roughness, found.roughness
    factor = (most - least) / (high - low)  # the table's states are linear: a + factor * roughness
    return tuple(least + factor * (value - low) for value in bounds[found.kind])  # type: ignore[return-value]


@dataclass(frozen=True)
class Told:
    """What is known of one surface from others: of the half that it is not in.

    found: by its caption. roughness: the bounds of its mean, None where no kind is known. constant: for every pixel.
    """

    found: Surface | None
    roughness: Range | None
    constant: float

    def roughened(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """Roughness as the networks see it, brought into the bounds."""
        return seen if self.roughness is None else shifted(seen, float(seen.mean()), self.roughness)


def crossed(surfaces: list[real.Surface]) -> dict[str, Told]:
    """By name of the surface."""
    told = {}
    for half in (False, True):
        others = [surface for surface in surfaces if surface.is_judged is not half]
        bounds = {kind: rough for kind, (count, rough, _depth) in fit(others).items() if count >= _FEWEST}
        constant = float(np.median([s.maps["roughness"].mean() for s in others if "roughness" in s.maps]))
        for surface in surfaces:
            if surface.is_judged is half:
                found = kind_of(surface)
                told[surface.name] = Told(found, settled(found, bounds) if found else None, constant)
    return told


def judge(surfaces: list[real.Surface], cache: Path | None) -> dict[str, float]:
    """Roughness' mean error and the surfaces' means; metallic's balanced accuracy, and metal said where none is."""
    rows: dict[str, list[float]] = defaultdict(list)
    metal: dict[str, list[NDArray[np.bool_]]] = defaultdict(list)
    known = crossed(surfaces)
    for surface in surfaces:
        told, made = known[surface.name], real.predicted(surface, cache)
        rows_, columns = made["roughness"].shape[:2]
        if "roughness" in surface.maps:
            truth, seen = surface.maps["roughness"][:rows_, :columns], made["roughness"]
            rows["truth"].append(float(truth.mean()))
            constant = np.full_like(seen, told.constant)
            for name, values in (("networks", seen), ("kinds", told.roughened(seen)), ("constant", constant)):
                rows[f"error {name}"].append(float(np.abs(values - truth).mean()))
                rows[f"mean {name}"].append(float(values.mean()))
        if "metallic" in surface.maps:
            said = made["metallic"] > 0.5
            metallic = told.found.metallic if told.found else None
            metal["truth"].append((surface.maps["metallic"][:rows_, :columns] > 0.5).reshape(-1))
            metal["networks"].append(said.reshape(-1))
            metal["kinds"].append((said if metallic is None else np.full_like(said, metallic > 0.5)).reshape(-1))
    ways = ("networks", "kinds", "constant")
    figures = {f"roughness error, {name}": float(np.mean(rows[f"error {name}"])) for name in ways}
    for name in ways[:2]:
        correlation = np.corrcoef(rows["truth"], rows[f"mean {name}"])[0, 1]
        figures[f"roughness means' correlation, {name}"] = float(correlation)
    weights = np.concatenate([np.full(len(part), 1 / len(part)) for part in metal["truth"]])  # surfaces count alike
    truth = np.concatenate(metal["truth"])
    for name in ways[:2]:
        said = np.concatenate(metal[name])
        found_share = float((weights * (said & truth)).sum() / (weights * truth).sum())
        false_share = float((weights * (said & ~truth)).sum() / (weights * ~truth).sum())
        figures[f"metallic balanced accuracy, {name}"] = (found_share + 1 - false_share) / 2
        figures[f"metallic said where none is, {name}"] = false_share
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="tools.surfaces.kinds", description=__doc__)
    parser.add_argument("--real", required=True, type=Path, metavar="FOLDER", help="index.tsv and sets/")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keeps the networks' maps of them")
    options = parser.parse_args()
    surfaces = real.read(options.real)
    for kind, (count, roughness, deep) in sorted(fit(surfaces).items()):
        words = f"roughness {roughness[0]:.2f} to {roughness[1]:.2f}, relief {deep[0]:.4f} to {deep[1]:.4f}"
        print(f"{kind:10s} {count:3d} surfaces, {words}", flush=True)
    for name, value in judge(surfaces, options.cache).items():
        print(f"{name:48s} {value:6.3f}", flush=True)


if __name__ == "__main__":
    main()
