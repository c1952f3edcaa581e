# SPDX-License-Identifier: GPL-3.0-or-later
"""A model hub on the loopback device that speaks the real one's protocol, and fails where a test wants it to.

Two servers: the hub, which knows repositories and redirects, and a store of large files under another name, as the real
one has it. Imports the standard library only.
"""

import hashlib
import json
import re
import threading
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_a_token_of_a_member"
STRANGER = "hf_a_token_of_somebody_else"
_LARGE = 10_000  # bytes from which a file is kept outside of git, as safetensors always are


def git_sha1(data: bytes) -> str:
    """The name that git gives a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Repository:
    """files: path -> content. gated: those who have not agreed get 401 without a token and 403 with one.

    private: it is not there for who has no token. members: tokens that may read it.
    xet: its large files are kept in chunks, and the hub says so.
    """

    files: dict[str, bytes]
    licence: str = "apache-2.0"
    gated: bool = False
    private: bool = False
    members: tuple[str, ...] = (TOKEN,)
    xet: bool = False
    pipeline_tag: str = "text-to-image"
    downloads: int = 1

    @property
    def sha(self) -> str:
        """The revision: it changes with every file."""
        names = "".join(f"{path} {git_sha1(data)}\n" for path, data in sorted(self.files.items()))
        return hashlib.sha1(names.encode()).hexdigest()


def is_large(path: str, data: bytes) -> bool:
    return len(data) >= _LARGE or path.endswith((".safetensors", ".bin"))


@dataclass
class Hub:
    """The servers, from the moment that this is made until `close`.

    faults: (where, name) -> what happens to its next requests, one after the other, the last for ever. where: "api" for
    what is known of a repository, "head" and "file" for where a file is and for its content, "search". name: a
    repository's or a file's path, "*" for all. What happens: a status, or one of
        cut      half of what was asked, and the line is dead
        drop     the line is dead before anything was said
        stall    an answer that never comes
        wrong    a byte is another
        short    the file is shorter than was said before, and its length says so
        slow     in forty parts, a tenth of a second apart
        no range the whole file, whatever was asked
        html     a page that wants a login, with 200
        ""       all is well
    asked: (method, path, range, authorization) of all requests, the store's paths with "store:" before them.
    """

    repositories: dict[str, Repository] = field(default_factory=dict)
    faults: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        hub = self

        class Front(_Front):
            served = hub

        class Store(_Store):
            served = hub

        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for handler in (Front, Store)]
        for server in self._servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        front, store = (server.server_address[1] for server in self._servers)
        self.url = f"http://127.0.0.1:{front}"
        self.store_url = f"http://localhost:{store}"

    def close(self) -> None:
        self.ended.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def fault(self, where: str, name: str) -> Any:
        """What happens to this request."""
        for key in ((where, name), (where, "*")):
            planned = self.faults.get(key, [])
            if planned:
                return planned.pop(0) if len(planned) > 1 else planned[0]
        return ""

    def blob(self, digest: str) -> tuple[str, bytes] | None:
        """The path and the content of a large file, by its SHA-256."""
        for repository in self.repositories.values():
            for path, data in repository.files.items():
                if is_large(path, data) and hashlib.sha256(data).hexdigest() == digest:
                    return path, data
        return None


class _Handler(BaseHTTPRequestHandler):
    served: Hub
    protocol_version = "HTTP/1.1"
    place = ""

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def _serve(self) -> None:
        told = (self.command, self.place + self.path, self.headers.get("Range", ""))
        self.served.asked.append((*told, self.headers.get("Authorization", "")))
        try:
            self.reply()
        except OSError:  # who asked has gone
            self.close_connection = True

    def reply(self) -> None:
        raise NotImplementedError

    def failed(self, fault: Any) -> bool:
        """Fail as planned, where that does not depend on the content."""
        if isinstance(fault, int):
            self.answer(fault, b"{}", {"Retry-After": "0"} if fault in (429, 503) else {})
        elif fault == "drop":
            self.close_connection = True
        elif fault == "stall":
            self.served.ended.wait(30)
            self.close_connection = True
        elif fault == "html":
            self.answer(200, b"<html>Log in to the hotel's network</html>", {"Content-Type": "text/html"})
        else:
            return False
        return True

    def content(self, data: bytes, fault: Any, headers: Mapping[str, str]) -> None:
        """A file, or the part of it that was asked for."""
        if fault == "wrong":
            data = data[:-1] + bytes([data[-1] ^ 1])
        elif fault == "short":
            data = data[: len(data) * 3 // 4]
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if fault != "no range" else None
        begin = int(asked[1]) if asked else 0
        if asked and begin >= len(data):
            self.answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            return
        part = data[begin : int(asked[2]) + 1 if asked and asked[2] else None]
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {begin}-{begin + len(part) - 1}/{len(data)}")
        self.send_header("Accept-Ranges", "bytes")
        for name, value in {"Content-Length": str(len(part)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault == "cut":
            part = part[: len(part) // 2]
            self.close_connection = True
        step = max(len(part) // 40, 1) if fault == "slow" else len(part) or 1
        for place in range(0, len(part), step):
            self.wfile.write(part[place : place + step])
            if fault == "slow":
                time.sleep(0.1)

    def answer(self, status: int, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def answer_json(self, data: Any) -> None:
        self.answer(200, json.dumps(data).encode(), {"Content-Type": "application/json"})

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: `asked` has it."""


