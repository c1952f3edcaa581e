# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's zip: what is in it, and that the same source gives the same bytes."""

import os
import shutil
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

from tools import package
from tools.machine import ROOT, MachineError


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository that package.py takes for the real one."""
    root = tmp_path / "repository"
    for name in (
        "addon/__init__.py",
        "addon/core/__init__.py",
        "addon/core/requests/texture.py",
        "addon/models/a/weights.safetensors",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n")
    shutil.copy(ROOT / "blender_manifest.toml", root)
    shutil.copy(ROOT / "LICENSE", root)
    monkeypatch.setattr(package, "ROOT", root)
    return root


def names(zip_file: Path) -> list[str]:
    with zipfile.ZipFile(zip_file) as archive:
        return archive.namelist()


SMALL = [
    "blender_manifest.toml",
    "LICENSE",
    "__init__.py",
    "core/__init__.py",
    "core/requests/texture.py",
    "models/a/weights.safetensors",
]


def test_the_zip_holds_the_addon_with_manifest_and_license(repository: Path, tmp_path: Path) -> None:
    zip_file = package.build(tmp_path / "dist")
    assert names(zip_file) == SMALL
    version = tomllib.loads((ROOT / "blender_manifest.toml").read_text())["version"]
    assert zip_file.name == f"tilewright-{version}.zip"
    assert [path.name for path in zip_file.parent.iterdir()] == [zip_file.name]


def test_bytecode_tests_pictures_and_hidden_files_stay_out(repository: Path, tmp_path: Path) -> None:
    for name in (
        "core/__pycache__/request.cpython-311.pyc",
        "core/old.pyc",
        "core/tests/test_request.py",
        "models/a/sheet.png",
        ".notes.txt",
        "core/.cache/data.json",
    ):
        path = repository / "addon" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    assert names(package.build(tmp_path / "dist")) == SMALL


def test_the_pages_of_the_manual_ship_and_its_pictures_do_not(repository: Path, tmp_path: Path) -> None:
    manual = repository / "tools" / "manual"
    manual.mkdir(parents=True)
    (manual / "README.md").write_text("# The manual\n")
    (manual / "main.webp").write_bytes(b"x")
    assert sorted(set(names(package.build(tmp_path / "dist"))) - set(SMALL)) == ["manual/README.md"]


def test_a_kind_of_file_that_nobody_decided_about_is_refused_by_name(repository: Path, tmp_path: Path) -> None:
    (repository / "addon/models/a/weights.ckpt").write_bytes(b"x")
    with pytest.raises(MachineError, match=r"addon/models/a/weights\.ckpt"):
        package.build(tmp_path / "dist")


def test_a_manifest_that_blender_refuses_gives_no_zip(repository: Path, tmp_path: Path) -> None:
    manifest = repository / "blender_manifest.toml"
    manifest.write_text(manifest.read_text().replace('type = "add-on"', 'type = "hat"'))
    with pytest.raises(MachineError, match="refuses"):
        package.build(tmp_path / "dist")
    assert list((tmp_path / "dist").iterdir()) == []


def test_the_same_source_gives_the_same_bytes(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = package.build(tmp_path / "first").read_bytes()
    # All that may differ between two checkouts: times, permissions, order of the directory, time zone.
    elsewhere = tmp_path / "elsewhere"
    for path in sorted((path for path in repository.rglob("*") if path.is_file()), reverse=True):
        copy = elsewhere / path.relative_to(repository)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        copy.chmod(0o755)
        os.utime(copy, (time.time() - 10_000, time.time() - 10_000))
    monkeypatch.setattr(package, "ROOT", elsewhere)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert package.build(tmp_path / "second").read_bytes() == first


def test_the_real_zip_holds_the_four_rooms_and_the_starter_model(tmp_path: Path) -> None:
    found = set(names(package.build(tmp_path)))
    assert {
        "blender_manifest.toml",
        "LICENSE",
        "__init__.py",
        "core/protocol.py",
        "host/session.py",
        "engine/worker.py",
        "blender/__init__.py",
        "models/starter/model_index.json",
        "models/starter/unet/diffusion_pytorch_model.safetensors",
    } <= found
    assert {Path(name).suffix for name in found} <= {".py", ".toml", ".json", ".safetensors", ".txt", ".md", ""}
