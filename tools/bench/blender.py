# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist notices in Blender: started, told what to measure, and asked. Imports only the standard library."""

import contextlib
import json
import os
import signal
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from addon.core.families.catalogue import resolve
from addon.core.requests.texture import STARTER
from tools import environments
from tools.bench import child
from tools.bench.figures import Figure, median_difference, spread
from tools.bench.setup import Setup
from tools.machine import ROOT, MachineError

SCENE = ROOT / "tools" / "bench" / "blender_scene.py"
TIME_LIMIT_SECONDS = 400
NO_WINDOW = "needs a Blender with a window: name it in BLENDER, or a script that gives it a virtual screen"


def run_in_blender(
    setup: Setup, story: str, *, window: bool, engine: bool = True, limit: float = TIME_LIMIT_SECONDS, **settings: Any
) -> dict[str, Any]:
    """What a story of `blender_scene` reports, from $BLENDER with a window or from the module without one.

    engine: whether the engine's Python is named, or the extension is to install it. limit: seconds until it is ended.

    Raises:
        MachineError: there is no window, Blender died, or the story broke off.
    """
    if window and setup.blender is None:
        raise MachineError(NO_WINDOW)
    assert setup.zip_file
    with tempfile.TemporaryDirectory(prefix="tilewright-bench-") as name:
        folder = Path(name)
        report, file = folder / "report.json", folder / "settings.json"
        settings |= {"settle": 2.0 if setup.quick else 20.0}
        settings |= {"story": story, "zip": str(setup.zip_file), "report": str(report)}
        settings |= {"root": str(ROOT), "folder": str(folder)}
        file.write_text(json.dumps(settings), encoding="utf-8")
        if window:
            command = [str(setup.blender), "--window-geometry", "0", "0", "1280", "800"]
            command += ["--python", str(SCENE), "--", str(file)]
        else:
            command = [str(environments.ensure(environments.BLENDER)), "-B", str(SCENE), str(file)]
        profile = folder / "profile"
        profile.mkdir()  # where it is missing, Blender takes the user's own
        variables = environments.clean_environment() | {
            "BLENDER_USER_RESOURCES": str(profile),
            "TILEWRIGHT_PYTHON": str(setup.python) if engine else "",
        }
        log = folder / "blender.log"
        code = run_group(command, variables, log, limit)
        if not report.is_file():
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise MachineError(f"Blender ended with {code}: {last[0]}")
        told = json.loads(report.read_text(encoding="utf-8"))
    if "error" in told:
        raise MachineError(told["error"])
    return dict(told)


def run_group(command: list[str], variables: dict[str, str], log: Path, limit: float = TIME_LIMIT_SECONDS) -> int:
    """Run a program, and end what it started with it: $BLENDER may be a script that starts a screen as well.

    Raises:
        MachineError: it took too long.
    """
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, env=variables, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired as error:
            raise MachineError(f"Blender did not end within {limit:g} s.") from error
        finally:
            if hasattr(os, "killpg"):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()


def starter_512_s(setup: Setup) -> list[Figure]:
    """Generate to the image in the node, warm; and where the time goes."""
    side, steps = (256, 2) if setup.quick else (512, 0)
    window = setup.blender is not None
    told = run_in_blender(setup, "generate", window=window, side=side, steps=steps, runs=setup.runs(7))
    steps = told["steps"] or resolve(STARTER).defaults.steps  # 0 in the panel: the model's own
    parts = child.call(setup.python, "chain:breakdown", side, steps, setup.runs(5))
    seconds, in_worker = told["seconds"], told["worker"]
    where = "in Blender with a window" if window else "in Blender without a window (it looks every 0.01 s)"
    note = f"{spread(seconds)} s {where}; starter, {side}x{side}, {steps} steps, {told['threads']} threads"
    figures = [
        Figure("starter_512_s", statistics.median(seconds), "s", 1.0, note),
        Figure(
            "starter_512_s.way_s",
            median_difference(seconds, in_worker),
            "s",
            note="Generate to the worker, and from its files through Blender's timer to the node",
        ),
        Figure("starter_512_s.material_s", statistics.median(told["material"]), "s", note="with five maps"),
    ]
    explained = {
        "steps": f"{statistics.median(parts['steps']) / steps:.3f} s a step",
        "seam_metric": "both axes",
        "png": "the picture's and the thumbnail's",
        "fsync": "picture, thumbnail, index, folders",
        "rest": "noise, scheduler, recipe, hooks",
    }
    names = ("text", "steps", "decode", "seam_metric", "thumbnail", "png", "fsync", "rest", "all")
    for name in names:
        figures.append(
            Figure(f"starter_512_s.{name}_s", statistics.median(parts[name]), "s", None, explained.get(name, ""))
        )
    return figures


