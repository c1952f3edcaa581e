# SPDX-License-Identifier: GPL-3.0-or-later
"""Uninstalled, installed again, updated: also while the engine works. Results outlive it all, and no process does."""

import shutil
import time
from pathlib import Path

import pytest

from .conftest import BLENDER, Blender
from .test_jobs import stuck
from .test_lifecycle import is_alive
from .test_repository_install import make_newer

ONE_DONE = {"faults": [{"do": "hang", "phase": "SAMPLING", "image": 1, "step": 1}]}


@pytest.fixture
def blender(own_blender: Blender) -> Blender:
    """Each run is a process of its own: the extension is installed and uninstalled in it."""
    return own_blender


def test_results_outlive_uninstalling_and_are_found_again(blender: Blender, zip_file: Path) -> None:
    blender.run("uninstalling.uninstall_and_install_again", file=str(zip_file), data=str(blender.data))
    assert len(blender.results) == 1


def test_results_of_an_earlier_version_move_where_they_outlive_it(blender: Blender, tmp_path: Path) -> None:
    names = blender.run("uninstalling.make", count=2)
    blender.data.mkdir(parents=True, exist_ok=True)
    old = Path(shutil.move(blender.store, blender.data / "results"))
    blender.run("uninstalling.move_while_a_file_shows_them", old=str(old), file=str(tmp_path / "shows.blend"))
    assert [folder.name for folder in blender.results] == sorted(names)
    assert not old.exists()


@pytest.mark.parametrize("version", ["same", "newer"])
def test_fault_8_installed_again_in_a_job(blender: Blender, zip_file: Path, tmp_path: Path, version: str) -> None:
    blender.use_fake(ONE_DONE)
    file = zip_file if version == "same" else make_newer(zip_file, tmp_path)
    blender.run("uninstalling.install_in_a_job", file=str(file))
    assert len(blender.results) == 2, "the one that was finished, and the one made afterwards"


def test_fault_8_uninstalled_in_a_job(blender: Blender) -> None:
    blender.use_fake(ONE_DONE)
    blender.run("uninstalling.uninstall_in_a_job", data=str(blender.data))
    assert len(blender.results) == 1


@pytest.mark.skipif(not BLENDER, reason="BLENDER names no Blender: the module has no command line")
def test_fault_28_updated_by_another_blender_in_a_job(blender: Blender, zip_file: Path, tmp_path: Path) -> None:
    """Its files are replaced under it: what it has begun it ends, and afterwards it says so or goes on."""
    blender.use_fake(stuck("SAMPLING") | {"step_seconds": 0.02})
    flag, go = tmp_path / "started", tmp_path / "go"
    script = blender.script("uninstalling.go_on_when_told", arguments={"flag": str(flag), "go": str(go)})
    with blender.popen(script) as process:
        try:
            end = time.monotonic() + 60
            while not flag.exists() and process.poll() is None:
                assert time.monotonic() < end, "it did not start"
                time.sleep(0.05)
            newer = make_newer(zip_file, tmp_path)
            install = [BLENDER, "--command", "extension", "install-file", "-r", "user_default", str(newer)]
            done = blender.spawn(install)
            assert done.returncode == 0, done.stdout + done.stderr
            go.touch()
            output = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "WENT WELL" in output[0], output
    assert not is_alive(int(flag.read_text()))
    assert len(blender.results) == 2
