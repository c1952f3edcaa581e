# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures from pictures: strength, masks, variations, whole runs under roll, inpainting checkpoints."""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    LCMScheduler,
    LMSDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionImg2ImgPipeline,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
)
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from numpy.typing import NDArray
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessor

from addon.core import recipe, results, ways
from addon.core.errors import ErrorKind, UserError
from addon.core.requests.finish import Finish, MapKind
from addon.core.requests.template import Region, Template
from addon.core.requests.texture import STARTER, Axes, Scheduler, Size
from addon.engine import beginning, generate, latents, layers
from addon.engine.beginning import Beginning
from addon.engine.devices import Decoding
from addon.engine.prompts import embed
from addon.engine.seamless import seamless
from addon.engine.strength import asked_of, begin_late, noised
from tests.engine import networks
from tests.engine.test_generate import STARTER_STEPS, Stop, Studio, Watch
from tests.engine.test_seamless import LIMIT, WRAPPED

RNG = np.random.default_rng(1)
PICTURE = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
BETAS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


@pytest.fixture
def studio(tmp_path: Path, sd_folder: Path) -> Studio:
    return Studio(tmp_path / "store", sd_folder)


@pytest.fixture
def sdxl_studio(tmp_path: Path, sdxl_folder: Path) -> Studio:
    return Studio(tmp_path / "store", sdxl_folder)


@pytest.fixture
def wall(tmp_path: Path) -> Path:
    return save(tmp_path / "wall.png", PICTURE)


def save(path: Path, pixels: NDArray[np.uint8]) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def off(mine: torch.Tensor, other: torch.Tensor) -> float:
    return float((mine - other).abs().max() / other.abs().max())


# --- strength


def test_strength_0_is_the_template_itself_and_asks_for_no_model(studio: Studio, wall: Path) -> None:
    watch = studio.make(template=Template(str(wall), 0.0), model="/no/such/model")
    (made,) = watch.done
    assert np.array_equal(np.asarray(Image.open(made.path())), PICTURE)
    assert made.recipe.model_fingerprint == made.recipe.texture.template.sha256[:16]  # type: ignore[union-attr]
    assert not made.recipe.is_exact


def test_strength_1_is_the_picture_that_the_words_alone_make(studio: Studio, wall: Path) -> None:
    (made,) = studio.make(template=Template(str(wall), 1.0)).done
    assert np.array_equal(np.asarray(Image.open(made.path())), studio.pixels())
    assert made.recipe.is_exact


def test_every_strength_gives_another_picture_that_is_nearer_the_less_of_it(studio: Studio, wall: Path) -> None:
    studio.base = replace(studio.base, model=STARTER, steps=STARTER_STEPS, guidance_scale=1.0)
    far = []
    for strength in (0.1, 0.3, 0.35, 0.6, 0.9):
        made = studio.pixels(template=Template(str(wall), strength))
        far.append(float(np.abs(made.astype(int) - PICTURE).mean()))
    assert far == sorted(far)
    assert min(np.diff(far)) > 0.1


SCHEDULERS: list[Any] = [
    DPMSolverMultistepScheduler(**BETAS),
    DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, solver_order=1),
    DPMSolverMultistepScheduler(**BETAS, use_karras_sigmas=True, timestep_spacing="leading", steps_offset=1),
    UniPCMultistepScheduler(**BETAS),
    UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True),
    EulerDiscreteScheduler(**BETAS, timestep_spacing="leading", steps_offset=1),
    EulerDiscreteScheduler(**BETAS),
    EulerAncestralDiscreteScheduler(**BETAS),
    LMSDiscreteScheduler(**BETAS),
    DDIMScheduler(**BETAS, clip_sample=False, set_alpha_to_one=False, steps_offset=1),
    DDPMScheduler(**BETAS, clip_sample=False),
    PNDMScheduler(**BETAS, skip_prk_steps=True, steps_offset=1),
    PNDMScheduler(**BETAS),
    LCMScheduler(**BETAS, original_inference_steps=50),
]


