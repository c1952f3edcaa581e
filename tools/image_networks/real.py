# SPDX-License-Identifier: GPL-3.0-or-later
"""Real surfaces for training and judging, from folders outside the repository. May import numpy, pillow, torch.

A folder of sets holds `sets/NAME/{color,normal,height,roughness,metallic}.webp` (whichever there are; normals OpenGL's)
and `index.tsv` with a column `tiles`; one of color tiles holds `real128.npz` and their names, `sources128.json`.

The split is fixed: of each kind of material, ordered by the SHA-256 of the surfaces' names, every third surface is for
judging alone (`held_out`). Near twins, found by correlating the colors at all shifts, lie together.
"""

import argparse
import csv
import hashlib
import io
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

KINDS = {
    "metal": ("metal", "corrugated", "steel", "iron", "diamondplate", "chainmail", "brushed"),
    "wood": ("wood", "planks", "bark", "veneer", "bamboo", "logs", "chipboard"),
    "cloth": ("fabric", "carpet", "tatami"),
    "tiles and bricks": ("tiles", "brick", "paving", "facade", "terrazzo", "roofing"),
    "ground": ("ground", "gravel", "grass", "snow", "ice", "asphalt", "road", "moss", "leaves", "needles"),
    "stone": ("rock", "stone", "marble", "onyx", "granite", "travertine"),
    "plaster and paper": ("plaster", "putz", "paper", "paint", "concrete", "wall", "clay", "ceiling"),
}
# before the kinds' words are looked for: what its name's first word does not say
_NAMED = {"ph_gravel_embedded_concrete": "ground", "ph_stone_wall": "stone", "facade005": "tiles and bricks"}
TWINS = (("ph_blue_metal_plate", "ph_corrugated_iron"), ("tiles011", "tiles107"))
# painted or rusty metals without a metallic map: nobody knows what theirs would say
_UNKNOWN_METAL = ("ph_corrugated_iron", "ph_rusty_painted_metal", "ph_metal_plate_02", "ph_rusty_metal_05")
_UNKNOWN_METAL += ("ph_blue_metal_plate", "ph_factory_wall", "facade005", "cgb_brushedmetaltiles03")
_WRONG_NORMALS = ("ph_factory_wall",)  # they lean to one side, and have nothing to do with what is seen
_SAME = 0.4  # correlation of two pictures' luminance, at the best shift, from which they may be one surface
METALS = ("Metal", "CorrugatedSteel", "DiamondPlate")  # categories of color tiles that are metal all over, nearly
_MIXED = ("Rust", "Chainmail", "Paint", "Plastic", "Rubber", "Road", "GlazedTerracotta", "Porcelain")
TILE_SIDE = 128
WATCHED = 7  # every seventh of a kind


@dataclass(frozen=True)
class Surface:
    """color (H, W, 3) float32 0..1 sRGB; normal (H, W, 3) unit vectors, height, roughness, metallic (H, W) 0..1 or
    None. tiles: whether its edges meet."""

    name: str
    kind: str
    tiles: bool
    color: NDArray[np.float32]
    normal: NDArray[np.float32] | None = None
    height: NDArray[np.float32] | None = None
    roughness: NDArray[np.float32] | None = None
    metallic: NDArray[np.float32] | None = None

    @cached_property
    def relief(self) -> NDArray[np.float32] | None:
        """Its height (H, W) in pixels, of mean 0, as steep as its normals say; from these alone where it has none, or
        one that has nothing to do with them."""
        if self.normal is None:
            return None
        right, down = slopes(self.normal)
        if self.height is not None:
            deviation = self.height - self.height.mean()
            own = np.concatenate([difference(deviation, axis).ravel() for axis in (1, 0)])
            wanted = np.concatenate((right.ravel(), down.ravel()))
            alike = float((own * wanted).sum() / max(np.linalg.norm(own) * np.linalg.norm(wanted), 1e-9))
            if alike > 0.3:
                return (deviation * ((own * wanted).sum() / (own**2).sum())).astype(np.float32)
        return integral(right, down)


