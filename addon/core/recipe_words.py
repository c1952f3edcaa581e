# SPDX-License-Identifier: GPL-3.0-or-later
"""A recipe in words, for people who read an asset's description. Imports core and the standard library only."""

import re

from .recipe import Recipe

_MAX_TAGS = 6
_LITTLE = {"and", "for", "from", "into", "the", "with"}


def description(recipe: Recipe, model: str) -> str:
    """The recipe in a few sentences, with that of the picture it was made from. model: the title of what made it."""
    request = recipe.request
    lines = [f"“{' '.join(request.prompt.split())}”.", *request.sentences(model)]
    if recipe.source is not None:
        lines.append(f"The picture: {description(recipe.source, model)}")
    return " ".join(lines)


def tags(recipe: Recipe) -> list[str]:
    """The words of a prompt that somebody would look for, each once, in order."""
    words = re.findall(r"[^\W\d_]{3,30}", recipe.request.prompt.casefold())
    return list(dict.fromkeys(word for word in words if word not in _LITTLE))[:_MAX_TAGS]
