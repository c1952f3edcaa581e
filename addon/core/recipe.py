# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipe: what made a picture, kept in its PNG and on the image. Imports core and the standard library only."""

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from .errors import ErrorKind, UserError
from .requests import Request, recipe_json, request_from_json
from .requests.template import MAX_SOURCE_RECIPE
from .requests.texture import TextureRequest
from .surface_kinds import Surface, surface_of
from .variants import ONE_TILE, Sheet

PNG_KEY = "tilewright"  # the keyword of the PNG's iTXt chunk
PERIODIC, EXACTLY = "periodic", "exactly"  # how the chain is, in `environment`
# In `environment`: as what it was read, what was found amiss of its colors, and what its height stands for, in widths.
SURFACE, ALBEDO, RELIEF = "surface", "albedo", "relief"
NETWORK = "network "  # before the names of upscalers and map networks, in `environment`
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_CHUNKS = 100_000  # the reader waits in front of the screen; a picture of 2048x2048 has some hundreds
_MAX_CHUNK = 1 << 20  # bytes; a recipe is a few hundred, at most 20,000 characters of prompt twice


@dataclass(frozen=True)
class Recipe:
    """One picture's request, and what else its pixels depend on.

    The same recipe gives the same pixels. `request.count` is 1. `model_fingerprint` is `model_folder.fingerprint` of
    the weights; of a picture that was read, the hash of its file. `environment` names versions of the packages that
    matter, the device, dtype, number of threads, memory mode and further networks, all as text; also whether they are
    exactly periodic, and how the picture's seam was judged.
    """

    request: Request
    model_fingerprint: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def texture(self) -> TextureRequest:
        """The settings of a picture that was generated. Raises `UserError` for one made from another picture."""
        return self.request.as_texture()

    @property
    def is_exact(self) -> bool:
        """Whether all that made the picture is exactly periodic."""
        return self.environment.get(PERIODIC) == EXACTLY

    @property
    def source(self) -> "Recipe | None":
        """What made the picture that this one was made from; None where that is not known, or cannot be read."""
        if not self.request.source_recipe:
            return None
        try:
            return Recipe.loads(self.request.source_recipe)
        except UserError:
            return None

    @property
    def surface(self) -> Surface | None:
        """What the picture shows, as far as it is of a kind that was chosen, or that the words name; else None.

        The words: of the prompt, or of the picture's name; of a picture's source before its own.
        """
        source = self.source
        said = [*([source.request.prompt] if source else []), self.request.prompt]
        return surface_of(self.request.finish.kind, ", ".join(said))

    @property
    def relief(self) -> float | None:
        """What a height of 0 to 1 stands for on such a surface, in widths of the picture; None where unknown."""
        try:
            value = float(self.environment[RELIEF])
        except (KeyError, ValueError):
            return None
        return value if 0.0 < value <= 1.0 else None

    @property
    def sheet(self) -> Sheet:
        """How tiles lie on the picture, which may be one that was enlarged or mapped from a set."""
        if self.request.is_sampled:
            return self.request.sheet
        # what was made tileable since has other edges
        return self.source.request.sheet if self.source and not self.request.tileable else ONE_TILE

    @property
    def networks(self) -> list[str]:
        """The file names of the upscalers and the map networks that the picture went through, also as its source."""
        source = self.source
        own = [key.removeprefix(NETWORK) for key in self.environment if key.startswith(NETWORK)]
        return list(dict.fromkeys([*(source.networks if source else []), *own]))

    def as_source(self) -> str:
        """For the `source_recipe` of a request on this picture; "" if it is too long for one.

        Where this picture was itself work on another, that one's recipe, with this one's networks in its environment: a
        recipe in a recipe in a recipe would double its backslashes each time. A texture made from a template is one of
        its own: its recipe stays, without the template's.
        """
        first = self.source
        if isinstance(self.request, TextureRequest) and self.request.template:
            template = replace(self.request.template, source_recipe="")
            first = replace(self, request=replace(self.request, template=template))
        used = {key: value for key, value in self.environment.items() if key.startswith(NETWORK)}
        text = (first.noting(used) if first else self).dumps()
        return text if len(text) <= MAX_SOURCE_RECIPE else ""

    def noting(self, words: Mapping[str, str]) -> "Recipe":
        """The recipe with more said in its environment."""
        return replace(self, environment={**self.environment, **words})

    def to_json(self) -> dict[str, Any]:
        return {
            "request": recipe_json(self.request),
            "model_fingerprint": self.model_fingerprint,
            "environment": dict(self.environment),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Recipe":
        """The reverse of `to_json`. Raises `UserError`."""
        try:
            fingerprint, environment = data["model_fingerprint"], data["environment"]
            if not isinstance(fingerprint, str) or not isinstance(environment, Mapping):
                raise TypeError("a fingerprint and an environment")
            environment = {str(key): str(value) for key, value in environment.items()}
            return cls(request_from_json(data["request"]), fingerprint, environment)
        except (KeyError, TypeError) as error:
            raise UserError(ErrorKind.REQUEST, "The recipe is not one of Tilewright's.") from error

    def dumps(self) -> str:
        """One line of JSON in ASCII: what stands in the PNG and on the image."""
        return json.dumps(self.to_json(), separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> "Recipe":
        """The reverse of `dumps`. Raises `UserError`."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(ErrorKind.REQUEST, "The recipe is not one of Tilewright's.") from error
        return cls.from_json(data if isinstance(data, dict) else {})


def read_png(path: Path) -> Recipe | None:
    """The recipe in a PNG's text, None where there is none. Decodes no pixels.

    Raises `UserError` where the file is no PNG, is cut short, or holds a recipe that cannot be read.
    """
    with path.open("rb") as file:
        return find_in_png(file, path.name)


def find_in_png(file: BinaryIO, name: str) -> Recipe | None:
    """As `read_png`, from an open file. name: what it is called in an error."""
    broken = UserError(ErrorKind.REQUEST, f"{name} is not a whole PNG file.")
    if file.read(8) != _PNG_SIGNATURE:
        raise broken
    for _ in range(_MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            raise broken
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            return None
        if kind != b"iTXt" or length > _MAX_CHUNK:
            file.seek(length + 4, 1)
            continue
        body = file.read(length + 4)[:length]
        keyword, _, rest = body.partition(b"\0")
        if keyword == PNG_KEY.encode():
            return Recipe.loads(_itxt_text(rest, broken))
    raise broken


def _itxt_text(rest: bytes, broken: UserError) -> str:
    """The text of an iTXt chunk after its keyword (PNG specification, 11.3.3.4)."""
    try:
        compressed = rest[0]
        _language, _translated, text = rest[2:].split(b"\0", 2)
        if compressed:
            text = zlib.decompressobj().decompress(text, _MAX_CHUNK)
        return text.decode("utf-8")
    except (IndexError, ValueError, zlib.error) as error:
        raise broken from error
