# SPDX-License-Identifier: GPL-3.0-or-later
"""The request to work on a picture that exists: upscale it, make its maps, make it tileable. Imports core only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from ..errors import ErrorKind, UserError
from .finish import Finish
from .texture import Axes, TextureRequest

MAX_SOURCE_RECIPE = 300_000  # characters; prompts of any alphabet take at most 240,000, and twice that fits a frame


class Content(StrEnum):
    """What a picture's numbers mean. Only colors are kept as colors; normals keep unit length."""

    COLOR = "COLOR"  # sRGB-encoded, the usual picture
    LINEAR = "LINEAR"  # linear Rec.709 colors, the usual float picture
    DATA = "DATA"
    NORMAL = "NORMAL"


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One job on one picture file; the file itself is never changed.

    source: an absolute path: what Pillow reads, 16-bit PNG, or a float32 .npy array (rows from the top).
    source_recipe: what made the picture, see `Recipe.as_source`; "" where that is not known. It changes no pixel.
    title: what the result is called; the file's name where empty.
    axes: where the picture repeats (after `tileable`, if that is set), so what has to stay periodic.
    tileable: make it periodic on `axes` first.
    Creating one validates it; what is wrong raises `UserError` (kind `REQUEST`).
    """

    source: str
    finish: Finish = field(default_factory=Finish)
    axes: Axes = Axes.XY
    tileable: bool = False
    content: Content = Content.COLOR
    title: str = ""
    source_recipe: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.source, str) or "\0" in self.source or not PurePath(self.source).is_absolute():
            raise _bad("The picture must be named by its whole path.")
        if not isinstance(self.title, str) or len(self.title) > 1000:
            raise _bad("The picture's title must be a short text.")
        if not isinstance(self.source_recipe, str) or len(self.source_recipe) > MAX_SOURCE_RECIPE:
            raise _bad("What made the picture must be told in a text that is not too long.")
        if not isinstance(self.axes, Axes) or not isinstance(self.content, Content):
            raise _bad("The axes or the picture's content are not known.")
        if not isinstance(self.tileable, bool) or not isinstance(self.finish, Finish):
            raise _bad("The settings are not those of a picture.")
        if not self.tileable and not self.finish.does_something:
            raise _bad("Nothing is to be done with the picture.", "Choose a factor, maps, or to make it tileable.")
        if self.tileable and self.axes is Axes.NONE:
            raise _bad("Making a picture tileable needs an axis.", "Choose both, X or Y.")
        if self.finish.maps and self.content in (Content.DATA, Content.NORMAL):
            raise _bad("Maps are made from colors, not from other maps.", "Choose the base color.")

    # What other requests have as well, for those who show or count any.

    @property
    def prompt(self) -> str:
        """What the result is called."""
        return self.title or PurePath(self.source).stem

    @property
    def seed(self) -> int:
        return 0

    @property
    def count(self) -> int:
        return 1

    @property
    def model(self) -> str:
        return self.finish.upscaler if self.finish.upscale > 1 else self.finish.map_networks

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON, one entry a field; without `source_recipe` where there is none, as it ever was."""
        data: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        if not self.source_recipe:
            del data["source_recipe"]
        return data | {"finish": self.finish.to_json(), "axes": self.axes.value, "content": self.content.value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ImageRequest":
        """The reverse of `to_json`; missing fields take their defaults. Raises `UserError` on anything else."""
        known = {item.name for item in fields(cls)}
        if not isinstance(data, Mapping) or not set(data) <= known or "source" not in data:
            raise _bad("The settings are not those of a picture.")
        values = dict(data)
        try:
            if "finish" in values:
                values["finish"] = Finish.from_json(values["finish"])
            if "axes" in values:
                values["axes"] = Axes(values["axes"])
            if "content" in values:
                values["content"] = Content(values["content"])
        except (TypeError, ValueError) as error:
            raise _bad(f"The settings are not those of a picture: {error}.") from error
        return cls(**values)


Request = TextureRequest | ImageRequest


def request_from_json(data: Mapping[str, Any]) -> Request:
    """A request of either kind: one of a picture names its source. Raises `UserError`."""
    if isinstance(data, Mapping) and "source" in data:
        return ImageRequest.from_json(data)
    return TextureRequest.from_json(data)


def _bad(message: str, hint: str = "") -> UserError:
    return UserError(ErrorKind.REQUEST, message, hint)
