# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the starter upscaler and map networks: `python -m tools.image_networks.train`. A killed run goes on.

The upscaler's training begins with the weights in the package.

Needs the engine's packages and scipy.
"""

from collections.abc import Sequence

from .. import training
from ..starter.cache import default_cache
from . import export, figures, maps, metallic, upscaler
from .pairs import make_pairs, read_pairs
from .solve import solve

COUNTS = {64: 2500, 128: 8000, 256: 2500}
MINUTES = {"upscaler": 55.0, "surface": 28.0, "normal": 22.0, "metallic": 42.0}
STAGES = ("data", "upscaler", "surface", "normal", "metallic", "export", "figures")


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
        elif stage in MINUTES:
            pairs = read_pairs(options.cache / "pairs", counts)
            if stage in ("upscaler", "metallic"):
                train = upscaler.train if stage == "upscaler" else metallic.train
                train(options.cache, minutes[stage], options.seed, pairs)
            else:
                network = maps.train(stage, options.cache, minutes[stage], options.seed, pairs)
                solve(stage, network, options.cache, options.seed, pairs)
        elif stage == "export":
            export.export(options.cache, options.output)
        else:
            figures.report(options.output)


if __name__ == "__main__":
    main()
