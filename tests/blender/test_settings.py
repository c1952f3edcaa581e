# SPDX-License-Identifier: GPL-3.0-or-later
"""One table of settings: each is a property, and in requests, recipes, presets, options, panel and manual."""

import ast
import json
import re
import runpy
from pathlib import Path

import pytest

from .conftest import ROOT, Blender

SETTINGS = runpy.run_path(str(ROOT / "addon" / "blender" / "settings" / "table.py"))["SETTINGS"]
SOURCE = Path(__file__).resolve().parent / "scenarios" / "settings.py"
RULES = [
    node.name.removeprefix("rule_")
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("rule_")
]


@pytest.fixture(scope="module")
def outcomes(shared_blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    model = tmp_path_factory.mktemp("models") / "plain"
    for name, content in (
        ("model_index.json", {"_class_name": "StableDiffusionPipeline"}),
        ("scheduler/scheduler_config.json", {"prediction_type": "epsilon"}),
        ("unet/config.json", {"sample_size": 32}),
    ):
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_text(json.dumps(content), encoding="ascii")
    folder = tmp_path_factory.mktemp("settings")
    return shared_blender.run("settings.run_all", model=str(model), folder=str(folder))


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, outcomes: dict[str, str]) -> None:
    assert outcomes[rule] == ""


def test_the_panel_draws_each_and_no_other() -> None:
    sources = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "addon" / "blender").glob("*/*.py"))
    drawn = set(re.findall(r"\.(?:prop|prop_menu_enum|textbox|template_ID)\(\s*settings, \"(\w+)\"", sources))
    assert '"makes"' in sources  # a choice of two, which sets `maps`
    found = re.findall(r"enumerate\(settings\.(\w+)\)", sources)
    assert sorted(found) == ["controls", "embeddings", "loras"]  # file by file
    assert drawn | {"maps", "loras", "embeddings", "controls"} == {setting.name for setting in SETTINGS}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_manual_names_each(setting: object) -> None:
    files = [ROOT / "README.md", *(ROOT / "tools" / "manual").glob("*.md")]
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    assert re.search(rf"\b{setting.name}\b", text)
    assert not setting.option or re.search(rf"{setting.option}\b", text)
