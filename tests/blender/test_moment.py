# SPDX-License-Identifier: GPL-3.0-or-later
"""When a result goes into the file, and what is drawn again meanwhile; most of it shows only in a window."""

import pytest

from .conftest import Blender
from .test_window import WINDOW
from .test_window import pytestmark as needs_window


@needs_window
@pytest.mark.parametrize(
    ("scenario", "arguments"),
    [
        ("texture_waits_for_a_grab", {}),
        ("texture_waits_for_a_render", {"locked": False}),
        ("texture_waits_for_a_render", {"locked": True}),
        ("texture_waits_for_a_bake", {}),
        ("only_what_shows_a_job_is_drawn_again", {}),
        ("picture_in_the_making_is_shown", {}),
    ],
    ids=lambda value: "-".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else value,
)
def test_moment(blender: Blender, scenario: str, arguments: dict) -> None:
    blender.use_fake({"step_seconds": 0.2})
    blender.window = WINDOW
    lack = blender.run(f"moment.{scenario}", **arguments)
    if lack:
        pytest.skip(lack)
