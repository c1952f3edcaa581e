# SPDX-License-Identifier: GPL-3.0-or-later
"""From a result to the requests that go on from it: again, varied, larger, grown, repaired, worn. Imports core only.

Each raises `UserError` where the result was not generated (`Recipe.texture`), or the new size is none that can be made.
"""

from dataclasses import replace
from typing import Any

from .requests.finish import Finish
from .requests.guides import Guides
from .requests.template import USUAL_STRENGTH, Region, Template
from .requests.texture import Size, TextureRequest
from .results import MASK, TEMPLATE, Result

LARGER_STRENGTH = 0.4  # the layout stays, and detail is made for the new size; judged by eye with the starter


def template_of(result: Result, region: Region = Region.ALL, **settings: Any) -> Template:
    """The result's picture as a template. settings: fields of `Template`; the strength is the region's usual one."""
    settings = {"strength": USUAL_STRENGTH[region]} | settings
    return Template(str(result.path()), region=region, source_recipe=result.recipe.as_source(), **settings)


def again(result: Result) -> TextureRequest:
    """What made the result, with the copies of its template, its mask and its guides that lie beside it."""
    request = result.recipe.texture
    request = replace(request, guides=_guides(result, request))
    if request.template is None:
        return request
    template = request.template
    if TEMPLATE in result.files:
        template = replace(template, source=str(result.path(TEMPLATE)))
    if MASK in result.files:
        template = replace(template, mask=str(result.path(MASK)))
    return replace(request, template=template)


def _guides(result: Result, request: TextureRequest) -> Guides:
    return request.guides.showing({place: str(path) for place, path in result.guide_pictures.items()})


def varied(result: Result, variation: float, variation_seed: int, count: int = 1) -> TextureRequest:
    """Variations near the result: its own noise with a share of another. variation: 0 to 1; 0.1 to 0.4 stay near."""
    return replace(again(result), variation=variation, variation_seed=variation_seed, count=count)


def anew(result: Result, region: Region = Region.ALL, **settings: Any) -> TextureRequest:
    """The result at its own size with a part made anew: the seam, a mask, what wears. settings: see `template_of`.

    The size is the finished picture's, so that what stays is not scaled; so nothing is upscaled afterwards.
    """
    request = result.recipe.texture
    return replace(
        request,
        guides=_guides(result, request),
        size=Size(*request.result_size),
        finish=replace(request.finish, upscale=1),
        template=template_of(result, region, **settings),
        variation=0.0,
    )


def larger(result: Result, size: Size, strength: float = LARGER_STRENGTH) -> TextureRequest:
    """The result once more at a larger size, with detail of that size."""
    return replace(anew(result, strength=strength), size=size, finish=Finish())


def grown(result: Result, across: int = 2, down: int = 2, **settings: Any) -> TextureRequest:
    """A larger repeat whose top left part is the result as it was. across, down: how many times wider and higher.

    Without what guided its structure: stretched over all of the repeat, that would be too large.
    """
    request = anew(result, Region.GROW, **settings)
    request = replace(request, guides=replace(request.guides, controls=()))
    return replace(request, size=Size(request.size.width * across, request.size.height * down))
