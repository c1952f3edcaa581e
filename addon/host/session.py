# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender talks to: requests in, events out, the worker behind it. Imports core and the standard library only.

Everything here runs on the caller's one thread and returns at once, but for `wait` and `close`. `process` has threads.
"""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..core import pace
from ..core.errors import ErrorKind, UserError
from ..core.jobs import Job, JobQueue, JobState
from ..core.protocol import (
    VERSION,
    Cancel,
    Cancelled,
    Failed,
    Finished,
    Free,
    Freed,
    Hello,
    Message,
    Phase,
    Progress,
    Refused,
    Start,
)
from ..core.requests import Request
from ..core.results import Result
from .deadlines import Deadlines, Stopwatch
from .link import Arrived, Ended, Link, StartWorker
from .paces import Paces
from .runtime import Runtime
from .store import Store

_logger = logging.getLogger(__name__)
_FIRST_PAUSE, _LAST_PAUSE = 1.0, 15.0  # seconds between two tries to have a line again


@dataclass(frozen=True)
class Event:
    """A message that changed a job. Each job's last one is its only `Finished`, `Failed` or `Cancelled`."""

    job: Job
    message: Message


@dataclass
class _Worker:
    """A worker, and what the session knows about it. Times are the stopwatch's."""

    link: Link
    runtime: Runtime
    ready: bool = False  # has said a fitting Hello
    job: str = ""  # the id of the job that it was given last
    progress: Progress | None = None  # what it said last of that job, accepted or not
    signs: int = 0
    sign_at: float = 0.0
    moved_at: float = 0.0
    cancel_at: float = 0.0
    owes_answer: bool = False  # to the cancel of a job that has ended without waiting for it
    killed_at: float | None = None
    reason: UserError | None = None  # why it was killed

    @property
    def phase(self) -> Phase:
        """Where the job is that it was given last."""
        return self.progress.phase if self.progress else Phase.STARTING

    @property
    def takes_jobs(self) -> bool:
        return self.ready and not self.owes_answer and self.killed_at is None


@dataclass
class _Broken:
    """A line that broke under a job, and is tried again. Times are the stopwatch's.

    place: where it leads. error: what is told if it does not come back. next_at: of the next try. pause: after that.
    """

    place: str
    error: UserError
    since: float
    next_at: float
    pause: float = _FIRST_PAUSE


