# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker as a real child process over real pipes."""

import json
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from addon.core import recipe, results, sketch
from addon.core.errors import ErrorKind
from addon.core.protocol import (
    TERMINAL,
    VERSION,
    Cancel,
    Cancelled,
    Failed,
    Finished,
    Free,
    Freed,
    Hello,
    ImageDone,
    Note,
    Phase,
    Preview,
    Progress,
    Quit,
    Refused,
    Start,
    encode,
)
from addon.core.requests.texture import Size, TextureRequest
from addon.engine.bootstrap import NICENESS
from tests.engine.worker_client import START, Client
from tests.phases import PHASES

MakeClient = Callable[..., Client]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[MakeClient]:
    """Makes workers, and ends those that are left."""
    clients: list[Client] = []

    def make(*, greet: bool = True, **keywords: object) -> Client:
        made = Client(tmp_path / f"store {len(clients)}", **keywords)  # type: ignore[arg-type]
        clients.append(made)
        if greet:
            made.greet()
        return made

    yield make
    for made in clients:
        made.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One worker for the tests that leave it as it was: importing torch takes seconds."""
    made = Client(tmp_path_factory.mktemp("worker") / "store")
    made.greet()
    yield made
    made.close()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A second worker: in a folder of another name, under another language, freeing its model after a second."""
    folder = tmp_path_factory.mktemp("elsewhere") / "user's default" / "tilewright 纹理"
    unwanted = shutil.ignore_patterns("models", "blender", "host", "__pycache__")
    shutil.copytree(START.parent, folder, ignore=unwanted)
    store = folder.parent / "Ergebnisse 纹理 'x'"
    made = Client(store, start=folder / "start.py", idle=1, LANG="C", LC_ALL="C", PYTHONPATH="/nowhere")
    made.greet()
    yield made
    made.close()


@pytest.fixture
def request_of(sd_folder: Path) -> TextureRequest:
    return TextureRequest("bricks", size=Size(64, 64), steps=2, seed=5, model=str(sd_folder))


@pytest.fixture
def long_request(request_of: TextureRequest) -> TextureRequest:
    """Takes far longer than any test waits: 150 steps of a fifth of a second."""
    return replace(request_of, size=Size(768, 768), steps=150)


def pixels(done: ImageDone) -> bytes:
    from PIL import Image

    return Image.open(done.result.path()).tobytes()


def assert_one_end(client: Client, job: str) -> None:
    """Exactly one terminal message, and nothing about the job after it."""
    messages = client.of(job)
    assert [isinstance(message, TERMINAL) for message in messages] == [False] * (len(messages) - 1) + [True]


# --- jobs


def test_hello_comes_before_torch_is_imported(client: MakeClient) -> None:
    worker = client(greet=False)
    hello = worker.wait(Hello, 10)
    assert hello == Hello(VERSION, worker.process.pid)
    if sys.platform == "linux":
        assert "libtorch" not in Path(f"/proc/{worker.process.pid}/maps").read_text()


def test_a_job_goes_through_its_phases_and_its_result_is_whole(shared: Client, request_of: TextureRequest) -> None:
    shared.start("phases", request_of)
    assert isinstance(shared.ended("phases"), Finished)
    assert_one_end(shared, "phases")
    (done,) = [message for message in shared.of("phases") if isinstance(message, ImageDone)]
    assert results.load(done.result.folder) == done.result
    stored = recipe.read_png(done.result.path())
    assert stored
    assert stored == done.result.recipe
    assert stored.request == request_of
    progress = [message for message in shared.of("phases") if isinstance(message, Progress)]
    assert progress[0].phase is Phase.STARTING
    assert list(dict.fromkeys(message.phase for message in progress)) == list(PHASES)
    assert max(message.step for message in progress) == 2


def test_fault_15_a_worker_elsewhere_under_any_language_makes_the_same_pixels_of_the_same_recipe(
    shared: Client, elsewhere: Client, request_of: TextureRequest
) -> None:
    made = []
    for worker in (shared, elsewhere):
        worker.start("same", replace(request_of, prompt="Ziegel 砖"))
        done = worker.wait(ImageDone, job="same")
        worker.ended("same")
        assert done.result.folder.parent == worker.store
        assert done.result.recipe.request.prompt == "Ziegel 砖"
        made.append(pixels(done))
    assert made[0] == made[1]


