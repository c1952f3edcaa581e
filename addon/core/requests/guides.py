# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that guide a model: structure by ControlNets, style by an IP-Adapter. Imports core only."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from ..errors import bad_request
from .checks import check_path, is_hash, number

MAX_CONTROLS = 4
MAX_STRENGTH = 2.0


class ControlKind(StrEnum):
    """What a control picture shows, which decides how it is read; the ControlNet has to be made for it."""

    DEPTH = "DEPTH"  # a height or depth map, white is near: spread over the whole range first
    NORMAL = "NORMAL"  # a normal map as Blender has it, OpenGL: turned into what ControlNets learned
    EDGES = "EDGES"  # white lines on black
    TILE = "TILE"  # a colored picture, whose layout and colors stay while its detail is made anew
    OTHER = "OTHER"  # as it is


# In the names of ControlNets, the most telling first: control_v11f1p_sd15_depth ...
_NAMES = (
    ("normal", ControlKind.NORMAL),
    ("depth", ControlKind.DEPTH),
    ("canny", ControlKind.EDGES),
    ("lineart", ControlKind.EDGES),
    ("mlsd", ControlKind.EDGES),
    ("edge", ControlKind.EDGES),
    ("tile", ControlKind.TILE),
)


def kind_of(name: str) -> ControlKind:
    """What a ControlNet of this name most likely wants to see."""
    words = PurePath(name.replace("\\", "/")).name.casefold()
    return next((kind for word, kind in _NAMES if word in words), ControlKind.OTHER)


@dataclass(frozen=True, slots=True)
class Control:
    """One ControlNet with the picture that it reads. Creating one validates it; raises `UserError` (kind `REQUEST`).

    model: an absolute path: a diffusers folder, or a .safetensors file. picture: as `Template.source`; it is stretched
    to the texture's size. strength: 0 to 2, what the ControlNet says is multiplied by it.
    start, end: in which part of the steps it speaks, 0 to 1.
    tileable: make the picture periodic first, as for templates.
    sha256: the picture's hash, see `Template.sha256`. fingerprint: of the model's weights and configuration, 16
    hexadecimal digits; with either, a file that has become another is refused.
    """

    model: str
    picture: str
    kind: ControlKind = ControlKind.OTHER
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    tileable: bool = False
    sha256: str = ""
    fingerprint: str = ""

    def __post_init__(self) -> None:
        check_path("The ControlNet", self.model)
        check_path("The control picture", self.picture)
        if not isinstance(self.kind, ControlKind) or not isinstance(self.tileable, bool):
            raise bad_request("The kind of control picture is not known.")
        for name, high in (("strength", MAX_STRENGTH), ("start", 1.0), ("end", 1.0)):
            object.__setattr__(self, name, number(f"The control's {name}", getattr(self, name), high))
        if self.start >= self.end:
            raise bad_request("A control must end after it starts.", "Choose a start below its end.")
        _check_hashes(self.sha256, self.fingerprint)

    @property
    def in_words(self) -> str:
        """What it does, in English, one sentence."""
        names = PurePath(self.picture).name, PurePath(self.model).name
        part = "" if (self.start, self.end) == (0, 1) else f", from {self.start:g} to {self.end:g} of the steps"
        return f"Structure from {names[0]} with the ControlNet {names[1]}, strength {self.strength:g}{part}."


@dataclass(frozen=True, slots=True)
class Style:
    """An IP-Adapter with the picture whose style it takes. Creating one validates it; raises `UserError`.

    file: an absolute path of a .safetensors file. encoder: of the folder of its image encoder; "" for the one that lies
    beside it. picture: as `Template.source`; the encoder sees its middle square. strength: 0 to 1.
    sha256, fingerprint: as `Control` has them; the fingerprint is of adapter and encoder.
    """

    file: str
    picture: str
    encoder: str = ""
    strength: float = 0.6
    sha256: str = ""
    fingerprint: str = ""

    def __post_init__(self) -> None:
        check_path("The IP-Adapter", self.file)
        check_path("The style picture", self.picture)
        if self.encoder != "":
            check_path("The image encoder", self.encoder)
        object.__setattr__(self, "strength", number("The style's strength", self.strength, 1.0))
        _check_hashes(self.sha256, self.fingerprint)

    @property
    def in_words(self) -> str:
        """What it does, in English, one sentence."""
        names = PurePath(self.picture).name, PurePath(self.file).name
        return f"Style of {names[0]} with the IP-Adapter {names[1]}, strength {self.strength:g}."


