# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments made from a small index: whole, resumed, mended, updated, never half. FAULTS.md 24 to 27."""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from addon.core import lock as locks
from addon.core.errors import ErrorKind, UserError
from addon.core.lock import Lock, this_target
from addon.host import disk, environment, maker
from addon.host.environment import Condition
from addon.host.installer import Installer
from addon.host.installer_messages import InstallerAction, InstallerProgress, InstallerTask, Outcome, Stage
from tests.index import Index, make_wheel, write_lock

from .conftest import children, our_threads, until

LARGE = make_wheel("boulder", files={"boulder_data.bin": os.urandom(600_000)})
SMALL = make_wheel("pebble")
NESTED = make_wheel("gravel-pit", files={"gravel/deep/inside.txt": b"x" * 1000})


class Site:
    """An index, a list of packages, and the folder that environments are made in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "engine 纹 's folder"
        self.index = Index(LARGE, SMALL, NESTED)
        self.list = folder / "index.json"
        self.write_list(LARGE, SMALL, NESTED)
        self.running: list[Installer] = []

    def write_list(self, *wheels: tuple[str, bytes]) -> None:
        write_lock(self.list, *wheels)

    @property
    def lock(self) -> Lock:
        return locks.load(self.list, this_target())

    @property
    def made(self) -> Path:
        return environment.folder_of(self.root, self.lock)

    @property
    def packages(self) -> Path:
        return environment.site_packages(self.made, this_target())

    @property
    def condition(self) -> Condition:
        return environment.inspect(self.root, self.lock).condition

    @property
    def log(self) -> str:
        return (self.folder / "installer.log").read_text(encoding="utf-8", errors="replace")

    def start(self, work: InstallerAction = InstallerAction.INSTALL, **changes: object) -> Installer:
        task = {"index": self.index.url, "online": True} | changes
        made = Installer(
            InstallerTask(work, str(self.list), str(self.root), **task),  # type: ignore[arg-type]
            self.folder / "installer.log",
        )
        self.running.append(made)
        return made

    def finish(self, installer: Installer, limit: float = 60.0) -> Outcome:
        until(lambda: installer.pump() is not None and installer.outcome is not None, limit, "the installer's end")
        assert installer.outcome
        return installer.outcome

    def run(self, work: InstallerAction = InstallerAction.INSTALL, **changes: object) -> Outcome:
        return self.finish(self.start(work, **changes))

    def fail(self, work: InstallerAction = InstallerAction.INSTALL, **changes: object) -> UserError:
        error = self.run(work, **changes).error
        assert error is not None
        return error

    def install(self) -> None:
        outcome = self.run()
        assert outcome.error is None, f"{outcome.error}\n{self.log}"
        assert self.condition is Condition.READY
        assert self.imports("boulder")

    def imports(self, module: str) -> bool:
        python = environment.executable(self.made)
        return subprocess.run([python, "-I", "-c", f"import {module}"], capture_output=True).returncode == 0

    def files_asked(self) -> list[str]:
        return [path.rpartition("/")[2] for path, _ in self.index.asked if path.startswith("/files/")]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_")) or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    threads, processes = len(our_threads()), children()
    made = Site(tmp_path)
    yield made
    for installer in made.running:
        assert installer.close()
    made.index.close()
    until(lambda: len(our_threads()) == threads, 3.0, "threads are back")
    until(lambda: children() <= processes, 3.0, "processes are back")


def test_an_environment_is_made_and_told_about(site: Site) -> None:
    installer = site.start()
    stages: list[Stage] = []
    fractions: list[float] = []
    end = time.monotonic() + 60
    while installer.outcome is None and time.monotonic() < end:
        if installer.pump():
            stages.append(installer.progress.stage)
            fractions.append(installer.progress.fraction)
        time.sleep(0.002)
    outcome = installer.outcome
    assert outcome
    assert outcome.error is None, f"{outcome}\n{site.log}"
    assert "installed" in outcome.text
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert set(stages) >= {Stage.DOWNLOADING, Stage.INSTALLING, Stage.CHECKING, Stage.PREPARING}
    assert site.imports("boulder, pebble, gravel_pit")
    stamp = environment.read_stamp(site.made)
    assert stamp
    assert (stamp.lock, stamp.backend, stamp.target) == (site.lock.digest, "index", this_target())
    assert stamp.size > 600_000
    assert not (site.root / environment.DOWNLOADS).exists(), "what was downloaded is not kept twice"
    # a second click does no harm
    site.index.asked.clear()
    assert site.run().error is None
    assert site.index.asked == []


def test_an_index_in_html_and_one_with_redirect_free_pages_serve_as_well(site: Site) -> None:
    site.index.html = True
    site.install()


def test_pip_names_the_index_where_the_preferences_do_not(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = site.folder / "pip.conf"
    settings.write_text(f"[global]\nindex-url = {site.index.url}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    assert site.run(index="").error is None
    assert site.condition is Condition.READY


def test_a_folder_of_wheels_serves_without_a_network(site: Site) -> None:
    wheels = site.folder / "wheels"
    wheels.mkdir()
    for file, data in site.index.files.items():
        (wheels / file).write_bytes(data)
    outcome = site.run(online=False, wheels=str(wheels), index="")
    assert outcome.error is None, site.log
    assert site.index.asked == []
    assert site.condition is Condition.READY
    assert (wheels / SMALL[0]).is_file(), "the user's own wheels stay"


def test_without_a_network_what_is_lacking_is_named(site: Site) -> None:
    wheels = site.folder / "wheels"
    wheels.mkdir()
    for file, data in site.index.files.items():
        (wheels / file).write_bytes(data)
    (wheels / SMALL[0]).unlink()
    error = site.fail(online=False, wheels=str(wheels))
    assert error.kind is ErrorKind.NETWORK
    assert SMALL[0] in error.message
    assert "may not go online" in error.message
    assert site.index.asked == []
    error = site.fail(online=False)
    assert error.message == "Blender may not go online, and no folder with wheels is named."


def test_too_little_space_is_told_before_anything_is_downloaded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    data = json.loads(site.list.read_text())
    data["wheels"][SMALL[0]][0] = 10**15
    site.list.write_text(json.dumps(data))
    error = site.fail()
    assert error.kind is ErrorKind.DISK
    assert "GB free, and 2500000.2 GB are needed" in error.message
    assert str(site.root) in error.message
    assert site.index.asked == []
    assert site.condition is Condition.MISSING


def test_a_place_where_no_folder_can_be_is_named(site: Site) -> None:
    site.root.write_text("a file")
    error = site.fail()
    assert error.kind is ErrorKind.DISK
    assert str(site.root) in error.message


def test_a_python_without_packages_is_told(site: Site) -> None:
    write_lock(site.list, SMALL, targets=["cp39-linux-x86_64"])
    error = site.fail()
    assert "There are no packages of the engine for Python" in error.message


# --- 24: two at once ----------------------------------------------------------------------------------------------


def test_fault_24_two_at_once_make_one(site: Site) -> None:
    site.index.faults[LARGE[0]] = ["slow"]
    first = site.start()
    until(lambda: first.pump() and first.progress.stage is Stage.DOWNLOADING)
    second = site.start()
    until(lambda: second.pump() and second.progress.stage is Stage.WAITING)
    assert site.finish(first).error is None
    outcome = site.finish(second)
    assert outcome.error is None
    assert outcome.text == "The engine's packages are installed already."
    assert site.files_asked().count(LARGE[0]) == 1


def test_fault_24_the_second_ends_well_where_the_first_dies_holding_the_lock(site: Site) -> None:
    site.index.faults[LARGE[0]] = ["slow", ""]
    first = site.start()
    until(lambda: first.pump() and first.progress.package == "boulder")
    second = site.start()
    until(lambda: second.pump() and second.progress.stage is Stage.WAITING)
    first.cancel()
    assert site.finish(second).error is None
    assert site.condition is Condition.READY


# --- 25: another Python, or half ----------------------------------------------------------------------------------


def test_fault_25_half_an_environment_needs_repair(site: Site) -> None:
    site.install()
    environment.remove_stamp(site.made)
    verdict = environment.inspect(site.root, site.lock)
    assert verdict.condition is Condition.REPAIR
    assert "half installed" in verdict.reason
    site.install()


def test_fault_25_an_environment_for_another_python_is_seen_and_stays(site: Site) -> None:
    site.install()
    other = site.root / "index-cp39-linux-x86_64"
    site.made.rename(other)
    verdict = environment.inspect(site.root, site.lock)
    assert verdict.condition is Condition.REPAIR
    assert "are those of Python 3.9, index" in verdict.reason
    site.install()
    listed = environment.list_environments(site.root, site.lock)
    assert [(found.title.partition(",")[0], found.current) for found in listed] == [
        (f"Python {sys.version_info.major}.{sys.version_info.minor}", True),
        ("Python 3.9", False),
    ]
    environment.remove(site.root, other)
    assert not other.exists()
    assert site.condition is Condition.READY


def test_fault_25_a_python_that_is_gone_needs_repair(site: Site) -> None:
    site.install()
    python = environment.executable(site.made)
    python.unlink()
    python.symlink_to("/nowhere/blender-4.2/python3.11")
    verdict = environment.inspect(site.root, site.lock)
    assert verdict.condition is Condition.REPAIR
    assert "is gone" in verdict.reason
    site.index.asked.clear()
    site.install()
    assert SMALL[0] not in site.files_asked(), "whole packages are not downloaded again"


def test_fault_25_another_list_of_packages_is_an_update_in_place(site: Site) -> None:
    site.install()
    newer = make_wheel("pebble", "2.0")
    site.index.files[newer[0]] = newer[1]
    site.write_list(LARGE, newer)
    verdict = environment.inspect(site.root, site.lock)
    assert verdict.condition is Condition.REPAIR
    assert "another version of Tilewright" in verdict.reason
    site.index.asked.clear()
    site.install()
    assert LARGE[0] not in site.files_asked()
    assert (site.packages / "pebble-2.0.dist-info").is_dir()
    assert not (site.packages / "pebble-1.0.dist-info").exists()
    assert not (site.packages / "gravel_pit.py").exists(), "what is not in the list any more is removed"


# --- 26: killed in every phase; one byte changed ------------------------------------------------------------------


def killed_in(site: Site, reached: Callable[[Installer], bool]) -> None:
    installer = site.start()
    until(lambda: reached(installer), 60.0, "the phase")
    assert installer._child._process
    os.killpg(installer._child._process.pid, signal.SIGKILL)
    outcome = site.finish(installer)
    assert outcome.error
    assert "signal 9" in outcome.error.message
    assert site.condition is not Condition.READY


@pytest.mark.parametrize("package", ["uv", "boulder", "pebble"])
def test_fault_26_killed_while_downloading(site: Site, package: str) -> None:
    file = next(file for file in site.index.files if file.startswith(f"{package}-"))
    site.index.faults[file] = ["slow", ""]
    if len(site.index.files[file]) < 2000:
        site.index.faults[file] = ["stall", ""]
    killed_in(site, lambda it: it.pump() and it.progress.stage is Stage.DOWNLOADING and it.progress.package == package)
    site.install()


@pytest.mark.parametrize("package", ["Python", "boulder"])
def test_fault_26_killed_while_installing(site: Site, package: str) -> None:
    killed_in(site, lambda it: _step_by_step(it, Stage.INSTALLING, package))
    site.install()


def test_fault_26_killed_while_checking(site: Site) -> None:
    killed_in(site, lambda it: _step_by_step(it, Stage.CHECKING, "boulder"))
    site.install()


def test_fault_26_killed_at_drawn_moments(site: Site) -> None:
    """Whatever it is at: ready only where all is there, and the next one goes on."""
    for delay in (0.15, 0.4, 0.7, 0.9, 1.1, 1.4):
        shutil.rmtree(site.root, ignore_errors=True)
        installer = site.start()
        time.sleep(delay)
        installer.cancel()
        outcome = site.finish(installer)
        if outcome.error is None:
            assert site.condition is Condition.READY
        elif site.condition is Condition.READY:  # between its last step and its last word
            assert site.finish(site.start(InstallerAction.VERIFY)).error is None
    site.install()


def _step_by_step(installer: Installer, stage: Stage, package: str) -> bool:
    """Whether the phase was told; steps are taken one at a time, since some last milliseconds."""
    while (told := _next(installer)) is not None:
        if (told.stage, told.package) == (stage, package):
            return True
    return False


def _next(installer: Installer) -> InstallerProgress | None:
    with contextlib.suppress(queue.Empty):
        told = installer._inbox.get_nowait()
        assert isinstance(told, InstallerProgress), told
        return told
    return None


def test_fault_26_a_download_goes_on_where_it_was_cut(site: Site) -> None:
    site.index.faults[LARGE[0]] = ["cut", ""]
    site.install()
    ranges = [asked for path, asked in site.index.asked if path.endswith(LARGE[0])]
    assert ranges == ["", f"bytes={len(LARGE[1]) // 2}-"]


def test_fault_26_a_cancelled_download_goes_on_with_the_next_click(site: Site) -> None:
    site.index.faults[LARGE[0]] = ["slow", ""]
    installer = site.start()
    until(lambda: installer.pump() and installer.progress.package == "boulder")
    part = site.root / environment.DOWNLOADS / f"{LARGE[0]}.part"
    until(lambda: part.exists() and part.stat().st_size > 0)
    begin = time.monotonic()
    installer.cancel()
    outcome = site.finish(installer)
    assert time.monotonic() - begin < 1.0
    assert outcome.error
    assert "cancelled" in outcome.error.message
    site.install()
    last = [asked for path, asked in site.index.asked if path.endswith(LARGE[0])][-1]
    assert last.startswith("bytes=")


def test_fault_26_one_changed_byte_on_the_way_is_refused_by_its_hash(site: Site) -> None:
    site.index.faults[LARGE[0]] = ["wrong"]
    error = site.fail()
    (wheel,) = [wheel for wheel in site.lock.wheels if wheel.name == "boulder"]
    assert wheel.sha256 in error.message
    assert LARGE[0] in error.message
    assert site.files_asked().count(LARGE[0]) == 3
    assert site.condition is not Condition.READY
    site.index.faults.clear()
    site.install()


def test_fault_26_one_changed_byte_in_a_folder_of_wheels_is_refused(site: Site) -> None:
    wheels = site.folder / "wheels"
    wheels.mkdir()
    for file, data in site.index.files.items():
        (wheels / file).write_bytes(data)
    (wheels / LARGE[0]).write_bytes(LARGE[1][:-1] + b"?")
    error = site.fail(online=False, wheels=str(wheels))
    assert str(wheels / LARGE[0]) in error.message
    assert "its hash is" in error.message


def test_fault_26_one_changed_byte_after_installing_is_found_and_mended(site: Site) -> None:
    site.install()
    assert site.run(InstallerAction.VERIFY).error is None
    victim = site.packages / "boulder_data.bin"
    data = bytearray(victim.read_bytes())
    data[300_000] ^= 1
    victim.unlink()  # uv may have linked the file to its cache
    victim.write_bytes(data)
    error = site.fail(InstallerAction.VERIFY)
    assert error.message.startswith("boulder 1.0 is damaged: boulder_data.bin has the hash sha256=")
    assert site.condition is Condition.REPAIR
    site.index.asked.clear()
    site.install()
    assert site.files_asked().count(LARGE[0]) == 1
    assert SMALL[0] not in site.files_asked(), "only what is damaged is fetched"


def test_fault_26_a_file_that_is_gone_is_found(site: Site) -> None:
    site.install()
    (site.packages / "gravel/deep/inside.txt").unlink()
    error = site.fail(InstallerAction.VERIFY)
    assert "gravel/deep/inside.txt is gone" in error.message


# --- 27: held by another program ----------------------------------------------------------------------------------


def test_fault_27_a_file_held_for_a_moment_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def change() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise PermissionError(13, "Access is denied", "torch.dll")

    disk.patiently(change, pause=0.0)
    assert len(tries) == 3


def test_fault_27_a_file_that_stays_held_is_named(tmp_path: Path) -> None:
    def change() -> None:
        raise PermissionError(13, "Access is denied", "torch.dll")

    with pytest.raises(UserError) as caught, disk.disk_errors(tmp_path):
        disk.patiently(change, pause=0.0)
    assert caught.value.kind is ErrorKind.DISK
    assert "torch.dll" in caught.value.message
    assert "another program" in caught.value.message


def test_fault_27_uv_that_cannot_change_a_file_is_understood(tmp_path: Path) -> None:
    told = "error: failed to remove file `C:\\engine\\torch.dll`: Access is denied. (os error 5)"
    error = maker._explained("torch 2.0 could not be installed", told, tmp_path)
    assert error.kind is ErrorKind.DISK
    assert "C:\\engine\\torch.dll is in use by another program" in error.message


@pytest.mark.parametrize(
    ("told", "kind", "said"),
    [
        ("error: No space left on device (os error 28)", ErrorKind.DISK, "is full"),
        ("Hash mismatch for `pebble`", ErrorKind.NETWORK, "its hash"),
        ("pebble has no wheels with a matching Python ABI tag", ErrorKind.RUNTIME, "no wheel of it for this Python"),
        ("error: something new", ErrorKind.RUNTIME, "something new"),
        ("", ErrorKind.RUNTIME, "did not say why"),
    ],
)
def test_what_uv_complains_about_becomes_a_sentence(tmp_path: Path, told: str, kind: ErrorKind, said: str) -> None:
    error = maker._explained("pebble 1.0 could not be installed", told, tmp_path)
    assert error.kind is kind
    assert said in error.message


# --- the process --------------------------------------------------------------------------------------------------


def test_the_installer_ends_with_blender(site: Site) -> None:
    """Its stdin's end is its end, and that of what it started."""
    site.index.faults[LARGE[0]] = ["slow"]
    installer = site.start()
    until(lambda: installer.pump() and installer.progress.package == "boulder")
    assert installer._child._process
    assert installer._child._process.stdin
    installer._child._process.stdin.close()
    outcome = site.finish(installer, 5.0)
    assert outcome.error
    assert site.condition is not Condition.READY


def test_an_installer_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    task = InstallerTask(InstallerAction.INSTALL, str(tmp_path / "no.json"), str(tmp_path / "root"))
    installer = Installer(task, tmp_path / "log", python=str(tmp_path / "nowhere"))
    until(lambda: installer.pump() is not None and installer.outcome is not None)
    assert installer.outcome
    assert installer.outcome.error
    assert "could not be started" in installer.outcome.error.message


def test_a_damaged_list_is_told(site: Site) -> None:
    site.list.write_text("{")
    error = site.fail()
    assert error.message == "The list of the engine's packages is damaged: index.json."
