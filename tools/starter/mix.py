# SPDX-License-Identifier: GPL-3.0-or-later
"""Mixes the denoisers of two starters, one trained on from the other: `python -m tools.starter.mix`. May import torch.

Between two such sets of weights lie others that work (Wortsman et al. 2022): part of the way keeps what the first was
better at.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load_file, save_file

WEIGHTS = Path("unet") / "diffusion_pytorch_model.safetensors"


def mix(first: Path, second: Path, share: float, output: Path) -> None:
    """Write to folder `output` the model of folder `first`, its denoiser moved by `share`, 0 to 1, to that of `second`.

    Raises:
        ValueError: the denoisers are not of one shape, or `output` is one of the two.
    """
    if output.resolve() in (first.resolve(), second.resolve()):
        raise ValueError(f"{output} would be overwritten: choose another --output.")
    a, b = load_file(first / WEIGHTS), load_file(second / WEIGHTS)
    if {name: x.shape for name, x in a.items()} != {name: x.shape for name, x in b.items()}:
        raise ValueError(f"The denoisers in {first} and {second} are not of one shape.")
    shutil.copytree(first, output, dirs_exist_ok=True)
    mixed = {name: x.float().lerp(b[name].float(), share).to(x.dtype).contiguous() for name, x in a.items()}
    save_file(mixed, output / WEIGHTS, {"format": "pt"})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.starter.mix", description=__doc__)
    parser.add_argument("first", type=Path, metavar="FIRST", help="a starter's folder")
    parser.add_argument("second", type=Path, metavar="SECOND", help="that of one trained on from it")
    parser.add_argument("--share", type=float, default=0.5, help="of the way from the first to the second (0.5)")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the model goes")
    options = parser.parse_args(arguments)
    mix(options.first, options.second, options.share, options.output)


if __name__ == "__main__":
    main()
