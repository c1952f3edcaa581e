# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender --background --command tilewright generate ...`."""

import json
import os
import signal
import time
from pathlib import Path

from addon.core.errors import UserError
from addon.core.recipe import Recipe, read_png
from addon.core.requests.texture import Size

from .conftest import SECONDS, Blender
from .test_jobs import dying, stuck


def records(output: Path) -> list[dict]:
    return [json.loads(line) for line in (output / "results.jsonl").read_text(encoding="ascii").splitlines()]


def test_makes_pngs_with_their_recipes_and_an_index(blender: Blender, tmp_path: Path) -> None:
    output = tmp_path / "out put" / "new"
    # fmt: off
    done = blender.command(
        "generate", "--prompt", "Mossy Bricks!", "--output", str(output), "--negative", "text", "--size", "128x64",
        "--steps", "2", "--guidance", "3.5", "--seed", "5", "--count", "2", "--tile", "x", "--model", "starter",
    )
    # fmt: on
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in output.iterdir()) == [
        "mossy-bricks-5.png",
        "mossy-bricks-6.png",
        "results.jsonl",
    ]
    for record, seed in zip(records(output), (5, 6), strict=True):
        recipe = read_png(output / record["file"])
        assert recipe == Recipe.from_json(record["recipe"])
        request = recipe.request
        assert (request.prompt, request.negative_prompt, request.size) == ("Mossy Bricks!", "text", Size(128, 64))
        assert (request.steps, request.guidance_scale, request.seed, request.axes) == (2, 3.5, seed, "X")
        assert record["seam_score"] == 0.5
        assert record["seconds"] >= 0
        assert record["file"] in done.stdout
    assert not blender.results


def test_json_prints_the_index_and_nothing_is_ever_overwritten(blender: Blender, tmp_path: Path) -> None:
    arguments = (
        "generate",
        "--prompt",
        "a",
        "--output",
        str(tmp_path / "out"),
        "--size",
        "64",
        "--seed",
        "1",
        "--json",
    )
    first = blender.command(*arguments)
    second = blender.command(*arguments)
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    printed = [
        json.loads(line) for done in (first, second) for line in done.stdout.splitlines() if line.startswith("{")
    ]
    assert printed == records(tmp_path / "out")
    assert [record["file"] for record in printed] == ["a-1.png", "a-1-2.png"]


def test_prompts_of_a_file_go_on_where_one_fails(blender: Blender, tmp_path: Path) -> None:
    blender.use_fake(dying(do="signal", phase="SAMPLING", step=1))
    output = tmp_path / "out"
    (output / ".tilewright" / ".part-999999999-0").mkdir(parents=True)
    somebodys = output / ".part-of-a-download"
    somebodys.touch()
    os.utime(somebodys, (0, 0))
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("erste Ziegelwand\n\nthis one dies\n第三\n", encoding="utf-8")
    done = blender.command("generate", "--prompts", str(prompts), "--output", str(output), "--size", "64")
    assert done.returncode == 1
    assert not (output / ".tilewright").exists(), "what a killed command left is not removed"
    somebodys.unlink()  # it is still there
    told = [line for line in done.stderr.splitlines() if "signal 9" in line]
    assert len(told) == 1, done.stderr
    assert "Read as: erste brick wall" in done.stderr
    assert "The model does not know: erste" in done.stderr
    made = records(output)
    assert [record["recipe"]["request"]["prompt"] for record in made] == ["erste brick wall", "第三"]
    assert len({record["recipe"]["request"]["seed"] for record in made}) == 2, "each has a seed of its own"
    assert sorted(path.suffix for path in output.iterdir()) == [".jsonl", ".png", ".png"]


def test_two_commands_at_once_overwrite_nothing(blender: Blender, tmp_path: Path) -> None:
    arguments = ("generate", "--prompt", "a", "--output", str(tmp_path / "out"), "--size", "64", "--seed", "1")
    both = [blender.popen(blender.command_line(*arguments, "--count", "5")) for _ in range(2)]
    for process in both:
        output = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, output
    made = [record["file"] for record in records(tmp_path / "out")]
    assert len(set(made)) == 10
    assert all(read_png(tmp_path / "out" / name) for name in made)


def test_tilde_is_the_home_folder(blender: Blender, tmp_path: Path) -> None:
    blender.variables["HOME"] = blender.variables["USERPROFILE"] = str(tmp_path)
    done = blender.command("generate", "--prompt", "a", "--output=~/out", "--size", "64", "--seed", "1")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "a-1.png").is_file()


