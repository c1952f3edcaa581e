# SPDX-License-Identifier: GPL-3.0-or-later
"""The request to work on a picture that exists: upscale it, make its maps, make it tileable. Imports core only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import PurePath
from typing import Any, ClassVar

from ..errors import bad_request
from ..naming import slug
from ..variants import ONE_TILE, Sheet
from .finish import Finish
from .template import MAX_SOURCE_RECIPE
from .texture import Axes, TextureRequest


class Content(StrEnum):
    """What a picture's numbers mean. Only colors are kept as colors; normals keep unit length."""

    COLOR = "COLOR"  # sRGB-encoded, the usual picture
    LINEAR = "LINEAR"  # linear Rec.709 colors, the usual float picture
    DATA = "DATA"
    NORMAL = "NORMAL"


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """One job on one picture file; the file itself is never changed.

    source: an absolute path: what Pillow reads, 16-bit PNG, or a float32 .npy array (rows from the top).
    source_recipe: what made the picture, see `Recipe.as_source`; "" where that is not known. It changes no pixel.
    title: what the result is called; the file's name where empty.
    axes: where the picture repeats (after `tileable`, if that is set), so what has to stay periodic.
    tileable: make it periodic on `axes` first.
    Creating one validates it; what is wrong raises `UserError` (kind `REQUEST`).
    """

    kind: ClassVar[str] = "picture"
    is_sampled: ClassVar[bool] = False  # see `TextureRequest`

    source: str
    finish: Finish = field(default_factory=Finish)
    axes: Axes = Axes.XY
    tileable: bool = False
    content: Content = Content.COLOR
    title: str = ""
    source_recipe: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.source, str) or "\0" in self.source or not PurePath(self.source).is_absolute():
            raise bad_request("The picture must be named by its whole path.")
        if not isinstance(self.title, str) or len(self.title) > 1000:
            raise bad_request("The picture's title must be a short text.")
        if not isinstance(self.source_recipe, str) or len(self.source_recipe) > MAX_SOURCE_RECIPE:
            raise bad_request("The source recipe must be a text that is not too long.")
        if not isinstance(self.axes, Axes) or not isinstance(self.content, Content):
            raise bad_request("The axes or the picture's content are not known.")
        if not isinstance(self.tileable, bool) or not isinstance(self.finish, Finish):
            raise bad_request("The settings are not those of a picture.")
        if not self.tileable and not self.finish.does_something:
            raise bad_request(
                "There is nothing to do with the picture.", "Choose a factor, maps, de-lighting or making it tileable."
            )
        if self.tileable and self.axes is Axes.NONE:
            raise bad_request("Making a picture tileable needs an axis.", "Choose both, X or Y.")
        if self.finish.maps and self.content in (Content.DATA, Content.NORMAL):
            raise bad_request("Maps are made from colors, not from other maps.", "Choose the base color.")
        if self.finish.delight and self.content in (Content.DATA, Content.NORMAL):
            raise bad_request("Only colors are de-lit, not other maps.", "Choose the base color.")

    # What a texture's request has as well; see there.

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
    def steps(self) -> int:
        return 0

    @property
    def model(self) -> str:
        return self.finish.upscaler if self.finish.upscale > 1 else self.finish.map_networks

    @property
    def sheet(self) -> Sheet:
        """How tiles lie on the picture: it is one."""
        return ONE_TILE

    @property
    def result_size(self) -> None:
        """None: the picture's own size stands in its file."""
        return None

    @property
    def holds_data(self) -> bool:
        return self.content in (Content.DATA, Content.NORMAL)

    @property
    def holds_normals(self) -> bool:
        return self.content is Content.NORMAL

    @property
    def search_text(self) -> str:
        return f"{self.prompt} {self.model}"

    @property
    def file_stem(self) -> str:
        words = [slug(self.prompt)]
        if self.tileable:
            words.append("tileable")
        if self.finish.upscale > 1:
            words.append(f"{self.finish.upscale}x")
        if self.finish.delight:
            words.append("de-lit")
        if len(words) == 1:
            words.append("base-color")
        return "-".join(words)

    @property
    def pace_key(self) -> str:
        return "a picture"

    def sentences(self, model: str) -> list[str]:
        return [f"Made from a picture by Tilewright; {self.axes.in_words}."]

    def as_texture(self) -> TextureRequest:
        message = f"{self.prompt} was made from another picture, and has no settings to generate it with."
        raise bad_request(message)

    def as_picture(self) -> "PictureRequest":
        return self

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: the kind, and one entry a field; no `source_recipe` where there is none."""
        data: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        if not self.source_recipe:
            del data["source_recipe"]
        return data | {
            "finish": self.finish.to_json(),
            "axes": self.axes.value,
            "content": self.content.value,
            "kind": self.kind,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "PictureRequest":
        """The reverse of `to_json`; missing fields take their defaults. Raises `UserError` on anything else."""
        known = {item.name for item in fields(cls)}
        values = dict(data) if isinstance(data, Mapping) else {}
        if values.pop("kind", cls.kind) != cls.kind or not set(values) <= known or "source" not in values:
            raise bad_request("The settings are not those of a picture.")
        try:
            if "finish" in values:
                values["finish"] = Finish.from_json(values["finish"])
            if "axes" in values:
                values["axes"] = Axes(values["axes"])
            if "content" in values:
                values["content"] = Content(values["content"])
        except (TypeError, ValueError) as error:
            raise bad_request(f"The settings are not those of a picture: {error}.") from error
        return cls(**values)
