# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture as template, masks, and what goes on from a result: in the panel and on the command line."""

import json
from pathlib import Path

import pytest

from tests.fake_worker import png

from .conftest import Blender
from .test_jobs import dying


@pytest.mark.parametrize(
    "scenario",
    [
        "every_kind_of_image_comes_back",
        "recipe_without_a_template_takes_it_away",
        "tileable_is_guessed",
    ],
)
def test_template(blender: Blender, tmp_path: Path, scenario: str) -> None:
    blender.run(f"templates.{scenario}", folder=str(tmp_path))


@pytest.mark.parametrize(
    "scenario",
    [
        "strength_follows_the_region",
        "sizes_of_the_image",
        "lines_share_what_was_written",
        "variations_keep_the_seed",
        "goes_on_from_a_result",
    ],
)
def test_way(blender: Blender, scenario: str) -> None:
    blender.run(f"templates.{scenario}")


@pytest.mark.parametrize("scenario", ["restored_template_is_saved_with_the_file", "mask_is_made_and_saved"])
def test_what_was_painted_is_in_the_file(blender: Blender, tmp_path: Path, scenario: str) -> None:
    blender.run(f"templates.{scenario}", folder=str(tmp_path), file=str(tmp_path / "file.blend"))


def test_somebody_elses_recipe_names_no_template(blender: Blender, tmp_path: Path) -> None:
    told = blender.run("templates.somebody_elses_recipe_names_no_template", folder=str(tmp_path))
    assert told == "Its template image is not here. Choose one."


def test_template_that_is_gone_is_told_in_a_sentence(blender: Blender, tmp_path: Path) -> None:
    before, after = blender.run("templates.template_that_is_gone", folder=str(tmp_path))
    assert "The file of photo.png is missing" in before
    assert "template.png cannot be read" in after or "lacks template.png" in after


def test_masks_that_are_no_masks_are_told_before_the_job(blender: Blender, tmp_path: Path) -> None:
    none, black = blender.run("templates.masks_that_are_no_masks", folder=str(tmp_path))
    assert "There is no mask. Press Paint Mask" in none
    assert "The mask photo.png mask is all black: nothing would be made anew." in black


def test_mask_from_faces(blender: Blender) -> None:
    nothing, camera, without = blender.run("templates.mask_from_faces")
    assert "No face with UV coordinates is selected." in nothing
    assert "No mesh is active." in camera
    assert "There is no template image." in without


def test_what_was_not_generated_has_no_ways_on(blender: Blender, tmp_path: Path) -> None:
    told = blender.run("templates.dialogs_propose_and_refuse", folder=str(tmp_path))
    assert all("was made from another picture, and has no settings to generate it with" in words for words in told)


def test_pictures_become_templates(blender: Blender, tmp_path: Path) -> None:
    movie, nothing, missing = blender.run("templates.pictures_become_templates", folder=str(tmp_path))
    assert "film is a movie, not one picture." in movie
    assert "There is no image 'nothing'." in nothing
    assert "nothing.png" in missing


def test_job_that_fails_loses_nothing(blender: Blender, tmp_path: Path) -> None:
    blender.use_fake(dying(do="signal", phase="SAMPLING", step=1))
    blender.run("templates.job_that_fails_loses_nothing", folder=str(tmp_path))


# --- the command line ----------------------------------------------------------------------------------------------


def asked(output: Path) -> list[dict]:
    lines = (output / "results.jsonl").read_text(encoding="ascii").splitlines()
    return [json.loads(line)["recipe"]["request"] for line in lines]


def picture(folder: Path, name: str, width: int = 128, height: int = 64) -> Path:
    file = folder / name
    file.write_bytes(png(width, height, name, 1, ""))
    return file