def slopes(normal: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rise a pixel to the right and a pixel down, of normals (..., 3); of 4 at the most, where they look aside."""
    upright = np.maximum(normal[..., 2], 0.1)
    return (-normal[..., 0] / upright).clip(-4, 4), (normal[..., 1] / upright).clip(-4, 4)


def difference(field: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Central, periodic."""
    return (np.roll(field, -1, axis) - np.roll(field, 1, axis)) / 2


def degrees(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The mean angle between unit vectors (..., 3)."""
    return float(np.degrees(np.arccos((one * other).sum(-1).clip(-1, 1))).mean())


def integral(right: NDArray[np.float32], down: NDArray[np.float32]) -> NDArray[np.float32]:
    """The periodic height, of mean 0, whose slopes are nearest to these (Frankot and Chellappa, 1988)."""
    fy, fx = (np.sin(2 * np.pi * np.fft.fftfreq(size)) for size in right.shape)  # of central differences
    square = fx[None, :] ** 2 + fy[:, None] ** 2
    # what central differences do not see, or badly, is noise
    gain = np.where(square < 1e-9, 0, 1 / (square + 1e-5))
    spectrum = -1j * gain * (fx[None, :] * np.fft.fft2(right) + fy[:, None] * np.fft.fft2(down))
    return np.fft.ifft2(spectrum).real.astype(np.float32)


def kind_of(name: str) -> str:
    """What a surface or a category of that name is made of, in the seven kinds of the tables."""
    if name in _NAMED:
        return _NAMED[name]
    low = name.lower().removeprefix("ph_")
    found = [(low.find(word), kind) for kind, words in KINDS.items() for word in words if word in low]
    return min(found)[1] if found else "other"


def read_sets(folder: Path, side: int = 512) -> list[Surface]:
    """All sets that have a roughness or a normal, their longest side as stored (512)."""
    with (folder / "index.tsv").open(newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file, delimiter="\t"), key=lambda row: row["name"])
    surfaces = []
    for row in rows:
        name = row["name"]
        files = {file.stem: file for file in sorted((folder / "sets" / name).glob("*.webp"))}
        with Image.open(files["color"]) as image:
            size = image.size
        if name in _WRONG_NORMALS:
            files.pop("normal")
        if "normal" not in files and "roughness" not in files:
            continue
        color = _read(files["color"], size)
        values = {key: _read(files[key], size)[..., 0] for key in ("height", "roughness", "metallic") if key in files}
        normal = _read(files["normal"], size) * 2 - 1 if "normal" in files else None
        if normal is not None:
            normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
        if "metallic" not in values and name not in _UNKNOWN_METAL:
            values["metallic"] = np.zeros(color.shape[:2], np.float32)
        elif name in _UNKNOWN_METAL:
            values.pop("metallic", None)
        surfaces.append(Surface(name, kind_of(name), row["tiles"].startswith("yes"), color, normal, **values))
    return surfaces


def _read(path: Path, size: tuple[int, int]) -> NDArray[np.float32]:
    with Image.open(path) as image:
        image = image.convert("RGB")
        if image.size != size:
            image = image.resize(size, Image.Resampling.BOX)
        return np.asarray(image, np.float32) / 255


def read_painted(folder: Path) -> tuple[NDArray[np.float32], ...]:
    """A batch's pictures (H, W, 3), 0..1."""
    pictures = []
    for file in sorted(folder.glob("*/*.png")):
        if file.stem != "thumbnail":
            with Image.open(file) as image:
                pictures.append(_read(file, image.size))
    return tuple(pictures)


def held_out(names: list[str], every: int = 3) -> set[str]:
    """The names that are for judging alone; see the module."""
    first = {name: twins[0] for twins in TWINS for name in twins}
    kinds: dict[str, list[str]] = {}
    for name in sorted({first.get(name, name) for name in names}):
        kinds.setdefault(kind_of(name), []).append(name)
    chosen = set()
    for members in kinds.values():
        chosen |= set(sorted(members, key=lambda name: hashlib.sha256(name.encode()).digest())[::every])
    return {name for name in names if first.get(name, name) in chosen}


@dataclass(frozen=True)
class Tiles:
    """Color tiles. color (n, 128, 128, 3) uint8; kinds (n,); metal (n,): 1, 0, and nan where nobody knows."""

    color: NDArray[np.uint8]
    names: list[str]
    kinds: NDArray[np.str_]
    metal: NDArray[np.float32]

    def part(self, rows: NDArray[np.int64]) -> "Tiles":
        return Tiles(self.color[rows], [self.names[row] for row in rows], self.kinds[rows], self.metal[rows])


def read_tiles(folder: Path) -> Tiles:
    """All color tiles of 128 pixels."""
    packed = np.load(folder / "real128.npz")
    data, ends = packed["data"].tobytes(), np.cumsum(packed["sizes"])
    spans = zip(ends, packed["sizes"], strict=True)
    colors = [np.asarray(Image.open(io.BytesIO(data[end - size : end])).convert("RGB")) for end, size in spans]
    labels = json.loads((folder / "real128.json").read_text())
    sources = json.loads((folder / "sources128.json").read_text())
    categories = [label["category"] for label in labels]
    metal = [np.nan if name in _MIXED else float(name in METALS) for name in categories]
    names = [source.partition("#")[2].removesuffix(".png") for source in sources]
    kinds = np.array([kind_of(name) for name in categories])
    return Tiles(np.stack(colors), names, kinds, np.array(metal, np.float32))


def split_tiles(tiles: Tiles, judged: list[Surface]) -> tuple[Tiles, Tiles, Tiles]:
    """To train on, to watch, and for judging: about a tenth and a fifth, by the hashes of their names.

    None that may be a surface of `judged` is trained on: the same name and number (or the one before, as the tiles are
    numbered from 0), or alike.
    """
    suspects = set()
    spectra = np.stack([_spectrum(color / np.float32(255)) for color in tiles.color])
    stems = [name.rpartition("_")[0] for name in tiles.names]
    for surface in judged:
        alike = np.fft.ifft2(spectra * np.conj(_spectrum(surface.color))).real.max((1, 2)) / TILE_SIDE**2
        stem, _, number = re.fullmatch(r"([a-z_]*?)((\d+)[a-z]?)?", surface.name).groups()  # type: ignore[union-attr]
        for row, name in enumerate(tiles.names):
            near = number and name in (f"{stem}_{int(number):03d}", f"{stem}_{int(number) - 1:03d}")
            if near or (stems[row] == stem and alike[row] > _SAME) or alike[row] > 0.6:
                suspects.add(row)
    order = [int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % 10 for name in tiles.names]
    parts = [row for row in range(len(order)) if order[row] > 2 and row not in suspects]
    aside = [row for row in range(len(order)) if order[row] == 2 and row not in suspects]
    judging = [row for row in range(len(order)) if order[row] < 2]
    return tuple(tiles.part(np.array(rows)) for rows in (parts, aside, judging))  # type: ignore[return-value]


def _spectrum(color: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Of the luminance at 128 pixels, mean 0, deviation 1."""
    grey = Image.fromarray(color.mean(-1)).resize((TILE_SIDE, TILE_SIDE), Image.Resampling.BOX)
    values = np.asarray(grey)
    return np.fft.fft2((values - values.mean()) / max(float(values.std()), 1e-6)).astype(np.complex64)


@dataclass(frozen=True)
class Real:
    """What there is of real surfaces, split. watched: part of those for training that a training keeps aside, to see
    itself how it goes; none of the judged. painted: pictures by the starter model, (H, W, 3) sRGB 0..1."""

    training: list[Surface]
    watched: list[Surface]
    judged: list[Surface]
    tiles: Tiles | None = None
    watched_tiles: Tiles | None = None
    judged_tiles: Tiles | None = None
    painted: tuple[NDArray[np.float32], ...] = ()


def read_real(sets: Path, tiles: Path | None = None, painted: Path | None = None, share: float = 1.0) -> Real:
    """Everything real, split as the module says.

    painted: a batch's folder (`python -m addon.engine.batch`). share: of the surfaces for training, to see what more of
    them would do; the others are not used.
    """
    surfaces = read_sets(sets)
    judged = held_out([surface.name for surface in surfaces])
    rest = [surface for surface in surfaces if surface.name not in judged]
    aside = held_out([surface.name for surface in rest], every=WATCHED)
    parts = [surface for surface in surfaces if surface.name in judged]
    training = [surface for surface in rest if surface.name not in aside]
    order = sorted(training, key=lambda surface: hashlib.sha256(surface.name.encode()).digest())
    return Real(
        order[: round(share * len(order))] if share < 1 else training,
        [surface for surface in rest if surface.name in aside],
        parts,
        *(split_tiles(read_tiles(tiles), parts) if tiles else (None, None, None)),
        read_painted(painted) if painted else (),
    )


def add_folders(parser: argparse.ArgumentParser) -> None:
    """The options for what `read_real` reads."""
    parser.add_argument("--sets", type=Path, metavar="DIR", help="real surfaces: index.tsv and sets/")
    parser.add_argument(
        "--tiles", type=Path, metavar="DIR", help="real color tiles: real128.npz, .json, sources128.json"
    )
    parser.add_argument("--painted", type=Path, metavar="DIR", help="a batch of the starter model's pictures")


def at_scale(surface: Surface, scale: float) -> Surface:
    """The surface at another size; its normals are those of the ground as it is seen from further away."""
    if scale == 1:
        return surface
    height, width = surface.color.shape[:2]
    size = (round(width * scale), round(height * scale))

    def resize(field: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
        if field is None:
            return None
        pad = 8  # wraps, since Pillow's filters end at the edge
        channels = np.moveaxis(
            np.atleast_3d(np.pad(field, [(pad, pad), (pad, pad)] + [(0, 0)] * (field.ndim - 2), "wrap")), -1, 0
        )
        box = (pad, pad, pad + width, pad + height)
        made = [Image.fromarray(channel).resize(size, Image.Resampling.BICUBIC, box=box) for channel in channels]
        return np.stack([np.asarray(one) for one in made], -1).reshape(size[1], size[0], *field.shape[2:])

    normal = resize(surface.normal)
    if normal is not None:
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    color = resize(surface.color)
    assert color is not None
    maps = (resize(field) for field in (surface.height, surface.roughness, surface.metallic))
    clipped = [None if field is None else field.clip(0, 1) for field in maps]
    return Surface(surface.name, surface.kind, surface.tiles, color.clip(0, 1), normal, *clipped)
