# SPDX-License-Identifier: GPL-3.0-or-later
"""A training stage's clock, learning rate, averaged weights and checkpoints, shared by all stages. May import torch."""

import copy
import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import cache

SAVE_EVERY = 60.0
MOST_SKIPPED = 20  # batches in a row


def learning_rate(peak: float, step: int, progress: float, warmup: int = 100) -> float:
    """Linear warm-up over `warmup` steps, then half a cosine down to zero at `progress` = 1."""
    return peak * min(1.0, (step + 1) / warmup) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))


class Stage:
    """One model being trained for a number of minutes; a killed run goes on from its last checkpoint.

    Time counts only while training, so an interrupted stage still gets all of its minutes. Progress is a share of the
    time and not of the steps, because the machine's speed is not known beforehand.
    """

    def __init__(self, name: str, model: nn.Module, folder: Path, minutes: float, peak: float, seed: int, decay: float):
        self.name, self.model, self.path = name, model, folder / f"{name}.ckpt"
        self.budget, self.peak, self.decay = minutes * 60.0, peak, decay
        trainable = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trainable, peak, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
        self.average = copy.deepcopy(model).eval().requires_grad_(False)
        self.step, self.seconds, self.seed, self.skipped = 0, 0.0, seed, 0
        self.log: list[list[float]] = []
        self._trainable = trainable
        state = cache.load(self.path)
        if state is not None:
            self.restore(state)
        cache.seed_everything(seed + self.step)
        self._saved = self._tick = time.monotonic()

    def restore(self, state: dict[str, Any]) -> None:
        """Take up weights, optimizer, clock and log from a checkpoint."""
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.log = state["step"], state["seconds"], state["log"]

    @property
    def progress(self) -> float:
        return self.seconds / self.budget if self.budget > 0 else 1.0

    @property
    def done(self) -> bool:
        return self.progress >= 1.0

    def update(self, loss: torch.Tensor) -> None:
        """Backward, one step of the optimizer and of the average; saves when it is time to.

        A batch whose loss or gradient is no number is left out: one in some hundred was, on a card at 256 px.

        Raises:
            FloatingPointError: so many in a row were no numbers that it is not the batch.
        """
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self._trainable, 1.0)
        if not bool(torch.isfinite(loss.detach() + norm)):
            self.optimizer.zero_grad(set_to_none=True)
            self.skipped += 1
            if self.skipped >= MOST_SKIPPED:
                raise FloatingPointError(f"{self.name}: loss {loss.item()}, gradient {norm.item()} at step {self.step}")
            self._count_time()
            return
        self.skipped = 0
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.peak, self.step, self.progress)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        # Short averages at first, so that an early export is of use.
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1.0 - decay)
        self.step += 1
        self._count_time()
        if self._tick - self._saved > SAVE_EVERY or self.done:
            self.save()

    def _count_time(self) -> None:
        now = time.monotonic()
        self.seconds += now - self._tick
        self._tick = now

    def report(self, **figures: float) -> None:
        """Print figures and keep them in the checkpoint's log as [step, seconds, *figures]."""
        self.log.append([float(self.step), self.seconds, *figures.values()])
        text = " ".join(f"{name} {value:.4f}" for name, value in figures.items())
        print(f"{self.name}: step {self.step} at {self.seconds:.0f}/{self.budget:.0f} s: {text}", flush=True)

    def pause(self) -> None:
        """Call after work that is not training, such as drawing samples: its time is not counted."""
        self._tick = time.monotonic()

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "log": self.log,
        }
        cache.save(self.path, state)
        self._saved = time.monotonic()
        self.pause()
