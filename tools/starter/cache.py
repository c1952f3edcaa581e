# SPDX-License-Identifier: GPL-3.0-or-later
"""Where trainings keep data and checkpoints, outside the repository, and how they compute. May import numpy, torch."""

import os
import random
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

REPOSITORY = Path(__file__).resolve().parents[2]
MODEL = REPOSITORY / "addon" / "models" / "starter"


def default_cache() -> Path:
    """The user's cache folder for this work, by the XDG rules."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tilewright" / "starter"


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def mixed_precision(device: torch.device | None = None) -> AbstractContextManager[object]:
    """bfloat16 where the device multiplies it, else nothing: without such instructions it is slower than float32.

    device: the processor, where none is given.
    """
    kind = device.type if device is not None else "cpu"
    if kind == "cpu" and not (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()):
        return nullcontext()
    return torch.autocast(kind, torch.bfloat16)


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that a kill at any moment leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part")
    torch.save(state, scratch)
    os.replace(scratch, path)


def load(path: Path) -> dict[str, Any] | None:
    """The checkpoint at `path`, or None if there is none yet. Only tensors and plain values are read."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
