# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker behind a real sshd: jobs as here, and each thing that can go wrong with a line or the machine behind it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from addon.core import sketch, wire
from addon.core.errors import ErrorKind, UserError
from addon.core.jobs import JobState
from addon.core.protocol import Note, Phase, Preview
from addon.core.requests.finish import Finish, MapKind
from addon.core.requests.guides import Control, Guides
from addon.core.requests.picture import PictureRequest
from addon.core.requests.template import Region, Template
from addon.host import elsewhere, far_end, settling, ssh
from addon.host.ssh import Place
from addon.host.ssh_link import DEADLINES, runtime, ssh_workers
from tests import sshd
from tests.host.conftest import Bench, until
from tests.index import Index, make_engine_wheel, write_lock

ENGINE = make_engine_wheel()
pytestmark = pytest.mark.skipif(bool(sshd.MISSING), reason=sshd.MISSING)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sshd.Server]:
    made = sshd.Server(tmp_path / "server")
    monkeypatch.setenv("PATH", f"{made.client}{os.pathsep}{os.environ['PATH']}")
    yield made
    made.close()


@pytest.fixture
def far(server: sshd.Server, bench: Any) -> Bench:
    """A session whose worker is behind the server."""
    return connect(server, bench)


def connect(server: sshd.Server, bench: Any, product: str = "test", **more: Any) -> Bench:
    made: Bench = bench()
    settings = {"find_runtime": lambda: runtime(server.place), "product": product, "deadlines": DEADLINES} | more
    start = ssh_workers(server.place, made.folder / "worker.log", made.store, product)
    for name, value in (settings | {"start_worker": start}).items():
        setattr(made.session, f"_{name}", value)
    return made


