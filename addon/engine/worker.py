# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's main loop: commands in, jobs in a thread, messages out. Imports core; engine when a job starts.

The main thread only reads commands, so it answers a cancel at once, whatever the diffusion thread is doing. torch is
imported by the diffusion thread with the first job: hello comes before it.
"""

import logging
import os
import queue
import statistics
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from ..core import pace
from ..core.errors import ErrorKind, UserError, bug, cannot_import
from ..core.pace import Pace
from ..core.protocol import (
    VERSION,
    Cancel,
    Cancelled,
    Failed,
    Finished,
    Free,
    Freed,
    Heartbeat,
    Hello,
    ImageDone,
    InvalidRequest,
    Message,
    Note,
    Phase,
    Preview,
    Progress,
    ProtocolError,
    Quit,
    Refused,
    Start,
    encode,
    read_message,
)
from ..core.results import Draft, Result
from . import reading_ahead

if TYPE_CHECKING:
    from .models import ModelCache

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 0.5
IDLE_SECONDS = 600.0  # after which models are let go


class JobCancelled(Exception):
    """Raised in the diffusion thread by anything a job does after it was cancelled."""


class Output:
    """The pipe to the host. Any thread may send; each frame goes out whole."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Write one frame. Nobody left to read it ends the process."""
        frame = encode(message)
        try:
            with self._lock:
                self._stream.write(frame)
                self._stream.flush()
        except OSError:  # a broken pipe: the host is gone, and so is the reason to go on
            leave(1)


class RunningJob:
    """One job on its way through the diffusion thread; the main thread may cancel it at any time.

    Its lock decides between a cancel and all that the job says or publishes: whichever comes first. So exactly one
    terminal message is sent, nothing follows it, and no picture appears in the store after a cancel was answered.
    """

    def __init__(self, start: Start, output: Output) -> None:
        self.start = start
        self._output = output
        self._lock = threading.RLock()
        self._ended = False
        self._begun = time.monotonic()
        self._step_begun = 0.0
        self._warm = False  # whether the first step is over
        # seconds that each of the last steps took; not all of them, since a median costs more the more there are
        self._steps: deque[float] = deque(maxlen=100)
        # seconds of a finished picture that were not spent in steps, the least so far
        self._beside: float | None = None
        self._image = -1  # the one that is being made: the one before may still be written meanwhile
        self._image_begun = 0.0
        self._image_steps = 0.0
        self.imports = self.loads = False  # whether the engine, and a model, are not there yet
        self._loading_begun = self._begun
        self._encoding_begun: float | None = None  # of the first picture
        self._tiles_begun = 0.0

    @property
    def id(self) -> str:
        return self.start.job

    def cancel(self) -> None:
        """End the job and say so, unless it has ended. Never waits longer than a picture's rename takes."""
        with self._lock:
            if not self._ended:
                self._ended = True
                self._output.send(Cancelled(self.id))

    def finish(self, message: Finished | Failed) -> None:
        """Send the terminal message, unless the job was cancelled."""
        with self._lock:
            if not self._ended:
                self._ended = True
                self._output.send(message)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

    # what a `Watcher` is asked for

    def check(self) -> None:
        """Raise JobCancelled if the job has ended."""
        if self._ended:
            raise JobCancelled

    def progress(self, phase: Phase, image: int = 0, step: int = 0, steps: int = 0) -> None:
        """Report where the job is, with an estimate of what is left. Raises JobCancelled."""
        images = self.start.request.count
        remaining = self._remaining(phase, image, step, steps)
        self._send(Progress(self.id, phase, image, images, step, steps, remaining))

    def note(self, text: str) -> None:
        """Tell the user something. Raises JobCancelled."""
        self._send(Note(self.id, text))

    def preview(self, image: int, step: int, path: Path) -> None:
        """Tell of a picture in the making. Raises JobCancelled."""
        self._send(Preview(self.id, image, step, str(path)))

    def pace(self) -> Pace:
        """How long the parts of this job took, as far as it got."""
        loaded = self._encoding_begun
        return Pace(
            start=self._loading_begun - self._begun if self.imports and loaded else None,
            load=loaded - self._loading_begun if self.loads and loaded else None,
            step=statistics.median(self._steps) if self._steps else None,
            beside=self._beside,
        )

    def publish(self, image: int, draft: Draft, result: Result) -> None:
        """Put a picture into the store and say so, or raise JobCancelled; never something in between."""
        locked = False

        def allowed() -> bool:
            nonlocal locked
            self._lock.acquire()
            locked = True
            return not self._ended

        try:
            final = draft.publish(result, allowed=allowed)
            if final is None:
                raise JobCancelled
            self._send(ImageDone(self.id, image, final))
        finally:
            if locked:
                self._lock.release()
        if image == self._image:
            self._image_ended()

    def _image_ended(self) -> None:
        beside = time.monotonic() - self._image_begun - self._image_steps
        self._beside = beside if self._beside is None else min(self._beside, beside)

    def _send(self, message: Message) -> None:
        with self._lock:
            self.check()
            self._output.send(message)

    def _remaining(self, phase: Phase, image: int, step: int, steps: int) -> float | None:
        """Seconds until the job ends: from its own steps once there are some, before that from such jobs' before it.

        The first step of a job is left out: it warms up. What a picture takes besides its steps is known once one is
        done.
        """
        now = time.monotonic()
        request = self.start.request
        if phase in (Phase.UPSCALING, Phase.MAPPING):
            return self._remaining_tiles(now, step, steps)
        if not request.is_sampled:
            return None
        if phase is Phase.LOADING:
            self._loading_begun = now
        if phase is Phase.ENCODING:
            if image > self._image >= 0:
                self._image_ended()
            self._image, self._image_begun, self._image_steps = image, now, 0.0
            if self._encoding_begun is None:
                self._encoding_begun = now
        if phase is Phase.SAMPLING:
            if step:
                if self._warm:
                    self._steps.append(now - self._step_begun)
                self._warm = True
                self._image_steps += now - self._step_begun
            self._step_begun = now
        own, before = self.pace(), self.start.pace
        known = Pace(
            start=before.start if self.imports and phase is Phase.STARTING else None,
            load=before.load,
            step=before.step if own.step is None else own.step,
            beside=before.beside if own.beside is None else own.beside,
        )
        if phase.order > Phase.SAMPLING.order:
            step = request.steps
        loading = self.loads and phase.order < Phase.ENCODING.order
        return pace.remaining(known, request, loading=loading, image=image, step=step)

    def _remaining_tiles(self, now: float, done: int, total: int) -> float | None:
        """Seconds until the tiles of this phase are done, from those that are."""
        if done == 0:
            self._tiles_begun = now
            return None
        return (now - self._tiles_begun) / done * (total - done)


