# SPDX-License-Identifier: GPL-3.0-or-later
"""A host for tests: starts the real worker as a child process and talks to it over its pipes."""

import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, TypeVar

from addon.core.protocol import TERMINAL, VERSION, Freed, Heartbeat, Hello, Message, Start, encode, read_message
from addon.core.requests import Request

START = Path(__file__).resolve().parents[2] / "addon" / "start.py"
M = TypeVar("M")


class Client:
    """One worker. `messages` is all that it said so far, without heartbeats; `beats` counts those."""

    def __init__(self, store: Path, *, start: Path = START, idle: float | None = None, **environment: str) -> None:
        self.store = store
        self.messages: list[Message] = []
        self.beats = 0
        self.log = store.with_name(store.name + ".log")
        self._seen: queue.Queue[Message | None] = queue.Queue()
        command = [sys.executable, "-I", "-X", "utf8", str(start), "worker", *([str(idle)] if idle else [])]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
            )
        self.started = time.monotonic()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        while (message := read_message(self.process.stdout)) is not None:
            if isinstance(message, Heartbeat):
                self.beats += 1
            else:
                self._seen.put(message)
        self._seen.put(None)

    def send(self, message: Message) -> None:
        self.send_bytes(encode(message))

    def send_bytes(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def greet(self) -> None:
        self.send(Hello(VERSION, os.getpid(), "test"))

    def start(self, job: str, request: Request, **more: Any) -> None:
        self.send(Start(job, request, str(self.store), **more))

    def wait(self, kind: type[M], seconds: float = 60, **fields: Any) -> M:
        """The next message of that kind and with those fields. Fails when the worker ends or the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                message = self._seen.get(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                raise AssertionError(f"no {_name(kind)} within {seconds} s; {self._told()}") from None
            if message is None:
                self._seen.put(None)
                raise AssertionError(f"the worker ended before {_name(kind)}; {self._told()}")
            self.messages.append(message)
            if isinstance(message, kind) and all(getattr(message, name) == value for name, value in fields.items()):
                return message

    def ended(self, job: str, seconds: float = 60) -> Message:
        """The job's terminal message."""
        return self.wait(TERMINAL, seconds, job=job)  # type: ignore[arg-type]

    def of(self, job: str) -> list[Message]:
        """All that was said about a job."""
        return [message for message in self.messages if getattr(message, "job", None) == job]

    def take_rest(self, seconds: float) -> None:
        """Collect what comes within that time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                message = self._seen.get(timeout=left)
            except queue.Empty:
                return
            if message is None:
                self._seen.put(None)
                return
            self.messages.append(message)

    def hang_up(self, seconds: float = 10) -> int:
        """Close the worker's stdin; its exit code."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait(seconds)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def stored(self) -> list[str]:
        return sorted(path.name for path in self.store.iterdir()) if self.store.exists() else []

    def loads(self) -> int:
        """How often a model was loaded."""
        return self.log.read_text(errors="replace").count("engine.models: loading ")

    def freed(self) -> int:
        """How often models were said to be freed."""
        return sum(isinstance(message, Freed) for message in self.messages)

    def _told(self) -> str:
        log = self.log.read_text(errors="replace")[-2000:]
        return f"it said {[type(message).__name__ for message in self.messages]}, its log ends with:\n{log}"


def _name(kind: object) -> str:
    return "end" if kind is TERMINAL else str(getattr(kind, "__name__", kind))