def test_a_count_of_three_makes_three_results_with_consecutive_seeds(
    shared: Client, request_of: TextureRequest
) -> None:
    shared.start("three", replace(request_of, count=3, steps=3))
    assert isinstance(shared.ended("three"), Finished)
    done = [message for message in shared.of("three") if isinstance(message, ImageDone)]
    assert [message.image for message in done] == [0, 1, 2]
    assert [message.result.recipe.request.seed for message in done] == [5, 6, 7]
    assert len({pixels(message) for message in done}) == 3
    estimates = [m.remaining for m in shared.of("three") if isinstance(m, Progress) and m.remaining is not None]
    assert estimates
    assert all(0 <= estimate < 60 for estimate in estimates)
    places = [(m.image, m.phase.order, m.step) for m in shared.of("three") if isinstance(m, Progress)]
    assert places == sorted(places)


def test_a_picture_in_the_making_is_told_as_a_file_that_is_gone_when_the_job_is(
    shared: Client, long_request: TextureRequest
) -> None:
    shared.start("shown", long_request, previews=True)
    told = shared.wait(Preview, job="shown")
    path = Path(told.path)
    assert path.parent.parent == shared.store
    assert path.parent.name.startswith(results.PART)
    drawn = sketch.read(path)
    assert (drawn.width, drawn.height) == (96, 96)
    shared.send(Cancel("shown"))
    assert isinstance(shared.ended("shown"), Cancelled)
    shared.start("next", replace(long_request, size=Size(64, 64), steps=2))
    assert isinstance(shared.ended("next"), Finished)
    assert not path.parent.exists()


def test_a_worker_tells_how_long_its_first_job_took(client: MakeClient, request_of: TextureRequest) -> None:
    worker = client()
    worker.start("first", replace(request_of, steps=4))
    first = worker.ended("first")
    worker.start("second", replace(request_of, steps=4, prompt="oak"))
    second = worker.ended("second")
    assert isinstance(first, Finished)
    assert isinstance(second, Finished)
    assert all(seconds and seconds > 0 for seconds in first.pace.to_json().values())
    assert (second.pace.start, second.pace.load) == (None, None)
    assert second.pace.step


def test_jobs_that_wait_are_done_in_their_order_and_the_model_is_loaded_once(
    shared: Client, request_of: TextureRequest
) -> None:
    for job in ("first", "second"):
        shared.start(job, request_of)
    shared.ended("second")
    order = [message.job for message in shared.messages if isinstance(message, Finished)]
    assert order[-2:] == ["first", "second"]
    assert shared.loads() == 1


def test_a_job_that_is_sent_twice_is_done_once(shared: Client, request_of: TextureRequest) -> None:
    before = len(shared.stored())
    shared.start("twice", request_of)
    shared.start("twice", request_of)
    shared.start("after", request_of)
    shared.ended("after")
    assert_one_end(shared, "twice")
    assert len(shared.stored()) == before + 2


# --- cancelling


@pytest.mark.parametrize("phase", [Phase.SAMPLING, Phase.DECODING])
def test_fault_4_cancel_in_a_step_or_while_decoding_is_answered_at_once_and_no_picture_follows(
    shared: Client, request_of: TextureRequest, long_request: TextureRequest, phase: Phase
) -> None:
    shared.start("warm", request_of)
    shared.ended("warm")
    stored = shared.stored()
    shared.start(
        phase.name, long_request if phase is Phase.SAMPLING else replace(long_request, size=Size(512, 512), steps=1)
    )
    shared.wait(Progress, job=phase.name, phase=phase)
    begun = time.monotonic()
    shared.send(Cancel(phase.name))
    assert isinstance(shared.ended(phase.name, 5), Cancelled)
    assert time.monotonic() - begun < 1
    shared.start("next", request_of)
    assert isinstance(shared.ended("next"), Finished)
    assert_one_end(shared, phase.name)
    assert len(shared.stored()) == len(stored) + 1
    assert "Traceback" not in shared.log.read_text()


