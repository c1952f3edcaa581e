# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedulers and their sigmas: the pixels of plain diffusers with the same, and few steps where those are due."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from addon.core.errors import ErrorKind, UserError
from addon.core.families import catalogue
from addon.core.requests.extras import Extras, Lora
from addon.core.requests.template import Template
from addon.core.requests.texture import Axes, Scheduler, Sigmas
from addon.engine import models
from tests.engine import lora_makers as makers
from tests.engine import networks
from tests.engine.test_generate import Studio, own_scheduler

CLASSES = {
    Scheduler.DPMPP_2M: diffusers.DPMSolverMultistepScheduler,
    Scheduler.UNIPC: diffusers.UniPCMultistepScheduler,
    Scheduler.EULER: diffusers.EulerDiscreteScheduler,
    Scheduler.EULER_A: diffusers.EulerAncestralDiscreteScheduler,
    Scheduler.LCM: diffusers.LCMScheduler,
    Scheduler.TCD: diffusers.TCDScheduler,
}
SETTINGS = {
    Sigmas.KARRAS: {"use_karras_sigmas": True},
    Sigmas.EXPONENTIAL: {"use_exponential_sigmas": True},
    Sigmas.TRAILING: {"timestep_spacing": "trailing"},
}


@pytest.fixture
def studio(tmp_path: Path, sd_folder: Path) -> Studio:
    return Studio(tmp_path / "store", sd_folder)


def plain(studio: Studio, cls: Any, lora: Path | None = None, **settings: Any) -> np.ndarray:
    """What diffusers makes by itself."""
    pipeline = StableDiffusionPipeline.from_pretrained(studio.base.model)
    pipeline.unet.to(memory_format=torch.channels_last)
    pipeline.vae.to(memory_format=torch.channels_last)
    pipeline.scheduler = cls.from_config(pipeline.scheduler.config, **settings)
    if lora is not None:
        pipeline.load_lora_weights(str(lora))
    made = pipeline(
        "bricks",
        width=64,
        height=64,
        num_inference_steps=4,
        guidance_scale=1.0,
        generator=torch.Generator().manual_seed(5),
    )
    return np.asarray(made.images[0])


@pytest.mark.parametrize(
    ("scheduler", "sigmas"),
    [(scheduler, sigmas) for scheduler in (Scheduler.DPMPP_2M, Scheduler.UNIPC, Scheduler.EULER) for sigmas in SETTINGS]
    + [(Scheduler.EULER_A, Sigmas.TRAILING)],
)
def test_the_pixels_are_those_of_plain_diffusers(scheduler: Scheduler, sigmas: Sigmas, studio: Studio) -> None:
    asked = {"axes": Axes.NONE, "guidance_scale": 1.0, "steps": 4, "scheduler": scheduler}
    (result,) = studio.make(sigmas=sigmas, **asked).done
    assert result.recipe.texture.sigmas is sigmas
    pixels = np.asarray(Image.open(result.path()))
    assert np.array_equal(pixels, plain(studio, CLASSES[scheduler], **SETTINGS[sigmas]))
    assert not np.array_equal(pixels, studio.pixels(**asked))


@pytest.mark.parametrize("scheduler", [Scheduler.LCM, Scheduler.TCD])
def test_schedulers_for_few_steps_are_those_of_plain_diffusers(scheduler: Scheduler, studio: Studio) -> None:
    pixels = studio.pixels(axes=Axes.NONE, guidance_scale=1.0, steps=4, scheduler=scheduler)
    assert np.array_equal(pixels, plain(studio, CLASSES[scheduler]))


def test_a_models_own_sigmas_give_way(sd_folder: Path, copy_of: Callable[[Path], Path], tmp_path: Path) -> None:
    folder = copy_of(sd_folder)
    own_scheduler(folder, diffusers.DPMSolverMultistepScheduler, use_karras_sigmas=True)
    loaded = Studio(tmp_path / "store", folder).loaded()
    made = models.make_scheduler(loaded, Scheduler.EULER, Sigmas.EXPONENTIAL)
    assert (made.config.use_karras_sigmas, made.config.use_exponential_sigmas) == (False, True)
    assert models.make_scheduler(loaded, Scheduler.EULER).config.use_karras_sigmas is True


@pytest.mark.parametrize(("scheduler", "sigmas"), [(Scheduler.DDIM, Sigmas.KARRAS), (Scheduler.MODEL, Sigmas.TRAILING)])
def test_what_a_scheduler_does_not_have_is_refused(scheduler: Scheduler, sigmas: Sigmas, studio: Studio) -> None:
    with pytest.raises(UserError) as caught:
        studio.make(scheduler=scheduler, sigmas=sigmas)
    assert caught.value.kind is ErrorKind.REQUEST
    assert f"no {sigmas.value.lower()} sigmas" in caught.value.message


@pytest.mark.parametrize(("strength", "steps"), [(0.3, 4), (0.9, 20)])
@pytest.mark.parametrize(
    ("scheduler", "sigmas"),
    [(Scheduler.LCM, Sigmas.MODEL), (Scheduler.TCD, Sigmas.MODEL), (Scheduler.DPMPP_2M, Sigmas.KARRAS)],
)
def test_they_begin_late_too(
    scheduler: Scheduler, sigmas: Sigmas, strength: float, steps: int, studio: Studio, tmp_path: Path
) -> None:
    path = tmp_path / "grey.png"
    Image.new("RGB", (64, 64), (90, 120, 90)).save(path)
    asked = {"scheduler": scheduler, "sigmas": sigmas, "steps": steps, "template": Template(str(path), strength)}
    assert studio.make(**asked).done


# made for few steps


@pytest.mark.parametrize(
    ("name", "cls", "settings"),
    [
        ("pytorch_lcm_lora", diffusers.LCMScheduler, {}),
        ("Hyper-SD15-8steps-lora", diffusers.DDIMScheduler, {"timestep_spacing": "trailing", "clip_sample": False}),
        ("sd15_tcd_lora", diffusers.TCDScheduler, {}),
    ],
)
def test_a_lora_for_few_steps_brings_its_own_scheduler(
    name: str, cls: Any, settings: dict[str, Any], studio: Studio, tmp_path: Path
) -> None:
    unet = makers.factors(networks.small_unet(), size=0.1)
    lora = makers.write(tmp_path / f"{name}.safetensors", makers.tensors("kohya", unet))
    asked = {"axes": Axes.NONE, "guidance_scale": 1.0, "steps": 4, "extras": Extras((Lora(str(lora)),))}
    assert np.array_equal(studio.pixels(**asked), plain(studio, cls, lora, **settings))
    info = catalogue.resolve(studio.base.model)
    with_it = info.with_extras(asked["extras"])
    assert with_it.defaults.steps == (8 if "8" in name else 4)
    assert with_it.defaults.guidance_scale == 1.0
    assert info.with_extras(Extras((Lora(str(lora), weight=0.0),))) is info


@pytest.mark.parametrize(("cls", "title"), [(diffusers.LCMScheduler, "LCM"), (diffusers.TCDScheduler, "TCD")])
def test_a_models_own_scheduler_tells_that_it_needs_few_steps(
    cls: Any, title: str, sd_folder: Path, copy_of: Callable[[Path], Path]
) -> None:
    folder = copy_of(sd_folder)
    own_scheduler(folder, cls)
    info = catalogue.resolve(str(folder))
    assert info.few is not None
    assert (info.few.title, info.defaults.steps, info.defaults.guidance_scale) == (title, 4, 1.0)
    assert catalogue.resolve(str(sd_folder)).few is None
