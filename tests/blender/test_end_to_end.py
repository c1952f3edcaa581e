# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job with the real engine and the starter model: text in, seamless texture in the image node."""

import os

import pytest

from .conftest import Blender


@pytest.mark.skipif(not os.environ.get("TILEWRIGHT_PYTHON"), reason="TILEWRIGHT_PYTHON names no Python with the engine")
def test_prompt_becomes_a_seamless_texture_in_the_image_node(blender: Blender) -> None:
    blender.variables["TILEWRIGHT_PYTHON"] = os.environ["TILEWRIGHT_PYTHON"]
    told = blender.run("end_to_end.generate_twice")
    assert told["same"], "the same recipe gave other pixels"
    assert told["edge"] <= told["inside"] * 1.5, told
    assert told["score"] > 0
