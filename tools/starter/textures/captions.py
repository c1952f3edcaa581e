# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for a texture: a small grammar over colour, wear, size and noun. Imports numpy and this package only."""

from __future__ import annotations

import numpy as np

from .surface import Family, Style
from .wear import WEAR

# Words that no caption uses: what a model does with them shows what its text encoder adds to its training.
HELD_OUT_WORDS = frozenset(
    (
        "masonry",
        "timber",
        "oak",
        "burlap",
        "hessian",
        "scarlet",
        "crimson",
        "azure",
        "cyan",
        "emerald",
        "violet",
        "ivory",
        "charcoal",
        "turf",
        "pebbledash",
        "tarmac",
        "shale",
        "lichen",
        "corroded",
        "frosty",
        "grubby",
        "ancient",
        "hardwood",
        "suede",
        "linen",
        "tweed",
        "lumber",
        "slabs",
        "boulders",
        "magma",
    )
)

_SIZE_WORDS = {"small": ("small", "tiny", "little"), "large": ("large", "big", "huge")}
_PREFIX = (
    "seamless texture of ",
    "texture of ",
    "a texture of ",
    "tileable texture of ",
    "a photo of ",
    "close-up of ",
    "top view of ",
    "seamless ",
    "tileable ",
    "",
)
_SUFFIX = (
    " texture",
    ", seamless texture",
    ", tileable",
    ", top view",
    ", highly detailed",
    " surface, seamless",
    " pattern",
    "",
)


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _join(*words: str | None) -> str:
    return " ".join(word for word in words if word)


def captions(
    rng: np.random.Generator, family: Family, style: Style, wear: str | None, count: int = 6
) -> tuple[str, ...]:
    """`count` different wordings; the first is the shortest and names size, wear, colour and the simplest noun."""
    layer = WEAR[wear] if wear else None
    paint = wear == "peeling"
    joints = f"with {style.joint_colour} {family.joint}" if style.joint_colour and family.joint else None

    def colour() -> str | None:
        if style.colour and "grey" in style.colour and rng.random() < 0.35:
            return style.colour.replace("grey", "gray")
        return style.colour

    def size() -> str | None:
        return _pick(rng, _SIZE_WORDS[style.size]) if style.size else None

    first = _join(style.size, layer.adjectives[0] if layer else None, style.colour, style.pattern)
    out = [_join(family.nouns[0].format(first) if first else family.nouns[0].replace("{} ", ""), joints)]
    for _ in range(60):
        if len(out) >= count:
            break
        noun = _pick(rng, family.nouns)
        shape = int(rng.integers(4))
        tint, big = colour(), size()
        if tint and style.pattern and style.pattern.startswith("and "):  # "red and white checkered"
            shape = min(shape, 2)
        if layer and shape == 0:  # wear as an adjective before the rest
            words, after = _join(big, _pick(rng, layer.adjectives), tint, style.pattern), joints
        elif layer and shape == 1 and not paint:
            words, after = _join(_pick(rng, layer.adjectives), big, tint, style.pattern), joints
        elif paint and tint:
            words, after = (
                _join(big, style.pattern),
                f"with {_pick(rng, ('peeling', 'flaking', 'old peeling'))} {tint} paint",
            )
        else:
            words, after = _join(big, tint, style.pattern), _join(joints, _pick(rng, layer.phrases) if layer else None)
        if tint and shape == 3 and not paint:  # the colour after the noun
            words = _join(big, None if not layer else _pick(rng, layer.adjectives), style.pattern)
            after = _join(", " + tint, joints and ", " + joints)
        phrase = noun.format(words) if words else noun.replace("{} ", "")
        text = _join(phrase, after).replace(" ,", ",")
        affix = rng.random()
        if affix < 0.4:
            text = _pick(rng, _PREFIX) + text
        elif affix < 0.7:
            text = text + _pick(rng, _SUFFIX if not after else _SUFFIX[1:5])
        if text not in out:
            out.append(text)
    return tuple(out)
