# SPDX-License-Identifier: GPL-3.0-or-later
"""Relief on coordinates that turn it: rendered by Cycles on every face, and compared with the same height as a bump."""

from pathlib import Path

import pytest

from .conftest import Blender, make_blender
from .test_maps import ALL


@pytest.fixture(scope="module")
def faces(
    installed_profile: Path, worker_python: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[float, str, str]]:
    folder = tmp_path_factory.mktemp("relief")
    blender = make_blender(installed_profile, worker_python, folder)
    blender.use_fake(ALL)
    return blender.run("relief.worst_faces", folder=str(folder))


@pytest.mark.parametrize("case", ["flat", "scaled", "attribute"])
def test_normal_map_shows_the_relief_where_it_lies_on_the_uv_map(
    faces: dict[str, tuple[float, str, str]], case: str
) -> None:
    worst, carrier, told = faces[case]
    assert worst > 0.9
    assert carrier == "ShaderNodeNormalMap"
    assert "turn" not in told


@pytest.mark.parametrize("case", ["turned_90", "turned_180", "mirrored", "box"])
def test_bump_carries_the_relief_that_coordinates_turn(faces: dict[str, tuple[float, str, str]], case: str) -> None:
    worst, carrier, told = faces[case]
    assert worst > 0.9
    assert carrier == "ShaderNodeBump"
    assert "The coordinates turn the texture" in told
    assert "UV map" not in told


def test_mapping_turned_later_is_noticed_and_one_button_puts_it_right(blender: Blender, tmp_path: Path) -> None:
    blender.use_fake(ALL)
    blender.run("relief.turned_later", folder=str(tmp_path))