PARTS_OF_A_GAP = {
    "panel": "the gap where only the panel is drawn again, without a job: the floor of its progress bar",
    "touch": "the gap where one node is added by hand, without a job: the floor of any change to a material",
    "tick": "the longest tick of the extension's own timer: all that it does on the main thread",
    "generate": "the operator itself",
}


def heartbeat_gap_ms(setup: Setup) -> list[Figure]:
    """The longest gap of a 5 ms timer from Generate to applied, less that of as long without a job."""
    side, steps = (256, 2) if setup.quick else (1024, 0)
    told = run_in_blender(
        setup,
        "heartbeat",
        window=True,
        side=side,
        steps=steps,
        runs=setup.runs(3),
        limit=1200,
        vertices=10_000 if setup.quick else 1_000_000,
    )
    figures, parts = [], []
    for scene, gaps in told["scenes"].items():
        milliseconds = {key: [1000 * gap for gap in gaps[key]] for key in ("job", "idle", *PARTS_OF_A_GAP)}
        value = median_difference(milliseconds["job"], milliseconds["idle"])
        note = (
            f"longest gap with a job {spread(milliseconds['job'])} ms ({', '.join(gaps['when'])}), "
            f"without {spread(milliseconds['idle'])} ms"
        )
        figures.append(Figure(f"heartbeat_gap_ms.{scene}_ms", value, "ms", None, note))
        over = median_difference(milliseconds["job"], milliseconds["touch"])
        note = "the gap with a job less that of one node added by hand: what is ours"
        figures.append(Figure(f"heartbeat_gap_ms.{scene}_over_touch_ms", over, "ms", None, note))
        for key, meaning in PARTS_OF_A_GAP.items():
            name = f"heartbeat_gap_ms.{scene}_{key}_ms"
            parts.append(Figure(name, statistics.median(milliseconds[key]), "ms", None, meaning))
    worst = max(figures, key=lambda figure: figure.value or 0.0)
    note = (
        f"the worse of both scenes, {side}x{side}, real worker, {told['threads']} threads, "
        f"window 1280x800 with the panel open, {told['renderer']}"
    )
    return [Figure("heartbeat_gap_ms", worst.value, "ms", 16, note), *figures, *parts]


def idle_cpu_percent(setup: Setup) -> list[Figure]:
    """The processor's time that Blender takes while nobody does anything: enabled less disabled."""
    told = run_in_blender(
        setup, "idle", window=True, side=256, steps=2, runs=setup.runs(3), seconds=1.0 if setup.quick else 6.0
    )
    alone = median_difference(told["enabled"], told["disabled"])
    note = f"enabled {spread(told['enabled'])} %, disabled {spread(told['disabled'])} %; 100 % is one core"
    figures = [Figure("idle_cpu_percent", alone, "%", 0.1, note)]
    for name, note in (
        ("blender_with_worker", "Blender, with a worker that has a model and nothing to do, less Blender disabled"),
        ("worker", "that worker"),
    ):
        values = told[name]
        value = None
        if values:
            value = median_difference(values, told["disabled"]) if name != "worker" else statistics.median(values)
        figures.append(Figure(f"idle_cpu_percent.{name}", value, "%", None, note))
    return figures


def heartbeat_gap_4096_ms(setup: Setup) -> list[Figure]:
    """The longest gap of a 5 ms timer while a color and its five maps come into a material, less that of one new node.

    Any change to a material has Blender draw its window anew, which takes long without a graphics card and is not ours.
    """
    side, scale = (64, 2) if setup.quick else (512, 8)
    told = run_in_blender(setup, "apply_maps", window=True, side=side, steps=1, scale=scale, runs=setup.runs(5))
    keys = ("apply", "touch", "idle", "tick", "busy", "decode", "pack")
    milliseconds = {key: [1000 * value for value in told[key]] for key in keys}
    note = (
        f"longest gap {spread(milliseconds['apply'])} ms, where one node is added by hand "
        f"{spread(milliseconds['touch'])} ms, idle {spread(milliseconds['idle'])} ms; six PNG of "
        f"{side * scale}x{side * scale}, {told['megabytes']:.0f} MB each, into a new material; window 1280x800, Solid, "
        f"{told['renderer']}"
    )
    gap = median_difference(milliseconds["apply"], milliseconds["touch"])
    parts = {
        "tick": "the extension's own part of it: images, nodes, undo step",
        "busy": "the processor's time of that, which other programs do not stretch",
        "decode": "apart: the first decode and upload of one, as a viewport does",
        "pack": "apart: putting all six into the .blend, when it is saved",
    }
    return [
        Figure("heartbeat_gap_4096_ms", gap, "ms", 16, note),
        *(
            Figure(f"heartbeat_gap_4096_ms.{name}_ms", statistics.median(milliseconds[name]), "ms", None, meaning)
            for name, meaning in parts.items()
        ),
    ]
