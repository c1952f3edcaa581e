# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a job will take, from how long such jobs took here. Arithmetic only: imports the standard library and core.

The worker measures a `Pace` and estimates with it; the host keeps what was measured (`host.paces`), and gives it to the
worker with the next job of the kind.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .requests import Request

MAX_SECONDS = 1e6  # of one part; what claims to take longer was not measured


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that the parts of a job take, None where that is not known.

    start: until the engine is imported. load: until the model is loaded. Both only where they were not there yet.
    step: one sampling step. beside: what a picture takes besides its steps: prompt, decoding, saving.
    """

    start: float | None = None
    load: float | None = None
    step: float | None = None
    beside: float | None = None

    def to_json(self) -> dict[str, float | None]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Pace":
        """The reverse of `to_json`. Raises TypeError or ValueError on anything else."""
        pace = cls(**data)
        for field in fields(cls):
            seconds = getattr(pace, field.name)
            if seconds is not None and not is_seconds(seconds):
                raise ValueError(f"{field.name} is {seconds!r}")
        return pace


UNKNOWN = Pace()


def is_seconds(value: object) -> bool:
    """Whether it is a number of seconds that something may have taken."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value <= MAX_SECONDS


def keys(request: Request, device: str, memory: str) -> tuple[str, str]:
    """Names of what is alike in its seconds: first for `start` and `load`, then for `step` and `beside`.

    device, memory: as the session was given them; see `protocol.Start`.
    """
    model = f"{request.model} | {device} | {memory}"
    return model, f"{model} | {request.pace_key}"


def remaining(pace: Pace, request: Request, *, loading: bool, image: int = 0, step: int = 0) -> float | None:
    """Seconds until a job ends whose picture `image` (from 0) has `step` steps; None while a step's are not known.

    loading: whether the engine and the model have yet to be loaded.
    """
    if pace.step is None or not request.is_sampled:
        return None
    pictures = request.count - image
    steps = max(pictures * request.steps - step, 0)
    before = (pace.start or 0.0) + (pace.load or 0.0) if loading else 0.0
    return before + steps * pace.step + pictures * (pace.beside or 0.0)
