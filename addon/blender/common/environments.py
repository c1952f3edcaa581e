# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's packages as Blender sees them: which lists there are, what is installed. Imports core and host."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...core import lock as locks
from ...core.errors import ErrorKind, UserError, bug
from ...core.lock import Lock
from ...host import environment
from ...host.environment import Condition, Found, Verdict
from ...host.installer import Installer

_logger = logging.getLogger(__name__)
LOCKS = Path(environment.__file__).resolve().parent / "locks"
_TITLES = {
    "index": ("Standard", "What the package index offers: NVIDIA on Linux, Apple on macOS, the processor everywhere"),
    "cpu": ("Processor", "Small, for machines without a suitable graphics card"),
}


def _items() -> tuple[tuple[str, str, str], ...]:
    """One item for each list in the package; the strings live as long as the module."""
    names = sorted((file.stem for file in LOCKS.glob("*.json")), key=lambda name: name != "index")
    return tuple((name, *_TITLES.get(name, (name.upper(), f"torch for {name}"))) for name in names)


BACKEND_ITEMS = _items()


@dataclass(frozen=True)
class Environments:
    """What is installed. verdict and lock: of the environment that fits; without one, `error` says why none can.

    root: the folder of all. found: all that are there.
    """

    root: Path
    lock: Lock | None = None
    verdict: Verdict | None = None
    error: UserError | None = None
    found: tuple[Found, ...] = ()

    @property
    def ready(self) -> bool:
        return self.verdict is not None and self.verdict.condition is Condition.READY


@dataclass
class Chore:
    """Something that goes on in a background thread and may take its time: `title` while it does.

    stop: set, it ends soon where it can.
    """

    title: str
    thread: threading.Thread
    future: "Future[str]"
    stop: threading.Event

    @classmethod
    def begin(cls, title: str, function: Callable[[threading.Event], str]) -> "Chore":
        """Start it. function: returns what to tell at its end; is given what is set for it to stop."""
        future: Future[str] = Future()
        stop = threading.Event()

        def run() -> None:
            try:
                future.set_result(function(stop))
            except BaseException as error:  # noqa: BLE001 - the future passes it on
                future.set_exception(error)

        thread = threading.Thread(target=run, name="tilewright-chore", daemon=True)
        thread.start()
        return cls(title, thread, future, stop)

    def ended(self) -> tuple[str, UserError | None]:
        """What to tell, and what went wrong; after its end."""
        error = self.future.exception()
        if error is None:
            return self.future.result(), None
        if isinstance(error, UserError):
            return "", error
        _logger.error("A chore failed.", exc_info=error)
        return "", bug(error)


@dataclass
class Setup:
    """installer: the one that runs, or ran last. chore: what else goes on. message: how the last of both ended.

    error: why it failed, until it is closed or something is begun anew.
    """

    installer: Installer | None = None
    chore: Chore | None = None
    message: str = ""
    error: UserError | None = None

    @property
    def installing(self) -> bool:
        return self.installer is not None and self.installer.outcome is None

    @property
    def busy(self) -> bool:
        return self.installing or self.chore is not None


@lru_cache(maxsize=8)
def lock_of(backend: str) -> Lock:
    """The list of that backend, for this Blender's Python. Raises `UserError` (kind `RUNTIME`)."""
    return locks.load(LOCKS / f"{backend}.json", locks.this_target())


def environments(root: Path, backend: str) -> Environments:
    """Look what is there: a few small files."""
    try:
        lock = lock_of(backend)
    except UserError as error:
        return Environments(root, error=error, found=tuple(environment.list_environments(root, None)))
    found = tuple(environment.list_environments(root, lock))
    return Environments(root, lock, environment.inspect(root, lock), None, found)


def find(root: Path, backend: str) -> Path:
    """The Python of the environment that fits. Raises `UserError` (kind `RUNTIME`)."""
    lock = lock_of(backend)
    verdict = environment.inspect(root, lock)
    if verdict.condition is Condition.READY:
        return environment.executable(verdict.folder)
    missing = verdict.condition is Condition.MISSING
    hint = "Press Install in Tilewright's panel." if missing else "Press Repair in Tilewright's panel."
    raise UserError(ErrorKind.RUNTIME, verdict.reason, hint)
