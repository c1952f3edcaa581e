# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole material arrives wherever the file goes: exported by Blender's own exporters, and read back."""

from pathlib import Path

import pytest

from .conftest import Blender
from .test_maps import ALL


@pytest.mark.parametrize("file_format", ["gltf", "usd", "obj", "fbx"])
def test_whole_material_arrives(blender: Blender, tmp_path: Path, file_format: str) -> None:
    blender.use_fake(ALL)
    if not blender.run(f"exports.{file_format}", folder=str(tmp_path)):
        pytest.skip(f"this Blender cannot export {file_format}")
