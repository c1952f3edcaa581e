# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the lists of the engine's packages that the extension installs from. Run in Blender's environment (see dev.py).

Resolves tools/requirements/engine.txt with uv for each Python that a Blender has and each platform, and writes which
wheels that are, with sizes and hashes. The index is the one that pip and uv are set to here.
"""

import argparse
import json
import re
import stat
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging import tags, utils

from addon.host import indexes
from addon.host.download import Fetcher
from addon.host.transfer import masked
from tools.environments import REQUIREMENTS, clean_environment, say
from tools.machine import ROOT, MachineError
from tools.wheels import uv_wheel

LOCKS = ROOT / "addon" / "host" / "locks"
PYTHONS = ("3.11", "3.13", "3.14")  # Blender 4.2 to 5.0, from 5.1 on, and Debian's build of 5.2
OLDEST_MACOS = (14, 0)  # torch's


@dataclass(frozen=True)
class Platform:
    """A platform as we, uv and wheels call it. `wheels`: the tags that fit, the best first."""

    name: str
    uv: str
    wheels: tuple[str, ...]


def _manylinux(machine: str, oldest: int) -> tuple[str, ...]:
    return (
        *(f"manylinux_2_{minor}_{machine}" for minor in range(28, oldest - 1, -1)),
        f"manylinux2014_{machine}",
        f"linux_{machine}",
    )


PLATFORMS = (
    Platform("linux-x86_64", "x86_64-manylinux_2_28", _manylinux("x86_64", 5)),
    Platform("linux-arm64", "aarch64-manylinux_2_28", _manylinux("aarch64", 17)),
    Platform("windows-x86_64", "x86_64-pc-windows-msvc", ("win_amd64",)),
    Platform("macos-arm64", "aarch64-apple-darwin", tuple(tags.mac_platforms(OLDEST_MACOS, "arm64"))),
)


@dataclass(frozen=True)
class File:
    """One wheel of an index. size: None where the index's page does not tell it."""

    name: str
    url: str
    size: int | None
    sha256: str


class Index:
    """Pages of package indexes, each read once."""

    def __init__(self) -> None:
        self._settings = indexes.read_settings()
        self._fetcher = Fetcher(self._settings, online=True)
        self._pages: dict[tuple[str, str], list[File]] = {}

    @property
    def main(self) -> str:
        return self._settings.indexes[0]

    def files(self, project: str, index: str = "") -> list[File]:
        """The project's wheels."""
        index = index or self.main
        if (index, project) not in self._pages:
            url = f"{index.rstrip('/')}/{project}/"
            with self._open(url, {"Accept": indexes.PAGE_TYPES}) as reply:
                data, kind = reply.read(), reply.headers.get("Content-Type", "")
            sizes = {item["filename"]: item.get("size") for item in json.loads(data)["files"]} if "json" in kind else {}
            links = [link for link in indexes.read_page(data, kind, url) if link.file.endswith(".whl")]
            self._pages[index, project] = [
                File(link.file, link.url, sizes.get(link.file), link.sha256) for link in links
            ]
        return self._pages[index, project]

    def size(self, file: File) -> int:
        if file.size is not None:
            return file.size
        with self._open(file.url, {}, "HEAD") as reply:
            return int(reply.headers["Content-Length"])

    def _open(self, url: str, headers: dict[str, str], method: str = "GET") -> Any:
        if not url.startswith(("http://", "https://")):
            raise MachineError(f"{masked(url)} is not the address of a package index.")
        request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310 - http and https only
        return urllib.request.urlopen(request, timeout=60)  # noqa: S310 - as above


def main() -> int:
    """Make the lock of one backend, or check that the one that is there is what would be made now."""
    parser = argparse.ArgumentParser(prog="tools/dev.py lock", description=__doc__)
    parser.add_argument("--backend", default="index", help="one of uv's torch backends, such as cu130 (index)")
    parser.add_argument(
        "--verified", action="append", default=[], metavar="TARGET", help="an environment was made for it and used"
    )
    arguments = parser.parse_args()
    index = Index()
    with tempfile.TemporaryDirectory(prefix="tilewright-lock-") as folder:
        uv = unpack_uv(Path(folder))
        data = make(uv, index, arguments.backend, verified=arguments.verified)
    LOCKS.mkdir(exist_ok=True)
    path = LOCKS / f"{arguments.backend}.json"
    path.write_text(dumps(data), encoding="utf-8")
    say(f"{path}: {len(data['wheels'])} wheels, {len(data['targets'])} targets")
    return 0


def unpack_uv(folder: Path) -> Path:
    """uv's executable, in `folder`."""
    name = "uv.exe" if sys.platform == "win32" else "uv"
    with zipfile.ZipFile(uv_wheel()) as archive:
        inside = next(entry for entry in archive.namelist() if entry.endswith(f".data/scripts/{name}"))
        target = folder / name
        target.write_bytes(archive.read(inside))
    target.chmod(target.stat().st_mode | stat.S_IXUSR)
    return target


