# SPDX-License-Identifier: GPL-3.0-or-later
"""The link to a worker on another machine: `far_end` there, ssh between. Imports core and the standard library only.

Files come and go between the messages of one connection, in the background: nothing listens, nothing is asked twice.
"""

import json
import logging
import os
import secrets
import shutil
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..core import results, wire
from ..core.errors import ErrorKind, UserError
from ..core.protocol import (
    Cancel,
    Cancelled,
    Failed,
    Heartbeat,
    ImageDone,
    Message,
    Preview,
    ProtocolError,
    Quit,
    Start,
    decode,
    encode,
)
from ..core.results import INDEX, PART, Result
from ..core.sketch import MAX_SIDE
from ..core.wire import Damaged, Incoming, Kind, RecordReader
from . import ssh
from .deadlines import Deadlines
from .link import Arrived, Ended, StartWorker
from .log import CappedLog
from .process import ChildLink
from .runtime import Runtime
from .ssh import Place
from .store import Store

_logger = logging.getLogger(__name__)
# Longer than ssh waits for a line that is gone; cancels have its way to go.
DEADLINES = Deadlines(silence=180.0, cancel=10.0)
_STALE = 15.0  # seconds without a byte, after which an idle connection is taken for one that slept away
_MAX_SKETCH = 4 * MAX_SIDE * MAX_SIDE + 64  # bytes
_QUIT_SECONDS = 1.0  # that ssh has for the last word


def runtime(place: Place) -> Runtime:
    """What a session takes for the worker's Python."""
    return Runtime(Path(f"{place.host}:{place.folder}"), "ssh")


def ssh_workers(
    place: Place, log: Path, store: Store, product: str, idle_seconds: float = 600.0, *, low: bool = True
) -> StartWorker:
    """What starts workers there; see `SshLink`. log: the file that takes what they and ssh write to stderr."""
    capped = CappedLog(log)
    return lambda _: SshLink(place, capped, store, product, idle_seconds, low=low)


