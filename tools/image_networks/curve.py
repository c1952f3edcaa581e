# SPDX-License-Identifier: GPL-3.0-or-later
"""What more real surfaces do for the map networks: `python -m tools.image_networks.curve --sets DIR`. Goes on.

The shipped training, begun each time with the same weights (--begin: those that saw drawings only), as many steps each,
so that only the number of real surfaces differs; judged on those that are never trained on. Color tiles, drawings and
painted pictures are the same for all. Needs the engine's packages and scipy.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from .. import training
from ..starter import cache
from ..starter.torus import wrap
from . import judging, material, relief
from .export import MODELS, shipped
from .maps import Options
from .networks import make_material_network, make_relief_network
from .pairs import Pairs, read_pairs
from .real import Real, Surface, add_folders, read_real
from .train import COUNTS, PEAKS

STEPS = {"relief": 300, "material": 500}
SIZES = (5, 10, 20, 40, 0)  # of surfaces; 0: all that are not judged
ALL = 0
DRAWS = 2  # of surfaces, of each number but all


@dataclass(frozen=True)
class Subject:
    """A network whose curve is made. figures: those in its table, with "learned" those on what it learned from."""

    make: Callable[[], nn.Module]
    train: Callable[[Path, Options, Pairs, Real], nn.Module]
    kinds: tuple[judging.MapKind, ...]
    figures: tuple[str, ...]


SUBJECTS = {
    "relief": Subject(
        make_relief_network,
        relief.train,
        relief.MAKES,
        ("angle", "flat angle", judging.SLOPES, judging.UPRIGHT, "height's correlation"),
    ),
    "material": Subject(
        make_material_network,
        material.train,
        material.MAKES,
        ("roughness error", "roughness means' correlation", "metal found", "false metal"),
    ),
}


def chosen(surfaces: Sequence[Surface], size: int, draw: int) -> list[Surface]:
    """So many of them, or all; those of a larger number hold those of a smaller one."""
    order = np.random.default_rng(draw).permutation(len(surfaces))
    return [surfaces[index] for index in sorted(order[: size or None])]


def point(
    stage: str, surfaces: list[Surface], real: Real, pairs: Pairs, folder: Path, options: Options
) -> dict[str, float]:
    """Train on these surfaces, and judge. What was judged is not trained again."""
    file = folder / f"{stage}.json"
    if not file.is_file():
        subject = SUBJECTS[stage]
        folder.mkdir(parents=True, exist_ok=True)
        if options.steps:
            network = subject.train(folder, options, pairs, replace(real, training=surfaces, watched=[]))
        else:
            network = wrap(subject.make()).eval()
            network.load_state_dict(shipped(stage, options.begin or MODELS))
        figures = judging.watch(network, subject.kinds, real.judged, None)
        learned = judging.watch(network, subject.kinds, surfaces, None)
        figures |= {f"learned: {name}": value for name, value in learned.items()}
        part = file.with_suffix(".part")
        part.write_text(json.dumps(figures), encoding="utf-8")
        part.replace(file)
    return json.loads(file.read_text(encoding="utf-8"))


def table(stage: str, points: dict[int, list[dict[str, float]]]) -> str:
    """Markdown: a row for each number of surfaces, means over its draws."""
    names = [*SUBJECTS[stage].figures, *(f"learned: {name}" for name in SUBJECTS[stage].figures)]
    lines = [f"| surfaces | draws | {' | '.join(names)} |", f"|{'---|' * (2 + len(names))}"]
    for size, rows in sorted(points.items()):
        cells = [[row[name] for row in rows if name in row] for name in names]
        texts = [f"{np.mean(values):.3f}" if values else "" for values in cells]
        lines.append(f"| {size} | {len(rows)} | {' | '.join(texts)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the points, each as soon as it can be, and print the tables."""
    folder = cache.default_cache().with_name("image-networks-curve")
    parser = training.parser("python -m tools.image_networks.curve", __doc__, folder, folder, tuple(SUBJECTS))
    training.add_numbers(parser, "--steps", STEPS, f"of each training; {STEPS}")
    training.add_numbers(parser, "--pairs", COUNTS, f"drawings; {COUNTS}, as made by tools.image_networks.train")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, metavar="N", help="surfaces; 0 for all")
    parser.add_argument("--draws", type=int, default=DRAWS, metavar="N", help="of surfaces, for each size but all")
    parser.add_argument("--begin", type=Path, default=MODELS, metavar="DIR", help="models that each begins with")
    add_folders(parser)
    options = parser.parse_args(arguments)
    real = read_real(options.sets, options.tiles, options.painted)
    pairs = read_pairs(options.cache / "pairs", options.pairs)
    learned = [*real.training, *real.watched]
    for stage in options.stages:
        how = Options(0, options.seed, peak=PEAKS[stage], begin=options.begin, kept=options.begin)
        usable = [one for one in learned if (one.normal if stage == "relief" else one.roughness) is not None]
        points = {0: [point(stage, [], real, pairs, options.output / "0", how)]}
        how = replace(how, steps=options.steps[stage])
        for draw in range(options.draws):
            for size in (size for size in options.sizes if size or not draw):
                some = chosen(usable, size, draw)
                made = point(stage, some, real, pairs, options.output / f"{len(some)}-{draw}", how)
                points.setdefault(len(some), []).append(made)
                print(f"{stage} {len(some)} {draw}: {json.dumps(made)}", flush=True)
        print(table(stage, points), flush=True)


if __name__ == "__main__":
    main()
