# SPDX-License-Identifier: GPL-3.0-or-later
"""What only a Blender with a window does. $BLENDER_WINDOW names one that finds a screen, which may be a virtual one."""

import os

import pytest

from .conftest import BLENDER, Blender

WINDOW = os.environ.get("BLENDER_WINDOW", "")
pytestmark = pytest.mark.skipif(
    not (WINDOW and BLENDER), reason="BLENDER_WINDOW and BLENDER name no Blender with a window"
)


@pytest.mark.parametrize(
    "scenario", ["texture_arrives_by_the_timer", "texture_waits_for_a_tool_to_end", "timer_outlives_another_file"]
)
def test_window(blender: Blender, scenario: str) -> None:
    blender.use_fake({"step_seconds": 0.2})
    blender.window = WINDOW
    blender.run(f"window.{scenario}")