class _Front(_Handler):
    """The hub itself."""

    def reply(self) -> None:
        if self._token() not in ("", TOKEN, STRANGER):
            self._refuse(401, "", "Invalid credentials in Authorization header")
            return
        parts = urllib.parse.urlsplit(self.path)
        path, query = urllib.parse.unquote(parts.path), urllib.parse.parse_qs(parts.query)
        if path == "/api/models":
            if not self.failed(self.served.fault("search", query.get("search", [""])[0])):
                self._search(query)
        elif cached := re.fullmatch(r"/api/resolve-cache/models/([^/]+/[^/]+)/([0-9a-f]{40})/(.+)", path):
            self._small(cached[1], cached[3])
        elif known := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            if not self.failed(self.served.fault("api", known[1])):
                self._about(known[1], known[2] or "main")
        elif resolved := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(*resolved.groups())
        else:
            self._refuse(404, "RepoNotFound", "Repository not found")

    def _refuse(self, status: int, code: str, message: str) -> None:
        body = json.dumps({"error": message}).encode()
        self.answer(status, body, {"X-Error-Code": code, "X-Error-Message": message})

    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _find(self, name: str) -> Repository | None:
        """The repository, or, where it is not there for who asks, None: that has been answered."""
        found = self.served.repositories.get(name)
        if found is None or (found.private and self._token() not in found.members):
            # so does the real one: who is not known is told to log in, for whatever is not there for him
            if self._token():
                self._refuse(404, "RepoNotFound", "Repository not found")
            else:
                self._refuse(401, "RepoNotFound", "Invalid username or password.")
            return None
        return found

    def _search(self, query: Mapping[str, list[str]]) -> None:
        words = query.get("search", [""])[0].casefold()
        tags = {tag for value in query.get("filter", []) for tag in value.split(",")}
        found = [
            {
                "_id": hashlib.sha1(name.encode()).hexdigest()[:24],
                "id": name,
                "modelId": name,
                "private": False,
                "gated": "auto" if repository.gated else False,
                "downloads": repository.downloads,
                "likes": 0,
                "pipeline_tag": repository.pipeline_tag,
                "tags": ["diffusers", "safetensors", f"license:{repository.licence}"],
            }
            for name, repository in self.served.repositories.items()
            if words in name.casefold() and not repository.private and tags <= {"diffusers", "safetensors"}
        ]
        found.sort(key=lambda item: -item["downloads"])  # type: ignore[operator]
        self.answer_json(found[: int(query.get("limit", ["1000"])[0])])

    def _about(self, name: str, revision: str) -> None:
        found = self._find(name)
        if found is None:
            return
        if revision not in ("main", found.sha):
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return
        files = []
        for path, data in found.files.items():
            item: dict[str, Any] = {"rfilename": path, "size": len(data), "blobId": git_sha1(data)}
            if is_large(path, data):
                item["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            files.append(item)
        self.answer_json(
            {
                "_id": "0" * 24,
                "id": name,
                "modelId": name,
                "sha": found.sha,
                "private": found.private,
                "gated": "auto" if found.gated else False,
                "disabled": False,
                "tags": ["diffusers", f"license:{found.licence}"],
                "cardData": {"license": found.licence},
                "downloads": found.downloads,
                "likes": 0,
                "siblings": files,
            }
        )

    def _resolve(self, name: str, revision: str, path: str) -> None:
        if self.failed(self.served.fault("head", path)):
            return
        found = self._find(name)
        if found is None:
            return
        if found.gated and self._token() not in found.members:
            if self._token():
                message = f"Access to model {name} is restricted and you are not in the authorized list."
                self._refuse(403, "GatedRepo", message)
            else:
                message = f"Access to model {name} is restricted. You must have access to it and be authenticated."
                self._refuse(401, "GatedRepo", message)
        elif revision not in ("main", found.sha):
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        elif path not in found.files:
            self._refuse(404, "EntryNotFound", "Entry not found")
        else:
            self._redirect(found, name, path, found.files[path])

    def _redirect(self, found: Repository, name: str, path: str, data: bytes) -> None:
        commit = {"X-Repo-Commit": found.sha}
        if is_large(path, data):
            digest = hashlib.sha256(data).hexdigest()
            headers = commit | {
                "Location": f"{self.served.store_url}/{digest}?Signature=of-a-minute",
                "X-Linked-Size": str(len(data)),
                "X-Linked-ETag": f'"{digest}"',
                "Accept-Ranges": "bytes",
            }
            if found.xet:
                headers["X-Xet-Hash"] = digest
                token = f"{self.served.url}/api/models/{name}/xet-read-token/{found.sha}"
                headers["Link"] = f'<{token}>; rel="xet-auth"'
            self.answer(302, b"Found. Redirecting", headers)
        else:
            where = f"/api/resolve-cache/models/{name}/{found.sha}/{urllib.parse.quote(path)}"
            headers = commit | {"Location": where, "X-Linked-Size": str(len(data))}
            self.answer(307, b"Temporary Redirect", headers | {"X-Linked-ETag": f'"{git_sha1(data)}"'})

    def _small(self, name: str, path: str) -> None:
        found = self._find(name)
        if found is None:
            return
        data = found.files[path]
        fault = "" if self.command == "HEAD" else self.served.fault("file", path)
        if not self.failed(fault):
            headers = {"ETag": f'"{git_sha1(data)}"', "X-Repo-Commit": found.sha}
            self.content(data, fault, headers | {"Content-Type": "text/plain"})


class _Store(_Handler):
    """Where the large files are: it knows no repositories, and no tokens."""

    place = "store:"

    def reply(self) -> None:
        digest = urllib.parse.urlsplit(self.path).path.strip("/")
        found = self.served.blob(digest)
        if self.headers.get("Authorization"):
            self.answer(400, b"Only one auth mechanism allowed")  # what such stores say to a token beside a signature
        elif found is None:
            self.answer(404, b"NoSuchKey")
        else:
            path, data = found
            fault = self.served.fault("file", path)
            if not self.failed(fault):
                self.content(data, fault, {"ETag": f'"{digest[:32]}"', "Content-Type": "application/octet-stream"})
