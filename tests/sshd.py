# SPDX-License-Identifier: GPL-3.0-or-later
"""A real sshd on 127.0.0.1 with its own keys, and a line to it that can be slow, silent or cut. Linux, OpenSSH.

The ssh client that the host starts is the system's; a script in front of it names a configuration of the test's own,
since ssh looks for the user's by the password file and not by HOME. Nothing else is other than for a user: a key that
is not known is refused.
"""

import contextlib
import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from addon.host import settling
from addon.host.ssh import Place
from tests.fake import make_fake_python

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
MISSING = "" if SSHD and shutil.which("ssh") else "needs OpenSSH's sshd and ssh (apt-get install openssh-server)"
HOST = "elsewhere"


class Line:
    """A TCP proxy. delay: seconds that each piece takes. rate: bytes a second towards the client, 0 for no limit."""

    def __init__(self, port: int) -> None:
        self.delay = 0.0
        self.rate = 0
        self.silent = threading.Event()  # nothing gets through, and nobody is told
        self.bytes = 0  # towards the client
        self._there = port
        self._sockets: set[socket.socket] = set()
        self._abandoned: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._open = True
        threading.Thread(target=self._accept, name="line", daemon=True).start()

    def cut(self) -> None:
        """Both ends hear that the connection is gone."""
        for one in list(self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def abandon(self) -> None:
        """The client hears that the connection is gone, and the server nothing at all."""
        for one in list(self._sockets):
            with contextlib.suppress(OSError):
                if one.getpeername()[1] != self._there:
                    self._abandoned.add(one)
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._open = False
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()

    def _accept(self) -> None:
        while self._open:
            try:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self._there))
            except OSError:
                return
            self._sockets |= {client, server}
            for ends in ((client, server), (server, client)):
                args = (*ends, ends[0] is server)
                threading.Thread(target=self._pump, args=args, name="line", daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, down: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(16384):
                while self.silent.is_set():
                    time.sleep(0.02)
                time.sleep(self.delay + (len(data) / self.rate if self.rate and down else 0.0))
                target.sendall(data)
                self.bytes += len(data) if down else 0
        if {source, target} & self._abandoned:
            return
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class Server:
    """A running sshd, the line to it, and Tilewright's folder behind it with a scripted worker in it."""

    def __init__(self, folder: Path, version: str = "test") -> None:
        self.folder = folder
        self.root = folder / "there"
        self.root.mkdir(parents=True)
        self.known, self.key = folder / "known_hosts", folder / "key"
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host"))
        self.allowed = folder / "authorized"
        shutil.copy(f"{self.key}.pub", self.allowed)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = port = free.getsockname()[1]
        config = folder / "sshd_config"
        config.write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nAuthorizedKeysFile {self.allowed}\n"
            "PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\n"
            "KbdInteractiveAuthentication no\nPrintMotd no\nMaxStartups 100\n"
        )
        if os.geteuid() == 0:  # it changes its root to an empty folder, which a package's script makes
            os.makedirs("/run/sshd", exist_ok=True)
        self._log = (folder / "sshd.log").open("wb")
        self._process = subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(config)], stderr=self._log)
        self.line = Line(port)
        self.client = folder / "bin"
        self.client.mkdir()
        script = self.client / "ssh"
        script.write_text(f'#!/bin/sh\nexec {_with_its_libraries(folder / "ssh")} -F {folder / "config"} "$@"\n')
        script.chmod(0o755)
        self.configure()
        self.know()
        self.behave({})
        self.install(version)
        _until_listening(port, self._process)

    @property
    def place(self) -> Place:
        return Place(HOST, str(self.root))

    def configure(self, **more: str) -> None:
        """Write the user's ~/.ssh/config."""
        words = {
            "HostName": "127.0.0.1",
            "Port": str(self.line.port),
            "User": getpass.getuser(),
            "IdentityFile": str(self.key),
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "UserKnownHostsFile": str(self.known),
            "GlobalKnownHostsFile": "/dev/null",
        } | more
        lines = [f"Host {HOST}", *(f"  {name} {value}" for name, value in words.items())]
        (self.folder / "config").write_text("\n".join(lines) + "\n")

    def know(self, key: Path | None = None, port: int = 0) -> None:
        """Have the user know the host by this key, else by its own."""
        kind, text, *_ = (key or self.folder / "host.pub").read_text().split()
        self.known.write_text(f"[127.0.0.1]:{port or self.line.port} {kind} {text}\n")

    def behave(self, behaviour: dict[str, object]) -> None:
        """What workers that start from now on do; see `tests.fake`."""
        self.python = make_fake_python(self.folder / "fake", behaviour)

    def install(self, version: str, python: Path | None = None) -> None:
        settling.write_starter(self.root, version, Path(sys.executable), python or self.python)

    def shell(self, line: str) -> None:
        """Have the script that ssh starts run this first."""
        script = self.root / "tilewright-worker"
        script.write_text(script.read_text().replace("\n", f"\n{line}\n", 1))

    def close(self) -> None:
        self.line.close()
        self._process.terminate()
        self._process.wait(10)
        self._log.close()
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, 9)

    def processes(self) -> list[int]:
        """Of ours there: far ends and workers."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (place / "cmdline").read_bytes()
                alive = (place / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
                if alive and str(self.folder).encode() in command and b"/ssh" not in command.split(b"\0")[0]:
                    found.append(int(place.name))
        return [one for one in found if one != self._process.pid and one != os.getpid()]


def _with_its_libraries(folder: Path) -> str:
    """The system's ssh as a command that also runs where a real Blender is: in another system with the same /tmp."""
    ssh = str(shutil.which("ssh"))
    if "BLENDER" not in os.environ:
        return ssh
    folder.mkdir()
    listed = subprocess.run(["ldd", ssh], capture_output=True, text=True, check=True).stdout
    paths = [word for line in listed.splitlines() for word in line.split() if word.startswith("/")]
    for path in (ssh, *paths):
        shutil.copy(path, folder)
    loader = next(Path(path).name for path in paths if "ld-linux" in path)
    return f"{folder / loader} --library-path {folder} {folder / 'ssh'}"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr}"


def _until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    begin = time.monotonic()
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        assert process.poll() is None, "sshd has ended"
        assert time.monotonic() - begin < 20.0, "sshd does not listen"
        time.sleep(0.02)
