# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender --background --command tilewright upscale | maps | tileable FILE`, and generate with maps."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from addon.core.recipe import Recipe, read_png
from addon.core.requests.finish import Finish, MapKind
from addon.core.requests.picture import Content, PictureRequest
from addon.core.requests.texture import Axes
from addon.core.surface_kinds import SurfaceKind

from .conftest import Blender
from .test_command_line import records

ALL = tuple(MapKind)


@pytest.mark.parametrize(
    ("arguments", "expected", "names"),
    [
        (("upscale", "--scale", "8"), {"finish": Finish(8)}, ["old-wall-8x.png"]),
        (("upscale", "--upscaler", "lanczos", "--tile", "x"), {"finish": Finish(2, "lanczos"), "axes": Axes.X}, None),
        (
            ("upscale", "--content", "normal", "--tile", "none"),
            {"finish": Finish(2), "content": Content.NORMAL, "axes": Axes.NONE},
            None,
        ),
        (
            ("maps",),
            {"finish": Finish(1, maps=ALL)},
            ["old-wall-base-color.png", *(f"old-wall-base-color-{kind.value}.png" for kind in ALL)],
        ),
        (
            ("maps", "--maps", "height, normal", "--map-networks", "filter", "--scale", "4"),
            {"finish": Finish(4, maps=(MapKind.HEIGHT, MapKind.NORMAL), map_networks="filter")},
            ["old-wall-4x.png", "old-wall-4x-height.png", "old-wall-4x-normal.png"],
        ),
        (("tileable",), {"tileable": True}, ["old-wall-tileable.png"]),
        (
            ("maps", "--kind", "metal", "--delight", "--invert-relief", "--maps", "roughness"),
            {"finish": Finish(maps=(MapKind.ROUGHNESS,), kind=SurfaceKind.METAL, delight=True, invert_relief=True)},
            ["old-wall-de-lit.png", "old-wall-de-lit-roughness.png"],
        ),
        (("upscale", "--scale", "1", "--delight"), {"finish": Finish(delight=True)}, ["old-wall-de-lit.png"]),
    ],
)
def test_the_command_asks_for_what_it_says(blender: Blender, tmp_path: Path, arguments, expected, names) -> None:
    source = tmp_path / "Old wall.png"
    source.write_bytes(b"only the engine reads it")
    command, *options = arguments
    done = blender.command(command, str(source), "--output", str(tmp_path / "out"), *options)
    assert done.returncode == 0, done.stderr
    (record,) = records(tmp_path / "out")
    recipe = Recipe.from_json(record["recipe"])
    assert recipe.request == PictureRequest(str(source), **expected)
    assert read_png(tmp_path / "out" / record["file"]) == recipe
    if names is not None:
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([*names, "results.jsonl"])
        assert [record["file"], *record.get("maps", {}).values()] == names
    assert source.read_bytes() == b"only the engine reads it"


