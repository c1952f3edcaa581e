# SPDX-License-Identifier: GPL-3.0-or-later
"""The dialogs of sets and transitions, by mouse and keys in a Blender with a window."""

from pathlib import Path

import pytest

from .conftest import Blender
from .test_window import WINDOW
from .test_window import pytestmark as needs_window


@needs_window
def test_dialogs_of_sets(blender: Blender, tmp_path: Path) -> None:
    blender.use_fake({"step_seconds": 0.5})
    blender.window = WINDOW
    blender.seconds = 400
    if lack := blender.run("sets_window.dialogs", pictures=str(tmp_path)):
        pytest.skip(lack)
