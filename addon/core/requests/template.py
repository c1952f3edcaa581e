# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture as the start of a texture: how much is kept, how it is fitted, which part is made anew. Imports core only.

One value for image to image, inpainting, outpainting ("grow"), repairing a seam and wear: they differ in `Region`.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from ..errors import bad_request
from .checks import check_path, is_hash, number

MAX_SOURCE_RECIPE = 300_000  # characters; prompts of any alphabet take at most 240,000, and twice that fits a frame
MAX_FEATHER = 0.25  # of the shorter side


class Fit(StrEnum):
    """How a template of another size becomes one of the texture's size."""

    STRETCH = "STRETCH"  # all of it, scaled on each axis by itself: a picture that tiles goes on tiling
    CROP = "CROP"  # its middle, scaled alike on both axes
    TILE = "TILE"  # repeated a whole number of times, about at its own size: 512 px give four copies in 1024 x 1024


class Region(StrEnum):
    """Which part of the template is made anew. What is outside keeps its pixels, bit for bit."""

    ALL = "ALL"  # image to image
    MASK = "MASK"  # what is white in `Template.mask`
    ALPHA = "ALPHA"  # where the template is transparent
    SEAM = "SEAM"  # a band along the edges of each axis that is to repeat
    GROW = "GROW"  # all but the first copy, at the top left, of a template that is tiled (`Fit.TILE`)
    TILE = "TILE"  # of a set of tiles one, but for the rims that it shares; see `Template.tile`
    WEAR = "WEAR"  # what wears first: hollows and edges in the template's own height; see `Template.amount`


# How far from the template each region's new part may go where nobody says; judged by eye with the starter.
USUAL_STRENGTH = {
    Region.ALL: 0.6,
    Region.MASK: 0.5,
    Region.ALPHA: 0.5,
    Region.SEAM: 0.4,
    Region.GROW: 0.6,
    Region.WEAR: 0.95,
    Region.TILE: 1.0,
}


@dataclass(frozen=True, slots=True)
class Template:
    """A picture file to start from. Creating one validates it; what is wrong raises `UserError` (kind `REQUEST`).

    source: an absolute path; what `PictureRequest.source` may be.
    strength: the denoising strength, 0 to 1: 0 gives the fitted template itself, 1 keeps nothing of it (where it is
        made anew).
    fit: for a template, and a mask, of another size. `Region.GROW` means `Fit.TILE` and sets it.
    tileable: make the fitted template periodic first, as *Make Tileable* does, so that any photo becomes a tile.
    region: which part is made anew.
    mask: an absolute path, for `Region.MASK` alone: a picture whose white is made anew, whose black stays.
    cover: for `Region.MASK`, cover what is inside with what fits from elsewhere in the template first, so that a
        scratch is gone and not only changed. What is transparent always is.
    feather: how soft the new part's border is, 0 to 0.25 of the shorter side, inwards: outside nothing changes. Wear
        has a border of its own.
    amount: for `Region.WEAR`, the share of the picture that wears, 0 to 1.
    keep_edges: leave the pixels along the edges as they are, so that textures made from one template tile with each
        other: clean beside worn beside mossy.
    tile: for `Region.TILE`, its column and row, from the top left, 0.
    sha256, mask_sha256: the files' hashes, 64 hexadecimal digits; "" where they were not asked yet. A recipe has them,
        and a file with another hash is refused.
    source_recipe: what made the template, see `PictureRequest.source_recipe`.
    """

    source: str
    strength: float = USUAL_STRENGTH[Region.ALL]
    fit: Fit = Fit.STRETCH
    tileable: bool = False
    region: Region = Region.ALL
    mask: str = ""
    cover: bool = True
    feather: float = 1 / 64
    amount: float = 0.5
    keep_edges: bool = False
    sha256: str = ""
    mask_sha256: str = ""
    source_recipe: str = ""
    tile: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        check_path("The template", self.source)
        for name, high in (("strength", 1.0), ("feather", MAX_FEATHER), ("amount", 1.0)):
            object.__setattr__(self, name, number(_TITLES[name], getattr(self, name), high))
        if not isinstance(self.fit, Fit) or not isinstance(self.region, Region):
            raise bad_request("The template's fit or region is not known.")
        if not all(isinstance(value, bool) for value in (self.tileable, self.cover, self.keep_edges)):
            raise bad_request("The settings are not those of a template.")
        if self.region is Region.MASK:
            if not self.mask:
                raise bad_request("There is no mask.", "Paint one, or choose another part to be made anew.")
            check_path("The mask", self.mask)
        elif self.mask or self.mask_sha256:
            raise bad_request("A mask needs the region of the mask.")
        if self.region is Region.TILE and not self.strength:
            raise bad_request("With a strength of 0 nothing of the tile would be made anew.", "Set it to 1.")
        if not isinstance(self.tile, tuple) or [type(number) for number in self.tile] != [int, int]:
            raise bad_request("A tile is named by its column and its row.")
        if self.region is Region.GROW:
            object.__setattr__(self, "fit", Fit.TILE)
        for value in (self.sha256, self.mask_sha256):
            if not is_hash(value, 64):
                raise bad_request("The template's hash is not one.")
        if not isinstance(self.source_recipe, str) or len(self.source_recipe) > MAX_SOURCE_RECIPE:
            raise bad_request("The source recipe must be a text that is not too long.")

    @property
    def in_words(self) -> str:
        """What is done with the template, in English, one sentence."""
        name = PurePath(self.source).name
        how = {
            Region.ALL: "from",
            Region.MASK: "inside a mask on",
            Region.ALPHA: "where it is transparent in",
            Region.SEAM: "along the seam of",
            Region.GROW: "growing",
            Region.WEAR: "as wear on",
            Region.TILE: "as one tile of",
        }[self.region]
        return f"Made {how} the template {name}, strength {self.strength:g}."

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: `source`, `strength`, and what is not the default."""
        data = {
            item.name: value.value if isinstance(value, StrEnum) else value
            for item in fields(self)
            if (value := getattr(self, item.name)) != item.default or item.default is MISSING
        }
        return data | {"strength": self.strength}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Template":
        """The reverse of `to_json`; missing fields take their defaults. Raises `UserError` on anything else."""
        known = {item.name for item in fields(cls)}
        values = dict(data) if isinstance(data, Mapping) else {}
        if not set(values) <= known or "source" not in values:
            raise bad_request("The settings are not those of a template.")
        try:
            if "fit" in values:
                values["fit"] = Fit(values["fit"])
            if "region" in values:
                values["region"] = Region(values["region"])
            if "tile" in values:
                values["tile"] = tuple(values["tile"])
        except (TypeError, ValueError) as error:
            raise bad_request(f"The settings are not those of a template: {error}.") from error
        return cls(**values)


_TITLES = {"strength": "The strength", "feather": "The feather", "amount": "The amount of wear"}
