# SPDX-License-Identifier: GPL-3.0-or-later
"""The normal life of jobs: queued, done in turn, cancelled, with one worker that is kept."""

import logging
import subprocess
import time

import pytest

from addon.core.errors import ErrorKind, UserError
from addon.core.jobs import JobState
from addon.core.protocol import Cancelled, Finished, ImageDone, Phase, Progress
from addon.core.recipe import read_png
from addon.core.requests.texture import Size, TextureRequest
from addon.core.results import THUMBNAIL
from addon.host import child, runtime
from tests.fake import make_fake_python
from tests.host.conftest import children, is_running, our_threads, until


def test_a_job_makes_the_pictures_that_were_asked_for(bench):
    b = bench()
    job = b.run("mossy bricks", count=2, seed=7, size=Size(128, 64))
    assert job.state is JobState.FINISHED
    assert [job.results[index].recipe.request for index in range(2)] == [job.request.single(0), job.request.single(1)]
    for result in job.results.values():
        assert read_png(result.path()) == result.recipe
        assert result.path(THUMBNAIL).is_file()
        head = result.path().read_bytes()[16:24]
        assert (int.from_bytes(head[:4]), int.from_bytes(head[4:])) == (128, 64)
    assert [result.recipe.request.seed for result in b.store.results()] == [8, 7]
    kinds = [type(event.message) for event in b.events]
    assert kinds.count(ImageDone) == 2
    assert kinds[-1] is Finished
    assert job.seconds > 0


@pytest.mark.alone
def test_submit_returns_at_once_also_when_starting_a_process_is_slow(bench, monkeypatch):
    real = subprocess.Popen

    def slow(*args, **kwargs):
        time.sleep(1.0)  # as from a Blender of many gigabytes
        return real(*args, **kwargs)

    monkeypatch.setattr(child.subprocess, "Popen", slow)
    b = bench()
    begin = time.monotonic()
    job = b.submit()
    b.pump()
    assert time.monotonic() - begin < 0.3
    assert b.session.worker_state == "starting"
    b.until(lambda: job.ended)
    assert job.state is JobState.FINISHED


def test_closing_while_a_process_is_being_started_leaves_none(bench, monkeypatch):
    real = subprocess.Popen

    def slow(*args, **kwargs):
        time.sleep(0.7)
        return real(*args, **kwargs)

    monkeypatch.setattr(child.subprocess, "Popen", slow)
    b = bench()
    job = b.submit()
    b.session.close()
    assert job.state is JobState.CANCELLED
    until(lambda: not our_threads())
    assert not children()


def test_two_jobs_are_done_in_turn_by_one_worker(bench):
    b = bench({"step_seconds": 0.02})
    first, second = b.submit("first"), b.submit("second")
    assert [first.state, second.state] == [JobState.RUNNING, JobState.QUEUED]
    b.until(lambda: first.ended)
    (worker,) = children()
    b.until(lambda: second.ended)
    assert [first.state, second.state] == [JobState.FINISHED] * 2
    b.run("third, later")
    assert children() == {worker}
    told = [event.job for event in b.events]
    assert told == sorted(told, key=[first, second, told[-1]].index)


def test_a_waiting_job_is_cancelled_alone(bench):
    b = bench({"step_seconds": 0.05})
    first, second, third = (b.submit(name) for name in ("first", "second", "third"))
    b.reach(first, Phase.SAMPLING)
    b.session.cancel(second)
    assert second.state is JobState.CANCELLED
    assert list(b.session.jobs) == [first, third]
    b.until(lambda: third.ended)
    assert [first.state, third.state] == [JobState.FINISHED] * 2
    assert b.ends(second) == [Cancelled(second.id)]
    assert {result.recipe.request.prompt for result in b.store.results()} == {"first", "third"}


def test_all_jobs_can_be_cancelled_and_the_worker_stays(bench):
    b = bench({"step_seconds": 0.1})
    jobs = [b.submit(name) for name in ("first", "second")]
    b.reach(jobs[0], Phase.SAMPLING)
    (worker,) = children()
    b.session.cancel_all()
    b.session.cancel_all()
    b.until(lambda: all(job.ended for job in jobs), 1.0)
    assert [b.ends(job) for job in jobs] == [[Cancelled(job.id)] for job in jobs]
    b.assert_next_job_works()
    assert children() == {worker}


def test_a_job_is_cancelled_at_once_before_the_worker_has_it(bench):
    b = bench({"faults": [{"do": "hang", "phase": "HELLO", "seconds": 0.5}]})
    job = b.submit()
    b.session.cancel(job)
    assert job.state is JobState.CANCELLED
    b.pump()
    assert b.ends(job) == [Cancelled(job.id)]
    b.assert_next_job_works()


def test_cancelling_what_has_ended_changes_nothing(bench):
    b = bench()
    job = b.run()
    b.session.cancel(job)
    b.pump()
    assert job.state is JobState.FINISHED
    assert len(b.ends(job)) == 1


