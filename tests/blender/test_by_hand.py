# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way of a user at the screen, by mouse and keyboard alone."""

from pathlib import Path

import pytest

from .conftest import Blender
from .test_window import WINDOW
from .test_window import pytestmark as needs_window

pytestmark = [needs_window, pytest.mark.slow, pytest.mark.timeout(500)]


def test_texture_by_mouse_and_keyboard(blender: Blender, tmp_path: Path) -> None:
    dying = {"do": "signal", "phase": "SAMPLING", "step": 1, "prompt": "dies"}
    blender.use_fake({"step_seconds": 0.8, "faults": [dying]})
    blender.window = WINDOW
    blender.seconds = 400
    pictures = tmp_path / "pictures"  # of each moment, for whoever has to find out what went wrong
    pictures.mkdir()
    lack = blender.run("by_hand.texture_by_mouse_and_keyboard", pictures=str(pictures))
    if lack:
        pytest.skip(lack)
