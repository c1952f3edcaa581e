# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions with a scripted worker, and the check that nothing is left of them."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from addon.core.jobs import Job
from addon.core.protocol import TERMINAL, Phase
from addon.core.requests.texture import Size, TextureRequest
from addon.core.results import PART
from addon.host import runtime
from addon.host.deadlines import Deadlines
from addon.host.process import local_workers
from addon.host.session import Event, Session
from addon.host.store import Store
from tests.fake import make_fake_python

PATIENT = 20.0  # seconds after which a test gives up; the machine may be busy


_earlier: set[int] = set()  # children that this process had when the test began: no business of its


@pytest.fixture(autouse=True)
def _own_children() -> None:
    """A process that an earlier test left, or a library (seen once, under load), must not fail all that come after."""
    _earlier.clear()
    _earlier.update(children())


def children() -> set[int]:
    """The process ids of this process' children since the test began, dead but unreaped ones included."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # ended meanwhile
        if parent == os.getpid():
            found.add(int(folder.name))
    return found - _earlier


def is_running(process: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: Callable[[], bool], limit: float = PATIENT, what: str = "") -> float:
    """Wait for the condition; returns how long it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < limit, f"not within {limit} s: {what or condition}"
        time.sleep(0.01)
    return time.monotonic() - begin


def our_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("tilewright")]


class Bench:
    """A session with a scripted worker in a folder of its own, and all events that it gave."""

    def __init__(self, folder: Path, behaviour: dict[str, Any], **settings: Any) -> None:
        self.folder = folder
        self.behave(behaviour)
        self.store = Store(folder / "store")
        self.events: list[Event] = []
        find = lambda: runtime.find(str(folder / "fake" / "python"))  # noqa: E731
        log, idle = settings.pop("log", folder / "worker.log"), settings.pop("idle_seconds", 600.0)
        start_worker = local_workers(log, self.store.clean_parts, idle)
        settings = {
            "store": self.store,
            "find_runtime": find,
            "start_worker": start_worker,
            "product": "test",
        } | settings
        self.session = Session(**settings)

    def behave(self, behaviour: dict[str, Any]) -> None:
        """What workers that start from now on do."""
        make_fake_python(self.folder / "fake", behaviour)

    def submit(self, prompt: str = "bricks", **fields: Any) -> Job:
        return self.session.submit(TextureRequest(prompt, **{"size": Size(64, 64), "steps": 4} | fields))

    def pump(self) -> None:
        self.events += self.session.pump()

    def until(self, condition: Callable[[], bool], limit: float = PATIENT, what: str = "") -> float:
        """Pump until then; returns how long it took."""

        def pumped() -> bool:
            self.pump()
            return condition()

        return until(pumped, limit, what)

    def reach(self, job: Job, phase: Phase) -> None:
        self.until(lambda: job.ended or bool(job.progress and job.progress.phase is phase), what=phase.name)
        assert not job.ended, job.error

    def run(self, prompt: str = "bricks", **fields: Any) -> Job:
        job = self.submit(prompt, **fields)
        self.until(lambda: job.ended)
        return job

    def ends(self, job: Job) -> list[Any]:
        """The terminal messages of a job that were told so far."""
        return [event.message for event in self.events if event.job is job and isinstance(event.message, TERMINAL)]

    def parts(self) -> list[str]:
        return (
            [name for name in os.listdir(self.store.root) if name.startswith(PART)] if self.store.root.is_dir() else []
        )

    def assert_next_job_works(self) -> None:
        """Part of every fault: what comes after it is whole."""
        before = len(self.store.results())
        job = self.run("the next one")
        assert job.state.value == "finished", job.error
        assert len(self.store.results()) == before + 1
        assert self.parts() == []


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes a bench: `bench(behaviour, **settings of Session)`. Afterwards no thread and no process may be left."""
    benches: list[Bench] = []
    threads, processes = len(our_threads()), children()

    def make(behaviour: dict[str, Any] | None = None, **settings: Any) -> Bench:
        made = Bench(
            tmp_path / "bench" if not benches else tmp_path / f"bench{len(benches)}", behaviour or {}, **settings
        )
        benches.append(made)
        return made

    yield make
    for made in benches:
        begin = time.monotonic()
        made.session.close()
        assert time.monotonic() - begin < 1.5
        made.pump()
        jobs = {event.job for event in made.events}
        assert all(job.ended and len(made.ends(job)) == 1 for job in jobs), "each job ends once"
    until(lambda: len(our_threads()) == threads, 3.0, "threads are back")
    until(lambda: children() <= processes, 3.0, "processes are back")


def impatient(**changes: Any) -> Deadlines:
    """Deadlines for tests: a second for hello and every phase."""
    return Deadlines(**{"hello": 1.0, "silence": 30.0, "cancel": 0.5, "phases": dict.fromkeys(Phase, 1.0)} | changes)


def fault(do: str, phase: str, **more: Any) -> dict[str, Any]:
    """A behaviour in which only jobs with "trouble" in their prompt have it."""
    return {"faults": [{"do": do, "phase": phase, "prompt": "trouble", **more}]}
