# SPDX-License-Identifier: GPL-3.0-or-later
"""What de-lighting takes out of pictures whose light is known: real surfaces under three suns, rendered by Cycles.

    python -m tools.surfaces.relit --real FOLDER --work FOLDER [--side N] [NAME ...]

Errors are of the luminance's logarithm without its mean, against the base color that was rendered: 0.10 is 10 %. Then
what de-lighting changes of the base color itself, where there is nothing to take out; and the error before and after
where the light of one of the renders falls off across it as well, as in a photo that does not repeat. Renders stay in
the work folder; those that are there are not made again. Imports numpy and the engine; Cycles runs in the environment
with bpy.
"""

import argparse
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from addon.core.color import to_linear
from addon.core.requests.finish import MapKind
from addon.core.requests.picture import Content
from addon.core.requests.texture import Axes
from addon.engine.canvas import canvases
from addon.engine.delight import delight
from addon.engine.maps import LUMA, Source
from addon.engine.tiles import TileLimits

from .. import environments
from . import kinds, real

# Of every kind that is not metal, whose color is no paint.
SURFACES = [
    "asphalt014",
    "bark014",
    "bricks059",
    "bricks097",
    "carpet008",
    "concrete022",
    "fabric030",
    "grass001",
    "gravel022",
    "ground037",
    "pavingstones070",
    "ph_stone_wall",
    "plaster002",
    "rock024",
    "rock058",
    "roofingtiles010",
    "tiles036",
    "tiles049",
    "wood048",
    "woodsiding008",
]
_MARGIN = 64  # as in `relit_scene`, which cannot be imported without bpy
_SCENE = Path(__file__).with_name("relit_scene.py")
_FALL = 0.3  # from the middle to a side, in the logarithm
_EXPOSURE = 0.8  # of the renders, so that what faces the sun is not clipped


def prepare(surface: real.Surface, side: int, folder: Path) -> None:
    """What `relit_scene` renders of a surface: its upper left corner, with a margin around it."""

    def cut(values: NDArray[np.float32]) -> NDArray[np.float32]:
        for axis in (0, 1):
            values = np.take(values, range(-_MARGIN, side + _MARGIN), axis, mode="wrap")
        return values

    height = kinds.relief(surface.maps["normal"]).astype(np.float32)
    roughness = surface.maps["roughness"][..., 0]
    path = folder / f"{surface.name}.npz"
    np.savez(path, height=cut(height), color=cut(to_linear(surface.color)), roughness=cut(roughness))


def _log(linear: NDArray[np.float32]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = np.log((linear @ LUMA).astype(np.float64).clip(1e-3))
    return values


def _error(linear: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    return float((_log(linear) - _log(truth)).std())


def _without(linear: NDArray[np.float32], sources: dict[MapKind, Source], axes: Axes = Axes.XY) -> NDArray[np.float32]:
    with tempfile.TemporaryDirectory() as folder, canvases(Path(folder)) as easel:
        canvas = delight(linear, sources, axes, Content.LINEAR, easel, TileLimits(), real.FREE)
        return np.array(canvas.array)


def judge(folder: Path) -> dict[str, list[float]]:
    """By name of the surface, the figures above in that order. Prints as it goes."""
    sources = real.sources()
    heading = ("before", "after", "plain", "falling", "after")
    print(f"{'':20s}" + "".join(f" {title:>7s}" for title in heading), flush=True)
    figures: dict[str, list[float]] = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as file:
            truth = file["color"][_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
        errors: dict[str, list[float]] = defaultdict(list)
        for render in sorted(folder.glob(f"{path.stem}-*.npy")):
            lit = np.load(render).astype(np.float32) * np.float32(_EXPOSURE)
            errors["before"].append(_error(lit, truth))
            errors["after"].append(_error(_without(lit, sources), truth))
        errors["plain"] = [_error(_without(truth, sources), truth)]
        width = truth.shape[1]
        falling = lit * np.exp(_FALL * np.cos(np.pi * (np.arange(width, dtype=np.float32) + 0.5) / width))[:, None]
        errors["falling"] = [_error(falling, truth)]
        errors["after falling"] = [_error(_without(falling, sources, Axes.NONE), truth)]
        figures[path.stem] = [float(np.mean(values)) for values in errors.values()]
        print(f"{path.stem:20s}" + "".join(f" {value:7.3f}" for value in figures[path.stem]), flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="tools.surfaces.relit", description=__doc__)
    parser.add_argument("names", nargs="*", default=SURFACES, metavar="NAME", help="of surfaces (twenty)")
    parser.add_argument("--real", required=True, type=Path, metavar="FOLDER", help="index.tsv and sets/")
    parser.add_argument("--work", required=True, type=Path, metavar="FOLDER", help="for the renders")
    parser.add_argument("--side", type=int, default=256, metavar="N", help="pixels of what is rendered (256)")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    for surface in real.read(options.real, tuple(options.names)):
        if not (options.work / f"{surface.name}.npz").is_file():
            prepare(surface, options.side, options.work)
    python = environments.ensure(environments.BLENDER)
    subprocess.run([python, _SCENE, options.work], check=True, stdout=subprocess.DEVNULL)
    figures = judge(options.work)
    print(f"{'mean':20s}" + "".join(f" {value:7.3f}" for value in np.mean(list(figures.values()), 0)), flush=True)


if __name__ == "__main__":
    main()
