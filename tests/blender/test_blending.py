# SPDX-License-Identifier: GPL-3.0-or-later
"""Two materials blended by a mask: one run of Blender tries all rules, and Cycles renders what comes of it."""

import ast
from pathlib import Path

import pytest

from .conftest import Blender
from .test_maps import ALL

SOURCE = Path(__file__).resolve().parent / "scenarios" / "blending.py"
RULES = [
    node.name.removeprefix("rule_")
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("rule_")
]
FIRST, SECOND = (0.8, 0.1, 0.1), (0.1, 0.7, 0.2)


@pytest.fixture(scope="module")
def outcomes(shared_blender: Blender) -> dict[str, str]:
    shared_blender.use_fake(ALL)
    return shared_blender.run("blending.run_all")


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, outcomes: dict[str, str]) -> None:
    assert outcomes[rule] == ""


@pytest.fixture(scope="module")
def figures(shared_blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    shared_blender.use_fake(ALL)
    return shared_blender.run("blending.rendered", folder=str(tmp_path_factory.mktemp("blend")))


def _color(figure: dict[str, float]) -> tuple[float, ...]:
    return tuple(figure[name] for name in "rgb")


def _deviation(figure: dict[str, float]) -> float:
    return max(figure[f"{name} off"] for name in "rgb")


@pytest.mark.parametrize(("name", "wanted"), [("black", FIRST), ("black, hard", FIRST), ("white", SECOND)])
def test_ends_of_the_mask_are_one_material_alone_whatever_its_height(
    figures: dict[str, dict[str, float]], name: str, wanted: tuple[float, ...]
) -> None:
    assert _color(figures[name]) == pytest.approx(wanted, abs=2e-3)
    assert _deviation(figures[name]) < 1e-3


def test_without_contrast_it_is_a_plain_fade(figures: dict[str, dict[str, float]]) -> None:
    half = [(one + other) / 2 for one, other in zip(FIRST, SECOND, strict=True)]
    assert _color(figures["half, no contrast"]) == pytest.approx(half, abs=2e-3)
    assert _deviation(figures["half, no contrast"]) < 1e-3
    assert figures["half, no contrast, Roughness"]["r"] == pytest.approx(0.3, abs=2e-3)
    assert figures["half, no contrast, Metallic"]["r"] == pytest.approx(0.45, abs=2e-3)


def test_contrast_has_the_higher_one_win(figures: dict[str, dict[str, float]]) -> None:
    fade, soft, hard = (_deviation(figures[f"half, {name}"]) for name in ("no contrast", "contrast", "hard"))
    assert fade < 0.1 < soft < hard
    assert hard == pytest.approx(0.35, rel=0.1)  # half of the way between both: each pixel is one of them


def test_offset_shows_more_of_the_second(figures: dict[str, dict[str, float]]) -> None:
    assert figures["half, raised"]["g"] > figures["half, contrast"]["g"] + 0.1


def test_flat_normals_stay_flat(figures: dict[str, dict[str, float]]) -> None:
    for name in ("black", "white", "half, contrast"):
        assert _color(figures[f"{name}, Normal"]) == pytest.approx((0.0, 0.0, 1.0), abs=5e-3)


def test_what_is_removed_renders_as_before(figures: dict[str, dict[str, float]]) -> None:
    assert figures["removed"] == figures["first alone"]
