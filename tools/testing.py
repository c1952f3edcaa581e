# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tests, each folder in the environment it is for, and add up their results. Standard library only.

Each group of folders is one run of pytest, in as many processes as there are cores. "worksteal" of pytest-xdist keeps
most tests of a file together, and goes on after a test that kills its process, where "loadfile" tries that one again.
Tests that are marked `alone` measure time: they come after the others of their group, one at a time. At the end stand
each group's seconds, the slowest tests, and the counts. tests/README.md tells how to add a test.
"""

import os
import re
import signal
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools import environments, package
from tools.environments import BLENDER, ENGINE, RAY, Kind, say
from tools.machine import ROOT

NOTHING_COLLECTED = 5
MOST_PROCESSES = 4  # of pytest at once: the engine's take a gigabyte each
SLOWEST = 20
ALONE = re.compile(r"\bmark\.alone\b")
# Options with which pytest talks to a person: they need it in one process.
TALKS = ("-s", "--capture=no", "--pdb", "--trace", "--collect-only", "--co")


@dataclass(frozen=True)
class Group:
    """Test folders that one pytest run takes, and what it runs with.

    Attributes:
        folders: below tests/.
        kind: the environment whose Python runs pytest.
        uses_product: whether the tests need the built zip and the other environment.
    """

    folders: tuple[str, ...]
    kind: Kind
    uses_product: bool

    @property
    def title(self) -> str:
        return f"tests/{', tests/'.join(self.folders)}"


GROUPS = (
    Group(("core", "host"), BLENDER, uses_product=False),
    Group(("engine",), ENGINE, uses_product=False),
    Group(("cluster",), RAY, uses_product=False),
    Group(("tools",), ENGINE, uses_product=True),
    Group(("blender",), BLENDER, uses_product=True),
)
NO_REAL_BLENDER = (
    "NOT RUN: tests/blender in a real Blender, with its command line and its window. That is "
    "`BLENDER=/path/to/blender python3 tools/dev.py test tests/blender`, and BLENDER_WINDOW where there is a screen."
)


@dataclass(frozen=True)
class Counts:
    """Results of test runs."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass(frozen=True)
class Selection:
    """Which tests to run: files or folders (all if none), and options for pytest."""

    paths: tuple[Path, ...]
    options: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """One test that ran: what it is called, as pytest takes it, and its seconds, those of its fixtures included."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What came of a run of pytest. seconds: from its start to its end."""

    counts: Counts = Counts()
    cases: tuple[Case, ...] = ()
    seconds: float = 0.0

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(self.counts + other.counts, self.cases + other.cases, self.seconds + other.seconds)


def run(pattern: str | None, options: Sequence[str], bpy: str = "") -> int:
    """Run what the pattern selects. 0 only if something ran and nothing failed.

    Args:
        pattern: a path, a part of test files' names, or an expression for pytest's -k.
        bpy: one of `environments.OTHER_BLENDERS`: runs the tests of Blender's room in that one, and no others.
        options: passed on to pytest.
    """
    begin = time.monotonic()
    selection = select(pattern, options)
    outcomes: dict[str, Outcome] = {}
    for group in GROUPS if not bpy else [replace(GROUPS[-1], kind=environments.OTHER_BLENDERS[bpy])]:
        if paths := paths_of_group(group, selection.paths):
            say(f"\n== {group.title} in {group.kind.title}")
            outcomes[group.title] = run_group(group, paths, selection.options)
    total = sum(outcomes.values(), Outcome())
    tell_times(outcomes)
    say(f"\nall tests in {time.monotonic() - begin:.0f} s")
    if GROUPS[-1].title in outcomes and not os.environ.get("BLENDER"):
        say(NO_REAL_BLENDER)
    say(str(total.counts))
    return 0 if total.counts.passed and not total.counts.failed else 1


def tell_times(outcomes: Mapping[str, Outcome]) -> None:
    """Say each group's seconds and the slowest tests of all."""
    say("\nseconds by group, and those of its tests added up:")
    for title, outcome in outcomes.items():
        tests = sum(case.seconds for case in outcome.cases)
        say(f"{outcome.seconds:8.1f}  {tests:8.1f}  {title}: {outcome.counts}")
    cases = sorted((case for outcome in outcomes.values() for case in outcome.cases), key=lambda case: -case.seconds)
    say(f"the slowest tests, in seconds, of {len(cases)}:")
    for case in cases[:SLOWEST]:
        say(f"{case.seconds:8.1f}  {case.name}")


