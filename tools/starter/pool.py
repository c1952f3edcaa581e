# SPDX-License-Identifier: GPL-3.0-or-later
"""The tiles that the training draws its batches from: procedural ones as they come, and real ones beside them.

May import torch and the workers.
"""

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from tokenizers import Tokenizer

from . import real, tokens
from .settings import Settings
from .workers import CAPTIONS, Crew, Ring


class RealPool:
    """Real tiles of one size on the device, with the tokens of some captions each."""

    def __init__(self, tiles: real.RealTiles, size: int, known: Tokenizer, device: torch.device, seed: int) -> None:
        rng = np.random.default_rng(seed)
        ids = np.stack([tokens.tokenize(known, real.captions(rng, label, size)) for label in tiles.labels])
        self.pixels = torch.from_numpy(tiles.pixels).to(device)
        self.tokens = torch.from_numpy(ids).to(device)
        self.chances = torch.from_numpy(tiles.chances).float().to(device)


class Pool:
    """All tiles of one size on the device. `seen`: how many were drawn; the last `kept` of them are here."""

    def __init__(self, size: int, kept: int, device: torch.device) -> None:
        self.size, self.kept, self.device = size, kept, device
        self.pixels = torch.empty((kept, size, size, 3), dtype=torch.uint8, device=device)
        self.tokens = torch.empty((kept, CAPTIONS, tokens.MAX_TOKENS), dtype=torch.int16, device=device)
        self.seen = 0
        self.real: RealPool | None = None
        self.real_share = 0.0

    def take(self, ring: Ring) -> None:
        """Move what a ring holds into the pool."""
        made, taken = ring.made, ring.taken
        while taken < made:
            slot, place = taken % ring.slots, self.seen % self.kept
            count = min(made - taken, ring.slots - slot, self.kept - place)
            for mine, theirs in ((self.pixels, ring.pixels), (self.tokens, ring.tokens)):
                here, new = mine[place : place + count], theirs[slot : slot + count]
                if self.device.type == "cpu":
                    # Not by torch, which would give this thread OpenMP threads of its own. Where all of them are more
                    # than the processors, those that wait are put to sleep at once: on two cores a step of training
                    # took 0.53 s for 0.39. See findings/torch-a-second-threads-copy-puts-the-first-threads-to-sleep.sh
                    np.copyto(here.numpy(), new)
                else:
                    here.copy_(torch.from_numpy(new.copy()))
            if self.device.type == "cuda":
                torch.cuda.current_stream().synchronize()  # the slots are drawn over as soon as they count as taken
            taken += count
            ring.taken = taken
            self.seen += count

    def draw(self, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels (batch, 3, size, size) in -1..1, rolled anywhere, half of them mirrored; tokens of a caption each."""
        photographed = round(batch * self.real_share) if self.real is not None else 0
        here = min(self.seen, self.kept)
        rows = torch.randint(here, (batch - photographed,), device=self.device)
        parts = [self._some(self.pixels, self.tokens, rows)]
        if self.real is not None and photographed:
            chosen = torch.multinomial(self.real.chances, photographed, replacement=True)
            parts.append(self._some(self.real.pixels, self.real.tokens, chosen))
        pixels, ids = (torch.cat(part) for part in zip(*parts, strict=True))
        return to_floats(pixels), ids

    def _some(self, pixels: torch.Tensor, ids: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        count, along = len(rows), torch.arange(self.size, device=self.device)
        y, x = ((along + torch.randint(self.size, (count, 1), device=self.device)) % self.size for _ in range(2))
        mirrored = torch.rand(count, 1, device=self.device) < 0.5
        x = torch.where(mirrored, x.flip(1), x)
        which = torch.randint(ids.shape[1], (count,), device=self.device)
        return pixels[rows[:, None, None], y[:, :, None], x[:, None, :]], ids[rows, which]


class Crops:
    """Pieces of real surfaces at full sharpness, for the autoencoder alone: they need not repeat."""

    def __init__(self, pixels: np.ndarray, device: torch.device) -> None:
        self.pixels = torch.from_numpy(pixels).to(device)

    def draw(self, batch: int, side: int) -> torch.Tensor:
        """(batch, 3, side, side) in -1..1."""
        whole, device = self.pixels.shape[1], self.pixels.device
        rows = torch.randint(len(self.pixels), (batch, 1, 1), device=device)
        along = torch.arange(side, device=device)
        y, x = ((along + torch.randint(whole, (batch, 1), device=device)) % whole for _ in range(2))
        return to_floats(self.pixels[rows, y[:, :, None], x[:, None, :]])


def to_floats(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 (N, H, W, 3) to float32 (N, 3, H, W) in -1..1."""
    return pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


class Tiles:
    """Pools by size, filled by a thread from the crew's rings while the block runs; `crops` where there are real tiles.

    real_folder: see `real`.
    """

    def __init__(
        self,
        crew: Crew,
        settings: Settings,
        known: Tokenizer,
        device: torch.device,
        seed: int,
        real_folder: Path | None,
    ) -> None:
        self._crew, self._first = crew, settings.first
        self.pools: Mapping[int, Pool] = {size: Pool(size, kept, device) for size, kept in settings.kept.items()}
        self.crops: Crops | None = None
        if real_folder is not None:
            for size, pool in self.pools.items():
                pool.real = RealPool(real.for_training(real_folder, size), size, known, device, seed)
                pool.real_share = settings.real[size]
            self.crops = Crops(real.read(real_folder, real.SHARP).pixels, device)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._fill, daemon=True)

    def _fill(self) -> None:
        while not self._ended.wait(0.2):
            for ring in self._crew.rings:
                self.pools[ring.size].take(ring)

    def __enter__(self) -> "Tiles":
        self._thread.start()
        smallest, largest = self.pools[min(self.pools)], self.pools[max(self.pools)]
        while smallest.seen < self._first or not largest.seen:
            self._crew.check()
            time.sleep(0.1)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType) -> None:
        self._ended.set()
        self._thread.join()
