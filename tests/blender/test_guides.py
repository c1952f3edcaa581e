# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that guide a texture: in the panel's settings, in recipes, and on the command line."""

import json
from pathlib import Path

import pytest

from tests.fake_worker import png

from .conftest import Blender
from .test_command_line import records


@pytest.fixture
def model(tmp_path: Path) -> str:
    """The folder of a model that takes guides, as far as Blender looks at one."""
    folder = tmp_path / "plain"
    for name, content in (
        ("model_index.json", {"_class_name": "StableDiffusionPipeline"}),
        ("scheduler/scheduler_config.json", {"prediction_type": "epsilon"}),
        ("unet/config.json", {"sample_size": 8}),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content), encoding="ascii")
    return str(folder)


def test_guides_come_back_and_are_saved_with_the_file(blender: Blender, tmp_path: Path, model: str) -> None:
    blender.run("guides.guides_come_back", folder=str(tmp_path), model=model, file=str(tmp_path / "file.blend"))


def test_what_is_missing_is_told(blender: Blender, tmp_path: Path, model: str) -> None:
    told = blender.run("guides.what_is_missing_is_told", folder=str(tmp_path), model=model)
    wanted = (
        "A control has no ControlNet. Choose its file or folder, or turn it off.",
        "A control has no picture. Choose one, or turn it off.",
        "The style picture has no IP-Adapter.",
        "Starter takes no ControlNet and no IP-Adapter. Choose another model, or turn off what is under Guide",
        "Pictures guided it (ControlNet, IP-Adapter). Choose those under Guide Pictures.",
        "What guided it is not here: control_depth.safetensors. Choose it under Guide Pictures.",
        "What guided it is not here: control_depth.safetensors, height.png. Choose it under Guide Pictures.",
    )
    assert [one in other for one, other in zip(wanted, told, strict=True)] == [True] * 7, told


def test_pictures_come_from_the_material(blender: Blender, tmp_path: Path) -> None:
    told = blender.run("guides.pictures_from_the_material", folder=str(tmp_path))
    wanted = (
        "There is no active material.",
        "Wall has no image for its Base Color.",
        "A material has no map of edges.",
        "There is no such control.",
    )
    assert [one in other for one, other in zip(wanted, told, strict=True)] == [True] * 4, told


def test_the_command_line_takes_several_controls_and_refuses_half_of_one(
    blender: Blender, tmp_path: Path, model: str
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(png(64, 64, name, 1, ""))
    line = [
        *("generate", "--prompt", "wall", "--model", model, "--output", str(tmp_path / "out"), "--seed", "1"),
        *("--control", "control_depth.safetensors", "--control-picture", str(tmp_path / "a.png")),
        *("--control-strength", "0.5", "--control-tileable", "no"),
        *("--control", "tile", "--control-picture", str(tmp_path / "b.png"), "--control-end", "0.5"),
    ]
    assert blender.command(*line).returncode == 0
    (record,) = records(tmp_path / "out")
    first, second = record["recipe"]["request"]["guides"]["controls"]
    assert (first["kind"], first["strength"], "tileable" in first) == ("DEPTH", 0.5, False)
    assert (second["kind"], second["end"], Path(second["model"]).name) == ("TILE", 0.5, "tile")
    for wrong, said in (
        (["--control-strength", "1"], "needs a --control before it"),
        (["--control", "a"], "--control needs a --control-picture"),
        (["--style", "a"], "--style needs a --style-picture"),
        (["--style-strength", "0.5"], "--style-strength needs a --style"),
        (["--control", "a", "--control-picture", "b", "--control-strength", "3"], "from 0 to 2"),
    ):
        ended = blender.command(*line[:9], *wrong)
        assert ended.returncode == 2, said
        assert said in ended.stderr, ended.stderr


def test_a_table_names_guides_and_loras_for_each_line(blender: Blender, tmp_path: Path, model: str) -> None:
    """Paths beside the table; a line that says nothing of them is as the whole command has it."""
    table = tmp_path / "table"
    table.mkdir()
    for name in ("a", "b", "c"):
        (table / f"{name}.png").write_bytes(png(64, 64, name, 1, ""))
    (tmp_path / "d.png").write_bytes(png(64, 64, "d", 1, ""))
    (table / "wishes.csv").write_text(
        "prompt,seed,control,control_picture,control_kind,control_strength,style,style_picture,style_strength,loras\n"
        'wall,1,deep;net,a.png;b.png,depth,0.5;0.75,ip.safetensors,c.png,0.25,"x.safetensors:0.5;y.safetensors"\n'
        "plain,2,,,,,,,,\n",
        encoding="utf-8",
    )
    line = [
        *("generate", "--prompts", str(table / "wishes.csv"), "--model", model, "--output", str(tmp_path / "out")),
        *("--control", "tile", "--control-picture", str(tmp_path / "d.png"), "--clip-skip", "2"),
    ]
    done = blender.command(*line)
    assert done.returncode == 0, done.stderr
    requests = {
        record["recipe"]["request"]["prompt"]: record["recipe"]["request"] for record in records(tmp_path / "out")
    }
    first, second = requests["wall"]["guides"]["controls"]
    assert (first["model"], first["kind"], first["strength"]) == (str(table / "deep"), "DEPTH", 0.5)
    assert (second["model"], second["strength"]) == (str(table / "net"), 0.75)
    style = requests["wall"]["guides"]["style"]
    assert (style["file"], style["strength"]) == (str(table / "ip.safetensors"), 0.25)
    loras = [(Path(lora["file"]).name, lora["weight"]) for lora in requests["wall"]["extras"]["loras"]]
    assert loras == [("x.safetensors", 0.5), ("y.safetensors", 1.0)]
    assert requests["wall"]["extras"]["clip_skip"] == requests["plain"]["extras"]["clip_skip"] == 2
    (control,) = requests["plain"]["guides"]["controls"]
    assert Path(control["model"]).name == "tile"
    assert "style" not in requests["plain"]["guides"]
    again = blender.command(*line)
    assert "2 already made" in again.stderr, again.stderr
    (table / "wishes.csv").write_text("prompt,control\nwall,a\n", encoding="utf-8")
    wrong = blender.command(*line)
    assert wrong.returncode == 2
    assert "wishes.csv, line 2: Each control needs a control_picture." in wrong.stderr