def picture(path: Path, size: int = 100_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


def test_a_job_is_done_as_here_and_its_files_come_over(far, server):
    job = far.run("mossy bricks", count=2, seed=7, finish=Finish(maps=(MapKind.HEIGHT, MapKind.NORMAL)))
    assert job.state is JobState.FINISHED, job.error
    assert [job.results[index].recipe.request for index in range(2)] == [job.request.single(0), job.request.single(1)]
    assert {result.folder.parent for result in job.results.values()} == {far.store.root}
    assert all(set(result.files) >= {"base_color", "thumbnail", "height", "normal"} for result in job.results.values())
    assert len(far.store.results()) == 2
    until(lambda: not far_end.waiting(server.root), what="the outbox is empty")
    assert far.run("again").state is JobState.FINISHED
    far.session.close()
    until(lambda: not server.processes(), what="nothing is left there")
    assert not list((server.root / far_end.OUTBOX).glob("*/*"))


def test_pictures_that_a_job_reads_go_over_and_the_recipe_names_them_by_their_places_here(far, server, tmp_path):
    files = [picture(tmp_path / "mine" / name) for name in ("photo.png", "mask.png", ".hidden.png")]
    template = Template(str(files[0]), region=Region.MASK, mask=str(files[1]))
    guides = Guides((Control("/models/depth", str(files[2])),))
    job = far.run("bricks", template=template, guides=guides)
    assert job.state is JobState.FINISHED, job.error
    result = job.results[0]
    kept = [result.path(kind).read_bytes() for kind in ("template", "mask", "guide1")]
    assert kept == [file.read_bytes() for file in files]
    texture = result.recipe.texture
    assert (texture.template.source, texture.template.mask) == (str(files[0]), str(files[1]))
    assert texture.guides.pictures == (str(files[2]),)
    job = far.session.submit(PictureRequest(str(files[0]), Finish(upscale=2)))
    far.until(lambda: job.ended)
    assert job.state is JobState.FINISHED, job.error
    assert job.results[0].recipe.request == job.request


def test_a_picture_that_is_gone_fails_its_job_alone(far, tmp_path):
    job = far.run("bricks", template=Template(str(tmp_path / "gone.png")))
    assert job.state is JobState.FAILED
    assert job.error.message == f"{tmp_path}/gone.png cannot be sent to elsewhere: No such file or directory."
    far.assert_next_job_works()


def test_cancelling_is_heard_there_and_the_worker_stays(far, server):
    server.behave({"step_seconds": 0.2})
    job = far.submit()
    far.reach(job, Phase.SAMPLING)
    far.session.cancel(job)
    assert far.until(lambda: job.ended) < 3.0
    assert job.state is JobState.CANCELLED
    far.session.free()
    far.assert_next_job_works()


def test_previews_come_small_and_take_little_of_the_line(far, server):
    server.behave({"step_seconds": 0.02})
    far.session.previews = True
    seen, sides = [], []
    job = far.submit(steps=40)
    while not job.ended:
        far.pump()
        for event in far.events[len(seen) :]:
            seen.append(event)
            if isinstance(event.message, Preview):
                with contextlib.suppress(FileNotFoundError):  # there is a newer one
                    sides.append(sketch.read(Path(event.message.path)).width)
        time.sleep(0.002)
    assert set(sides) == {8}
    noise = sketch.Sketch(256, 256, os.urandom(4 * 256 * 256))
    assert len(far_end.shrunk(noise)) <= wire.PREVIEW_RATE / 2


def test_what_a_login_script_prints_is_passed_over(far, server):
    server.shell("echo 'Welcome to this machine!'")
    assert far.run().state is JobState.FINISHED


# --- faults -------------------------------------------------------------------------------------------------------


def failing(far: Bench, **fields: Any) -> tuple[ErrorKind, str, str]:
    job = far.run(**fields)
    assert job.state is JobState.FAILED
    return job.error.kind, job.error.message, job.error.hint


def test_a_host_that_is_not_known_is_not_trusted(far, server):
    server.known.write_text("")
    kind, message, hint = failing(far)
    assert (kind, message) == (ErrorKind.NETWORK, "ssh does not know elsewhere yet.")
    assert hint.endswith("ssh elsewhere")
    server.know()
    far.assert_next_job_works()


def test_a_key_that_has_changed_is_told(far, server):
    server.know(server.folder / "key.pub")
    _, message, hint = failing(far)
    assert message.startswith("The key of elsewhere is not the one that ssh knows")
    assert "ssh-keygen -R elsewhere" in hint


def test_who_is_not_let_in_is_told_and_asked_nothing(far, server):
    server.allowed.write_text("")
    assert failing(far)[1] == "elsewhere does not let you in."


def test_a_machine_that_is_off_is_told(far, server):
    server.configure(Port="1")
    assert failing(far)[1] == "elsewhere cannot be reached: Connection refused."
    server.configure(HostName="no-such-host.invalid")
    assert failing(far)[1] == "There is no elsewhere in the network."


def test_without_ssh_here(far, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert failing(far)[1] == "There is no ssh on this computer."


def test_without_tilewright_there(far, server):
    (server.root / ssh.STARTER).unlink()
    kind, message, _ = failing(far)
    assert kind is ErrorKind.RUNTIME
    assert message == f"Tilewright is not in {server.root} on elsewhere, or its Python is gone."


def test_with_its_python_gone_there(far, server):
    settling.write_starter(server.root, "test", Path("/nowhere/python"), server.python)
    assert "or its Python is gone" in failing(far)[1]
    server.install("test", Path("/nowhere/python"))
    assert failing(far)[1].startswith("The engine could not be started with elsewhere")


def test_another_version_there_is_told_before_anything_is_made(far, server):
    server.install("0.1")
    assert failing(far)[1] == "elsewhere has Tilewright 0.1, and this is test."
    server.install("test")
    server.behave({"version": 99})
    assert "version 99 of the protocol" in failing(far)[1]


def test_a_full_disk_there_names_the_machine(far, server):
    server.shell("ulimit -f 16")  # the next file over 8 KiB finds no space
    _, message, _ = failing(far, prompt="trouble", template=Template(str(picture(far.folder / "a.png"))))
    assert message.startswith("elsewhere: Cannot write to ")


def test_a_worker_that_is_killed_there_fails_its_job_alone(far, server):
    server.behave({"faults": [{"do": "signal", "phase": "SAMPLING", "prompt": "trouble"}]})
    assert failing(far, prompt="trouble")[1] == "The engine was ended by signal 9."
    far.assert_next_job_works()


def test_a_far_end_that_is_killed_is_told_and_what_was_done_is_kept(far, server):
    server.behave({"step_seconds": 0.5})
    job = far.submit(count=2)
    far.until(lambda: bool(job.results))
    for process in server.processes():
        os.kill(process, 9)
    far.until(lambda: job.ended)
    assert job.error.message.startswith("The connection to elsewhere ")
    assert len(job.results) == len(far.store.results()) == 1
    far.assert_next_job_works()


def test_a_line_that_breaks_is_taken_up_again_and_the_job_with_it(far, server):
    server.behave({"step_seconds": 0.3})
    job = far.submit("the long one", count=3, steps=8)
    far.until(lambda: bool(job.results))
    server.line.cut()
    far.until(lambda: bool(far.session.broken_line), what="it is told")
    assert far.session.broken_line == "elsewhere"
    far.until(lambda: not far.session.broken_line or job.ended, what="it is back, and tells how far it is")
    assert not job.ended, job.error
    server.line.cut()
    far.until(lambda: job.ended)
    assert job.state is JobState.FINISHED, job.error
    assert [job.results[index].recipe.request.seed for index in range(3)] == [0, 1, 2]
    assert len(far.store.results()) == 3
    assert "Note" not in {type(event.message).__name__ for event in far.events}
    far.assert_next_job_works()
    far.session.close()
    until(lambda: not server.processes(), what="nothing is left there")
    assert not list((server.root / far_end.OUTBOX).glob("*/*"))


def test_a_job_that_ends_while_there_is_no_line_is_told_when_it_is_back(far, server):
    server.behave({"step_seconds": 0.1})
    job = far.submit("the long one", count=2, steps=8)
    far.until(lambda: bool(job.results))
    server.configure(Port="1")
    server.line.cut()
    until(lambda: far_end.waiting(server.root) != [] and len(server.processes()) == 0, what="it is finished there")
    far.pump()
    assert not job.ended, job.error
    server.configure()
    far.until(lambda: job.ended)
    assert job.state is JobState.FINISHED, job.error
    assert len(job.results) == len(far.store.results()) == 2
    far.session.close()
    assert not list((server.root / far_end.OUTBOX).glob("*/*"))


def test_a_line_that_nobody_there_knows_to_be_gone_is_replaced(far, server):
    server.behave({"step_seconds": 0.2})
    job = far.submit(count=2, steps=8)
    far.reach(job, Phase.SAMPLING)
    server.line.abandon()  # as when this computer has got another address
    far.until(lambda: job.ended)
    assert job.state is JobState.FINISHED, job.error
    assert len(job.results) == len(far.store.results()) == 2


def test_a_worker_that_dies_while_there_is_no_line_fails_its_job(far, server):
    server.behave({"step_seconds": 0.5})
    job = far.submit(count=2, steps=8)
    far.reach(job, Phase.SAMPLING)
    server.configure(Port="1")
    server.line.cut()
    far.until(lambda: bool(far.session.broken_line))
    for process in server.processes():
        os.kill(process, 9)
    server.configure()
    far.until(lambda: job.ended)
    assert job.error.message == "elsewhere: The worker was ended while there was no line."
    far.assert_next_job_works()


def test_a_job_that_is_cancelled_after_its_line_broke_ends_there_too(far, server):
    server.behave({"step_seconds": 0.3})
    job = far.submit(count=9, steps=8)
    far.reach(job, Phase.SAMPLING)
    server.line.cut()
    far.until(lambda: bool(far.session.broken_line))
    far.until(lambda: not far.session.broken_line, what="it is back")
    far.session.cancel(job)
    assert far.until(lambda: job.ended) < 3.0
    assert job.state is JobState.CANCELLED
    assert far.run("the next one").state is JobState.FINISHED
    assert len(far.store.results()) < 9, "it did not wait for all of them"


def test_a_job_can_be_cancelled_while_there_is_no_line(far, server):
    job = far.submit(count=9, steps=150)
    far.reach(job, Phase.SAMPLING)
    server.configure(Port="1")
    server.line.cut()
    far.until(lambda: bool(far.session.broken_line))
    far.session.cancel(job)
    far.pump()
    assert job.state is JobState.CANCELLED
    assert not far.session.broken_line


def test_a_line_that_does_not_come_back_fails_the_job_and_what_is_finished_comes_with_the_next(server, bench):
    far = connect(server, bench, deadlines=replace(DEADLINES, line=0.5))
    server.behave({"step_seconds": 0.4})
    job = far.submit("the long one", count=2, steps=14)
    far.until(lambda: bool(job.results))
    server.behave({})
    server.configure(Port="1")
    server.line.cut()
    far.until(lambda: job.ended)
    server.configure()
    assert job.error.message == "The connection to elsewhere broke."
    assert len(far.store.results()) == 1
    for process in server.processes():
        os.kill(process, signal.SIGSTOP)
    other = far.submit("the next one")  # it waits for what is being finished
    far.until(lambda: any(isinstance(event.message, Note) for event in far.events))
    for process in server.processes():
        os.kill(process, signal.SIGCONT)
    far.until(lambda: other.ended)
    assert other.state is JobState.FINISHED, other.error
    notes = [event.message.text for event in far.events if isinstance(event.message, Note)]
    assert notes == ["The texture from before the connection broke is finished first."]
    assert [result.recipe.request.seed for result in far.session.arrived()] == [1]
    assert len(far.store.results()) == 3
    until(lambda: not far_end.waiting(server.root), what="the outbox is empty")


def test_what_was_finished_after_blender_had_gone_comes_when_it_is_there_again(far, server):
    server.behave({"step_seconds": 0.1})
    job = far.submit("the long one", steps=10)
    far.reach(job, Phase.SAMPLING)
    server.configure(Port="1")
    server.line.cut()
    far.until(lambda: bool(far.session.broken_line))
    far.session.close()
    until(lambda: far_end.waiting(server.root) != [], what="it is finished there")
    server.configure()
    again = connect(server, lambda: far_bench(far))
    again.run("and one more")
    assert [result.recipe.request.prompt for result in again.session.arrived()] == ["the long one"]
    assert len(again.store.results()) == 2
    again.session.close()


def far_bench(before: Bench) -> Bench:
    """Another session with the same store, as after a restart of Blender."""
    made = Bench(before.folder, {})
    assert made.store.root == before.store.root
    return made


def test_a_line_that_is_silent_for_a_while_costs_nothing_but_the_while(far, server):
    server.behave({"step_seconds": 0.05})
    job = far.submit(steps=20)
    far.reach(job, Phase.SAMPLING)
    server.line.silent.set()
    time.sleep(2.5)
    far.pump()
    server.line.silent.clear()
    far.until(lambda: job.ended)
    assert job.state is JobState.FINISHED, job.error


def test_a_connection_that_slept_away_is_replaced(far, server, monkeypatch):
    assert far.run().state is JobState.FINISHED
    server.line.silent.set()
    monkeypatch.setattr("addon.host.ssh_link._STALE", 0.5)
    time.sleep(1.2)
    job = far.submit("after the sleep")
    server.line.silent.clear()
    far.until(lambda: job.ended)
    assert job.state is JobState.FINISHED, job.error


def test_a_slow_line_with_a_delay_works(far, server):
    server.behave({"noise": True})
    server.line.delay, server.line.rate = 0.05, 400_000
    job = far.run(count=2)
    assert job.state is JobState.FINISHED, job.error


def test_a_store_that_cannot_be_written_keeps_the_result_there(far, server, monkeypatch):
    real = wire.Incoming.take

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(wire.Incoming, "take", full)
    _, message, hint = failing(far)
    assert message == f"Cannot write to {far.store.root}: No space left on device."
    assert hint == "It stays on elsewhere, and comes over with the next connection."
    monkeypatch.setattr(wire.Incoming, "take", real)
    assert far.parts() == []
    far.session.close()
    again = connect(server, lambda: far_bench(far))
    again.run("the next")
    assert len(again.session.arrived()) == 1
    again.session.close()


def test_a_store_that_cannot_be_written_at_all_is_told(far):
    far.store.root.parent.mkdir(exist_ok=True)
    far.store.root.write_text("a file in its place")
    assert failing(far)[1].startswith(f"Cannot write to {far.store.root}: ")


@pytest.mark.parametrize("record", [b"P\0\0\0\2[]", b"E\0\0\0\2{}", b"Z\0\0\0\2[]", b"?\0\0\0\0", b"R\0\0\0\2{}"])
def test_a_far_end_that_raves_is_ended(far, server, record):
    octal = "".join(f"\\\\{byte:03o}" for byte in wire.MARK + record)
    server.shell(f"printf {octal}; exec sleep 60")
    assert failing(far)[1] == "The engine sent what is no message, and was ended."


def test_what_waits_is_bounded_and_the_oldest_goes(server):
    for number in range(3):
        folder = server.root / far_end.OUTBOX / ("0" * 16) / f"run-{number}" / "results" / f"one-{number}"
        picture(folder / "base_color.png", 1000)
        os.utime(folder, (number, number))
    far_end.bound(server.root, 2500)
    assert [folder.name for folder in far_end.waiting(server.root)] == ["one-2", "one-1"]


# --- looking, and installing --------------------------------------------------------------------------------------


def test_check_tells_what_is_there_and_what_is_missing(server):
    report = elsewhere.check(server.place)
    assert report.version == "test"
    assert list(report.models) == ["starter"]
    assert "not a Python that the engine can use" in report.problem("test")
    assert report.problem("9.9") == "elsewhere has Tilewright test, and this is 9.9."
    shutil.rmtree(server.root)
    report = elsewhere.check(server.place)
    assert report.problem("test").startswith(f"Tilewright is not in {server.root} on elsewhere (Linux ")
    server.known.write_text("")
    with pytest.raises(Exception, match="ssh does not know elsewhere yet"):
        elsewhere.check(server.place)


@pytest.mark.parametrize("name", ["mein Ordner für Ümläute", 'it\'s "$HOME" `x`; & (1) \\'])
def test_a_folder_there_may_be_called_anything(server, bench, name):
    server.root = server.folder / name
    server.root.mkdir()
    assert elsewhere.check(server.place).problem("test").startswith("Tilewright is not in ")
    assert elsewhere.send(server.place, "test", python=sys.executable) == 1  # it lacks torch
    server.install("test")
    assert elsewhere.check(server.place).version == "test"
    far = connect(server, bench)
    assert far.run().state is JobState.FINISHED
    far.session.close()
    until(lambda: not server.processes(), what="nothing is left there")


@pytest.mark.parametrize(
    "host", ["-oProxyCommand=x", "a;b", "a b", "$(x)", "`x`", "a\nb", "", "a@-oProxyCommand=x", "ü"]
)
def test_a_host_that_is_none_is_refused_before_ssh_sees_it(host):
    with pytest.raises(UserError, match="is no host for ssh"):
        Place(host)


def test_the_command_copies_the_package_and_writes_what_ssh_starts(server, bench):
    shutil.rmtree(server.root)
    code = elsewhere.send(server.place, "test", python=sys.executable)
    assert code == 1  # it lacks torch, which is told after all was copied
    assert (server.root / "package" / "start.py").is_file()
    assert not (server.root / "package" / "blender").exists()
    assert (server.root / ssh.STARTER).is_file()
    server.install("test")
    assert connect(server, bench).run().state is JobState.FINISHED


def test_the_engine_is_installed_there_from_its_list_of_packages(server, bench):
    """What the copied package does there, with a list and an index of a few bytes; the network is this machine's."""
    package = server.root / "package"
    with (server.folder / "package.tar").open("wb") as file:
        elsewhere.write_package(file)
    shutil.unpack_archive(server.folder / "package.tar", package)
    write_lock(package / "host" / "locks" / "index.json", ENGINE)
    index = Index(ENGINE)
    try:
        done = subprocess.run(
            [sys.executable, "-I", package / "start.py", "elsewhere", "settle", server.root, "test", "index"],
            env={"PATH": os.environ["PATH"], "PIP_INDEX_URL": index.url, "PIP_CONFIG_FILE": os.devnull},
            capture_output=True,
            text=True,
        )
    finally:
        index.close()
    assert "The engine's packages are installed" in done.stdout, done
    assert "lacks torch" in done.stdout  # which the small list has not, and which is told
    assert connect(server, bench).run().state is JobState.FINISHED


def test_a_place_is_no_way_to_give_ssh_options():
    for host in ("-oProxyCommand=x", "a b", "a\nb", ""):
        with pytest.raises(Exception, match="is no host for ssh"):
            Place(host)
    with pytest.raises(Exception, match="must be a whole path"):
        Place("host", "relative")
    assert Place("host", "~/it's here").shell_folder == "\"$HOME\"/'it'\"'\"'s here'"
