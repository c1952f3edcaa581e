# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a picture after it is made or read: shading out, upscaling, maps. Imports core only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Any

from ..errors import bad_request
from ..surface_kinds import SurfaceKind

SCALES = (1, 2, 4, 8)
MAX_RESULT_SIDE = 16384  # pixels; what graphics cards take as a texture
STARTER_NETWORKS = "starter"  # the networks in the package
LANCZOS = "lanczos"  # upscaling without a network
FILTER = "filter"  # maps without a network


class MapKind(StrEnum):
    """The maps of a material beside its base color; the values are the kinds in `Result.files`."""

    HEIGHT = "height"  # 0 lowest, 1 highest, 0.5 where nothing is displaced
    NORMAL = "normal"  # tangent space, OpenGL: green is up
    ROUGHNESS = "roughness"
    METALLIC = "metallic"
    OCCLUSION = "occlusion"


@dataclass(frozen=True, slots=True)
class Finish:
    """How to finish a picture. Creating one validates it; what is wrong raises `UserError` (kind `REQUEST`).

    upscale: 1 (not at all), 2, 4 or 8. upscaler: "starter", "lanczos", or the path of a file that spandrel loads.
    maps: which maps to make, at the final size, each once, in the order of `MapKind`.
    map_networks: "starter", "filter", or the path of a folder with 1x networks named after the maps they make.
    kind: of surface, which tells how rough it is and whether it is metal; AUTO: as the words say (`Recipe.surface`).
    delight: whether shading is taken out of the colors first.
    invert_relief: whether what the networks take for deep is high in height, normals and occlusion.
    """

    upscale: int = 1
    upscaler: str = STARTER_NETWORKS
    maps: tuple[MapKind, ...] = ()
    map_networks: str = STARTER_NETWORKS
    kind: SurfaceKind = SurfaceKind.AUTO
    delight: bool = False
    invert_relief: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.upscale, bool) or self.upscale not in SCALES:
            raise bad_request(f"Upscaling must be by {_listed(SCALES)}, not {self.upscale!r}.")
        if not all(isinstance(kind, MapKind) for kind in self.maps):
            raise bad_request(f"The maps must be from {_listed(MapKind)}.")
        object.__setattr__(self, "maps", tuple(kind for kind in MapKind if kind in self.maps))
        said = isinstance(self.delight, bool) and isinstance(self.invert_relief, bool)
        if not said or not isinstance(self.kind, SurfaceKind):
            raise bad_request("The kind of surface, or whether to de-light or invert it, is not known.")
        for title, value, known in (
            ("The upscaler", self.upscaler, (STARTER_NETWORKS, LANCZOS)),
            ("The choice of map networks", self.map_networks, (STARTER_NETWORKS, FILTER)),
        ):
            if not isinstance(value, str) or not value.strip() or "\0" in value:
                raise bad_request(f"{title} is not known.", f"Choose {_listed(known)}, or a path.")
            if value not in known and not PurePath(value).is_absolute():
                raise bad_request(f"{title} {value!r} is not known.", f"Choose {_listed(known)}, or a whole path.")

    @property
    def does_something(self) -> bool:
        return self.upscale > 1 or bool(self.maps) or self.delight

    def check_size(self, width: int, height: int) -> None:
        """Raise `UserError` where a picture of that size would grow over what a texture may have."""
        side = max(width, height) * self.upscale
        if side > MAX_RESULT_SIDE:
            raise bad_request(
                f"The result would be {side} pixels long; at most {MAX_RESULT_SIDE} are possible.",
                "Choose a smaller factor." if self.upscale > 1 else "Choose a smaller picture.",
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON. From kind on only what is no default: so recipes stay what they were."""
        return {
            "upscale": self.upscale,
            "upscaler": self.upscaler,
            "maps": [kind.value for kind in self.maps],
            "map_networks": self.map_networks,
            **({"kind": self.kind.value} if self.kind is not SurfaceKind.AUTO else {}),
            **({"delight": True} if self.delight else {}),
            **({"invert_relief": True} if self.invert_relief else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Finish":
        """The reverse of `to_json`; missing fields take their defaults. Raises `UserError` on anything else."""
        if not isinstance(data, Mapping) or not set(data) <= {field.name for field in fields(cls)}:
            raise bad_request("The settings for upscaling and maps are not known.")
        values = dict(data)
        if "maps" in values:
            if not isinstance(values["maps"], list | tuple):
                raise bad_request("The maps must be a list.")
            values["maps"] = parse_maps(values["maps"])
        if "kind" in values:
            values["kind"] = parse_kind(values["kind"])
        return cls(**values)


def parse_maps(names: Iterable[object]) -> tuple[MapKind, ...]:
    """Map kinds from their names; "all" stands for all of them. Raises `UserError`."""
    kinds: list[MapKind] = []
    for name in names:
        if name == "all":
            kinds += list(MapKind)
        elif name in [kind.value for kind in MapKind]:
            kinds.append(MapKind(name))
        else:
            raise bad_request(f"There is no map {name!r}.", f"Choose from {_listed(MapKind)}, or all.")
    return tuple(kinds)


def parse_kind(name: object) -> SurfaceKind:
    """A kind of surface from its name, in small letters or large ones. Raises `UserError`."""
    if isinstance(name, str) and name.upper() in SurfaceKind.__members__:
        return SurfaceKind[name.upper()]
    names = (kind.value.lower() for kind in SurfaceKind)
    raise bad_request(f"There is no kind of surface {name!r}.", f"Choose {_listed(names)}.")


def absolute(choice: str) -> str:
    """A choice of upscaler or map networks as it was typed: known words stay, paths become whole ones."""
    if choice in (STARTER_NETWORKS, LANCZOS, FILTER) or not choice.strip():
        return choice
    try:
        return str(Path(choice).expanduser().absolute())
    except RuntimeError:  # "~somebody", whom the system does not know
        return str(Path(choice).absolute())


def _listed(values: Iterable[object]) -> str:
    *most, last = (str(value) for value in values)
    return f"{', '.join(most)} or {last}"
