# SPDX-License-Identifier: GPL-3.0-or-later
"""LoRAs and embeddings in Blender; each rule of scenarios/loras.py is a test."""

import ast
import json
from pathlib import Path

import pytest

from .conftest import Blender

SOURCE = Path(__file__).resolve().parent / "scenarios" / "loras.py"
RULES = [
    node.name.removeprefix("rule_")
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("rule_")
]


@pytest.fixture(scope="module")
def outcomes(shared_blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("loras")
    for name, content in (
        ("model_index.json", {"_class_name": "StableDiffusionPipeline"}),
        ("scheduler/scheduler_config.json", {"prediction_type": "epsilon"}),
        ("unet/config.json", {"sample_size": 32}),
    ):
        (folder / "plain" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "plain" / name).write_text(json.dumps(content), encoding="ascii")
    return shared_blender.run("loras.run_all", model=str(folder / "plain"), folder=str(folder))


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, outcomes: dict[str, str]) -> None:
    assert outcomes[rule] == ""
