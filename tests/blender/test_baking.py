# SPDX-License-Identifier: GPL-3.0-or-later
"""Control pictures baked from an object; each rule of scenarios/baking.py is a test."""

import ast
from pathlib import Path

import pytest

from .conftest import Blender
from .test_window import WINDOW
from .test_window import pytestmark as needs_window

SOURCE = Path(__file__).resolve().parent / "scenarios" / "baking.py"
RULES = [
    node.name.removeprefix("rule_")
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("rule_")
]


@pytest.fixture(scope="module")
def outcomes(shared_blender: Blender) -> dict[str, str]:
    return shared_blender.run("baking.run_all")


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, outcomes: dict[str, str]) -> None:
    assert outcomes[rule] == ""


@needs_window
def test_in_a_window_blender_goes_on_meanwhile(own_blender: Blender) -> None:
    own_blender.window = WINDOW
    own_blender.seconds = 300
    assert own_blender.run("baking.in_a_window") == "done"
