# SPDX-License-Identifier: GPL-3.0-or-later
"""The test command: what a pattern selects, what is counted, when it counts as passed."""

import sys
from pathlib import Path

import pytest

from tools import environments, testing
from tools.testing import Counts, Group

RESULTS = """
import os, pytest
def test_good(): pass
def test_bad(): assert False
@pytest.fixture
def broken(): raise ValueError
def test_error(broken): pass
def test_absent(): pytest.skip("not here")
@pytest.mark.xfail(strict=True)
def test_known(): assert False
"""


@pytest.fixture
def tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tests/ of a small repository with two groups, run by this Python."""
    for name in ("core", "engine"):
        (tmp_path / "tests" / name).mkdir(parents=True)
    groups = (
        Group(("core", "host"), environments.BLENDER, uses_product=False),
        Group(("engine",), environments.ENGINE, uses_product=False),
    )
    monkeypatch.setattr(testing, "ROOT", tmp_path)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # a pytest without plugins starts in half the time
    monkeypatch.setattr(testing, "GROUPS", groups)
    monkeypatch.setattr(environments, "ensure", lambda kind: Path(sys.executable))
    return tmp_path / "tests"


def last_line(capfd: pytest.CaptureFixture) -> str:
    return capfd.readouterr().out.splitlines()[-1]


def test_results_of_all_groups_are_added_up(tests: Path, capfd: pytest.CaptureFixture) -> None:
    (tests / "core/test_results.py").write_text(RESULTS)
    (tests / "engine/test_more.py").write_text("def test_one(): pass\ndef test_two(): pass\n")
    assert testing.run(None, []) == 1
    assert last_line(capfd) == "3 passed, 2 failed, 2 skipped"


def test_all_passed_is_a_success(tests: Path, capfd: pytest.CaptureFixture) -> None:
    (tests / "engine/test_more.py").write_text("def test_one(): pass\n")
    assert testing.run(None, []) == 0
    assert last_line(capfd) == "1 passed, 0 failed, 0 skipped"


def test_nothing_run_is_no_success(tests: Path, capfd: pytest.CaptureFixture) -> None:
    assert testing.run("nothing_is_called_this", []) == 1
    assert last_line(capfd) == "0 passed, 0 failed, 0 skipped"


def test_a_death_of_the_test_process_is_a_failure(tests: Path, capfd: pytest.CaptureFixture) -> None:
    (tests / "core/test_death.py").write_text("import os\ndef test_die(): os.kill(os.getpid(), 9)\n")
    (tests / "engine/test_more.py").write_text("def test_one(): pass\n")
    assert testing.run(None, []) == 1
    assert last_line(capfd) == "1 passed, 1 failed, 0 skipped"


def test_a_file_that_cannot_be_imported_is_a_failure(tests: Path, capfd: pytest.CaptureFixture) -> None:
    (tests / "core/test_broken.py").write_text("import nowhere_to_be_found\n")
    assert testing.run(None, []) == 1
    assert last_line(capfd) == "0 passed, 1 failed, 0 skipped"


@pytest.mark.parametrize(
    ("pattern", "options", "counted"),
    [
        ("{tests}/engine", [], "2 passed, 0 failed, 0 skipped"),
        ("{tests}/engine/test_more.py::test_one", [], "1 passed, 0 failed, 0 skipped"),
        ("{tests}", [], "3 passed, 0 failed, 0 skipped"),
        ("more", [], "2 passed, 0 failed, 0 skipped"),  # a part of a file's name
        ("test_one or test_good", [], "2 passed, 0 failed, 0 skipped"),
        ("one", [], "1 passed, 0 failed, 0 skipped"),
        (None, ["-k", "good"], "1 passed, 0 failed, 0 skipped"),
    ],
)
def test_a_pattern_is_a_path_a_file_name_or_words(
    pattern: str | None, options: list[str], counted: str, tests: Path, capfd: pytest.CaptureFixture
) -> None:
    (tests / "core/test_results.py").write_text("def test_good(): pass\n")
    (tests / "engine/test_more.py").write_text("def test_one(): pass\ndef test_two(): pass\n")
    assert testing.run(pattern and pattern.format(tests=tests), options) == 0
    assert last_line(capfd) == counted


def test_counts_are_read_from_pytests_report(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="9" failures="2" errors="1" skipped="3"/></testsuites>')
    assert testing.read_report(report) == Counts(passed=3, failed=3, skipped=3)