class SshLink(ChildLink):
    """One worker on another machine, starting from the moment that this is made.

    store: where its results go. product: Tilewright's version, which has to be the same there.
    """

    ping_seconds = wire.PING_SECONDS

    def __init__(
        self, place: Place, log: CappedLog, store: Store, product: str, idle_seconds: float, *, low: bool
    ) -> None:
        self._there = place
        self._store = store
        self._product = product
        self._settings = {"version": product, "idle": idle_seconds, "low": low}
        self._reader = RecordReader(mark=True)
        self._welcomed = False  # the far end's Hello fitted
        self._fault: UserError | None = None
        self._worker_ended: Ended | None = None
        self._stale = False
        self._heard_at = time.monotonic()
        self._over: set[str] = set()  # jobs that have ended, or are asked to
        self._incoming: Incoming | None = None
        self._folder = store.root / f"{PART}{os.getpid()}-{secrets.token_hex(4)}"  # for previews and what arrives
        self._shown: list[Path] = []
        super().__init__([], log, self._clean, low=False)
        self._outbox.put(self._introduce())
        self.begin()

    @property
    def place(self) -> str:
        return self._there.host

    def send(self, message: Message) -> None:
        if isinstance(message, Start) and self._welcomed and time.monotonic() - self._heard_at > _STALE:
            self._stale = True  # this computer slept, say: the session gives the job to a fresh connection
            self._child.kill()
        if isinstance(message, Cancel):
            self._over.add(message.job)
        super().send(message)

    def kill(self) -> None:
        """The far end hears of it where it can; otherwise it would finish the job, as after a line that broke."""
        self.send(Quit())
        # of its own: the one that writes may wait for a line that is gone
        threading.Thread(target=self._last_word, name="tilewright-pipe", daemon=True).start()

    # --- background threads: out ---------------------------------------------------------------------------------

    def _last_word(self) -> None:
        if not self._gone.wait(_QUIT_SECONDS):
            self._child.kill()

    def _introduce(self) -> Iterator[bytes]:
        try:
            client = wire.client_of(self._store.root)
        except OSError as error:
            self._give_up(self._unwritable(error))
            return
        yield wire.pack_json(Kind.HELLO, self._settings | {"client": client})

    def frames(self, message: Message) -> Iterable[bytes]:
        return self._start(message) if isinstance(message, Start) else (wire.pack_message(message),)

    def ping(self) -> bytes:
        return wire.pack(Kind.PING)

    def _start(self, start: Start) -> Iterator[bytes]:
        """The pictures that a job reads, then the job."""
        data = json.loads(encode(start)[4:])
        try:
            for place, key in wire.input_slots(data["request"]):
                path = Path(place[key])
                name = path.name if not path.name.startswith(".") else f"_{path.name}"
                for record in wire.send_files({name: path}, {"job": start.job, "path": place[key]}):
                    if start.job in self._over:
                        return
                    yield record
        except OSError as error:
            reason = error.strerror or type(error).__name__
            message = f"{path} cannot be sent to {self._there.host}: {reason}."
            self._inbox.put(Failed(start.job, UserError(ErrorKind.REQUEST, message, "Choose another picture.")))
            return
        yield wire.pack_json(Kind.START, data)

    # --- background threads: in ----------------------------------------------------------------------------------

    def _run(self) -> Ended:
        line = f"exec {self._there.starter} serve"
        try:
            self._command = ssh.command(self._there, line)
        except UserError as error:
            return Ended(None, error=error)
        return super()._run()

    def hear(self, data: bytes) -> None:
        self._heard_at = time.monotonic()
        for kind, payload in self._reader.feed(data):
            try:
                self._handle(kind, payload)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ProtocolError(f"{kind.name} that says nothing: {payload[:80]!r}") from error

    def in_the_middle(self) -> bool:
        return False  # a line breaks anywhere

    def ended(self, returncode: int) -> Ended:
        if self._worker_ended is not None:
            return self._worker_ended
        if self._fault is not None:
            return Ended(returncode, error=self._fault)
        if self._stale:
            return Ended(0)  # as one that went by itself: the job is given to the next
        if self._nonsense or returncode < 0:  # ended by us
            return Ended(returncode, nonsense=self._nonsense)
        said = self._tail.decode("utf-8", "replace")
        error = ssh.fault(self._there, returncode, said, greeted=self._reader.greeted)
        return Ended(returncode, error=error, lost=ssh.may_come_back(returncode, said))

    def _handle(self, kind: Kind, payload: bytes) -> None:
        match kind:
            case Kind.HELLO:
                self._check_version(str(wire.read_json(payload).get("version", "")))
            case Kind.MESSAGE:
                self._message(decode(payload))
            case Kind.FILES:
                self._announced(wire.read_json(payload))
            case Kind.PIECE:
                self._piece(payload)
            case Kind.CLOSE:
                self._complete(wire.read_json(payload))
            case Kind.PREVIEW:
                self._preview(payload)
            case Kind.ENDED:
                said = wire.read_json(payload)
                code = said.get("returncode")
                self._worker_ended = Ended(
                    code if isinstance(code, int) else None, str(said.get("start_error", "")), bool(said["nonsense"])
                )
            case Kind.TROUBLE:
                self._give_up(self._from_there(UserError.from_json(wire.read_json(payload))))
            case _:
                raise ProtocolError(f"{kind.name} from the far end")

    def _check_version(self, version: str) -> None:
        self._welcomed = version == self._product
        if not self._welcomed:
            message = f"{self._there.host} has Tilewright {version or 'of another kind'}, and this is {self._product}."
            self._give_up(UserError(ErrorKind.WORKER, message, "Press Check in the preferences: it gives the command."))

    def _give_up(self, error: UserError) -> None:
        self._fault = self._fault or error
        self._child.kill()

    def _message(self, message: Message) -> None:
        if isinstance(message, Heartbeat):
            return
        if isinstance(message, ImageDone | Preview):  # these have records of their own: paths of there are none here
            raise ProtocolError(f"{type(message).__name__} as a message")
        if isinstance(message, Cancelled):
            self._over.add(message.job)
        if isinstance(message, Failed):
            message = Failed(message.job, self._from_there(message.error))
        self._inbox.put(message)

    def _from_there(self, error: UserError) -> UserError:
        """An error that names its machine: a full disk there is none here."""
        return UserError(error.kind, f"{self._there.host}: {error.message}", error.hint)

    def _preview(self, payload: bytes) -> None:
        head, _, sketch = payload.partition(b"\n")
        said = wire.read_json(head)
        job, image, step = str(said.get("job", "")), int(said.get("image", 0)), int(said.get("step", 0))
        path = self._folder / f"{image}-{step}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(zlib.decompressobj().decompress(sketch, _MAX_SKETCH))
        except (OSError, zlib.error) as error:
            _logger.info("A preview was left out: %s", error)
            return
        self._inbox.put(Preview(job, image, step, str(path)))
        self._shown.append(path)
        while len(self._shown) > 2:  # Blender may be reading the last but one
            self._shown.pop(0).unlink(missing_ok=True)

    # --- results -------------------------------------------------------------------------------------------------

    def _announced(self, about: dict[str, Any]) -> None:
        if self._incoming is not None:
            raise ProtocolError("two results at once")
        try:
            part = self._store.root / f"{PART}{os.getpid()}-{secrets.token_hex(4)}"
            self._incoming = Incoming(part, about)
        except OSError as error:
            self._unkept(about, error)

    def _piece(self, data: bytes) -> None:
        if self._incoming is None:
            return  # of one that cannot be kept
        try:
            self._incoming.take(data)
        except (OSError, Damaged) as error:
            self._unkept(self._incoming.about, error)

    def _complete(self, said: dict[str, Any]) -> None:
        incoming = self._incoming
        if incoming is None:
            return
        try:
            incoming.close(said.get("sha256"))
            result, new = _keep(incoming, self._store.root)
        except (OSError, Damaged, UserError) as error:
            self._unkept(incoming.about, error)
            return
        self._incoming = None
        self._outbox.put((wire.pack_json(Kind.KEPT, {"folder": incoming.about.get("folder")}),))
        job, image = incoming.about.get("job"), incoming.about.get("image")
        if isinstance(job, str) and isinstance(image, int) and job not in self._over:
            self._inbox.put(ImageDone(job, image, result))
        elif new:
            self._inbox.put(Arrived(result))

    def _unkept(self, about: dict[str, Any], error: Exception) -> None:
        """A result that could not be put into the store: it stays there, and comes again with the next connection."""
        _logger.error("A result of %s could not be kept: %s", self._there.host, error)
        if self._incoming is not None:
            self._incoming.drop()
            self._incoming = None
        job = about.get("job")
        if not isinstance(job, str) or job in self._over:
            return
        kept = f"It stays on {self._there.host}, and comes over with the next connection."
        if isinstance(error, OSError):
            told = self._unwritable(error, kept)
        else:
            told = UserError(ErrorKind.NETWORK, f"A texture from {self._there.host} arrived damaged.", kept)
        self._inbox.put(Failed(job, told))
        self.send(Cancel(job))

    def _unwritable(self, error: OSError, hint: str = "Choose another folder in the preferences.") -> UserError:
        reason = error.strerror or type(error).__name__
        return UserError(ErrorKind.DISK, f"Cannot write to {self._store.root}: {reason}.", hint)

    def _clean(self) -> None:
        if self._incoming is not None:
            self._incoming.drop()
            self._incoming = None
        shutil.rmtree(self._folder, ignore_errors=True)


def _keep(incoming: Incoming, store: Path) -> tuple[Result, bool]:
    """Put a result that has come into the store, by one rename; whether it was not there. Raises `UserError`, OSError.

    Its description names the pictures that it was made from by their places here; the recipe inside of its picture
    stays as it was made.
    """
    index = incoming.folder / INDEX
    places = incoming.about.get("inputs")
    if isinstance(places, dict) and places:
        data = json.loads(index.read_bytes())
        for place, key in wire.input_slots(data["recipe"]["request"]):
            place[key] = str(places.get(place[key], place[key]))
        index.write_text(json.dumps(data, indent=1), encoding="ascii")
        results.sync(index)
    results.load(incoming.folder)  # it is one
    name = str(incoming.about.get("folder", ""))
    if name != Path(name).name or name.startswith(".") or not name:
        raise Damaged(f"no name of a result: {name!r}")
    target = store / name
    new = not target.exists()
    if new:
        os.rename(incoming.folder, target)
        results.sync(store)
    else:  # it came over before, and the word that it did was lost
        incoming.drop()
    return results.load(target), new
