# SPDX-License-Identifier: GPL-3.0-or-later
"""A session with a worker that is no process: the link is all that it knows. So a worker elsewhere is another link."""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from addon.core.errors import ErrorKind, UserError
from addon.core.jobs import Job, JobState
from addon.core.protocol import (
    VERSION,
    Cancel,
    Cancelled,
    Finished,
    Free,
    Hello,
    Message,
    Phase,
    Progress,
    Refused,
    Start,
)
from addon.core.requests.texture import TextureRequest
from addon.host.deadlines import Deadlines
from addon.host.link import Ended
from addon.host.runtime import Runtime
from addon.host.session import Session
from addon.host.store import Store
from tests.host.conftest import children


@dataclass
class MemoryLink:
    """A `Link` in memory: a test reads `sent`, and lets the worker `say` things."""

    runtime: Runtime
    log: Path = Path("/logs/elsewhere.log")
    tail: bytes = b"words\nlast words"
    signs: int = 0
    sent: list[Message] = field(default_factory=list)
    killed: bool = False
    finished: bool = False
    _said: deque[Message | Ended] = field(default_factory=deque)

    @property
    def place(self) -> str:
        return "the machine elsewhere"

    def say(self, *messages: Message | Ended) -> None:
        self._said += messages
        self.signs += 1

    def send(self, message: Message) -> None:
        self.sent.append(message)

    def receive(self) -> Message | Ended | None:
        return self._said.popleft() if self._said else None

    def kill(self) -> None:
        self.killed = True

    def finish(self, grace: float = 0.5, limit: float = 1.0) -> bool:
        self.finished = True
        return True


class Elsewhere:
    """A session, its links in the order in which they were made, and a clock that only the test moves."""

    def __init__(self, folder: Path) -> None:
        self.links: list[MemoryLink] = []
        self.runtime = Runtime(Path("/there/python"), "test")
        self.time = 0.0
        self.session = Session(
            store=Store(folder / "store"),
            find_runtime=lambda: self.runtime,
            start_worker=self._start,
            product="test",
            deadlines=Deadlines(cancel=5.0),
            clock=lambda: self.time,
        )

    def _start(self, runtime: Runtime) -> MemoryLink:
        self.links.append(MemoryLink(runtime))
        return self.links[-1]

    @property
    def link(self) -> MemoryLink:
        return self.links[-1]

    def submit(self, prompt: str = "bricks") -> Job:
        return self.session.submit(TextureRequest(prompt))

    def greet(self) -> None:
        self.link.say(Hello(VERSION, 7))
        self.session.pump()

    def pass_(self, seconds: int) -> None:
        for _ in range(seconds):  # the session counts a second between two looks at most
            self.time += 1.0
            self.session.pump()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path)


def test_a_job_is_done_over_any_link_and_starts_no_process(elsewhere: Elsewhere) -> None:
    before = children()
    job = elsewhere.submit()
    assert [type(message) for message in elsewhere.link.sent] == [Hello]
    assert elsewhere.link.runtime == elsewhere.runtime
    elsewhere.greet()
    start = elsewhere.link.sent[-1]
    assert isinstance(start, Start)
    assert (start.job, start.request) == (job.id, job.request)
    elsewhere.link.say(Progress(job.id, Phase.SAMPLING, 0, 1, 5, 10), Finished(job.id, 2.5))
    events = elsewhere.session.pump()
    assert [type(event.message) for event in events] == [Progress, Finished]
    assert (job.state, job.seconds) == (JobState.FINISHED, 2.5)
    elsewhere.session.free()
    assert elsewhere.link.sent[-1] == Free()
    elsewhere.session.close()
    assert elsewhere.link.finished
    assert children() == before


def test_a_cancel_is_given_its_grace_and_then_the_link_is_ended(elsewhere: Elsewhere) -> None:
    job = elsewhere.submit()
    elsewhere.greet()
    elsewhere.link.say(Progress(job.id, Phase.SAMPLING, 0, 1, 1, 10))
    elsewhere.session.pump()
    elsewhere.session.cancel(job)
    assert elsewhere.link.sent[-1] == Cancel(job.id)
    elsewhere.pass_(5)
    assert not elsewhere.link.killed
    elsewhere.pass_(1)
    assert elsewhere.link.killed
    assert not job.ended
    elsewhere.link.say(Ended(-9))
    (event,) = elsewhere.session.pump()
    assert event.message == Cancelled(job.id)
    assert job.error is None
    elsewhere.submit()
    assert len(elsewhere.links) == 2


@pytest.mark.parametrize(
    ("say", "kind", "words"),
    [
        (
            Ended(None, start_error="no route"),
            ErrorKind.RUNTIME,
            "not be started with the machine elsewhere: no route.",
        ),
        (Ended(255), ErrorKind.WORKER, "ended by itself with exit code 255"),
        (Ended(-15), ErrorKind.WORKER, "ended by signal 15"),
        (Ended(-9, nonsense=True), ErrorKind.WORKER, "sent what is no message"),
        (Ended(None), ErrorKind.WORKER, "could not be run"),
    ],
)
def test_the_end_of_a_link_fails_its_job_in_a_sentence(
    elsewhere: Elsewhere, say: Ended, kind: ErrorKind, words: str
) -> None:
    job = elsewhere.submit()
    if not say.start_error:
        elsewhere.greet()
    elsewhere.link.say(say)
    elsewhere.session.pump()
    if say.returncode == 255:  # may be chance: a new worker gets the job, once
        assert job.error is None
        elsewhere.greet()
        elsewhere.link.say(say)
        elsewhere.session.pump()
    assert job.error is not None
    assert job.error.kind is kind
    assert words in job.error.message
    if kind is ErrorKind.WORKER:
        assert "'last words'" in job.error.hint
        assert str(elsewhere.link.log) in job.error.hint


def test_a_worker_that_refuses_is_ended_with_its_own_sentence(elsewhere: Elsewhere) -> None:
    job = elsewhere.submit()
    error = UserError(ErrorKind.WORKER, "Another version.", "Install it there.")
    elsewhere.link.say(Refused(error))
    elsewhere.session.pump()
    assert elsewhere.link.killed
    elsewhere.link.say(Ended(3))
    elsewhere.session.pump()
    assert job.error == error


def test_what_lives_and_says_nothing_new_fails_at_the_phases_deadline(elsewhere: Elsewhere) -> None:
    job = elsewhere.submit()
    elsewhere.greet()
    elsewhere.link.say(Progress(job.id, Phase.ENCODING))
    for _ in range(299):
        elsewhere.link.signs += 1  # heartbeats
        elsewhere.pass_(1)
    assert not elsewhere.link.killed
    elsewhere.pass_(3)
    assert elsewhere.link.killed
    elsewhere.link.say(Ended(-9))
    elsewhere.session.pump()
    assert job.error is not None
    assert "no sign of life for 300 s while encoding" in job.error.message


def test_another_runtime_gets_another_link(elsewhere: Elsewhere) -> None:
    job = elsewhere.submit()
    elsewhere.greet()
    elsewhere.link.say(Finished(job.id, 1.0))
    elsewhere.session.pump()
    elsewhere.runtime = Runtime(Path("/other/python"), "test")
    second = elsewhere.submit()
    assert elsewhere.link.killed
    elsewhere.link.say(Ended(-9))
    elsewhere.session.pump()
    assert [link.runtime.python for link in elsewhere.links] == [Path("/there/python"), Path("/other/python")]
    elsewhere.greet()
    assert isinstance(elsewhere.link.sent[-1], Start)
    assert elsewhere.link.sent[-1].job == second.id
