# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that draw textures into files which the training maps: `python -m tools.starter.workers`, one each.

Imports numpy, the texture generator and tokenizers only: a worker starts in a second and takes little memory.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from . import tokens
from .settings import Settings
from .textures import Texture, make_texture

CAPTIONS = 6  # of every tile
REPOSITORY = Path(__file__).resolve().parents[2]
# (family, colour, wear, share of all tiles): what people type first, drawn more often than chance would.
WISHES: tuple[tuple[str, str | None, str | None, float], ...] = (
    ("bricks", "red", "moss", 0.012),
    ("bricks", None, "moss", 0.012),
    ("bricks", "red", None, 0.012),
    ("roof tiles", None, "moss", 0.010),
    ("roof tiles", "red", None, 0.006),
    ("stone wall", None, "moss", 0.010),
    ("stone wall", None, None, 0.010),
    ("stone blocks", "grey", None, 0.006),
    ("wood", "brown", None, 0.006),
    ("planks", "brown", None, 0.006),
    ("wood", None, None, 0.010),
)
# Families whose pictures the fifth version's judge knew least, or that looked weak: with 0.4 of all tiles they are
# drawn about three times as often as by their own weight.
WEAK = (
    "brick paving",
    "basket bricks",
    "wallpaper",
    "parquet",
    "fur",
    "cardboard",
    "grass",
    "plaster",
    "carpet",
    "ice",
    "concrete",
    "knit",
    "tiles",
    "checkered tiles",
    "marble",
    "asphalt",
    "diamond plate",
    "metal panels",
    "leather",
    "fabric",
)
WEAK_SHARE = 0.4


class Ring:
    """One worker's tiles of one size, in files: the worker alone writes `made`, the training alone `taken`."""

    def __init__(self, folder: Path, size: int, slots: int, *, new: bool = False) -> None:
        def mapped(name: str, kind: type, shape: tuple[int, ...]) -> np.ndarray:
            path = folder / f"{size}-{name}"
            return np.memmap(path, kind, "w+" if new else "r+", shape=shape)

        self.size, self.slots = size, slots
        self.pixels = mapped("pixels", np.uint8, (slots, size, size, 3))
        self.tokens = mapped("tokens", np.int16, (slots, CAPTIONS, tokens.MAX_TOKENS))
        self._made = mapped("made", np.int64, (1,))
        self._taken = mapped("taken", np.int64, (1,))

    @property
    def made(self) -> int:
        return int(self._made[0])

    @property
    def taken(self) -> int:
        return int(self._taken[0])

    @taken.setter
    def taken(self, count: int) -> None:
        self._taken[0] = count

    @property
    def has_room(self) -> bool:
        return self.made - self.taken < self.slots

    def put(self, pixels: np.ndarray, ids: np.ndarray) -> None:
        """Add a tile with the tokens of its captions. There must be room."""
        slot = self.made % self.slots
        self.pixels[slot] = pixels
        self.tokens[slot] = ids[np.arange(CAPTIONS) % len(ids)]
        self._made[0] += 1


def draw(rng: np.random.Generator, size: int) -> Texture:
    """A texture of any family, or one of WISHES or WEAK."""
    u = rng.random()
    for family, colour, wear, share in WISHES:
        u -= share
        if u < 0:
            return make_texture(rng, size, family, colour=colour, wear=wear)
    if u < WEAK_SHARE:
        return make_texture(rng, size, WEAK[int(rng.integers(len(WEAK)))])
    return make_texture(rng, size)


def as_bytes(texture: Texture) -> np.ndarray:
    """Its pixels as uint8 (size, size, 3)."""
    return np.clip(texture.color * 255.0 + 0.5, 0, 255).astype(np.uint8)


def work(rings: Sequence[Ring], shares: Sequence[float], known: tokens.Tokenizer, seed: tuple[int, int]) -> bool:
    """Draw one tile into the ring that is furthest behind its share; False where none has room.

    Tile number n of a ring is drawn from the seed sequence (*seed, size, n) alone.
    """
    waiting = [number for number, ring in enumerate(rings) if ring.has_room and shares[number] > 0]
    if not waiting:
        return False
    ring = rings[min(waiting, key=lambda number: rings[number].made * rings[number].size ** 2 / shares[number])]
    texture = draw(np.random.default_rng((*seed, ring.size, ring.made)), ring.size)
    ring.put(as_bytes(texture), tokens.tokenize(known, texture.captions[:CAPTIONS]))
    return True


class Crew:
    """All workers; a context manager that ends them. Their rings lie in `folder`, by worker and size of tile."""

    def __init__(self, folder: Path, settings: Settings, words: Path, seed: int) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self.rings: list[Ring] = []
        for number in range(settings.workers):
            place = folder / f"worker-{number}"
            place.mkdir(parents=True, exist_ok=True)
            mine = [Ring(place, size, slots, new=True) for size, slots in settings.ring.items()]
            self.rings += mine
            self._processes.append(self._start(place, words, (seed, number), settings.large_tiles, settings.ring))

    @staticmethod
    def _start(
        place: Path, words: Path, seed: tuple[int, int], large: float, ring: Mapping[int, int]
    ) -> subprocess.Popen[bytes]:
        slots = [f"{size}={count}" for size, count in ring.items()]
        options = ["--place", place, "--words", words, "--seed", *seed, "--large", large, "--slots", *slots]
        command = [sys.executable, "-m", "tools.starter.workers", *map(str, options)]
        # numpy's products would wait for a second thread, which the training leaves no core
        return subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, "OMP_NUM_THREADS": "1"})

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()

    def check(self) -> None:
        """Raise `ChildProcessError` if a worker has ended: it draws for ever unless something is wrong."""
        if any(process.poll() is not None for process in self._processes):
            raise ChildProcessError("a process that draws textures has ended; what it said stands above")


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw until the process that started this one ends."""
    parser = argparse.ArgumentParser(prog="python -m tools.starter.workers", description=__doc__)
    parser.add_argument("--place", type=Path, required=True, help="the folder of the rings")
    parser.add_argument("--words", type=Path, required=True, help="the tokenizer's folder")
    parser.add_argument("--seed", type=int, nargs=2, required=True)
    parser.add_argument("--large", type=float, required=True, help="share of the largest tiles in the time")
    parser.add_argument("--slots", nargs="+", required=True, metavar="SIZE=N")
    options = parser.parse_args(arguments)
    os.nice(5)
    plan = [tuple(map(int, item.split("="))) for item in options.slots]
    rings = [Ring(options.place, size, count) for size, count in plan]
    largest = max(ring.size for ring in rings)
    shares = [options.large if ring.size == largest else 1.0 - options.large for ring in rings]
    known, parent, (seed, number) = tokens.load(options.words), os.getppid(), options.seed
    while os.getppid() == parent:
        if not work(rings, shares, known, (seed, number)):
            time.sleep(0.01)


if __name__ == "__main__":
    main()
