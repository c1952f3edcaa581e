# SPDX-License-Identifier: GPL-3.0-or-later
"""Every button, menu entry and switch that is drawn is pressed, with the operator context that it was drawn with."""

from pathlib import Path

import pytest

from .conftest import Blender
from .test_jobs import stuck
from .test_window import WINDOW
from .test_window import pytestmark as needs_window

pytestmark = [needs_window, pytest.mark.slow, pytest.mark.timeout(1200)]


def test_everything_that_is_drawn_is_pressed(blender: Blender, tmp_path: Path) -> None:
    dying = {"do": "signal", "phase": "SAMPLING", "step": 1, "prompt": "dies"}
    hanging = [fault | {"prompt": "stuck"} for fault in stuck("SAMPLING")["faults"]]
    blender.use_fake({"maps": ["height", "normal", "occlusion"], "seam_score": 2.0, "faults": [dying, *hanging]})
    blender.window = WINDOW
    blender.seconds = 1180
    told = blender.run("press.everything_is_pressed", log=str(tmp_path / "pressed.txt"))
    if "lack" in told:
        pytest.skip(told["lack"])
    print(*told["told"], sep="\n")
    assert told["failed"] == []
    assert told["never"] == [], "drawn, and greyed in every state"
    assert told["buttons"] >= 118
    assert told["switches"] >= 40
