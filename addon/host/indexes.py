# SPDX-License-Identifier: GPL-3.0-or-later
"""Where wheels come from: what pip and uv are set to on this machine. Imports core and the standard library only.

Runs in the installer's process. No index is named here: without settings it is the one that pip itself would ask.
"""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import sys
import tomllib
import urllib.parse
from ast import literal_eval
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from ..core.errors import ErrorKind, UserError
from ..core.lock import Wheel
from . import child
from .transfer import local_path

PAGE_TYPES = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_SECONDS = 60  # for a question to pip
_PIP_IN_WHEEL = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module('pip', run_name='__main__')"


@dataclass(frozen=True)
class Settings:
    """indexes: base addresses, asked in this order. folders: where wheels lie, looked at first.

    proxy: "" for what the environment says. certificates: a file; "" for the system's.
    """

    indexes: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    proxy: str = ""
    certificates: str = ""


@dataclass(frozen=True)
class Link:
    """A file that an index offers; without a hash where it tells none."""

    file: str
    url: str
    sha256: str


def read_settings(index: str = "", folder: Path | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """What the user's pip and uv are set to; `index` and `folder`, the extension's own preferences, go first."""
    pip = _pip()
    pip_says = _pip_settings(pip)
    uv = _uv_settings(environment)
    main = (
        index
        or environment.get("UV_DEFAULT_INDEX", "")
        or environment.get("UV_INDEX_URL", "")
        or uv.get("index-url", "")
        or pip_says.get("index-url", "")
        or ("" if pip_says.get("no-index", "").lower() in ("1", "true", "yes", "on") else _pip_default(pip))
    )
    more = " ".join(
        (environment.get("UV_INDEX", ""), environment.get("UV_EXTRA_INDEX_URL", ""), uv.get("extra-index-url", ""))
    )
    addresses = [main, *more.split(), *pip_says.get("extra-index-url", "").split()]
    places = [*environment.get("UV_FIND_LINKS", "").replace(",", " ").split(), *pip_says.get("find-links", "").split()]
    folders = [_local(place) for place in places]
    return Settings(
        # an index of uv's may be given as name=address
        indexes=tuple(dict.fromkeys(re.sub(r"^[\w.-]+=", "", item) for item in addresses if item)),
        folders=(*([folder] if folder else []), *(path for path in folders if path)),
        proxy=pip_says.get("proxy", ""),
        certificates=environment.get("SSL_CERT_FILE", "")
        or environment.get("REQUESTS_CA_BUNDLE", "")
        or pip_says.get("cert", ""),
    )


def page_of(index: str, wheel: Wheel) -> str:
    """The address of the page that lists the wheel's project."""
    return f"{index.rstrip('/')}/{wheel.name}/"


def read_page(data: bytes, content_type: str, url: str) -> list[Link]:
    """The files that a project's page lists. Raises ValueError where it is no such page."""
    if "json" in content_type:
        page = json.loads(data)
        return [
            Link(str(item["filename"]), urllib.parse.urljoin(url, item["url"]), str(item["hashes"].get("sha256", "")))
            for item in page["files"]
        ]
    parser = _Links()
    parser.feed(data.decode("utf-8"))
    found = []
    for address in parser.addresses:
        whole, _, fragment = urllib.parse.urljoin(url, address).partition("#")
        file = urllib.parse.unquote(whole.rpartition("/")[2])
        found.append(Link(file, whole, fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else ""))
    return found


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.addresses += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _pip() -> list[str] | None:
    """How to start a pip: this Python's, the one that waits in its ensurepip, or one on the PATH."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-I", "-m", "pip"]
    if bundled := importlib.util.find_spec("ensurepip"):
        for place in bundled.submodule_search_locations or ():
            for wheel in sorted(Path(place).glob("_bundled/pip-*.whl")):
                return [sys.executable, "-I", "-c", _PIP_IN_WHEEL, str(wheel)]
    found = shutil.which("pip3") or shutil.which("pip")
    return [found] if found else None


def _ask(command: list[str]) -> str:
    words = os.environ | {"PYTHONUTF8": "1", "COLUMNS": "500"}
    with contextlib.suppress(OSError):
        return child.run(command, variables=words, limit=_SECONDS)[1]
    return ""


def _pip_settings(pip: list[str] | None) -> dict[str, str]:
    """`pip config list`: its files and its environment variables; what is said for installing goes first."""
    found: dict[str, str] = {}
    for line in _ask([*pip, "config", "list"]).splitlines() if pip else ():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        with contextlib.suppress(ValueError, SyntaxError):
            text = str(literal_eval(value))
            if section == ":env:" or name not in found or section in ("install", "download"):
                found[name] = text
    return found


def _pip_default(pip: list[str] | None) -> str:
    """The index that pip asks when nothing is set, as its own help tells it."""
    help_ = _ask([*pip, "download", "--help"]) if pip else ""
    found = re.search(r"--index-url\b.*?\(default\s+(\S+?)\)", help_, re.DOTALL)
    if found:
        return found[1]
    raise UserError(
        ErrorKind.NETWORK,
        "Tilewright cannot tell where packages come from: Blender's Python has no pip, and no package index is set.",
        "Name a package index or a folder with wheels in the preferences.",
    )


def _uv_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """What the user's and the system's uv.toml say of indexes."""
    if environment.get("UV_NO_CONFIG"):
        return {}
    if named := environment.get("UV_CONFIG_FILE"):
        files = [Path(named)]
    elif sys.platform == "win32":
        files = [Path(environment.get(name, ".")) / "uv" / "uv.toml" for name in ("APPDATA", "PROGRAMDATA")]
    else:
        home = Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        files = [home / "uv" / "uv.toml", Path("/etc/uv/uv.toml")]
    found: dict[str, str] = {}
    for file in reversed(files):
        with contextlib.suppress(OSError, ValueError):
            data: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
            data |= data.pop("pip", {})
            for item in data.get("index", ()):
                data["index-url" if item.get("default") else "extra-index-url"] = item["url"]
            for name in ("index-url", "extra-index-url"):
                value = data.get(name)
                if value:
                    found[name] = " ".join(value) if isinstance(value, list) else str(value)
    return found


def _local(place: str) -> Path | None:
    """A folder named as a path or as a file: address; None for what lies elsewhere."""
    if place.startswith("file:"):
        return local_path(place)
    return None if "://" in place else Path(place).expanduser()
