# SPDX-License-Identifier: GPL-3.0-or-later
"""Two pictures and the tiles that lead from one to the other. Imports core only."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import PurePath
from typing import Any

from ..errors import bad_request
from .checks import check_path, is_hash, number

LEAST_WIDTH, MAX_WIDTH = 0.125, 0.5  # of a tile


@dataclass(frozen=True, slots=True)
class Transition:
    """The 16 tiles of two terrains, by their corners (`variants.Sheet`): color 0 is the first, 1 the second.

    Creating one validates it; what is wrong raises `UserError` (kind `REQUEST`).

    first, second: absolute paths of two pictures of one size, which is a tile's. Of a set of tiles one is taken.
    prompt: what the second shows; the first's is the request's.
    width: of what is made anew between them, 0.125 to 0.5 of a tile. What is outside keeps its pixels, bit for bit.
    strength: how far that may go from the two laid beside each other, 0 to 1; 0 leaves them so.
    first_sha256, second_sha256: the files' hashes, see `Template.sha256`.
    """

    first: str
    second: str
    prompt: str = ""
    width: float = 0.375
    strength: float = 0.7
    first_sha256: str = ""
    second_sha256: str = ""

    def __post_init__(self) -> None:
        check_path("The first picture", self.first)
        check_path("The second picture", self.second)
        if not isinstance(self.prompt, str):
            raise bad_request("The second prompt must be text.")
        object.__setattr__(self, "width", number("The width", self.width, MAX_WIDTH))
        object.__setattr__(self, "strength", number("The strength", self.strength, 1.0))
        if self.width < LEAST_WIDTH:
            raise bad_request(f"The width must be from {LEAST_WIDTH} to {MAX_WIDTH}, not {self.width:g}.")
        if not is_hash(self.first_sha256, 64) or not is_hash(self.second_sha256, 64):
            raise bad_request("The hash of a picture is not one.")

    @property
    def in_words(self) -> str:
        """What is made, in English, one sentence."""
        names = PurePath(self.first).name, PurePath(self.second).name
        return f"16 tiles that lead from {names[0]} to {names[1]}, strength {self.strength:g}."

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON: the pictures, and what is not the default."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        defaults = {item.name: item.default for item in fields(self) if item.default is not MISSING}
        return {name: value for name, value in values.items() if name not in defaults or value != defaults[name]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Transition":
        """The reverse of `to_json`. Raises `UserError` on anything else."""
        known = {item.name for item in fields(cls)}
        values = dict(data) if isinstance(data, Mapping) else {}
        if not set(values) <= known or not {"first", "second"} <= set(values):
            raise bad_request("The settings are not those of a transition.")
        return cls(**values)