def make(uv: Path, index: Index, backend: str, *, verified: list[str]) -> dict[str, Any]:
    """The lock's content."""
    wheels: dict[str, list[Any]] = {}
    targets: dict[str, list[str]] = {}
    others: set[str] = set()
    for python in PYTHONS:
        for platform in PLATFORMS:
            target = f"cp{python.replace('.', '')}-{platform.name}"
            try:
                pinned = resolve(uv, backend, python, platform, index.main)
                chosen = [choose(index, *pin, python, platform) for pin in pinned]
            except MachineError as error:
                if backend == "index":
                    raise
                say(f"{target}: left out. {error}")  # not every backend is on every platform
                continue
            others |= {place for _, _, _, place in pinned if place != index.main}
            for file in chosen:
                wheels[file.name] = [index.size(file), file.sha256]
            targets[target] = sorted((file.name for file in chosen), key=str.lower)
            say(f"{target}: {len(chosen)} wheels, {sum(wheels[name][0] for name in targets[target]) / 1e6:.0f} MB")
    if not targets:
        raise MachineError(f"Nothing could be resolved for {backend}.")
    data = {"format": 1, "backend": backend, "verified": verified, "wheels": wheels, "targets": targets}
    return data | ({"indexes": sorted(others)} if others else {})


def resolve(
    uv: Path, backend: str, python: str, platform: Platform, index: str
) -> list[tuple[str, str, set[str], str]]:
    """Name, version, allowed hashes and index of each package that the engine needs there."""
    command = [str(uv), "pip", "compile", "--no-config", "--quiet", "--no-header", "--generate-hashes"]
    command += ["--only-binary", ":all:", "--emit-index-annotation", "--default-index", index]
    command += ["--python-version", python, "--python-platform", platform.uv]
    command += ["--torch-backend", backend] if backend != "index" else []
    command += [str(REQUIREMENTS / name) for name in ("engine.txt", "installer.txt")]
    variables = clean_environment() | {"MACOSX_DEPLOYMENT_TARGET": "{}.{}".format(*OLDEST_MACOS)}
    done = subprocess.run(command, capture_output=True, text=True, env=variables)
    if done.returncode:
        raise MachineError(
            f"uv cannot resolve the engine's packages for Python {python} on {platform.name}: {done.stderr}"
        )
    return parse(done.stdout, index)


def parse(text: str, index: str) -> list[tuple[str, str, set[str], str]]:
    """uv's list: see `resolve`."""
    found = []
    for block in re.split(r"\n(?=[A-Za-z0-9])", text.strip()):
        name, version = re.match(r"([A-Za-z0-9._-]+)==([^ \\;\n]+)", block).groups()  # type: ignore[union-attr]
        place = re.search(r"# from (\S+)", block)
        found.append((name, version, set(re.findall(r"sha256:([0-9a-f]{64})", block)), place[1] if place else index))
    return found


def choose(
    index: Index, name: str, version: str, hashes: set[str], place: str, python: str, platform: Platform
) -> File:
    """The wheel that fits the target best, as pip would choose it."""
    major, minor = python.split(".")
    ranks = {
        tag: rank
        for rank, tag in enumerate(
            [
                *tags.cpython_tags((int(major), int(minor)), platforms=platform.wheels),
                *tags.compatible_tags((int(major), int(minor)), f"cp{major}{minor}", platform.wheels),
            ]
        )
    }
    fitting = []
    for file in index.files(utils.canonicalize_name(name), place):
        try:
            _, its_version, _, its_tags = utils.parse_wheel_filename(file.name)
        except utils.InvalidWheelFilename:
            continue
        rank = min((ranks[tag] for tag in its_tags if tag in ranks), default=None)
        if str(its_version) == version and rank is not None and file.sha256 in hashes:
            fitting.append((rank, file.name, file))
    if not fitting:
        raise MachineError(f"There is no wheel of {name} {version} for Python {python} on {platform.name}.")
    return min(fitting)[2]


def dumps(data: dict[str, Any]) -> str:
    """JSON with one wheel and one target a line, so that a change of one is a line's change."""
    head = {name: value for name, value in data.items() if name not in ("wheels", "targets")}
    lines = [f' "{name}": {json.dumps(value)},' for name, value in head.items()]
    for name in ("wheels", "targets"):
        rows = ",\n".join(f'  "{key}": {json.dumps(value)}' for key, value in sorted(data[name].items()))
        lines.append(f' "{name}": {{\n{rows}\n }}' + ("," if name == "wheels" else ""))
    return "{\n" + "\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MachineError as error:
        sys.exit(str(error))
