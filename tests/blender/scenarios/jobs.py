# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as scripts and the panel see them."""

import time
from pathlib import Path
from typing import Any

import bpy
from common import addon, drive, finish, generate, made, message_of, start, wish


def _status() -> Any:
    return bpy.context.window_manager.tilewright


def image_carries_its_recipe() -> dict[str, Any]:
    settings = wish(
        prompt="oak planks",
        negative_prompt="text",
        width=128,
        height=64,
        steps=2,
        guidance_scale=3.5,
        tiling="X",
        scheduler="UNIPC",
        seed=77,
        use_random_seed=False,
    )
    image = generate(prompt="oak planks", width=128, steps=2)
    facts = image.tilewright
    assert (facts.prompt, facts.seed, facts.model) == ("oak planks", 77, "starter")
    assert facts.seam_score == 0.5
    assert facts.seconds > 0
    assert tuple(image.size) == (128, 64)
    assert settings.seed == 77
    status = _status()
    assert not status.running
    assert status.progress == 0
    assert status.error == ""
    assert Path(status.result).name == facts.result
    return {"recipe": facts.recipe, "file": bpy.path.abspath(image.filepath)}


def defaults_are_the_models() -> dict[str, Any]:
    settings = bpy.context.scene.tilewright
    shown = {
        name: getattr(settings, name)
        for name in (p.identifier for p in settings.bl_rna.properties)
        if name not in ("rna_type", "name")
    }
    shown["map_kinds"] = sorted(shown["map_kinds"])  # JSON has no sets
    for name in ("controls", "loras", "embeddings"):
        shown[name] = len(shown[name])
    settings.prompt = "x"
    wanted = addon("settings.request").from_settings(settings)
    return {"shown": shown, "request": wanted.to_json()}


def random_seed_is_written_back() -> None:
    seeds = set()
    for _ in range(3):
        image = generate(use_random_seed=True)
        assert bpy.context.scene.tilewright.seed == image.tilewright.seed
        seeds.add(image.tilewright.seed)
    assert len(seeds) == 3
    kept = generate(use_random_seed=False).tilewright.seed
    assert kept == image.tilewright.seed


def two_presses_are_two_jobs_with_one_image_each() -> None:
    jobs = [start(prompt="first"), start(prompt="second")]
    assert _status().running
    assert _status().queued == 1
    drive(lambda: all(job.ended for job in jobs))
    finish(jobs[1])
    assert [image.tilewright.prompt for image in sorted(made(), key=lambda image: image.name)] == ["first", "second"]
    node = next(
        node for node in bpy.data.materials["Material"].node_tree.nodes if node.bl_idname == "ShaderNodeTexImage"
    )
    assert node.image.tilewright.prompt == "second"
    first = next(image for image in made() if image.tilewright.prompt == "first")
    assert not first.use_fake_user, "it is in the history"
    assert not _status().running


def pause_in_ticks_delivers_once() -> None:
    """A Blender that was busy finds all of a job's messages at once."""
    job = start(prompt="all at once")
    time.sleep(2.0)
    finish(job)
    (image,) = made()
    assert image.users == 1


def ticks_are_short() -> float:
    """Seconds of the longest tick while eight textures of the greatest size are made and delivered."""
    generate(prompt="first")  # a Blender without a window sets up its color management with the first image
    longest = 0.0
    job = start(prompt="large", width=2048, height=2048, count=8)
    while not job.ended or addon("common.state").current.waiting:
        begin = time.perf_counter()
        addon("jobs.pump").tick()
        longest = max(longest, time.perf_counter() - begin)
        time.sleep(0.02)
    assert len(made()) == 9
    return longest


def cancel_works_in_every_phase(phases: list[str]) -> None:
    for phase in phases:
        took = _cancel_in(phase)
        assert took < 2.0, f"{phase}: {took:.1f} s"
    assert not made()
    assert _status().error == ""
    assert "No job is running" in message_of(bpy.ops.tilewright.cancel)
    generate(prompt="next")


def _cancel_in(phase: str) -> float:
    """Seconds from the cancel to the job's end."""
    job = start(prompt=f"stuck in {phase}")
    waits = start(prompt="waits")
    drive(lambda: job.progress and job.progress.phase.name == phase)
    begin = time.monotonic()
    assert bpy.ops.tilewright.cancel() == {"FINISHED"}
    assert waits.state.value == "cancelled"
    drive(lambda: job.ended)
    assert job.state.value == "cancelled", job.state
    return time.monotonic() - begin


def cancelling_one_leaves_the_other() -> None:
    first, second = start(prompt="stuck in SAMPLING"), start(prompt="second")
    drive(lambda: first.progress)
    assert bpy.ops.tilewright.cancel(job="no job") == {"CANCELLED"}
    assert bpy.ops.tilewright.cancel(job=first.id) == {"FINISHED"}
    finish(second)
    assert [image.tilewright.prompt for image in made()] == ["second"]


def failing_job_is_told_once_and_the_next_works(said: str, seconds: float) -> None:
    begin = time.monotonic()
    message = message_of(lambda: generate(prompt="this one dies"))
    assert time.monotonic() - begin < seconds
    assert said in message, message
    assert said in _status().error
    assert not made()
    assert not _status().running
    generate(prompt="next")
    assert _status().error == ""
    assert len(made()) == 1