class Session:
    """The jobs of one Blender, and the one worker that does them, started when it is needed.

    store: where results go. find_runtime: names the worker's Python or raises `UserError`; asked before each job.
    start_worker: makes the link to a new worker, which runs with that. product: Tilewright's version, for the log.
    device, memory: see `protocol.Start`. paces: learns how long jobs take. clock: seconds that only grow.
    Set `previews` to have jobs that begin from then on show their pictures in the making.
    """

    def __init__(
        self,
        *,
        store: Store,
        find_runtime: Callable[[], Runtime],
        start_worker: StartWorker,
        product: str,
        device: str = "auto",
        memory: str = "auto",
        paces: Paces | None = None,
        deadlines: Deadlines | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.jobs = JobQueue()
        self.previews = False
        self._store = store
        self._find_runtime = find_runtime
        self._start_worker = start_worker
        self._product = product
        self._device = device
        self._memory = memory
        self._paces = paces
        self._deadlines = deadlines or Deadlines()
        self._clock = clock
        self._watch = Stopwatch(clock)
        self._worker: _Worker | None = None
        self._broken: _Broken | None = None  # until something new of the job is heard
        self._gone_again = ""  # the id of the last job whose worker was started a second time
        self._tail = b""  # of the last worker that is gone
        self._events: list[Event] = []
        self._arrived: list[Result] = []
        self._closed = False

    # --- for the caller ------------------------------------------------------------------------------------------

    def submit(self, request: Request) -> Job:
        """Queue a job and return at once. Raises `UserError`, and queues nothing, where the engine has no Python."""
        if self._closed:
            raise RuntimeError("the session is closed")
        self._find_runtime()
        self._watch.look()
        self._receive(0.004)  # so that a worker that died while idle is not given the job
        job = self.jobs.add(request)
        self._advance()
        return job

    def pump(self, budget: float = 0.004) -> list[Event]:
        """Take what the worker sent, for about `budget` seconds at most, and see to deadlines. Returns what changed."""
        self._watch.look()
        if self._receive(budget):
            self._check()
        self._advance()
        events, self._events = self._events, []
        return events

    def arrived(self) -> list[Result]:
        """Results of earlier jobs that have come into the store since this was asked last; see `Arrived`."""
        arrived, self._arrived = self._arrived, []
        return arrived

    def cancel(self, job: Job) -> None:
        """End a job: one that waits, or that has to wait for the engine's start, at once; the worker's one within the
        grace. One that has ended stays as it is."""
        self._receive(0.004)  # so that what the worker has begun with is known
        if job.ended:
            return
        tell = self.jobs.cancel(job)
        if job.state is JobState.CANCELLED:
            self._events.append(Event(job, Cancelled(job.id)))
        elif tell and self._worker and self._worker.job == job.id:
            self._worker.link.send(Cancel(job.id))
            self._worker.cancel_at = self._watch.look()
            # while torch is imported its answer is late, and nothing can be lost yet
            if self._worker.phase is Phase.STARTING:
                self._worker.owes_answer = True
                self._end_job(_CANCELLED)
        elif tell:  # not given to a worker yet
            self._end_job(_CANCELLED)

    def move(self, job: Job, places: int) -> bool:
        """Have a waiting job wait `places` further back, or further in front if negative. Whether it has moved."""
        return self.jobs.move(job, places)

    def seconds_left(self, job: Job) -> float | None:
        """Estimated seconds until the job ends, those before it in the queue included; None where nobody knows yet."""
        total = 0.0
        for other in self.jobs:
            left = self._current_left(other) if other is self.jobs.current else self._duration(other)
            if left is None:
                return None
            total += left
            if other is job:
                return total
        return None

    def cancel_all(self) -> None:
        for job in reversed(list(self.jobs)):
            self.cancel(job)

    def free(self) -> None:
        """Have the worker let go of models, once no job runs. Without a worker there is nothing to free."""
        if self._worker and self._worker.ready:
            self._worker.link.send(Free())

    def wait(
        self, job: Job, timeout: float | None = None, tick: Callable[[list[Event]], object] = lambda events: None
    ) -> None:
        """Pump until the job has ended, or `timeout` seconds are over. For background mode and the command line.

        tick: called with the events of each pump, also of other jobs; what it raises is passed on, and nothing is lost.
        """
        end = None if timeout is None else self._clock() + timeout
        while True:
            tick(self.pump())
            if job.ended or (end is not None and self._clock() >= end):
                return
            time.sleep(0.01)

    def close(self) -> None:
        """End the worker and all threads, in about a second. Jobs that had not ended are cancelled; `pump` tells."""
        if self._closed:
            return
        self._closed = True
        self._receive(0.1)
        self.cancel_all()
        if self._worker:
            if not self._worker.link.finish():
                _logger.error("The worker could not be ended in time.")
            self._receive()
        self._end_job(_CANCELLED)
        self._worker = None

    @property
    def worker_state(self) -> str:
        """ "none", "starting" or "ready"."""
        if self._worker is None:
            return "none"
        return "ready" if self._worker.ready else "starting"

    @property
    def broken_line(self) -> str:
        """The machine whose line broke under the current job, while it is tried again; "" otherwise."""
        return self._broken.place if self._broken else ""

    def log_tail(self, lines: int = 20) -> str:
        """The last lines that the present or last worker wrote to its log; long ones are cut."""
        text = (self._worker.link.tail if self._worker else self._tail).decode("utf-8", "replace")
        return "\n".join(line[-300:] for line in text.splitlines()[-lines:])

    def _current_left(self, job: Job) -> float | None:
        """What the worker said last of it, or what is known of such jobs; less the time since."""
        worker = self._worker
        if worker is None or worker.job not in ("", job.id):
            return self._duration(job)
        left = worker.progress.remaining if worker.progress else self._duration(job, loading=not worker.ready)
        return None if left is None else max(left - (self._watch.now - worker.moved_at), 0.0)

    def _duration(self, job: Job, *, loading: bool = False) -> float | None:
        return pace.remaining(self._pace(job), job.request, loading=loading)

    def _pace(self, job: Job) -> pace.Pace:
        return self._paces.find(job.request, self._device, self._memory) if self._paces else pace.UNKNOWN

    # --- the worker ----------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Give the next job to the worker, starting one if there is none."""
        job = None if self._closed else self.jobs.current or self.jobs.begin_next()
        worker = self._worker
        if self._broken and worker is None and self._watch.now < self._broken.next_at:
            return
        if job is None or (worker and (worker.job == job.id or not worker.takes_jobs)):
            return
        try:
            runtime = self._find_runtime()
        except UserError as error:
            self._end_job(error)
            return
        now = self._watch.now
        if worker is None:
            link = self._start_worker(runtime)
            link.send(Hello(VERSION, os.getpid(), self._product))
            self._worker = _Worker(link, runtime, moved_at=now)
        elif worker.runtime != runtime:  # the user has named another since; the next is started when this one is gone
            self._kill(None)
        else:
            worker.job, worker.progress, worker.sign_at, worker.moved_at = job.id, None, now, now
            start = Start(
                job.id,
                job.request,
                str(self._store.root),
                self._device,
                self._memory,
                pace=self._pace(job),
                previews=self.previews,
            )
            worker.link.send(start)

    def _receive(self, budget: float = float("inf")) -> bool:
        """Handle what the worker sent, at least one message. True if nothing is left."""
        end = self._clock() + budget
        while self._worker:
            item = self._worker.link.receive()
            if item is None:
                break
            self._handle(self._worker, item)
            if self._clock() >= end:
                return False
        return True

    def _handle(self, worker: _Worker, item: Message | Ended | Arrived) -> None:
        match item:
            case Ended():
                self._forget(worker, item)
            case Arrived(result=result):
                self._arrived.append(result)
            case Refused(error=error):
                self._kill(error)
            case _ if not worker.ready:
                self._greet(worker, item)
            case Freed():
                _logger.info("The engine let go of its models.")
            case _:
                if isinstance(item, Progress) and item.job == worker.job and _place(item) != _place(worker.progress):
                    worker.progress, worker.moved_at = item, self._watch.now
                if isinstance(item, Cancelled | Finished | Failed) and item.job == worker.job:
                    worker.owes_answer = False
                if job := self.jobs.apply(item):
                    self._broken = None
                    if isinstance(item, Finished) and self._paces:
                        self._paces.learn(job.request, self._device, self._memory, item.pace)
                    self._events.append(Event(job, item))
                else:
                    _logger.info("Ignored, since it changes nothing: %.300s", item)

    def _greet(self, worker: _Worker, item: Message) -> None:
        match item:
            case _ if worker.killed_at is not None:
                pass
            case Hello(version=version) if version == VERSION:
                worker.ready = True
                _logger.info("The engine is process %d, version %s.", item.process, item.product or "unknown")
                self._advance()
            case Hello(version=version):
                message = f"The engine speaks version {version} of the protocol, and this Tilewright version {VERSION}."
                hint = "Restart Blender; if that does not help, install Tilewright again."
                self._kill(UserError(ErrorKind.WORKER, message, hint))
            case _:
                self._kill(self._died(worker, "spoke before it said hello"))

    def _kill(self, reason: UserError | None) -> None:
        """End the worker. The job that it has ends with that reason, when it is gone; what it has sent still counts."""
        if self._worker and self._worker.killed_at is None:
            self._worker.killed_at, self._worker.reason = self._watch.now, reason
            self._worker.link.kill()

    def _forget(self, worker: _Worker, ended: Ended) -> None:
        """The worker is gone: so is the job that it had."""
        self._worker, self._tail = None, worker.link.tail
        job = self.jobs.current
        if job is None or (worker.ready and worker.job != job.id):
            _logger.info("The engine ended while it had nothing to do (%s).", ended.returncode)
            return
        verdict = worker.reason or self._verdict(ended, worker)
        if self._try_again(job, worker, ended):
            _logger.warning("%s It is tried again.", verdict.message)
        elif self._may_go_again(job, worker, ended):
            self._gone_again = job.id
            _logger.warning("%s It is started again, once.", verdict.message)
        else:
            self._end_job(self._broken.error if self._broken and ended.lost else verdict)

    def _try_again(self, job: Job, worker: _Worker, ended: Ended) -> bool:
        """Whether the line to where the job is being made is taken up again: it broke, or does not come back yet."""
        now = self._watch.now
        if not ended.lost or worker.reason or job.state is not JobState.RUNNING:
            return False
        if self._broken is None and worker.ready and ended.error:
            self._broken = _Broken(worker.link.place, ended.error, now, now)
        broken = self._broken
        if broken is None or now - broken.since > self._deadlines.line:
            return False
        broken.next_at, broken.pause = now + broken.pause, min(2.0 * broken.pause, _LAST_PAUSE)
        return True

    def _may_go_again(self, job: Job, worker: _Worker, ended: Ended) -> bool:
        """Whether the job is given to a new worker: this one ended by itself before the first step, the first time.

        Such an end may be chance: a library that could not be loaded, a disk that was not awake. One by a signal, by
        the system or a crash, is not: it would end the next one too.
        """
        early = worker.phase.order <= Phase.LOADING.order and not job.results
        by_itself = worker.reason is None and not (ended.nonsense or ended.error) and ended.returncode is not None
        exited = by_itself and (ended.returncode or 0) >= 0
        return early and exited and job.state is JobState.RUNNING and self._gone_again != job.id

    def _verdict(self, ended: Ended, worker: _Worker) -> UserError:
        """Why a worker that nobody ended is gone, in a sentence."""
        code = ended.returncode
        if ended.error:
            return ended.error
        if ended.start_error:
            message = f"The engine could not be started with {worker.link.place}: {ended.start_error}."
            return UserError(ErrorKind.RUNTIME, message, "Check the Python that Tilewright runs its engine with.")
        if ended.nonsense:
            return self._died(worker, "sent what is no message, and was ended")
        if code is None:
            return self._died(worker, "could not be run")
        if code >= 0:
            return self._died(worker, f"ended by itself with exit code {code}")
        # What the system does when memory runs out.
        advice = "Choose a smaller size or close other programs. " if code == -9 else ""
        return self._died(worker, f"was ended by signal {-code}", advice)

    def _died(self, worker: _Worker, what: str, advice: str = "") -> UserError:
        said = [line.strip() for line in self.log_tail(5).splitlines() if line.strip()]
        last = f"It said last: {said[-1][-200:]!r}. " if said else ""
        hint = f"{advice}{last}See the log: {worker.link.log}"
        return UserError(ErrorKind.WORKER, f"The engine {what}.", hint)

    def _end_job(self, error: UserError) -> None:
        """End the current job, if there is one, without a word from the worker."""
        self._broken = None
        if job := self.jobs.fail_current(error):
            if job.state is JobState.CANCELLED:
                self._events.append(Event(job, Cancelled(job.id)))
            else:
                _logger.error("%s\n%s", error, self.log_tail())
                self._events.append(Event(job, Failed(job.id, error)))

    # --- deadlines -----------------------------------------------------------------------------------------------

    def _check(self) -> None:
        """Give the worker up where it is late. Everything that it sent is handled by now."""
        worker, job, now, limits = self._worker, self.jobs.current, self._watch.now, self._deadlines
        if worker is None:
            return
        if worker.signs != worker.link.signs:
            worker.signs, worker.sign_at = worker.link.signs, now
        if worker.killed_at is not None:
            if now - worker.killed_at > limits.reap:
                _logger.error("The engine's process does not end; it is left to the system.")
                self._forget(worker, Ended(None))
        elif not worker.ready:
            self._check_life(worker, now - worker.moved_at, limits.hello, Phase.STARTING)
        elif worker.owes_answer or (job and worker.job == job.id and job.state is JobState.CANCELLING):
            if now - worker.cancel_at > limits.cancel:
                self._kill(_CANCELLED)
        elif job is None or worker.job != job.id:
            return  # idle
        else:
            phase = worker.phase
            self._check_life(worker, now - worker.moved_at, limits.phases[phase], phase)
            if phase is not Phase.STARTING:
                self._check_life(worker, now - worker.sign_at, limits.silence, phase)

    def _check_life(self, worker: _Worker, seconds: float, limit: float, phase: Phase) -> None:
        if seconds > limit:
            self._kill(self._died(worker, f"gave no sign of life for {limit:g} s while {phase.lower()} and was ended"))


_CANCELLED = UserError(ErrorKind.WORKER, "The job was cancelled.")  # never shown: such a job has no error


def _place(progress: Progress | None) -> tuple[int, Phase, int] | None:
    return (progress.image, progress.phase, progress.step) if progress else None
