# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of surface: which words name them, how rough they are, whether they are metal, how deep. Imports core only."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from . import prompts


class SurfaceKind(StrEnum):
    """What a surface is made of, as far as roughness, metallic and depth differ by it."""

    AUTO = "AUTO"  # by the words of the prompt, or of the picture's name
    NONE = "NONE"  # the maps stay as the networks see them
    STONE = "STONE"  # rock, concrete, plaster, asphalt
    MASONRY = "MASONRY"  # laid: bricks, paving, roof tiles
    CERAMIC = "CERAMIC"  # tiles, porcelain, polished stone, glass
    WOOD = "WOOD"
    METAL = "METAL"  # bare: what is painted is PLASTIC
    PLASTIC = "PLASTIC"  # paint, rubber, leather
    CLOTH = "CLOTH"  # fabric, carpet, paper
    GROUND = "GROUND"  # soil, sand, gravel, grass, leaves, snow
    LIQUID = "LIQUID"  # water, ice, slime


@dataclass(frozen=True)
class Surface:
    """What is known of a surface.

    roughness: the least and the greatest mean that such surfaces have. metallic: 0 or 1; None for what the networks
    see, where there may be both. relief: the least and the greatest height between lowest and highest point (each but
    for a hundredth), in widths of a tile.
    words: those that told so, in the order of the text; none where the user chose the kind and said nothing more.
    """

    kind: SurfaceKind
    roughness: tuple[float, float]
    metallic: float | None
    relief: tuple[float, float]
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As it stands in a recipe: "METAL (brushed steel)"."""
        return f"{self.kind} ({' '.join(self.words)})" if self.words else str(self.kind)


@dataclass(frozen=True)
class Facts:
    """What surfaces of a kind have in common; see `Surface`."""

    roughness: tuple[float, float]
    metallic: float
    relief: tuple[float, float]


# Quartiles of 81 real CC0 surfaces, measured by `tools.surfaces.kinds`; of PLASTIC and LIQUID there were too few, and
# theirs are those of the usual charts.
FACTS: Mapping[SurfaceKind, Facts] = {
    SurfaceKind.STONE: Facts((0.52, 0.79), 0.0, (0.0024, 0.0206)),
    SurfaceKind.MASONRY: Facts((0.53, 0.58), 0.0, (0.0070, 0.0217)),
    SurfaceKind.CERAMIC: Facts((0.07, 0.27), 0.0, (0.0007, 0.0035)),
    SurfaceKind.WOOD: Facts((0.45, 0.61), 0.0, (0.0004, 0.0025)),
    SurfaceKind.METAL: Facts((0.28, 0.57), 1.0, (0.0001, 0.0018)),
    SurfaceKind.PLASTIC: Facts((0.30, 0.50), 0.0, (0.0005, 0.0050)),
    SurfaceKind.CLOTH: Facts((0.65, 0.83), 0.0, (0.0006, 0.0055)),
    SurfaceKind.GROUND: Facts((0.49, 0.68), 0.0, (0.0040, 0.0125)),
    SurfaceKind.LIQUID: Facts((0.05, 0.15), 0.0, (0.0005, 0.0050)),
}
_DEEPEST = 0.05  # of roof tiles and rock among them


def _table(words: Mapping[SurfaceKind, str]) -> dict[str, SurfaceKind]:
    return {word: kind for kind, text in words.items() for word in text.split()}


# What a surface is made of. Of several the last one counts, as the noun does: "steel blue fabric", "stone ground".
_MATERIALS = _table(
    {
        SurfaceKind.STONE: "stone rock granite basalt slate sandstone limestone concrete cement plaster stucco asphalt"
        " tarmac boulder cliff lava pumice travertine gypsum chalk adobe clay",
        SurfaceKind.MASONRY: "brick brickwork masonry cobblestone cobble paving pavement paver gabion terracotta"
        " shingle",
        SurfaceKind.CERAMIC: "ceramic porcelain glass mosaic marble onyx terrazzo azulejo crystal",
        SurfaceKind.WOOD: "wood timber oak pine walnut birch beech maple cherry mahogany teak rosewood ebony spruce"
        " cedar bamboo parquet plywood veneer driftwood plank floorboard hardwood bark cork wicker basket rattan",
        SurfaceKind.METAL: "metal steel iron copper brass bronze gold silver aluminium aluminum chrome tin zinc"
        " titanium nickel platinum pewter foil tinfoil",
        SurfaceKind.PLASTIC: "plastic rubber vinyl leather paint lacquer latex linoleum silicone pvc acrylic resin wax"
        " skin snakeskin",
        SurfaceKind.CLOTH: "fabric cloth carpet wool linen cotton silk satin velvet denim felt canvas burlap tweed"
        " corduroy lace fur rug upholstery textile jute hessian paper wallpaper cardboard rope towel",
        SurfaceKind.GROUND: "ground soil dirt earth mud sand gravel grass lawn moss leaf leaves forest meadow snow"
        " pebble straw hay mulch desert turf ivy foliage clover",
        SurfaceKind.LIQUID: "water ice slime puddle river liquid",
    }
)
# What is usually made of something, where nothing else is said.
_SHAPES = _table(
    {
        SurfaceKind.STONE: "wall road street rubble ruin cave castle sidewalk",
        SurfaceKind.MASONRY: "roof chimney",
        SurfaceKind.CERAMIC: "tile tiling",
        SurfaceKind.WOOD: "wooden board fence deck siding crate barrel",
        SurfaceKind.METAL: "rust armor armour rivet grate grating plate",
        SurfaceKind.CLOTH: "knit knitted weave woven quilt quilted plaid tartan",
    }
)
# Words whose parts say something else.
_PHRASES = {
    r"roof(?:ing)? tiles?": "shingle",
    r"paving ?stones?": "paving",
    r"terra cotta": "terracotta",
    r"(gold|silver) leaf": r"\1",
    r"(marble|onyx) stone": r"\1",
    r"steel wool": "steel",
    r"carbon fib(?:er|re)": "plastic",
    r"(?:brick|rust) (red|brown)": r"\1",
    r"(?:slate|stone|steel|iron|sand|silver) (gr[ae]y|blue|beige|colou?red)": r"\1",
}
# How a surface is differs from its kind's roughness: what is left of that, or of what it lacks to 1.
_GLOSS = {0.45: "wet polished glossy shiny glazed lacquered varnished waxed oily icy", 0.7: "smooth damp silk satin"}
_DULL = {0.5: "rough coarse matte rusty rust corroded sandblasted", 0.7: "worn weathered dusty dirty scratched mossy"}
_DEEP = frozenset(
    ["corrugated", "ribbed", "embossed", "carved", "quilted", "siding", "bark", "log", "logs", "cliff", "boulder"]
)
_COATED = frozenset(["painted", "paint", "lacquered", "enamelled", "enameled", "coated", "varnished"])
_MIXED = frozenset(["rusty", "rusted", "rust", "corroded", "oxidized", "oxidised", "patina", "mossy", "muddy", "dirty"])

_WORD = re.compile(r"[^\W\d_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")  # as in "PavingStones"
# What stands behind one of these is beside the surface, or what it consists of: "stone wall with steel bolts".
_ASIDE = re.compile(r"\b(?:with|and|on|in|under|between|behind|over|without|of)\b|[,;:(]")
_STATES = {word: factor for factor, text in _GLOSS.items() for word in text.split()} | {
    word: -factor for factor, text in _DULL.items() for word in text.split()
}
_KNOWN = frozenset((*_MATERIALS, *_SHAPES, *_STATES, *_COATED, *_MIXED, *_DEEP))


def surface_of(kind: SurfaceKind, text: str) -> Surface | None:
    """The surface of a kind that was chosen, or with `AUTO` of the one that a text speaks of; None where it does not.

    text: a prompt, in English or any language of `foreign_words`; or the name of a picture or its file. Words such as
    "wet" and "rusty" count whichever kind was chosen.
    """
    if kind is SurfaceKind.NONE:
        return None
    text = " ".join(re.split(r"[\d_-]+", _HUMP.sub(" ", text)))
    own, english = text.lower(), prompts.read(text, _KNOWN).read_as.lower()
    found = next((found for found in (_Found.of(own), _Found.of(english)) if found is not None), None)
    if kind is SurfaceKind.AUTO and found is None:
        return None
    said = dict.fromkeys((*_words(own), *_words(english)))
    chosen = found.kind if kind is SurfaceKind.AUTO and found is not None else kind
    return _surface(chosen, found, list(said))


@dataclass(frozen=True)
class _Found:
    """What a text speaks of. word: that told. others: the kinds that it names besides."""

    kind: SurfaceKind
    word: str
    others: frozenset[SurfaceKind]

    @classmethod
    def of(cls, text: str) -> "_Found | None":
        """text: in lower case. None where it names nothing."""
        for pattern, instead in _PHRASES.items():
            text = re.sub(rf"\b{pattern}\b", instead, text)
        parts = [list(_words(part)) for part in _ASIDE.split(text)]
        named = {_MATERIALS[word] for part in parts for word in part if word in _MATERIALS}
        for table in (_MATERIALS, _SHAPES):
            for part in parts:
                for word in reversed(part):
                    if word in table:
                        own = {_MATERIALS[other] for other in part if other in _MATERIALS}
                        return cls(table[word], word, frozenset(named - own))
        return None


def _surface(kind: SurfaceKind, found: _Found | None, said: list[str]) -> Surface:
    coated, mixed = (bool(words.intersection(said)) for words in (_COATED, _MIXED))
    is_metal, is_named = kind is SurfaceKind.METAL, found is not None and found.kind is kind
    if is_metal and coated:
        kind = SurfaceKind.PLASTIC
    facts = FACTS[kind]
    others = found.others if found is not None and found.kind is kind else frozenset()
    metallic: float | None = facts.metallic
    if (is_metal and (mixed or others)) or SurfaceKind.METAL in others:
        metallic = None
    states = [word for word in said if word in _STATES]
    factors = [_STATES[word] for word in states]
    gloss = min((factor for factor in factors if factor > 0), default=1.0)
    dull = max((factor for factor in factors if factor < 0), default=-1.0)
    low, high = (1 - (1 - value * gloss) * -dull for value in facts.roughness)
    deep = _DEEP.intersection(said)
    relief = (facts.relief[0], _DEEPEST if deep else facts.relief[1])
    telling = {*_STATES, *_COATED, *deep} | ({found.word} if found is not None and is_named else set())
    return Surface(kind, (low, high), metallic, relief, tuple(word for word in said if word in telling))


def _words(text: str) -> Iterator[str]:
    """The words of a text, those of our tables in their singular."""
    for match in _WORD.finditer(text):
        word = match.group()
        forms = (word, word.removesuffix("s"), word.removesuffix("es"))
        yield next((form for form in forms if form in _KNOWN), word)
