# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs scenarios in a Blender that has the built zip installed: $BLENDER if that is set, else this Python's bpy.

A scenario is a function in `scenarios/`, which Blender runs; it returns what JSON can hold, and what it raises fails
the test. To add one, write `def something() -> None` into the module of its subject, and in the test file

    def test_something(blender: Blender) -> None:
        blender.run("module.something")

`blender` has a new profile for each test. The process is one for many scenarios: each finds the extension's modules,
the preferences, the open file and the environment variables as after a start (`inside.serve`), also the second `run` of
a test. A scenario that fails, hangs or dies fails alone; the next one gets a new process. Take `own_blender`, whose
runs are a process each, for a scenario that

* ends or kills Blender, or needs its end to be in order (a worker that dies with it, for one),
* installs, updates or uninstalls the extension, or counts what enabling it leaves behind,
* sets limits or signals for its own process, or replaces what is not the extension's,
* needs something at the start: a language, a locale, options of Blender.

A window, another profile and a real Blender's command line are a process each by themselves. `shared_blender` is one
profile for a whole file of tests, for scenarios that try many rules in one run (test_maps, test_rules).
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fake import make_fake_python

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BLENDER = os.environ.get("BLENDER", "")
SECONDS = 120
# bpy 4.2 as a module ends with a signal after all is done, whatever is still registered: its runs skip its own end.
HARD_EXIT = bool(os.environ.get("TILEWRIGHT_HARD_EXIT"))


class Served:
    """Blenders that run one scenario after the other, with one profile: see `inside.serve`.

    They start when they are first needed. One is for scenarios after which Blender may not tidy up at its end.
    """

    def __init__(self, folder: Path, worker_python: str) -> None:
        self.folder = folder
        self.profile = folder / "profile"
        self.worker_python = worker_python
        self._processes: dict[bool, subprocess.Popen[str]] = {}
        self._last = ""  # the scenario that ran last, if it went well
        self._variables = Blender(self.profile, folder, worker_python).environment()  # which they start with

    def run(self, task: dict[str, Any], variables: Mapping[str, str], seconds: float) -> tuple[dict[str, Any], str]:
        """Run a scenario with these environment variables; its report, and what was printed meanwhile."""
        hard_exit, report = task["hard_exit"], Path(task["report"])
        process = self._processes.get(hard_exit) or self._start(hard_exit)
        begin = self._log(hard_exit).stat().st_size
        task |= {"variables": variables, "unset": sorted(self._variables.keys() - variables.keys())}
        assert process.stdin
        with contextlib.suppress(BrokenPipeError):  # it has died since: that is told below
            process.stdin.write(json.dumps(task) + "\n")
            process.stdin.flush()
        end, code = time.monotonic() + seconds, None
        while not report.is_file() and code is None and time.monotonic() < end:
            time.sleep(0.005)
            code = process.poll()
        if report.is_file():
            told = json.loads(report.read_text(encoding="utf-8"))
        elif code is None:
            told = {"error": f"Blender hung for {seconds:g} s"}
        else:
            told = {"error": f"Blender ended with {code}; where a scenario means that, take `own_blender`"}
            told["error"] += f". Before this one it ran {self._last}." if self._last else ""
        if told["error"]:  # who knows what it left
            self._processes.pop(hard_exit)
            process.kill()
            process.communicate()
        self._last = "" if told["error"] else f"{task['module']}.{task['function']}"
        return told, self._printed(hard_exit, begin)

    def close(self) -> None:
        """Let them end. One that cannot end in order is a failure: of which scenario, nobody knows."""
        for hard_exit, process in self._processes.items():
            try:
                process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            printed = self._printed(hard_exit, 0)
            assert process.returncode == 0, f"Blender ended with {process.returncode}\n{printed[-5000:]}"

    def _start(self, hard_exit: bool) -> subprocess.Popen[str]:
        own = Blender(self.profile, self.folder, self.worker_python)
        command = own.command_of({"serve": True, "hard_exit": hard_exit}, f"serve-{hard_exit}.json")
        with self._log(hard_exit).open("a", encoding="utf-8") as log:
            self._processes[hard_exit] = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True, env=self._variables
            )
        return self._processes[hard_exit]

    def _log(self, hard_exit: bool) -> Path:
        return self.folder / f"serve-{hard_exit}.log"

    def _printed(self, hard_exit: bool, begin: int) -> str:
        return self._log(hard_exit).read_bytes()[begin:].decode(errors="replace")


