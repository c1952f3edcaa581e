# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the starter upscaler and map networks: `python -m tools.image_networks.train`. A killed run goes on.

The upscaler's training begins with the weights in the package.

Needs the engine's packages and scipy.
"""

from collections.abc import Sequence

from .. import training
from ..starter.cache import default_cache
from . import export, figures, material, relief, upscaler
from .pairs import make_pairs, read_pairs

COUNTS = {64: 2500, 128: 8000, 256: 4000}
MINUTES = {"upscaler": 25.0, "relief": 60.0, "material": 95.0}
TRAININGS = {"upscaler": upscaler.train, "relief": relief.train, "material": material.train}
STAGES = ("data", *TRAININGS, "export", "figures")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the stages."""
    folder = default_cache().with_name("image-networks")
    parser = training.parser("python -m tools.image_networks.train", __doc__, folder, export.MODELS, STAGES)
    training.add_numbers(parser, "--minutes", MINUTES, f"training times; {MINUTES}")
    training.add_numbers(parser, "--pairs", COUNTS, f"how many are made; {COUNTS}")
    options = parser.parse_args(arguments)
    minutes, counts = options.minutes, options.pairs
    for stage in STAGES:
        if stage not in options.stages:
            continue
        print(f"stage {stage}", flush=True)
        if stage == "data":
            make_pairs(options.cache / "pairs", counts, options.seed)
        elif stage in TRAININGS:
            pairs = read_pairs(options.cache / "pairs", counts)
            TRAININGS[stage](options.cache, minutes[stage], options.seed, pairs)
        elif stage == "export":
            export.export(options.cache, options.output)
        else:
            figures.report(options.output)


if __name__ == "__main__":
    main()
