# SPDX-License-Identifier: GPL-3.0-or-later
"""Another machine by the system's OpenSSH client: how it is called, and what its complaints mean. Imports core.

Keys, agents, passwords, known hosts and the user's ~/.ssh/config are ssh's own: nothing of that is read or kept here.
"""

import re
import shlex
import shutil
from dataclasses import dataclass

from ..core.errors import ErrorKind, UserError

FOLDER = "~/tilewright"
STARTER = "tilewright-worker"  # the script in that folder that starts everything else
# A laptop's pause, or a train's tunnel: the line may be gone for two minutes before ssh gives it up.
_KEEPALIVE = ("ServerAliveInterval=10", "ServerAliveCountMax=12", "ConnectTimeout=20", "TCPKeepAlive=yes")
_PLAIN = ("BatchMode=yes", "RemoteCommand=none", "PermitLocalCommand=no", "ControlMaster=no", "ClearAllForwardings=yes")
_HOST = re.compile(r"[A-Za-z0-9_.:%@\[\]-]+")
_FOLDER = re.compile(r"[^\0\n\r]+")
_LOST = re.compile(
    r"client_loop|Broken pipe|closed by remote|Connection reset|[Tt]imeout, server|packet_write_wait|Connection to "
)


@dataclass(frozen=True)
class Place:
    """A machine and the folder of Tilewright there. Raises `UserError` (kind `RUNTIME`) where these cannot be.

    host: as in ~/.ssh/config, or what ssh takes. folder: a path there; "~/" is the user's own folder.
    """

    host: str
    folder: str = FOLDER

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host) or self.host.startswith("-"):  # or it would be one of ssh's options
            raise UserError(ErrorKind.RUNTIME, f"{self.host!r} is no host for ssh.", "Name it as in ~/.ssh/config.")
        if not _FOLDER.fullmatch(self.folder) or not self.folder.startswith(("/", "~/")):
            message = f"The folder on {self.host} must be a whole path, not {self.folder!r}."
            raise UserError(ErrorKind.RUNTIME, message, f"Write /path/to/it, or {FOLDER}.")

    @property
    def shell_folder(self) -> str:
        """The folder as a word of a POSIX shell there."""
        rest = self.folder.removeprefix("~/")
        return shlex.quote(self.folder) if rest == self.folder else f'"$HOME"/{shlex.quote(rest)}'

    @property
    def starter(self) -> str:
        """The script there, as a word of a POSIX shell."""
        return f"{self.shell_folder}/{STARTER}"


def command(place: Place, there: str, *, ask: bool = False) -> list[str]:
    """What runs a line of POSIX shell there. ask: whether ssh may ask the user, in a terminal. Raises `UserError`."""
    ssh = shutil.which("ssh")
    if ssh is None:
        raise UserError(
            ErrorKind.RUNTIME,
            "There is no ssh on this computer.",
            "Install OpenSSH's client; on Windows it is among the optional features.",
        )
    options = [*_PLAIN[1:], *_KEEPALIVE] if ask else [*_PLAIN, *_KEEPALIVE]
    # the login shell may be of another kind, but each can start a sh
    line = f"exec sh -c {shlex.quote(there)}"
    return [ssh, "-T", "-a", "-x", *(f"-o{option}" for option in options), "--", place.host, line]


def fault(place: Place, code: int | None, said: str, *, greeted: bool) -> UserError:
    """Why ssh, or what it started there, has ended.

    code: ssh's exit code, 255 for its own faults. said: the end of its stderr. greeted: the far end had spoken.
    """
    host = place.host
    if code == 255 and greeted:
        what = "broke" if _LOST.search(said) else "ended, or its worker was killed there"
        hint = "Generate again. What was finished there comes over with the next connection."
        return UserError(ErrorKind.NETWORK, f"The connection to {host} {what}.", hint)
    for pattern, message, hint in _FAULTS:
        if match := re.search(pattern, said):
            words = {"host": host, "folder": place.folder, "reason": match[1] if match.groups() else ""}
            return UserError(ErrorKind.NETWORK, message.format(**words), hint.format(**words))
    if code in (126, 127):
        message = f"Tilewright is not in {place.folder} on {host}, or its Python is gone."
        return UserError(ErrorKind.RUNTIME, message, "Press Check in the preferences: it gives you the command.")
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "it did not say why")
    return UserError(
        ErrorKind.NETWORK, f"The worker on {host} did not start ({last[-200:].rstrip('.')}).", "See the log."
    )


def may_come_back(code: int | None, said: str) -> bool:
    """Whether what has ended ssh may be over in a minute: a line that broke, a machine that cannot be reached."""
    return code == 255 and re.search(f"{_LOST.pattern}|{_AWAY}", said) is not None


_AWAY = "Could not resolve hostname|Connection refused|No route to host|timed out|is unreachable|Host is down"
# What ssh says, with any language set: its messages are not translated.
_FAULTS = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "The key of {host} is not the one that ssh knows: somebody may be in between, or it was installed anew.",
        "If you know why, run in a terminal: ssh-keygen -R {host}",
    ),
    (
        "Host key verification failed",
        "ssh does not know {host} yet.",
        "Run in a terminal, and compare the key: ssh {host}",
    ),
    (
        r"Permission denied|Too many authentication failures|no mutual signature",
        "{host} does not let you in.",
        "ssh must get in without asking: try “ssh {host}” in a terminal, with ssh-add or ssh-copy-id.",
    ),
    (r"Could not resolve hostname", "There is no {host} in the network.", "Check its name, and your connection."),
    (
        r"(Connection refused|No route to host|timed out|Network is unreachable|Host is down)",
        "{host} cannot be reached: {reason}.",
        "Check that it is switched on, and your connection.",
    ),
    (r"Bad configuration option|Bad owner or permissions", "ssh cannot read its configuration.", "See the log."),
)
