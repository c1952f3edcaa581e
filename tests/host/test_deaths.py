# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker that dies or raves fails the job that it has, once, and is replaced (faults 1 and 2)."""

import os
import signal
from pathlib import Path

import pytest

from addon.core.errors import ErrorKind, UserError
from addon.core.jobs import JobState
from addon.core.protocol import Failed, Phase
from tests.host.conftest import children, fault, is_running, our_threads, until
from tests.phases import PHASES

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("phase", PHASES)
def test_fault_1_a_killed_worker_fails_its_job_in_any_phase(bench, phase):
    b = bench(fault("signal", phase.name, signal=signal.SIGKILL))
    job = b.run("trouble")
    assert job.progress.phase is phase
    assert b.ends(job) == [Failed(job.id, job.error)]
    assert job.error.message == "The engine was ended by signal 9."
    assert str(b.folder / "worker.log") in job.error.hint
    assert not children()
    b.assert_next_job_works()


def test_fault_1_a_worker_killed_from_outside_fails_its_job(bench):
    b = bench({"step_seconds": 0.2})
    job = b.submit()
    b.reach(job, Phase.SAMPLING)
    (worker,) = children()
    os.kill(worker, signal.SIGKILL)
    assert b.until(lambda: job.ended) < 2.0
    assert job.error.message == "The engine was ended by signal 9."
    b.assert_next_job_works()


def test_fault_1_a_picture_that_was_half_written_is_no_picture(bench):
    b = bench(fault("signal", "WRITING", image=1))
    job = b.run("trouble", count=2)
    assert job.state is JobState.FAILED
    assert b.parts() == []
    assert [result.recipe.request.seed for result in b.store.results()] == [0]
    b.assert_next_job_works()


def test_fault_1_a_result_on_disk_before_the_kill_is_told_and_listed(bench):
    b = bench(fault("signal", "SAVED", image=1))
    job = b.run("trouble", count=3)
    assert job.state is JobState.FAILED
    assert sorted(job.results) == [0, 1]
    assert {result.folder for result in b.store.results()} == {result.folder for result in job.results.values()}
    b.assert_next_job_works()


def test_fault_1_a_kill_after_the_end_of_a_job_changes_nothing(bench):
    b = bench(fault("signal", "FINISHED"))
    job = b.run("trouble")
    assert job.state is JobState.FINISHED
    b.until(lambda: b.session.worker_state == "none")
    assert len(b.ends(job)) == 1
    b.assert_next_job_works()


def test_fault_2_a_crash_names_its_signal(bench):
    b = bench(fault("signal", "SAMPLING", step=2, signal=signal.SIGSEGV))
    job = b.run("trouble")
    assert job.error.message == "The engine was ended by signal 11."
    assert len(b.ends(job)) == 1
    b.assert_next_job_works()


def test_fault_2_an_exit_in_a_job_fails_it_with_the_end_of_the_log(bench):
    words = "Traceback (most recent call last):\n  ...\nModuleNotFoundError: No module named 'torch'\n"
    b = bench(fault("exit", "STARTING", words=words, code=3))
    job = b.run("trouble")
    assert job.error.message == "The engine ended by itself with exit code 3."
    assert job.error.kind is ErrorKind.WORKER
    assert "No module named 'torch'" in job.error.hint
    assert b.session.log_tail(2) == "  ...\nModuleNotFoundError: No module named 'torch'"
    assert words in (b.folder / "worker.log").read_text()
    b.assert_next_job_works()


@pytest.mark.parametrize("size", [4, 100, 10_000_000])
def test_fault_2_garbage_fails_the_job_once(bench, size):
    b = bench(fault("garbage", "SAMPLING", step=1, bytes=size))
    job = b.run("trouble")
    assert b.ends(job) == [Failed(job.id, job.error)]
    assert job.error.message == "The engine sent what is no message, and was ended."
    b.assert_next_job_works()


def test_fault_2_half_a_frame_fails_the_job_once(bench):
    b = bench(fault("half", "SAMPLING", step=1, code=4))
    job = b.run("trouble")
    assert b.ends(job) == [Failed(job.id, job.error)]
    assert job.error.message == "The engine ended by itself with exit code 4."
    b.assert_next_job_works()


