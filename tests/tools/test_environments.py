# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments in the cache: when one is made, that half of one never counts, what is said when it fails."""

import base64
import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools import environments, machine
from tools.environments import Kind
from tools.machine import MachineError, Python

SMALL = Kind("small", "a small environment", ("small.txt",), ("bare.txt",), 0.1)
HERE = Python(Path(sys.executable), "3.11.7")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, with spaces and foreign letters in its name."""
    folder = tmp_path / "cache \u7eb9 folder"
    monkeypatch.setenv("TILEWRIGHT_CACHE", str(folder))
    return folder


@pytest.fixture
def write_requirements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets what the small environment consists of."""
    folder = tmp_path / "requirements"
    folder.mkdir()
    (folder / "bare.txt").write_text(f"{make_wheel(tmp_path, 'barely', requires='tilewright-nowhere')}\n")
    monkeypatch.setattr(environments, "REQUIREMENTS", folder)

    def write(text: str) -> None:
        (folder / "small.txt").write_text(text)

    write(f"{make_wheel(tmp_path, 'pebble')}\n")
    return write


def make_wheel(folder: Path, name: str, requires: str = "") -> Path:
    """A package of one empty module, so that pip has something to install without any network."""
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" + (
        f"Requires-Dist: {requires}\n" if requires else ""
    )
    files = {
        f"{name}.py": b"",
        f"{name}-1.0.dist-info/METADATA": metadata.encode(),
        f"{name}-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(data)}\n"
        archive.writestr(f"{name}-1.0.dist-info/RECORD", f"{record}{name}-1.0.dist-info/RECORD,,\n")
    return wheel


def imports(python: Path, module: str) -> bool:
    return subprocess.run([python, "-I", "-c", f"import {module}"], capture_output=True).returncode == 0


def test_an_environment_is_made_once(write_requirements: Callable[[str], None], capfd: pytest.CaptureFixture) -> None:
    python = environments.ensure(SMALL)
    assert imports(python, "pebble")
    assert imports(python, "barely")
    assert "Made a small environment" in capfd.readouterr().out
    assert environments.ensure(SMALL) == python
    assert capfd.readouterr().out == ""


def test_two_makers_at_once_make_one_environment(
    write_requirements: Callable[[str], None], capfd: pytest.CaptureFixture
) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: environments.ensure(SMALL), range(2))
    assert first == second
    assert imports(first, "pebble")
    assert capfd.readouterr().out.count("Making a small environment") == 1


def test_half_an_environment_is_made_again(write_requirements: Callable[[str], None]) -> None:
    python = environments.ensure(SMALL)
    folder = python.parent.parent
    (folder / environments.STAMP).unlink()
    left_over = folder / "left-over"
    left_over.touch()
    assert not environments.is_ready(folder)
    assert environments.ensure(SMALL) == python
    assert environments.is_ready(folder)
    assert not left_over.exists()


def test_an_environment_whose_python_is_gone_does_not_count(tmp_path: Path) -> None:
    (tmp_path / environments.STAMP).touch()
    assert not environments.is_ready(tmp_path)
    environments.executable(tmp_path).parent.mkdir()
    environments.executable(tmp_path).symlink_to(sys.executable)
    assert environments.is_ready(tmp_path)


def test_a_failed_installation_is_told_and_does_not_count(write_requirements: Callable[[str], None]) -> None:
    write_requirements("/nowhere/pebble-1.0-py3-none-any.whl\n")
    with pytest.raises(MachineError, match=r"could not install small\.txt .*pebble.*\.log"):
        environments.ensure(SMALL)
    assert not environments.is_ready(environments.environment_folder(SMALL, machine.find_python()))


def test_an_index_that_cannot_be_reached_is_told(
    write_requirements: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_requirements("pebble==1.0\n")
    for name, value in {
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_RETRIES": "1",
        "PIP_FIND_LINKS": "",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(MachineError, match="cannot reach its package index: connect to the network"):
        environments.ensure(SMALL)


def test_the_name_changes_with_requirements_and_python(write_requirements: Callable[[str], None]) -> None:
    name = environments.environment_folder(SMALL, HERE)
    assert name == environments.environment_folder(SMALL, HERE)
    assert name != environments.environment_folder(SMALL, Python(HERE.executable, "3.11.8"))
    write_requirements("pebble==2.0\n")
    assert name != environments.environment_folder(SMALL, HERE)


def test_neither_environment_holds_the_other_ones_heavy_package() -> None:
    def packages(kind: Kind) -> set[str]:
        lines = [
            line
            for name in (*kind.requirements, *kind.bare)
            for line in (environments.REQUIREMENTS / name).read_text().splitlines()
        ]
        return {line.split("==")[0] for line in lines if line and not line.startswith("#")}

    assert "bpy" not in packages(environments.ENGINE)
    assert not {"torch", "diffusers", "transformers"} & packages(environments.BLENDER)


def test_too_little_disk_space_is_told(cache: Path) -> None:
    cache.mkdir()
    with pytest.raises(MachineError, match="1000000 GB are needed: make room, or set TILEWRIGHT_CACHE"):
        machine.check_disk_space(cache, 1e6)
    machine.check_disk_space(cache, 0.000001)


def test_a_python_without_a_blender_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "BLENDER_OF_PYTHON", {"3.2": "2.6"})
    with pytest.raises(MachineError, match=r"for Python 3\.2 only, and this is Python 3\."):
        machine.find_python()


def test_a_name_on_the_path_that_starts_no_python_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setattr(machine, "BLENDER_OF_PYTHON", {"3.13": "5.2"})
    monkeypatch.setattr(machine.sys, "executable", str(shim))
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(MachineError, match="install one of them"):
        machine.find_python()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists missing shared libraries")
def test_missing_shared_libraries_are_told_with_their_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "ldd"
    fake.write_text("#!/bin/sh\necho '  libXi.so.6 => not found'\necho '  libc.so.6 => /lib/libc.so.6 (0x1)'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(MachineError, match=r"\(libXi\.so\.6\): .*apt-get install libxi6$"):
        machine.check_shared_libraries(tmp_path / "bpy.so")
