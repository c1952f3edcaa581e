# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way of a user at the screen, by mouse and keyboard alone."""

import os
from pathlib import Path

import pytest

from .conftest import Blender
from .test_window import WINDOW
from .test_window import pytestmark as needs_window

pytestmark = [needs_window, pytest.mark.slow, pytest.mark.timeout(500)]


def test_from_nothing_to_a_visible_texture_it_takes_three_clicks(blender: Blender, tmp_path: Path) -> None:
    blender.window = WINDOW
    blender.seconds = 400
    pictures = Path(os.environ.get("TILEWRIGHT_PICTURES") or tmp_path / "pictures")
    pictures.mkdir(parents=True, exist_ok=True)
    told = blender.run("by_hand.a_visible_texture_in_three_clicks", pictures=str(pictures))
    if "lack" in told:
        pytest.skip(told["lack"])
    assert told == {"clicks": 3}, "the text box, Generate, Show in Viewport"


def test_texture_by_mouse_and_keyboard(blender: Blender, tmp_path: Path) -> None:
    dying = {"do": "signal", "phase": "SAMPLING", "step": 1, "prompt": "dies"}
    # long enough for a slow hand on a busy machine
    long = [{"do": "hang", "phase": "SAMPLING", "step": 2, "prompt": p, "seconds": 20} for p in ("red brick", "blue")]
    stuck = {"do": "hang", "phase": "SAMPLING", "step": 2, "prompt": "stuck"}
    blender.use_fake({"step_seconds": 0.2, "faults": [dying, *long, stuck]})
    blender.window = WINDOW
    blender.seconds = 400
    pictures = tmp_path / "pictures"  # of each moment, for whoever has to find out what went wrong
    pictures.mkdir()
    lack = blender.run("by_hand.texture_by_mouse_and_keyboard", pictures=str(pictures))
    if lack:
        pytest.skip(lack)
