# SPDX-License-Identifier: GPL-3.0-or-later
"""Picking from the library of models in Blender; each rule of scenarios/picking.py is a test."""

import ast
import json
import os
import subprocess
from pathlib import Path

import pytest

from .conftest import ROOT, Blender
from .test_window import WINDOW
from .test_window import pytestmark as needs_window

ENGINE = os.environ.get("TILEWRIGHT_PYTHON", "")
# Run by the engine's Python: a model with random weights, and what is for it.
TINY = """
import sys
from pathlib import Path
from tests.engine import lora_makers, networks

folder = Path(sys.argv[1])
unet = networks.small_unet()
networks.sd_pipeline(unet, networks.kl_autoencoder()).save_pretrained(folder / "tiny")
layers = [name for name, _ in unet.named_modules() if name.endswith(("attn1.to_q", "attn2.to_k"))]
content = lora_makers.tensors("kohya", lora_makers.factors(unet, layers, size=2.0))
for name, base in (("moss", "sd_v1"), ("other", "sdxl_base")):
    words = {"ss_base_model_version": base, "modelspec.trigger_phrase": "mossy, damp"}
    lora_makers.write(folder / f"{name}.safetensors", content, **words)
networks.control_net(unet).save_pretrained(folder / "depth")
networks.ip_adapter(unet, folder / "style")
"""

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


@needs_window
@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.skipif(not ENGINE, reason="TILEWRIGHT_PYTHON names no Python with the engine")
def test_a_lora_from_the_library_at_the_screen(own_blender: Blender, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    pictures = Path(os.environ.get("TILEWRIGHT_PICTURES") or tmp_path / "pictures")
    pictures.mkdir(parents=True, exist_ok=True)
    subprocess.run([ENGINE, "-c", TINY, str(models)], check=True, cwd=ROOT)
    own_blender.variables["TILEWRIGHT_PYTHON"] = ENGINE
    own_blender.window, own_blender.seconds = WINDOW, 400
    told = own_blender.run(
        "picking.a_lora_from_the_library_at_the_screen", models=str(models.resolve()), pictures=str(pictures)
    )
    assert told == "done"
