# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of families: how each is drawn, what it is called, which words it takes. Imports this package only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import families_ground as ground
from . import families_laid as laid
from . import families_made as made
from . import families_metal as metal
from . import families_soft as soft
from . import families_stone as stone
from . import families_tiles as tiles
from . import families_wood as wood
from .canvas import Canvas
from .colours import NAMED
from .surface import Family, Style, Surface

ANY = ", ".join(NAMED)
STONY = "moss, cracks, old, dirt, dust, wet, snow"
METALLIC = "rust, old, dirt, dust, wet, peeling"


def _family(draw: Callable[[Canvas, Style], Surface], nouns: str, colours: str, wear: str, **rest: Any) -> Family:
    """A Family from lists written as text: nouns between semicolons, with {} where adjectives go if not in front."""
    forms = tuple(noun if "{}" in noun else "{} " + noun for noun in nouns.split("; "))
    tints, layers = (tuple(words.split(", ")) if words else () for words in (colours, wear))
    return Family(draw, forms, tints, layers, **rest)


FAMILIES: dict[str, Family] = {
    "bricks": _family(
        laid.bricks,
        "bricks; brick wall; a wall of {} bricks; brickwork; a {} brick wall",
        ANY,
        STONY + ", peeling",
        joint="mortar",
        weight=1.6,
    ),
    "brick paving": _family(
        laid.herringbone_bricks,
        "herringbone bricks; herringbone brick paving; brick paving in herringbone; brick pavers",
        ANY,
        STONY,
        joint="joints",
        weight=1.6,
    ),
    "basket bricks": _family(
        laid.basket_bricks,
        "basketweave bricks; basket weave brick paving; brick paving in basketweave; bricks in a basket weave",
        ANY,
        STONY,
        joint="joints",
        weight=1.4,
    ),
    "stone blocks": _family(
        laid.stone_blocks,
        "stone blocks; stone block wall; castle wall; a wall of {} stone blocks; ashlar",
        ANY,
        STONY,
        joint="mortar",
    ),
    "stone wall": _family(
        laid.rubble,
        "stone wall; rubble wall; a wall of {} stones; fieldstone wall; natural stone wall",
        ANY,
        STONY,
        joint="mortar",
        weight=1.6,
    ),
    "cobblestone": _family(
        laid.cobblestone,
        "cobblestone; cobbles; cobblestone street; cobblestone pavement; cobblestones",
        ANY,
        STONY,
        joint="joints",
        weight=1.2,
    ),
    "flagstones": _family(
        laid.flagstones,
        "flagstones; flagstone floor; stone paving; paving stones; flagstone path",
        ANY,
        STONY,
        joint="joints",
        weight=1.6,
    ),
    "slabs": _family(
        laid.slabs,
        "paving slabs; concrete slabs; pavement slabs; slabs; patio slabs",
        ANY,
        STONY,
        joint="joints",
        weight=1.6,
    ),
    "tiles": _family(
        tiles.tiles,
        "tiles; ceramic tiles; tiled wall; bathroom tiles; square tiles",
        ANY,
        "cracks, old, dirt, dust, wet",
        joint="grout",
        weight=2.0,
    ),
    "checkered tiles": _family(
        tiles.checkered,
        "tiles; tile floor; floor; floor tiles",
        "black, red, blue, green, brown, grey, teal, dark green, yellow, pink",
        "cracks, old, dirt, dust, wet",
        named=1.0,
        weight=0.6,
    ),
    "hexagon tiles": _family(
        tiles.hexagons,
        "hexagon tiles; hexagonal tiles; honeycomb tiles; hex tile floor",
        ANY,
        "cracks, old, dirt, dust, wet",
        joint="grout",
        weight=1.6,
    ),
    "mosaic": _family(
        tiles.mosaic,
        "mosaic; mosaic tiles; glass mosaic; tile mosaic",
        ANY,
        "cracks, old, dirt, dust, wet",
        joint="grout",
        weight=0.8,
    ),
    "roof tiles": _family(
        tiles.roof_tiles,
        "roof tiles; tiled roof; roof shingles; shingles; roofing tiles",
        ANY,
        "moss, old, dirt, dust, wet, snow",
    ),
    "planks": _family(
        wood.planks,
        "wooden planks; planks; wood planks; boards; wooden boards; wooden floor; wood planking",
        ANY,
        "old, dirt, dust, wet, snow, moss, cracks, peeling",
        weight=1.8,
    ),
    "wood": _family(
        wood.wood_grain,
        "wood; wood grain; wooden surface; wood veneer; plywood",
        ANY,
        "old, dirt, dust, wet, cracks, peeling",
        weight=1.4,
    ),
    "parquet": _family(
        wood.parquet, "parquet; parquet floor; parquet flooring; wood parquet", ANY, "old, dirt, dust, wet", weight=1.6
    ),
    "chipboard": _family(
        made.chipboard,
        "chipboard; particle board; strand board; osb board; pressed wood board",
        "brown, light brown, beige, yellow, grey, white, red, dark brown, green, blue",
        "old, dirt, dust, wet",
        named=0.35,
        weight=0.7,
    ),
    "bark": _family(
        wood.bark,
        "bark; tree bark; bark of a tree; tree trunk bark",
        "brown, dark brown, light brown, grey, dark grey, light grey, beige, black, white, red, green, blue, purple",
        "moss, old, wet, snow, dirt",
        named=0.4,
    ),
    "grass": _family(
        ground.grass,
        "grass; lawn; grass field; meadow grass",
        "dark green, light green, yellow, brown, beige, green, blue, red, purple, orange, teal, pink",
        "dirt, snow",
        sized=False,
        named=0.35,
    ),
    "moss": _family(
        ground.moss,
        "moss; moss carpet; forest moss; moss ground",
        "green, dark green, light green, yellow, brown, red, purple, blue, teal",
        "dirt, snow, wet",
        named=0.3,
        weight=0.7,
    ),
    "leaves": _family(
        ground.leaves,
        "leaves; fallen leaves; leaf litter; foliage; ground covered in {} leaves",
        "green, dark green, light green, yellow, orange, red, dark red, brown, purple, gold, blue, pink, teal",
        "dirt, snow, wet",
    ),
    "ivy": _family(
        ground.ivy,
        "ivy; ivy leaves; ivy wall; a wall of {} ivy; climbing ivy",
        "green, dark green, light green, red, dark red, yellow, brown, purple, blue, teal",
        "dirt, snow, wet",
        named=0.35,
        weight=0.7,
    ),
    "straw": _family(
        ground.straw,
        "straw; hay; dry straw; loose straw; bale of {} straw",
        "yellow, gold, beige, brown, light brown, dark brown, grey, green, red",
        "dirt, snow, wet, dust",
        named=0.35,
        weight=0.7,
    ),
    "thatch": _family(
        ground.thatch,
        "thatch; thatched roof; thatch roof; reed thatch; a roof of {} thatch",
        "yellow, gold, beige, brown, light brown, dark brown, grey, green, black",
        "moss, old, snow, wet, dirt",
        named=0.35,
        weight=0.7,
    ),
    "soil": _family(
        ground.soil,
        "soil; dirt ground; earth; garden soil; loose soil",
        "brown, dark brown, light brown, black, red, orange, grey, beige, dark red, yellow",
        "moss, snow, wet, dust",
        named=0.4,
    ),
    "sand": _family(
        ground.sand,
        "sand; beach sand; desert sand; sand ripples; sand dunes",
        "beige, white, black, yellow, orange, red, pink, grey, brown, gold, light brown, blue, green, purple",
        "wet, snow, dirt",
    ),
    "gravel": _family(ground.gravel, "gravel; crushed stone; gravel path; grit", ANY, "moss, dirt, dust, wet, snow"),
    "pebbles": _family(
        ground.pebbles,
        "pebbles; river stones; river pebbles; round stones; pebble beach",
        ANY,
        "moss, dirt, dust, wet, snow",
        weight=1.4,
    ),
    "cracked mud": _family(
        ground.cracked_mud,
        "cracked mud; dried mud; cracked earth; dry cracked clay",
        "brown, dark brown, light brown, beige, grey, red, orange, white, yellow, black, green, blue",
        "moss, wet, snow, dust",
        named=0.4,
    ),
    "snow": _family(ground.snow, "snow; fresh snow; snow ground; powder snow", "", "dirt", sized=False, weight=0.4),
    "ice": _family(
        ground.ice,
        "ice; frozen lake; cracked ice; frozen water",
        "blue, light blue, turquoise, teal, white, grey, green, purple, pink",
        "snow, dirt",
        named=0.4,
        weight=0.7,
    ),
    "lava": _family(ground.lava, "lava; molten lava; volcanic lava; lava rock with glowing cracks", "", "", weight=0.6),
    "marble": _family(
        stone.marble,
        "marble; marble stone; polished {} marble; a {} marble slab",
        ANY,
        "cracks, dirt, dust",
        sized=False,
    ),
    "granite": _family(
        stone.granite,
        "granite; granite stone; polished granite; speckled granite",
        ANY,
        "cracks, dirt, moss, wet",
        weight=0.8,
    ),
    "rock": _family(
        stone.rock, "rock; rock face; cliff; rough stone; rocky cliff", ANY, "moss, dirt, dust, wet, snow, cracks"
    ),
    "strata": _family(
        stone.strata,
        "rock strata; layered rock; sedimentary rock; sandstone layers; canyon wall",
        ANY,
        "moss, dirt, dust, wet, snow, cracks",
        named=0.45,
        weight=0.8,
    ),
    "concrete": _family(
        stone.concrete,
        "concrete; concrete wall; cement; concrete floor",
        ANY,
        "moss, cracks, old, dirt, dust, wet, snow, peeling",
    ),
    "plaster": _family(
        stone.plaster,
        "plaster; stucco; plaster wall; stucco wall; plastered wall",
        ANY,
        "moss, cracks, old, dirt, wet, peeling",
    ),
    "asphalt": _family(
        stone.asphalt,
        "asphalt; asphalt road; road surface; street asphalt",
        "black, grey, dark grey, light grey, red, brown, blue, green, dark red",
        "moss, cracks, old, dirt, dust, wet, snow",
        named=0.35,
    ),
    "terrazzo": _family(
        stone.terrazzo,
        "terrazzo; terrazzo floor; terrazzo tiles; terrazzo stone",
        ANY,
        "cracks, dirt, dust, wet",
        weight=0.7,
    ),
    "cork": _family(
        stone.cork,
        "cork; cork board; cork floor; pressed cork",
        "brown, dark brown, light brown, beige, red, green, blue, grey, black, orange",
        "old, dirt, dust",
        named=0.3,
        weight=0.7,
    ),
    "rusty metal": _family(
        metal.rusty_metal, "rusty metal; rusted steel; rusty iron; metal with rust", ANY, "dirt, dust, wet", sized=False
    ),
    "brushed metal": _family(
        metal.brushed,
        "brushed metal; brushed steel; brushed aluminium; metal",
        ANY,
        "rust, dirt, dust, old",
        sized=False,
        weight=0.8,
    ),
    "diamond plate": _family(
        metal.diamond_plate, "diamond plate; tread plate; checker plate; metal floor plate", ANY, METALLIC, weight=1.4
    ),
    "corrugated metal": _family(
        metal.corrugated,
        "corrugated metal; corrugated iron; corrugated steel sheet; metal siding",
        ANY,
        METALLIC + ", moss",
        weight=1.2,
    ),
    "metal panels": _family(
        metal.metal_panels,
        "metal panels; riveted metal plates; steel plates with rivets; riveted steel",
        ANY,
        METALLIC,
        weight=1.4,
    ),
    "fabric": _family(
        soft.fabric,
        "woven fabric; fabric; cloth; woven cloth; canvas fabric",
        ANY,
        "old, dirt, dust, wet",
        named=0.7,
        weight=1.6,
    ),
    "denim": _family(
        soft.denim, "denim; denim fabric; jeans; denim cloth", ANY, "old, dirt, dust, wet", named=0.45, weight=0.7
    ),
    "knit": _family(
        soft.knit,
        "knitted wool; knit; knitted fabric; knitted sweater; wool knit",
        ANY,
        "old, dirt, wet",
        named=0.65,
        weight=1.4,
    ),
    "plaid": _family(
        soft.plaid, "plaid fabric; tartan; plaid; tartan cloth", ANY, "old, dirt, wet", named=0.65, weight=0.6
    ),
    "carpet": _family(
        soft.carpet, "carpet; rug; carpet floor; pile carpet", ANY, "old, dirt, dust, wet", named=0.6, weight=0.8
    ),
    "leather": _family(
        soft.leather, "leather; leather hide; leather surface; cowhide leather", ANY, "old, cracks, dirt, dust, wet"
    ),
    "fur": _family(soft.fur, "fur; animal fur; fluffy fur; fur coat", ANY, "dirt, wet, snow"),
    "scales": _family(
        tiles.scales, "scales; dragon scales; fish scales; reptile scales; snake skin", ANY, "dirt, wet, dust, old"
    ),
    "wallpaper": _family(
        made.wallpaper,
        "wallpaper; wall paper; vintage {} wallpaper; patterned {} wallpaper",
        ANY,
        "old, dirt, dust",
        weight=1.6,
    ),
    "paper": _family(
        made.paper,
        "crumpled paper; paper; wrinkled paper; crumpled paper sheet",
        ANY,
        "old, dirt, dust",
        named=0.45,
        weight=0.7,
    ),
    "cardboard": _family(
        made.cardboard,
        "cardboard; corrugated cardboard; cardboard box; a sheet of {} cardboard",
        "brown, light brown, beige, grey, white, dark brown, red, blue, green, yellow",
        "old, dirt, dust, wet",
        named=0.35,
        weight=0.7,
    ),
    "sponge": _family(
        made.sponge,
        "sponge; foam sponge; porous sponge; bath sponge",
        "yellow, orange, beige, pink, blue, green, light blue, white, grey, purple, red, brown, teal",
        "dirt, wet, dust",
        named=0.5,
        weight=0.7,
    ),
    "bubbles": _family(
        made.bubbles,
        "bubbles; foam; soap bubbles; foam bubbles; soap foam",
        "blue, light blue, white, turquoise, teal, pink, purple, green, yellow, orange, grey, light green",
        "dirt",
        named=0.5,
        weight=0.7,
    ),
}
