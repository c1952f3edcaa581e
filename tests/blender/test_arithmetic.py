# SPDX-License-Identifier: GPL-3.0-or-later
"""What nodes are said to do to numbers is what Cycles renders."""

from pathlib import Path

from .conftest import Blender


def test_nodes_do_to_numbers_what_is_said_of_them(blender: Blender, tmp_path: Path) -> None:
    told = blender.run("arithmetic.differences", folder=str(tmp_path))
    assert len(told) > 30
    assert {case: worst for case, worst in told.items() if worst > 0.005} == {}
