# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a texture goes in a material: one run of Blender tries all rules, each from a new file."""

import ast
from pathlib import Path

import pytest

from .conftest import Blender

SOURCE = Path(__file__).resolve().parent / "scenarios" / "rules.py"
RULES = [
    node.name.removeprefix("rule_")
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("rule_")
]


@pytest.fixture(scope="module")
def outcomes(shared_blender: Blender) -> dict[str, str]:
    return shared_blender.run("rules.run_all")


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, outcomes: dict[str, str]) -> None:
    assert outcomes[rule] == ""
