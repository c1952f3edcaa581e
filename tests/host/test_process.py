# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's command, its environment, and the log that cannot fill the disk."""

import os
import threading

import pytest

from addon.host.child import START, environment
from addon.host.link import Ended
from addon.host.log import CappedLog
from addon.host.process import WorkerProcess
from tests.host.conftest import children, until


@pytest.fixture
def log(tmp_path):
    log = CappedLog(tmp_path / "logs" / "worker.log", limit=1000)
    yield log
    log.close()


def test_a_log_is_two_files_of_its_limit_at_most(log):
    for number in range(100):
        log.write(b"%03d" % number * 30)
        assert sum(path.stat().st_size for path in log.path.parent.iterdir()) <= 2000
    assert sorted(path.name for path in log.path.parent.iterdir()) == ["worker.log", "worker.log.1"]
    assert log.path.read_bytes().endswith(b"099")


def test_a_piece_over_the_limit_is_logged_to_its_end(log):
    log.write(b"x" * 10_000 + b"the end")
    assert log.path.read_bytes().endswith(b"the end")
    assert log.path.stat().st_size <= 1000


def test_an_earlier_log_is_continued_and_counted(tmp_path):
    path = tmp_path / "worker.log"
    path.write_bytes(b"old" * 300)
    log = CappedLog(path, limit=1000)
    log.write(b"new" * 100)
    log.close()
    assert path.read_bytes() == b"new" * 100
    assert path.with_name("worker.log.1").read_bytes() == b"old" * 300


def test_a_log_without_room_is_given_up_and_told_once(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    log = CappedLog(tmp_path / "file" / "worker.log")
    for _ in range(3):
        log.write(b"words")
    assert caplog.text.count("cannot be written") == 1
    (tmp_path / "file").unlink()
    log.close()
    log.write(b"words")  # as the next worker does
    assert log.path.read_bytes() == b"words"
    log.close()


def test_the_worker_is_offline_and_no_python_variable_leads_it_astray():
    made = environment({"PATH": "/bin", "PYTHONPATH": "/blender", "PYTHONHOME": "/blender", "HF_HUB_OFFLINE": "0"})
    assert made["PATH"] == "/bin"
    assert made["HF_HUB_OFFLINE"] == made["TRANSFORMERS_OFFLINE"] == "1"
    assert not any(name.startswith("PYTHON") for name in made)


@pytest.fixture
def python(tmp_path):
    """Writes a script that stands in for the worker's Python."""

    def write(text):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return write


def last(worker):
    """The last thing that the worker's process has to tell."""
    got = []
    until(lambda: got.append(worker.receive()) or isinstance(got[-1], Ended))
    assert worker.receive() is None
    return got[-1]


def test_the_worker_is_isolated_offline_and_gets_the_engine(log, python, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    script = python(f'{{ echo "$@"; echo "$PYTHONPATH:$HF_HUB_OFFLINE"; }} > "{tmp_path}/said"')
    assert last(WorkerProcess(script, log)) == Ended(0)
    assert (tmp_path / "said").read_text() == f"-I -X utf8 {START} worker 600\n:1\n"


def test_it_has_a_group_of_its_own(log, python):
    worker = WorkerProcess(python("sleep 60"), log)
    until(lambda: bool(children()))
    (process,) = children()
    assert os.getpgid(process) == process != os.getpgid(0)
    worker.kill()
    assert last(worker) == Ended(-9)


def test_cleanup_runs_when_the_process_is_gone_and_before_the_end_is_told(log, python):
    seen = []

    def cleanup():
        seen.append((children(), threading.current_thread() is threading.main_thread()))

    worker = WorkerProcess(python("exit 7"), log, cleanup)
    assert last(worker) == Ended(7)
    assert seen == [(set(), False)]


def test_a_worker_is_killed_also_before_it_runs(log, python):
    worker = WorkerProcess(python("sleep 60"), log)
    worker.kill()
    assert last(worker) == Ended(-9)


def test_finishing_takes_no_longer_than_its_limit(log, python):
    worker = WorkerProcess(python("trap '' TERM; sleep 60 & sleep 60"), log)
    assert worker.finish(0.2, 2.0)
    assert last(worker) == Ended(-9)
    assert not children()


def test_the_tail_of_stderr_is_kept(log, python):
    worker = WorkerProcess(python("printf 'some words\\nlast words' >&2"), log)
    assert last(worker) == Ended(0)
    assert worker.tail == b"some words\nlast words"
