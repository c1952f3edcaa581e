# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender --background --command tilewright upscale | maps | tileable FILE`, and generate with maps."""

from pathlib import Path

import pytest

from addon.core.recipe import Recipe, read_png
from addon.core.requests.finish import Finish, MapKind
from addon.core.requests.picture import Content, PictureRequest
from addon.core.requests.texture import Axes

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
