# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing a model's file, in Blender: one run tries all rules, each from a new file."""

import ast
from pathlib import Path

import pytest

from tests.core.test_kinds import XL, Shapes, kohya, write

from .conftest import Blender

SOURCE = Path(__file__).resolve().parent / "scenarios" / "model_choice.py"
RULES = [
    node.name.removeprefix("rule_")
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("rule_")
]


Z_IMAGE: Shapes = {"layers.0.adaLN_modulation.0.weight": (15360, 256), "cap_embedder.0.weight": (2560,)}


@pytest.fixture(scope="module")
def outcomes(shared_blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("files").resolve()
    (folder / "models" / "alone").mkdir(parents=True)
    paths = {
        "checkpoint": write(folder / "some xl.safetensors", XL),
        "lora": write(folder / "a lora.safetensors", kohya(2048)),
        "pickle": folder / "old.ckpt",
        # in a folder of its own, beside which there is nothing
        "denoiser": write(folder / "models" / "alone" / "z_image_turbo.safetensors", Z_IMAGE),
        "parts": folder / "models" / "list" / "Z-Image",
    }
    paths["pickle"].touch()
    (paths["parts"] / "transformer").mkdir(parents=True)
    (paths["parts"] / "model_index.json").write_text('{"_class_name": "ZImagePipeline"}')
    (paths["parts"] / "transformer" / "config.json").write_text('{"_class_name": "ZImageTransformer2DModel"}')
    return shared_blender.run("model_choice.run_all", **{name: str(path) for name, path in paths.items()})


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, outcomes: dict[str, str]) -> None:
    assert outcomes[rule] == ""
