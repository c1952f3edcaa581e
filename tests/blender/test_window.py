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
    "scenario",
    [
        "texture_arrives_by_the_timer",
        "texture_waits_for_a_tool_to_end",
        "timer_outlives_another_file",
        "textures_are_tried_on_by_keys",
        "compare_lasts_while_the_button_is_held",
    ],
)
def test_window(blender: Blender, scenario: str) -> None:
    blender.use_fake({"step_seconds": 0.2})
    blender.window = WINDOW
    blender.run(f"window.{scenario}")


def test_history_shows_what_earlier_sessions_left(blender: Blender) -> None:
    blender.window = WINDOW
    blender.run("window.leave_two_behind")
    blender.run("window.history_shows_what_earlier_sessions_left")


def test_a_list_is_chosen_in_a_dialog(blender: Blender) -> None:
    blender.use_fake({"step_seconds": 0.5})
    blender.window = WINDOW
    lack = blender.run("window.a_list_is_chosen_in_a_dialog")
    if lack:
        pytest.skip(lack)


def test_the_bake_dialog_starts_a_bake(blender: Blender) -> None:
    blender.window = WINDOW
    lack = blender.run("window.the_bake_dialog_starts_a_bake")
    if lack:
        pytest.skip(lack)


def test_a_mask_is_painted_with_a_stroke(blender: Blender) -> None:
    blender.window = WINDOW
    lack = blender.run("window.a_mask_is_painted_with_a_stroke")
    if lack:
        pytest.skip(lack)


def test_heights_keep_their_levels_in_eevee(blender: Blender) -> None:
    blender.use_fake({"maps": ["height"]})
    blender.window = WINDOW
    blender.seconds = 600  # a screen without a graphics card compiles EEVEE's shaders first
    blender.run("pixels.heights_keep_their_levels")