BAD_ARGUMENTS = (
    ("", "The following arguments are required: COMMAND."),
    ("generate", "The following arguments are required: --output."),
    ("generate --output OUT", "One of the arguments --prompt --prompts is required."),
    ("generate --output OUT --prompt=", "The prompt is empty."),
    ("generate --output OUT --prompt x --neg y", "Unrecognized arguments: --neg y."),
    ("generate --output OUT --prompt x --tile z", "invalid choice: 'z'"),
    ("generate --output OUT --prompt x --steps many", "invalid int value: 'many'"),
    ("generate --output OUT --prompt x --steps 0", "Steps must be from 1 to 150, not 0."),
    ("generate --output OUT --prompt x --guidance nan", "The guidance scale must be"),
    ("generate --output OUT --prompt x --seed -1", "The seed must be from 0 to 2147483647"),
    ("generate --output OUT --prompt x --count 0", "The number of textures must be from 1"),
    ("generate --output OUT --prompt x --model nowhere", "Connect the drive that it is on"),
    ("generate --output OUT --prompts nowhere.txt", "nowhere.txt cannot be read"),
)


def test_bad_arguments_are_refused_in_one_sentence_before_anything_is_made(blender: Blender, tmp_path: Path) -> None:
    lines = [line.replace("OUT", str(tmp_path / "out")).split() for line, _ in BAD_ARGUMENTS]
    for (line, said), (code, words) in zip(
        BAD_ARGUMENTS, blender.run("command_line.verdicts", lines=lines), strict=True
    ):
        assert code == 2, line
        assert said in words
        assert len(words.splitlines()) == 1, words
    assert not (tmp_path / "out").exists()
    done = blender.command(*lines[-1])
    assert done.returncode == 2
    assert "nowhere.txt cannot be read" in done.stderr


def test_fault_17_sizes_get_the_verdict_of_the_core(blender: Blender, tmp_path: Path) -> None:
    sizes = ["", "-1", "0", "1", "513", str(2**31), "8192x8192", "512x", "64"]
    common = ["generate", "--prompt", "x", "--output", str(tmp_path / "out"), "--steps", "1"]
    told = blender.run("command_line.verdicts", lines=[[*common, f"--size={size}"] for size in sizes])
    assert [[code, words.strip()] for code, words in told] == [_verdict(size) for size in sizes]


def _verdict(size: str) -> list:
    try:
        Size.parse(size)
    except UserError as error:
        return [2, str(error)]
    return [0, ""]


