# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch on Ray: this machine's accelerators, or those of a cluster. Imports core, and Ray when it is asked for.

Why actors, and neither Ray Data nor plain tasks: the unit of work is one picture that ends as files, and what is dear
is the model, which an actor keeps loaded. Ray Data moves rows through its object store in blocks, retries a block as a
whole, and does not let tasks of one model go where that model is loaded. A plain task may land in any process, which
may be a new one. Ray's own retry of an actor's task waits until that same actor can be started again, perhaps for a
machine that is gone while others idle: so an actor is never restarted; what it had is given to others, and a new one is
asked for, which Ray places wherever there is room. A task that was done all the same is found on the shelf.

Backpressure: each actor has one task that it works on and one that waits; the rest stays in this process.

Ray sends statistics of its use to its makers unless it is told not to: it is told so here.
"""

import logging
import os
import secrets
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import ErrorKind, UserError
from ...core.protocol import Start
from ...core.results import Result
from ..bootstrap import ENVIRONMENT
from .making import CardLost, Maker, Outcome, make
from .rows import Task
from .shelf import Shelf
from .url_shelf import shelf_at

if TYPE_CHECKING:
    from ..watcher import Watcher

VERSION = "2.60.0"
LOCAL = "local"
MOST_ENDS = 5  # of processes in one task, or before any was ready
_CONNECT = 10.0  # seconds for a connection to a cluster
_CLUSTER = "Look whether it runs (ray status), and at the address that it told when it began."
_PATIENCE = 10.0  # seconds without a texture after which it is looked whether there is a machine left
_ROOT = Path(__file__).resolve().parents[2]  # the package


@dataclass(frozen=True)
class Cluster:
    """Where to work. address: `LOCAL` or a cluster's. cores: for each actor where there is no accelerator.

    actors: at most so many; 0: as many as there is room for. device, memory: see `protocol.Start`.
    """

    address: str
    cores: int = 4
    actors: int = 0
    device: str = "auto"
    memory: str = "auto"


class Painter:
    """The actor: one process with one loaded model. maker: gives what makes the pictures."""

    def __init__(self, maker: Callable[[], Maker], address: str, device: str, memory: str) -> None:
        self._maker = maker
        self._make: Maker = _not_prepared
        self._address, self._how = address, (device, memory)

    def prepare(self) -> dict[str, str] | None:
        """Find the shelf and import the engine; returns what is wrong with them, if anything is."""
        try:
            self._shelf = shelf_at(self._address)
            self._make = self._maker()
        except UserError as error:
            return error.to_json()
        return None

    def paint(self, task: dict[str, Any]) -> dict[str, Any]:
        """Make one; returns the result or the error."""
        try:
            result = make(self._make, Task.from_json(task), self._shelf, *self._how)
        except UserError as error:
            return {"error": error.to_json()}
        except CardLost:  # whatever this process would do now fails alike
            os._exit(4)
        return {"result": result.to_json()}


def _not_prepared(start: Start, watch: "Watcher") -> None:
    raise AssertionError("paint before prepare")


def outcomes(tasks: Iterable[Task], shelf: Shelf, cluster: Cluster, maker: Callable[[], Maker]) -> Iterator[Outcome]:
    """Make them all, and tell of each as it is over. Raises `UserError` where Ray itself fails.

    maker: a function of a module. The shelf, the models and this package have to be at the same paths on all machines.
    """
    with _connected(cluster.address) as ray:
        yield from _Crew(ray, list(tasks), shelf, cluster, maker).work()


@dataclass(eq=False)
class _Hand:
    """An actor, and what it was given, oldest first. prepares: the call that it has not answered yet."""

    actor: Any
    prepares: Any
    tasks: "deque[tuple[Any, Task]]" = field(default_factory=deque)
    model: tuple[str, str, str] | None = None

    @property
    def calls(self) -> list[Any]:
        """What is awaited of it."""
        return [self.prepares] if self.prepares is not None else [call for call, _task in self.tasks]


class _Crew:
    """The actors of one batch, and what is left for them."""

    def __init__(
        self, ray: Any, tasks: Sequence[Task], shelf: Shelf, cluster: Cluster, maker: Callable[[], Maker]
    ) -> None:
        self._ray, self._cluster = ray, cluster
        self._left: dict[tuple[str, str, str], deque[Task]] = {}
        for task in tasks:
            self._left.setdefault(task.model, deque()).append(task)
        self._ends: dict[str, int] = {}  # by task, of processes that ended in it
        self._stillborn = 0
        room, needs = _room(ray, cluster)
        self._actor = ray.remote(Painter).options(max_restarts=0, max_task_retries=0, **needs)
        self._arguments = (maker, shelf.address, cluster.device, cluster.memory)
        self._hands = [self._new() for _ in range(min(room, len(tasks)))]

    def work(self) -> Iterator[Outcome]:
        while any(self._left.values()) or any(hand.tasks for hand in self._hands):
            self._hand_out()
            calls = {call: hand for hand in self._hands for call in hand.calls}
            done, _ = self._ray.wait(list(calls), num_returns=1, timeout=_PATIENCE)
            for call in done:
                yield from self._take(calls[call], call)
            if not done and not any(node["Alive"] for node in self._ray.nodes()):
                # Where Ray's own process on the only machine is killed, 2.60 lets the batch wait for it for ever.
                raise UserError(ErrorKind.WORKER, "Ray has no machine any more.", "Run the same command again.")

    def _hand_out(self) -> None:
        """Give each one something; a second task only while there are enough for all, or the last ones wait in vain."""
        for depth in (1, 2):
            for hand in self._hands:
                if hand.prepares is None and len(hand.tasks) < depth and (depth == 1 or self._is_plenty):
                    self._give(hand)

    @property
    def _is_plenty(self) -> bool:
        return sum(map(len, self._left.values())) > len(self._hands)

    def _give(self, hand: _Hand) -> None:
        """The next task of the model that it holds, or else of the one with the most left for each that works on it."""
        left = {model: tasks for model, tasks in self._left.items() if tasks}
        if not left:
            return
        if hand.model not in left:
            if hand.tasks:
                return  # it loads another one when it has nothing else to do
            at_work = [other.model for other in self._hands]
            hand.model = max(left, key=lambda model: len(left[model]) / (1 + at_work.count(model)))
        task = left[hand.model].popleft()
        hand.tasks.append((hand.actor.paint.remote(task.to_json()), task))

    def _take(self, hand: _Hand, call: Any) -> Iterator[Outcome]:
        try:
            answer = self._ray.get(call)
        except self._ray.exceptions.RayError as error:
            yield from self._replace(hand, error)
            return
        if hand.prepares is not None:
            hand.prepares, self._stillborn = None, 0
            if answer:
                raise UserError.from_json(answer)
            return
        task = next(task for other, task in hand.tasks if other == call)
        hand.tasks.remove((call, task))
        yield task, UserError.from_json(answer["error"]) if "error" in answer else Result.from_json(answer["result"])

    def _replace(self, hand: _Hand, error: Exception) -> Iterator[Outcome]:
        """It is gone, or out of reach, which is the same: what it had is for others."""
        self._ray.kill(hand.actor)
        self._hands.remove(hand)
        if hand.prepares is not None:
            self._stillborn += 1
            if self._stillborn >= MOST_ENDS:
                reason = str(error).partition("\n")[0].rstrip(".")
                raise UserError(ErrorKind.WORKER, f"Ray's processes end as they start: {reason}.", "Look into its log.")
        tasks = [task for _call, task in hand.tasks]
        if tasks:
            first = tasks[0]  # the one that it was at work on
            self._ends[first.id] = self._ends.get(first.id, 0) + 1
            if self._ends[first.id] >= MOST_ENDS:
                tasks = tasks[1:]
                message = f"The process that made it ended {MOST_ENDS} times."
                yield first, UserError(ErrorKind.WORKER, message, "Perhaps its memory is too small for it.")
        for task in reversed(tasks):
            self._left[task.model].appendleft(task)
        self._hands.append(self._new())

    def _new(self) -> _Hand:
        actor = self._actor.remote(*self._arguments)
        return _Hand(actor, actor.prepare.remote())


def _room(ray: Any, cluster: Cluster) -> tuple[int, dict[str, float]]:
    """How many actors there is room for, at least one, and what each needs, in Ray's words."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cards = sum(int(node.get("GPU", 0)) for node in nodes)
    if cards and cluster.device != "cpu":
        room, needs = cards, {"num_gpus": 1.0, "num_cpus": 1.0}
    else:
        most = max((int(node.get("CPU", 0)) for node in nodes), default=1)
        cores = max(min(cluster.cores, most), 1)
        room, needs = sum(int(node.get("CPU", 0)) // cores for node in nodes), {"num_cpus": float(cores)}
    return max(min(room, cluster.actors or room), 1), needs


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Ray, on a cluster, or on one of this machine's that ends with this."""
    package = __name__.partition(".")[0]
    if _ROOT.name != package:  # its processes import it by name
        raise UserError(ErrorKind.RUNTIME, f"The folder {_ROOT} has to be called {package} for Ray.", "Rename it.")
    _check(address)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    words = {**ENVIRONMENT, "PYTHONPATH": str(_ROOT.parent)}
    how: dict[str, Any] = {"address": address, "runtime_env": {"env_vars": words}}
    if address == LOCAL:
        # It listens on all of the machine's addresses, and whoever may speak to it may run anything: a token of this
        # run alone, where Ray would leave one in the user's folder. Said after the import, it hangs for half a minute.
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        how["include_dashboard"] = False
    ray = _import()
    try:
        ray.init(**how, log_to_driver=False, logging_level=logging.WARNING)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UserError(ErrorKind.RUNTIME, f"Ray cannot be reached at {address}: {reason}.") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check(address: str) -> None:
    """Raise `UserError` where nobody is at an address: Ray 2.60 itself tries for more than five minutes, then exits."""
    if address in (LOCAL, "auto"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        hint = f"Write {LOCAL}, or such as 10.0.0.5:6379."
        raise UserError(ErrorKind.REQUEST, f"{address!r} is no address of a cluster.", hint)
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(ErrorKind.RUNTIME, f"Ray cannot be reached at {address}: {reason}.", _CLUSTER) from error


def _import() -> Any:
    try:
        import ray
    except ImportError as error:
        # The environment that the extension makes has no pip of its own.
        hint = f"Install it: python3 -m pip --python {sys.executable} install ray=={VERSION}"
        raise UserError(ErrorKind.RUNTIME, "The engine's Python has no Ray.", hint) from error
    return ray
