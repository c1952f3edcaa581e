# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches inside a process like a user's. Imports core and the batch; Ray and torch where a figure needs them."""

import importlib.util
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from addon.core import results
from addon.core.prompt_files import Wish
from addon.core.protocol import Start
from addon.engine.batch import command, making, on_ray, rows
from addon.engine.batch.making import Maker, Outcome
from addon.engine.batch.rows import Task
from addon.engine.batch.shelf import LIST, OWN, Shelf
from tools.bench import sleeping
from tools.machine import MachineError

PREFIX = "tw-"  # of temporary folders: Ray's sockets have short names only
COMMAND = "from tools.bench import batch_chain; batch_chain.sleepers()"
_LIMIT = 900.0  # seconds that a batch may take in all


def sleepers() -> None:
    """The batch's command, with pictures that sleep."""
    sys.exit(command.main(sys.argv[1:], sleeping.maker))


def skip(count: int) -> list[float]:
    """Seconds that three runs of the command take which have nothing to do: so many textures are made already."""
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        arguments = [str(_table(folder, count)), "--output", str(folder / "out")]
        _run(arguments)
        taken = []
        for _ in range(3):
            begun = time.monotonic()
            _run(arguments)
            taken.append(time.monotonic() - begun)
        return taken


def overhead(count: int, seconds: float) -> dict[str, float]:
    """Seconds a picture, of pictures that sleep: of one actor, and of the plain loop, from the second picture on."""
    with _ray():
        loop = _each(count, seconds, lambda tasks, shelf: _loop(tasks, shelf, sleeping.maker))
        ray = _each(count, seconds, lambda tasks, shelf: _actors(tasks, shelf, 1, sleeping.maker))
    return {"loop": loop, "ray": ray}


def starter(count: int, actors: int) -> float:
    """Textures a second of the starter model, on so many actors of one thread each."""
    with _ray():
        done = list(_timed(count, 0.0, lambda tasks, shelf: _actors(tasks, shelf, actors, making.with_models)))
    begun = done[actors - 1][0]  # from there on all of them are warm, mostly
    return (len(done) - actors) / (done[-1][0] - begun)