def test_without_an_output_results_go_beside_the_file(blender: Blender, tmp_path: Path) -> None:
    (tmp_path / "wall.png").touch()
    done = blender.command("upscale", str(tmp_path / "wall.png"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "wall-2x.png").is_file()


def test_what_made_the_source_stays_known(blender: Blender, tmp_path: Path) -> None:
    generate = ("generate", "--prompt", "wall", "--output", str(tmp_path), "--size", "64", "--seed", "1")
    assert blender.command(*generate).returncode == 0
    assert blender.command("upscale", str(tmp_path / "wall-1.png")).returncode == 0
    assert blender.command("tileable", str(tmp_path / "wall-1-2x.png")).returncode == 0
    first, *others = (read_png(tmp_path / name) for name in ("wall-1.png", "wall-1-2x.png", "wall-1-2x-tileable.png"))
    assert [recipe.source.request for recipe in others] == [first.request, first.request]


def test_generate_makes_maps_too(blender: Blender, tmp_path: Path) -> None:
    output = tmp_path / "out"
    # fmt: off
    done = blender.command(
        "generate", "--prompt", "wall", "--output", str(output), "--size", "64", "--seed", "1",
        "--upscale", "4", "--maps", "normal",
    )
    # fmt: on
    assert done.returncode == 0, done.stderr
    (record,) = records(output)
    assert Recipe.from_json(record["recipe"]).request.finish == Finish(4, maps=(MapKind.NORMAL,))
    assert record["maps"] == {"normal": "wall-1-normal.png"}
    assert (output / "wall-1-normal.png").is_file()


def test_a_wrong_command_line_is_refused_in_a_sentence(blender: Blender, tmp_path: Path) -> None:
    file = str(tmp_path / "wall.png")
    lines = [
        ["upscale", file, "--scale", "3"],
        ["upscale", file, "--scale", "1"],
        ["upscale", file, "--upscaler", ""],
        ["maps", file, "--maps", "depth"],
        ["maps", file, "--content", "normal"],
        ["tileable", file, "--tile", "none"],
        ["upscale"],
        ["generate", "--prompt", "a", "--output", file, "--upscale", "16"],
    ]
    for line, (code, told) in zip(lines, blender.run("command_line.verdicts", lines=lines), strict=True):
        assert code == 2, (line, told)
        assert told.strip().count("\n") == 0, told
        assert told.startswith(told[0].upper())


def test_orientation_of_cameras_is_applied_and_profiles_are_kept(blender: Blender, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lines, upright = [], []
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[274] = orientation
        path = tmp_path / f"camera {orientation}.png"
        Image.fromarray(pixels).save(path, exif=exif, icc_profile=profile)
        lines.append(["upscale", str(path)])
        with Image.open(path) as image:
            upright.append(np.asarray(ImageOps.exif_transpose(image)))
    told = blender.run("command_line.readable", lines=lines, folder=str(tmp_path))
    for number, ((entry,), expected) in enumerate(zip(told, upright, strict=True), start=1):
        with Image.open(entry["source"]) as image:
            assert np.array_equal(np.asarray(image.convert("RGB")), expected), number
        assert (entry["prompt"], entry["content"], entry["profile"]) == (f"camera {number}", "COLOR", len(profile))


def test_profile_of_the_picture_is_in_the_result(blender: Blender, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.jpg", icc_profile=profile)
    done = blender.command("upscale", str(tmp_path / "a.jpg"), "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out" / records(tmp_path / "out")[0]["file"]) as image:
        assert image.info["icc_profile"] == profile
    assert read_png(tmp_path / "out" / records(tmp_path / "out")[0]["file"]) is not None


def test_profile_that_cannot_be_kept_is_told(blender: Blender, tmp_path: Path) -> None:
    grey = b"\0" * 16 + b"GRAY" + b"\0" * 108  # all that is looked at is its color space
    Image.new("L", (64, 64), 100).save(tmp_path / "grey.png", icc_profile=grey)
    done = blender.command("upscale", str(tmp_path / "grey.png"))
    assert done.returncode == 0, done.stderr
    assert "Note: grey.png has a color profile that is not of RGB colors. It is not kept." in done.stderr


def test_exr_is_read(blender: Blender, tmp_path: Path) -> None:
    plain = tmp_path / "plain.exr"
    blender.run("command_line.make_exr", file=str(plain))
    ((entry,),) = blender.run("command_line.readable", lines=[["upscale", str(plain)]], folder=str(tmp_path))
    assert (entry["content"], entry["prompt"]) == ("LINEAR", "plain")
    pixels = np.load(entry["source"])
    assert pixels.shape == (4, 8, 4)
    assert np.array_equal(pixels[0, 0], (0.25, 0.5, 2.0, 1.0))


@pytest.mark.parametrize(("codec", "bits"), [("ZIP", "16"), ("ZIP", "32"), ("PIZ", "16"), ("DWAA", "32")])
def test_combined_of_an_exr_of_several_layers_is_read(blender: Blender, tmp_path: Path, codec: str, bits: str) -> None:
    file = tmp_path / "layers.exr"
    blender.run("command_line.make_exr", file=str(file), codec=codec, bits=bits, layers=True)
    close = 0.01 if codec == "DWAA" else 0.0  # which is lossy
    version = blender.run("command_line.version")
    if version.startswith("5.0."):
        ((code, words),) = blender.run("command_line.verdicts", lines=[["upscale", str(file)]])
        assert code == 2
        assert f"Blender {version} cannot read the Combined of layers.exr." in words
        return
    for path, content, has_layers in blender.run("command_line.combined_of", file=str(file), folder=str(tmp_path)):
        assert (content, has_layers) == ("LINEAR", True)
        assert np.allclose(np.load(path), (0.25, 0.5, 2.0, 1.0), rtol=0, atol=close)
    lines = [["upscale", str(file)], ["upscale", str(file), "--content", "data"]]
    for (entry,), content in zip(
        blender.run("command_line.readable", lines=lines, folder=str(tmp_path)), ("LINEAR", "DATA"), strict=True
    ):
        assert (entry["content"], entry["prompt"]) == (content, "layers")
        assert np.allclose(np.load(entry["source"]), (0.25, 0.5, 2.0, 1.0), rtol=0, atol=close)


def test_result_of_several_layers_tells_which_one_it_is_of(blender: Blender, tmp_path: Path) -> None:
    if blender.run("command_line.version").startswith("5.0."):
        pytest.skip("5.0 cannot read its own: see the test above")
    file, broken = tmp_path / "layers.exr", tmp_path / "broken.exr"
    blender.run("command_line.make_exr", file=str(file), layers=True)
    done = blender.command("upscale", str(file))
    assert done.returncode == 0, done.stderr
    assert "Note: layers.exr has several layers. The Combined of the first is used." in done.stderr
    (record,) = records(tmp_path)
    assert record["file"] == "layers-2x.png"
    assert record["notes"] == ["layers.exr has several layers. The Combined of the first is used."]
    broken.write_bytes(b"\x76\x2f\x31\x01" + bytes(100))
    ((code, words),) = blender.run("command_line.verdicts", lines=[["upscale", str(broken)]])
    assert code == 2
    assert "broken.exr has no pixels." in words


def test_several_pictures_and_tiles_of_a_set(blender: Blender, tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "set.1001.png", "set.1012.png", "set.2001.png"):
        Image.new("RGB", (64, 64), "red").save(tmp_path / name)
    (tmp_path / "other").mkdir()
    lines = [
        ["upscale", str(tmp_path / "a.png"), str(tmp_path / "b.png")],
        ["upscale", str(tmp_path / "set.<UDIM>.png")],
    ]
    both, tiles = blender.run("command_line.readable", lines=lines, folder=str(tmp_path))
    assert [(entry["prompt"], entry["axes"]) for entry in both] == [("a", "XY"), ("b", "XY")]
    assert [(entry["prompt"], entry["axes"]) for entry in tiles] == [("set.1001", "NONE"), ("set.1012", "NONE")]
    refused = [
        ["upscale", str(tmp_path / "a.png"), str(tmp_path / "other" / "a.png")],
        ["upscale", str(tmp_path / "no.<UDIM>.png")],
    ]
    told = blender.run("command_line.verdicts", lines=refused)
    assert [code for code, _words in told] == [2, 2]
    assert "several folders" in told[0][1]
    assert "There is no tile of" in told[1][1]
    done = blender.command(*lines[0])
    assert done.returncode == 0, done.stderr
    assert [record["file"] for record in records(tmp_path)] == ["a-2x.png", "b-2x.png"]
