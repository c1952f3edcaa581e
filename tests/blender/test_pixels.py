# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of pixels: packed, saved, reopened, handed to the worker. One run of Blender tries all rules."""

import ast
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from .conftest import Blender
from .test_maps import ALL

SOURCE = Path(__file__).resolve().parent / "scenarios" / "pixels.py"
RULES = [
    node.name.removeprefix("rule_")
    for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("rule_")
]


def psd(pixels: np.ndarray) -> bytes:
    """A flat PSD of 8 bits, (H, W, C), not compressed. Adobe Photoshop File Formats Specification."""
    height, width, channels = pixels.shape
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, channels, height, width, 8, 3)
    return head + struct.pack(">IIIH", 0, 0, 0, 0) + pixels.transpose(2, 0, 1).tobytes()


def write_kinds(folder: Path) -> None:
    """Files that Blender reads and that are not all its own, with alpha where they can have it."""
    pixels = np.random.default_rng(0).integers(1, 256, (16, 32, 4)).astype(np.uint8)
    picture = Image.fromarray(pixels)
    for name, options in (("raw", {}), ("bc1", {"pixel_format": "DXT1"}), ("bc3", {"pixel_format": "DXT5"})):
        picture.save(folder / f"kind-{name}.dds", **options)
    (folder / "kind.psd").write_bytes(psd(pixels))
    for suffix in ("webp", "tga", "bmp", "tif", "png", *(["jp2"] if features.check("jpg_2000") else [])):
        picture.save(folder / f"kind.{suffix}")
    if features.check("avif"):
        picture.save(folder / "kind.avif")
    picture.convert("RGB").save(folder / "kind.jpg", quality=71)
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, "SGI")
    (folder / "kind.rgb").write_bytes(stream.getvalue())


def write_turned(folder: Path) -> None:
    """Files that say how they are to be turned; the left upper quarter of what is stored is red, nothing else is."""
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[..., 2] = 90
    pixels[:8, :16] = (255, 0, 0)
    picture = Image.fromarray(pixels)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[274] = orientation
        for suffix in ("jpg", "png", "webp", *(["avif"] if features.check("avif") else [])):
            picture.save(folder / f"turned-{orientation}.{suffix}", exif=exif, quality=100)
        picture.save(folder / f"turned-{orientation}.tif", tiffinfo={274: orientation})
    for orientation in range(1, 5):  # of a TGA the head says where its rows begin; this picture stays the same
        rows = pixels[:: -1 if orientation < 3 else 1, :: -1 if orientation % 2 == 0 else 1, ::-1]
        place = (0 if orientation < 3 else 32) | (16 if orientation % 2 == 0 else 0)
        head = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 32, 16, 24, place)
        (folder / f"turned-{orientation}.tga").write_bytes(head + rows.tobytes())


@pytest.fixture(scope="module")
def outcomes(shared_blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pixels")
    write_kinds(folder)
    write_turned(folder)
    shared_blender.use_fake(ALL)
    return shared_blender.run("pixels.run_all", folder=str(folder))


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, outcomes: dict[str, str]) -> None:
    assert outcomes[rule] == ""


OCIO = """ocio_profile_version: 2
strictparsing: true
roles: {reference: mine, scene_linear: mine, default: tex srgb, default_byte: tex srgb, default_float: other, data: raw}
displays:
  sRGB:
    - !<View> {name: Standard, colorspace: tex srgb}
colorspaces:
  - !<ColorSpace> {name: mine, bitdepth: 32f}
  - !<ColorSpace> {name: raw, bitdepth: 32f, isdata: true}
  - !<ColorSpace>
    name: other
    bitdepth: 32f
    to_reference: !<MatrixTransform> {matrix: [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]}
  - !<ColorSpace>
    name: tex srgb
    bitdepth: 32f
    to_reference: !<ExponentWithLinearTransform> {gamma: [2.4, 2.4, 2.4, 1], offset: [0.055, 0.055, 0.055, 0]}
"""


def test_a_studios_color_management_is_asked_for_its_working_space(own_blender: Blender, tmp_path: Path) -> None:
    (tmp_path / "config.ocio").write_text(OCIO, encoding="utf-8")
    own_blender.variables["OCIO"] = str(tmp_path / "config.ocio")  # read once, when Blender starts
    told = own_blender.run("pixels.in_a_studios_color_management", folder=str(tmp_path))
    assert told == ["mine", 0.0, "LINEAR", [0.25, 0.5, 0.75, 1.0]]
