# SPDX-License-Identifier: GPL-3.0-or-later
"""Files from a server onto the disk: resumed, tried again, compared with their hash. Imports core.

Blocks: run it in a process or a thread of its own. Each thing that can go wrong has its own sentence.
"""

import base64
import contextlib
import hashlib
import http.client
import importlib.util
import logging
import os
import re
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, TypeVar

from ..core.errors import ErrorKind, UserError
from .disk import disk_errors, patiently

_logger = logging.getLogger(__name__)
_TRIES = 3
_CHUNK = 1 << 18  # bytes
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_AGENT = "Tilewright-installer"
T = TypeVar("T")


@dataclass(frozen=True)
class Advice:
    """What the user can do; it depends on what is transferred. A sentence each.

    login: the server wants a name and a password. forbidden, absent: it does not give the file, or has none.
    proxy_login, proxy: the proxy wants a password, or does not answer. untrusted: the server's certificate is not
    trusted. certificates: the file of certificates cannot be read. other: the file has another hash.
    """

    login: str
    forbidden: str
    absent: str
    proxy_login: str
    proxy: str
    untrusted: str
    certificates: str
    other: str


class Absent(UserError):
    """The server has no such file."""


class _Passing(Exception):
    """Went wrong, and may go right the next time. `wait`: seconds that the server asks for."""

    def __init__(self, error: UserError, wait: float = 0.0) -> None:
        super().__init__(error.message)
        self.error = error
        self.wait = wait


@dataclass(frozen=True)
class Page:
    """A small file that was read. url: where it was found in the end."""

    data: bytes
    content_type: str
    url: str