def test_fault_4_cancel_while_starting_and_loading_is_answered_at_once_and_the_model_is_kept(
    client: MakeClient, request_of: TextureRequest
) -> None:
    worker = client()
    worker.wait(Hello)
    for job, phase in (("starting", Phase.STARTING), ("loading", Phase.LOADING)):
        worker.start(job, request_of)
        worker.wait(Progress, job=job, phase=phase)
        begun = time.monotonic()
        worker.send(Cancel(job))
        assert isinstance(worker.ended(job, 20), Cancelled)
        # while torch's libraries are loaded Python cannot switch threads for a moment
        assert time.monotonic() - begun < (3 if phase is Phase.STARTING else 1)
    worker.start("next", request_of)
    assert isinstance(worker.ended("next"), Finished)
    for job in ("starting", "loading"):
        assert_one_end(worker, job)
    assert len(worker.stored()) == 1
    assert worker.loads() == 1


def test_fault_4_a_job_that_waits_can_be_cancelled_alone(
    shared: Client, request_of: TextureRequest, long_request: TextureRequest
) -> None:
    for job, what in (("running", long_request), ("waiting", request_of), ("last", request_of)):
        shared.start(job, what)
    shared.wait(Progress, job="running", phase=Phase.SAMPLING)
    shared.send(Cancel("waiting"))
    assert isinstance(shared.ended("waiting", 2), Cancelled)
    shared.send(Cancel("running"))
    assert isinstance(shared.ended("running", 2), Cancelled)
    assert isinstance(shared.ended("last"), Finished)
    for job in ("running", "waiting", "last"):
        assert_one_end(shared, job)


def test_fault_28_a_cancel_that_comes_late_twice_or_for_no_job_changes_nothing(
    shared: Client, request_of: TextureRequest
) -> None:
    shared.send(Cancel("no such job"))
    shared.start("late", request_of)
    shared.ended("late")
    shared.send(Cancel("late"))
    shared.send(Cancel("late"))
    shared.start("after late", request_of)
    assert isinstance(shared.ended("after late"), Finished)
    assert_one_end(shared, "late")


# --- the end


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.SAMPLING])
def test_the_end_of_stdin_ends_the_worker_also_in_the_middle_of_a_step(
    client: MakeClient, long_request: TextureRequest, phase: Phase
) -> None:
    worker = client()
    worker.start("job", long_request)
    worker.wait(Progress, job="job", phase=phase)
    begun = time.monotonic()
    assert worker.hang_up() == 0
    assert time.monotonic() - begun < 3
    assert not [name for name in worker.stored() if not name.startswith(results.PART)]


def test_quit_ends_the_worker(client: MakeClient) -> None:
    worker = client()
    worker.send(Quit())
    assert worker.process.wait(10) == 0


def test_fault_28_another_protocol_version_is_refused_with_both_versions(client: MakeClient) -> None:
    worker = client(greet=False)
    worker.send(Hello(VERSION + 1, os.getpid(), "from the future"))
    refused = worker.wait(Refused, 10)
    assert str(VERSION) in refused.error.message
    assert str(VERSION + 1) in refused.error.message
    assert refused.error.hint
    assert worker.process.wait(10) == 3


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff" * 64,
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">I", 3) + b"{]}",
        struct.pack(">I", 1 << 31),
        encode(Quit())[:-2],
    ],
    ids=["ff", "http", "no JSON", "huge", "half"],
)
def test_garbage_on_stdin_ends_the_worker_with_one_end_for_its_job(
    client: MakeClient, long_request: TextureRequest, garbage: bytes
) -> None:
    worker = client()
    worker.start("job", long_request)
    worker.wait(Progress, job="job")
    worker.send_bytes(garbage)
    assert worker.process.stdin
    worker.process.stdin.close()
    failed = worker.ended("job", 10)
    assert isinstance(failed, Failed)
    assert failed.error.kind is ErrorKind.WORKER
    assert_one_end(worker, "job")
    assert worker.process.wait(10) == 2