def test_fault_14_output_that_cannot_be_written_is_named(blender: Blender, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = blender.command("generate", "--prompt", "x", "--output", str(tmp_path / "file" / "out"), "--size", "64")
    assert done.returncode == 1
    assert f"Cannot write to {tmp_path / 'file' / 'out'}" in done.stderr
    assert "choose another --output" in done.stderr
    assert "preferences" not in done.stderr


def test_missing_engine_is_told(blender: Blender, tmp_path: Path) -> None:
    del blender.variables["TILEWRIGHT_PYTHON"]
    done = blender.command("generate", "--prompt", "x", "--output", str(tmp_path / "out"), "--size", "64")
    assert done.returncode == 1
    assert "engine's packages are not installed yet" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_ctrl_c_keeps_what_is_finished_and_nothing_else(blender: Blender, tmp_path: Path) -> None:
    blender.use_fake(stuck("SAMPLING"))
    (tmp_path / "prompts.txt").write_text("first\nstuck in SAMPLING\nnever\n")
    output = tmp_path / "out"
    process = blender.popen(
        blender.command_line(
            "generate",
            "--prompts",
            str(tmp_path / "prompts.txt"),
            "--output",
            str(output),
            "--size",
            "64",
            "--seed",
            "1",
        )
    )
    end = time.monotonic() + 60
    while not (output / "results.jsonl").exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stdout + stderr
    assert "what was finished is kept" in stderr
    assert sorted(path.name for path in output.iterdir()) == ["first-1.png", "results.jsonl"]


def test_batch_of_a_table_resumes_where_it_was_and_names_its_files(blender: Blender, tmp_path: Path) -> None:
    output, table = tmp_path / "out", tmp_path / "batch.csv"
    table.write_bytes("prompt;seed;count;name\nWand;5;2;my wall\n# no\nMoos;;1;\n".encode("utf-16"))
    arguments = ("generate", "--prompts", str(table), "--output", str(output), "--size", "64")
    done = blender.command(*arguments)
    assert done.returncode == 0, done.stderr
    first = [record["file"] for record in records(output)]
    assert first[:2] == ["my-wall-5.png", "my-wall-6.png"]
    assert len(first) == 3
    again = blender.command(*arguments)
    assert again.returncode == 0
    assert "3 already made; --again" in again.stderr
    assert [record["file"] for record in records(output)] == first
    (output / first[1]).unlink()
    with (output / "results.jsonl").open("a") as index:
        index.write("{half a li")
    assert blender.command(*arguments).returncode == 0
    files = sorted(path.name for path in output.glob("*.png"))
    assert files == sorted(first), "what was deleted is made again, and nothing else"
    assert blender.command(*arguments, "--steps", "2").returncode == 0
    assert len(list(output.glob("*.png"))) == 6, "another recipe"
    assert blender.command(*arguments, "--again").returncode == 0
    assert len(list(output.glob("*.png"))) == 9


def test_line_of_a_table_that_cannot_be_made_is_named_before_anything_is(blender: Blender, tmp_path: Path) -> None:
    table = tmp_path / "batch.csv"
    table.write_text("prompt,size\nbrick,64\nmoss,65\n")
    ((code, words),) = blender.run(
        "command_line.verdicts", lines=[["generate", "--prompts", str(table), "--output", str(tmp_path / "out")]]
    )
    assert code == 2
    assert "batch.csv, line 3: " in words
    assert not (tmp_path / "out").exists()


def test_closed_pipe_ends_quietly_and_leaves_nothing_half(blender: Blender, tmp_path: Path) -> None:
    output = tmp_path / "out"
    process = blender.popen(
        blender.command_line("generate", "--prompt", "a", "--output", str(output), "--size", "64", "--count", "40")
    )
    process.stdout.readline()
    while "seam" not in process.stdout.readline():
        assert process.poll() is None
    process.stdout.close()
    process.stdout = None
    _, stderr = process.communicate(timeout=60)
    assert "Traceback" not in stderr, stderr
    assert "BrokenPipe" not in stderr, stderr
    made = [record["file"] for record in records(output)]
    assert 1 <= len(made) < 40
    assert sorted(path.name for path in output.iterdir()) == sorted([*made, "results.jsonl"])


def test_transition_is_made_of_two_pictures_with_their_size_and_words(blender: Blender, tmp_path: Path) -> None:
    output = tmp_path / "out"
    plain = ("generate", "--output", str(output), "--seed", "5", "--size", "64")
    for prompt in ("grass", "gravel"):
        assert blender.command(*plain, "--prompt", prompt).returncode == 0
    first, second = output / "grass-5.png", output / "gravel-5.png"
    transition = ("generate", "--output", str(output), "--seed", "6", "--prompt", "grass", "--transition", str(first))
    done = blender.command(*transition, str(second), "--border", "0.25", "--maps", "height,normal", "--tiles")
    assert done.returncode == 0, done.stderr
    record = records(output)[-1]
    request = Recipe.from_json(record["recipe"]).texture
    assert (request.size, request.transition.width, request.transition.prompt) == (Size(64, 64), 0.25, "gravel")
    assert (request.transition.first, request.transition.second) == (str(first), str(second))
    assert len(record["tiles"]) == 3 * 16
    assert record["tiles"][:2] == ["grass-6-1-1.png", "grass-6-1-2.png"]
    assert all((output / name).is_file() for name in record["tiles"])


def test_options_of_a_transition_need_one(blender: Blender, tmp_path: Path) -> None:
    done = blender.command("generate", "--prompt", "a", "--output", str(tmp_path), "--border", "0.3")
    assert done.returncode == 2
    assert "--border needs a --transition." in done.stderr


def test_one_tile_of_a_set_is_made_anew(blender: Blender, tmp_path: Path) -> None:
    output = tmp_path / "out"
    plain = (
        "generate",
        "--output",
        str(output),
        "--prompt",
        "brick",
        "--size",
        "256",
    )  # the fake engine makes a sheet of that
    assert blender.command(*plain, "--seed", "5", "--variants", "8").returncode == 0
    anew = ("generate", "--output", str(output), "--prompt", "brick", "--seed", "6", "--template-image")
    picture = output / "brick-5.png"
    assert blender.command(*anew, str(picture), "--tile-anew", "3", "2").returncode == 0
    request = Recipe.from_json(records(output)[-1]["recipe"]).texture
    assert (request.size, request.variants, request.template.region.name) == (Size(64, 128), 8, "TILE")
    assert (request.template.tile, request.template.strength, request.axes.name) == ((2, 1), 1.0, "XY")
    assert blender.command(*plain, "--seed", "7").returncode == 0
    for name, place, words in (
        ("brick-5.png", ("3", "3"), "The set has no tile in column 3 and row 3."),
        ("brick-7.png", ("1", "1"), "brick-7.png holds no set of tiles."),
    ):
        done = blender.command(*anew, str(output / name), "--tile-anew", *place)
        assert done.returncode == 2
        assert words in done.stderr
    done = blender.command(*plain, "--tile-anew", "1", "1")
    assert "--tile-anew needs a --template-image." in done.stderr
