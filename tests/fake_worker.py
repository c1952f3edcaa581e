# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker without torch that fails where its script says so. Imports addon.core and the standard library only.

Run by the shell script that `fake.make_fake_python` writes. Like the real one it hears commands while a job runs, sends
heartbeats, makes whole results in the store, and ends with its stdin. Its pictures are squares whose colors come from
prompt and seed.
"""

import hashlib
import json
import os
import resource
import shutil
import signal
import struct
import sys
import threading
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from addon.core import protocol, sketch
from addon.core.errors import ErrorKind, UserError, bug
from addon.core.pace import Pace
from addon.core.protocol import Phase
from addon.core.recipe import PNG_KEY, Recipe
from addon.core.requests import Request
from addon.core.requests.texture import Size, TextureRequest
from addon.core.results import BASE_COLOR, GUIDE, MASK, PART, TEMPLATE, THUMBNAIL, Draft, Result, disk_errors, draft
from tests import fake_hub


class Cancelled(Exception):
    """The job was asked to end."""


class Worker:
    """The worker. `say` is the only way out: whole frames, from any thread."""

    def __init__(self, behaviour: dict[str, Any]) -> None:
        self.behaviour = behaviour
        # As in the real worker: fd 1 is the protocol's, and what anybody prints goes to stderr.
        self.out = os.dup(1)
        os.dup2(2, 1)
        self.lock = threading.Lock()
        self.frozen = threading.Event()
        self.cancel = threading.Event()
        self.thread: threading.Thread | None = None
        self.job = ""
        self.loaded = False
        self.held: list[protocol.Message] = []

    # --- speaking ------------------------------------------------------------------------------------------------

    def say(self, message: protocol.Message) -> None:
        self.write(protocol.encode(message))

    def write(self, data: bytes) -> None:
        with self.lock:
            try:
                while data:
                    data = data[os.write(self.out, data) :]
            except OSError:
                os._exit(0)  # nobody listens any more

    def tell(self, message: protocol.Message) -> None:
        """Say what concerns the job, in the order and number that the script wants."""
        mode = self.behaviour.get("messages")
        if mode == "doubled":
            self.say(message)
            self.say(message)
        elif mode == "stale":
            self.say(protocol.Progress("0123456789ab", Phase.SAVING, 0, 1))
            self.say(protocol.Finished("0123456789ab", 1.0))
            self.say(message)
            if isinstance(message, protocol.TERMINAL):
                self.say(protocol.Progress(self.job, Phase.SAVING, 0, 1))
                self.say(protocol.Failed(self.job, UserError(ErrorKind.BUG, "Too late.")))
                self.say(protocol.Cancelled(self.job))
        elif mode == "reordered" and isinstance(message, protocol.Progress):
            # In threes, the last first; nothing is reordered past a picture or the end.
            self.held.append(message)
            if len(self.held) == 3:
                self.release()
        else:
            self.release()
            self.say(message)

    def release(self) -> None:
        while self.held:
            self.say(self.held.pop())

    def beat(self) -> None:
        while True:
            time.sleep(self.behaviour.get("heartbeat", 0.5))
            if not self.frozen.is_set():
                self.say(protocol.Heartbeat())

    # --- hearing -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        self.faults("HELLO", "", 0, 0)
        threading.Thread(target=self.beat, daemon=True).start()
        self.say(protocol.Hello(self.behaviour.get("version", protocol.VERSION), os.getpid(), "fake"))
        self.faults("READY", "", 0, 0)
        stdin = os.fdopen(0, "rb", buffering=0)
        hello = protocol.read_message(stdin)
        if not isinstance(hello, protocol.Hello) or hello.version != protocol.VERSION:
            words = f"The engine speaks version {protocol.VERSION} of the protocol, and this Tilewright {hello}."
            self.say(protocol.Refused(UserError(ErrorKind.WORKER, words)))
            return
        deaf = self.behaviour.get("ignore_cancel", False)
        while True:
            match protocol.read_message(stdin):
                case protocol.Start() as start:
                    self.cancel.clear()
                    self.job = start.job
                    self.thread = threading.Thread(target=self.make, args=(start,), daemon=True)
                    self.thread.start()
                case protocol.Cancel(job=job) if job == self.job and not deaf:
                    self.cancel.set()
                case protocol.Free():
                    self.loaded = False
                    self.say(protocol.Freed())
                case protocol.Quit() | None if not deaf:
                    break
                case None:
                    time.sleep(0.05)
        self.cancel.set()
        if self.thread:
            self.thread.join(2.0)
        os._exit(0)

    # --- making --------------------------------------------------------------------------------------------------

    def make(self, start: protocol.Start) -> None:
        begin = time.monotonic()
        request = start.request
        try:
            for index in range(request.count):
                self.picture(start, index, begin)
            self.release()
            pace = Pace(**self.behaviour.get("pace", {}))
            self.tell(protocol.Finished(start.job, time.monotonic() - begin, pace))
        except Cancelled:
            self.held.clear()
            self.tell(protocol.Cancelled(start.job))
        except UserError as error:
            self.release()
            self.tell(protocol.Failed(start.job, error))
        except Exception as error:
            self.tell(protocol.Failed(start.job, bug(error)))
            raise
        self.faults("FINISHED", request.prompt, 0, 0)

    def picture(self, start: protocol.Start, index: int, begin: float) -> None:
        request, count = start.request, start.request.count
        steps = request.steps or 1  # a picture that exists has none
        left = (count - index) * steps * self.behaviour.get("step_seconds", 0.005)

        def at(phase: Phase, step: int = 0, steps: int = 0) -> None:
            self.at(start, protocol.Progress(start.job, phase, index, count, step, steps, left))

        if index == 0:
            if not self.loaded:
                at(Phase.STARTING)
                at(Phase.LOADING)
                self.loaded = True
            at(Phase.ENCODING)
        exists = not request.is_sampled
        for step in range(steps + 1):
            at(Phase.UPSCALING if exists else Phase.SAMPLING, step, steps)
            if start.previews and not exists:
                self.preview(start, index, step)
        if not exists:
            at(Phase.DECODING)
        at(Phase.SAVING)
        recipe = Recipe(request if exists else hashed(request.single(index)), "fake", {"worker": "fake"})
        with draft(Path(start.store), request.prompt, recipe.request.seed) as part:
            result = self.save(part, recipe, index, time.monotonic() - begin)
        if result is None:
            raise Cancelled
        self.release()
        self.tell(protocol.ImageDone(start.job, index, result))
        self.faults("SAVED", request.prompt, index, 0)

    def at(self, start: protocol.Start, place: protocol.Progress) -> None:
        """Report where the job is, let the script strike, take the time of it, hear a cancel."""
        self.tell(place)
        self.faults(place.phase.name, start.request.prompt, place.image, place.step)
        step = place.phase is Phase.SAMPLING
        self.pause(self.behaviour.get("step_seconds", 0.005) if step else self.behaviour.get("phase_seconds", 0.0))

    def preview(self, start: protocol.Start, index: int, step: int) -> None:
        """A sketch of one color that gets lighter with the steps."""
        folder = Path(start.store) / f"{PART}{os.getpid()}-fake"
        folder.mkdir(parents=True, exist_ok=True)
        path, grey = folder / f"{index}-{step}", 255 * step // start.request.steps
        sketch.write(path, sketch.Sketch(8, 8, bytes((grey, grey, grey, 255)) * 64))
        self.tell(protocol.Preview(start.job, index, step, str(path)))

    def pause(self, seconds: float) -> None:
        if self.cancel.wait(seconds) if seconds else self.cancel.is_set():
            raise Cancelled

    def save(self, part: Draft, recipe: Recipe, index: int, seconds: float) -> Result | None:
        request = recipe.request
        files = {BASE_COLOR: f"{BASE_COLOR}.png", THUMBNAIL: f"{THUMBNAIL}.png"}
        scale = self.behaviour.get("scale", 1)
        size = getattr(request, "size", Size(64, 64))
        width, height = scale * size.width, scale * size.height
        noise = self.behaviour.get("noise", False)
        with disk_errors(part.root):
            picture = png(width, height, request.prompt, request.seed, recipe.dumps(), noise)
            (part.folder / files[BASE_COLOR]).write_bytes(picture)
            for kind in dict.fromkeys((*self.behaviour.get("maps", ()), *request.finish.maps)):
                files[str(kind)] = f"{kind}.png"
                picture = png(width, height, f"{request.prompt} {kind}", request.seed, recipe.dumps(), noise)
                (part.folder / files[str(kind)]).write_bytes(picture)
            self.faults("WRITING", request.prompt, index, 0)
            files |= keep(request, part.folder)
            (part.folder / files[THUMBNAIL]).write_bytes(png(128, 128, request.prompt, request.seed, ""))
        result = Result(part.folder, files, recipe, seam_score=self.behaviour.get("seam_score", 0.5), seconds=seconds)
        return part.publish(result, allowed=lambda: not self.cancel.is_set())

    # --- failing -------------------------------------------------------------------------------------------------

    def faults(self, phase: str, prompt: str, image: int, step: int) -> None:
        here = {"phase": phase, "image": image, "step": step}
        for fault in self.behaviour.get("faults", ()):
            fits = all(fault.get(name, value) == value for name, value in here.items())
            if fits and fault.get("prompt", "") in prompt and self.strikes(fault):
                getattr(Fault, fault["do"])(self, fault)

    @staticmethod
    def strikes(fault: dict[str, Any]) -> bool:
        """A fault with "once" strikes only where that file is not there yet, and makes it."""
        if "once" not in fault:
            return True
        mark = Path(fault["once"])
        there = mark.exists()
        mark.touch()
        return not there


class Fault:
    """What a script can have happen; named by a fault's "do"."""

    @staticmethod
    def hang(worker: Worker, fault: dict[str, Any]) -> None:
        """Stand still; heartbeats go on, and a cancel is heard unless it is ignored."""
        worker.pause(fault.get("seconds", 3600.0))

    @staticmethod
    def repeat(worker: Worker, fault: dict[str, Any]) -> None:
        """Say the same progress over and over."""
        while True:
            worker.say(protocol.Progress(worker.job, Phase[fault["phase"]], 0, 1, 1, 2))
            worker.pause(0.05)

    @staticmethod
    def freeze(worker: Worker, fault: dict[str, Any]) -> None:
        """Stand still without a sign of life."""
        worker.frozen.set()
        time.sleep(3600.0)

    @staticmethod
    def signal(worker: Worker, fault: dict[str, Any]) -> None:
        """Be ended by the signal `signal`."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), fault.get("signal", signal.SIGKILL))
        time.sleep(3600.0)

    @staticmethod
    def exit(worker: Worker, fault: dict[str, Any]) -> None:
        """Write `words` to stderr, wait `seconds`, and end with `code`."""
        time.sleep(fault.get("seconds", 0.0))
        os.write(2, fault.get("words", "").encode())
        os._exit(fault.get("code", 1))

    @staticmethod
    def garbage(worker: Worker, fault: dict[str, Any]) -> None:
        """Write `bytes` bytes that are no frame to the protocol's pipe, without a newline; then go on."""
        worker.write(b"X" * fault.get("bytes", 100))

    @staticmethod
    def half(worker: Worker, fault: dict[str, Any]) -> None:
        """Write half of a frame and end."""
        frame = protocol.encode(protocol.Finished(worker.job, 1.0))
        worker.write(frame[: len(frame) // 2])
        os._exit(fault.get("code", 1))

    @staticmethod
    def noise(worker: Worker, fault: dict[str, Any]) -> None:
        """Write `bytes` bytes without a newline to fd 2, or to fd 1 if `to` is "stdout", as a library's print does."""
        stream = 1 if fault.get("to") == "stdout" else 2
        for _ in range(fault.get("bytes", 10_000_000) // 10_000):
            os.write(stream, b"x" * 10_000)

    @staticmethod
    def child(worker: Worker, fault: dict[str, Any]) -> None:
        """Start a process that holds the protocol's pipe and never ends; its id goes into the file `file`."""
        process = os.fork()
        if process == 0:
            time.sleep(3600.0)
        Path(fault["file"]).write_text(str(process), encoding="ascii")

    @staticmethod
    def speak(worker: Worker, fault: dict[str, Any]) -> None:
        """Say something out of turn."""
        worker.say(protocol.Freed())

    @staticmethod
    def fail(worker: Worker, fault: dict[str, Any]) -> None:
        """Fail as `kind` with `message` and `hint`."""
        raise UserError(ErrorKind(fault["kind"]), fault["message"], fault.get("hint", ""))

    @staticmethod
    def note(worker: Worker, fault: dict[str, Any]) -> None:
        """Tell the user `text`, and go on."""
        worker.tell(protocol.Note(worker.job, fault["text"]))

    @staticmethod
    def full(worker: Worker, fault: dict[str, Any]) -> None:
        """Let no file grow over `bytes` bytes, as on a full disk."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (fault.get("bytes", 100), resource.RLIM_INFINITY))


def hashed(request: TextureRequest) -> TextureRequest:
    """With the hashes of its template's files, as the real worker's recipes have them; "" for one that is gone."""
    template = request.template
    if template is None:
        return request
    files = [Path(path) if path else None for path in (template.source, template.mask)]
    sha256, mask_sha256 = (hashlib.sha256(f.read_bytes()).hexdigest() if f and f.is_file() else "" for f in files)
    return replace(request, template=replace(template, sha256=sha256, mask_sha256=mask_sha256))


def keep(request: Request, folder: Path) -> dict[str, str]:
    """Copy the template, the mask and the guides beside the result, as the real worker does: kind -> name."""
    template = getattr(request, "template", None)
    sources = {TEMPLATE: template.source, MASK: template.mask} if template else {}
    if guides := getattr(request, "guides", None):
        sources |= {f"{GUIDE}{place + 1}": path for place, path in enumerate(guides.pictures)}
    names = {kind: f"{kind}{Path(path).suffix}" for kind, path in sources.items() if path}
    for kind, name in names.items():
        try:
            shutil.copyfile(sources[kind], folder / name)
        except OSError as error:
            raise UserError(ErrorKind.REQUEST, f"The {kind} {sources[kind]} cannot be read.") from error
    return names


def png(width: int, height: int, prompt: str, seed: int, recipe: str, noise: bool = False) -> bytes:
    """An 8-bit RGB picture of squares in two colors, with the recipe as iTXt where there is one.

    noise: of noise instead, whose file is as large as a picture's can be.
    """
    seedling = hashlib.sha256(f"{seed} {prompt}".encode()).digest()
    square, colors = max(width // 8, 1), (seedling[:3], seedling[3:6])
    rows = [b"".join(colors[(x // square + odd) % 2] for x in range(width)) for odd in (0, 1)]
    pixels = b"".join(b"\0" + (os.urandom(3 * width) if noise else rows[y // square % 2]) for y in range(height))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))]
    if recipe:
        chunks.append((b"iTXt", PNG_KEY.encode() + b"\0\0\0\0\0" + recipe.encode()))
    chunks += [(b"IDAT", zlib.compress(pixels, 0 if noise else 1)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data


def main() -> None:
    # What follows the script's path is what the host would tell a real Python.
    behaviour = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if sys.argv[-1] == "hub":
        fake_hub.main(behaviour)
    else:
        Worker(behaviour).run()


if __name__ == "__main__":
    main()
