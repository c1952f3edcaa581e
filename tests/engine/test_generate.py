# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request to pictures in the store, in this process; the worker around it is test_worker's."""

import json
import os
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    LCMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode

from addon.core import recipe, results, sketch
from addon.core.errors import ErrorKind, UserError
from addon.core.families.catalogue import resolve
from addon.core.protocol import Phase, Start
from addon.core.requests.finish import Finish, MapKind
from addon.core.requests.texture import STARTER, Axes, Scheduler, Size, TextureRequest
from addon.core.results import Draft, Result
from addon.engine import devices, generate, models
from addon.engine.devices import Device, Kind, Mode
from addon.engine.generate import make_images
from addon.engine.models import ModelCache
from addon.engine.seamless import seamless
from tests.child import in_child
from tests.engine import networks
from tests.engine.test_seamless import LIMIT, WRAPPED, assert_unchanged, snapshot

STARTER_STEPS = resolve(STARTER).defaults.steps


class Stop(Exception):
    """What this test's watcher raises to end a job."""


@dataclass
class Watch:
    """Writes down what it is told, and ends the job at the call of `check` with that number."""

    stop_at: int = -1
    checks: int = 0
    phases: list[tuple[Phase, int, int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    done: list[Result] = field(default_factory=list)
    previews: list[tuple[int, int, sketch.Sketch]] = field(default_factory=list)

    def check(self) -> None:
        self.checks += 1
        if self.checks == self.stop_at:
            raise Stop

    def progress(self, phase: Phase, image: int = 0, step: int = 0, steps: int = 0) -> None:
        self.phases.append((phase, image, step, steps))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def preview(self, image: int, step: int, path: Path) -> None:
        self.previews.append((image, step, sketch.read(path)))

    def publish(self, image: int, draft: Draft, result: Result) -> None:
        published = draft.publish(result)
        assert published
        assert image == len(self.done)
        self.done.append(published)


class Studio:
    """Makes pictures of a request with one cache, in a store of its own."""

    def __init__(self, store: Path, model: Path) -> None:
        self.store = store
        self.cache = ModelCache()
        self.base = TextureRequest("bricks", size=Size(64, 64), steps=3, seed=5, model=str(model))

    def make(self, watch: Watch | None = None, *, memory: str = "auto", **changes: Any) -> Watch:
        watch = watch or Watch()
        start = Start("job", replace(self.base, **changes), str(self.store), "cpu", memory)
        make_images(self.cache, start, watch)
        return watch

    def pixels(self, **changes: Any) -> np.ndarray:
        (result,) = self.make(**changes).done
        return np.asarray(Image.open(result.path()))

    def loaded(self, **changes: Any) -> models.LoadedModel:
        return self.cache.get(replace(self.base, **changes), "cpu", "auto")

    def stored(self) -> list[str]:
        return sorted(path.name for path in self.store.iterdir())


@pytest.fixture
def studio(tmp_path: Path, sd_folder: Path) -> Studio:
    return Studio(tmp_path / "store", sd_folder)


@pytest.fixture
def sdxl_studio(tmp_path: Path, sdxl_folder: Path) -> Studio:
    return Studio(tmp_path / "store", sdxl_folder)


@pytest.fixture
def sd15_studio(tmp_path: Path) -> Studio:
    """With all levels of Stable Diffusion 1.5, which most tests do without."""
    networks.sd_pipeline(networks.sd_unet(8), networks.kl_autoencoder()).save_pretrained(tmp_path / "model")
    return Studio(tmp_path / "store", tmp_path / "model")


# --- pictures


def test_a_result_holds_the_picture_its_thumbnail_its_recipe_and_its_seam_score(studio: Studio) -> None:
    (result,) = studio.make(size=Size(384, 192), steps=2).done
    assert results.load(result.folder) == result
    assert Image.open(result.path()).size == (384, 192)
    assert Image.open(result.path()).mode == "RGB"
    assert Image.open(result.path(results.THUMBNAIL)).size == (256, 128)
    assert recipe.read_png(result.path()) == result.recipe
    assert result.recipe.request == replace(studio.base, size=Size(384, 192), steps=2)
    assert result.recipe.environment["memory"] == "full"
    assert result.recipe.environment["torch"] == torch.__version__
    assert result.seam_score is not None
    assert result.seam_score > 0
    assert 0 < result.seconds < 60


def test_the_same_recipe_gives_the_same_pixels_and_another_seed_others(studio: Studio, tmp_path: Path) -> None:
    first = studio.pixels()
    assert np.array_equal(studio.pixels(), first)
    assert not np.array_equal(studio.pixels(seed=6), first)
    again = Studio(tmp_path / "other store", Path(studio.base.model))
    assert np.array_equal(again.pixels(), first)


def test_a_count_makes_consecutive_seeds_each_with_the_pixels_it_has_alone(studio: Studio) -> None:
    done = studio.make(count=3, seed=2**31 - 2).done
    assert [result.recipe.request.seed for result in done] == [2**31 - 2, 2**31 - 1, 0]
    for result in done:
        assert result.recipe.request.count == 1
        alone = studio.pixels(seed=result.recipe.request.seed)
        assert np.array_equal(np.asarray(Image.open(result.path())), alone)


@pytest.mark.parametrize("family", ["studio", "sdxl_studio"])
@pytest.mark.parametrize(("guidance", "width", "height"), [(1.0, 64, 64), (6.0, 128, 64)])
def test_without_tiling_the_pixels_are_those_of_plain_diffusers(
    family: str, guidance: float, width: int, height: int, request: pytest.FixtureRequest
) -> None:
    studio: Studio = request.getfixturevalue(family)
    size = Size(width, height)
    pixels = studio.pixels(axes=Axes.NONE, guidance_scale=guidance, negative_prompt="rust", size=size)
    cls = StableDiffusionPipeline if family == "studio" else StableDiffusionXLPipeline
    pipeline = cls.from_pretrained(studio.base.model)
    pipeline.unet.to(memory_format=torch.channels_last)
    pipeline.vae.to(memory_format=torch.channels_last)
    plain = pipeline(
        "bricks",
        negative_prompt="rust",
        width=width,
        height=height,
        num_inference_steps=3,
        guidance_scale=guidance,
        generator=torch.Generator().manual_seed(5),
    ).images[0]
    assert np.array_equal(pixels, np.asarray(plain))


@pytest.mark.parametrize(("family", "grid"), [("studio", 2), ("sd15_studio", 8), ("sdxl_studio", 4)])
@pytest.mark.parametrize("axes", WRAPPED)
@pytest.mark.parametrize("order", [1, 2])  # of DPM++: the starter's own, and 2M
def test_a_whole_sampling_run_rolls_with_its_first_noise(
    family: str, grid: int, axes: Axes, order: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    studio: Studio = request.getfixturevalue(family)
    loaded = studio.loaded()
    pipeline = loaded.pipeline
    rows, columns = 2 * max(grid, 4), 4 * max(grid, 4)
    shift = (grid * axes.y, 2 * grid * axes.x)

    def run(noise: torch.Tensor) -> torch.Tensor:
        scheduler = models.make_scheduler(loaded, Scheduler.DPMPP_2M)
        pipeline.scheduler = type(scheduler).from_config(scheduler.config, solver_order=order)
        return pipeline(
            "bricks",
            negative_prompt="rust",
            latents=noise,
            width=8 * columns,
            height=8 * rows,
            num_inference_steps=8,
            guidance_scale=6.0,
            output_type="latent",
        ).images

    noise = torch.randn(1, 4, rows, columns, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), seamless(pipeline, axes):
        plain, rolled = run(noise), run(torch.roll(noise, shift, (-2, -1)))
        expected = torch.roll(plain, shift, (-2, -1))
        assert float((rolled - expected).abs().max() / expected.abs().max()) <= LIMIT
        # and the pictures: at most one level of 8 bits
        pictures = [generate.decode(loaded, latents, lambda _: None, tmp_path) for latents in (plain, rolled)]
    moved = np.roll(pictures[0], (8 * shift[0], 8 * shift[1]), (0, 1))
    assert np.abs(moved.astype(int) - pictures[1]).max() <= 1


def test_decoded_picture_becomes_bytes_in_strips(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = studio.loaded()
    latents = torch.randn(1, 4, 12, 8, generator=torch.Generator().manual_seed(0))
    pictures = []
    for rows in (1000, 7):
        monkeypatch.setattr(generate, "AT_ONCE", rows)
        with torch.inference_mode():
            pictures.append(generate.decode(loaded, latents, lambda _: None, tmp_path))
    assert np.array_equal(*pictures)


@pytest.mark.parametrize("scheduler", Scheduler)
@pytest.mark.parametrize("steps", [1, 4])
def test_every_scheduler_runs(studio: Studio, scheduler: Scheduler, steps: int) -> None:
    watch = studio.make(scheduler=scheduler, steps=steps)
    assert watch.done[0].recipe.request.scheduler is scheduler
    assert (Phase.SAMPLING, 0, steps, steps) in watch.phases


def own_scheduler(folder: Path, cls: Any, **settings: Any) -> None:
    """Make it the one that the folder names."""
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"scheduler": ["diffusers", cls.__name__]}))
    cls(beta_schedule="scaled_linear", steps_offset=1, **settings).save_pretrained(folder / "scheduler")


@pytest.mark.parametrize("scheduler", Scheduler)
def test_every_scheduler_runs_for_a_model_that_predicts_v(
    scheduler: Scheduler, sd_folder: Path, copy_of: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = copy_of(sd_folder)
    settings = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    own_scheduler(folder, DDIMScheduler, **settings)
    studio = Studio(tmp_path / "store", folder)
    config = models.make_scheduler(studio.loaded(), scheduler).config
    assert {name: config[name] for name in settings} == settings
    assert studio.make(scheduler=scheduler, steps=4).done


def test_a_number_of_steps_that_a_models_scheduler_cannot_make_is_refused_and_another_works(
    sd_folder: Path, copy_of: Callable[[Path], Path], tmp_path: Path
) -> None:
    folder = copy_of(sd_folder)
    studio = Studio(tmp_path / "store", folder)
    for cls, wrong, right in ((LCMScheduler, 60, 4), (PNDMScheduler, 1, 8)):
        own_scheduler(folder, cls)
        with pytest.raises(UserError) as caught:
            studio.make(steps=wrong)
        assert caught.value.kind is ErrorKind.REQUEST
        assert f"{wrong} steps" in caught.value.message
        assert studio.make(steps=right).done


def test_progress_goes_through_the_phases_and_counts_the_steps_of_every_picture(studio: Studio) -> None:
    watch = studio.make(count=2, steps=2)
    sampling = [(Phase.SAMPLING, step) for step in range(3)]
    picture = [(Phase.ENCODING, 0), *sampling, (Phase.DECODING, 0)]
    saving = (Phase.SAVING, 0)  # of the last alone: the others are saved while the next one is sampled
    assert [(phase, step) for phase, _, step, _ in watch.phases] == [(Phase.LOADING, 0), *picture, *picture, saving]
    assert [image for _, image, _, _ in watch.phases] == [0] * 6 + [1] * 6


def test_a_picture_is_written_while_the_next_one_is_sampled(studio: Studio) -> None:
    next_one = threading.Event()

    class Slow(Watch):
        def progress(self, phase: Phase, image: int = 0, step: int = 0, steps: int = 0) -> None:
            super().progress(phase, image, step, steps)
            if (phase, image, step) == (Phase.SAMPLING, 1, 2):
                next_one.set()

        def publish(self, image: int, draft: Draft, result: Result) -> None:
            if image == 0:
                assert next_one.wait(60)
            super().publish(image, draft, result)

    watch = studio.make(Slow(), count=3, steps=2)
    assert [result.recipe.texture.seed for result in watch.done] == [5, 6, 7]


def test_no_tensor_is_touched_in_the_thread_that_writes_a_picture(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One copy there, and the threads that sample would be put to sleep between any two layers: see
    # findings/torch-a-second-threads-copy-puts-the-first-threads-to-sleep.sh
    heard, threads, plain = list[str](), list[str](), generate._publish

    class Listening(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            heard.append(str(func))
            return func(*args, **(kwargs or {}))

    def publish(*args: Any) -> None:
        threads.append(threading.current_thread().name)
        with Listening() if threading.current_thread() is not threading.main_thread() else nullcontext():
            plain(*args)

    monkeypatch.setattr(generate, "_publish", publish)
    assert len(studio.make(count=2, steps=2).done) == 2
    assert (threads, heard) == (["publishing_0", "MainThread"], [])


def test_what_a_picture_fails_with_while_the_next_one_is_sampled_fails_the_job(studio: Studio) -> None:
    class Full(Watch):
        def publish(self, image: int, draft: Draft, result: Result) -> None:
            if image == 1:
                raise UserError(ErrorKind.DISK, "full")
            super().publish(image, draft, result)

    watch = Full()
    with pytest.raises(UserError, match="full"):
        studio.make(watch, count=3, steps=1)
    assert len(watch.done) == 1
    assert studio.stored() == [watch.done[0].folder.name]


# --- prompts


@pytest.mark.parametrize(("guidance", "batch"), [(0.0, 1), (1.0, 1), (1.5, 2)])
def test_without_guidance_there_is_no_unconditional_pass(studio: Studio, guidance: float, batch: int) -> None:
    seen: list[int] = []
    unet = studio.loaded().pipeline.unet
    handle = unet.conv_in.register_forward_hook(lambda _m, args, _o: seen.append(args[0].shape[0]))
    studio.make(guidance_scale=guidance, steps=2)
    handle.remove()
    assert seen == [batch, batch]


def test_a_prompt_is_encoded_once(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    pipeline = studio.loaded().pipeline
    original = pipeline.encode_prompt

    def count(*args: Any, **keywords: Any) -> Any:
        calls.append(keywords.get("prompt"))
        return original(*args, **keywords)

    monkeypatch.setattr(pipeline, "encode_prompt", count)
    first = studio.pixels(count=1)
    studio.make(count=2)
    assert np.array_equal(studio.pixels(), first)
    assert [call for call in calls if call] == ["bricks"]


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "two\nlines\r\n\ttab",
        "wood 🪵 ЯЖ 木 e\u0301",
        '\'; DROP "quotes" \\n {x} %s',
        "(brick:1.5) [moss] <lora:x>",
        " ",
    ],
)
def test_fault_16_odd_prompts_are_exact_in_the_recipe(studio: Studio, prompt: str) -> None:
    (result,) = studio.make(prompt=prompt, negative_prompt=prompt, steps=1).done
    stored = recipe.read_png(result.path())
    assert stored
    assert stored.request.prompt == stored.request.negative_prompt == prompt


def test_fault_16_a_long_prompt_is_exact_in_the_recipe_and_what_the_model_does_not_read_is_told(studio: Studio) -> None:
    prompt = "moss and " * 1_111 + "z"
    watch = studio.make(prompt=prompt, steps=1, count=2)
    stored = recipe.read_png(watch.done[0].path())
    assert stored
    assert stored.request.prompt == prompt
    (note,) = watch.notes  # once a job
    assert note.startswith("The model reads only the start of the prompt")
    assert "moss" in note
    assert len(note) < 300


def test_fault_16_a_prompt_that_just_fits_is_not_said_to_be_cut(studio: Studio) -> None:
    assert studio.make(prompt="a" * 14, steps=1).notes == []  # 14 letters and two marks are the encoder's 16 tokens
    assert "'a'" in studio.make(prompt="b" * 14 + "a", steps=1).notes[0]
    assert "negative" in studio.make(negative_prompt="c" * 15, steps=1).notes[0]


@pytest.mark.parametrize(
    "finish", [Finish(2, "/nowhere/up.pt"), Finish(maps=(MapKind.HEIGHT,), map_networks="/nowhere")]
)
def test_a_network_that_is_not_there_is_told_before_the_picture_is_made(studio: Studio, finish: Finish) -> None:
    watch = Watch()
    with pytest.raises(UserError):
        studio.make(watch, finish=finish)
    assert watch.phases == []


def test_a_negative_prompt_that_is_not_read_is_told(studio: Studio) -> None:
    (note,) = studio.make(negative_prompt="b", guidance_scale=1.0, steps=1).notes
    assert "The negative prompt is only read" in note
    assert studio.make(negative_prompt="b", guidance_scale=2.0, steps=1).notes == []


def test_a_prompt_in_letters_that_the_starter_model_does_not_know_is_told(tmp_path: Path) -> None:
    starter = Studio(tmp_path / "store", Path(STARTER))
    (note,) = starter.make(prompt="красный кирпич", steps=STARTER_STEPS).notes
    assert "English" in note
    assert starter.make(prompt="Rustic brickwork, 18th century", steps=STARTER_STEPS).notes == []


@pytest.mark.parametrize("wish", [{"steps": 8}, {"steps": STARTER_STEPS, "scheduler": Scheduler.UNIPC}])
def test_other_steps_and_samplers_than_the_starter_was_distilled_for_are_told(tmp_path: Path, wish: Any) -> None:
    starter = Studio(tmp_path / "store", Path(STARTER))
    (note,) = starter.make(**wish).notes
    assert f"{STARTER_STEPS} steps of its own scheduler" in note


def test_the_starter_knows_a_torus_alone_so_no_tiling_has_dark_borders(tmp_path: Path) -> None:
    starter = Studio(tmp_path / "store", Path(STARTER))
    both, *others = (starter.pixels(steps=STARTER_STEPS, guidance_scale=1.0, axes=axes) for axes in Axes)
    for pixels in others:
        assert np.array_equal(pixels, both)


# --- cancelling


def test_a_job_can_be_ended_at_every_check_and_leaves_model_and_store_as_they_were(studio: Studio) -> None:
    expected = studio.pixels(steps=1)
    loaded = studio.loaded()
    networks = torch.nn.ModuleList([loaded.pipeline.unet, loaded.pipeline.vae])
    before, stored = snapshot(networks), studio.stored()
    total = studio.make(Watch(), steps=1, seed=9).checks
    assert total > 100  # layers of one step and of the decoder, so a cancel is seen in the middle of both
    after_that = studio.stored()
    for stop_at in {1, 2, 3, total // 4, total // 2, total - 5, total - 1, total}:
        with pytest.raises(Stop):
            studio.make(Watch(stop_at=stop_at), steps=1)
        assert_unchanged(before, networks)
        assert studio.stored() == after_that
    assert len(after_that) == len(stored) + 1
    assert np.array_equal(studio.pixels(steps=1), expected)


# --- bad luck


class FailingDecoder:
    """Stands in for a decoder that gives not-a-number the first `times` times."""

    def __init__(self, vae: Any, times: int) -> None:
        self.original, self.times, self.dtypes = vae.decode, times, []

    def __call__(self, latents: torch.Tensor, **keywords: Any) -> Any:
        self.dtypes.append(latents.dtype)
        (image,) = self.original(latents, **keywords)
        if len(self.dtypes) <= self.times:
            image[0, 1, 2, 3] = torch.nan
        return (image,)


def test_fault_6_not_a_number_in_the_decode_is_tried_once_more_in_float32(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = studio.pixels()
    loaded = studio.loaded()
    vae = loaded.pipeline.vae
    vae.to(torch.bfloat16)
    failing = FailingDecoder(vae, 1)
    monkeypatch.setattr(vae, "decode", failing)
    watch = studio.make()
    assert failing.dtypes == [torch.bfloat16, torch.float32]
    assert "float32" in watch.notes[0]
    assert watch.done[0].notes == tuple(watch.notes)
    pixels = np.asarray(Image.open(watch.done[0].path()))
    assert np.abs(pixels.astype(int) - expected).mean() < 3  # bfloat16 has rounded the weights; the picture is the same
    assert vae.dtype is torch.bfloat16


def test_fault_6_not_a_number_always_fails_and_makes_no_picture(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    vae = studio.loaded().pipeline.vae
    failing, watch = FailingDecoder(vae, 99), Watch()
    with monkeypatch.context() as patch:
        patch.setattr(vae, "decode", failing)
        with pytest.raises(UserError) as caught:
            studio.make(watch)
    assert failing.dtypes == [torch.float32]  # which is what it had: the same again would be the same again
    assert watch.notes == []
    assert caught.value.kind is ErrorKind.NUMERICS
    assert studio.stored() == []
    assert studio.make().done  # the next job works


def test_fault_6_not_a_number_from_the_denoiser_fails_and_makes_no_picture(studio: Studio) -> None:
    unet = studio.loaded().pipeline.unet
    handle = unet.register_forward_hook(lambda _m, _a, output: (output[0] * torch.nan,))
    with pytest.raises(UserError) as caught:
        studio.make()
    handle.remove()
    assert caught.value.kind is ErrorKind.NUMERICS
    assert studio.stored() == []


@pytest.fixture
def memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[Mode]]:
    """Makes the next so many samplings run out of memory; gives the list of modes in which sampling was tried."""

    def begin(times: int) -> list[Mode]:
        modes: list[Mode] = []
        original = generate.sample

        def sample(loaded: models.LoadedModel, *arguments: Any) -> torch.Tensor:
            modes.append(loaded.plan.mode)
            if len(modes) <= times:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
            return original(loaded, *arguments)

        monkeypatch.setattr(generate, "sample", sample)
        return modes

    return begin


def test_fault_5_out_of_memory_once_is_tried_again_leaner_and_told(
    studio: Studio, memory_runs_out: Callable[[int], list[Mode]]
) -> None:
    modes = memory_runs_out(1)
    watch = studio.make(count=2)
    assert modes == [Mode.FULL, Mode.LEAN, Mode.LEAN]  # the next picture stays in the mode that worked
    (note,) = watch.notes
    assert note.startswith("Out of memory; trying again with less.")
    assert [result.recipe.environment["memory"] for result in watch.done] == ["lean", "lean"]
    assert watch.done[0].notes == (note,)


def test_fault_5_out_of_memory_twice_fails_with_what_to_do_and_frees_the_model(
    studio: Studio, memory_runs_out: Callable[[int], list[Mode]]
) -> None:
    modes = memory_runs_out(2)
    with pytest.raises(UserError) as caught:
        studio.make()
    assert modes == [Mode.FULL, Mode.LEAN]
    assert caught.value.kind is ErrorKind.MEMORY
    assert "smaller size" in caught.value.hint
    assert not studio.cache.holds_model
    assert studio.stored() == []
    assert studio.make().done  # the next job works


def test_fault_5_memory_that_runs_out_while_loading_counts_too(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    original, plans = models.load_pipeline, []

    def load(folder: Any, plan: devices.Plan) -> Any:
        plans.append(plan.mode)
        if len(plans) == 1:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")
        return original(folder, plan)

    monkeypatch.setattr(models, "load_pipeline", load)
    assert studio.make().done[0].recipe.environment["memory"] == "lean"
    assert plans == [Mode.FULL, Mode.LEAN]


def test_fault_14_a_store_that_is_a_file_is_told_before_the_work(studio: Studio) -> None:
    studio.store.write_text("mine")
    watch = Watch()
    with pytest.raises(UserError) as caught:
        studio.make(watch)
    assert caught.value.kind is ErrorKind.DISK
    assert str(studio.store) in caught.value.message
    assert watch.phases == []
    assert studio.store.read_text() == "mine"


def test_fault_14_a_full_disk_fails_by_the_folders_name_leaves_nothing_partial_and_older_results_whole(
    studio: Studio,
) -> None:
    resource = pytest.importorskip("resource", reason="needs a system with limits on files")
    (older,) = studio.make().done
    stored = studio.stored()

    def make_with_files_of_at_most_4_kb() -> UserError:
        """Writing more fails as on a full disk: Python ignores the signal that would end it."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        with pytest.raises(UserError) as caught:
            studio.make(seed=77)
        return caught.value

    error = UserError.from_json(in_child(lambda: make_with_files_of_at_most_4_kb().to_json()))
    assert error.kind is ErrorKind.DISK
    assert str(studio.store) in error.message
    assert studio.stored() == stored
    assert results.load(older.folder) == older


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="everything is writable to an administrator")
def test_fault_14_a_folder_without_permission_is_told_before_the_work(studio: Studio) -> None:
    studio.store.mkdir(mode=0o500)
    with pytest.raises(UserError) as caught:
        studio.make()
    assert caught.value.kind is ErrorKind.DISK


# --- plans that a graphics card would get, with the processor in its place


@pytest.mark.parametrize("mode", ["full", "offload", "lean"])
def test_every_memory_mode_of_a_graphics_card_gives_the_picture_twice(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Shows that offloading, decoding elsewhere and periodic patches go together; not that a card can do it.

    Not run: "minimal", since accelerate's layer by layer offloading needs a device that is not the processor.
    """
    expected = studio.pixels().astype(int)
    card = Device(Kind.CUDA, "cpu:0", 1 << 40, "stand-in", 1)
    monkeypatch.setattr(models, "ready", lambda _wanted: card)
    for count in (1, 2):  # offloading puts things back after each run
        watch = studio.make(memory=mode, count=count)
        for result in watch.done[:1]:
            pixels = np.asarray(Image.open(result.path())).astype(int)
            assert np.abs(pixels - expected).mean() < 3  # 16 bits a number
            assert result.recipe.environment["memory"] == mode
    assert studio.make(memory=mode, axes=Axes.NONE).done


def test_a_job_for_which_main_memory_is_short_says_so_and_is_done(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Device(Kind.CPU, "cpu", 100 << 20, "processor", 1)
    monkeypatch.setattr(models, "ready", lambda _wanted: small)
    watch = studio.make(steps=1)
    assert [note for note in watch.notes if "of main memory, of which 0.1 GB are free" in note] == watch.notes[:1]
    assert len(watch.done) == 1
