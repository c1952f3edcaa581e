# SPDX-License-Identifier: GPL-3.0-or-later
"""The far end of ssh: starts the worker on this machine and passes on what it and Blender say. Imports core.

Started by the script `tilewright-worker` (see `settling`), which ssh starts. What is finished stays in the outbox until
Blender has it. When the line breaks, the job goes on to its end, and what it makes waits there for the next connection,
which can take the job up (see `journal`).
"""

import contextlib
import json
import logging
import os
import queue
import secrets
import shutil
import signal
import sys
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ..core import child_process, protocol, sketch, wire
from ..core.errors import ErrorKind, UserError
from ..core.protocol import Cancel, Cancelled, Failed, ImageDone, Message, Phase, Preview, Progress, Quit, Start
from ..core.results import INDEX, PART
from ..core.single_holder import only_holder
from ..core.wire import Damaged, Incoming, Kind
from . import journal
from .journal import Followed, Journal
from .link import Arrived, Ended
from .log import CappedLog
from .process import WorkerProcess
from .store import Store

_logger = logging.getLogger(__name__)
OUTBOX, FINISHING = "outbox", "finishing"
OUTBOX_BYTES = 4_000_000_000  # of results that wait for Blender; the oldest go first
ORPHAN_SECONDS = 3600.0  # that a job may take after the line broke
_RUN, _INPUTS, _RESULTS, _PLACES = "run-", "inputs", "results", "inputs.json"
_TICK = 0.1  # seconds between two looks at what nobody tells
_SIGN_SECONDS = 0.5
_NOTE_SECONDS = 0.5  # between two looks at what another connection notes
_PREVIEW = wire.PREVIEW_RATE // 2  # bytes of one


class _Stderr(CappedLog):
    """The worker's log is ssh's stderr: it lies on the other machine."""

    def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # the line is gone
            os.write(2, data)

    def close(self) -> None:
        pass


class Out:
    """The pipe to Blender. What is urgent goes between the pieces of files; a line that is gone swallows all."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._urgent: deque[bytes] = deque()
        self._files: deque[Iterator[bytes]] = deque()
        self._changed = threading.Condition()
        self._busy = False
        self.broken = False
        threading.Thread(target=self._write, name="out", daemon=True).start()

    def send(self, record: bytes, *, after_files: bool = False) -> None:
        """after_files: not before the files that were given before it."""
        with self._changed:
            if after_files and self._files:
                self._files.append(iter((record,)))
            else:
                self._urgent.append(record)
            self._changed.notify_all()

    def send_files(self, records: Iterator[bytes]) -> None:
        """Records that go when nothing else is to be said."""
        with self._changed:
            self._files.append(records)
            self._changed.notify_all()

    @property
    def idle(self) -> bool:
        return not (self._urgent or self._files or self._busy)

    def flush(self, seconds: float) -> None:
        """Wait until all is written, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: self.idle or self.broken, seconds)

    def _write(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._urgent or self._files)
                self._busy = True
                record = self._urgent.popleft() if self._urgent else None
            try:
                record = record or self._piece()
                if record and not self.broken:
                    self._stream.write(record)
                    self._stream.flush()
            except OSError:
                self.broken = True

    def _piece(self) -> bytes:
        """The next record of the files; b"" where there was none. Only the writing thread takes from them."""
        try:
            return b"" if self.broken else next(self._files[0])
        except StopIteration:
            pass
        except OSError as error:
            _logger.error("A file could not be sent: %s", error)
        with self._changed:
            self._files.popleft()
        return b""


class _Worker(WorkerProcess):
    """Wakes who waits for what it says."""

    def __init__(self, wake: threading.Event, *arguments: Any, low: bool) -> None:
        self._wake = wake
        super().__init__(*arguments, low=low)

    def hear(self, data: bytes) -> None:
        super().hear(data)
        self._wake.set()


