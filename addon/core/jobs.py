# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs and their queue: a state machine without threads or clocks. Imports core and the standard library only.

`host.session` feeds it messages; what is stale, doubled or out of order changes nothing (FAULTS 28).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import uuid4

from .errors import UserError
from .protocol import Cancelled, Failed, Finished, ImageDone, Message, Note, Phase, Preview, Progress
from .requests import Request
from .results import Result


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"  # asked to end, not yet answered
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (JobState.FINISHED, JobState.FAILED, JobState.CANCELLED)


@dataclass(eq=False)
class Job:
    """One request on its way. Read by anyone, changed by `JobQueue` only."""

    request: Request
    id: str = field(default_factory=lambda: uuid4().hex[:12])
    state: JobState = JobState.QUEUED
    progress: Progress | None = None
    preview: Preview | None = None  # the last one
    results: dict[int, Result] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    error: UserError | None = None
    seconds: float = 0.0

    @property
    def ended(self) -> bool:
        return self.state.ended

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1, for a progress bar: by steps and tiles, since they take nearly all of the time."""
        if self.state is JobState.FINISHED:
            return 1.0
        if self.progress is None:
            return 0.0
        p = self.progress
        weights = _weights(self.request)
        before = sum(weight for phase, weight in weights.items() if phase.order < p.phase.order)
        share = (before + weights.get(p.phase, 0.0) * _done(p)) / sum(weights.values())
        return (p.image + share) / self.request.count


class JobQueue:
    """First come, first served, unless the user moves one; one runs at a time. Every job ends exactly once."""

    def __init__(self) -> None:
        self._waiting: list[Job] = []
        self._current: Job | None = None

    def __iter__(self) -> Iterator[Job]:
        """Jobs that have not ended: the running one first."""
        if self._current:
            yield self._current
        yield from self._waiting

    def __len__(self) -> int:
        return len(self._waiting) + (self._current is not None)

    @property
    def current(self) -> Job | None:
        """The job that the worker has."""
        return self._current

    def add(self, request: Request) -> Job:
        job = Job(request)
        self._waiting.append(job)
        return job

    def begin_next(self) -> Job | None:
        """Make the first waiting job the current one, if none is."""
        if self._current or not self._waiting:
            return None
        self._current = self._waiting.pop(0)
        self._current.state = JobState.RUNNING
        return self._current

    def cancel(self, job: Job) -> bool:
        """Ask a job to end. True if the worker must hear of it; a waiting job is cancelled here and now."""
        if job in self._waiting:
            self._waiting.remove(job)
            job.state = JobState.CANCELLED
            return False
        if job is self._current and job.state is JobState.RUNNING:
            job.state = JobState.CANCELLING
            return True
        return False

    def move(self, job: Job, places: int) -> bool:
        """Have a waiting job wait `places` further back, or further in front if negative. Whether it has moved.

        At most to the end or the front: the current job stays where it is.
        """
        if job not in self._waiting:
            return False
        here = self._waiting.index(job)
        there = min(max(here + places, 0), len(self._waiting) - 1)
        self._waiting.insert(there, self._waiting.pop(here))
        return there != here

    def fail_current(self, error: UserError) -> Job | None:
        """End the current job without a word from the worker. A job that was being cancelled is cancelled."""
        job = self._current
        if job:
            self._end(job, JobState.CANCELLED if job.state is JobState.CANCELLING else JobState.FAILED)
            job.error = error if job.state is JobState.FAILED else None
        return job

    def apply(self, message: Message) -> Job | None:
        """Take a message of the worker's. The job that it changed, None where it changed nothing."""
        job = self._current
        if job is None or getattr(message, "job", None) != job.id:
            return None
        match message:
            case Progress():
                if not 0 <= message.image < job.request.count:
                    return None
                if job.progress and _place(message) < _place(job.progress):
                    return None  # progress never runs back
                job.progress = message
            case Note(text=text):
                job.notes.append(text)
            case Preview(image=image, step=step):
                if image in job.results or (job.preview and (image, step) <= (job.preview.image, job.preview.step)):
                    return None
                job.preview = message
            case ImageDone(image=image, result=result):
                if image in job.results or not 0 <= image < job.request.count:
                    return None
                job.results[image] = result
            case Finished(seconds=seconds):
                job.seconds = seconds
                self._end(job, JobState.FINISHED)
            case Failed(error=error):
                job.error = error
                self._end(job, JobState.FAILED)
            case Cancelled():
                self._end(job, JobState.CANCELLED)
            case _:
                return None
        return job

    def _end(self, job: Job, state: JobState) -> None:
        job.state = state
        self._current = None


def _weights(request: Request) -> dict[Phase, float]:
    """About how long each phase takes in relation to the others; saving stands for all that has no steps."""
    weights = {Phase.SAVING: 1.0}
    if request.is_sampled:
        weights[Phase.SAMPLING] = 9.0
    if request.tileable:
        weights[Phase.TILING] = 3.0
    if request.finish.upscale > 1:
        weights[Phase.UPSCALING] = 9.0
    if request.finish.maps:
        weights[Phase.MAPPING] = 9.0
    return weights


def _place(progress: Progress) -> tuple[int, int, float]:
    """Where a job is, as something that only grows."""
    return progress.image, progress.phase.order, _done(progress)


def _done(progress: Progress) -> float:
    """The share of the phase that is done, 0 to 1; 0 where it has no steps."""
    return min(max(progress.step / progress.steps, 0.0), 1.0) if progress.steps > 0 else 0.0
