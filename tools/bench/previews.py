# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pictures in the making cost. Imports the standard library, core and host."""

import tempfile
from dataclasses import replace
from pathlib import Path

from addon.core.requests.texture import TextureRequest
from tools.bench.against_bare import PREFIX, starter_request
from tools.bench.engine import Engine
from tools.bench.figures import Figure, in_turn, median_ratio, spread
from tools.bench.setup import Setup

SECONDS = 4.0  # that a job has to take at least, so that several previews fall into it


def preview_over_none(setup: Setup) -> list[Figure]:
    """A picture with previews of its steps over one without, warm and in turn; as many steps as make several."""
    wanted = starter_request(setup)
    numbers = iter(range(10_000))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name, Engine(setup.python, Path(name)) as engine:

        def make(previews: bool, request: TextureRequest) -> float:
            engine.session.previews = previews
            number = next(numbers)
            return engine.make(replace(request, prompt=f"{request.prompt} {number}", seed=number))[0]

        make(True, wanted)  # loads the model, and fits the map
        warm = make(False, wanted)
        if not setup.quick:
            steps = min(max(round(wanted.steps * SECONDS / warm), wanted.steps), 100)
            wanted = replace(wanted, steps=steps)
        mine, others = in_turn((lambda: make(True, wanted), lambda: make(False, wanted)), setup.runs(9))
        shown = engine.previews
    note = (
        f"with {spread(mine)} s, without {spread(others)} s; starter, {wanted.size}, {wanted.steps} steps, "
        f"{shown} previews in all"
    )
    return [Figure("preview_over_none", median_ratio(mine, others), "ratio", 1.02, note)]
