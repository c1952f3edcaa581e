# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs scenarios in a Blender that has the built zip installed: $BLENDER if that is set, else this Python's bpy.

Each run is a child process with a profile of its own. A hang is a failure, and so is a death by a signal.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
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


@dataclass
class Blender:
    """A way to run Blender with a profile. `variables` are added to its environment.

    window: a Blender that is run with its window, for scenarios that are generators; see `inside.go_on`.
    seconds: after which a run counts as hung. flags: more options for a real Blender.
    """

    profile: Path
    folder: Path
    worker_python: str
    variables: dict[str, str] = field(default_factory=dict)
    window: str = ""
    seconds: float = SECONDS
    flags: tuple[str, ...] = ()

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
        module, _, function = scenario.partition(".")
        task = {
            "module": module,
            "function": function,
            "arguments": arguments or {},
            "report": str(self.folder / "report.json"),
            "hard_exit": hard_exit or HARD_EXIT,
            "extension": extension,
        }
        file = self.folder / "task.json"
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


@pytest.fixture
def blender(installed_profile: Path, worker_python: str, tmp_path: Path) -> Blender:
    """A Blender with the extension installed, a profile of its own, and a fake engine that does as it is told."""
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
    profile = folder / "profile"
    # the package is 30 MB: its files are shared, the preferences are not
    shutil.copytree(installed / "extensions", profile / "extensions", copy_function=_link)
    shutil.copytree(installed / "config", profile / "config")
    return Blender(profile, folder, worker_python)


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)
