# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tests, each folder in the environment it is for, and add up their results. Standard library only."""

import signal
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools import environments, package
from tools.environments import BLENDER, ENGINE, Kind, say
from tools.machine import ROOT

NOTHING_COLLECTED = 5


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


GROUPS = (
    Group(("core", "host"), BLENDER, uses_product=False),
    Group(("engine",), ENGINE, uses_product=False),
    Group(("tools",), ENGINE, uses_product=True),
    Group(("blender",), BLENDER, uses_product=True),
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


def run(pattern: str | None, options: Sequence[str], bpy: str = "") -> int:
    """Run what the pattern selects. 0 only if something ran and nothing failed.

    Args:
        pattern: a path, a part of test files' names, or an expression for pytest's -k.
        bpy: one of `environments.OTHER_BLENDERS`: runs the tests of Blender's room in that one, and no others.
        options: passed on to pytest.
    """
    begin = time.monotonic()
    selection = select(pattern, options)
    total = Counts()
    for group in GROUPS if not bpy else [replace(GROUPS[-1], kind=environments.OTHER_BLENDERS[bpy])]:
        if paths := paths_of_group(group, selection.paths):
            say(f"\n== tests/{', tests/'.join(group.folders)} in {group.kind.title}")
            total += run_group(group, paths, selection.options)
    say(f"\nall tests in {time.monotonic() - begin:.0f} s")
    say(str(total))
    return 0 if total.passed and not total.failed else 1


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


def run_group(group: Group, paths: Sequence[Path], options: Sequence[str]) -> Counts:
    """One pytest run, with what it needs made first."""
    python = environments.ensure(group.kind)
    variables = environments.clean_environment()
    if group.uses_product:
        variables["TILEWRIGHT_PYTHON"] = str(environments.ensure(ENGINE))
        variables["TILEWRIGHT_ZIP"] = str(package.build())
    if group.kind is environments.OTHER_BLENDERS["4.2"]:
        variables["TILEWRIGHT_HARD_EXIT"] = "1"  # see tests/blender/conftest.py
    with tempfile.TemporaryDirectory(prefix="tilewright-test-") as folder:
        report = Path(folder) / "report.xml"
        command = [python, "-m", "pytest", f"--junitxml={report}", *options, *paths]
        code = subprocess.run(command, cwd=ROOT, env=variables).returncode
        counts = read_report(report) if report.is_file() else Counts()
    if code not in (0, NOTHING_COLLECTED) and not counts.failed:
        # pytest itself was stopped or died, so what it had counted is not the whole.
        say(f"pytest ended with {signal.Signals(-code).name if code < 0 else f'code {code}'}.")
        counts += Counts(failed=1)
    return counts


def read_report(report: Path) -> Counts:
    """The counts in a JUnit report as pytest writes it; errors in set-up or collection are failures."""
    total = Counts()
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):  # noqa: S314 - our own pytest's report
        tests, failed, errors, skipped = (
            int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")
        )
        total += Counts(tests - failed - errors - skipped, failed + errors, skipped)
    return total
