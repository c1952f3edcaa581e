# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's own end, disks and paths (faults 7, 8, 14 and 15)."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from addon.core.errors import ErrorKind
from addon.core.jobs import JobState
from addon.core.protocol import Failed, Phase
from addon.core.requests.texture import Size
from addon.core.results import PART
from addon.host.store import Store
from tests.fake import make_fake_python
from tests.host.conftest import children, fault, is_running, our_threads, until

ROOT = Path(__file__).resolve().parents[2]


HOST = """
    import sys, time
    from pathlib import Path
    sys.path.insert(0, {root!r})
    from addon.core.requests.texture import Size, TextureRequest
    from addon.host import runtime
    from addon.host.process import local_workers
    from addon.host.session import Session
    from addon.host.store import Store
    folder = Path({folder!r})
    store = Store(folder / "store")
    start_worker = local_workers(folder / "worker.log", store.clean_parts)
    session = Session(store=store, find_runtime=runtime.find, start_worker=start_worker, product="")
    job = session.submit(TextureRequest({prompt!r}, size=Size(64, 64), steps=4, count={count}))
    session.wait(job, 60, lambda events: [print(type(event.message).__name__, flush=True) for event in events])
    session.close()
    print(job.state, len(session._store.results()), flush=True)
"""


def start_host(folder, behaviour, count=1, prompt="bricks", **variables):
    """Another process with a session, as Blender is one: it does a job and says what happens, a line each."""
    python = make_fake_python(folder / "fake", behaviour)
    code = textwrap.dedent(HOST).format(root=str(ROOT), folder=str(folder), count=count, prompt=prompt)
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "TILEWRIGHT_PYTHON": str(python), **variables},
    )


def workers_of(process):
    return [
        int(path.name)
        for path in Path("/proc").glob("[0-9]*")
        if is_running(int(path.name)) and int((path / "stat").read_text().rpartition(")")[2].split()[1]) == process
    ]


@pytest.mark.parametrize("trouble", ["SAMPLING", "WRITING"])
def test_fault_7_a_killed_host_takes_its_worker_along_and_loses_no_result(tmp_path, trouble):
    with start_host(tmp_path, {"faults": [{"do": "hang", "phase": trouble, "image": 2}]}, count=3) as host:
        for line in host.stdout:
            if line.strip() == "ImageDone" and len(Store(tmp_path / "store").results()) == 2:
                break
        (worker,) = workers_of(host.pid)
        host.kill()
    assert until(lambda: not is_running(worker), 5.0) < 5.0
    store = Store(tmp_path / "store")
    store.clean_parts()
    assert [result.recipe.request.seed for result in store.results()] == [1, 0]
    assert all(not name.startswith(PART) for name in os.listdir(store.root))


def test_fault_8_twenty_sessions_leave_nothing_behind(bench):
    def handles():
        return len(os.listdir("/proc/self/fd"))

    bench({}).session.close()  # what is imported and opened once for all
    threads, processes, open_files = len(our_threads()), children(), handles()
    for number in range(20):
        b = bench({"step_seconds": 0.1})
        job = b.submit()
        if number % 4 == 0:
            b.reach(job, Phase.SAMPLING)
        elif number % 4 == 1:
            b.session.cancel(job)
        elif number % 4 == 2:
            b.until(lambda b=b: b.session.worker_state == "ready")
        b.session.close()
        assert job.ended
    until(lambda: len(our_threads()) == threads, 3.0)
    assert children() == processes
    assert handles() == open_files


def test_fault_14_a_full_disk_fails_the_job_and_leaves_no_part(bench):
    b = bench(fault("full", "SAVING", bytes=100))
    older = b.run("older").results[0]
    job = b.run("trouble")
    assert b.ends(job) == [Failed(job.id, job.error)]
    assert job.error.kind is ErrorKind.DISK
    assert str(b.store.root) in job.error.message
    assert b.parts() == []
    assert b.store.results() == [older]
    b.session.close()  # that worker's limit is for life


def test_fault_14_a_really_full_disk(bench, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk; the test above limits the size of files instead")
    try:
        b = bench(store=Store(disk / "store"))
        b.store = Store(disk / "store")
        older = b.run("older").results[0]
        (disk / "filler").write_bytes(b"x" * (os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - 4096))
        job = b.run("trouble", size=Size(512, 512))
        assert job.error.kind is ErrorKind.DISK
        assert str(disk) in job.error.message
        assert b.parts() == []
        assert b.store.results() == [older]
        (disk / "filler").unlink()
        b.assert_next_job_works()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_fault_14_a_store_that_cannot_be_made_is_named(bench, tmp_path):
    (tmp_path / "file").write_text("in the way")
    b = bench(store=Store(tmp_path / "file" / "store"))
    job = b.run()
    assert job.error.kind is ErrorKind.DISK
    assert str(tmp_path / "file") in job.error.message
    assert Store(tmp_path / "file" / "store").results() == []
    assert (tmp_path / "file").read_text() == "in the way"


def test_fault_14_a_log_that_cannot_be_written_stops_nothing(bench, tmp_path):
    (tmp_path / "file").write_text("in the way")
    b = bench(fault("exit", "SAMPLING", words="the last words\n"), log=tmp_path / "file" / "worker.log")
    assert b.run().state is JobState.FINISHED
    assert "the last words" in b.run("trouble").error.hint
    b.assert_next_job_works()


@pytest.mark.parametrize(
    "name", ["with spaces", 'it\'s "quoted" $HOME `id`', "纹理 砖墙", "-dash", "back\\slash", "emoji 🧱"]
)
def test_fault_15_odd_paths_work_in_the_c_locale(tmp_path, name):
    folder = tmp_path / name
    variables = {"LANG": "C", "LC_ALL": "C", "HOME": str(folder)}
    with start_host(folder, {}, prompt="砖墙 🧱", **variables) as host:
        said, _ = host.communicate(timeout=60)
    assert said.splitlines()[-1] == "finished 1", said
    (result,) = Store(folder / "store").results()
    assert result.recipe.request.prompt == "砖墙 🧱"
    assert (folder / "worker.log").is_file()
