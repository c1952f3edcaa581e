# SPDX-License-Identifier: GPL-3.0-or-later
"""One wheel from an index or a folder onto the disk, with its hash. Imports core and the standard library only.

Runs in the installer's process. What was begun is resumed; each thing that can go wrong has its own sentence.
"""

import base64
import contextlib
import hashlib
import http.client
import importlib.util
import logging
import os
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any

from ..core.errors import ErrorKind, UserError
from ..core.lock import Wheel
from .environment import disk_errors, patiently
from .indexes import PAGE_TYPES, Link, Settings, masked, page_of, read_page

_logger = logging.getLogger(__name__)
_TRIES = 3
_CHUNK = 1 << 18  # bytes
_MAX_PAGE = 64 << 20  # bytes
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_AGENT = "Tilewright-installer"


class _Passing(Exception):
    """Went wrong, and may go right the next time. `wait`: seconds that the server asks for."""

    def __init__(self, error: UserError, wait: float = 0.0) -> None:
        super().__init__(error.message)
        self.error = error
        self.wait = wait


class Fetcher:
    """Fetches wheels. online: whether the network may be used. timeout: seconds without a byte. pause: before a try."""

    def __init__(self, settings: Settings, *, online: bool, timeout: float = 30.0, pause: float = 1.0) -> None:
        self._settings = settings
        self._online = online
        self._timeout = timeout
        self._pause = pause
        self._opener: urllib.request.OpenerDirector | None = None

    def fetch(self, wheel: Wheel, folder: Path, tell: Callable[[int], object]) -> Path:
        """The wheel, in a folder of the user's where it lies in one, else in `folder`. Raises `UserError`.

        tell: called with how many of its bytes are there.
        """
        target = folder / wheel.file
        if _is_whole(target, wheel):
            tell(wheel.size)
            return target
        for place in self._settings.folders:
            if (place / wheel.file).is_file():
                found = _digest(place / wheel.file)
                if found != wheel.sha256:
                    raise _wrong_hash(wheel, found, place / wheel.file)
                tell(wheel.size)
                return place / wheel.file
        link = self._find(wheel)
        for attempt in range(_TRIES):
            try:
                self._download(link, wheel, target, tell)
                return target
            except _Passing as passing:
                self._wait(passing, attempt)
        raise AssertionError("the last try raises")

    # --- finding -------------------------------------------------------------------------------------------------

    def _find(self, wheel: Wheel) -> Link:
        """The first place that has the wheel with its hash."""
        other = ""
        asked = [index for index in self._settings.indexes if self._online or index.startswith("file:")]
        if not asked:
            raise self._offline(wheel)
        for index in asked:
            for link in self._page(index, wheel):
                if link.file != wheel.file:
                    continue
                if link.sha256 in ("", wheel.sha256):
                    return link
                other = link.sha256
        if other:
            raise _wrong_hash(wheel, other)
        if not self._online:
            raise self._offline(wheel)
        names = ", ".join(masked(index) for index in asked)
        raise UserError(
            ErrorKind.NETWORK,
            f"{wheel.file} is not to be had from {names}.",
            "Name another package index in the preferences, or a folder with the wheels.",
        )

    def _offline(self, wheel: Wheel) -> UserError:
        if self._settings.folders:
            places = ", ".join(str(folder) for folder in self._settings.folders)
            message = f"{wheel.file} is not in {places}, and Blender may not go online."
        else:
            message = "Blender may not go online, and no folder with wheels is named."
        hint = "Allow Online Access in Preferences > System, or name a folder that has all wheels."
        return UserError(ErrorKind.NETWORK, message, hint)

    def _page(self, index: str, wheel: Wheel) -> list[Link]:
        url = page_of(index, wheel)
        if url.startswith("file:"):
            page = Path(urllib.parse.unquote(urllib.parse.urlparse(url).path)) / "index.html"
            if not page.is_file():
                return []
            return read_page(page.read_bytes(), "text/html", url)
        for attempt in range(_TRIES):
            try:
                with self._open(url, {"Accept": PAGE_TYPES}) as reply:
                    data = reply.read(_MAX_PAGE)
                    return read_page(data, reply.headers.get("Content-Type", ""), reply.url)
            except _Passing as passing:
                self._wait(passing, attempt)
            except (OSError, http.client.HTTPException) as error:
                self._wait(_Passing(self._unreachable(url, error)), attempt)
            except UserError as error:
                if isinstance(error.__cause__, urllib.error.HTTPError) and error.__cause__.code == 404:
                    return []  # another index may know the project
                raise
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                message = f"{masked(url)} is no page of a package index."
                raise UserError(ErrorKind.NETWORK, message, "Check the index in the preferences.") from error
        raise AssertionError("the last try raises")

    # --- fetching ------------------------------------------------------------------------------------------------

    def _download(self, link: Link, wheel: Wheel, target: Path, tell: Callable[[int], object]) -> None:
        part = target.with_name(target.name + ".part")
        with disk_errors(target.parent):
            begun = part.stat().st_size if part.exists() else 0
            if begun > wheel.size:
                part.unlink()
                begun = 0
        if begun < wheel.size:
            self._continue(link, wheel, part, begun, tell)
        found = _digest(part)
        if found != wheel.sha256:
            with disk_errors(target.parent):
                part.unlink()
            raise _Passing(_wrong_hash(wheel, found))
        with disk_errors(target.parent):
            patiently(lambda: os.replace(part, target))

    def _continue(self, link: Link, wheel: Wheel, part: Path, begun: int, tell: Callable[[int], object]) -> None:
        if link.url.startswith("file:"):
            source = Path(urllib.parse.unquote(urllib.parse.urlparse(link.url).path))
            with disk_errors(part.parent):
                shutil.copyfile(source, part)
            tell(wheel.size)
            return
        with self._open(link.url, {"Range": f"bytes={begun}-"} if begun else {}) as reply:
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
                        raise _Passing(self._unreachable(link.url, error)) from error
                    if not data:
                        break
                    have += len(data)
                    if have > wheel.size:
                        break  # another file: its hash will tell
                    with disk_errors(part.parent):
                        file.write(data)
                    tell(have)
                with disk_errors(part.parent):
                    file.flush()
                    os.fsync(file.fileno())
        if have < wheel.size:
            message = f"The download of {wheel.file} broke off after {have} of {wheel.size} bytes."
            raise _Passing(UserError(ErrorKind.NETWORK, message, "Press the button again: it goes on from there."))

    def _wait(self, passing: _Passing, attempt: int) -> None:
        if attempt == _TRIES - 1:
            raise passing.error from passing
        _logger.info("Tried again: %s", passing.error)
        time.sleep(min(passing.wait, 60.0) or self._pause * (1 + 2 * attempt))

    def _open(self, url: str, headers: dict[str, str]) -> Any:
        """The server's reply. Raises `UserError`, or `_Passing` where another try may help."""
        if self._opener is None:
            self._opener = _make_opener(self._settings)
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise UserError(ErrorKind.NETWORK, f"{masked(url)} is no address of a package index.")
        headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity"} | headers
        if parts.username:
            headers["Authorization"] = _basic(parts.username, parts.password or "")
            url = masked(url)
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - http and https only, see above
        try:
            return self._opener.open(request, timeout=self._timeout)
        except urllib.error.HTTPError as error:
            told = _refused(url, error.code)
            error.close()
            if error.code in _AGAIN:
                raise _Passing(told, _retry_after(error.headers)) from error
            raise told from error
        except (OSError, http.client.HTTPException) as error:
            raise _Passing(self._unreachable(url, error)) from error

    def _unreachable(self, url: str, error: BaseException) -> UserError:
        """Why no answer came."""
        host = urllib.parse.urlsplit(url).hostname
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError) or "timed out" in str(reason):
            return UserError(
                ErrorKind.NETWORK, f"{host} did not answer in time.", "Check the connection, or try later."
            )
        if isinstance(reason, ssl.SSLError):
            message = f"The certificate of {host} is not trusted ({reason.reason or reason})."
            return UserError(ErrorKind.NETWORK, message, "Name your network's certificates in pip's setting cert.")
        proxy = self._settings.proxy or urllib.request.getproxies().get(urllib.parse.urlsplit(url).scheme, "")
        if proxy and isinstance(reason, ConnectionRefusedError):
            message = f"The proxy {masked(proxy)} does not answer."
            return UserError(
                ErrorKind.NETWORK, message, "Mend or remove the proxy of your system, or pip's setting proxy."
            )
        if isinstance(reason, socket.gaierror):
            message = f"There is no network, or no {host} in it."
            return UserError(ErrorKind.NETWORK, message, "Connect to the network, then press the button again.")
        return UserError(
            ErrorKind.NETWORK, f"{host} cannot be reached: {reason}.", "Check the connection, or try later."
        )