class Worker:
    """Reads commands, runs jobs one after another."""

    def __init__(self, commands: BinaryIO, replies: BinaryIO, idle_seconds: float = IDLE_SECONDS) -> None:
        self._commands = commands
        self._output = Output(replies)
        self._idle_seconds = idle_seconds
        self._work: queue.SimpleQueue[RunningJob | Free] = queue.SimpleQueue()
        self._jobs: dict[str, RunningJob] = {}  # not yet done with, also those that were cancelled
        self._jobs_lock = threading.Lock()
        self._cache: ModelCache | None = None

    def run(self) -> int:
        """Serve until the host is gone, quits, or speaks nonsense. Returns the process's exit code."""
        self._output.send(Hello(VERSION, os.getpid()))
        try:
            hello = read_message(self._commands)
            if hello is None:
                return 0
            if not isinstance(hello, Hello):
                raise ProtocolError(f"{type(hello).__name__} before Hello")
            if hello.version != VERSION:
                self._output.send(Refused(_other_version(hello.version)))
                return 3
            threading.Thread(target=self._heartbeat, daemon=True, name="heartbeat").start()
            threading.Thread(target=self._diffuse_or_leave, daemon=True, name="diffusion").start()
            return self._serve()
        except ProtocolError as error:
            log.error("the host spoke nonsense: %s", error)
            problem = UserError(ErrorKind.WORKER, "The worker was sent something it cannot read.", "Try again.")
            for job in self._current_jobs():
                job.finish(Failed(job.id, problem))
            return 2

    def _serve(self) -> int:
        while True:
            try:
                message = read_message(self._commands)
            except InvalidRequest as error:
                self._output.send(Failed(error.job, error.error))
                continue
            match message:
                case None | Quit():
                    return 0
                case Start(job=name):
                    job = RunningJob(message, self._output)
                    with self._jobs_lock:
                        if name in self._jobs:  # doubled: one job each
                            continue
                        self._jobs[name] = job
                    self._look_what_is_loaded(job)
                    job.progress(Phase.STARTING)
                    self._work.put(job)
                case Cancel(job=name):
                    for job in self._current_jobs():
                        if job.id == name:
                            job.cancel()
                case Free():
                    self._work.put(message)
                case _:
                    log.warning("ignored %s", type(message).__name__)

    def _current_jobs(self) -> list[RunningJob]:
        with self._jobs_lock:
            return list(self._jobs.values())

    def _heartbeat(self) -> None:
        while True:
            self._output.send(Heartbeat())
            time.sleep(HEARTBEAT_SECONDS)

    def _diffuse_or_leave(self) -> None:
        """Nothing would do the jobs that come after an error outside of one (a driver that fails while freeing)."""
        try:
            self._diffuse()
        except Exception:
            log.exception("the diffusion thread failed")
            leave(1)

    def _diffuse(self) -> None:
        """The diffusion thread: one piece of work after another, models freed on request and after idling."""
        while True:
            try:
                work = self._work.get(timeout=self._idle_seconds)
            except queue.Empty:
                if self._cache is not None and self._cache.holds_model:
                    self._free()
                continue
            if isinstance(work, Free):
                self._free()
                self._give_card_back()
                continue
            self._run_job(work)
            with self._jobs_lock:
                del self._jobs[work.id]

    def _free(self) -> None:
        if self._cache is not None:
            self._cache.free()
        self._output.send(Freed())

    def _give_card_back(self) -> None:
        """End the process where it has a graphics card open: a render needs all of it, and the driver keeps 0.7 GiB.

        That is what an H100 held after models were freed. The host starts another worker for the next job.
        """
        if self._cache is not None and not self._current_jobs() and _holds_card():
            log.info("the graphics card is given back, and the worker ends")
            leave(0)

    def _look_what_is_loaded(self, job: RunningJob) -> None:
        job.imports = self._cache is None
        job.loads = self._cache is None or not self._cache.holds_model

    def _run_job(self, job: RunningJob) -> None:
        try:
            job.check()
            self._look_what_is_loaded(job)  # once more: a job before it may have loaded meanwhile
            if self._cache is None:
                if job.start.request.is_sampled:
                    request = job.start.request.as_texture()
                    reading_ahead.begin(request.model, request.parts)
                self._cache = _import_engine()
            from .generate import make_images

            job.check()
            if job.start.request.is_sampled:
                make_images(self._cache, job.start, job)
            else:
                from .picture_job import make_result

                make_result(self._cache.networks, job.start, job)
            job.finish(Finished(job.id, job.seconds, job.pace()))
        except JobCancelled:
            log.info("job %s was cancelled", job.id)
        except UserError as error:
            log.warning("job %s failed: %s", job.id, error, exc_info=True)
            job.finish(Failed(job.id, error))
        except Exception as error:
            log.exception("job %s failed", job.id)
            lost = card_error(error)
            job.finish(Failed(job.id, lost or bug(error)))
            if lost:  # whatever this process would ask of it now fails alike; the host starts another worker
                leave(4)


