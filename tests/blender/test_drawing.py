# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel shows in each state, as this Blender's layout would take it."""

from pathlib import Path

from tests.core.test_kinds import XL, write

from .conftest import Blender
from .test_jobs import stuck


def test_panel_tells_each_state(blender: Blender) -> None:
    dying = {"do": "signal", "phase": "SAMPLING", "step": 1, "prompt": "dies"}
    blender.use_fake({"faults": [*stuck("SAMPLING")["faults"], dying]})
    blender.run("drawing.panel_tells_each_state")


def test_a_model_that_repeats_nearly_says_so_before_the_job(blender: Blender) -> None:
    blender.run("drawing.a_model_that_repeats_nearly_says_so_before_the_job")


def test_variants_that_would_be_refused_say_why(blender: Blender) -> None:
    blender.run("drawing.variants_that_would_be_refused_say_why")


def test_a_set_of_tiles_is_told_of_its_result(blender: Blender) -> None:
    blender.use_fake({})
    blender.run("drawing.a_set_of_tiles_is_told_of_its_result")


def test_a_models_file_is_named_in_full(blender: Blender, tmp_path: Path) -> None:
    model = tmp_path / "a photoreal checkpoint.safetensors"
    write(model, XL)
    blender.run("drawing.a_models_file_is_named_in_full", model=str(model))


def test_a_seam_is_mended_along_the_axes_it_was_made_for(blender: Blender) -> None:
    blender.use_fake({"maps": ["height"], "seam_score": 2.0})
    blender.run("drawing.a_seam_is_mended_along_the_axes_it_was_made_for")


def test_panel_tells_what_is_missing(blender: Blender) -> None:
    del blender.variables["TILEWRIGHT_PYTHON"]
    blender.run("drawing.panel_tells_what_is_missing")


def test_texts_are_wrapped_and_nothing_is_lost(blender: Blender) -> None:
    blender.run("drawing.texts_are_wrapped_and_nothing_is_lost")


def test_preferences_can_be_drawn(blender: Blender) -> None:
    blender.run("drawing.preferences_can_be_drawn")


def test_material_part_tells_what_can_be_done(blender: Blender) -> None:
    blender.use_fake({"maps": ["occlusion", "height", "normal"]})
    blender.run("drawing.material_part_tells_what_can_be_done")