def select(pattern: str | None, options: Sequence[str]) -> Selection:
    """What a pattern means: see run()."""
    if pattern is None:
        return Selection((), tuple(options))
    path, _, test = pattern.partition("::")
    if Path(path).exists():
        if test:
            options = [*options, "-k", test.rpartition("::")[2].partition("[")[0]]
        return Selection((Path(path).resolve(),), tuple(options))
    named = tuple(file for file in sorted((ROOT / "tests").rglob("test_*.py")) if pattern in file.stem)
    if named:
        return Selection(named, tuple(options))
    return Selection((), (*options, "-k", pattern))


def paths_of_group(group: Group, selected: Sequence[Path]) -> list[Path]:
    """The part of the selection that lies in the group's folders; the folders themselves if nothing is selected."""
    folders = [folder for name in group.folders if (folder := ROOT / "tests" / name).is_dir()]
    if not selected:
        return folders
    inner = [path for path in selected if any(path.is_relative_to(folder) for folder in folders)]
    outer = [folder for folder in folders if any(folder.is_relative_to(path) and folder != path for path in selected)]
    return inner + outer


def run_group(group: Group, paths: Sequence[Path], options: Sequence[str]) -> Outcome:
    """Run the tests of a group, those that must be alone after the others; what they need is made first."""
    python = environments.ensure(group.kind)
    variables = environments.clean_environment()
    if group.uses_product:
        variables["TILEWRIGHT_PYTHON"] = str(environments.ensure(ENGINE))
        variables["TILEWRIGHT_ZIP"] = str(package.build())
    if group.kind is environments.OTHER_BLENDERS["4.2"]:
        variables["TILEWRIGHT_HARD_EXIT"] = "1"  # see tests/blender/conftest.py
    files = [file for path in paths for file in (sorted(path.rglob("test_*.py")) if path.is_dir() else [path])]
    alone = [file for file in files if file.is_file() and ALONE.search(file.read_text(encoding="utf-8"))]
    processes = count_processes(files, options)
    if processes < 2:
        return run_pytest(python, [*options, *paths], variables)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # the processes share the cores
        variables.setdefault(name, "1")
    beside = ["-p", "xdist", "-n", str(processes), "--dist", "worksteal"]
    outcome = run_pytest(python, [*beside, *marked(options, "not alone"), *paths], variables)
    if alone:
        say(f"\n== {group.title}: those that must be alone")
        outcome += run_pytest(python, [*marked(options, "alone"), *alone], variables)
    return outcome


def count_processes(files: Sequence[Path], options: Sequence[str]) -> int:
    """How many processes run the tests of these files: one where the caller has chosen, or talks with pytest."""
    if any(option in TALKS or option.startswith(("-n", "--numprocesses", "--dist")) for option in options):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_PROCESSES, len(files))


def marked(options: Sequence[str], mark: str) -> list[str]:
    """The options with an expression for pytest's -m, along with the caller's own."""
    kept = list(options)
    if "-m" in kept[:-1]:
        place = kept.index("-m")
        mark = f"({kept[place + 1]}) and {mark}"
        del kept[place : place + 2]
    return [*kept, "-m", mark]


def run_pytest(python: Path, arguments: Sequence[str | Path], variables: Mapping[str, str]) -> Outcome:
    """One run of pytest. Where it was stopped or died, what it had counted is not the whole: that is a failure."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tilewright-test-") as folder:
        report = Path(folder) / "report.xml"
        command = [python, "-m", "pytest", f"--junitxml={report}", *arguments]
        code = subprocess.run(command, cwd=ROOT, env=variables).returncode
        try:
            outcome = read_report(report)
            lack = ""
        except FileNotFoundError:
            outcome, lack = Outcome(), " and left no report"
        except ElementTree.ParseError:
            outcome, lack = Outcome(), " and its report is cut, so none of its tests is counted"
    if lack or (code not in (0, NOTHING_COLLECTED) and not outcome.counts.failed):
        say(f"\npytest ended with {signal.Signals(-code).name if code < 0 else f'code {code}'}{lack}.")
        outcome += Outcome(Counts(failed=1))
    return replace(outcome, seconds=time.monotonic() - begin)


def read_report(report: Path) -> Outcome:
    """What stands in a JUnit report as pytest writes it; errors in set-up or collection are failures.

    Raises:
        FileNotFoundError, ElementTree.ParseError: there is no report, or only a part of one.
    """
    total, cases = Counts(), []
    root = ElementTree.parse(report).getroot()  # noqa: S314 - our own pytest's report
    for suite in root.iter("testsuite"):
        tests, failed, errors, skipped = (
            int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")
        )
        total += Counts(tests - failed - errors - skipped, failed + errors, skipped)
    for case in root.iter("testcase"):
        module, _, inner = case.get("classname", "").partition(".Test")  # then a class's name, where there is one
        parts = [f"{module.replace('.', '/')}.py", f"Test{inner}" if inner else "", case.get("name", "")]
        cases.append(Case("::".join(filter(None, parts)), float(case.get("time", 0))))
    return Outcome(total, tuple(cases))
