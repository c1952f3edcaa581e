# SPDX-License-Identifier: GPL-3.0-or-later
"""What a script, and so the panel, can ask for and gets, with an engine that has no torch."""

import json
from pathlib import Path

import pytest

from addon.core.families.catalogue import resolve
from addon.core.recipe import Recipe, read_png

from .conftest import Blender

PHASES = ["STARTING", "LOADING", "ENCODING", "SAMPLING", "DECODING", "SAVING"]


def stuck(*phases: str) -> dict:
    """A fake engine that stands still in a phase if the prompt says so."""
    return {"faults": [{"do": "hang", "phase": phase, "prompt": f"stuck in {phase}"} for phase in phases]}


def dying(**fault: object) -> dict:
    return {"step_seconds": 0.05, "faults": [{"prompt": "dies", **fault}]}


def test_image_carries_the_recipe_that_its_png_has(blender: Blender) -> None:
    told = blender.run("jobs.image_carries_its_recipe")
    recipe = read_png(Path(told["file"]))
    assert recipe == Recipe.loads(told["recipe"])
    request = recipe.request.to_json()
    assert request == {
        "kind": "texture",
        "prompt": "oak planks",
        "negative_prompt": "text",
        "size": [128, 64],
        "steps": 2,
        "guidance_scale": 3.5,
        "seed": 77,
        "count": 1,
        "axes": "X",
        "scheduler": "UNIPC",
        "model": "starter",
    }
    assert Path(told["file"]).parent.parent == blender.store


def test_settings_have_the_documented_names_and_defaults(blender: Blender) -> None:
    told = blender.run("jobs.defaults_are_the_models")
    assert told["shown"] == {
        "prompt": "",
        "template": "",
        "negative_prompt": "",
        "width": 512,
        "height": 512,
        "steps": 0,
        "guidance_scale": 0.0,
        "seed": 0,
        "use_random_seed": True,
        "count": 1,
        "variation": 0.0,
        "variation_seed": 0,
        "template_image": None,
        "strength": pytest.approx(0.6),
        "fit": "STRETCH",
        "make_tileable": True,
        "region": "ALL",
        "mask": None,
        "cover": True,
        "feather": 1 / 64,
        "wear_amount": 0.5,
        "keep_edges": False,
        "upscale": "1",
        "upscaler": "starter",
        "maps": False,
        "map_kinds": ["HEIGHT", "METALLIC", "NORMAL", "OCCLUSION", "ROUGHNESS"],
        "map_networks": "starter",
        "kind": "AUTO",
        "delight": False,
        "invert_relief": False,
        "tiling": "XY",
        "scheduler": "MODEL",
        "sigmas": "MODEL",
        "model": "starter",
        "vae": "",
        "parts": "",
        "variants": "1",
        "detail": "MEDIUM",
        "loras": 0,
        "embeddings": 0,
        "clip_skip": 0,
        "controls": 0,
        "style_file": "",
        "style_encoder": "",
        "style_picture": None,
        "style_strength": pytest.approx(0.6),
        "target": "BASE_COLOR",
    }
    defaults = resolve("starter").defaults
    assert told["request"]["steps"] == defaults.steps
    assert told["request"]["guidance_scale"] == defaults.guidance_scale


def test_random_seed_is_drawn_and_written_back(blender: Blender) -> None:
    blender.run("jobs.random_seed_is_written_back")


def test_fault_28_two_presses_are_two_jobs_with_one_image_each(blender: Blender) -> None:
    blender.run("jobs.two_presses_are_two_jobs_with_one_image_each")
    assert len(blender.results) == 2


def test_pause_in_ticks_delivers_once(blender: Blender) -> None:
    blender.run("jobs.pause_in_ticks_delivers_once")


@pytest.mark.alone
def test_no_tick_keeps_blender_from_drawing(blender: Blender) -> None:
    # a few milliseconds on an idle machine; the limit leaves room for a busy one
    assert blender.run("jobs.ticks_are_short") < 0.1


def test_fault_4_cancel_works_in_every_phase(blender: Blender) -> None:
    blender.use_fake(stuck(*PHASES))
    blender.run("jobs.cancel_works_in_every_phase", phases=PHASES)
    assert len(blender.results) == 1


def test_cancelling_one_job_leaves_the_other(blender: Blender) -> None:
    blender.use_fake(stuck("SAMPLING"))
    blender.run("jobs.cancelling_one_leaves_the_other")


def test_fault_1_killed_worker_fails_the_job_by_its_signal(blender: Blender) -> None:
    blender.use_fake(dying(do="signal", phase="SAMPLING", step=1))
    blender.run("jobs.failing_job_is_told_once_and_the_next_works", said="signal 9", seconds=10)


def test_fault_2_garbage_from_the_worker_fails_the_job_once(blender: Blender) -> None:
    blender.use_fake(dying(do="garbage", phase="SAMPLING", step=1, bytes=5000))
    blender.run("jobs.failing_job_is_told_once_and_the_next_works", said="sent what is no message", seconds=10)


def test_failure_that_the_worker_explains_is_passed_on(blender: Blender) -> None:
    blender.use_fake(dying(do="fail", phase="LOADING", kind="memory", message="Out of memory.", hint="Be modest."))
    blender.run("jobs.failing_job_is_told_once_and_the_next_works", said="Out of memory. Be modest.", seconds=10)


