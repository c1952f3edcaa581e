# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker that stands still is given up, and one that is asked to end does (faults 3 and 4)."""

import time
from pathlib import Path

import pytest

from addon.core.jobs import JobState
from addon.core.protocol import Cancelled, Phase
from addon.host import session as session_module
from addon.host.process import WorkerProcess
from tests.host.conftest import children, fault, impatient, is_running
from tests.phases import PHASES

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("phase", PHASES)
def test_fault_3_standing_still_in_a_phase_fails_at_its_deadline(bench, phase):
    b = bench(
        fault("hang", phase.name, step=0),
        deadlines=impatient(hello=20.0, phases=dict.fromkeys(Phase, 20.0) | {phase: 0.6}),
    )
    job = b.submit("trouble")
    b.reach(job, phase)
    (worker,) = children()
    assert 0.4 < b.until(lambda: job.ended) < 2.5
    assert "no sign of life" in job.error.message
    assert f"while {phase.name.lower()} and was ended" in job.error.message
    assert not is_running(worker)
    b.assert_next_job_works()


def test_fault_3_silence_fails_a_job_long_before_its_phase_ends(bench):
    b = bench(
        fault("freeze", "SAMPLING", step=2) | {"heartbeat": 0.1},
        deadlines=impatient(silence=0.6, phases=dict.fromkeys(Phase, 60.0)),
    )
    job = b.run("trouble")
    assert "no sign of life for 0.6 s" in job.error.message
    b.assert_next_job_works()


def test_fault_3_slow_steps_with_heartbeats_are_no_silence(bench):
    b = bench(
        {"heartbeat": 0.1, "step_seconds": 0.6}, deadlines=impatient(silence=0.4, phases=dict.fromkeys(Phase, 2.0))
    )
    assert b.run(steps=1).state is JobState.FINISHED


def test_fault_3_saying_the_same_again_is_no_progress(bench):
    b = bench(fault("repeat", "SAMPLING", step=0), deadlines=impatient())
    job = b.run("trouble")
    assert "no sign of life" in job.error.message
    b.assert_next_job_works()


def test_fault_3_a_worker_that_never_says_hello_is_given_up(bench):
    b = bench({"faults": [{"do": "hang", "phase": "HELLO"}]}, deadlines=impatient())
    job = b.run()
    assert "no sign of life" in job.error.message
    b.behave({})
    b.assert_next_job_works()


def test_fault_3_a_computer_that_slept_is_no_reason_to_give_up(bench):
    slept = [0.0]
    b = bench({"step_seconds": 0.1}, clock=lambda: time.monotonic() + slept[0])
    job = b.submit()
    b.reach(job, Phase.SAMPLING)
    slept[0] += 8 * 3600
    b.until(lambda: job.ended)
    assert job.state is JobState.FINISHED


def test_fault_3_a_process_that_no_signal_reaches_does_not_hold_up_the_next_job(bench, monkeypatch):
    real = WorkerProcess.kill
    monkeypatch.setattr(WorkerProcess, "kill", lambda process: None)
    b = bench(fault("freeze", "LOADING"), deadlines=impatient(reap=0.5))
    job = b.submit("trouble")
    b.reach(job, Phase.LOADING)
    stuck = b.session._worker.link
    b.until(lambda: job.ended)
    assert "no sign of life" in job.error.message
    b.assert_next_job_works()
    real(stuck)


@pytest.mark.parametrize("phase", PHASES)
def test_fault_4_cancel_is_heard_in_every_phase(bench, phase):
    b = bench(fault("hang", phase.name, step=0))
    job = b.submit("trouble")
    b.reach(job, phase)
    (worker,) = children()
    b.session.cancel(job)
    assert b.until(lambda: job.ended) < 1.0
    assert b.ends(job) == [Cancelled(job.id)]
    assert b.store.results() == []
    b.assert_next_job_works()
    assert children() == {worker}


@pytest.mark.alone
@pytest.mark.parametrize("phase", PHASES)
def test_fault_4_a_worker_that_does_not_hear_is_killed_after_its_grace(bench, phase):
    b = bench(
        fault("hang", phase.name, step=0) | {"ignore_cancel": True},
        deadlines=impatient(phases=dict.fromkeys(Phase, 60.0)),
    )
    job = b.submit("trouble")
    b.reach(job, phase)
    (worker,) = children()
    b.session.cancel(job)
    begun = time.monotonic()
    b.until(lambda: job.ended)
    if phase is Phase.STARTING:
        assert time.monotonic() - begun < 0.1  # there is nothing to be lost, so nobody waits for its answer
    b.until(lambda: not is_running(worker))
    assert 0.4 < time.monotonic() - begun < 1.5  # the grace is half a second here
    assert b.ends(job) == [Cancelled(job.id)]
    assert job.error is None
    assert b.store.results() == []
    assert b.parts() == []
    b.assert_next_job_works()


@pytest.mark.parametrize("deaf", [False, True])
def test_fault_4_cancel_while_a_picture_is_written_leaves_no_part(bench, deaf):
    b = bench(
        fault("hang", "WRITING") | {"ignore_cancel": deaf}, deadlines=impatient(phases=dict.fromkeys(Phase, 60.0))
    )
    job = b.submit("trouble")
    b.until(lambda: b.parts() != [])
    b.session.cancel(job)
    assert b.until(lambda: job.ended) < 1.5
    assert b.store.results() == []
    b.until(lambda: b.parts() == [])
    b.assert_next_job_works()


def test_fault_4_cancel_between_pictures_keeps_those_that_are_done(bench):
    b = bench({"step_seconds": 0.05})
    job = b.submit(count=1000)
    b.until(lambda: len(job.results) == 2)
    b.session.cancel(job)
    assert b.until(lambda: job.ended) < 1.0
    assert {result.folder for result in b.store.results()} == {result.folder for result in job.results.values()}
    b.assert_next_job_works()


def test_a_worker_that_reads_nothing_blocks_nobody(bench):
    b = bench({"faults": [{"do": "hang", "phase": "HELLO"}]})
    b.submit()
    worker = b.session._worker.link
    begin = time.monotonic()
    for _ in range(50):
        worker.send(session_module.Cancel("x" * 100_000))  # far more than a pipe holds
    assert time.monotonic() - begin < 1.0
    b.session.close()
    assert not children()
