# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of the engine's packages: what it says, and that nothing in it leads out of its folder (FAULTS.md 21)."""

import json
from pathlib import Path
from typing import Any

import pytest

from addon.core import lock as locks
from addon.core.errors import ErrorKind, UserError
from addon.core.lock import Wheel, load, python_of, this_target

SHIPPED = Path(locks.__file__).resolve().parents[1] / "host" / "locks"
HASH = "0" * 64
GOOD: dict[str, Any] = {
    "format": 1,
    "backend": "index",
    "verified": ["cp311-linux-x86_64"],
    "wheels": {"uv-1.0-py3-none-any.whl": [3, HASH], "Big_Stone-2.0+cu130-cp311-cp311-linux_x86_64.whl": [5, HASH]},
    "targets": {
        "cp311-linux-x86_64": ["uv-1.0-py3-none-any.whl", "Big_Stone-2.0+cu130-cp311-cp311-linux_x86_64.whl"],
        "cp313-linux-x86_64": ["uv-1.0-py3-none-any.whl"],
    },
}


def write(folder: Path, data: object) -> Path:
    path = folder / "index.json"
    path.write_text(json.dumps(data))
    return path


def test_a_list_is_read_for_one_target(tmp_path: Path) -> None:
    lock = load(write(tmp_path, GOOD), "cp311-linux-x86_64")
    (wheel,) = lock.wheels
    assert (wheel.name, wheel.version) == ("big-stone", "2.0+cu130")
    assert wheel.info_folder == "Big_Stone-2.0+cu130.dist-info"
    assert lock.installer.name == "uv"
    assert lock.size == 8
    assert lock.verified
    assert not load(write(tmp_path, GOOD), "cp313-linux-x86_64").verified


def test_its_digest_changes_with_what_is_installed_and_with_nothing_else(tmp_path: Path) -> None:
    digest = load(write(tmp_path, GOOD), "cp311-linux-x86_64").digest
    other = json.loads(json.dumps(GOOD))
    other["wheels"]["uv-1.0-py3-none-any.whl"][1] = "1" * 64
    other["verified"] = []
    assert load(write(tmp_path, other), "cp311-linux-x86_64").digest == digest
    other["wheels"]["Big_Stone-2.0+cu130-cp311-cp311-linux_x86_64.whl"][1] = "1" * 64
    assert load(write(tmp_path, other), "cp311-linux-x86_64").digest != digest


def test_a_python_that_is_not_in_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no packages of the engine for Python 3\.12 on windows-x86_64") as caught:
        load(write(tmp_path, GOOD), "cp312-windows-x86_64")
    assert "Make an environment of your own" in caught.value.hint


@pytest.mark.parametrize(
    "file",
    ["../uv-1.0-py3-none-any.whl", "/etc/x-1-py3-none-any.whl", "C:\\x-1-py3-none-any.whl", "x.exe", "a/b-1-.whl", ""],
)
def test_fault_21_names_that_lead_elsewhere_are_refused(tmp_path: Path, file: str) -> None:
    data = json.loads(json.dumps(GOOD))
    data["wheels"][file] = [3, HASH]
    data["targets"]["cp311-linux-x86_64"].append(file)
    with pytest.raises(UserError, match="damaged") as caught:
        load(write(tmp_path, data), "cp311-linux-x86_64")
    assert caught.value.kind is ErrorKind.RUNTIME


@pytest.mark.parametrize("change", [{"format": 2}, {"wheels": {}}, {"targets": None}, {"verified": None}])
def test_a_damaged_list_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="damaged"):
        load(write(tmp_path, GOOD | change), "cp311-linux-x86_64")


def test_a_list_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read: none\.json"):
        load(tmp_path / "none.json", "cp311-linux-x86_64")


def test_targets_are_named_after_python_and_platform() -> None:
    assert python_of("cp311-linux-x86_64") == "3.11"
    assert python_of(this_target()).startswith("3.")
    assert this_target().split("-")[1] in ("linux", "windows", "macos")


@pytest.mark.parametrize("series", ["3.11", "3.13", "3.14"])
@pytest.mark.parametrize("system", ["linux-x86_64", "linux-arm64", "windows-x86_64", "macos-arm64"])
def test_the_shipped_list_serves_every_blender(series: str, system: str) -> None:
    lock = load(SHIPPED / "index.json", f"cp{series.replace('.', '')}-{system}")
    names = {wheel.name for wheel in lock.wheels}
    assert {"torch", "torchvision", "diffusers", "transformers", "safetensors", "pillow", "numpy", "spandrel"} <= names
    assert all(_fits(wheel, series) for wheel in lock.wheels)


def _fits(wheel: Wheel, series: str) -> bool:
    python = wheel.file.split("-")[2]
    tag = "cp" + series.replace(".", "")
    return tag in python or "py3" in python or "abi3" in wheel.file


def test_the_shipped_list_names_no_host() -> None:
    assert "://" not in (SHIPPED / "index.json").read_text()


def test_the_shipped_list_is_that_of_the_contributors_environment() -> None:
    """Both are made from one file of requirements: what it pins is what is installed."""
    wanted = Path(SHIPPED).parents[2] / "tools" / "requirements" / "engine.txt"
    pins = {line.strip() for line in wanted.read_text().splitlines() if "==" in line and not line.startswith("#")}
    lock = load(SHIPPED / "index.json", "cp311-linux-x86_64")
    assert pins <= {f"{wheel.name}=={wheel.version}" for wheel in lock.wheels}
