# SPDX-License-Identifier: GPL-3.0-or-later
"""What picture files say beside their pixels, as Pillow writes it."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from addon.core import picture_facts
from addon.core.picture_facts import Facts

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_orientation_and_profile_are_read(tmp_path: Path, kind: str, orientation: int) -> None:
    path = tmp_path / f"a.{kind}"
    exif = Image.Exif()
    exif[274] = orientation
    Image.new("RGB", (8, 4), "red").save(path, exif=exif, icc_profile=PROFILE)
    assert picture_facts.read(path) == Facts(orientation, PROFILE)
    assert picture_facts.read(path).is_rgb
    Image.new("RGB", (8, 4), "red").save(path)
    assert picture_facts.read(path) == Facts()


def test_profile_in_several_pieces(tmp_path: Path) -> None:
    profile = PROFILE + bytes(200_000)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", icc_profile=profile)
    assert picture_facts.read(tmp_path / "a.jpg").profile == profile


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_broken_files_say_nothing(tmp_path: Path, kind: str) -> None:
    stream = BytesIO()
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (8, 8)).save(stream, kind, exif=exif, icc_profile=PROFILE)
    data = stream.getvalue()
    for length in range(0, len(data), 7):
        (tmp_path / "a").write_bytes(data[:length])
        assert picture_facts.read(tmp_path / "a").orientation in (1, 6)
    (tmp_path / "a").write_bytes(data.replace(b"II*\0", b"II*\xff").replace(b"MM\0*", b"MM\xff*"))
    picture_facts.read(tmp_path / "a")


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_profile_is_put_into_a_png(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    Image.new(mode, (8, 8), "red").save(path)
    picture_facts.add_profile(path, PROFILE)
    with Image.open(path) as image:
        image.load()
        assert image.info["icc_profile"] == PROFILE
        assert image.getpixel((0, 0))[0] == 255
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_profile_is_put_into_nothing_else(tmp_path: Path) -> None:
    for name, mode in (("grey.png", "L"), ("a.jpg", "RGB")):
        Image.new(mode, (8, 8)).save(tmp_path / name)
        before = (tmp_path / name).read_bytes()
        picture_facts.add_profile(tmp_path / name, PROFILE)
        assert (tmp_path / name).read_bytes() == before