@dataclass(frozen=True, slots=True)
class Guides:
    """All that guides one texture. Creating one validates it; what is wrong raises `UserError` (kind `REQUEST`)."""

    controls: tuple[Control, ...] = ()
    style: Style | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.controls, tuple) or not all(isinstance(control, Control) for control in self.controls):
            raise bad_request("The settings are not those of ControlNets.")
        if len(self.controls) > MAX_CONTROLS:
            raise bad_request(f"At most {MAX_CONTROLS} ControlNets are possible, not {len(self.controls)}.")
        if self.style is not None and not isinstance(self.style, Style):
            raise bad_request("The settings are not those of an IP-Adapter.")

    def __bool__(self) -> bool:
        return bool(self.controls) or self.style is not None

    @property
    def pictures(self) -> tuple[str, ...]:
        """The pictures, the controls' first, the style's last."""
        return (*(control.picture for control in self.controls), *([self.style.picture] if self.style else []))

    def showing(self, pictures: Mapping[int, str]) -> "Guides":
        """The same with other pictures. pictures: place among `pictures` -> path."""
        count = len(self.controls)
        controls = tuple(
            replace(control, picture=pictures.get(place, control.picture))
            for place, control in enumerate(self.controls)
        )
        style = self.style and replace(self.style, picture=pictures.get(count, self.style.picture))
        return Guides(controls, style)

    @property
    def in_words(self) -> list[str]:
        """What they do, in English, a sentence each."""
        return [*(control.in_words for control in self.controls), *([self.style.in_words] if self.style else [])]

    @property
    def pace_word(self) -> str:
        """How they slow a step, for `TextureRequest.pace_key`; "" for none."""
        words = [f"{len(self.controls)} controls"] if self.controls else []
        return " | ".join([*words, *(["style"] if self.style else [])])

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; what is the default is left out."""
        return {
            **({"controls": [_to_json(control) for control in self.controls]} if self.controls else {}),
            **({"style": _to_json(self.style)} if self.style else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Guides":
        """The reverse of `to_json`. Raises `UserError` on anything else."""
        if not isinstance(data, Mapping) or not set(data) <= {"controls", "style"}:
            raise bad_request("The settings are not those of guides.")
        controls = data.get("controls", [])
        if not isinstance(controls, list | tuple):
            raise bad_request("The ControlNets must be a list.")
        style = data.get("style")
        return cls(
            tuple(_from_json(Control, control) for control in controls),
            None if style is None else _from_json(Style, style),
        )


def _to_json(data: Control | Style) -> dict[str, Any]:
    return {
        item.name: value.value if isinstance(value, StrEnum) else value
        for item in fields(data)
        if (value := getattr(data, item.name)) != item.default or item.default is MISSING
    }


def _from_json(cls: Any, data: object) -> Any:
    known = {item.name: item for item in fields(cls)}
    needed = {name for name, item in known.items() if item.default is MISSING}
    if not isinstance(data, Mapping) or not needed <= set(data) <= set(known):
        raise bad_request("The settings are not those of guides.")
    values = dict(data)
    if "kind" in values:
        try:
            values["kind"] = ControlKind(values["kind"])
        except ValueError as error:
            raise bad_request(f"The settings are not those of guides: {error}.") from error
    return cls(**values)


def _check_hashes(sha256: object, fingerprint: object) -> None:
    for value, digits in ((sha256, 64), (fingerprint, 16)):
        if not is_hash(value, digits):
            raise bad_request("A guide's hash is not one.")
