# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/FAULTS.md says which case is tested where; here that is held against the tests."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
ROW = re.compile(r"^\| (\d+) \| .+ \| (.+) \|$", re.MULTILINE)


def listed() -> dict[int, list[str]]:
    """Number -> files below tests/."""
    rows = ROW.findall((TESTS / "FAULTS.md").read_text(encoding="utf-8"))
    return {int(number): re.findall(r"`([^`]+)`", files) for number, files in rows}


@pytest.mark.parametrize("number", range(1, 31))
def test_every_fault_has_tests_with_its_number_where_the_list_says(number: int) -> None:
    files = listed().get(number, [])
    assert files, f"tests/FAULTS.md does not say where fault {number} is tested"
    for file in files:
        text = (TESTS / file).read_text(encoding="utf-8")
        assert re.search(rf"^def test_fault_{number}_", text, re.MULTILINE), f"{file} has no test_fault_{number}_..."
