# SPDX-License-Identifier: GPL-3.0-or-later
"""How quickly a job ends that is cancelled, and how soon the next one begins. Standard library, core and host."""

import math
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from addon.core.jobs import Job
from addon.core.protocol import Phase
from addon.core.requests.texture import Size, TextureRequest
from tools.bench import child
from tools.bench.engine import Engine, tick_seconds
from tools.bench.figures import Figure
from tools.bench.setup import Setup

GOAL = 0.2


def cancel_s(setup: Setup) -> list[Figure]:
    """Cancel to "cancelled" in every phase, with a model of Stable Diffusion 1.5's size and random weights.

    The panel shows the worker's answer at the next tick of Blender's timer, so it is rounded up to one.
    """
    with tempfile.TemporaryDirectory(prefix="tilewright-bench-") as name:
        folder = Path(name)
        model = folder / "model"
        parameters = child.call(setup.python, "networks:save_model", model, 32 if setup.quick else 320)
        side = 64 if setup.quick else 256
        request = TextureRequest("red brick", size=Size(side, side), steps=2, guidance_scale=7.0, model=str(model))
        cancels, following = measure(setup, folder, request)
    tick = tick_seconds()
    worst = max(cancels, key=lambda phase: cancels[phase])
    seen = math.ceil(cancels[worst] / tick) * tick
    answers = ", ".join(f"{phase.name.lower()} {seconds * 1000:.0f} ms" for phase, seconds in cancels.items())
    nexts = ", ".join(f"{phase.name.lower()} {seconds:.1f} s" for phase, seconds in following.items())
    size = f"{parameters / 1e6:.0f} M weights, {request.size}, float32"
    return [
        Figure("cancel_s", seen, "s", GOAL, f"worst: {worst.name.lower()}; {size}; up to the next tick of {tick:g} s"),
        Figure("cancel_s.worker_s", cancels[worst], "s", None, f"the worker's slowest answer in each phase: {answers}"),
        Figure(
            "cancel_s.next_step_s",
            max(following.values()),
            "s",
            None,
            f"the same request again, until its first step, after a cancel in: {nexts}",
        ),
    ]


def measure(setup: Setup, folder: Path, request: TextureRequest) -> tuple[dict[Phase, float], dict[Phase, float]]:
    """For each phase the slowest answer to a cancel, and the longest time until the next job's first step."""
    cancels: dict[Phase, float] = defaultdict(float)
    following: dict[Phase, float] = defaultdict(float)

    def strike(engine: Engine, job: Job, phase: Phase, delay: float) -> None:
        """Cancel the job in that phase; then see how soon the next one steps, and cancel that too."""
        engine.until(job, phase)
        time.sleep(delay)
        seconds, cancelled = engine.cancel(job)
        if cancelled:
            cancels[phase] = max(cancels[phase], seconds)
        seconds, job = engine.until_first_step(request)
        following[phase] = max(following[phase], seconds)
        time.sleep(0.3)  # into the step
        seconds, _ = engine.cancel(job)
        cancels[Phase.SAMPLING] = max(cancels[Phase.SAMPLING], seconds)

    # A worker that has yet to import torch, cancelled at several moments of that and of the loading
    for delay in (0.1,) if setup.quick else (0.5, 2.0):
        with Engine(setup.python, folder) as engine:
            strike(engine, engine.session.submit(request), Phase.STARTING, delay)
    with Engine(setup.python, folder) as engine:
        for delay in (0.0,) if setup.quick else (0.3, 2.0):
            strike(engine, engine.session.submit(request), Phase.LOADING, delay)
            engine.session.free()
        for phase in (Phase.ENCODING, Phase.SAMPLING, Phase.DECODING, Phase.SAVING):
            for delay in (0.0,) if setup.quick or phase is Phase.SAVING else (0.0, 0.2):
                strike(engine, engine.session.submit(request), phase, delay)
    return dict(cancels), dict(following)
