# SPDX-License-Identifier: GPL-3.0-or-later
"""The test command: what a pattern selects, what is counted, when it counts as passed."""

import sys
from pathlib import Path

import pytest

from tools import environments, testing
from tools.testing import Case, Counts, Group

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


def test_seconds_and_counts_are_read_from_pytests_report(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    cases = '<testcase classname="tests.core.test_a" name="test_b[c]" time="1.5"/>'
    cases += '<testcase classname="tests.core.test_a.TestQueue" name="test_d" time="0.25"/>'
    report.write_text(
        f'<testsuites><testsuite tests="9" failures="2" errors="1" skipped="3">{cases}</testsuite></testsuites>'
    )
    outcome = testing.read_report(report)
    assert outcome.counts == Counts(passed=3, failed=3, skipped=3)
    assert outcome.cases == (
        Case("tests/core/test_a.py::test_b[c]", 1.5),
        Case("tests/core/test_a.py::TestQueue::test_d", 0.25),
    )


CUT = "import atexit, sys\nreport = next(a for a in sys.argv if a.startswith('--junitxml=')).partition('=')[2]\n"
CUT += "def cut():\n    text = open(report).read()\n    open(report, 'w').write(text[: len(text) // 2])\n"
CUT += "def test_one():\n    atexit.register(cut)\n"
GONE = "import os\ndef test_one():\n    os._exit(7)\n"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (CUT, "pytest ended with code 0 and its report is cut, so none of its tests is counted."),
        (GONE, "pytest ended with code 7 and left no report."),
    ],
    ids=["cut", "gone"],
)
def test_a_report_that_is_cut_or_missing_is_told_and_is_a_failure(
    code: str, said: str, tests: Path, capfd: pytest.CaptureFixture
) -> None:
    (tests / "core/test_end.py").write_text(code)
    (tests / "engine/test_more.py").write_text("def test_one(): pass\n")
    assert testing.run(None, []) == 1
    lines = capfd.readouterr().out.splitlines()
    assert said in lines
    assert lines[-1] == "1 passed, 1 failed, 0 skipped"


def test_the_end_tells_seconds_by_group_and_the_slowest_tests(tests: Path, capfd: pytest.CaptureFixture) -> None:
    (tests / "core/test_sleep.py").write_text("import time\ndef test_quick(): pass\ndef test_slow(): time.sleep(0.3)\n")
    (tests / "engine/test_more.py").write_text("".join(f"def test_{number}(): pass\n" for number in range(30)))
    assert testing.run(None, []) == 0
    lines = capfd.readouterr().out.splitlines()
    begin = lines.index("seconds by group, and those of its tests added up:")
    groups = [line.split(maxsplit=2) for line in lines[begin + 1 : begin + 3]]
    assert groups[0][2] == "tests/core, tests/host: 2 passed, 0 failed, 0 skipped"
    assert groups[1][2] == "tests/engine: 30 passed, 0 failed, 0 skipped"
    assert float(groups[0][0]) > float(groups[0][1]) >= 0.3
    begin = lines.index("the slowest tests, in seconds, of 32:")
    slowest = [line.split() for line in lines[begin + 1 : begin + 22]]
    assert slowest[0][1] == "tests/core/test_sleep.py::test_slow"
    assert float(slowest[0][0]) >= 0.3
    assert slowest[20] == [], "twenty of them"


BESIDE = """
import os, pytest
def test_beside(): assert os.environ.get("PYTEST_XDIST_WORKER_COUNT") == "2"
@pytest.mark.alone
def test_alone(): assert "PYTEST_XDIST_WORKER" not in os.environ
"""


def test_what_must_be_alone_comes_after_the_others_in_one_process(
    tests: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):  # of the run that this test is part of
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(testing, "MOST_PROCESSES", 2)
    monkeypatch.setattr(testing.os, "sched_getaffinity", lambda _process: range(8))
    (tests / "core/test_one.py").write_text(BESIDE)
    (tests / "core/test_two.py").write_text(BESIDE.partition("@")[0])
    assert testing.run(None, []) == 0
    assert last_line(capfd) == "3 passed, 0 failed, 0 skipped"
    assert testing.run(None, ["-m", "alone"]) == 0
    assert last_line(capfd) == "1 passed, 0 failed, 0 skipped"


def test_a_death_beside_others_names_its_test_and_takes_no_other_down(
    tests: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(testing.os, "sched_getaffinity", lambda _process: range(2))
    die = "import os\ndef test_before(): pass\ndef test_die(): os.kill(os.getpid(), 9)\ndef test_after(): pass\n"
    (tests / "core/test_death.py").write_text(die)
    (tests / "core/test_more.py").write_text("def test_one(): pass\n")
    assert testing.run(None, []) == 1
    output = capfd.readouterr().out
    assert output.splitlines()[-1] == "3 passed, 1 failed, 0 skipped"
    assert "crashed while running 'tests/core/test_death.py::test_die'" in output


def test_whoever_talks_with_pytest_has_one_process() -> None:
    files = [Path("a"), Path("b")]
    assert testing.count_processes(files, []) >= 1
    for option in ("-s", "--pdb", "-n0", "--numprocesses=1", "--dist=no"):
        assert testing.count_processes(files, [option]) == 1


@pytest.mark.parametrize("real", ["", "/usr/bin/blender"])
def test_a_real_blender_that_did_not_run_is_told(
    real: str, tests: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("BLENDER", real)
    (tests / "engine/test_more.py").write_text("def test_one(): pass\n")
    assert testing.run(None, []) == 0
    assert (testing.NO_REAL_BLENDER in capfd.readouterr().out.splitlines()) == (not real)
