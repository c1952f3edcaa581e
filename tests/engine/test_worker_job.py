# SPDX-License-Identifier: GPL-3.0-or-later
"""One job between the diffusion thread and the main thread: what a cancel may and may not come between."""

import io
import statistics
import sys
import threading
import time
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from addon.core import results
from addon.core.errors import ErrorKind, UserError
from addon.core.pace import Pace
from addon.core.protocol import Cancelled, Failed, Finished, Free, ImageDone, Message, Note, Phase, Progress, Start
from addon.core.recipe import Recipe
from addon.core.requests.texture import TextureRequest
from addon.core.results import Draft, Result
from addon.engine.worker import JobCancelled, RunningJob


@dataclass
class Pipe:
    """Stands in for the pipe to the host."""

    sent: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def kinds(self) -> list[str]:
        return [type(message).__name__ for message in self.sent]


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


@pytest.fixture
def job(pipe: Pipe, tmp_path: Path) -> RunningJob:
    return RunningJob(Start("j", TextureRequest("bricks", count=2, steps=4), str(tmp_path / "store")), pipe)  # type: ignore[arg-type]


def publish(job: RunningJob, *, before_rename: Callable[[], None] = lambda: None) -> None:
    """Write a picture and publish it, with something that happens when all of it is on disk and it may appear."""

    class Between(Draft):
        def publish(self, result: Result, *, allowed: Callable[[], bool] = lambda: True) -> Result | None:
            def ask() -> bool:
                answer = allowed()
                before_rename()
                return answer

            return super().publish(result, allowed=ask)

    store = Path(job.start.store)
    with results.draft(store, "bricks", 1) as draft:
        (draft.folder / "base_color.png").write_bytes(b"picture")
        files = {results.BASE_COLOR: "base_color.png"}
        result = Result(draft.folder, files, Recipe(job.start.request.single(0), "fingerprint"))
        job.publish(0, Between(draft.root, draft.folder, draft.name), result)


def test_a_cancelled_job_publishes_nothing_and_says_nothing_more(job: RunningJob, pipe: Pipe) -> None:
    job.cancel()
    with pytest.raises(JobCancelled):
        publish(job)
    for say in (lambda: job.progress(Phase.SAVING), lambda: job.note("late"), job.check):
        with pytest.raises(JobCancelled):
            say()
    job.finish(Finished("j", 1.0))
    job.finish(Failed("j", UserError(ErrorKind.BUG, "late")))
    job.cancel()
    assert pipe.kinds() == ["Cancelled"]
    assert list(Path(job.start.store).iterdir()) == []


def test_a_cancel_that_comes_while_a_picture_appears_waits_until_it_is_announced(job: RunningJob, pipe: Pipe) -> None:
    canceller = threading.Thread(target=job.cancel)
    seen: list[list[str]] = []

    def cancel_now() -> None:
        canceller.start()
        time.sleep(0.2)  # long enough for a cancel that did not wait
        seen.append(pipe.kinds())

    publish(job, before_rename=cancel_now)
    canceller.join(5)
    assert seen == [[]]
    assert pipe.kinds() == ["ImageDone", "Cancelled"]
    (folder,) = Path(job.start.store).iterdir()
    assert results.load(folder)


def test_a_failure_while_publishing_leaves_the_job_free_to_be_cancelled(job: RunningJob, pipe: Pipe) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError):
        publish(job, before_rename=full)
    canceller = threading.Thread(target=job.cancel)  # from another thread: the lock must be open again
    canceller.start()
    canceller.join(5)
    assert pipe.kinds() == ["Cancelled"]


