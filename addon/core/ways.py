# SPDX-License-Identifier: GPL-3.0-or-later
"""From a result to the requests that go on from it: again, varied, larger, grown, repaired, worn. Imports core only.

Each raises `UserError` where the result was not generated (`Recipe.texture`), or the new size is none that can be made.
"""

import math
import struct
from dataclasses import replace
from typing import Any

from .errors import bad_request
from .requests.finish import Finish
from .requests.guides import Guides
from .requests.template import USUAL_STRENGTH, Region, Template
from .requests.texture import Axes, Size, TextureRequest
from .requests.transition import Transition
from .results import FIRST, MASK, SECOND, TEMPLATE, Result, disk_errors

_ALIKE = 0.01  # widths that differ by no more are one
LARGER_STRENGTH = 0.4  # the layout stays, and detail is made for the new size; judged by eye with the starter


def template_of(result: Result, region: Region = Region.ALL, **settings: Any) -> Template:
    """The result's picture as a template. settings: fields of `Template`; the strength is the region's usual one."""
    settings = {"strength": USUAL_STRENGTH[region]} | settings
    return Template(str(result.path()), region=region, source_recipe=result.recipe.as_source(), **settings)


def again(result: Result) -> TextureRequest:
    """What made the result, with the copies of what went into it that lie beside it: template, mask, guides ..."""
    request = result.recipe.texture
    if request.transition is not None:
        first, second = request.transition.first, request.transition.second
        if FIRST in result.files and SECOND in result.files:
            first, second = str(result.path(FIRST)), str(result.path(SECOND))
        return replace(request, transition=replace(request.transition, first=first, second=second))
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
        transition=None,
        variants=1,  # a part of a sheet made anew fits itself only
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


def transition(
    first: Result, second: Result, widths: tuple[float, float] | None = None, **settings: Any
) -> TextureRequest:
    """The tiles that lead from one result to another, made as the first was. settings: fields of `Transition`.

    widths: of a tile of either on the object, where they are known: what is drawn at two scales cannot be joined.
    """
    made, other = (
        result.recipe if result.recipe.request.is_sampled else result.recipe.source for result in (first, second)
    )
    base = made or other
    if base is None:
        raise bad_request("Neither picture was generated, so there is no model to go on with.", "Generate one of them.")
    sizes = tile_size(first), tile_size(second)
    if sizes[0] != sizes[1]:
        words = " and ".join(f"{width}x{height}" for width, height in sizes)
        raise bad_request(
            f"The two textures have tiles of {words} pixels: a transition needs one size.", "Upscale one."
        )
    if widths is not None and not math.isclose(*widths, rel_tol=_ALIKE):
        words = " and ".join(f"{width:.4g}" for width in widths)
        raise bad_request(
            f"A tile of the two textures is {words} wide on the object: a transition needs one scale.",
            "Give both materials one Tile Size.",
        )
    return replace(
        base.texture,
        prompt=(made or first.recipe).request.prompt,
        size=Size(*sizes[0]),
        count=1,
        axes=Axes.XY,
        guides=Guides(),
        template=None,
        variation=0.0,
        variants=1,
        finish=replace(base.texture.finish, upscale=1, delight=False),
        transition=Transition(
            str(first.path()),
            str(second.path()),
            **{"prompt": (other or second.recipe).request.prompt} | settings,
        ),
    )


def tile_anew(result: Result, column: int, row: int, seed: int) -> TextureRequest:
    """A set of tiles with one of them made anew, that fits where it did. column, row: from the top left, 0."""
    request = result.recipe.texture
    if request.transition is not None:
        raise bad_request("The tiles of a transition are made all at once.", "Make it again with another seed.")
    return replace(
        request,
        size=Size(*tile_size(result)),
        seed=seed,
        count=1,
        finish=replace(request.finish, upscale=1, delight=False),  # what stays is enlarged and de-lit
        template=template_of(result, Region.TILE, tile=(column, row)),
        variation=0.0,
    )


def tile_size(result: Result) -> tuple[int, int]:
    """Width and height, in pixels, of a result or of one of its tiles. Raises `UserError` where they are not known."""
    size, sheet = result.recipe.request.result_size, result.recipe.sheet
    if size is None:
        with disk_errors(result.folder), result.path().open("rb") as file:
            head = file.read(24)
        if not head.startswith(b"\x89PNG"):
            raise bad_request(f"The size of {result.path().name} is not known.", "Use a picture that is a PNG.")
        size = struct.unpack(">II", head[16:])
    return size[0] // sheet.columns, size[1] // sheet.rows