def test_garbage_before_hello_ends_the_worker(client: MakeClient) -> None:
    worker = client(greet=False)
    worker.send_bytes(encode(Free()))
    assert worker.process.wait(10) == 2


# --- memory


def test_models_are_freed_on_request_and_loaded_again(shared: Client, request_of: TextureRequest) -> None:
    shared.start("before", request_of)
    shared.send(Free())
    assert isinstance(shared.ended("before"), Finished)  # it is not torn from under a job
    shared.wait(Freed, 10)
    loads = shared.loads()
    shared.start("again", request_of)
    assert isinstance(shared.ended("again"), Finished)
    assert shared.loads() == loads + 1


def test_models_are_freed_once_after_idling(elsewhere: Client, request_of: TextureRequest) -> None:
    elsewhere.start("idle", request_of)
    assert isinstance(elsewhere.ended("idle"), Finished)
    elsewhere.wait(Freed, 10)
    beats = elsewhere.beats
    before = elsewhere.freed()
    elsewhere.take_rest(2.5)
    assert elsewhere.freed() == before  # nothing to free: nothing to say
    assert elsewhere.beats > beats + 1


# --- bad requests


def with_request(request: TextureRequest, store: Path, **changes: object) -> bytes:
    """A Start frame with a request that no TextureRequest can hold."""
    data = {"type": "Start", "job": "bad", "request": request.to_json() | changes, "store": str(store)}
    body = json.dumps(data).encode()
    return struct.pack(">I", len(body)) + body


@pytest.mark.parametrize(
    "size",
    [[-1, 64], [0, 0], [1, 1], [513, 512], [2**31, 64], [8192, 8192], [64, "64"], [64], None, [64.0, 64], [True, 64]],
)
def test_fault_17_an_odd_size_is_refused_by_the_worker_too_and_the_next_job_works(
    shared: Client, request_of: TextureRequest, size: object
) -> None:
    shared.send_bytes(with_request(request_of, shared.store, size=size))
    failed = shared.ended("bad", 5)
    assert isinstance(failed, Failed)
    assert failed.error.kind is ErrorKind.REQUEST
    shared.start("good", replace(request_of, steps=1))
    assert isinstance(shared.ended("good"), Finished)


@pytest.mark.parametrize("prompt", ["lone \ud800 surrogate", "NUL \0", "x" * 20_001, 7])
def test_fault_16_a_prompt_that_cannot_be_is_refused_by_the_worker_too(
    shared: Client, request_of: TextureRequest, prompt: object
) -> None:
    shared.send_bytes(with_request(request_of, shared.store, prompt=prompt))
    failed = shared.ended("bad", 5)
    assert isinstance(failed, Failed)
    assert "prompt" in failed.error.message


def test_fault_16_what_the_text_encoder_cuts_off_is_told(shared: Client, request_of: TextureRequest) -> None:
    prompt = "zinc and copper 🪙 " * 555
    shared.start("long", replace(request_of, prompt=prompt))
    note = shared.wait(Note, job="long")
    assert "only the start of the prompt" in note.text
    done = shared.wait(ImageDone, job="long")
    assert done.result.recipe.request.prompt == prompt
    assert isinstance(shared.ended("long"), Finished)


