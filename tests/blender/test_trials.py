# SPDX-License-Identifier: GPL-3.0-or-later
"""Trying on leaves a material exactly as it was, whatever happens meanwhile: one run of Blender tries all rules."""

import ast
from pathlib import Path

import pytest

from .conftest import Blender
from .test_maps import ALL

SOURCE = Path(__file__).resolve().parent / "scenarios" / "trials.py"
RULES = [
    node.name.removeprefix("rule_")
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("rule_")
]


@pytest.fixture(scope="module")
def outcomes(shared_blender: Blender) -> dict[str, str]:
    shared_blender.use_fake(ALL)
    return shared_blender.run("trials.run_all", hard_exit=True)


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, outcomes: dict[str, str]) -> None:
    assert outcomes[rule] == ""


def test_a_file_saved_during_a_trial_holds_the_material_too(blender: Blender, tmp_path: Path) -> None:
    blender.use_fake(ALL)
    blender.run("trials.is_restored_by_escape", hard_exit=True, file=str(tmp_path / "a.blend"))