def _make_opener(settings: Settings) -> urllib.request.OpenerDirector:
    proxies = {"http": settings.proxy, "https": settings.proxy} if settings.proxy else None
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler(proxies)]
    try:
        context = ssl.create_default_context(cafile=settings.certificates or None)
    except (OSError, ssl.SSLError) as error:
        message = f"The file of certificates cannot be read: {settings.certificates}."
        raise UserError(ErrorKind.NETWORK, message, "Mend the setting cert of pip, or SSL_CERT_FILE.") from error
    bundled = importlib.util.find_spec("certifi")
    if not context.get_ca_certs() and bundled and bundled.origin:
        # Blender's own Python may look for the system's certificates where its builder had them; it brings these.
        file = Path(bundled.origin).with_name("cacert.pem")
        if file.is_file():
            context.load_verify_locations(file)
    return urllib.request.build_opener(*handlers, urllib.request.HTTPSHandler(context=context))


def _basic(user: str, password: str) -> str:
    pair = f"{urllib.parse.unquote(user)}:{urllib.parse.unquote(password)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _retry_after(headers: Message) -> float:
    with contextlib.suppress(ValueError):
        return float(headers.get("Retry-After", 0))
    return 0.0


def _is_whole(path: Path, wheel: Wheel) -> bool:
    return path.is_file() and path.stat().st_size == wheel.size and _digest(path) == wheel.sha256


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _wrong_hash(wheel: Wheel, found: str, place: Path | None = None) -> UserError:
    return UserError(
        ErrorKind.NETWORK,
        f"{place or wheel.file} is not the file that it should be: its hash is {found}, not {wheel.sha256}.",
        "Nothing of it was installed. Try again later, or from another package index.",
    )


def _refused(url: str, code: int) -> UserError:
    """What an HTTP status means for the user."""
    host = urllib.parse.urlsplit(url).hostname
    reasons = {
        401: ("wants a user name and a password (401)", "Write them into pip's index-url, or ask who runs it."),
        403: ("refuses access (403)", "You may need permission there, or another package index."),
        404: ("does not have the file (404)", "Check the package index in the preferences."),
        407: ("is behind a proxy that wants a password (407)", "Write it into pip's setting proxy."),
        429: ("was asked too often (429)", "Wait some minutes, then press the button again."),
    }
    what, hint = reasons.get(code, (f"answers with an error ({code})", "Try again later: this is not your fault."))
    return UserError(ErrorKind.NETWORK, f"{host} {what}: {masked(url)}.", hint)
