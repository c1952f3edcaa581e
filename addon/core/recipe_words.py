# SPDX-License-Identifier: GPL-3.0-or-later
"""A recipe in words, for people who read an asset's description. Imports core and the standard library only."""

import re

from .recipe import Recipe
from .requests.texture import Axes, TextureRequest

_TILING = {
    Axes.XY: "repeats both ways",
    Axes.X: "repeats left to right",
    Axes.Y: "repeats bottom to top",
    Axes.NONE: "does not repeat",
}
_MAX_TAGS = 6
_LITTLE = {"and", "for", "from", "into", "the", "with"}


def description(recipe: Recipe, model: str) -> str:
    """The recipe in a few sentences, with that of the picture it was made from. model: the title of what made it."""
    request = recipe.request
    lines = [f"“{' '.join(request.prompt.split())}”."]
    if not isinstance(request, TextureRequest):
        lines.append(f"Made from a picture by Tilewright; {_TILING[request.axes]}.")
        if recipe.source is not None:
            lines.append(f"The picture: {description(recipe.source, model)}")
        return " ".join(lines)
    if request.negative_prompt.strip():
        lines.append(f"Without: “{' '.join(request.negative_prompt.split())}”.")
    width, height = request.result_size
    lines.append(f"{width} x {height} pixels, {_TILING[request.axes]}.")
    lines.append(f"Made by Tilewright with the model {model}.")
    lines.append(f"Seed {request.seed}, {request.steps} steps, guidance {request.guidance_scale:g}.")
    return " ".join(lines)


def tags(recipe: Recipe) -> list[str]:
    """The words of a prompt that somebody would look for, each once, in order."""
    words = re.findall(r"[^\W\d_]{3,30}", recipe.request.prompt.casefold())
    return list(dict.fromkeys(word for word in words if word not in _LITTLE))[:_MAX_TAGS]