def test_finished_part_of_a_failed_job_is_offered(blender: Blender) -> None:
    blender.use_fake(dying(do="fail", phase="SAMPLING", image=1, kind="memory", message="Out of memory."))
    blender.run("jobs.finished_part_of_a_failed_job_is_offered")


def test_fault_28_doubled_stale_and_reordered_messages_change_nothing(blender: Blender) -> None:
    for mode in ("doubled", "stale", "reordered"):
        blender.use_fake({"messages": mode})
        blender.run("jobs.disturbed_messages_change_nothing")


def test_fault_10_undo_removes_the_texture_and_redo_restores_its_pixels(blender: Blender) -> None:
    blender.run("changes.undo_removes_and_redo_restores", hard_exit=True)


def test_fault_10_undo_takes_a_new_material_back(blender: Blender) -> None:
    blender.run("changes.undo_takes_a_new_material_back", hard_exit=True)


def test_script_in_another_scene_gets_its_texture(blender: Blender) -> None:
    blender.run("changes.another_scene_by_override", hard_exit=True)


def test_fault_10_undo_works_in_edit_mode(blender: Blender) -> None:
    blender.run("changes.undo_in_edit_mode", hard_exit=True)


def test_fault_10_undo_and_redo_during_a_job_leave_no_dead_reference(blender: Blender) -> None:
    blender.use_fake({"step_seconds": 0.2})
    blender.run("changes.undo_and_redo_during_a_job", hard_exit=True)


def test_fault_11_target_deleted_during_a_job_leaves_the_image(blender: Blender) -> None:
    blender.use_fake({"step_seconds": 0.1})
    for what in ("material", "object", "node", "image"):
        blender.run("changes.target_deleted_during_a_job", what=what)


def test_fault_9_another_file_opened_during_a_job_is_not_touched(blender: Blender) -> None:
    blender.use_fake({"step_seconds": 0.1})
    blender.run("changes.another_file_is_not_touched")


def test_fault_29_tick_that_fails_is_logged_and_the_next_delivers(blender: Blender) -> None:
    blender.run("jobs.a_tick_that_fails_is_not_the_last")


def test_fault_16_odd_prompts_are_kept_exactly_or_refused(blender: Blender) -> None:
    recipe, file = blender.run("jobs.odd_prompts_are_kept_exactly_or_refused")
    assert read_png(Path(file)) == Recipe.loads(recipe)


def test_fault_17_panel_cannot_ask_for_odd_sizes(blender: Blender) -> None:
    blender.run("jobs.panel_cannot_ask_for_odd_sizes", sizes=[-1, 0, 1, 513, 8192, 2**31 - 1])


def test_errors_are_sentences_and_the_next_job_works(blender: Blender) -> None:
    blender.run("jobs.errors_are_sentences", model_folder=str(blender.folder))


def test_missing_engine_is_told_before_anything_is_pressed(blender: Blender) -> None:
    del blender.variables["TILEWRIGHT_PYTHON"]
    told = blender.run("jobs.missing_engine_is_told_before_anything_is_pressed")
    assert "Press Install" in told


def test_missing_engine_that_is_named_is_no_error_any_more(blender: Blender) -> None:
    python = blender.variables.pop("TILEWRIGHT_PYTHON")
    blender.run("jobs.missing_engine_that_is_named_is_no_error_any_more", python=python)


def test_schedulers_are_those_that_fit_the_model(blender: Blender, tmp_path: Path) -> None:
    models = []
    for prediction in ("epsilon", "flow_prediction"):
        model = tmp_path / "models" / prediction
        for name, content in (
            ("model_index.json", {"_class_name": "StableDiffusionPipeline"}),
            ("scheduler/scheduler_config.json", {"prediction_type": prediction}),
            ("unet/config.json", {"sample_size": 32}),
        ):
            (model / name).parent.mkdir(parents=True, exist_ok=True)
            (model / name).write_text(json.dumps(content), encoding="ascii")
        models.append(str(model))
    blender.run("jobs.schedulers_are_those_that_fit", plain=models[0], model=models[1])


def test_fault_14_store_that_cannot_be_written_is_named(blender: Blender, tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.write_text("in the way")
    blender.run("jobs.store_that_cannot_be_written", folder=str(file / "store"))


def test_fault_14_full_disk_leaves_no_partial_file_and_older_results_whole(blender: Blender) -> None:
    blender.use_fake(dying(do="full", phase="SAVING", bytes=100))
    blender.run("jobs.image_carries_its_recipe")
    before = [(path.name, path.read_bytes()) for folder in blender.results for path in folder.iterdir()]
    blender.run("jobs.full_disk", folder=str(blender.store))
    assert [(path.name, path.read_bytes()) for folder in blender.results for path in folder.iterdir()] == before


def test_fault_15_odd_paths_and_the_c_locale_work(blender: Blender) -> None:
    odd = blender.profile.with_name("Ünï 中文 'quoted' \"twice\"")
    blender.profile.rename(odd)
    blender.profile = odd
    blender.variables |= {"LANG": "C", "LC_ALL": "C"}
    told = blender.run("jobs.image_carries_its_recipe")
    assert read_png(Path(told["file"])) == Recipe.loads(told["recipe"])