def test_fault_18_a_truncated_model_is_refused_and_the_next_job_works(
    shared: Client, request_of: TextureRequest, sd_folder: Path, copy_of: Callable[[Path], Path]
) -> None:
    folder = copy_of(sd_folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    shared.start("warm up", request_of)
    shared.ended("warm up")
    begun = time.monotonic()
    shared.start("truncated", replace(request_of, model=str(folder)))
    failed = shared.ended("truncated")
    assert time.monotonic() - begun < 1
    assert isinstance(failed, Failed)
    assert failed.error.kind is ErrorKind.MODEL
    assert str(weights) in failed.error.message
    shared.start("whole", request_of)
    assert isinstance(shared.ended("whole"), Finished)


def test_a_model_or_a_device_that_is_not_there_fails_and_the_next_job_works(
    shared: Client, request_of: TextureRequest, tmp_path: Path
) -> None:
    shared.start("no model", replace(request_of, model=str(tmp_path / "nothing")))
    assert isinstance(shared.ended("no model"), Failed)
    shared.start("no device", request_of, device="cuda:7")
    failed = shared.ended("no device")
    assert isinstance(failed, Failed)
    assert "cuda:7" in failed.error.message
    shared.start("no mode", request_of, memory="turbo")
    assert isinstance(shared.ended("no mode"), Failed)
    shared.start("good", request_of)
    assert isinstance(shared.ended("good"), Finished)


def test_fault_14_a_store_that_cannot_be_written_fails_by_its_name_and_the_next_job_works(
    shared: Client, request_of: TextureRequest, tmp_path: Path
) -> None:
    store = tmp_path / "a file"
    store.write_text("mine")
    shared.send(Start("unwritable", request_of, str(store)))
    failed = shared.ended("unwritable")
    assert isinstance(failed, Failed)
    assert failed.error.kind is ErrorKind.DISK
    assert str(store) in failed.error.message
    assert store.read_text() == "mine"
    shared.start("writable", request_of)
    assert isinstance(shared.ended("writable"), Finished)


# --- where it lies and what surrounds it


def test_what_libraries_print_does_not_break_a_frame(tmp_path: Path) -> None:
    """Runs bootstrap's own taking of the streams, then prints to everything that a library could print to."""
    import subprocess

    bootstrap = START.parent / "engine" / "bootstrap.py"
    code = (
        f"import importlib.util, os, sys; spec = importlib.util.spec_from_file_location('b', {str(bootstrap)!r});"
        "b = importlib.util.module_from_spec(spec); spec.loader.exec_module(b);"
        "commands, replies = b.take_streams(); print('noise'); os.write(1, b'noise'); os.system('echo noise');"
        "sys.__stdout__.write('noise'); sys.__stdout__.flush();"
        "replies.write(commands.read(4)); replies.write(sys.stdin.buffer.read()); replies.flush()"
    )
    run = subprocess.run([sys.executable, "-I", "-c", code], input=b"ping", capture_output=True, timeout=30, check=True)
    assert run.stdout == b"ping"
    assert run.stderr.count(b"noise") == 4


@pytest.mark.skipif(sys.platform == "win32", reason="there the host sets the priority")
def test_the_worker_leaves_the_processor_to_blender(client: MakeClient) -> None:
    made = client()
    made.wait(Hello)
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, made.process.pid) == min(ours + NICENESS, 19)  # the least there is


@pytest.mark.slow
def test_what_install_prepares_is_nearly_all_that_a_job_imports(tmp_path: Path, request_of: TextureRequest) -> None:
    def run(*arguments: str, told: str = "") -> set[Path]:
        prefix = ["-I", "-X", "utf8", "-X", f"pycache_prefix={tmp_path / 'compiled'}"]
        subprocess.run([sys.executable, *prefix, *arguments], input=told, text=True, check=True, capture_output=True)
        return set((tmp_path / "compiled").rglob("*.pyc"))

    prepared = run(str(START), "prepare")
    assert len(prepared) > 1000
    job = f"""
import sys
sys.path.insert(0, {str(START.parents[1])!r})
from pathlib import Path
from addon.core.protocol import Start
from addon.core.requests import request_from_json
from addon.engine import finish, generate, picture_job
from addon.engine.models import ModelCache
class Watch:
    def __getattr__(self, name): return lambda *_, **__: None
    def publish(self, image, draft, result): draft.publish(result)
start = Start("j", request_from_json({request_of.to_json()!r}), {str(tmp_path / "store")!r})
generate.make_images(ModelCache(), start, Watch())
"""
    later = {path for path in run("-", told=job) - prepared if "site-packages" in str(path)}
    assert len(later) < len(prepared) / 50, f"{sorted(later)[:5]} and others were compiled for a job"
