# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that both trainings have. Imports torch, and the standard library."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch

Key = TypeVar("Key", int, str)


def parser(prog: str, about: str, cache: Path, output: Path, stages: Sequence[str]) -> argparse.ArgumentParser:
    """For a training of these stages."""
    made = argparse.ArgumentParser(prog=prog, description=about)
    made.add_argument("--cache", type=Path, default=cache, metavar="DIR", help="data and checkpoints")
    made.add_argument("--output", type=Path, default=output, metavar="DIR", help="where what was made goes")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--threads", type=_use_threads, metavar="N", help="torch's threads; otherwise its own choice")
    made.add_argument("--stages", nargs="+", choices=stages, default=stages, metavar="STAGE", help=", ".join(stages))
    return made


def add_numbers(to: argparse.ArgumentParser, name: str, usual: Mapping[Key, float], about: str) -> None:
    """An option that takes KEY=N, as often as wanted; what it gives has all of the keys."""
    keys = {str(key): key for key in usual}

    def number(item: str) -> tuple[Key, float]:
        key, _, value = item.partition("=")
        if key not in keys:
            raise argparse.ArgumentTypeError(f"there is no {key!r}; there are {', '.join(keys)}")
        return keys[key], type(usual[keys[key]])(value)

    class Merge(argparse.Action):
        def __call__(self, parser, namespace, values, option=None):  # type: ignore[no-untyped-def]
            setattr(namespace, self.dest, {**usual, **dict(values)})

    to.add_argument(name, nargs="*", type=number, action=Merge, default=dict(usual), metavar="KEY=N", help=about)


def _use_threads(text: str) -> int:
    torch.set_num_threads(int(text))
    return int(text)
