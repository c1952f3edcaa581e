# SPDX-License-Identifier: GPL-3.0-or-later
"""What `Session` asks of a worker, wherever that one runs. Imports core.

`process` has the one whose worker is a child of this process, `ssh_link` that on another machine. Nothing of a link may
block, but for `finish`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..core.errors import UserError
from ..core.protocol import Message
from ..core.results import Result
from .runtime import Runtime


@dataclass(frozen=True)
class Ended:
    """The worker is gone; nothing follows.

    returncode: its exit code, negative for a signal, None if it never ran or could not be ended.
    start_error: why it could not be started. nonsense: it was ended because it sent what is no message.
    error: what to tell, where the link knows better than the exit code. lost: only the line to it is gone, or cannot be
    had just now; what it has begun it may finish, and another link can take that up: it is given the same `Start`.
    """

    returncode: int | None
    start_error: str = ""
    nonsense: bool = False
    error: UserError | None = None
    lost: bool = False


@dataclass(frozen=True)
class Arrived:
    """A result of an earlier job is in the store now: it was finished after the line had broken."""

    result: Result


class Link(Protocol):
    """One worker, from the moment the link is made until it says `Ended`."""

    @property
    def place(self) -> str:
        """What the worker runs on, for a sentence: a Python's path, a machine's name."""

    @property
    def log(self) -> Path:
        """The file on this machine that takes what the worker writes to stderr."""

    @property
    def tail(self) -> bytes:
        """The end of that, at most 16 KiB."""

    @property
    def signs(self) -> int:
        """Grows with everything that the worker sends: its signs of life."""

    def send(self, message: Message) -> None:
        """Put a message on its way. One that the worker cannot take any more is dropped; `Ended` tells of that."""

    def receive(self) -> Message | Ended | Arrived | None:
        """What came next, None if nothing is there yet. Heartbeats only count as `signs`. `Ended` is the last, once.

        When it says `Ended`, the worker is gone with all that it started, and its half made results are cleaned away.
        """

    def kill(self) -> None:
        """End the worker and what it started, at once. `Ended` follows when they are gone."""

    def finish(self, grace: float = 0.5, limit: float = 1.0) -> bool:
        """Block until the worker is gone, killed if `grace` seconds do not do. False if it is not within `limit`."""


StartWorker = Callable[[Runtime], Link]
