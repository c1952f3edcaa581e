# SPDX-License-Identifier: GPL-3.0-or-later
"""A working year in a minute: a thousand jobs with a hundred blows at random, and nothing may be lost or left over."""

import gc
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import addon_utils
import bpy
from common import PACKAGE, addon, fresh, push_undo, redo, start, undo, wish
from files import children
from lifecycle import _footprint as footprint
from lifecycle import _settle as settle_after_disabling

BLOWS = ("kill", "cancel", "load", "undo")
# bpy 4.5 as a module crashes when it undoes a new image while any thread runs Python, also without us: a plain script
# with a thread that decodes JSON does it. A real Blender does not.
CAN_UNDO = bool(bpy.app.binary_path)
DEPTH = 3  # jobs in the queue
SECONDS = 240.0


def jobs_and_blows(jobs: int, blows: int, seed: int) -> dict[str, int]:
    """How many jobs ended how. Each blow strikes while the job of its number is in the queue."""
    chance = random.Random(seed)
    pump, state = addon("jobs.pump"), addon("common.state")
    addon_utils.disable(PACKAGE)
    disabled = footprint()
    addon_utils.enable(PACKAGE)
    fresh()
    push_undo("start")
    _blow("load", [], chance)

    when = sorted(chance.sample(range(jobs), blows))
    kinds = BLOWS if CAN_UNDO else BLOWS[:-1]
    plan = {number: kinds[index % len(kinds)] for index, number in enumerate(when)}
    made: list[Any] = []
    struck = dict.fromkeys(BLOWS, 0)
    workers: set[str] = set()
    before: dict[str, Any] = {}
    end = time.monotonic() + SECONDS
    while len(made) < jobs or state.current.session.jobs or state.current.waiting:
        assert time.monotonic() < end, f"{len(made)} jobs in {SECONDS} s; error: {state.current.error}"
        queued = len(state.current.session.jobs) if state.current.session else 0
        if len(made) < jobs and queued < DEPTH:
            blow = plan.get(len(made))
            made.append(start(prompt=f"job {len(made)}", count=chance.choice((1, 1, 1, 2)), seed=len(made)))
            for _ in range(chance.randrange(8) if blow else 0):  # somewhere in a job
                pump.tick()
                time.sleep(0.002)
            if blow:
                workers.update(children())
                _blow(blow, made, chance)
                struck[blow] += 1
            if len(made) == jobs // 10:  # by now everything was imported and opened that is needed once for all
                _blow("load", made, chance)
                before = _left_over()
        pump.tick()
        time.sleep(0.001)

    assert sum(struck.values()) == blows
    _is_all_there(made)
    _blow("load", made, chance)
    after = _left_over()
    assert after == before, {name: (before[name], after[name]) for name in after if after[name] != before[name]}
    assert state.current.targets == {}
    workers.update(children())
    addon_utils.disable(PACKAGE)
    settle_after_disabling(disabled)
    assert not [process for process in workers if Path(f"/proc/{process}").exists()], "a worker lives on"
    addon_utils.enable(PACKAGE)
    return {name: [job.state.value for job in made].count(name) for name in ("finished", "failed", "cancelled")}


def _blow(kind: str, made: list[Any], chance: random.Random) -> None:
    session = addon("common.state").current.session
    match kind:
        case "kill":
            for process in children():
                os.kill(int(process), signal.SIGKILL)
        case "cancel":
            waiting = list(session.jobs)
            if waiting:
                session.cancel(chance.choice(waiting))
        case "undo":
            _undo(chance.random() < 0.5)
        case "load":
            fresh()
            wish(use_random_seed=False)
            push_undo("start")


def _undo(and_redo: bool) -> None:
    """Take the last step back, unless there is none."""
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        if not bpy.ops.ed.undo.poll():
            return
    undo()
    if and_redo:
        redo()


def _is_all_there(made: list[Any]) -> None:
    """Each job has ended, and every result that anybody was told of is whole, on disk and listed."""
    assert all(job.ended for job in made)
    assert all(len(job.results) == job.request.count for job in made if job.state.value == "finished")
    store = addon("jobs.generation").Store(addon("common.preferences").store_folder())
    told = {result.folder for job in made for result in job.results.values()}
    listed = {result.folder for result in store.results()}
    # killed between the rename and the message, a worker leaves a whole result that nobody was told of
    assert told <= listed, f"{len(told - listed)} results are lost"
    assert len(listed - told) <= len(made) // 10
    assert all(job.error is None or "signal 9" in job.error.message for job in made), "failed for another reason"


def _left_over() -> dict[str, Any]:
    """What grows where something is not let go; of an empty file, and with the worker there or not."""
    gc.collect()
    data = {name: len(getattr(bpy.data, name)) for name in dir(bpy.data) if _is_collection(name)}
    ours = sorted(thread.name for thread in threading.enumerate() if not thread.name.startswith("tilewright"))
    return {"datablocks": data, "other threads": ours}


def _is_collection(name: str) -> bool:
    return isinstance(getattr(bpy.data, name), bpy.types.bpy_prop_collection)
