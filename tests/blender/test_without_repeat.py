# SPDX-License-Identifier: GPL-3.0-or-later
"""A tile laid without a visible repeat: one run of Blender tries all rules, and Cycles renders what comes of it."""

import ast
from pathlib import Path

import pytest

from .conftest import Blender
from .test_maps import ALL

SOURCE = Path(__file__).resolve().parent / "scenarios" / "without_repeat.py"
RULES = [
    node.name.removeprefix("rule_")
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("rule_")
]


@pytest.fixture(scope="module")
def outcomes(shared_blender: Blender) -> dict[str, str]:
    shared_blender.use_fake(ALL)
    return shared_blender.run("without_repeat.run_all")


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, outcomes: dict[str, str]) -> None:
    assert outcomes[rule] == ""


@pytest.fixture(scope="module")
def figures(shared_blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    shared_blender.use_fake(ALL)
    folder = tmp_path_factory.mktemp("field")
    return shared_blender.run("without_repeat.rendered", folder=str(folder))


def test_period_is_gone_from_an_eight_by_eight_field(figures: dict[str, dict[str, float]]) -> None:
    assert figures["plain"]["peak"] > 0.99
    assert abs(figures["laid"]["peak"]) < 0.15


def test_mean_and_contrast_stay_those_of_the_plain_tile(figures: dict[str, dict[str, float]]) -> None:
    assert figures["laid"]["mean"] == pytest.approx(figures["plain"]["mean"], rel=0.03)
    assert figures["laid"]["deviation"] == pytest.approx(figures["plain"]["deviation"], rel=0.1)


def test_strength_zero_is_the_plain_tile(figures: dict[str, dict[str, float]]) -> None:
    assert figures["strength 0"]["from plain"] < 0.01


def test_half_the_strength_keeps_the_contrast_and_lowers_the_peak(figures: dict[str, dict[str, float]]) -> None:
    assert figures["strength 0.5"]["deviation"] == pytest.approx(figures["plain"]["deviation"], rel=0.1)
    assert figures["laid"]["peak"] < figures["strength 0.5"]["peak"] < 0.8


def test_what_is_taken_out_renders_as_before_to_the_bit(figures: dict[str, dict[str, float]]) -> None:
    assert figures["taken out"]["from plain"] == 0.0


def test_normals_that_are_laid_have_length_one_and_no_lean(figures: dict[str, dict[str, float]]) -> None:
    assert figures["normals"]["length off"] < 0.01
    assert figures["normals"]["lean"] < 0.02
    assert figures["normals"]["slope"] == pytest.approx(figures["plain normals"]["slope"], rel=0.15)


@pytest.fixture(scope="module")
def sets(shared_blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, int]]:
    shared_blender.use_fake(ALL)
    folder = tmp_path_factory.mktemp("sets")
    return shared_blender.run("without_repeat.laid_sets", folder=str(folder))


@pytest.mark.parametrize("count", [4, 8, 16])
def test_set_is_laid_so_that_every_edge_fits_and_every_tile_is_used(
    sets: dict[str, dict[str, int]], count: int
) -> None:
    assert sets[str(count)] == {"misfits": 0, "tiles": count}


def test_transition_shows_at_each_corner_what_the_mask_has_there(
    shared_blender: Blender, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shared_blender.use_fake(ALL)
    told = shared_blender.run("without_repeat.laid_by_mask", folder=str(tmp_path_factory.mktemp("mask")))
    assert told == {"wrong": 0, "of": 196, "colors": 2}


def test_laid_height_moves_the_surface_between_its_old_ends(figures: dict[str, dict[str, float]]) -> None:
    low, high = figures["height"]["low"], figures["height"]["high"]
    assert figures["plain height"]["low"] - 0.02 <= low < high <= figures["plain height"]["high"] + 0.02