class FarEnd:
    """One connection.

    root: Tilewright's folder here. python: the worker's. version: of the package here.
    """

    def __init__(self, root: Path, python: Path, version: str, commands: BinaryIO, replies: BinaryIO) -> None:
        self._root = root
        self._python = python
        self._version = version
        self._commands = commands
        self._out = Out(replies)
        self._inbox: queue.SimpleQueue[tuple[Kind, bytes] | None] = queue.SimpleQueue()
        self._heard_at = time.monotonic()
        self._wake = threading.Event()  # there may be something from either side
        self._quit = False  # Blender said so
        self._lost = False  # the line is gone
        self._run = Path()
        self._worker: WorkerProcess | None = None
        self._held: Start | None = None  # waits until what an earlier connection left is finished
        self._told_held = False
        self._job = ""  # that the worker has
        self._journal = Journal()
        self._followed: Followed | None = None  # the job, where an earlier connection has it
        self._look_at = 0.0
        self._stack = contextlib.ExitStack()  # of what is held as long as this lives
        self._incoming: Incoming | None = None
        self._inputs = 0
        self._places: dict[str, str] = {}  # an input's path at Blender -> its path here
        self._preview_at = 0.0

    def serve(self) -> int:
        """Work until Blender or the worker has ended. Returns the exit code."""
        self._out.send(wire.MARK + wire.pack_json(Kind.HELLO, {"version": self._version}))
        threading.Thread(target=self._read, name="in", daemon=True).start()
        hello = self._inbox.get()
        if hello is None or hello[0] is not Kind.HELLO:
            return 2
        try:
            return self._with_outbox(wire.read_json(hello[1]))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            told = UserError(ErrorKind.DISK, f"Cannot write to {self._root}: {reason}.", "Free some space there.")
        except UserError as error:
            told = error
        self._out.send(wire.pack_json(Kind.TROUBLE, told.to_json()))
        self._out.flush(5.0)
        return 1

    def _with_outbox(self, settings: dict[str, Any]) -> int:
        client = str(settings.get("client"))
        if not wire.is_client(client):
            raise UserError(ErrorKind.WORKER, "The connection began with something else than a name.")
        outbox = self._root / OUTBOX / client
        self._run = outbox / f"{_RUN}{os.getpid()}-{secrets.token_hex(4)}"
        store = Store(self._run / _RESULTS)
        with self._stack:
            self._stack.enter_context(only_holder(self._run))
            log = _Stderr(self._root / "stderr")
            idle, low = float(settings.get("idle", 600.0)), bool(settings.get("low", True))
            self._worker = _Worker(self._wake, self._python, log, store.clean_parts, idle, low=low)
            try:
                self._pass_on(self._worker)
            finally:
                if not self._worker.finish(0.5, 3.0):
                    _logger.error("the worker does not end")
        if self._lost and self._journal.job:
            return 0  # a later connection may ask how that job ended
        _remove_empty(self._run)
        if self._followed and self._journal.ended:
            for run in self._followed.runs:
                _remove_empty(run)
        return 0

    # --- the loop ------------------------------------------------------------------------------------------------

    def _pass_on(self, worker: WorkerProcess) -> None:
        signs, sign_at, orphan_at = 0, 0.0, 0.0
        while True:
            busy = self._from_blender(worker)
            said = worker.receive()
            if isinstance(said, Ended):
                data = {"returncode": said.returncode, "start_error": said.start_error, "nonsense": said.nonsense}
                self._out.send(wire.pack_json(Kind.ENDED, data), after_files=True)
                self._out.flush(60.0)
                return
            if said is not None and not isinstance(said, Arrived):
                self._from_worker(said)
                continue
            now = time.monotonic()
            if self._quit:
                return
            if now - self._heard_at > wire.LOST_SECONDS or self._out.broken:
                self._lost = True
            if self._lost:
                orphan_at = orphan_at or now
                if not self._orphan(now - orphan_at):
                    return
            if now - sign_at > _SIGN_SECONDS and worker.signs != signs and self._out.idle:
                signs, sign_at = worker.signs, now
                self._out.send(wire.pack_message(protocol.Heartbeat()))
            if self._held and self._nobody_finishes():
                self._begin(worker, self._held)
            if now > self._look_at:
                self._look_at = now + _NOTE_SECONDS
                self._look(worker)
            if not busy:
                self._wake.wait(_TICK)
                self._wake.clear()

    def _look(self, worker: WorkerProcess) -> None:
        """See what other connections have to say: one that took this one's job up, or that has this one's."""
        self._lost = self._lost or journal.is_taken(self._run)
        if self._lost and self._job:
            if journal.is_cancelled(self._run):
                worker.send(Cancel(self._job))
            self._journal.write(self._run)
        if self._followed and not self._journal.ended:
            self._follow(self._followed)

    def _follow(self, followed: Followed) -> None:
        """Pass on how far an earlier connection is with the job, then what it made, and how it ended."""
        if progress := followed.look():
            self._out.send(wire.pack_message(progress))
        if not followed.over:
            return
        self._journal = followed.journal
        if not self._journal.ended:
            told = UserError(
                ErrorKind.WORKER,
                "The worker was ended while there was no line.",
                "Generate again; what was finished has come over.",
            )
            self._journal.last = Failed(self._journal.job, told)
        self._journal.write(self._run)
        for run in followed.runs:
            self._send_left(run)
        assert self._journal.last
        self._out.send(wire.pack_message(self._journal.last), after_files=True)

    def _orphan(self, seconds: float) -> bool:
        """The line is gone: whether to go on, since a job runs that may be finished."""
        if not self._job or seconds > ORPHAN_SECONDS:
            return False
        if not self._told_held:
            self._told_held = True
            _logger.info("the line is gone; the job is finished")
            self._stack.enter_context(only_holder(self._root / FINISHING))
        return True

    def _nobody_finishes(self) -> bool:
        with only_holder(self._root / FINISHING) as ours:
            return ours

    # --- from Blender --------------------------------------------------------------------------------------------

    def _read(self) -> None:
        reader = wire.RecordReader(mark=False)
        try:
            while data := os.read(self._commands.fileno(), wire.PIECE):
                self._heard_at = time.monotonic()
                for record in reader.feed(data):
                    self._inbox.put(record)
                self._wake.set()
        except (OSError, protocol.ProtocolError) as error:
            _logger.error("what came is nonsense: %s", error)
        self._inbox.put(None)
        self._wake.set()

    def _from_blender(self, worker: WorkerProcess) -> bool:
        """Take the next record. Whether there was any."""
        try:
            item = self._inbox.get_nowait()
        except queue.Empty:
            return False
        if item is None:
            self._lost = True
            return False
        kind, payload = item
        try:
            self._handle(worker, kind, payload)
        except protocol.InvalidRequest as error:
            self._out.send(wire.pack_message(Failed(error.job, error.error)))
        except protocol.ProtocolError as error:
            _logger.error("what came is nonsense: %s", error)
            self._quit = True
        return True

    def _handle(self, worker: WorkerProcess, kind: Kind, payload: bytes) -> None:
        match kind:
            case Kind.MESSAGE:
                self._message(worker, protocol.decode(payload))
            case Kind.START:
                self._start(wire.read_json(payload))
            case Kind.FILES:
                about = wire.read_json(payload)
                self._inputs += 1
                try:
                    self._incoming = Incoming(self._run / _INPUTS / str(self._inputs), about)
                except OSError as error:
                    self._no_input(about, error)
            case Kind.PIECE | Kind.CLOSE if self._incoming is None:
                pass  # of one that could not be kept
            case Kind.PIECE:
                self._take(payload)
            case Kind.CLOSE:
                self._take(None, wire.read_json(payload).get("sha256"))
            case Kind.KEPT:
                self._kept(str(wire.read_json(payload).get("folder", "")))
            case Kind.PING:
                pass
            case _:
                raise protocol.ProtocolError(f"{kind.name} from Blender")

    def _message(self, worker: WorkerProcess, message: Message) -> None:
        if isinstance(message, Quit):
            self._quit = True
        elif isinstance(message, Cancel) and self._job != message.job:
            self._held = None  # not begun, or still on its way
            if self._followed and not self._journal.ended:
                self._followed.cancel()
                self._followed = None
            self._out.send(wire.pack_message(Cancelled(message.job)))
        else:
            worker.send(message)

    def _take(self, data: bytes | None, sums: object = None) -> None:
        """The next piece of a picture that a job reads, or its end."""
        incoming = self._incoming
        assert incoming
        try:
            if data is not None:
                incoming.take(data)
            else:
                incoming.close(sums)
                self._incoming = None
                self._places[str(incoming.about["path"])] = str(incoming.folder / incoming.files[0][0])
        except (OSError, Damaged) as error:
            incoming.drop()
            self._incoming = None
            self._no_input(incoming.about, error)

    def _no_input(self, about: dict[str, Any], error: Exception) -> None:
        reason = getattr(error, "strerror", None) or str(error)
        told = UserError(ErrorKind.DISK, f"Cannot write to {self._run}: {reason}.", "Free some space there.")
        self._out.send(wire.pack_message(Failed(str(about.get("job", "")), told)))

    def _start(self, data: dict[str, Any]) -> None:
        """A job, with the paths of what came for it."""
        with contextlib.suppress(KeyError, TypeError, AttributeError):  # what is no request, `decode` says
            for place, key in wire.input_slots(data["request"]):
                place[key] = self._places.get(place[key], place[key])
        (self._run / _PLACES).write_text(json.dumps(self._origins()), encoding="ascii")
        start = protocol.decode(json.dumps(data | {"store": str(self._run / _RESULTS)}).encode("ascii"))
        if not isinstance(start, Start):
            raise protocol.ProtocolError(f"{type(start).__name__} as a start")
        self._out.send(wire.pack_message(Progress(start.job, Phase.STARTING, 0, start.request.count)))
        self._journal, self._followed = Journal(), None
        earlier = _left(self._run.parent, self._run)
        if same := [run for run in earlier if journal.read(run).job == start.job]:
            self._followed = Followed(start.job, same)
            return
        self._held = start
        if not self._nobody_finishes():
            text = "The texture from before the connection broke is finished first."
            self._out.send(wire.pack_message(protocol.Note(start.job, text)))

    def _origins(self) -> dict[str, str]:
        return {here: there for there, here in self._places.items()}

    def _begin(self, worker: WorkerProcess, start: Start) -> None:
        self._send_all_left()  # of the one that was finished first
        self._held, self._job = None, start.job
        self._journal = Journal(start.job)
        self._journal.write(self._run)
        worker.send(start)

    def _kept(self, name: str) -> None:
        """Blender has that result: it goes."""
        if name != Path(name).name or name.startswith("."):
            return
        for run in (self._run, *_left(self._run.parent, self._run)):
            if (run / _RESULTS / name).is_dir():
                shutil.rmtree(run / _RESULTS / name, ignore_errors=True)
                if run != self._run:
                    _remove_empty(run)

    # --- from the worker -----------------------------------------------------------------------------------------

    def _from_worker(self, message: Message) -> None:
        match message:
            case ImageDone(job=job, image=image, result=result):
                self._journal.images[result.folder.name] = image
                self._journal.write(self._run)
                about = {"job": job, "image": image, "folder": result.folder.name, "inputs": self._origins()}
                self._out.send_files(_records(result.folder, about))
            case Preview():
                self._preview(message)
            case protocol.Finished() | Failed():
                self._end(message)
                self._out.send(wire.pack_message(message), after_files=True)
            case Cancelled():
                self._end(message)
                self._out.send(wire.pack_message(message))
            case _:
                if isinstance(message, Progress):
                    self._journal.last = message
                self._out.send(wire.pack_message(message))

    def _end(self, message: Message) -> None:
        self._job, self._journal.last = "", message
        self._journal.write(self._run)

    def _preview(self, message: Preview) -> None:
        """A picture in the making, as often as the line's share for them allows, and smaller where it is large."""
        now = time.monotonic()
        if now < self._preview_at or not self._out.idle:
            return  # another follows
        try:
            data = shrunk(sketch.read(Path(message.path)))
        except (OSError, ValueError):
            return  # gone meanwhile
        head = json.dumps({"job": message.job, "image": message.image, "step": message.step}).encode("ascii")
        record = wire.pack(Kind.PREVIEW, head + b"\n" + data)
        self._preview_at = now + len(record) / wire.PREVIEW_RATE
        self._out.send(record)

    # --- what waits ----------------------------------------------------------------------------------------------

    def _send_all_left(self) -> None:
        """Send what connections could not whose line broke, and which have ended."""
        for run in _left(self._run.parent, self._run):
            if self._stack.enter_context(only_holder(run)):
                self._send_left(run)

    def _send_left(self, run: Path) -> None:
        """Send what an earlier connection could not."""
        try:
            origins = json.loads((run / _PLACES).read_bytes())
        except (OSError, ValueError):
            origins = {}
        names = Store(run / _RESULTS).names()
        for name in names:
            about = {"folder": name, "inputs": origins} | self._journal.about(name)
            self._out.send_files(_records(run / _RESULTS / name, about))
        if not (names or self._followed):
            _remove_empty(run)