@dataclass
class Blender:
    """A way to run Blender with a profile. `variables` are added to its environment.

    window: a Blender that is run with its window, for scenarios that are generators; see `inside.go_on`.
    seconds: after which a run counts as hung. flags: more options for a real Blender.
    served: those that run its scenarios while it has their profile; else each run is a process of its own.
    """

    profile: Path
    folder: Path
    worker_python: str
    variables: dict[str, str] = field(default_factory=dict)
    window: str = ""
    seconds: float = SECONDS
    flags: tuple[str, ...] = ()
    served: Served | None = None

    @property
    def data(self) -> Path:
        """The extension's folder in this profile, which goes when it is uninstalled."""
        return self.profile / "extensions" / ".user" / "user_default" / "tilewright"

    @property
    def results(self) -> list[Path]:
        """The results in the default store, as folders."""
        return sorted(self.store.iterdir()) if self.store.is_dir() else []

    @property
    def store(self) -> Path:
        """Where results go by default."""
        return self.profile / "tilewright" / "results"

    def use_fake(self, behaviour: Mapping[str, Any] | None = None) -> None:
        """From now on the engine's Python is one that behaves like this; see `tests.fake`."""
        python = make_fake_python(self.folder / "fake", behaviour, python=self.worker_python)
        self.variables["TILEWRIGHT_PYTHON"] = str(python)

    def run(self, scenario: str, *, hard_exit: bool = False, extension: bool = True, **arguments: Any) -> Any:
        """Run "module.function" of the scenarios, and return what it returned. A failure there is one here.

        hard_exit: end the process without tidying up, for bpy 4.5, which hangs at its end after an undo.
        """
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        if self.served and self.served.profile == self.profile and extension and not (self.window or self.flags):
            task = self.task(scenario, hard_exit, extension, arguments)
            told, output = self.served.run(task, self.environment(), self.seconds)
        else:
            done = self.spawn(self.script(scenario, hard_exit, extension, arguments))
            output = f"{done.stdout}\n{done.stderr}"
            assert done.returncode == 0, f"{scenario} ended with {done.returncode}\n{output}"
            assert report.is_file(), f"{scenario} left no report\n{output}"
            told = json.loads(report.read_text(encoding="utf-8"))
        assert not told["error"], f"{scenario} failed\n{told['error']}\n{output}"
        return told["value"]

    def script(
        self, scenario: str, hard_exit: bool = False, extension: bool = True, arguments: Mapping[str, Any] | None = None
    ) -> list[str]:
        """The command that runs a scenario."""
        return self.command_of(self.task(scenario, hard_exit, extension, arguments or {}), "task.json")

    def task(self, scenario: str, hard_exit: bool, extension: bool, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What `inside` is told of a scenario."""
        module, _, function = scenario.partition(".")
        return {
            "module": module,
            "function": function,
            "arguments": arguments,
            "report": str(self.folder / "report.json"),
            "hard_exit": hard_exit or HARD_EXIT,
            "extension": extension,
        }

    def command_of(self, task: Mapping[str, Any], name: str) -> list[str]:
        """The command that does a task, which is written into a file of that name."""
        file = self.folder / name
        file.write_text(json.dumps(task), encoding="utf-8")
        script = str(HERE / "inside.py")
        if self.window:
            return [self.window, "--python", script, "--", str(file)]
        if BLENDER:
            return [
                BLENDER,
                "--background",
                *self.flags,
                "--python-exit-code",
                "1",
                "--python",
                script,
                "--",
                str(file),
            ]
        return [sys.executable, script, str(file)]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`blender --background --command tilewright ...`; with bpy as a module, what that calls."""
        if self.served and not BLENDER:
            return subprocess.CompletedProcess(arguments, *self.run("command_line.told", arguments=arguments))
        return self.spawn(self.command_line(*arguments))

    def command_line(self, *arguments: str) -> list[str]:
        if BLENDER:
            return [BLENDER, "--background", "--command", "tilewright", *arguments]
        return self.script("command_line.run", arguments={"arguments": arguments})

    def popen(self, command: list[str]) -> subprocess.Popen[str]:
        self.profile.mkdir(exist_ok=True)  # where it is missing, Blender takes the user's own
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=self.environment()
        )

    def spawn(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        with self.popen(command) as process:
            try:
                stdout, stderr = process.communicate(timeout=self.seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                stdout, stderr = process.communicate()
                pytest.fail(f"Blender hung for {self.seconds:g} s\n{stdout}\n{stderr}")
        return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key != "TILEWRIGHT_PYTHON"}
        return kept | {"BLENDER_USER_RESOURCES": str(self.profile), "PYTHONUTF8": "1"} | self.variables


@pytest.fixture(scope="session")
def zip_file() -> Path:
    """The extension's zip, as `tools/dev.py build` makes it."""
    if not os.environ.get("TILEWRIGHT_ZIP"):
        done = subprocess.run([sys.executable, ROOT / "tools" / "dev.py", "build"], stdout=subprocess.PIPE, text=True)
        assert done.returncode == 0, done.stdout
        return Path(done.stdout.strip().splitlines()[-1])
    return Path(os.environ["TILEWRIGHT_ZIP"]).resolve()


@pytest.fixture(scope="session")
def worker_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that runs where Blender runs, which may be a container: Blender's own."""
    if not BLENDER:
        return sys.executable
    answer = subprocess.run(
        [BLENDER, "--background", "--factory-startup", "--python-expr", "import sys; print('PYTHON', sys.executable)"],
        stdout=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
    )
    return next(line.split(" ", 1)[1] for line in answer.stdout.splitlines() if line.startswith("PYTHON "))


@pytest.fixture(scope="session")
def installed_profile(zip_file: Path, worker_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile in which the zip was installed, as a user would."""
    folder = tmp_path_factory.mktemp("installed")
    profile = folder / "profile"
    profile.mkdir()
    Blender(profile, folder, worker_python).run("install.install", extension=False, file=str(zip_file))
    return profile


@pytest.fixture(scope="session")
def served(worker_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The processes that the scenarios of this run share."""
    made = Served(tmp_path_factory.mktemp("served"), worker_python)
    yield made
    made.close()


@pytest.fixture
def blender(installed_profile: Path, worker_python: str, served: Served, tmp_path: Path) -> Blender:
    """A Blender with the extension installed, a new profile, and a fake engine that does as it is told."""
    if HARD_EXIT:  # bpy 4.2 dies when it reads preferences, whatever is in them
        made = make_blender(installed_profile, worker_python, tmp_path)
    else:
        shutil.rmtree(served.profile, ignore_errors=True)
        copy_profile(installed_profile, served.profile)
        made = Blender(served.profile, tmp_path, worker_python, served=served)
    made.use_fake()
    return made


@pytest.fixture
def own_blender(installed_profile: Path, worker_python: str, tmp_path: Path) -> Blender:
    """As `blender`, but each run is a process of its own."""
    made = make_blender(installed_profile, worker_python, tmp_path)
    made.use_fake()
    return made


@pytest.fixture(scope="module")
def shared_blender(installed_profile: Path, worker_python: str, tmp_path_factory: pytest.TempPathFactory) -> Blender:
    """As `blender`, for a whole file of tests: for scenarios that answer many questions in one run."""
    made = make_blender(installed_profile, worker_python, tmp_path_factory.mktemp("shared"))
    made.use_fake()
    return made


def make_blender(installed: Path, worker_python: str, folder: Path) -> Blender:
    copy_profile(installed, folder / "profile")
    return Blender(folder / "profile", folder, worker_python)


def copy_profile(installed: Path, profile: Path) -> None:
    # the package is 30 MB: its files are shared, the preferences are not
    shutil.copytree(installed / "extensions", profile / "extensions", copy_function=_link)
    shutil.copytree(installed / "config", profile / "config")


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)