def card_error(error: Exception) -> UserError | None:
    """What is told where an error is that of a graphics card which cannot be used any more, None for any other."""
    try:
        from .devices import is_device_lost

        lost = is_device_lost(error)
    except ImportError:  # of torch
        return None
    reason = str(error).strip().partition("\n")[0].rstrip(".")
    return (
        UserError(
            ErrorKind.RUNTIME,
            f"The graphics card failed: {reason}.",
            "Try again, with a fresh engine. If it fails again, update the card's driver, or choose the device cpu.",
        )
        if lost
        else None
    )


def _holds_card() -> bool:
    """Whether this process has a graphics card open. Apple's has no memory of its own."""
    import torch

    return torch.cuda.is_initialized() or torch.xpu.is_initialized()


def _import_engine() -> "ModelCache":
    """Import torch and all that goes with it, in seconds. Raises `UserError` (kind `RUNTIME`) where that fails."""
    try:
        from . import generate  # noqa: F401 - the rest of it
        from .models import ModelCache
    except Exception as error:
        raise cannot_import(error) from error
    return ModelCache()


def _other_version(version: int) -> UserError:
    return UserError(
        ErrorKind.WORKER,
        f"Blender's side speaks version {version} of the protocol, the worker version {VERSION}.",
        "Restart Blender, or install Tilewright again.",
    )


def leave(code: int) -> NoReturn:
    """End the process now, in the middle of whatever other threads do."""
    logging.shutdown()
    os._exit(code)