def starter_overhead(count: int) -> dict[str, float]:
    """As `overhead`, of the starter model on one thread."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with _ray():
        loop = _each(count, 0.0, lambda tasks, shelf: _loop(tasks, shelf, making.with_models))
        ray = _each(count, 0.0, lambda tasks, shelf: _actors(tasks, shelf, 1, making.with_models))
    return {"loop": loop, "ray": ray}


def cluster(actors: int, rounds: int, seconds: float) -> dict[str, float]:
    """A cluster of four machines on this one, with so many actors in all, whose pictures sleep.

    Returns the efficiency, which is the pictures that there were over those that could have been while all of them had
    work; and the seconds from the first start of an actor until the last was ready, which do not count.
    """
    with _ray(), tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        import ray
        from ray.cluster_utils import Cluster

        os.environ[sleeping.DIARY] = str(Path(name) / "diary")  # before the processes that hand them on
        os.environ[sleeping.SECONDS] = str(seconds)
        simulated = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        try:
            for _ in range(4):
                simulated.add_node(num_cpus=actors // 4)
            simulated.wait_for_nodes()
            wanted, maker = on_ray.Cluster(simulated.address, cores=1), partial(_together, actors)
            begun = time.monotonic()
            work = partial(on_ray.outcomes, cluster=wanted, maker=maker)
            done = list(_timed(actors * (1 + rounds), seconds, work))
        finally:
            ray.shutdown()
            simulated.shutdown()
    first: dict[str, int] = {}
    for number, (_moment, process) in enumerate(done):
        first.setdefault(process, number)
    if len(first) < actors:
        raise MachineError(f"Only {len(first)} of {actors} actors made anything.")
    start = max(first.values())
    end = start + (len(done) - 1 - start) // actors * actors - actors  # whole rounds, and not the last one
    if end <= start:
        raise MachineError("The actors began so far apart that no whole round was left: more rounds are needed.")
    window = done[end][0] - done[start][0]
    return {"efficiency": (end - start) * seconds / (actors * window), "start": done[0][0] - begun}


def _together(actors: int) -> Maker:
    """As `sleeping.maker`, but the first picture waits until so many are there, and for a random part of a picture.

    So the start of many processes on few cores does not count, and they do not all end their pictures at once.
    """
    diary, seconds, make = Path(os.environ[sleeping.DIARY]), float(os.environ[sleeping.SECONDS]), sleeping.maker()

    def wait(start: Start, watch: Any) -> None:
        nonlocal wait_first
        if wait_first:
            wait_first = False
            while diary.read_text(encoding="utf-8").count(" begins\n") < actors:
                time.sleep(random.uniform(0.2, 0.6))
            time.sleep(random.uniform(0.0, seconds))
        make(start, watch)

    wait_first = True
    return wait


def kills(count: int, ends: int, seconds: float, actors: int) -> dict[str, int]:
    """A batch whose processes are killed at random, so many times; each tenth time the driver or Ray's own process.

    Returns how many textures there are, how many of them twice or broken, how often the driver was started, and how
    many pictures were begun.
    """
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        diary, output = folder / "diary", folder / "out"
        arguments = [str(_table(folder, count)), "--output", str(output), "--ray", "local", "--cores", "1"]
        words = {sleeping.DIARY: str(diary), sleeping.SECONDS: str(seconds), "RAY_TMPDIR": name, "HOME": name}
        words["RAY_OVERRIDE_RESOURCES"] = json.dumps({"CPU": actors})
        killed = starts = 0
        limit = time.monotonic() + _LIMIT
        step = count // (ends + 1)
        while True:
            starts += 1
            driver = subprocess.Popen(
                [sys.executable, "-c", COMMAND, *arguments], env={**os.environ, **words}, stderr=subprocess.DEVNULL
            )
            while driver.poll() is None:
                if time.monotonic() > limit:
                    driver.kill()
                    raise MachineError(f"The batch did not end within {_LIMIT:g} s.")
                if killed < ends and _begun(diary) >= (killed + 1) * step:
                    killed += 1
                    _kill_one(diary, driver, killed)
                time.sleep(0.05)
            if driver.returncode == 0:
                break
        return {**_counted(output), "starts": starts, "begun": _begun(diary), "killed": killed}


def _kill_one(diary: Path, driver: "subprocess.Popen[bytes]", number: int) -> None:
    if number % 10 == 0:
        driver.kill()
        return
    if number % 10 == 5:
        for process in _children(driver.pid):
            with suppress(OSError):
                if b"raylet" in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")[0]:
                    os.kill(process, signal.SIGKILL)
        return
    alive = {int(line.split(" ", 1)[0]) for line in diary.read_text().splitlines()[-16:]}
    with suppress(ProcessLookupError):
        os.kill(random.choice(sorted(alive)), signal.SIGKILL)


def _children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(word) for word in text.split()]


def _begun(diary: Path) -> int:
    text = diary.read_text() if diary.exists() else ""
    return sum(not line.endswith(" begins") for line in text.splitlines())


def _counted(output: Path) -> dict[str, int]:
    # Not what a killed process was about to put in its place: that is swept a day later.
    folders = [path.parent for path in output.rglob(results.INDEX) if OWN not in path.parts]
    prompts = [results.load(folder).recipe.request.prompt for folder in folders]  # raises where one is not whole
    listed = [json.loads(line)["file"] for line in (output / LIST).read_text(encoding="ascii").splitlines()]
    twice = len(prompts) - len(set(prompts)) + len(listed) - len(set(listed))
    return {"made": len(prompts), "listed": len(listed), "twice": twice}


def _table(folder: Path, count: int) -> Path:
    file = folder / "table.csv"
    file.write_text("prompt,seed\n" + "".join(f"stone {n},{n}\n" for n in range(count)), encoding="utf-8")
    return file


def _run(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", COMMAND, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise MachineError(f"The batch ended with {done.returncode}: {done.stderr[-300:]}")


def _loop(tasks: Iterable[Task], shelf: Shelf, maker: Callable[[], Maker]) -> Iterator[Outcome]:
    make = maker()
    for task in tasks:
        yield task, making.make(make, task, shelf, "cpu")


def _actors(tasks: Iterable[Task], shelf: Shelf, count: int, maker: Callable[[], Maker]) -> Iterator[Outcome]:
    return on_ray.outcomes(tasks, shelf, on_ray.Cluster(on_ray.LOCAL, 1, count, "cpu"), maker)


def _each(count: int, seconds: float, work: Callable[[list[Task], Shelf], Iterator[Outcome]]) -> float:
    done = list(_timed(count, seconds, work))
    return (done[-1][0] - done[0][0]) / (len(done) - 1)


def _timed(
    count: int, seconds: float, work: Callable[[list[Task], Shelf], Iterator[Outcome]]
) -> Iterator[tuple[float, str]]:
    """When each picture was there, and which process made it."""
    os.environ[sleeping.SECONDS] = str(seconds)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        shelf = Shelf(Path(name) / "out")
        tasks = rows.placed(rows.read(_table(Path(name), count), Wish("", 0)), shelf.is_taken)
        for task, outcome in work(tasks, shelf):
            if not isinstance(outcome, results.Result):
                raise MachineError(f"Line {task.line}: {outcome}")
            yield time.monotonic(), outcome.recipe.environment.get(sleeping.PROCESS, "")


@contextmanager
def _ray() -> Iterator[None]:
    """Ray's own files in a folder that goes, and a token."""
    if importlib.util.find_spec("ray") is None:
        raise MachineError(f"{sys.executable} has no Ray: name a Python that has it, and torch, in TILEWRIGHT_PYTHON.")
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name:
        os.environ |= {"RAY_TMPDIR": name, "HOME": name, "RAY_USAGE_STATS_ENABLED": "0"}
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        yield
