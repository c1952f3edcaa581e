# SPDX-License-Identifier: GPL-3.0-or-later
"""Bake: one run of Blender tries all rules, each with another Blender that bakes."""

import ast
from pathlib import Path

import pytest

from .conftest import Blender
from .test_maps import ALL

SOURCE = Path(__file__).resolve().parent / "scenarios" / "material_bake.py"
RULES = [
    node.name.removeprefix("rule_")
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("rule_")
]


@pytest.fixture(scope="module")
def outcomes(shared_blender: Blender) -> dict[str, str]:
    shared_blender.use_fake(ALL)
    return shared_blender.run("material_bake.run_all")


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, outcomes: dict[str, str]) -> None:
    assert outcomes[rule] == ""
