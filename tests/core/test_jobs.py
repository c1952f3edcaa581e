# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue's laws: in the order that the user sees; one end for each job; progress never runs back."""

from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from addon.core.errors import ErrorKind, UserError
from addon.core.jobs import JobQueue, JobState
from addon.core.protocol import Cancelled, Failed, Finished, Heartbeat, ImageDone, Note, Phase, Preview, Progress
from addon.core.recipe import Recipe
from addon.core.requests.texture import TextureRequest
from addon.core.results import Result

REQUEST = TextureRequest("bricks", count=3)
RESULT = Result(Path("/store/bricks"), {"base_color": "base_color.png"}, Recipe(REQUEST.single(0), ""))
ERROR = UserError(ErrorKind.WORKER, "The engine was ended by signal 9.")
small = st.integers(-1, 5)


class Queue(RuleBasedStateMachine):
    """Anything at all, in any order, from a worker that may be mad."""

    jobs = Bundle("jobs")

    def __init__(self):
        super().__init__()
        self.queue = JobQueue()
        self.added = []
        self.begun = []
        self.order = []  # of those that have not ended
        self.ends = {}
        self.fractions = {}

    @rule(target=jobs, count=st.integers(1, 3))
    def add(self, count):
        job = self.queue.add(TextureRequest("bricks", count=count))
        self.added.append(job)
        self.order.append(job)
        return job

    @rule(job=jobs, places=st.integers(-4, 4))
    def move(self, job, places):
        before = list(self.order)
        if job.state is JobState.QUEUED:
            first = 1 if self.queue.current else 0
            there = min(max(self.order.index(job) + places, first), len(self.order) - 1)
            self.order.remove(job)
            self.order.insert(there, job)
        assert self.queue.move(job, places) == (self.order != before)

    @rule()
    def begin(self):
        busy = self.queue.current
        job = self.queue.begin_next()
        assert not (busy and job)
        if job:
            assert job is self.order[0], "not the one that was in front"
            self.begun.append(job)
            assert job.state is JobState.RUNNING

    @rule(job=jobs)
    def cancel(self, job):
        before = job.state
        tell = self.queue.cancel(job)
        assert tell == (before is JobState.RUNNING)
        assert job.state is {
            JobState.QUEUED: JobState.CANCELLED,
            JobState.RUNNING: JobState.CANCELLING,
        }.get(before, before)
        if before is JobState.QUEUED:
            self.end(job)

    @rule()
    def die(self):
        before = self.queue.current and self.queue.current.state
        job = self.queue.fail_current(ERROR)
        assert (job is None) == (before is None)
        if job:
            cancelled = before is JobState.CANCELLING
            assert job.state is (JobState.CANCELLED if cancelled else JobState.FAILED)
            assert job.error == (None if cancelled else ERROR)
            self.end(job)

    @rule(job=jobs, phase=st.sampled_from(Phase), image=small, images=small, step=small, steps=small)
    def progress(self, job, phase, image, images, step, steps):
        self.apply(job, Progress(job.id, phase, image, images, step, steps))

    @rule(job=jobs, image=small)
    def picture(self, job, image):
        had = dict(job.results)
        changed = self.apply(job, ImageDone(job.id, image, RESULT))
        assert changed == (job.results != had)

    @rule(job=jobs, image=small, step=small)
    def preview(self, job, image, step):
        before = job.preview
        if self.apply(job, Preview(job.id, image, step, "/store/.part-1-x/0-1")):
            assert image not in job.results
            assert before is None or (before.image, before.step) < (image, step)
        else:
            assert job.preview is before

    @rule(job=jobs)
    def note(self, job):
        self.apply(job, Note(job.id, "Out of memory, trying again."))

    @rule(job=jobs, make=st.sampled_from([lambda id_: Finished(id_, 1.0), lambda id_: Failed(id_, ERROR), Cancelled]))
    def finish(self, job, make):
        if self.apply(job, make(job.id)):
            self.end(job)

    @rule(message=st.sampled_from([Finished("stranger", 1.0), Heartbeat()]))
    def stray(self, message):
        assert self.queue.apply(message) is None

    def apply(self, job, message):
        """Apply it; whether it changed the job, which it may only if the job is the current one."""
        current = self.queue.current
        changed = self.queue.apply(message)
        assert changed in (None, job)
        assert changed is None or job is current
        return changed is not None

    def end(self, job):
        assert job not in self.ends, "a job ended twice"
        assert job.ended
        self.ends[job] = job.state
        self.order.remove(job)

    @invariant()
    def one_end_each(self):
        assert {job: job.state for job in self.added if job.ended} == self.ends
        assert list(self.queue) == self.order
        assert len(self.queue) == len(list(self.queue))

    @invariant()
    def progress_never_runs_back(self):
        for job in self.added:
            assert self.fractions.get(job, 0.0) <= job.fraction <= 1.0
            self.fractions[job] = job.fraction

    @invariant()
    def pictures_are_those_asked_for(self):
        for job in self.added:
            assert set(job.results) <= set(range(job.request.count))


TestQueue = Queue.TestCase


@pytest.fixture
def running():
    queue = JobQueue()
    queue.add(REQUEST)
    return queue, queue.begin_next()


def test_fraction_goes_from_nothing_to_all(running):
    queue, job = running
    seen = [job.fraction]
    for image in range(3):
        for phase in Phase:
            for step in range(5 if phase is Phase.SAMPLING else 1):
                queue.apply(Progress(job.id, phase, image, 3, step, 4 if phase is Phase.SAMPLING else 0))
                seen.append(job.fraction)
    queue.apply(Finished(job.id, 2.0))
    seen.append(job.fraction)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)
    assert len(set(seen)) > 12  # a step is a move of the bar
    assert job.seconds == 2.0


def test_fault_28_a_retry_does_not_move_the_bar_back(running):
    queue, job = running
    queue.apply(Progress(job.id, Phase.DECODING, 0, 3))
    done = job.fraction
    assert queue.apply(Progress(job.id, Phase.SAMPLING, 0, 3, 1, 25)) is None
    assert job.fraction == done


def test_a_finish_that_crosses_a_cancel_is_a_finish(running):
    queue, job = running
    assert queue.cancel(job)
    queue.apply(ImageDone(job.id, 0, RESULT))
    queue.apply(Finished(job.id, 1.0))
    assert job.state is JobState.FINISHED
    assert job.results == {0: RESULT}
