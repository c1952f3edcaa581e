# SPDX-License-Identifier: GPL-3.0-or-later
"""Enabling and disabling, and what is left when Blender dies."""

import os
import time
from pathlib import Path

import pytest

from .conftest import Blender
from .test_jobs import stuck


@pytest.fixture
def blender(own_blender: Blender) -> Blender:
    """Each run is a process of its own: here they end, and what is counted is all of it."""
    return own_blender


def test_fault_8_enabling_and_disabling_twenty_times_leaves_nothing(blender: Blender) -> None:
    blender.use_fake({"step_seconds": 0.02} | stuck("SAMPLING"))
    blender.run("lifecycle.enabled_and_disabled_twenty_times")


def test_fault_7_killed_blender_leaves_no_worker_and_its_results_are_listed(blender: Blender, tmp_path: Path) -> None:
    blender.use_fake({"faults": [{"do": "hang", "phase": "SAMPLING", "image": 1, "step": 1}]})
    flag = tmp_path / "started"
    blender.variables["TILEWRIGHT_TEST_FILE"] = str(flag)
    process = blender.popen(blender.script("lifecycle.start_and_wait_to_be_killed"))
    try:
        end = time.monotonic() + 60
        while not (flag.exists() and flag.read_text()) and process.poll() is None:
            assert time.monotonic() < end, "it did not start"
            time.sleep(0.05)
    finally:
        process.kill()
        output = process.communicate()
    assert flag.exists(), output
    (worker,) = flag.read_text().split()
    end = time.monotonic() + 5
    while is_alive(int(worker)):
        assert time.monotonic() < end, "the worker lives on"
        time.sleep(0.05)
    (result,) = blender.run("lifecycle.list_results")
    assert result[0] == "stuck in the second"


def test_blender_that_quits_in_a_job_ends_the_worker(blender: Blender) -> None:
    blender.use_fake(stuck("SAMPLING"))
    (worker,) = blender.run("lifecycle.quit_in_a_job")
    end = time.monotonic() + 5
    while is_alive(int(worker)):
        assert time.monotonic() < end, "the worker lives on"
        time.sleep(0.05)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[:1]