class Transfer:
    """Reads from servers by http, https, and file: addresses.

    proxy: "" for what the environment says. certificates: a file; "" for the system's. timeout: seconds without a byte.
    pause: seconds before another try.
    """

    def __init__(
        self, advice: Advice, *, proxy: str = "", certificates: str = "", timeout: float = 30.0, pause: float = 1.0
    ) -> None:
        self._advice = advice
        self._proxy = proxy
        self._certificates = certificates
        self._timeout = timeout
        self._pause = pause
        self._opener: urllib.request.OpenerDirector | None = None

    def read(self, url: str, accept: str, limit: int) -> Page:
        """A file's first `limit` bytes. accept: the types that it may have. Raises `UserError`, `Absent`."""

        def read() -> Page:
            try:
                with self._open(url, {"Accept": accept}) as reply:
                    return Page(reply.read(limit), reply.headers.get("Content-Type", ""), reply.url)
            except (OSError, http.client.HTTPException) as error:
                raise _Passing(self._unreachable(url, error)) from error

        return self._try(read)

    def fetch(self, url: str, target: Path, size: int, sha256: str, tell: Callable[[int], object]) -> None:
        """Put the file there, whole; what a call before has begun is gone on with. Raises `UserError`, `Absent`.

        size: in bytes. tell: called with how many of them are there.
        """
        self._try(lambda: self._download(url, target, size, sha256, tell))

    def wrong_hash(self, file: str | Path, found: str, wanted: str) -> UserError:
        message = f"{file} is not the right file: its hash is {found}, not {wanted}."
        return UserError(ErrorKind.NETWORK, message, self._advice.other)

    def _try(self, action: Callable[[], T]) -> T:
        for attempt in range(_TRIES):
            try:
                return action()
            except _Passing as passing:
                if attempt == _TRIES - 1:
                    raise passing.error from passing
                _logger.info("Tried again: %s", passing.error)
                time.sleep(min(passing.wait, 60.0) or self._pause * (1 + 2 * attempt))
        raise AssertionError("the last try raises")

    def _download(self, url: str, target: Path, size: int, sha256: str, tell: Callable[[int], object]) -> None:
        part = target.with_name(target.name + ".part")
        with disk_errors(target.parent):
            begun = part.stat().st_size if part.exists() else 0
            if begun > size:
                part.unlink()
                begun = 0
        if begun < size:
            self._continue(url, part, size, begun, tell)
        found = digest(part)
        if found != sha256:
            with disk_errors(target.parent):
                part.unlink()
            raise _Passing(self.wrong_hash(target.name, found, sha256))
        with disk_errors(target.parent):
            patiently(lambda: os.replace(part, target))

    def _continue(self, url: str, part: Path, size: int, begun: int, tell: Callable[[int], object]) -> None:
        if url.startswith("file:"):
            with disk_errors(part.parent):
                shutil.copyfile(local_path(url), part)
            tell(size)
            return
        with self._open(url, {"Range": f"bytes={begun}-"} if begun else {}) as reply:
            if reply.status != 206:
                begun = 0  # it does not resume: from the start
            with disk_errors(part.parent):
                file = part.open("ab" if begun else "wb")
            with file:
                have = begun
                tell(have)
                while True:
                    try:
                        data = reply.read(_CHUNK)
                    except (OSError, http.client.HTTPException) as error:
                        raise _Passing(self._unreachable(url, error)) from error
                    if not data:
                        break
                    have += len(data)
                    if have > size:
                        break  # another file: its hash will tell
                    with disk_errors(part.parent):
                        file.write(data)
                    tell(have)
                with disk_errors(part.parent):
                    file.flush()
                    os.fsync(file.fileno())
        if have < size:
            message = f"The download of {part.name.removesuffix('.part')} broke off after {have} of {size} bytes."
            raise _Passing(UserError(ErrorKind.NETWORK, message, "Press the button again: it continues from there."))

    def _open(self, url: str, headers: dict[str, str]) -> Any:
        """The server's reply. Raises `UserError`, or `_Passing` where another try may help."""
        if self._opener is None:
            self._opener = self._make_opener()
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise UserError(ErrorKind.NETWORK, f"{masked(url)} is no http or https address.", self._advice.absent)
        headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity"} | headers
        if parts.username:
            headers["Authorization"] = _basic(parts.username, parts.password or "")
            url = masked(url)
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - http and https only, see above
        try:
            return self._opener.open(request, timeout=self._timeout)
        except urllib.error.HTTPError as error:
            refusal = self._refused(url, error.code)
            error.close()
            if error.code in _AGAIN:
                raise _Passing(refusal, _retry_after(error.headers)) from error
            raise refusal from error
        except (OSError, http.client.HTTPException) as error:
            raise _Passing(self._unreachable(url, error)) from error

    def _make_opener(self) -> urllib.request.OpenerDirector:
        proxies = {"http": self._proxy, "https": self._proxy} if self._proxy else None
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler(proxies)]
        try:
            context = ssl.create_default_context(cafile=self._certificates or None)
        except (OSError, ssl.SSLError) as error:
            message = f"The file of certificates cannot be read: {self._certificates}."
            raise UserError(ErrorKind.NETWORK, message, self._advice.certificates) from error
        bundled = importlib.util.find_spec("certifi")
        if not context.get_ca_certs() and bundled and bundled.origin:
            # Blender's own Python may look for the system's certificates where its builder had them; it brings these.
            file = Path(bundled.origin).with_name("cacert.pem")
            if file.is_file():
                context.load_verify_locations(file)
        return urllib.request.build_opener(*handlers, urllib.request.HTTPSHandler(context=context))

    def _refused(self, url: str, code: int) -> UserError:
        """What an HTTP status means for the user."""
        host = urllib.parse.urlsplit(url).hostname
        reasons = {
            401: ("wants a user name and a password (401)", self._advice.login),
            403: ("refuses access (403)", self._advice.forbidden),
            404: ("does not have the file (404)", self._advice.absent),
            407: ("is behind a proxy that wants a password (407)", self._advice.proxy_login),
            429: ("was asked too often (429)", "Wait some minutes, then press the button again."),
        }
        what, hint = reasons.get(code, (f"answers with an error ({code})", "Try again later: this is not your fault."))
        return (Absent if code == 404 else UserError)(ErrorKind.NETWORK, f"{host} {what}: {masked(url)}.", hint)

    def _unreachable(self, url: str, error: BaseException) -> UserError:
        """Why no answer came."""
        host = urllib.parse.urlsplit(url).hostname
        reason = getattr(error, "reason", error)
        message, hint = f"{host} cannot be reached: {reason}.", "Check the connection, or try later."
        proxy = self._proxy or urllib.request.getproxies().get(urllib.parse.urlsplit(url).scheme, "")
        if isinstance(reason, TimeoutError) or "timed out" in str(reason):
            message = f"{host} did not answer in time."
        elif isinstance(reason, ssl.SSLError):
            message = f"The certificate of {host} is not trusted ({reason.reason or reason})."
            hint = self._advice.untrusted
        elif proxy and isinstance(reason, ConnectionRefusedError):
            message, hint = f"The proxy {masked(proxy)} does not answer.", self._advice.proxy
        elif isinstance(reason, socket.gaierror):
            message = f"There is no network, or no {host} in it."
            hint = "Connect to the network, then press the button again."
        return UserError(ErrorKind.NETWORK, message, hint)


def masked(url: str) -> str:
    """An address without a user's name and password, for people and logs."""
    return re.sub(r"//[^/@]*@", "//", url)


def local_path(url: str) -> Path:
    """The path that a file: address names."""
    return Path(urllib.parse.unquote(urllib.parse.urlparse(url).path))


def is_whole(path: Path, size: int, sha256: str) -> bool:
    """Whether the file is there, with that size in bytes and that hash."""
    return path.is_file() and path.stat().st_size == size and digest(path) == sha256


def digest(path: Path) -> str:
    """The file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _basic(user: str, password: str) -> str:
    pair = f"{urllib.parse.unquote(user)}:{urllib.parse.unquote(password)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _retry_after(headers: Message) -> float:
    with contextlib.suppress(ValueError):
        return float(headers.get("Retry-After", 0))
    return 0.0
