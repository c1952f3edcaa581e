# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches on a real Ray, on this machine, with pictures that sleep: processes are killed, and nothing is lost."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from addon.core import results
from addon.engine.batch import on_ray
from tools.bench import sleeping

ray = pytest.importorskip("ray", reason="Ray is not installed in this environment")
ROOT = Path(__file__).resolve().parents[2]


class Batch:
    """One table and its output."""

    def __init__(self, folder: Path, scratch: Path, prompts: list[str]) -> None:
        self.table, self.output, self.diary = folder / "table.csv", folder / "out", folder / "diary"
        self.table.write_text("prompt,seed\n" + "".join(f"{prompt},1\n" for prompt in prompts), encoding="utf-8")
        # Ray's sockets have short names only; what it writes for a user stays out of the user's folder.
        self._words = {"RAY_TMPDIR": str(scratch), "HOME": str(folder), sleeping.DIARY: str(self.diary)}

    def start(self, seconds: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.cluster.sleepers", self.table, "--output", self.output]
        return subprocess.Popen(
            [*map(str, command), "--ray", "local", "--cores", "1", "--actors", "2"],
            cwd=ROOT,
            env={**os.environ, **self._words, sleeping.SECONDS: str(seconds)},
            stderr=subprocess.PIPE,
            text=True,
        )

    def lines(self) -> list[list[str]]:
        """Of the diary: process and what it began."""
        text = self.diary.read_text(encoding="utf-8") if self.diary.exists() else ""
        return [line.split(" ", 1) for line in text.splitlines()]

    def wait_for(self, begun: int, seconds: float = 120.0) -> None:
        """Until so many pictures were begun."""
        end = time.monotonic() + seconds
        while sum(what != "begins" for _process, what in self.lines()) < begun:
            assert time.monotonic() < end, "Ray did not come so far"
            time.sleep(0.02)

    def kill_one(self) -> None:
        """End a process in the middle of a picture, mostly."""
        processes = [int(process) for process, _what in self.lines()[-2:]]
        with suppress(ProcessLookupError):
            os.kill(random.choice(processes), signal.SIGKILL)

    def check(self, count: int) -> None:
        """All of it is there, whole, and once."""
        lines = [json.loads(line) for line in (self.output / "results.jsonl").read_text().splitlines()]
        prompts = [line["recipe"]["request"]["prompt"] for line in lines]
        folders = [path.parent for path in self.output.rglob(results.INDEX)]
        assert len(prompts) == len(set(prompts)) == len(folders) == count
        for folder in folders:
            results.load(folder)


@pytest.fixture
def scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tw-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_the_version_is_the_one_that_users_are_told() -> None:
    assert ray.__version__ == on_ray.VERSION


def test_killed_processes_cost_time_alone_and_a_deadly_texture_only_itself(tmp_path: Path, scratch: Path) -> None:
    batch = Batch(tmp_path, scratch, [*(f"p{number}" for number in range(24)), "deadly"])
    process = batch.start(0.2)
    for begun in (3, 8, 15):
        batch.wait_for(begun)
        batch.kill_one()
    said = process.communicate(timeout=200)[1].splitlines()
    assert process.returncode == 1, said
    assert [line for line in said if line.startswith("Line ")] == [
        "Line 26: The process that made it ended 5 times. Perhaps its memory is too small for it."
    ]
    batch.check(24)
    assert not (batch.output / ".tilewright").exists() or not list((batch.output / ".tilewright").glob("*/*/*"))


def test_a_killed_driver_is_started_again_and_makes_only_the_rest(tmp_path: Path, scratch: Path) -> None:
    batch = Batch(tmp_path, scratch, [f"p{number}" for number in range(20)])
    first = batch.start(0.2)
    batch.wait_for(8)
    first.kill()
    first.communicate()
    time.sleep(1)  # its actors end with it
    begun = len(batch.lines())
    second = batch.start(0.0)
    assert second.wait(200) == 0, second.communicate()[1]
    batch.check(20)
    assert sum(what != "begins" for _process, what in batch.lines()[begun:]) <= 14
