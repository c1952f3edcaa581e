# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the starter upscaler and map networks: `python -m tools.image_networks.train`. A killed run goes on.

The upscaler's training begins with the weights in the package.

Needs the engine's packages and scipy.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from ..starter.cache import default_cache
from . import export, figures, maps, upscaler
from .pairs import make_pairs, read_pairs
from .solve import solve

COUNTS = {64: 2500, 128: 8000, 256: 2500}
MINUTES = {"upscaler": 20.0, "surface": 28.0, "normal": 22.0}
STAGES = ("data", "upscaler", "surface", "normal", "export", "figures")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the stages."""
    parser = argparse.ArgumentParser(prog="python -m tools.image_networks.train", description=__doc__)
    folder = default_cache().with_name("image-networks")
    parser.add_argument("--cache", type=Path, default=folder, metavar="DIR", help="data and checkpoints")
    parser.add_argument("--output", type=Path, default=export.MODELS, metavar="DIR", help="where the models go")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="torch's threads; 0: its own choice")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES, metavar="STAGE", help=", ".join(STAGES))
    parser.add_argument("--minutes", nargs="*", default=[], metavar="STAGE=N", help=f"training times; {MINUTES}")
    parser.add_argument("--pairs", nargs="*", default=[], metavar="SIZE=N", help=f"how many are made; {COUNTS}")
    options = parser.parse_args(arguments)
    minutes, counts = dict(MINUTES), dict(COUNTS)
    for name, _, value in (item.partition("=") for item in options.minutes):
        if name not in MINUTES:
            parser.error(f"--minutes: no stage {name!r} is timed; those are {', '.join(MINUTES)}")
        minutes[name] = float(value)
    for name, _, value in (item.partition("=") for item in options.pairs):
        if not name.isdigit() or int(name) not in COUNTS:
            parser.error(f"--pairs: no size {name!r}; the sizes are {', '.join(map(str, COUNTS))}")
        counts[int(name)] = int(value)
    if options.threads:
        torch.set_num_threads(options.threads)
    for stage in STAGES:
        if stage not in options.stages:
            continue
        print(f"stage {stage}", flush=True)
        if stage == "data":
            make_pairs(options.cache / "pairs", counts, options.seed)
        elif stage in MINUTES:
            pairs = read_pairs(options.cache / "pairs", counts)
            if stage == "upscaler":
                upscaler.train(options.cache, minutes[stage], options.seed, pairs)
            else:
                network = maps.train(stage, options.cache, minutes[stage], options.seed, pairs)
                solve(stage, network, options.cache, options.seed, pairs)
        elif stage == "export":
            export.export(options.cache, options.output)
        else:
            figures.report(options.output)


if __name__ == "__main__":
    main()
