# SPDX-License-Identifier: GPL-3.0-or-later
"""From the settings on a scene, or the words of a command, to a core request. Imports bpy and core."""

import secrets
from dataclasses import replace
from typing import Any

import bpy

from ...core import prompts
from ...core.errors import ErrorKind, UserError
from ...core.families.catalogue import ModelInfo
from ...core.prompt_files import Wish
from ...core.prompts import Reading
from ...core.requests.detail import Detail
from ...core.requests.finish import Finish, absolute
from ...core.requests.guides import Guides
from ...core.requests.template import Template
from ...core.requests.texture import MAX_SEED, Axes, Scheduler, Sigmas, Size, TextureRequest
from ...core.surface_kinds import SurfaceKind, surface_of
from ..common.languages import rpt_
from . import extras, models
from .properties import TILEWRIGHT_PG_settings


def from_settings(
    settings: TILEWRIGHT_PG_settings,
    wish: Wish | None = None,
    template: Template | None = None,
    guides: Guides | None = None,
) -> TextureRequest:
    """The request that `scene.tilewright` asks for, with a new seed if that is to be random. Raises `UserError`.

    wish: a line of a list, which goes before what is set. template, guides: of its images, see `jobs.templates`. What
    is random of a variation is which, and not of what.
    """
    vocabulary = models.vocabulary(settings.model)
    varies, random = settings.variation > 0, settings.use_random_seed

    def said(name: str, usual: Any) -> Any:
        value = getattr(wish, name, None)
        return usual if value is None else value

    size, tile = said("size", ""), str(said("tile", settings.tiling)).upper()
    if tile not in list(Axes):
        words = rpt_("{tile} is no way to repeat.")
        hint = rpt_("Choose one of: {names}.").format(names="xy, x, y, none")
        raise UserError(ErrorKind.REQUEST, words.format(tile=tile.lower()), hint)
    return make(
        prompt=prompts.final(settings.template, said("prompt", settings.prompt), vocabulary).text,
        negative_prompt=prompts.read(said("negative", settings.negative_prompt), vocabulary).text,
        size=Size.parse(size) if size else Size(settings.width, settings.height),
        steps=said("steps", settings.steps or None),
        guidance_scale=said("guidance", settings.guidance_scale or None),
        seed=said("seed", None if random and not varies else settings.seed),
        count=said("count", settings.count),
        variants=said("variants", int(settings.variants)),
        axes=Axes(tile),
        detail=Detail(settings.detail),
        scheduler=str(said("scheduler", settings.get_scheduler())).upper(),
        sigmas=settings.get_sigmas(),
        model=settings.model,
        vae=network(settings.vae) if settings.vae else "",
        parts=network(settings.parts) if settings.parts else "",
        finish=Finish(
            int(settings.upscale),
            network(settings.upscaler),
            settings.get_maps(),
            network(settings.map_networks),
            SurfaceKind(settings.kind),
            settings.delight,
            settings.invert_relief,
        ),
        template=template,
        guides=guides or Guides(),
        variation=decimal(settings.variation),
        extras=extras.asked(settings),
        variation_seed=new_seed() if random and varies else settings.variation_seed,
    )


def decimal(value: float) -> float:
    """The number as it is shown: Blender's properties have 32 bits, and 0.3 is 0.30000001192092896 there."""
    return round(value, 6)


def new_seed() -> int:
    """One by chance."""
    return secrets.randbelow(MAX_SEED + 1)


def network(choice: str) -> str:
    """A choice of upscaler or map networks as it was typed or picked: a path becomes a whole one."""
    return absolute(bpy.path.abspath(choice))


def reading(settings: TILEWRIGHT_PG_settings) -> Reading:
    """What the chosen model reads of the prompt: with its template, and in English. Reads no disk."""
    return prompts.final(settings.template, settings.prompt, models.vocabulary(settings.model))


def read_as(settings: TILEWRIGHT_PG_settings) -> SurfaceKind | None:
    """The kind of surface that the prompt names; None where it names none."""
    found = surface_of(SurfaceKind.AUTO, reading(settings).text)
    return found.kind if found else None


def make(
    *,
    prompt: str,
    negative_prompt: str = "",
    size: Size | None = None,
    steps: int | None = None,
    guidance_scale: float | None = None,
    seed: int | None = None,
    scheduler: str = Scheduler.MODEL.value,
    sigmas: str = Sigmas.MODEL.value,
    model: str,
    **others: Any,
) -> TextureRequest:
    """A request whose None are filled in: by the model's defaults, the seed by chance. Raises `UserError`.

    others: fields of the request that have nothing to do with the model.
    """
    # Errors in the texts come before any in the model.
    request = TextureRequest(
        prompt,
        negative_prompt,
        size or Size(512, 512),
        seed=0 if seed is None else seed,
        **others,
    )
    if not prompt.strip():
        raise UserError(ErrorKind.REQUEST, "The prompt is empty.", "Describe the texture in a few words.")
    request = replace(request, model=model)
    info = models.resolve(model).with_extras(request.extras)
    if request.guides and not info.takes_guides:
        words = rpt_("{model} takes no ControlNet and no IP-Adapter.")
        raise UserError(
            ErrorKind.MODEL,
            words.format(model=info.title),
            "Choose another model, or turn off what is under Guide Pictures.",
        )
    return replace(
        request,
        parts=models.parts_of(info, request.parts),
        size=size or Size(info.defaults.size, info.defaults.size),
        steps=info.defaults.steps if steps is None else steps,
        guidance_scale=info.defaults.guidance_for(negative_prompt) if guidance_scale is None else guidance_scale,
        seed=new_seed() if seed is None else seed,
        scheduler=_fitting(scheduler, info),
        sigmas=_fitting_sigmas(sigmas, scheduler, info),
    )


def _fitting_sigmas(sigmas: str, scheduler: str, info: ModelInfo) -> Sigmas:
    for fitting in info.sigmas(scheduler):
        if fitting.value == sigmas:
            return fitting
    names = ", ".join(fitting.value for fitting in info.sigmas(scheduler))
    words = rpt_("The sigmas {sigmas} don't fit the scheduler {scheduler}.")
    raise UserError(
        ErrorKind.REQUEST,
        words.format(sigmas=sigmas, scheduler=scheduler),
        rpt_("Choose one of: {names}.").format(names=names),
    )


def _fitting(scheduler: str, info: ModelInfo) -> Scheduler:
    for fitting in info.schedulers:
        if fitting.value == scheduler:
            return fitting
    names = ", ".join(fitting.value for fitting in info.schedulers)
    words = rpt_("The scheduler {scheduler} doesn't fit the model {model}.")
    raise UserError(
        ErrorKind.REQUEST,
        words.format(scheduler=scheduler, model=info.title),
        rpt_("Choose one of: {names}.").format(names=names),
    )