@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=lambda s: type(s).__name__ + str(len(s.config)))
@pytest.mark.parametrize(("steps", "strength"), [(4, 0.3), (4, 0.6), (4, 0.9), (25, 0.5), (25, 0.01), (1, 0.5)])
def test_a_late_schedule_of_any_kind_leads_to_what_a_perfect_denoiser_says(
    scheduler: Any, steps: int, strength: float
) -> None:
    """A denoiser that always answers with what is true of one clean picture must end at that picture."""
    late = type(scheduler).from_config(scheduler.config)
    begin_late(late, strength)
    late.set_timesteps(steps)
    clean, noise = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert len(late.timesteps) <= steps + isinstance(late, PNDMScheduler)
    assert len(late.timesteps) >= (1 if isinstance(late, LCMScheduler) else min(steps, 3))  # it has 50 steps in all
    share = float(late.timesteps[0]) / 1000
    if not late.config.get("use_karras_sigmas"):
        # schedulers that work their steps out from timesteps keep whole steps: 4 of 5 for 0.9
        whole = 0.02 if hasattr(late, "sigmas") else strength - steps / math.ceil(steps / strength) + 0.02
        assert abs(share - strength) <= whole
    sample = noised(late, clean, noise, 0)
    generator = torch.Generator().manual_seed(2)
    first = noised(late, torch.zeros_like(clean), noise, 0)
    for step, timestep in enumerate(late.timesteps):
        seen = late.scale_model_input(sample, timestep)
        truth = _truth(late, clean, seen, sample, timestep)
        keys = {"generator": generator} if "generator" in late.step.__code__.co_varnames else {}
        sample = late.step(truth, timestep, sample, return_dict=False, **keys)[0]
        if not isinstance(late, PNDMScheduler) and not _draws(late) and step + 1 < len(late.timesteps):
            # what is put back outside a mask has the noise that is left
            assert off(sample, noised(late, clean, noise, step + 1)) <= 0.02
    assert float(first.std()) > 0
    final = _final_noise(late)
    assert off(sample, clean) <= 0.02 + final


@pytest.mark.parametrize(("steps", "strength"), [(4, 0.3), (4, 0.9), (25, 0.5), (1, 0.5)])
@pytest.mark.parametrize("asked", [{}, {"sigmas": True}, {"mu": 1.2}, {"sigmas": True, "mu": 0.7}])
def test_a_late_schedule_on_a_straight_path_leads_to_what_a_perfect_denoiser_says(
    steps: int, strength: float, asked: dict[str, Any]
) -> None:
    """However its pipeline asks for it: by a number of steps or by noise levels, shifted by the size or not."""
    late = FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting="mu" in asked)
    begin_late(late, strength)
    named = dict(asked)
    if named.pop("sigmas", False):
        named["sigmas"] = np.linspace(1, 1 / steps, steps)
    else:
        named["num_inference_steps"] = steps
    late.set_timesteps(device="cpu", **named)
    whole = FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting="mu" in asked)
    whole.set_timesteps(1000, mu=asked.get("mu"))
    assert len(late.timesteps) == steps
    assert abs(float(late.sigmas[0] - whole.sigmas[round(1000 * (1 - strength))])) <= 0.01
    clean, noise = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    sample = noised(late, clean, noise, 0)
    for step, timestep in enumerate(late.timesteps):
        sample = late.step((sample - clean) / late.sigmas[step], timestep, sample, return_dict=False)[0]
        assert off(sample, noised(late, clean, noise, step + 1)) <= 1e-5
    assert off(sample, clean) <= 1e-5


def test_a_pipeline_is_asked_for_its_schedule_without_running_and_the_scheduler_is_as_it_was() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)

    def run() -> None:
        scheduler.set_timesteps(sigmas=[1.0, 0.5], device="cpu", mu=0.9)
        pytest.fail("went on")

    before = dict(vars(scheduler))
    assert asked_of(scheduler, run) == {"sigmas": [1.0, 0.5], "device": "cpu", "mu": 0.9}
    assert vars(scheduler) == before
    begin_late(scheduler, 0.5)
    late = scheduler.set_timesteps
    assert asked_of(scheduler, lambda: scheduler.set_timesteps(4, device="cpu", mu=1.0))["num_inference_steps"] == 4
    assert scheduler.set_timesteps is late
    with pytest.raises(RuntimeError, match="no timesteps"):
        asked_of(scheduler, lambda: None)
    with pytest.raises(ZeroDivisionError):
        asked_of(scheduler, lambda: 1 / 0)
    assert scheduler.set_timesteps is late


def _draws(scheduler: Any) -> bool:
    return isinstance(scheduler, EulerAncestralDiscreteScheduler | DDPMScheduler | LCMScheduler)


