# SPDX-License-Identifier: GPL-3.0-or-later
"""How the textures of a material are named and packed for other programs. Imports core and the standard library only.

Each scheme is what one program's importer or usual material takes without a click. Names and packing: Unity's Standard
and URP Lit shader (metallic in red, smoothness in alpha), Epic's asset naming guide (T_, _BC, _N, _ORM), Godot's
ORMMaterial3D. Direct3D, and so Unreal, counts the green of a normal map downwards, all others here upwards.
"""

from dataclasses import dataclass

from .requests.finish import MapKind
from .results import BASE_COLOR

# For maps that a material lacks. Color, normal and height have no such value.
DEFAULTS: dict[str, float] = {
    MapKind.OCCLUSION: 1.0,
    MapKind.ROUGHNESS: 0.5,
    MapKind.METALLIC: 0.0,
}


@dataclass(frozen=True)
class Channel:
    """One channel of a map: 0 red, 1 green, 2 blue, 3 alpha. inverted: 1 minus it."""

    kind: str
    index: int = 0
    inverted: bool = False


@dataclass(frozen=True)
class Texture:
    """One file. name: what `{name}` is filled into. channels: three, or four with alpha."""

    name: str
    channels: tuple[Channel, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """What it is made of."""
        return tuple(dict.fromkeys(channel.kind for channel in self.channels))

    @property
    def is_packed(self) -> bool:
        """Whether it is more than one map as it is."""
        return len(self.kinds) > 1 or any(channel.inverted for channel in self.channels)


@dataclass(frozen=True)
class Scheme:
    """A program's way. directx: whether green counts downwards in its normal maps."""

    title: str
    textures: tuple[Texture, ...]
    directx: bool = False


def _whole(kind: str) -> tuple[Channel, ...]:
    """The map as it is: grey in all three channels."""
    return tuple(Channel(kind, index) for index in range(3))


_ORM = (Channel(MapKind.OCCLUSION), Channel(MapKind.ROUGHNESS), Channel(MapKind.METALLIC))

SCHEMES = {
    "plain": Scheme(
        "Plain",
        (
            Texture("{name}_BaseColor", _whole(BASE_COLOR)),
            Texture("{name}_Normal", _whole(MapKind.NORMAL)),
            Texture("{name}_Roughness", _whole(MapKind.ROUGHNESS)),
            Texture("{name}_Metallic", _whole(MapKind.METALLIC)),
            Texture("{name}_AmbientOcclusion", _whole(MapKind.OCCLUSION)),
            Texture("{name}_Height", _whole(MapKind.HEIGHT)),
        ),
    ),
    "orm": Scheme(
        "ORM",
        (
            Texture("{name}_BaseColor", _whole(BASE_COLOR)),
            Texture("{name}_Normal", _whole(MapKind.NORMAL)),
            Texture("{name}_ORM", _ORM),
            Texture("{name}_Height", _whole(MapKind.HEIGHT)),
        ),
    ),
    "unity": Scheme(
        "Unity",
        (
            Texture("{name}_AlbedoTransparency", _whole(BASE_COLOR)),
            Texture("{name}_Normal", _whole(MapKind.NORMAL)),
            Texture(
                "{name}_MetallicSmoothness",
                (*_whole(MapKind.METALLIC), Channel(MapKind.ROUGHNESS, 0, inverted=True)),
            ),
            Texture("{name}_Occlusion", _whole(MapKind.OCCLUSION)),
            Texture("{name}_Height", _whole(MapKind.HEIGHT)),
        ),
    ),
    "unreal": Scheme(
        "Unreal",
        (
            Texture("T_{name}_BC", _whole(BASE_COLOR)),
            Texture("T_{name}_N", _whole(MapKind.NORMAL)),
            Texture("T_{name}_ORM", _ORM),
            Texture("T_{name}_H", _whole(MapKind.HEIGHT)),
        ),
        directx=True,
    ),
    "godot": Scheme(
        "Godot",
        (
            Texture("{name}_albedo", _whole(BASE_COLOR)),
            Texture("{name}_normal", _whole(MapKind.NORMAL)),
            Texture("{name}_orm", _ORM),
            Texture("{name}_height", _whole(MapKind.HEIGHT)),
        ),
    ),
}