def finished_part_of_a_failed_job_is_offered() -> None:
    message_of(lambda: generate(prompt="this one dies", count=3, use_random_seed=False, seed=1))
    assert not made()
    assert "Apply" in _status().outcome
    assert bpy.ops.tilewright.apply() == {"FINISHED"}
    assert [image.tilewright.seed for image in made()] == [1]


def disturbed_messages_change_nothing() -> None:
    job = start(prompt="disturbed", count=3)
    seen = []
    drive(lambda: seen.append(job.fraction) or job.ended)
    finish(job)
    assert seen == sorted(seen), "progress ran back"
    assert len(made()) == 3
    generate(prompt="next")


def a_tick_that_fails_is_not_the_last() -> None:
    job = start(prompt="delivered late")
    pump = addon("jobs.pump")
    real, pump.handle = pump.handle, _fail
    assert pump.tick() is not None
    pump.handle = real
    assert "Tilewright made a mistake (ZeroDivisionError)" in _status().error
    finish(job)
    assert len(made()) == 1
    log = addon("common.package").own_log()
    assert "ZeroDivisionError" in log.read_text(encoding="utf-8")


def _fail(events: object) -> None:
    raise ZeroDivisionError


def odd_prompts_are_kept_exactly_or_refused() -> list[str]:
    odd = 'brick Ĳ 🧱 "quoted" \\ back\n new line\t' + "long " * 2000
    image = generate(prompt=odd)
    assert image.tilewright.prompt == odd
    for text in ("half \ud800 of a character", "\udfff"):
        try:
            bpy.context.scene.tilewright.prompt = text
        except (TypeError, UnicodeEncodeError):  # which of them depends on the version
            continue
        raise AssertionError("a lone surrogate was taken")
    wish(prompt="cut\0off")
    assert bpy.context.scene.tilewright.prompt == "cut", "Blender's strings end at NUL"
    assert "at most 20000" in message_of(lambda: generate(prompt="x" * 20_001))
    assert "Describe the texture first" in message_of(lambda: generate(prompt=" \n"))
    return [image.tilewright.recipe, bpy.path.abspath(image.filepath)]


def panel_cannot_ask_for_odd_sizes(sizes: list[int]) -> None:
    settings = bpy.context.scene.tilewright
    for size in sizes:
        settings.width = settings.height = max(min(size, 2**31 - 1), -(2**31))
        for side in (settings.width, settings.height):
            assert side % 64 == 0
            assert 64 <= side <= 2048
    settings.width = 513
    assert settings.width == 512
    settings.width = 550
    assert settings.width == 576


def errors_are_sentences(model_folder: str) -> None:
    settings = wish(prompt="x")
    settings.model = "no such model"
    assert "There is no model 'no such model'" in message_of(bpy.ops.tilewright.generate)
    assert "There is no model" in _status().error
    settings.model = str(Path(model_folder) / "missing")
    assert f"There is no {settings.model}." in message_of(bpy.ops.tilewright.generate)
    settings.model = "~nobody of that name/model"
    assert "names no user" in message_of(bpy.ops.tilewright.generate)
    settings.model = "starter"
    bpy.context.preferences.addons["bl_ext.user_default.tilewright"].preferences.store = ""
    generate(prompt="works")
    assert _status().error == ""


def missing_engine_that_is_named_is_no_error_any_more(python: str) -> None:
    assert "not installed yet" in message_of(lambda: generate(prompt="x"))
    assert "not installed yet" in _status().error
    bpy.context.preferences.addons["bl_ext.user_default.tilewright"].preferences.python = python
    assert _status().error == ""
    assert addon("common.state").current.engine_error is None
    generate(prompt="x")


def missing_engine_is_told_before_anything_is_pressed() -> str:
    lost = addon("common.state").current.engine_error
    assert lost
    assert "engine's packages are not installed yet" in lost.message
    assert "not installed yet" in message_of(lambda: generate(prompt="x"))
    return str(lost)


def schedulers_are_those_that_fit(plain: str, model: str) -> None:
    settings = bpy.context.scene.tilewright
    settings.model = plain
    settings.scheduler = "EULER"
    settings.model = model  # a straight-path model
    assert settings.scheduler == "MODEL"
    for fitting in ("DPMPP_2M", "UNIPC"):
        settings.scheduler = fitting
    for other in ("EULER", "EULER_A", "DDIM"):
        try:
            settings.scheduler = other
        except TypeError:
            continue
        raise AssertionError(f"{other} was taken")
    found = [name for name, _ in addon("settings.models").candidates("")]
    assert found[0] == "starter"
    bpy.context.preferences.addons["bl_ext.user_default.tilewright"].preferences.models = str(Path(model).parent)
    assert model in [name for name, _ in addon("settings.models").candidates("")]
    fitting = [name for name, _ in addon("settings.models").candidates("start")]
    assert fitting == ["starter", "Get More Models..."]


def store_that_cannot_be_written(folder: str) -> None:
    bpy.context.preferences.addons["bl_ext.user_default.tilewright"].preferences.store = folder
    message = message_of(lambda: generate(prompt="x"))
    assert f"Cannot write to {folder}" in message, message
    assert not made()
    bpy.context.preferences.addons["bl_ext.user_default.tilewright"].preferences.store = ""
    generate(prompt="next")


def full_disk(folder: str) -> None:
    assert f"Cannot write to {folder}" in message_of(lambda: generate(prompt="this one dies", width=512, height=512))