@pytest.mark.parametrize("pumped", [True, False])
def test_a_worker_that_ends_while_idle_is_forgotten(bench, pumped):
    b = bench({"faults": [{"do": "exit", "phase": "FINISHED", "prompt": "last", "seconds": 0.3}]})
    b.run("the last one")
    until(lambda: not our_threads())
    if pumped:
        b.until(lambda: b.session.worker_state == "none")
    job = b.run("afterwards")
    assert job.state is JobState.FINISHED, job.error


def test_models_are_let_go_on_request(bench, caplog):
    caplog.set_level(logging.INFO)
    b = bench()
    b.session.free()  # without a worker there is nothing to do
    b.run()
    before = len(b.events)
    b.session.free()
    b.until(lambda: "let go of its models" in caplog.text)
    assert len(b.events) == before
    b.assert_next_job_works()
    phases = [event.message.phase for event in b.events if isinstance(event.message, Progress)]
    assert phases.count(Phase.LOADING) == 2


def test_without_a_python_nothing_is_queued(bench):
    def find():
        raise UserError(ErrorKind.RUNTIME, "There is none.")

    b = bench(find_runtime=find)
    with pytest.raises(UserError):
        b.submit()
    assert len(b.session.jobs) == 0
    assert b.session.worker_state == "none"


def test_a_python_that_goes_missing_fails_the_jobs_that_wait(bench):
    b = bench({"step_seconds": 0.02})
    first, second = b.submit("first"), b.submit("second")
    b.reach(first, Phase.SAMPLING)
    (b.folder / "fake" / "python").unlink()
    b.until(lambda: second.ended)
    assert first.state is JobState.FINISHED
    assert second.state is JobState.FAILED
    assert second.error.kind is ErrorKind.RUNTIME
    assert "fake/python" in second.error.message


def test_a_python_that_cannot_be_started_is_named(bench):
    b = bench()
    script = b.folder / "fake" / "python"
    script.write_bytes(b"no script, no program")
    job = b.run()
    assert job.state is JobState.FAILED
    assert job.error.kind is ErrorKind.RUNTIME
    assert str(script) in job.error.message


def test_another_python_is_used_from_the_next_job_on(bench, tmp_path):
    other = make_fake_python(
        tmp_path / "other",
        {"faults": [{"do": "fail", "phase": "LOADING", "kind": "model", "message": "I am the other."}]},
    )
    named = [str(tmp_path / "bench" / "fake" / "python")]
    b = bench(find_runtime=lambda: runtime.find(named[0]))
    assert b.run().state is JobState.FINISHED
    (first,) = children()
    named[0] = str(other)
    assert str(b.run().error) == "I am the other."
    assert not is_running(first)


def test_waiting_gives_every_event_to_tick(bench):
    b = bench()
    first, second = b.submit("first"), b.submit("second")
    b.session.wait(second, 20.0, b.events.extend)
    assert [len(b.ends(job)) for job in (first, second)] == [1, 1]
    b.session.wait(second)


def test_waiting_ends_at_its_time(bench):
    b = bench({"step_seconds": 10.0})
    job = b.submit()
    begin = time.monotonic()
    b.session.wait(job, 0.3)
    assert 0.3 <= time.monotonic() - begin < 1.0
    assert not job.ended


def test_a_pump_takes_no_longer_than_its_budget(bench):
    b = bench({"step_seconds": 0.0})
    job = b.submit(steps=150)
    time.sleep(1.0)
    assert len(b.session.pump(0.0)) <= 1
    slow, now = [], time.perf_counter
    while not job.ended:
        begin = now()
        b.pump()
        slow.append(now() - begin)
        time.sleep(0.002)
    assert sorted(slow)[len(slow) // 2] < 0.02  # the budget is 4 ms; the machine may be busy


def test_closing_cancels_what_has_not_ended_and_can_be_repeated(bench):
    b = bench({"step_seconds": 0.1})
    done = b.run("done")
    running, waiting = b.submit("running"), b.submit("waiting")
    b.reach(running, Phase.SAMPLING)
    b.session.close()
    b.session.close()
    b.pump()
    assert [job.state for job in (done, running, waiting)] == [
        JobState.FINISHED,
        JobState.CANCELLED,
        JobState.CANCELLED,
    ]
    assert b.ends(running) == [Cancelled(running.id)]
    assert b.ends(waiting) == [Cancelled(waiting.id)]
    assert not children()
    assert not our_threads()
    assert b.parts() == []
    with pytest.raises(RuntimeError):
        b.session.submit(TextureRequest("too late"))


def test_a_result_that_arrived_before_closing_is_kept(bench):
    b = bench({"faults": [{"do": "hang", "phase": "SAVED"}]})
    job = b.submit()
    b.reach(job, Phase.SAMPLING)
    until(lambda: bool(b.store.results()))
    time.sleep(0.1)
    b.session.close()
    b.pump()
    assert job.state is JobState.CANCELLED
    assert list(job.results.values()) == b.store.results()
