# SPDX-License-Identifier: GPL-3.0-or-later
"""What is learned of jobs is remembered, whatever becomes of the file."""

import json
import logging
from pathlib import Path

import pytest

from addon.core.pace import UNKNOWN, Pace
from addon.core.protocol import Phase
from addon.core.requests.texture import Size, TextureRequest
from addon.host.paces import Paces

REQUEST = TextureRequest("bricks")
PACE = Pace(start=3.0, load=5.0, step=0.5, beside=1.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "paces.json"


def test_what_was_learned_is_known_at_the_next_start(file: Path) -> None:
    Paces(file).learn(REQUEST, "auto", "auto", PACE)
    assert Paces(file).find(REQUEST, "auto", "auto") == PACE
    assert [path.name for path in file.parent.iterdir()] == ["paces.json"]


def test_another_size_knows_the_loading_but_not_the_steps(file: Path) -> None:
    paces = Paces(file)
    paces.learn(REQUEST, "auto", "auto", PACE)
    other = TextureRequest("bricks", size=Size(1024, 1024))
    assert paces.find(other, "auto", "auto") == Pace(start=3.0, load=5.0)
    assert paces.find(REQUEST, "cpu", "auto") == UNKNOWN


def test_a_single_slow_job_changes_nothing_and_five_change_all(file: Path) -> None:
    paces = Paces(file)
    for _ in range(5):
        paces.learn(REQUEST, "auto", "auto", PACE)
    paces.learn(REQUEST, "auto", "auto", Pace(step=50.0))
    assert paces.find(REQUEST, "auto", "auto").step == 0.5
    for _ in range(4):
        paces.learn(REQUEST, "auto", "auto", Pace(step=1.0))
    assert paces.find(REQUEST, "auto", "auto") == Pace(start=3.0, load=5.0, step=1.0, beside=1.0)


def test_the_file_stays_small_and_forgets_what_was_longest_unused(file: Path) -> None:
    paces = Paces(file)
    for number in range(300):
        paces.learn(TextureRequest("bricks", model=f"model {number}"), "auto", "auto", PACE)
        paces.learn(REQUEST, "auto", "auto", PACE)
    assert file.stat().st_size < 100_000
    assert paces.find(REQUEST, "auto", "auto") == PACE
    assert paces.find(TextureRequest("bricks", model="model 0"), "auto", "auto") == UNKNOWN


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"version": 2, "seconds": {}}',
        b'{"version": 1, "seconds": 3}',
        b'{"version": 1, "seconds": {"x": 3}}',
        b'{"version": 1, "seconds": {"x": {"step": 3}}}',
        b"x" * (2 << 20),
    ],
)
def test_a_broken_file_is_told_once_and_begun_anew(file: Path, content: bytes, caplog) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        paces = Paces(file)
    assert paces.find(REQUEST, "auto", "auto") == UNKNOWN
    assert len(caplog.records) == 1
    paces.learn(REQUEST, "auto", "auto", PACE)
    assert Paces(file).find(REQUEST, "auto", "auto") == PACE


def test_values_that_are_no_times_are_left_out(file: Path) -> None:
    paces = Paces(file)
    paces.learn(REQUEST, "auto", "auto", PACE)
    data = json.loads(file.read_text())
    for parts in data["seconds"].values():
        for values in parts.values():
            values += [-1, "1", True, 1e300, None]
    file.write_text(json.dumps(data))
    assert Paces(file).find(REQUEST, "auto", "auto") == PACE


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path, caplog) -> None:
    (tmp_path / "file").write_text("in the way")
    paces = Paces(tmp_path / "file" / "paces.json")
    with caplog.at_level(logging.WARNING):
        paces.learn(REQUEST, "auto", "auto", PACE)
        paces.learn(REQUEST, "auto", "auto", PACE)
    assert len(caplog.records) == 1
    assert paces.find(REQUEST, "auto", "auto") == PACE


def test_the_time_that_is_left_is_known_from_the_second_job_on_and_counts_down(bench, file: Path) -> None:
    told = {"start": 0.0, "load": 0.0, "step": 2.0, "beside": 1.0}
    clock = [0.0]
    b = bench(
        {"pace": told, "faults": [{"do": "hang", "phase": "STARTING", "prompt": "second"}]},
        paces=Paces(file),
        clock=lambda: clock[0],
    )
    first = b.submit("first")
    assert b.session.seconds_left(first) is None
    b.until(lambda: first.ended)
    assert b.session.seconds_left(first) is None

    b.session.close()
    b = bench({"faults": [{"do": "hang", "phase": "HELLO"}]}, paces=Paces(file), clock=lambda: clock[0])
    second, third = b.submit("second"), b.submit("third", count=2)
    assert b.session.seconds_left(second) == pytest.approx(9)
    assert b.session.seconds_left(third) == pytest.approx(9 + 18)
    for _ in range(20):  # no more than a second between two looks counts
        clock[0] += 0.5
        b.pump()
    assert b.session.seconds_left(second) == 0.0, "the time that is left is never less than nothing"
    assert b.session.seconds_left(third) == pytest.approx(18)
    b.session.cancel(third)
    assert b.session.seconds_left(third) is None


def test_what_the_worker_says_goes_before_what_was_learned(bench, file: Path) -> None:
    stuck = {"do": "hang", "phase": "SAMPLING", "prompt": "long"}
    b = bench({"pace": {"step": 100.0}, "step_seconds": 0.5, "faults": [stuck]}, paces=Paces(file))
    b.run("first", steps=1)
    job = b.submit("long", steps=4)
    assert b.session.seconds_left(job) == pytest.approx(400, abs=1)
    b.reach(job, Phase.SAMPLING)
    assert b.session.seconds_left(job) <= 2.0  # the fake says steps times their seconds


def test_a_job_that_was_moved_is_done_before_the_others(bench) -> None:
    b = bench({"step_seconds": 0.05})
    jobs = [b.submit(f"job {number}") for number in range(4)]
    assert b.session.move(jobs[3], -9)
    assert not b.session.move(jobs[3], -1)
    assert not b.session.move(jobs[0], 1), "the worker has it"
    ended: list[object] = []
    b.until(lambda: all(job.ended for job in jobs))
    for event in b.events:
        if event.job.ended and event.job not in ended:
            ended.append(event.job)
    finished = sorted(jobs, key=lambda job: next(r.created for r in job.results.values()))
    assert finished == [jobs[0], jobs[3], jobs[1], jobs[2]]


def test_previews_are_told_where_they_are_wanted_and_gone_with_the_worker(bench) -> None:
    b = bench({})
    job = b.run("without")
    assert job.preview is None
    b.session.previews = True
    job = b.run("with", steps=3)
    assert job.preview
    assert (job.preview.image, job.preview.step) == (0, 3)
    assert b.parts() != []
    b.session.close()
    assert b.parts() == []
