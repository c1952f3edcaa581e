# SPDX-License-Identifier: GPL-3.0-or-later
"""A small package index on the loopback device, with tiny wheels, that fails where a test wants it to.

Imports the standard library, addon.core and tools. The one real thing in it is uv's wheel.
"""

import base64
import hashlib
import io
import json
import re
import threading
import time
import zipfile
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from addon.core.lock import this_target
from tools.wheels import uv_wheel

WORKER = Path(__file__).resolve().parent / "fake_worker.py"


def make_wheel(name: str, version: str = "1.0", files: Mapping[str, bytes] | None = None) -> tuple[str, bytes]:
    """A wheel's file name and bytes: one module with the package's name, and whatever else is given."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    content = {f"{module}.py": f"version = {version!r}\n".encode(), **(files or {})}
    content[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    content[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = ""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in content.items():
            archive.writestr(zipfile.ZipInfo(path), data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(data)}\n"
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), f"{record}{info}/RECORD,,\n")
    return f"{module}-{version}-py3-none-any.whl", buffer.getvalue()


def make_engine_wheel(behaviour: Mapping[str, Any] | None = None) -> tuple[str, bytes]:
    """A wheel with which an environment's Python becomes a fake engine, see `tests.fake`."""
    code = f"""import sys
if any(part.endswith("start.py") for part in sys.orig_argv):
    import json, pathlib, runpy, tempfile
    scenario = pathlib.Path(tempfile.mkdtemp()) / "scenario.json"
    scenario.write_text({json.dumps(json.dumps(dict(behaviour or {})))})
    sys.argv = [{str(WORKER)!r}, str(scenario)]
    runpy.run_path({str(WORKER)!r}, run_name="__main__")
    raise SystemExit
"""
    # a .pth is the one file that each start of a Python reads
    return make_wheel(
        "fake-engine",
        files={"fake_engine_start.pth": b"import fake_engine_start\n", "fake_engine_start.py": code.encode()},
    )


def write_lock(path: Path, *wheels: tuple[str, bytes], targets: Sequence[str] = ()) -> None:
    """A list of these wheels, and of uv's real one, for this Python or for these targets."""
    uv = uv_wheel()
    every = dict((*wheels, (uv.name, uv.read_bytes())))
    data = {
        "format": 1,
        "backend": "index",
        "verified": [],
        "wheels": {file: [len(data), hashlib.sha256(data).hexdigest()] for file, data in every.items()},
        "targets": {target: sorted(every) for target in targets or [this_target()]},
    }
    path.write_text(json.dumps(data), encoding="utf-8")


class Index:
    """Serves wheels: pages in JSON (or, with `html`, in HTML) and the files, in parts where asked.

    faults: a file's or a project's name -> what happens to its next requests, one after the other, the last for ever:
    a status, "cut" (half of what was asked), "stall" (an answer that never comes), "wrong" (a byte changed), "slow",
    "" (all is well).
    asked: paths and ranges of all requests.
    """

    def __init__(self, *wheels: tuple[str, bytes]) -> None:
        uv = uv_wheel()
        self.files = {uv.name: uv.read_bytes(), **dict(wheels)}
        self.faults: dict[str, list[Any]] = {}
        self.asked: list[tuple[str, str]] = []
        self.html = False
        self.ended = threading.Event()
        index = self

        class Handler(_Handler):
            served = index

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/simple"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def fault(self, name: str) -> Any:
        planned = self.faults.get(name, [])
        return (planned.pop(0) if len(planned) > 1 else planned[0]) if planned else ""


class _Handler(BaseHTTPRequestHandler):
    served: Index

    def do_GET(self) -> None:
        index = self.served
        index.asked.append((self.path, self.headers.get("Range", "")))
        name = self.path.rstrip("/").rpartition("/")[2]
        fault = index.fault(name)
        if isinstance(fault, int):
            self.answer(fault, b"no", {"Retry-After": "0.01"})
        elif fault == "stall":
            index.ended.wait(30)
        elif self.path.startswith("/simple/"):
            self.page(name)
        elif name in index.files:
            self.file(index.files[name], fault)
        else:
            self.answer(404, b"not here")

    def page(self, project: str) -> None:
        files = [
            (file, hashlib.sha256(data).hexdigest())
            for file, data in self.served.files.items()
            if re.sub("[-_.]+", "-", file.split("-")[0]) == project
        ]
        if not files:
            self.answer(404, b"no such project")
        elif self.served.html:
            links = "".join(f'<a href="/files/{file}#sha256={digest}">{file}</a>\n' for file, digest in files)
            self.answer(
                200, f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), {"Content-Type": "text/html"}
            )
        else:
            listed = [{"filename": file, "url": f"/files/{file}", "hashes": {"sha256": d}} for file, d in files]
            kind = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
            self.answer(200, json.dumps({"meta": {"api-version": "1.1"}, "files": listed}).encode(), kind)

    def file(self, data: bytes, fault: str) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        begin = int(asked[1]) if asked else 0
        if fault == "wrong":
            data = data[:-1] + bytes([data[-1] ^ 1])
        part = data[begin:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if fault == "cut":
            part = part[: len(part) // 2]
            self.close_connection = True
        step = max(len(part) // 40, 1) if fault == "slow" else len(part) or 1
        try:
            for place in range(0, len(part), step):
                self.wfile.write(part[place : place + step])
                if fault == "slow":
                    time.sleep(0.1)
        except OSError:
            self.close_connection = True  # the installer was killed

    def answer(self, status: int, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: `asked` has it."""
