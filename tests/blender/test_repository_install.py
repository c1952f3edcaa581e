# SPDX-License-Identifier: GPL-3.0-or-later
"""Installed and updated from a static repository by a real Blender's own commands: from a server and from a folder."""

import shutil
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools import package, repository

from .conftest import BLENDER, Blender

pytestmark = pytest.mark.skipif(not BLENDER, reason="BLENDER names no Blender: the module has no command line")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing: pytest shows what fails."""


@pytest.fixture
def served(zip_file: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    publish(Path(shutil.copy(zip_file, folder)))
    return folder


@pytest.fixture
def address(served: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "folder":
        yield (served / "index.json").as_uri()
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(served)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/index.json"
    server.shutdown()
    server.server_close()


def publish(zip_file: Path) -> None:
    repository.publish(zip_file, package.builder_command(Path(sys.executable)))


def make_newer(zip_file: Path, folder: Path) -> Path:
    """The same package with a higher version."""
    with zipfile.ZipFile(zip_file) as old, zipfile.ZipFile(folder / "tilewright-9.0.0.zip", "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename == "blender_manifest.toml":
                version = tomllib.loads(data.decode())["version"]
                data = data.replace(f'version = "{version}"'.encode(), b'version = "9.0.0"', 1)
            new.writestr(entry, data)
    return folder / "tilewright-9.0.0.zip"


@pytest.mark.parametrize("address", ["server", "folder"], indirect=True)
def test_install_update_and_remove(
    address: str, served: Path, zip_file: Path, worker_python: str, tmp_path: Path
) -> None:
    blender = Blender(tmp_path / "profile", tmp_path, worker_python, seconds=240)

    def extension(*arguments: str) -> str:
        done = blender.spawn([BLENDER, "--online-mode", "--command", "extension", *arguments])
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def version() -> str:
        manifest = blender.profile / "extensions" / "tiles" / "tilewright" / "blender_manifest.toml"
        return str(tomllib.loads(manifest.read_text())["version"]) if manifest.exists() else ""

    (blender.profile / "config").mkdir(parents=True)  # without it Blender does not save its preferences
    extension("repo-add", "--clear-all", "--name", "Tiles", "--url", address, "tiles")
    extension("sync")
    extension("install", "--sync", "--enable", "tiles.tilewright")
    assert version() == package_version(zip_file)
    user_data = blender.profile / "extensions" / ".user" / "tiles" / "tilewright" / "environments"
    user_data.mkdir(parents=True)
    publish(make_newer(zip_file, served))
    extension("update", "--sync")
    assert version() == "9.0.0"
    assert user_data.is_dir(), "an update keeps the engine's packages and the textures"
    extension("remove", "tiles.tilewright")
    assert version() == ""


def package_version(zip_file: Path) -> str:
    with zipfile.ZipFile(zip_file) as archive:
        return str(tomllib.loads(archive.read("blender_manifest.toml").decode())["version"])
