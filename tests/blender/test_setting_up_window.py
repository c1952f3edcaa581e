# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way of a new user in a real Blender on a screen: the zip by Blender's own command, a click, a texture.

Its pictures go to the folder that $TILEWRIGHT_PICTURES names, for whoever wants to look at them.
"""

import os
from pathlib import Path

import pytest

from tests.index import Index

from .conftest import BLENDER, Blender
from .test_setting_up import ENGINE, LARGE, use_list
from .test_window import WINDOW

pytestmark = pytest.mark.skipif(
    not (WINDOW and BLENDER), reason="BLENDER_WINDOW and BLENDER name no Blender with a window"
)


def test_from_nothing_to_a_texture_in_a_window(zip_file: Path, worker_python: str, tmp_path: Path) -> None:
    pictures = Path(os.environ.get("TILEWRIGHT_PICTURES") or tmp_path / "pictures")
    pictures.mkdir(parents=True, exist_ok=True)
    blender = Blender(tmp_path / "profile", tmp_path, worker_python)
    blender.variables["PIP_CONFIG_FILE"] = os.devnull
    done = blender.spawn([BLENDER, "--command", "extension", "install-file", "-r", "user_default", "-e", str(zip_file)])
    assert done.returncode == 0, done.stdout + done.stderr
    use_list(blender)
    blender.window = WINDOW
    blender.seconds = 280
    index = Index(ENGINE, LARGE)
    index.faults[LARGE[0]] = ["slow"]
    try:
        blender.run("setting_up_window.from_nothing_to_a_texture", index=index.url, pictures=str(pictures))
    finally:
        index.close()
    assert len(list(pictures.glob("*.png"))) >= 6