def test_fault_2_garbage_after_a_result_does_not_lose_it(bench):
    b = bench(fault("garbage", "SAVED"))
    job = b.run("trouble")
    assert list(job.results.values()) == b.store.results() != []
    b.assert_next_job_works()


def test_fault_2_a_worker_that_dies_before_its_first_word_fails_one_job_each_time(bench):
    b = bench({"faults": [{"do": "exit", "phase": "HELLO", "code": 5}]})
    jobs = [b.submit("first"), b.submit("second")]
    b.until(lambda: all(job.ended for job in jobs))
    assert [job.error.message for job in jobs] == ["The engine ended by itself with exit code 5."] * 2
    b.behave({})
    b.assert_next_job_works()


def test_fault_2_a_worker_that_raves_and_then_stands_still_is_ended(bench):
    script = fault("garbage", "SAMPLING", step=1)["faults"] + fault("freeze", "SAMPLING", step=1)["faults"]
    b = bench({"faults": script, "heartbeat": 60.0})
    job = b.run("trouble")
    assert job.error.message == "The engine sent what is no message, and was ended."
    b.assert_next_job_works()


def test_fault_2_a_worker_that_dies_after_its_first_word_is_not_started_over_and_over(bench):
    b = bench({"faults": [{"do": "exit", "phase": "READY", "code": 6}]})
    job = b.submit()
    until(lambda: not our_threads())  # so that its word and its end are seen together
    b.until(lambda: job.ended)
    assert (b.folder / "worker.log").read_text().count("---") == 2, "once more, since no step was done"
    assert job.error.message == "The engine ended by itself with exit code 6."
    b.behave({})
    b.assert_next_job_works()


@pytest.mark.parametrize("phase", ["HELLO", "READY", "STARTING", "LOADING"])
def test_a_worker_that_ends_before_the_first_step_is_started_again_once(bench, tmp_path, phase):
    once = {"do": "exit", "phase": phase, "code": 1, "once": str(tmp_path / "struck")}
    b = bench({"faults": [once]})
    job = b.submit()
    b.until(lambda: job.ended)
    assert job.state is JobState.FINISHED
    assert (b.folder / "worker.log").read_text().count("---") == 2
    b.assert_next_job_works()


def test_a_worker_that_ends_after_the_first_step_is_not_started_again(bench, tmp_path):
    once = {"do": "exit", "phase": "SAMPLING", "step": 1, "code": 1, "once": str(tmp_path / "struck")}
    b = bench({"faults": [once]})
    job = b.submit()
    b.until(lambda: job.ended)
    assert job.error.message == "The engine ended by itself with exit code 1."


@pytest.mark.parametrize("end", ["signal", "close"])
def test_what_the_worker_started_ends_with_it(bench, tmp_path, end):
    file = tmp_path / "child"
    steps = [{"do": "child", "phase": "SAMPLING", "step": 0, "file": str(file)}]
    if end == "signal":
        steps.append({"do": "signal", "phase": "SAMPLING", "step": 1})
    b = bench({"faults": steps, "step_seconds": 0.2})
    job = b.submit()
    b.until(lambda: file.exists() and file.read_text() != "")
    child = int(file.read_text())
    assert is_running(child)
    if end == "signal":
        # It holds the worker's pipes, and still the end is seen.
        assert b.until(lambda: job.ended) < 2.0
        assert job.error.message == "The engine was ended by signal 9."
    else:
        b.session.close()
    until(lambda: not is_running(child), 2.0)


def test_a_failure_that_the_worker_tells_is_passed_on_and_the_worker_stays(bench):
    b = bench(fault("fail", "DECODING", kind="memory", message="The memory is full.", hint="Use less."))
    job = b.run("trouble")
    (worker,) = children()
    assert job.error == UserError(ErrorKind.MEMORY, "The memory is full.", "Use less.")
    b.assert_next_job_works()
    assert children() == {worker}