def _final_noise(scheduler: Any) -> float:
    """What stays after the last step by the scheduler's own doing."""
    if isinstance(scheduler, DDIMScheduler | PNDMScheduler):
        return float((1 - scheduler.final_alpha_cumprod) ** 0.5) * 4
    return 0.01


def _truth(
    scheduler: Any, clean: torch.Tensor, seen: torch.Tensor, sample: torch.Tensor, timestep: Any
) -> torch.Tensor:
    """What a denoiser that knows the clean picture predicts."""
    if scheduler.config.get("use_flow_sigmas"):
        index = int((scheduler.timesteps == timestep).nonzero()[0])
        sigma = scheduler.sigmas[index].double()
        return (sample - clean) / sigma
    if hasattr(scheduler, "sigmas") and isinstance(
        scheduler, EulerDiscreteScheduler | EulerAncestralDiscreteScheduler | LMSDiscreteScheduler
    ):
        index = int((scheduler.timesteps == timestep).nonzero()[0])
        return (sample - clean) / scheduler.sigmas[index].double()
    if hasattr(scheduler, "sigmas"):
        index = int((scheduler.timesteps == timestep).nonzero()[0])
        alpha, sigma = scheduler._sigma_to_alpha_sigma_t(scheduler.sigmas[index].double())
        return (sample - alpha * clean) / sigma
    alpha = scheduler.alphas_cumprod[int(timestep)].double()
    return (seen - alpha.sqrt() * clean) / (1 - alpha).sqrt()


def test_image_to_image_is_that_of_diffusers_where_both_know_the_schedule(studio: Studio, wall: Path) -> None:
    """With its spacing, and a strength that its steps know."""
    loaded = studio.loaded()
    pipeline = StableDiffusionImg2ImgPipeline(**loaded.pipeline.components, requires_safety_checker=False)
    pipeline.scheduler = DDIMScheduler(**BETAS, clip_sample=False, set_alpha_to_one=False, timestep_spacing="trailing")
    pipeline.set_progress_bar_config(disable=True)
    loaded.scheduler = pipeline.scheduler
    steps, total = 4, 8
    noise = torch.randn((1, 4, 8, 8), generator=torch.Generator("cpu").manual_seed(5))
    picture = torch.from_numpy(PICTURE).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.inference_mode():
        clean = loaded.adapter.from_vae(pipeline.vae, pipeline.vae.encode(picture).latent_dist.mode())
        theirs = pipeline(
            "bricks",
            image=clean,  # latents: they would draw from the encoder's distribution
            strength=steps / total,
            num_inference_steps=total,
            guidance_scale=6.0,
            generator=torch.Generator("cpu").manual_seed(5),
            output_type="latent",
        ).images
        embeddings, _ = embed(loaded, replace(studio.base, guidance_scale=6.0))
        asked = replace(studio.base, guidance_scale=6.0, steps=steps, template=Template(str(wall), steps / total))
        ours = generate.sample(loaded, asked, embeddings, 0, Watch(), beginning=Beginning(clean))
    assert noise.shape == clean.shape
    assert off(ours, theirs) <= 1e-5


# --- masks


