# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker and the bare script, driven as Blender does it. Imports the standard library, core and host."""

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from addon.core.jobs import Job
from addon.core.protocol import TERMINAL, Cancelled, Failed, Message, Phase, Preview, Progress
from addon.core.requests.texture import TextureRequest
from addon.host.process import local_workers
from addon.host.runtime import Runtime
from addon.host.session import Session
from addon.host.ssh import Place
from addon.host.ssh_link import ssh_workers
from addon.host.store import Store
from tools.bench import child
from tools.machine import ROOT, MachineError

PATIENCE = 300.0  # seconds for anything
LOOK_SECONDS = 0.001  # between two looks at what the worker said


def tick_seconds() -> float:
    """How often Blender's timer looks at what the worker said: the interval in addon/blender/jobs/pump.py."""
    source = (ROOT / "addon" / "blender" / "jobs" / "pump.py").read_text(encoding="utf-8")
    found = re.search(r"^_INTERVAL = ([\d.]+)", source, re.MULTILINE)
    if found is None:
        raise MachineError("tools/bench/engine.py does not find the timer's interval in addon/blender/jobs/pump.py.")
    return float(found[1])


class Engine:
    """A session with a worker of its own; a context manager that ends both.

    python: the worker's. folder: takes results and log. place: of a worker behind ssh. `previews` counts what was shown
    of pictures in the making.
    """

    def __init__(self, python: Path, folder: Path, device: str = "cpu", place: Place | None = None) -> None:
        self.previews = 0
        store = Store(folder / "results")
        log = folder / "engine.log"
        start = ssh_workers(place, log, store, "bench") if place else local_workers(log, store.clean_parts)
        self.session = Session(
            store=store,
            find_runtime=lambda: Runtime(python, "bench"),
            start_worker=start,
            product="bench",
            device=device,
            memory="full",
        )

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType) -> None:
        self.session.close()

    def make(self, request: TextureRequest) -> tuple[float, Path]:
        """Seconds from asking for a picture to being told that all is done; the picture's file."""
        begun = time.monotonic()
        job = self.session.submit(request)
        self.wait(job, lambda message: isinstance(message, TERMINAL))
        seconds = time.monotonic() - begun
        return seconds, job.results[0].path()

    def until_first_step(self, request: TextureRequest, look_seconds: float = LOOK_SECONDS) -> tuple[float, Job]:
        """Seconds from asking for a picture to the beginning of its first step; the job, which goes on."""
        begun = time.monotonic()
        job = self.session.submit(request)
        self.until(job, Phase.SAMPLING, look_seconds)
        return time.monotonic() - begun, job

    def until(self, job: Job, phase: Phase, look_seconds: float = LOOK_SECONDS) -> None:
        """Wait until the job is in that phase, or past it."""

        def there(message: Message) -> bool:
            return isinstance(message, Progress) and message.phase.order >= phase.order

        self.wait(job, there, look_seconds)

    def cancel(self, job: Job) -> tuple[float, bool]:
        """Seconds from asking for the end to being told of it; whether the job was cancelled and had not just ended."""
        begun = time.monotonic()
        self.session.cancel(job)
        last = self.wait(job, lambda message: isinstance(message, TERMINAL))
        return time.monotonic() - begun, isinstance(last, Cancelled)

    def wait(self, job: Job, wanted: Callable[[Message], bool], look_seconds: float = LOOK_SECONDS) -> Message:
        """Look again and again, until such a message of the job comes. Raises MachineError if it fails before."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for event in self.session.pump():
                self.previews += isinstance(event.message, Preview)
                if event.job is not job:
                    continue
                if wanted(event.message):
                    return event.message
                if isinstance(event.message, Failed):
                    raise MachineError(f"The worker failed: {event.message.error}")
            time.sleep(look_seconds)
        raise MachineError(f"The worker did not answer within {PATIENCE:g} s.")


class Bare:
    """The bare script in a process of its own; a context manager that ends it."""

    def __init__(self, python: Path, folder: Path, request: TextureRequest, model: Path, device: str = "cpu") -> None:
        settings = {
            "width": request.size.width,
            "height": request.size.height,
            "num_inference_steps": request.steps,
            "guidance_scale": request.guidance_scale,
        }
        self._folder = folder
        self._log = (folder / "bare.log").open("a+", encoding="utf-8")
        self._process = subprocess.Popen(
            child.command(python, "bare:main", model, settings, device),
            cwd=ROOT,
            env=child.variables(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> "Bare":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def make(self, request: TextureRequest) -> tuple[float, Path]:
        """As `Engine.make`, in the bare script."""
        path = self._folder / f"bare-{request.seed}.png"
        begun = time.monotonic()
        assert self._process.stdin
        line = json.dumps({"prompt": request.prompt, "seed": request.seed, "path": str(path)})
        self._process.stdin.write(line + "\n")
        self.expect("saved")
        return time.monotonic() - begun, path

    def expect(self, word: str) -> None:
        """Wait until the script says that word."""
        assert self._process.stdout
        if self._process.stdout.readline().strip() != word:
            self._log.seek(0)
            last = self._log.read().strip().splitlines()[-1:] or ["it said nothing"]
            raise MachineError(f"The bare script ended: {last[0]}")
