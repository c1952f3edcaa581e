# SPDX-License-Identifier: GPL-3.0-or-later
"""Picking from the library of models in Blender; each rule of scenarios/picking.py is a test."""

import ast
import json
from pathlib import Path

import pytest

from .conftest import Blender

SOURCE = Path(__file__).resolve().parent / "scenarios" / "picking.py"
RULES = [
    node.name.removeprefix("rule_")
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("rule_")
]


@pytest.fixture(scope="module")
def outcomes(shared_blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("picking").resolve()
    for name, content in (
        ("model_index.json", {"_class_name": "StableDiffusionPipeline"}),
        ("scheduler/scheduler_config.json", {"prediction_type": "epsilon"}),
        ("unet/config.json", {"_class_name": "UNet2DConditionModel", "cross_attention_dim": 768, "sample_size": 32}),
    ):
        (folder / "plain" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "plain" / name).write_text(json.dumps(content), encoding="ascii")
    return shared_blender.run("picking.run_all", model=str(folder / "plain"), folder=str(folder))


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, outcomes: dict[str, str]) -> None:
    assert outcomes[rule] == ""
