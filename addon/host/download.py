# SPDX-License-Identifier: GPL-3.0-or-later
"""One wheel from an index or a folder onto the disk, with its hash. Imports core and the standard library only.

Runs in the installer's process. What was begun is resumed; each thing that can go wrong has its own sentence.
"""

from collections.abc import Callable
from pathlib import Path

from ..core.errors import ErrorKind, UserError
from ..core.lock import Wheel
from .indexes import PAGE_TYPES, Link, Settings, page_of, read_page
from .transfer import Absent, Advice, Transfer, digest, is_whole, local_path, masked

_MAX_PAGE = 64 << 20  # bytes
_ADVICE = Advice(
    login="Write them into pip's index-url, or ask who runs it.",
    forbidden="You may need permission there, or another package index.",
    absent="Check the package index in the preferences.",
    proxy_login="Write it into pip's setting proxy.",
    proxy="Fix or remove the proxy of your system, or pip's setting proxy.",
    untrusted="Name your network's certificates in pip's setting cert.",
    certificates="Fix the setting cert of pip, or SSL_CERT_FILE.",
    other="Nothing of it was installed. Try again later, or from another package index.",
)


class Fetcher:
    """Fetches wheels. online: whether the network may be used. timeout: seconds without a byte. pause: before a try."""

    def __init__(self, settings: Settings, *, online: bool, timeout: float = 30.0, pause: float = 1.0) -> None:
        self._settings = settings
        self._online = online
        self._transfer = Transfer(
            _ADVICE, proxy=settings.proxy, certificates=settings.certificates, timeout=timeout, pause=pause
        )

    def fetch(self, wheel: Wheel, folder: Path, tell: Callable[[int], object]) -> Path:
        """The wheel, in a folder of the user's where it lies in one, else in `folder`. Raises `UserError`.

        tell: called with how many of its bytes are there.
        """
        target = folder / wheel.file
        if is_whole(target, wheel.size, wheel.sha256):
            tell(wheel.size)
            return target
        for place in self._settings.folders:
            if (place / wheel.file).is_file():
                found = digest(place / wheel.file)
                if found != wheel.sha256:
                    raise self._transfer.wrong_hash(place / wheel.file, found, wheel.sha256)
                tell(wheel.size)
                return place / wheel.file
        self._transfer.fetch(self._find(wheel).url, target, wheel.size, wheel.sha256, tell)
        return target

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
            raise self._transfer.wrong_hash(wheel.file, other, wheel.sha256)
        if not self._online:
            raise self._offline(wheel)
        names = ", ".join(masked(index) for index in asked)
        raise UserError(
            ErrorKind.NETWORK,
            f"{wheel.file} is not available from {names}.",
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
            file = local_path(url) / "index.html"
            return read_page(file.read_bytes(), "text/html", url) if file.is_file() else []
        try:
            page = self._transfer.read(url, PAGE_TYPES, _MAX_PAGE)
            return read_page(page.data, page.content_type, page.url)
        except Absent:
            return []  # another index may know the project
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            message = f"{masked(url)} is no page of a package index."
            raise UserError(ErrorKind.NETWORK, message, "Check the index in the preferences.") from error
