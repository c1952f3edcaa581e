# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenarios that share a process: none finds what another left, and none takes another down."""

import shutil
import time

import pytest

from .conftest import HARD_EXIT, Blender
from .test_jobs import stuck

pytestmark = pytest.mark.skipif(HARD_EXIT, reason="this Blender cannot run scenarios one after the other")


def test_a_scenario_finds_nothing_of_the_one_before(blender: Blender) -> None:
    blender.use_fake(stuck("SAMPLING"))
    before = blender.run("neighbours.leave_everything_behind")
    assert blender.run("neighbours.find_nothing") == before, "they did not share a process"


def test_environment_variables_are_those_of_each_run(blender: Blender, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["TILEWRIGHT_TEST_ONE", "TILEWRIGHT_TEST_TWO", "HOME"]
    home = blender.run("neighbours.variables", names=names)["HOME"]
    monkeypatch.setenv("TILEWRIGHT_TEST_ONE", "1")
    monkeypatch.delenv("HOME")
    blender.variables["TILEWRIGHT_TEST_TWO"] = "2"
    assert list(blender.run("neighbours.variables", names=names).values()) == ["1", "2", None]
    monkeypatch.undo()
    del blender.variables["TILEWRIGHT_TEST_TWO"]
    assert list(blender.run("neighbours.variables", names=names).values()) == [None, None, home]


def test_results_stay_for_the_next_run_of_a_test_and_a_test_begins_with_none(blender: Blender) -> None:
    assert blender.run("neighbours.results") == 0
    blender.use_fake(stuck("SAMPLING"))
    blender.run("neighbours.leave_everything_behind")
    assert blender.run("neighbours.results") == 1
    shutil.rmtree(blender.store)
    assert blender.run("neighbours.results") == 0


def test_a_scenario_that_fails_is_named_and_the_next_works(blender: Blender) -> None:
    with pytest.raises(AssertionError) as caught:
        blender.run("neighbours.fail")
    for words in ("neighbours.fail failed", "ValueError: for the test", "shortly before"):
        assert words in str(caught.value)
    assert blender.run("neighbours.process") > 0


def test_what_json_cannot_hold_is_a_failure_and_no_death(blender: Blender) -> None:
    first = blender.run("neighbours.process")
    with pytest.raises(AssertionError, match="set is not JSON serializable"):
        blender.run("neighbours.return_what_json_cannot_hold")
    assert blender.run("neighbours.process") != first, "after a failure nobody knows what is left"


def test_a_scenario_that_dies_is_named_and_the_next_works(blender: Blender) -> None:
    first = blender.run("neighbours.process")
    with pytest.raises(AssertionError, match=r"neighbours\.die failed\s+Blender ended with 3"):
        blender.run("neighbours.die")
    assert blender.run("neighbours.process") != first


def test_a_death_after_a_scenario_names_that_one_too(blender: Blender) -> None:
    blender.run("neighbours.die_later", seconds=0.5)
    time.sleep(1.0)
    with pytest.raises(AssertionError, match=r"Blender ended with 4.* Before this one it ran neighbours\.die_later\."):
        blender.run("neighbours.process")
    assert blender.run("neighbours.process") > 0


def test_a_scenario_that_hangs_is_named_and_the_next_works(blender: Blender) -> None:
    first = blender.run("neighbours.process")
    blender.seconds = 2.0
    with pytest.raises(AssertionError, match=r"neighbours\.hang failed\s+Blender hung for 2 s"):
        blender.run("neighbours.hang")
    blender.seconds = 60.0
    assert blender.run("neighbours.process") != first


def test_a_process_of_its_own_is_no_other(own_blender: Blender) -> None:
    assert own_blender.run("neighbours.process") != own_blender.run("neighbours.process")