def test_exactly_one_of_many_ends_is_told(job: RunningJob, pipe: Pipe) -> None:
    ready = threading.Barrier(9)

    def end(how: Callable[[], None]) -> None:
        ready.wait()
        how()

    ways = [
        job.cancel,
        lambda: job.finish(Finished("j", 1.0)),
        lambda: job.finish(Failed("j", UserError(ErrorKind.BUG, "x"))),
    ]
    threads = [threading.Thread(target=end, args=(way,)) for way in ways * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(pipe.sent) == 1
    assert isinstance(pipe.sent[0], Cancelled | Finished | Failed)


def test_the_time_that_is_left_comes_from_the_steps_that_were_made(
    job: RunningJob, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def at(second: float, phase: Phase, image: int, step: int = 0) -> float | None:
        clock[0] = 100 + second
        job.progress(phase, image, step, 4 if phase is Phase.SAMPLING else 0)
        last = pipe.sent[-1]
        assert isinstance(last, Progress)
        return last.remaining

    assert at(30, Phase.ENCODING, 0) is None
    assert at(31, Phase.SAMPLING, 0) is None
    assert at(41, Phase.SAMPLING, 0, 1) is None  # the first step warms up: 10 s
    assert at(43, Phase.SAMPLING, 0, 2) == pytest.approx(2 * 2 + 4 * 2)  # 2 s a step
    at(45, Phase.SAMPLING, 0, 3)
    at(47, Phase.SAMPLING, 0, 4)
    assert at(47, Phase.DECODING, 0) == pytest.approx(4 * 2)
    clock[0] = 150.0  # 20 s since encoding began, of which 16 were steps
    publish(job)
    assert isinstance(pipe.sent[-1], ImageDone)
    assert at(51, Phase.ENCODING, 1) == pytest.approx(4 * 2 + 4)
    assert at(51, Phase.SAMPLING, 1, 0) == pytest.approx(4 * 2 + 4)
    assert at(55, Phase.SAMPLING, 1, 2) == pytest.approx(2 * 2 + 4)


def test_the_estimate_of_a_long_job_takes_no_longer_the_longer_it_runs(
    pipe: Pipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = RunningJob(Start("j", TextureRequest("bricks", count=1000, steps=150), str(tmp_path)), pipe)  # type: ignore[arg-type]
    looked_at: list[int] = []
    median = statistics.median
    monkeypatch.setattr(statistics, "median", lambda values: (looked_at.append(len(values)), median(values))[1])
    for image in range(3):
        for step in range(151):
            job.progress(Phase.SAMPLING, image, step, 150)
    assert max(looked_at) == 100


def test_an_environment_that_cannot_be_imported_is_a_users_error_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from addon.engine import worker

    for error in (
        ModuleNotFoundError("No module named 'torch'", name="torch"),
        OSError("libcudart.so.13: cannot open shared object file"),
        RuntimeError("Failed to import diffusers.pipelines because of the following error"),
    ):

        class Broken(types.ModuleType):
            def __getattr__(self, name: str, error: Exception = error) -> object:
                raise error

        monkeypatch.setitem(sys.modules, "addon.engine.models", Broken("addon.engine.models"))
        with pytest.raises(UserError) as caught:
            worker._import_engine()
        assert caught.value.kind is ErrorKind.RUNTIME
        assert str(error) in caught.value.message


def test_an_error_of_the_diffusion_thread_outside_of_a_job_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from addon.engine import worker

    class BrokenDriver:
        holds_model = True

        def free(self) -> None:
            raise RuntimeError("CUDA error: unspecified launch failure")

    left: list[int] = []
    monkeypatch.setattr(worker, "leave", left.append)
    made = worker.Worker(io.BytesIO(), io.BytesIO())
    made._cache = BrokenDriver()  # type: ignore[assignment]
    made._work.put(Free())
    made._diffuse_or_leave()
    assert left == [1]


@pytest.mark.parametrize(("card", "waiting", "ends"), [(True, False, [0]), (True, True, []), (False, False, [])])
def test_what_was_asked_to_free_a_card_ends_unless_a_job_waits(
    monkeypatch: pytest.MonkeyPatch, job: RunningJob, card: bool, waiting: bool, ends: list[int]
) -> None:
    from addon.engine import worker

    class Cache:
        freed = 0

        def free(self) -> None:
            self.freed += 1

    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    left: list[int] = []
    monkeypatch.setattr(worker, "leave", left.append)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: card)
    made = worker.Worker(io.BytesIO(), io.BytesIO())
    made._cache = Cache()  # type: ignore[assignment]
    if waiting:
        made._jobs[job.id] = job
    made._work.put(Free())
    made._work.put(types.SimpleNamespace(id="x", check=stop))  # type: ignore[arg-type]
    monkeypatch.setattr(made, "_run_job", lambda work: work.check())
    with pytest.raises(Stop):
        made._diffuse()
    assert left == ends
    assert made._cache.freed == 1  # type: ignore[union-attr]


def test_a_card_that_failed_fails_its_job_in_a_sentence_and_ends_the_worker(
    monkeypatch: pytest.MonkeyPatch, job: RunningJob, pipe: Pipe
) -> None:
    from addon.engine import generate, worker

    def fails(*_: object) -> None:
        raise torch.AcceleratorError(
            "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might ..."
        )

    left: list[int] = []
    monkeypatch.setattr(worker, "leave", left.append)
    monkeypatch.setattr(generate, "make_images", fails)
    worker.Worker(io.BytesIO(), io.BytesIO())._run_job(job)
    told = pipe.sent[-1]
    assert isinstance(told, Failed)
    assert told.error.message == "The graphics card failed: CUDA error: an illegal memory access was encountered."
    assert left == [4]


def test_a_note_is_told_with_its_job(job: RunningJob, pipe: Pipe) -> None:
    job.note("leaner")
    assert pipe.sent == [Note("j", "leaner")]


def test_the_time_that_is_left_comes_from_earlier_jobs_until_there_are_steps(
    pipe: Pipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    request = TextureRequest("bricks", count=2, steps=4)
    earlier = Pace(start=6.0, load=10.0, step=1.0, beside=3.0)
    job = RunningJob(Start("j", request, str(tmp_path / "store"), pace=earlier), pipe)  # type: ignore[arg-type]
    job.imports = job.loads = True

    def at(second: float, phase: Phase, step: int = 0) -> float | None:
        clock[0] = 100 + second
        job.progress(phase, 0, step, 4 if phase is Phase.SAMPLING else 0)
        last = pipe.sent[-1]
        assert isinstance(last, Progress)
        return last.remaining

    pictures = 2 * (4 * 1 + 3)
    assert at(0, Phase.STARTING) == 6 + 10 + pictures
    assert at(5, Phase.LOADING) == 10 + pictures
    assert at(14, Phase.ENCODING) == pictures
    assert at(15, Phase.SAMPLING) == pictures
    assert at(18, Phase.SAMPLING, 1) == pictures - 1  # the first step warms up, and says nothing of the others
    assert at(20, Phase.SAMPLING, 2) == 2 * 2 + 4 * 2 + 2 * 3
    assert job.pace() == Pace(start=5, load=9, step=2, beside=None)
    clock[0] = 130.0  # 16 s since encoding began, 5 of them in steps
    publish(job)
    assert job.pace() == Pace(start=5, load=9, step=2, beside=11)


def test_a_job_that_finds_all_loaded_says_nothing_of_loading(job: RunningJob, pipe: Pipe) -> None:
    job.progress(Phase.LOADING)
    job.progress(Phase.ENCODING)
    assert (job.pace().start, job.pace().load) == (None, None)