def shrunk(drawn: sketch.Sketch) -> bytes:
    """A sketch's file, compressed, of every pixel or of every second, third ... so that it keeps to its size."""
    for apart in range(1, sketch.MAX_SIDE):
        pixels = memoryview(drawn.pixels).cast("I")
        rows = range(0, drawn.height, apart)
        kept = b"".join(pixels[row * drawn.width : (row + 1) * drawn.width : apart].tobytes() for row in rows)
        small = sketch.Sketch(-(-drawn.width // apart), len(rows), kept)
        data = zlib.compress(sketch.pack(small), 1)
        if len(data) <= _PREVIEW:
            return data
    raise ValueError("a sketch that does not get smaller")


def _records(folder: Path, about: dict[str, Any]) -> Iterator[bytes]:
    """A result's files, its description last. Nothing of one that is gone: Blender had it by another connection."""
    paths = sorted((path for path in folder.iterdir() if path.is_file()), key=lambda path: path.name == INDEX)
    yield from wire.send_files({path.name: path for path in paths}, about)


def _left(outbox: Path, own: Path) -> list[Path]:
    """Folders of other connections, the oldest first."""
    found = [path for path in outbox.glob(f"{_RUN}*") if path != own and path.is_dir()]
    return sorted(found, key=lambda path: path.stat().st_mtime)


def _remove_empty(run: Path) -> None:
    """Remove a connection's folder where no result waits in it."""
    if not Store(run / _RESULTS).names():
        shutil.rmtree(run, ignore_errors=True)


def waiting(root: Path) -> list[Path]:
    """All results that wait for somebody's Blender, the newest first."""
    found = [path for path in (root / OUTBOX).glob(f"*/{_RUN}*/{_RESULTS}/*") if not path.name.startswith(PART)]
    dated = [(path.stat().st_mtime, path) for path in found if path.is_dir()]
    return [path for _, path in sorted(dated, reverse=True)]


def bound(root: Path, limit: int = OUTBOX_BYTES) -> None:
    """Remove the oldest of what waits, over `limit` bytes."""
    total = 0
    for folder in waiting(root):
        total += sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
        if total > limit:
            _logger.warning("%s goes: too much waits", folder)
            shutil.rmtree(folder, ignore_errors=True)


def serve(root: Path, python: Path, version: str) -> int:
    """Serve one connection on the standard streams. Returns the exit code."""
    commands = os.fdopen(os.dup(0), "rb", buffering=0)
    replies = child_process.begin()
    if sys.platform != "win32":
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the line's end is not the job's
    with contextlib.suppress(OSError):
        bound(root)
    return FarEnd(root, python, version, commands, replies).serve()
