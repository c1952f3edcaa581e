# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the starter upscaler and map networks: `python -m tools.image_networks.train`. A killed run goes on.

Trainings begin with the weights in the package. With --sets, a folder of real surfaces (and --tiles, one of real color
tiles), they learn from these too, as far as they are not for judging; stage "real" judges maps and upscaler on the rest
(see `real` for the split). --painted: pictures by the starter model (`python -m addon.engine.batch`), of which the
relief network goes on making what the package's makes.

On a graphics card: --device cuda --batch 16. A killed run goes on from its last checkpoint, which is written every
minute; a run ends by itself after --minutes.

Needs the engine's packages and scipy.
"""

from collections.abc import Sequence
from pathlib import Path

from .. import training
from ..starter.cache import default_cache
from . import export, figures, judging, late, material, relief, upscaler
from .maps import Options
from .pairs import make_pairs, read_pairs
from .real import add_folders, read_real

COUNTS = {64: 2500, 128: 8000, 256: 4000}
MINUTES = {"upscaler": 25.0, "late": 30.0, "relief": 60.0, "material": 95.0}
PEAKS = {"upscaler": 1.5e-3, "late": 2e-3, "relief": 4e-4, "material": 8e-4}  # learning rates
TRAININGS = {"upscaler": upscaler.train, "late": late.train, "relief": relief.train, "material": material.train}
STAGES = ("data", *TRAININGS, "export", "figures", "real")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the stages."""
    folder = default_cache().with_name("image-networks")
    parser = training.parser("python -m tools.image_networks.train", __doc__, folder, export.MODELS, STAGES)
    training.add_numbers(parser, "--minutes", MINUTES, f"training times; {MINUTES}")
    training.add_numbers(parser, "--pairs", COUNTS, f"how many are made; {COUNTS}")
    wholly = dict.fromkeys(TRAININGS, 1.0)
    training.add_numbers(parser, "--between", wholly, "what is written: from the package's weights (0) to new ones (1)")
    add_folders(parser)
    parser.add_argument("--share", type=float, default=1.0, help="of the real surfaces for training; default: all")
    parser.add_argument("--device", default="cpu", help="where to train: cpu, cuda")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="times as many examples a step")
    parser.add_argument("--begin", type=Path, metavar="DIR", help="models to begin with; default: the package's")
    parser.add_argument("--fresh", action="store_true", help="begin with nothing, and not with the package's weights")
    options = parser.parse_args(arguments)
    real = read_real(options.sets, options.tiles, options.painted, options.share) if options.sets else None
    minutes, counts = options.minutes, options.pairs
    for stage in STAGES:
        if stage not in options.stages:
            continue
        print(f"stage {stage}", flush=True)
        if stage == "data":
            make_pairs(options.cache / "pairs", counts, options.seed)
        elif stage in TRAININGS:
            pairs = read_pairs(options.cache / "pairs", counts)
            how = Options(
                minutes[stage],
                options.seed,
                options.device,
                options.fresh,
                options.batch,
                peak=PEAKS[stage],
                begin=options.begin,
            )
            TRAININGS[stage](options.cache, how, pairs, real)
        elif stage == "export":
            export.export(options.cache, options.output, between=options.between)
        elif stage == "figures":
            figures.report(options.output)
        elif real is not None:
            judging.report(options.output, real)


if __name__ == "__main__":
    main()