def test_command_line_takes_a_template(blender: Blender, tmp_path: Path) -> None:
    photo, mask, output = picture(tmp_path, "photo.png"), picture(tmp_path, "mask.png"), tmp_path / "out"
    base = ("generate", "--prompt", "brick", "--output", str(output), "--template-image", str(photo), "--seed", "1")
    for more in (
        ("--strength", "0.25", "--size", "64", "--tileable", "no"),
        ("--mask", str(mask), "--feather", "0.1"),
        ("--grow", "2x1"),
        ("--grow", "2x"),
        ("--region", "wear", "--wear-amount", "0.75", "--keep-edges"),
    ):
        done = blender.command(*base, *more)
        assert done.returncode == 0, done.stderr
    whole, masked, wider, larger, worn = asked(output)
    assert whole["template"].items() >= {"source": str(photo), "strength": 0.25}.items()
    assert set(whole["template"]) == {"source", "strength", "sha256"}
    assert masked["template"]["mask"] == str(mask)
    assert (masked["template"]["region"], masked["template"]["feather"], masked["size"]) == ("MASK", 0.1, [128, 64])
    assert (wider["template"]["region"], wider["size"], larger["size"]) == ("GROW", [256, 64], [256, 128])
    assert (worn["template"]["amount"], worn["template"]["keep_edges"]) == (0.75, True)


def test_batch_of_templates_goes_on_where_it_stopped(blender: Blender, tmp_path: Path) -> None:
    picture(tmp_path, "a.png")
    picture(tmp_path, "b.png")
    prompts, output = tmp_path / "prompts.csv", tmp_path / "out"
    prompts.write_text("prompt,template,strength,seed\nbrick,a.png,0.3,1\nbrick,b.png,0.3,1\nbrick,,,1\n")
    line = ("generate", "--prompts", str(prompts), "--output", str(output), "--size", "64")
    assert blender.command(*line).returncode == 0
    assert [request.get("template", {}).get("source", "") for request in asked(output)] == [
        str(tmp_path / "a.png"),
        str(tmp_path / "b.png"),
        "",
    ]
    done = blender.command(*line)
    assert "3 already made" in done.stderr
    picture(tmp_path, "a.png", 64)
    done = blender.command(*line)
    assert done.returncode == 0
    assert "2 already made" in done.stderr, "another picture in a file of that name"


def test_variations_on_the_command_line(blender: Blender, tmp_path: Path) -> None:
    output = tmp_path / "out"
    line = ("generate", "--prompt", "brick", "--output", str(output), "--size", "64", "--seed", "7", "--count", "2")
    assert blender.command(*line, "--variation", "0.2", "--variation-seed", "3").returncode == 0
    assert [(r["seed"], r["variation"], r["variation_seed"]) for r in asked(output)] == [(7, 0.2, 3), (7, 0.2, 4)]


def test_wrong_command_lines_are_told_in_a_sentence(blender: Blender, tmp_path: Path) -> None:
    photo = str(picture(tmp_path, "photo.png"))
    base = ["generate", "--prompt", "a", "--output", str(tmp_path / "out")]
    lines = [
        [*base, "--strength", "0.5"],
        [*base, "--grow", "2x"],
        [*base, "--template-image", photo, "--strength", "2"],
        [*base, "--template-image", photo, "--region", "mask"],
        [*base, "--template-image", photo, "--region", "seam", "--tile", "none"],
        [*base, "--template-image", photo, "--feather", "0.9"],
        [*base, "--variation", "2"],
    ]
    told = blender.run("command_line.verdicts", lines=lines)
    assert [code for code, _words in told] == [2] * len(lines)
    for (_code, words), expected in zip(
        told,
        (
            "--strength needs a --template-image.",
            "--grow needs a --template-image.",
            "The strength must be from 0 to 1, not 2.0.",
            "There is no mask.",
            "A texture that does not repeat has no seam.",
            "The feather must be from 0 to 0.25, not 0.9.",
            "The variation must be from 0 to 1, not 2.0.",
        ),
        strict=True,
    ):
        assert expected in words
