# SPDX-License-Identifier: GPL-3.0-or-later
"""Mad messages, much noise, and all bad luck at once (faults 28 and 29)."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from addon.core.jobs import JobState
from addon.core.protocol import VERSION, Failed, Finished, Phase, Progress
from addon.host import session as session_module
from tests.host.conftest import children, fault

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mode", ["doubled", "stale", "reordered"])
def test_fault_28_mad_messages_end_each_job_once_and_never_run_back(bench, mode):
    b = bench({"messages": mode})
    jobs = [b.submit(name, count=2, steps=9) for name in ("first", "second")]
    b.until(lambda: all(job.ended for job in jobs))
    b.assert_next_job_works()
    for job in jobs:
        assert [type(message) for message in b.ends(job)] == [Finished]
        assert sorted(job.results) == [0, 1]
        places = [
            (event.message.image, event.message.phase.order, event.message.step)
            for event in b.events
            if event.job is job and isinstance(event.message, Progress)
        ]
        assert places == sorted(places)
    assert len(b.store.results()) == 5


def test_fault_28_generate_pressed_twice_makes_two_jobs(bench):
    b = bench()
    jobs = [b.submit("the same"), b.submit("the same")]
    b.until(lambda: all(job.ended for job in jobs))
    assert [len(job.results) for job in jobs] == [1, 1]
    assert len(b.store.results()) == 2


def test_fault_28_another_version_of_the_worker_is_refused_with_both_versions(bench):
    b = bench({"version": 7777})
    job = b.run()
    assert b.ends(job) == [Failed(job.id, job.error)]
    assert "7777" in job.error.message
    assert f"version {VERSION}" in job.error.message
    assert not children()
    b.behave({})
    b.assert_next_job_works()


def test_fault_28_a_worker_that_refuses_this_version_is_believed(bench, monkeypatch):
    # The worker says which version it speaks only after it has seen ours.
    monkeypatch.setattr(session_module, "VERSION", 8888)
    b = bench({"version": 8888})
    job = b.run()
    assert "8888" in job.error.message
    assert f"version {VERSION}" in job.error.message


def test_fault_28_a_worker_that_does_not_say_hello_first_is_ended(bench):
    b = bench({"faults": [{"do": "speak", "phase": "HELLO"}]})
    job = b.run()
    assert job.error.message == "The engine spoke before it said hello."
    b.behave({})
    b.assert_next_job_works()


@pytest.mark.parametrize("stream", ["stderr", "stdout"])
def test_fault_29_ten_megabytes_without_a_newline_neither_block_nor_fill_the_disk(bench, stream):
    b = bench(fault("noise", "SAMPLING", step=1, to=stream))
    job = b.run("trouble")
    assert job.state is JobState.FINISHED
    b.session.close()
    logs = [path.stat().st_size for path in b.folder.glob("worker.log*")]
    assert len(logs) == 2
    assert 2_000_000 < sum(logs) <= 2 * (2 << 20)
    assert len(b.session.log_tail(20)) <= 300


def test_fault_29_a_callback_that_raises_loses_nothing_of_the_next_tick(bench):
    b = bench({"step_seconds": 0.02})
    job = b.submit()
    calls = []

    def tick(events):
        calls.append(events)
        b.events.extend(events)
        if len(calls) == 1:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        b.session.wait(job, 20.0, tick)
    b.session.wait(job, 20.0, tick)
    assert [type(message) for message in b.ends(job)] == [Finished]


def test_kills_and_cancels_at_random_lose_no_result(bench):
    chance = random.Random(7)
    b = bench({"step_seconds": 0.01})
    open_files = len(os.listdir("/proc/self/fd"))
    jobs, fates = [], {}
    while len(jobs) < 40 or len(b.session.jobs):
        if len(jobs) < 40 and len(b.session.jobs) < 4:
            jobs.append(b.submit(f"job {len(jobs)}", count=chance.randint(1, 3)))
            # What strikes a job, and at which step of its first picture: drawn beforehand, however fast the machine is.
            fates[jobs[-1].id] = (chance.choice(("", "", "kill", "cancel")), chance.randint(0, 3))
        for job in list(b.session.jobs):
            fate, step = fates[job.id]
            if fate and job.progress and job.progress.phase is Phase.SAMPLING and job.progress.step >= step:
                fates[job.id] = ("", 0)
                if fate == "cancel":
                    b.session.cancel(job)
                else:
                    for worker in children():
                        os.kill(worker, signal.SIGKILL)
        b.pump()
        time.sleep(0.005)
    # a kill or two may come as the job ends, not all of them
    assert {job.state for job in jobs} == {JobState.FINISHED, JobState.FAILED, JobState.CANCELLED}
    assert all(len(b.ends(job)) == 1 for job in jobs)
    assert all(len(job.results) == job.request.count for job in jobs if job.state is JobState.FINISHED)
    told = {result.folder for job in jobs for result in job.results.values()}
    # Killed between the rename and the message, a worker leaves a whole result that nobody was told of.
    assert told <= {result.folder for result in b.store.results()}
    b.session.close()
    assert b.parts() == []
    assert len(os.listdir("/proc/self/fd")) == open_files