@pytest.mark.parametrize("family", ["studio", "sdxl_studio"])
def test_outside_a_mask_the_result_is_the_template_bit_for_bit(
    family: str, wall: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    studio: Studio = request.getfixturevalue(family)
    mask = np.zeros((64, 64), np.uint8)
    mask[20:44, 30:] = 255
    template = Template(str(wall), 0.6, region=Region.MASK, mask=str(save(tmp_path / "m.png", mask)))
    (made,) = studio.make(template=template).done
    pixels = np.asarray(Image.open(made.path()))
    assert np.array_equal(pixels[mask == 0], PICTURE[mask == 0])
    assert not np.array_equal(pixels[mask > 0], PICTURE[mask > 0])
    assert {results.TEMPLATE, results.MASK} <= set(made.files)
    wall.unlink()
    (tmp_path / "m.png").unlink()
    start = ways.again(results.load(made.folder))
    (again,) = studio.make(template=start.template).done
    assert np.array_equal(np.asarray(Image.open(again.path())), pixels)


def test_the_seam_of_a_repaired_picture_is_in_its_recipe_before_and_after(studio: Studio, wall: Path) -> None:
    (made,) = studio.make(template=Template(str(wall), 0.6, region=Region.SEAM)).done
    words = recipe.read_png(made.path()).environment  # type: ignore[union-attr]
    assert float(words[results.RECIPE_BEFORE]) > 0
    assert float(words[results.RECIPE_SCORE]) == pytest.approx(made.seam_score, abs=1e-3)
    before = float(words[results.RECIPE_BEFORE])
    assert made.notes == (f"Seam score {before:.2f} before, {made.seam_score:.2f} after the repair.",)


def test_wear_follows_the_networks_height_or_the_filters(studio: Studio, wall: Path) -> None:
    for maps in ("starter", "filter"):
        template = Template(str(wall), 0.9, region=Region.WEAR, amount=0.3)
        (made,) = studio.make(template=template, finish=Finish(map_networks=maps)).done
        pixels = np.asarray(Image.open(made.path()))
        assert 0.5 <= float((pixels == PICTURE).all(-1).mean()) <= 0.75


def test_where_the_relief_is_inverted_other_places_wear(studio: Studio, wall: Path) -> None:
    worn = []
    for inverted in (False, True):
        template = Template(str(wall), 0.9, region=Region.WEAR, amount=0.3)
        finish = Finish(map_networks="filter", invert_relief=inverted)
        (made,) = studio.make(template=template, finish=finish).done
        worn.append((np.asarray(Image.open(made.path())) != PICTURE).any(-1))
    assert (worn[0] & worn[1]).mean() < 0.7 * min(part.mean() for part in worn)


def test_the_files_are_kept_where_the_picture_is_finished_as_well(studio: Studio, wall: Path) -> None:
    (made,) = studio.make(template=Template(str(wall)), finish=Finish(2, "lanczos", (MapKind.HEIGHT,), "filter")).done
    assert set(made.files) == {results.BASE_COLOR, results.THUMBNAIL, "height", results.TEMPLATE}
    assert made.path(results.TEMPLATE).read_bytes() == wall.read_bytes()


# --- variations


def test_variations_go_from_one_seeds_picture_to_the_others(studio: Studio) -> None:
    assert np.array_equal(studio.pixels(variation=0.0), studio.pixels())
    assert np.abs(studio.pixels(variation=1.0, variation_seed=9).astype(int) - studio.pixels(seed=9)).max() <= 1
    distances = [
        float(np.abs(studio.pixels(variation=share, variation_seed=9).astype(int) - studio.pixels()).mean())
        for share in (0.1, 0.3, 1.0)
    ]
    assert 0 < distances[0] < distances[1] < distances[2]


def test_varied_noise_is_noise(studio: Studio) -> None:
    asked = replace(studio.base, variation=0.4, variation_seed=9, size=Size(512, 512))
    noise = beginning.first_noise(studio.loaded(), asked, torch.Generator("cpu").manual_seed(5))
    assert abs(float(noise.std()) - 1) <= 0.02


# --- the law


@pytest.mark.parametrize("family", ["studio", "sdxl_studio"])
@pytest.mark.parametrize("axes", WRAPPED)
def test_encoding_a_rolled_picture_rolls_its_latents(
    family: str, axes: Axes, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    loaded = request.getfixturevalue(family).loaded()
    picture = RNG.integers(0, 256, (96, 160, 3), dtype=np.uint8)
    shift = (24 * axes.y, 40 * axes.x)
    with torch.inference_mode(), seamless(loaded.pipeline, axes):
        plain, moved = (
            generate.encode(loaded, p, lambda _: None, tmp_path, axes)
            for p in (picture, np.roll(picture, shift, (0, 1)))
        )
    assert off(moved, plain.roll((shift[0] // 8, shift[1] // 8), (2, 3))) <= LIMIT


@pytest.mark.parametrize("axes", [*WRAPPED, Axes.NONE])
def test_a_large_picture_is_encoded_in_parts_as_the_whole_is(
    axes: Axes, studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = RNG.integers(0, 256, (192, 320, 3), dtype=np.uint8)
    for model in (studio.base.model, STARTER):
        vae = studio.loaded(model=model).pipeline.vae
        with torch.inference_mode(), seamless(vae, axes):
            whole = latents.encode(vae, picture, axes, tmp_path, "cpu", Decoding.WHOLE)
            with monkeypatch.context() as patch:
                patch.setattr(latents, "_ENCODER_TILE", 128)
                patch.setattr(layers, "_WIDEST", 8)
                parts = latents.encode(vae, picture, axes, tmp_path, "cpu", Decoding.STRIPS)
        # tiles are mirrored at an edge that does not wrap, where the whole sees zeros, as far as the encoder sees
        if model != STARTER or axes is Axes.XY:
            assert off(parts, whole) <= LIMIT
        assert parts.shape == whole.shape


@pytest.mark.parametrize("family", ["studio", "sdxl_studio"])
@pytest.mark.parametrize("axes", WRAPPED)
@pytest.mark.parametrize("scheduler", [Scheduler.DPMPP_2M, Scheduler.UNIPC, Scheduler.EULER, Scheduler.DDIM])
@pytest.mark.parametrize("is_masked", [False, True])
def test_a_whole_run_on_a_rolled_template_with_rolled_noise_rolls(
    family: str,
    axes: Axes,
    scheduler: Scheduler,
    is_masked: bool,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    studio: Studio = request.getfixturevalue(family)
    loaded = studio.loaded()
    noise, clean = torch.randn((2, 1, 4, 8, 16), generator=torch.Generator().manual_seed(3))
    inside = (torch.rand((1, 1, 8, 16), generator=torch.Generator().manual_seed(4)) > 0.5).float()
    shift = (4 * axes.y, 4 * axes.x)
    asked = replace(studio.base, size=Size(128, 64), steps=6, scheduler=scheduler, template=Template("/wall.png", 0.7))
    runs = []
    for roll in ((0, 0), shift):
        moved = [tensor.roll(roll, (2, 3)) for tensor in (noise, clean, inside)]
        monkeypatch.setattr(generate, "first_noise", lambda *_, moved=moved: moved[0])
        start = Beginning(moved[1], moved[2] if is_masked else None)
        with torch.inference_mode(), seamless(loaded.pipeline, axes):
            embeddings, _ = embed(loaded, asked)
            runs.append(generate.sample(loaded, asked, embeddings, 0, Watch(), beginning=start))
    assert off(runs[1], runs[0].roll(shift, (2, 3))) <= (4e-5 if scheduler is Scheduler.DDIM else LIMIT)
    if is_masked:
        outside = inside.expand_as(clean) == 0
        assert torch.equal(runs[0][outside], clean[outside])


# --- inpainting checkpoints


@pytest.fixture
def inpainting(tmp_path: Path, sd_folder: Path) -> Studio:
    """A checkpoint whose denoiser reads nine channels, as its pipeline saves it."""
    folder = tmp_path / "inpainting"
    shutil.copytree(sd_folder, folder)
    torch.manual_seed(7)
    unet = UNet2DConditionModel.from_config(
        networks.small_unet().config | {"in_channels": 9, "_use_default_values": []}
    )
    unet.save_pretrained(folder / "unet")
    index = folder / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"_class_name": "StableDiffusionInpaintPipeline"}))
    return Studio(tmp_path / "store", folder)


def test_an_inpainting_checkpoint_reads_the_mask_and_what_is_outside(
    inpainting: Studio, wall: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 16:48] = 255
    template = Template(str(wall), 0.6, region=Region.MASK, mask=str(save(tmp_path / "m.png", mask)))
    (made,) = inpainting.make(template=template).done
    assert np.array_equal(np.asarray(Image.open(made.path()))[mask == 0], PICTURE[mask == 0])
    # what it was shown decides
    begin = beginning.begin
    seen: list[Beginning] = []
    monkeypatch.setattr(generate, "begin", lambda *a: (seen.append(begin(*a)), seen[-1])[1])
    inpainting.make(template=template)
    assert seen[0].beside is not None
    assert seen[0].beside.shape == (1, 5, 8, 8)
    assert seen[0].beside[0, 0].sum() == 16
    monkeypatch.setattr(generate, "begin", lambda *a: replace(begin(*a), beside=torch.zeros(1, 5, 8, 8)))
    (other,) = inpainting.make(template=template).done
    assert other.path().read_bytes() != made.path().read_bytes()
    assert not inpainting.loaded().pipeline.unet._forward_pre_hooks


def test_an_inpainting_checkpoint_makes_textures_from_words_too(inpainting: Studio) -> None:
    assert inpainting.pixels(guidance_scale=5.0).std() > 0


# --- the safety checker


def _with_checker(folder: Path, threshold: float) -> Path:
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    checker = StableDiffusionSafetyChecker(
        CLIPConfig(vision_config={**small, "image_size": 32, "patch_size": 16}, text_config=small, projection_dim=8)
    )
    checker.concept_embeds_weights.data[:] = threshold
    checker.special_care_embeds_weights.data[:] = 2.0
    checker.save_pretrained(folder / "safety_checker")
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(folder / "feature_extractor")
    return folder


def test_a_picture_that_the_models_safety_checker_passes_is_made(tmp_path: Path, sd_folder: Path, copy_of: Any) -> None:
    studio = Studio(tmp_path / "store", _with_checker(copy_of(sd_folder), 2.0))
    watch = studio.make(count=2)
    assert len(watch.done) == 2
    assert not watch.notes


def test_a_picture_that_it_blanks_is_said_and_not_counted(
    tmp_path: Path, sd_folder: Path, copy_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = Studio(tmp_path / "store", _with_checker(copy_of(sd_folder), -2.0))
    watch = Watch()
    with pytest.raises(UserError, match="safety checker") as caught:
        studio.make(watch, count=2)
    assert caught.value.kind is ErrorKind.REQUEST
    assert not watch.done
    assert watch.notes == [
        f"The model's safety checker blanked the texture with the seed {seed}; it is not kept." for seed in (5, 6)
    ]
    assert studio.stored() == []
    answers = iter([True, False])
    monkeypatch.setattr(type(studio.loaded().safety), "blanks", lambda *_: next(answers))
    done: list[int] = []
    monkeypatch.setattr(watch, "publish", lambda index, _draft, _result: done.append(index))
    studio.make(watch, count=2)
    assert done == [1]


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("config.json", "safety checker in .* cannot be loaded"),
        ("checker.py", "is code"),
        ("model.safetensors", "short"),
    ],
)
def test_a_checker_that_cannot_be_loaded_keeps_the_model_from_running(
    tmp_path: Path, sd_folder: Path, copy_of: Any, file: str, words: str
) -> None:
    folder = _with_checker(copy_of(sd_folder), 2.0)
    (folder / "safety_checker" / file).write_text("{}")
    with pytest.raises(UserError, match=words):
        Studio(tmp_path / "store", folder).make()


@pytest.mark.parametrize(("side", "strength", "windows"), [(192, 0.6, True), (128, 0.6, False), (192, 1.0, False)])
def test_far_over_the_models_own_size_a_template_is_denoised_in_windows_of_it(
    studio: Studio, wall: Path, side: int, strength: float, windows: bool
) -> None:
    unet, seen = studio.loaded().pipeline.unet, []
    forward = unet.forward

    def watched(latents: torch.Tensor, *arguments: Any, **named: Any) -> Any:
        seen.append(max(latents.shape[-2:]))
        return forward(latents, *arguments, **named)

    unet.forward = watched
    try:
        studio.pixels(template=Template(str(wall), strength), size=Size(side, side))
    finally:
        del unet.forward
    assert studio.loaded().info.defaults.size == 64
    assert max(seen) == (8 if windows else side // 8)


# --- faults


def test_cancelled_in_the_encoder_nothing_stays(studio: Studio, wall: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[int] = []
    watch = Watch()
    encode = generate.encode_picture

    def encode_and_stop(*arguments: Any) -> Any:
        entered.append(watch.checks)
        watch.stop_at = watch.checks + 3
        return encode(*arguments)

    monkeypatch.setattr(generate, "encode_picture", encode_and_stop)
    with pytest.raises(Stop):
        studio.make(watch, template=Template(str(wall)))
    assert entered
    assert watch.checks == entered[0] + 3
    assert studio.stored() == []


def test_a_template_deleted_after_the_start_is_missed_by_nobody(studio: Studio, wall: Path) -> None:
    watch = Watch()
    publish: Callable[..., None] = watch.publish

    def publish_and_delete(*arguments: Any) -> None:
        publish(*arguments)
        wall.unlink(missing_ok=True)

    watch.publish = publish_and_delete  # type: ignore[method-assign]
    studio.make(watch, count=2, template=Template(str(wall)))
    assert len(watch.done) == 2
    assert all(made.path(results.TEMPLATE).exists() for made in watch.done)
    assert len(studio.stored()) == 2


def test_an_encoder_without_valid_numbers_is_one_sentence(
    studio: Studio, wall: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "encode_picture", lambda *_: torch.full((1, 4, 8, 8), torch.nan))
    with pytest.raises(UserError, match="The encoder gave invalid numbers, even in float32") as caught:
        studio.make(template=Template(str(wall)))
    assert caught.value.kind is ErrorKind.NUMERICS
