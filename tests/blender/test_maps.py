# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole material's maps: one run of Blender tries all rules, each from a new file."""

import ast
import os
from pathlib import Path

import pytest

from .conftest import BLENDER, Blender

SOURCE = Path(__file__).resolve().parent / "scenarios" / "maps.py"
RULES = [
    node.name.removeprefix("rule_")
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("rule_")
]
ALL = {"maps": ["height", "normal", "roughness", "metallic", "occlusion"]}


@pytest.fixture(scope="module")
def outcomes(shared_blender: Blender) -> dict[str, str]:
    shared_blender.use_fake(ALL)
    return shared_blender.run("maps.run_all")


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, outcomes: dict[str, str]) -> None:
    assert outcomes[rule] == ""


@pytest.fixture
def with_maps(blender: Blender) -> Blender:
    blender.use_fake(ALL)
    return blender


def test_saved_file_holds_all_maps(with_maps: Blender, tmp_path: Path) -> None:
    with_maps.run("maps.saved_and_reopened", file=str(tmp_path / "saved.blend"))


def test_file_does_not_grow_with_every_texture(with_maps: Blender, tmp_path: Path) -> None:
    counts = with_maps.run("maps.grows_no_more", file=str(tmp_path / "saved.blend"))
    assert counts[0] == 6
    assert counts[1] == counts[2] == counts[3] <= 12, "the present ones, and what they are compared with"


def test_maps_are_copied_beside_the_file_under_names_of_their_own(with_maps: Blender, tmp_path: Path) -> None:
    with_maps.run("maps.saved_with_copies", file=str(tmp_path / "saved.blend"))


def test_try_on_restores_a_whole_material_exactly(with_maps: Blender) -> None:
    with_maps.run("maps.try_on_restores_a_whole_material")


def test_catalog_is_written_beside_the_file_and_keeps_what_stood_there(with_maps: Blender, tmp_path: Path) -> None:
    catalogs = tmp_path / "blender_assets.cats.txt"
    mine = "# mine\nVERSION 1\n\n11111111-2222-3333-4444-555555555555:Mine/Own:Mine-Own\n"
    catalogs.write_text(mine, encoding="utf-8")
    id_ = with_maps.run(
        "maps.catalog_is_written_beside_the_file", file=str(tmp_path / "a.blend"), catalogs=str(catalogs)
    )
    assert catalogs.read_text(encoding="utf-8").startswith(mine)
    assert id_ in catalogs.read_text(encoding="utf-8")


def test_maps_of_a_lost_target_are_kept(with_maps: Blender) -> None:
    with_maps.run("maps.maps_of_a_lost_target_are_kept")


def test_one_undo_takes_the_whole_material_back(with_maps: Blender) -> None:
    with_maps.run("maps.undo_takes_the_whole_material_back", hard_exit=True)


@pytest.mark.skipif(
    not (BLENDER and os.environ.get("BLENDER_WINDOW")),
    reason="BLENDER_WINDOW and BLENDER name no Blender with a window",
)
def test_an_asset_shows_its_texture_in_a_window(with_maps: Blender) -> None:
    with_maps.window = os.environ["BLENDER_WINDOW"]
    with_maps.run("maps.asset_shows_its_texture")
