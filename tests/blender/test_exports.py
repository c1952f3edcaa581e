# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole material arrives wherever the file goes: exported by Blender's own exporters, and read back."""

from pathlib import Path

import pytest

from addon.core.recipe import Recipe, read_png

from .conftest import Blender
from .test_command_line import records
from .test_maps import ALL
from .test_window import WINDOW
from .test_window import pytestmark as needs_window


@pytest.mark.parametrize("file_format", ["gltf", "usd", "obj", "fbx"])
def test_whole_material_arrives(blender: Blender, tmp_path: Path, file_format: str) -> None:
    blender.use_fake(ALL)
    if not blender.run(f"exports.{file_format}", folder=str(tmp_path)):
        pytest.skip(f"this Blender cannot export {file_format}")


def test_usd_gets_one_tile_of_a_set(own_blender: Blender, tmp_path: Path) -> None:
    own_blender.use_fake(ALL)
    if not own_blender.run("exports.usd_of_a_set", folder=str(tmp_path)):
        pytest.skip("this Blender has no USD, or not its Python")


def test_maps_are_named_packed_and_turned_as_a_game_engine_wants_them(blender: Blender, tmp_path: Path) -> None:
    blender.use_fake(ALL)
    blender.run("exports.export_maps", folder=str(tmp_path))


def test_maps_are_written_by_a_second_blender_so_that_this_one_is_not_blocked(blender: Blender, tmp_path: Path) -> None:
    seconds = blender.run("exports.export_elsewhere", folder=str(tmp_path))
    assert max(seconds.values()) < 0.2, "what happens here is no more than copying"


@needs_window
def test_blender_goes_on_while_maps_are_written(blender: Blender, tmp_path: Path) -> None:
    blender.window = WINDOW
    blender.seconds = 400
    told = blender.run("exports.export_from_the_panel", folder=str(tmp_path))
    assert max(told["pressed"], told["watched"]) < min(0.2, told["blocked"]), told
    print(told)


def test_tiles_of_a_set_are_cut_to_the_number(shared_blender: Blender, tmp_path: Path) -> None:
    shared_blender.run("exports.tiles", folder=str(tmp_path))


def test_command_line_exports_maps(blender: Blender, tmp_path: Path) -> None:
    blender.use_fake(ALL)
    # fmt: off
    done = blender.command(
        "generate", "--prompt", "brick", "--seed", "7", "--size", "64", "--output", str(tmp_path / "out"),
        "--maps", "all", "--export", "unreal", "--bits", "8",
    )
    # fmt: on
    assert done.returncode == 0, done.stderr
    (record,) = records(tmp_path / "out")
    assert record["export"] == ["T_brick-7_BC.png", "T_brick-7_N.png", "T_brick-7_ORM.png", "T_brick-7_H.png"]
    assert all((tmp_path / "out" / name).is_file() for name in record["export"])
    assert read_png(tmp_path / "out" / "T_brick-7_BC.png") == Recipe.from_json(record["recipe"])
