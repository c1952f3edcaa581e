# SPDX-License-Identifier: GPL-3.0-or-later
"""What the worker costs over the bare script, warm and cold. Imports the standard library, core and host."""

import tempfile
import time
from pathlib import Path

from addon.core.families.catalogue import STARTER_FOLDER, resolve
from addon.core.requests.texture import STARTER, Size, TextureRequest
from tools.bench.engine import Bare, Engine, tick_seconds
from tools.bench.figures import Figure, in_turn, median_ratio, spread
from tools.bench.setup import Setup

PREFIX = "tilewright-bench-"  # of temporary folders


def worker_over_bare(setup: Setup) -> list[Figure]:
    """Wall per picture, both warm. Every picture has a prompt and a seed of its own, so that no cache helps."""
    mine, others = in_turn_with_bare(setup, starter_request(setup), STARTER_FOLDER)
    wanted = starter_request(setup)
    note = f"worker {spread(mine)} s, bare {spread(others)} s; starter, {wanted.size}, {wanted.steps} steps"
    return [Figure("worker_over_bare", median_ratio(mine, others), "ratio", 1.03, note)]


def in_turn_with_bare(
    setup: Setup, wanted: TextureRequest, model: Path, runs: int = 7
) -> tuple[list[float], list[float]]:
    """Seconds a picture of the worker, and of the bare script, on the setup's device."""
    numbers = iter(range(10_000))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        with (
            Engine(setup.python, folder, setup.device) as engine,
            Bare(setup.python, folder, wanted, model, setup.device) as bare,
        ):
            bare.expect("ready")
            for side in (engine, bare):
                for _ in range(2):
                    side.make(_another(wanted, next(numbers)))
            mine, others = in_turn(
                (
                    lambda: engine.make(_another(wanted, next(numbers)))[0],
                    lambda: bare.make(_another(wanted, next(numbers)))[0],
                ),
                setup.runs(runs),
            )
    return mine, others


def cold_over_bare(setup: Setup) -> list[Figure]:
    """From Generate, without a worker, to the first step; over the bare script's start, import and load."""
    wanted = starter_request(setup)
    tick = tick_seconds()

    def worker() -> float:
        with tempfile.TemporaryDirectory(prefix=PREFIX) as folder, Engine(setup.python, Path(folder)) as engine:
            seconds, job = engine.until_first_step(wanted, tick)
            engine.cancel(job)
            return seconds

    def script() -> float:
        with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
            begun = time.monotonic()
            with Bare(setup.python, Path(folder), wanted, STARTER_FOLDER) as bare:
                bare.expect("ready")
                return time.monotonic() - begun

    worker(), script()  # so that the files are in the system's cache for both
    mine, others = in_turn((worker, script), setup.runs(4))
    note = f"worker {spread(mine)} s, bare {spread(others)} s; Blender's timer looks every {tick:g} s"
    return [Figure("cold_over_bare", median_ratio(mine, others), "ratio", 1.05, note)]


def starter_request(setup: Setup) -> TextureRequest:
    """What an artist gets without touching anything; smaller and shorter where it has to be quick."""
    defaults = resolve(STARTER).defaults
    side = 256 if setup.quick else defaults.size
    steps = 2 if setup.quick else defaults.steps
    return TextureRequest(
        "mossy red brick wall", size=Size(side, side), steps=steps, guidance_scale=defaults.guidance_scale, seed=1
    )


def _another(request: TextureRequest, number: int) -> TextureRequest:
    return TextureRequest(
        f"{request.prompt} {number}",
        size=request.size,
        steps=request.steps,
        guidance_scale=request.guidance_scale,
        seed=number,
        model=request.model,
    )
