# SPDX-License-Identifier: GPL-3.0-or-later
"""Hundreds of textures from a table: what is asked for, where it lands, going on after an end."""

import json
import os
import socket
import sys
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from addon.core import results
from addon.core.errors import UserError
from addon.core.prompt_files import Wish
from addon.core.requests.finish import MapKind
from addon.core.requests.texture import MAX_SEED, Axes, Size
from addon.engine import bootstrap, pictures
from addon.engine.batch import command, making, on_ray, rows, sheet
from addon.engine.batch.progress import Progress
from addon.engine.batch.rows import BadRows, Task
from addon.engine.batch.shelf import LIST, Shelf
from tests.engine import checkpoints
from tools.bench import sleeping

USUAL = Wish("", 0)


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command says to its own process is taken back."""
    for name, value in bootstrap.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def table(folder: Path, text: str, name: str = "table.csv") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def read(folder: Path, text: str, usual: Wish = USUAL, **others: Any) -> list[Task]:
    return rows.read(table(folder, text), usual, **others)


def files_in(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def lines_of(root: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (root / LIST).read_text(encoding="ascii").splitlines()]


# --- rows --------------------------------------------------------------------------------------------------------


def test_a_row_says_what_its_texture_is_made_with(tmp_path: Path) -> None:
    text = (
        "prompt,negative,seed,size,count,steps,guidance,tiling,upscale,maps,kind,delight,invert_relief,name\n"
        'oak planks,moss,7,128x64,2,3,1.5,x,2,"height,normal",wood,yes,yes,wood/oak\n'
    )
    first, second = (task.request for task in read(tmp_path, text))
    assert (first.prompt, first.negative_prompt, first.size) == ("oak planks", "moss", Size(128, 64))
    assert (first.seed, second.seed, first.count, first.steps, first.guidance_scale) == (7, 8, 1, 3, 1.5)
    assert (first.axes, first.finish.upscale, first.finish.delight) == (Axes.X, 2, True)
    assert first.finish.maps == (MapKind.HEIGHT, MapKind.NORMAL)
    assert first.finish.invert_relief


def test_json_lines_ask_for_the_same_as_a_table(tmp_path: Path) -> None:
    wish = {"prompt": "oak planks", "seed": 7, "size": 128, "maps": ["height", "normal"], "tiling": "x"}
    lines = rows.read(table(tmp_path, json.dumps(wish) + "\n", "a.jsonl"), USUAL)
    text = "prompt,seed,size,maps,tiling\noak planks,7,128,height normal,x\n"
    assert [task.id for task in lines] == [task.id for task in read(tmp_path, text)]


def test_the_command_speaks_for_rows_that_say_nothing(tmp_path: Path) -> None:
    usual = Wish("", 0, size="64", maps="all", seed=5)
    one, other = read(tmp_path, "prompt,size,maps\nmoss,,\nbrick,128,height\n", usual)
    assert (str(one.request.size), len(one.request.finish.maps), one.request.seed) == ("64x64", 5, 5)
    assert (str(other.request.size), len(other.request.finish.maps)) == ("128x128", 1)


def test_every_bad_row_is_told_with_its_line_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "prompt,size,steps,maps,model,tiling,upscale,scheduler\nfine,64,,,,,,\na,65,,,,,,\nb,,many,,,,,\nc,,,smell,,,,\n"
        "d,,,,gone,,,\ne,,,,,both,,\nf,,,,,,3,\n,,,,,,2,\ng,,,,,,,h,i\nj,,,,,,,wrong\n"
    )
    made: list[str] = []
    code = command.main(
        [str(table(tmp_path, text)), "--output", str(tmp_path / "out")], lambda: lambda *_: made.append("one")
    )
    said = capsys.readouterr().err.splitlines()
    assert code == 2
    assert [line.partition(":")[0].partition(", has")[0] for line in said] == [
        f"table.csv, line {number}" for number in range(3, 12)
    ]
    assert not made
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("column", ["varnish", "colour"])
def test_a_column_that_is_not_known_is_named(tmp_path: Path, column: str) -> None:
    with pytest.raises(UserError, match=column):
        read(tmp_path, f"prompt,{column}\nmoss,a\n")
    with pytest.raises(BadRows) as caught:
        rows.read(table(tmp_path, '"fine"\n' + json.dumps({"prompt": "moss", column: "a"}), "a.jsonl"), USUAL)
    assert [error.message.partition(" has ")[0] for error in caught.value.errors] == ["a.jsonl, line 2,"]


def test_a_row_without_a_seed_has_the_same_one_each_time_and_its_twin_another(tmp_path: Path) -> None:
    text = "prompt,name\nmoss,\nmoss,\nbrick,\nmoss,a\n"
    seeds = [task.request.seed for task in read(tmp_path, text)]
    assert seeds == [task.request.seed for task in read(tmp_path, text)]
    assert len(set(seeds)) == 4
    assert all(0 <= seed <= MAX_SEED for seed in seeds)


def test_a_recipe_that_stands_twice_is_one_task(tmp_path: Path) -> None:
    assert len(read(tmp_path, "prompt,seed,count\nmoss,1,2\nmoss,2,2\n")) == 3


def test_the_id_is_that_of_the_recipe_and_not_of_the_place(
    tmp_path: Path, sd_folder: Path, copy_of: Callable[[Path], Path]
) -> None:
    copy = copy_of(sd_folder)
    text = "prompt,seed,model\nmoss,1,{}\n"
    (own,), (same,) = (read(tmp_path, text.format(folder)) for folder in (sd_folder, copy))
    assert own.id == same.id
    weights = next((copy / "unet").glob("*.safetensors"))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    (other,) = read(tmp_path, text.format(copy))
    (exported,) = read(tmp_path, text.format(sd_folder), export="unity")
    assert len({own.id, other.id, exported.id}) == 3


def test_a_model_of_a_row_lies_beside_the_table(
    tmp_path: Path, copy_of: Callable[[Path], Path], sd_folder: Path
) -> None:
    model = copy_of(sd_folder)
    (task,) = read(tmp_path, f"prompt,model\nmoss,{model.name}\n")
    assert task.request.model == str(model)


def test_a_denoiser_alone_takes_its_parts_from_where_its_row_says(tmp_path: Path) -> None:
    pipeline = checkpoints.pipeline("1")
    for place in ("folder", "copy"):
        pipeline.save_pretrained(tmp_path / "away" / place)
    alone = checkpoints.original(pipeline)
    checkpoints.save({name: alone[name] for name in alone if name.startswith("model.")}, tmp_path / "alone.safetensors")
    text = "prompt,seed,model,parts\nmoss,1,alone.safetensors,{}\n"
    (task,), (same,) = (read(tmp_path, text.format(f"away/{place}")) for place in ("folder", "copy"))
    assert task.request.parts == str(tmp_path / "away" / "folder")
    assert task.id == same.id
    with pytest.raises(BadRows, match="is a denoiser alone"):
        read(tmp_path, text.format(""))


def test_loras_are_told_apart_by_their_files_and_not_by_their_folders(tmp_path: Path, sd_folder: Path) -> None:
    for folder, data in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "moss.safetensors").write_bytes(data)
    text = "prompt,seed,model,sigmas,scheduler,loras,clip_skip\n" + "".join(
        f"moss,1,{sd_folder},karras,euler,{lora},{skip}\n"
        for lora, skip in (
            ("a/moss.safetensors:0.5", ""),
            ("b/moss.safetensors:0.5", ""),
            ("c/moss.safetensors:0.5", ""),
            ("a/moss.safetensors", ""),
            ("a/moss.safetensors", 2),
            ("", ""),
        )
    )
    tasks = read(tmp_path, text)
    assert [task.line for task in tasks] == [2, 4, 5, 6, 7]
    (lora,) = tasks[0].request.extras.loras
    assert (lora.file, lora.weight) == (str(tmp_path / "a" / "moss.safetensors"), 0.5)
    wish = {"prompt": "moss", "seed": 1, "model": str(sd_folder), "sigmas": "karras", "scheduler": "euler"}
    line = json.dumps({**wish, "loras": ["b/moss.safetensors:0.5"]})
    assert rows.read(table(tmp_path, line, "a.jsonl"), USUAL)[0].id == tasks[0].id
    with pytest.raises(BadRows) as caught:
        read(tmp_path, f"prompt,model,loras\nmoss,{sd_folder},gone.safetensors\n")
    assert "line 2" in str(caught.value.errors[0])


@pytest.mark.parametrize(
    ("names", "folder"),
    [
        ("{name}-{seed}", "wood/oak-7"),
        ("{name}/{prompt}-{seed}", "wood/oak/oak-planks-red-7"),
        ("{row}_{size}_{steps}_{guidance}", "00002_64x64_5_1"),
        ("all/{model}/{seed}", "all/starter/7"),
    ],
)
def test_folders_are_named_by_the_scheme(tmp_path: Path, names: str, folder: str) -> None:
    (task,) = read(tmp_path, "prompt,seed,size,steps,name\noak planks: RED?,7,64,5,wood/oak\n", names=names)
    assert task.folder == folder


@pytest.mark.parametrize(
    "names",
    [
        "../{seed}",
        "CON/{seed}",
        "/{seed}",
        "{seed}/",
        "{seed",
        "{prompt.upper}",
        "{prompt!r}",
        "a:{seed}",
        "",
        ".{seed}",
        "{}",
    ],
)
def test_a_scheme_that_leads_elsewhere_is_refused(tmp_path: Path, names: str) -> None:
    with pytest.raises(UserError, match="scheme"):
        read(tmp_path, "prompt,name\nmoss,..\n", names=names)


def test_a_name_leads_nowhere_else(tmp_path: Path) -> None:
    for task in read(tmp_path, "prompt,name\n../../etc,\nmoss,../../etc\nmoss,/root\nmoss,C:\\\\x\n"):
        assert ".." not in task.folder.split("/")
        assert not task.folder.startswith("/")
        assert "\\" not in task.folder
        assert ":" not in task.folder


def test_two_textures_never_share_a_folder(tmp_path: Path) -> None:
    tasks = read(tmp_path, "prompt,seed,name\nmoss,1,a\nbrick,1,A\noak,1,a\n", names="{name}")
    placed = [task.folder for task in rows.placed(tasks, lambda task: task.folder == "a-2")]
    assert placed == ["a", "a-3", "a-4"]


def test_the_empty_and_dotted_parts_of_a_name_make_no_folders(tmp_path: Path) -> None:
    table = "prompt,name\nmoss,../../etc\nmoss,/root\nmoss,a//b/\nmoss,..\n"
    assert [task.folder for task in read(tmp_path, table, names="{name}")] == ["etc", "root", "a/b", "moss"]


def test_thousands_of_one_name_are_numbered_at_once(tmp_path: Path) -> None:
    tasks = read(tmp_path, "prompt,name,count\n" + "moss,a,1000\n" * 3, names="{name}")
    asked: list[str] = []
    placed = rows.placed(tasks, lambda task: bool(asked.append(task.folder)))
    assert placed[-1].folder == "a-3000"
    assert len(asked) == 3000


def test_a_task_survives_its_way_as_json(tmp_path: Path) -> None:
    (task,) = read(tmp_path, "prompt,maps,upscale\nmoss,all,2\n", export="unreal")
    assert Task.from_json(json.loads(json.dumps(task.to_json()))) == task


# --- making ------------------------------------------------------------------------------------------------------


@pytest.fixture
def diary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "diary"
    monkeypatch.setenv(sleeping.DIARY, str(file))
    return file


def run(folder: Path, text: str, *options: str, maker: Any = sleeping.maker) -> int:
    output = ["--output", str(folder / "out")]
    return command.main([str(table(folder, text)), *output, *options], maker)


def test_a_batch_leaves_whole_folders_a_list_and_a_sheet(tmp_path: Path) -> None:
    assert run(tmp_path, "prompt,seed,name,maps\noak,7,wood/oak,height\nmoss,1,,\n") == 0
    root = tmp_path / "out"
    assert files_in(root) == [
        "index.html",
        "moss-1/moss-1.png",
        "moss-1/result.json",
        "moss-1/thumbnail.png",
        "results.jsonl",
        "wood/oak-7/oak-7-height.png",
        "wood/oak-7/oak-7.png",
        "wood/oak-7/result.json",
        "wood/oak-7/thumbnail.png",
    ]
    first, second = lines_of(root)
    assert (first["file"], first["maps"]) == ("wood/oak-7/oak-7.png", {"height": "wood/oak-7/oak-7-height.png"})
    assert (second["file"], second["recipe"]["request"]["prompt"]) == ("moss-1/moss-1.png", "moss")
    assert results.load(root / "wood" / "oak-7").recipe.request.prompt == "oak"


def test_what_is_made_is_not_made_again_also_where_it_was_moved(tmp_path: Path, diary: Path) -> None:
    text = "prompt,seed\noak,7\nmoss,1\n"
    assert run(tmp_path, text) == 0
    (tmp_path / "out" / "shelf").mkdir()
    (tmp_path / "out" / "oak-7").rename(tmp_path / "out" / "shelf" / "best")
    assert run(tmp_path, text + "brick,3\n") == 0
    assert [line.partition(" ")[2] for line in diary.read_text().splitlines()] == [
        "begins",
        "oak 7",
        "moss 1",
        "begins",
        "brick 3",
    ]
    assert sorted(line["file"] for line in lines_of(tmp_path / "out")) == [
        "brick-3/brick-3.png", "moss-1/moss-1.png", "shelf/best/oak-7.png",
    ]  # fmt: skip


def test_no_engine_is_started_where_all_is_made(tmp_path: Path) -> None:
    text = "prompt,seed\noak,7\n"

    def never() -> making.Maker:
        raise AssertionError("nothing is to be made")

    assert run(tmp_path, text) == 0
    assert run(tmp_path, text, maker=never) == 0


def test_a_texture_that_lost_a_file_is_made_again_beside_it(tmp_path: Path) -> None:
    text = "prompt,seed\noak,7\n"
    run(tmp_path, text)
    (tmp_path / "out" / "oak-7" / "oak-7.png").unlink()
    assert run(tmp_path, text) == 0
    assert [line["file"] for line in lines_of(tmp_path / "out")] == ["oak-7-2/oak-7-2.png"]


def test_one_that_fails_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "prompt,seed\nbroken,1\noak,7\n") == 1
    assert "Line 2: The model gave no valid numbers." in capsys.readouterr().err
    assert [line["file"] for line in lines_of(tmp_path / "out")] == ["oak-7/oak-7.png"]


def test_a_mistake_of_ours_is_told_and_the_rest_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def maker() -> making.Maker:
        good = sleeping.maker()

        def make(start: Any, watch: Any) -> None:
            if start.request.prompt == "odd":
                raise ZeroDivisionError
            good(start, watch)

        return make

    assert run(tmp_path, "prompt,seed\nodd,1\noak,7\n", maker=maker) == 1
    assert "Line 2: Tilewright made a mistake (ZeroDivisionError)." in capsys.readouterr().err
    assert len(lines_of(tmp_path / "out")) == 1


def test_ctrl_c_keeps_what_is_made_and_the_next_run_goes_on(tmp_path: Path, diary: Path) -> None:
    text = "prompt,seed\noak,7\nmoss,1\nbrick,3\n"

    def maker() -> making.Maker:
        good = sleeping.maker()

        def make(start: Any, watch: Any) -> None:
            if start.request.prompt == "moss":
                raise KeyboardInterrupt
            good(start, watch)

        return make

    assert run(tmp_path, text, maker=maker) == 130
    assert files_in(tmp_path / "out") == [
        "index.html", "oak-7/oak-7.png", "oak-7/result.json", "oak-7/thumbnail.png", "results.jsonl",
    ]  # fmt: skip
    assert run(tmp_path, text) == 0
    assert len(lines_of(tmp_path / "out")) == 3


def test_those_of_a_model_are_made_after_each_other(
    tmp_path: Path, diary: Path, sd_folder: Path, copy_of: Callable[[Path], Path]
) -> None:
    models = ["starter", str(copy_of(sd_folder))]
    text = "prompt,seed,model\n" + "".join(f"a{number},1,{models[number % 2]}\n" for number in range(4))
    assert run(tmp_path, text) == 0
    assert [line.split()[1] for line in diary.read_text().splitlines()[1:]] in (
        ["a0", "a2", "a1", "a3"],
        ["a1", "a3", "a0", "a2"],
    )


def test_of_two_that_make_the_same_texture_one_counts(tmp_path: Path) -> None:
    (task,) = read(tmp_path, "prompt,seed\noak,7\n")
    shelf = Shelf(tmp_path / "out")

    def make(start: Any, watch: Any) -> None:
        """Another process is faster, and this one is in the middle."""
        making.make(sleeping.maker(), task, shelf)
        sleeping.maker()(start, watch)

    assert making.make(make, task, shelf).folder == tmp_path / "out" / "oak-7"
    assert list(shelf.made()) == [task.id]
    assert [name for name in os.listdir(tmp_path / "out") if not name.startswith(".")] == ["oak-7"]


def test_what_a_dying_batch_put_there_after_it_was_looked_for_is_not_made_again(
    tmp_path: Path, diary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "prompt,seed\noak,7\nmoss,1\n"
    look = Shelf.made

    def too_early(shelf: Shelf) -> dict[str, results.Result]:
        seen = look(shelf)
        making.make(sleeping.maker(), read(tmp_path, text)[0], shelf)  # of a process that lives on
        return seen

    monkeypatch.setattr(Shelf, "made", too_early)
    assert run(tmp_path, text) == 0
    assert sum("oak" in line for line in diary.read_text().splitlines()) == 1
    assert sorted(line["file"] for line in lines_of(tmp_path / "out")) == ["moss-1/moss-1.png", "oak-7/oak-7.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir()) == ["moss-1", "oak-7"]


def test_what_a_killed_process_left_is_swept_after_a_day_and_not_before(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    old, new = (tmp_path / ".tilewright" / f".part-1-{name}" for name in ("old", "new"))
    for folder in (old, new):
        (folder / "x").mkdir(parents=True)
    os.utime(old, (time.time() - 90_000,) * 2)
    shelf.sweep()
    assert (old.exists(), new.exists(), shelf.made()) == (False, True, {})


def test_a_full_disk_ends_the_batch_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("a file")
    assert run(tmp_path, "prompt,seed\noak,7\nmoss,1\n") == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert said == [
        f"Cannot write to {tmp_path / 'out'}: File exists. Free some space there and run this again, or name another."
    ]


def test_a_thousand_are_skipped_in_two_seconds(tmp_path: Path) -> None:
    text = "prompt,seed\n" + "".join(f"moss {number},{number}\n" for number in range(1000))
    tasks = read(tmp_path, text)
    shelf = Shelf(tmp_path / "out")
    made = making.make(sleeping.maker(), tasks[0], shelf)
    index = (made.folder / results.INDEX).read_text()
    for task in tasks[1:]:
        folder = shelf.root / task.folder
        folder.mkdir()
        for name in made.files.values():
            os.link(made.folder / name, folder / name)
        (folder / results.INDEX).write_text(index.replace(tasks[0].id, task.id))
    begun = time.process_time()  # not the clock: others use this machine
    assert run(tmp_path, text, maker=lambda: pytest.fail("all is made")) == 0
    assert time.process_time() - begun < 2.0
    assert len(lines_of(shelf.root)) == 1000


# --- what comes out ----------------------------------------------------------------------------------------------


def test_maps_are_packed_as_the_program_wants_them(tmp_path: Path) -> None:
    assert run(tmp_path, "prompt,seed,maps\noak,7,all\n", "--export", "unity") == 0
    folder = tmp_path / "out" / "oak-7"
    result = results.load(folder)
    read_ = {kind: pictures.read(result.path(kind)) for kind in result.files}
    packed = pictures.read(folder / "oak-7_MetallicSmoothness.png")
    assert packed.dtype == np.uint8
    assert (packed[..., :3] == read_["metallic"]).all()
    assert (packed[..., 3] == 255 - read_["roughness"][..., 0]).all()
    assert (folder / "oak-7_Normal.png").read_bytes() == result.path("normal").read_bytes()
    assert sorted(lines_of(tmp_path / "out")[0]["export"]) == [
        f"oak-7/oak-7_{name}.png"
        for name in ("AlbedoTransparency", "Height", "MetallicSmoothness", "Normal", "Occlusion")
    ]


def test_green_is_turned_for_unreal_and_missing_maps_have_their_usual_value(tmp_path: Path) -> None:
    assert run(tmp_path, "prompt,seed,maps\noak,7,normal roughness\n", "--export", "unreal") == 0
    folder = tmp_path / "out" / "oak-7"
    result = results.load(folder)
    normal, turned = pictures.read(result.path("normal")), pictures.read(folder / "T_oak-7_N.png")
    assert turned.dtype == np.uint16
    assert (turned[..., 1] == 65535 - normal[..., 1]).all()
    assert (turned[..., ::2] == normal[..., ::2]).all()
    packed = pictures.read(folder / "T_oak-7_ORM.png")
    roughness = pictures.read(result.path("roughness"))[0, 0, 0]
    assert packed[0, 0].tolist() == [255, roughness, 0]
    assert not (folder / "T_oak-7_H.png").exists()


def test_blender_makes_the_asset_library_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blender = tmp_path / "blender"
    blender.write_text('#!/bin/sh\necho "$@" > "$0.asked"\n[ -e "$0.fails" ] || exit 0\necho No disk. >&2\nexit 1\n')
    blender.chmod(0o755)
    text, options = "prompt,seed\noak,7\n", ("--blend", str(tmp_path / "a.blend"), "--blender")
    assert run(tmp_path, text, *options, str(blender)) == 0
    asked = (tmp_path / "blender.asked").read_text().split()
    assert asked == f"--background --command tilewright library {tmp_path / 'out'} {tmp_path / 'a.blend'}".split()
    (tmp_path / "blender.fails").touch()
    assert run(tmp_path, text, *options, str(blender)) == 1
    assert "Blender made no whole a.blend: No disk." in capsys.readouterr().err
    assert run(tmp_path, text, *options, str(tmp_path / "none")) == 1
    assert "none cannot be started: No such file" in capsys.readouterr().err


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.words: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]
        self.words += [value or "" for name, value in attrs if name == "data-words"]


def test_the_contact_sheet_shows_what_is_there_and_asks_nobody(tmp_path: Path) -> None:
    hostile = '"<script src=""https://example.org/x.js""></script> & oak #1"'
    assert run(tmp_path, f"prompt,seed,maps\n{hostile},7,height\nmoss,1,\n", "--names", "a/{prompt}-{seed}") == 0
    page = _Links()
    text = (tmp_path / "out" / sheet.SHEET).read_text(encoding="utf-8")
    page.feed(text)
    assert len(page.words) == 2
    assert "<script src=" in " ".join(page.words)  # as words, to be found, not as a tag
    assert "https://example.org" not in text.replace("&quot;", "").split("<script>")[1].split("</main>")[-1]
    assert len(page.found) == 5
    for link in page.found:
        assert (tmp_path / "out" / link).is_file()
    assert not page.tags & {"link", "iframe", "object", "embed", "form", "base"}
    assert text.count("<script") == 1


def test_progress_tells_rate_and_time_left() -> None:
    class Terminal:
        written = ""

        def isatty(self) -> bool:
            return False

        def write(self, text: str) -> None:
            self.written += text

        def flush(self) -> None:
            """Nothing to do."""

    now = [0.0]
    stream: Any = Terminal()
    progress = Progress(100, stream, lambda: now[0])
    for number in range(1, 13):
        now[0] = 4.0 * number
        progress.count(failed=number == 5)
    assert progress.line() == "12 of 100, 1 failed, 15.0 a minute, 6 min left"
    assert len(stream.written.splitlines()) == 4  # every ten seconds


def test_the_real_engine_makes_the_same_pixels_alone_and_in_a_batch(tmp_path: Path, sd_folder: Path) -> None:
    text = f"prompt,seed,size,steps,model\nmoss,3,64,1,{sd_folder}\noak,4,64,1,{sd_folder}\n"
    assert run(tmp_path, text, "--device", "cpu", maker=making.with_models) == 0
    tasks = read(tmp_path, text)
    other = Shelf(tmp_path / "other")
    alone = making.make(making.with_models(), tasks[1], other, "cpu")
    assert (pictures.read(alone.path()) == pictures.read(tmp_path / "out" / "oak-4" / "oak-4.png")).all()
    assert alone.recipe.request.seed == 4


# --- on Ray, as far as it goes without it; tests/cluster has the real one ----------------------------------------


class RayError(Exception):
    """Stands for `ray.exceptions.RayError`."""


class FakeRay:
    """Actors in this process: a call is made when it is awaited, oldest first. deaths: how many of them die in each
    prompt; a name is `prepare` in place of a prompt."""

    def __init__(self, cpus: list[int], cards: int = 0, deaths: dict[str, int] | None = None) -> None:
        self.exceptions = self
        self.RayError = RayError
        self._nodes = [{"Alive": True, "Resources": {"CPU": float(cpu)}} for cpu in cpus]
        if cards:
            self._nodes[0]["Resources"]["GPU"] = float(cards)
        self.deaths = deaths or {}
        self.asked: dict[str, Any] = {}
        self.actors: list[FakeActor] = []

    def nodes(self) -> list[dict[str, Any]]:
        return self._nodes

    def remote(self, kind: Any) -> Any:
        ray = self

        class Options:
            def remote(self, *arguments: Any) -> "FakeActor":
                ray.actors.append(FakeActor(ray, kind(*arguments), len(ray.actors)))
                return ray.actors[-1]

        def options(**asked: Any) -> Options:
            ray.asked = asked
            return Options()

        kind.options = staticmethod(options)
        return kind

    def wait(
        self, calls: list["FakeCall"], num_returns: int, timeout: float
    ) -> tuple[list["FakeCall"], list["FakeCall"]]:
        if not any(node["Alive"] for node in self._nodes):
            return [], calls
        oldest = {}
        for call in calls:
            oldest.setdefault(id(call.actor), call)  # each works on its first
        first = min(oldest.values(), key=lambda call: call.actor.done)
        return [first], [call for call in calls if call is not first]

    def get(self, call: "FakeCall") -> Any:
        name = call.arguments[0]["request"]["prompt"] if call.arguments else call.name
        if call.actor.dead or self.deaths.get(name, 0) > 0:
            self.deaths[name] = self.deaths.get(name, 0) - 1
            raise RayError("The actor died.")
        call.actor.done += 1
        call.actor.painted.append(name)
        return getattr(call.actor.painter, call.name)(*call.arguments)

    def kill(self, actor: "FakeActor") -> None:
        actor.dead = True


class FakeCall:
    def __init__(self, actor: "FakeActor", name: str, arguments: tuple[Any, ...]) -> None:
        self.actor, self.name, self.arguments = actor, name, arguments


class FakeActor:
    def __init__(self, ray: FakeRay, painter: Any, number: int) -> None:
        self.ray, self.painter, self.number = ray, painter, number
        self.dead, self.done = False, 0
        self.painted: list[str] = []

    def __getattr__(self, name: str) -> Any:
        actor = self

        class Method:
            def remote(self, *arguments: Any) -> FakeCall:
                return FakeCall(actor, name, arguments)

        return Method()


def crew(tmp_path: Path, ray: FakeRay, text: str, maker: Any = sleeping.maker, **cluster: Any) -> list[Any]:
    shelf = Shelf(tmp_path / "out")
    tasks = read(tmp_path, text)
    asked = on_ray.Cluster("local", **{"cores": 1, **cluster})
    return list(on_ray._Crew(ray, tasks, shelf, asked, maker).work())


MANY = "prompt,seed\n" + "".join(f"p{number},1\n" for number in range(12))


def test_every_task_is_made_once_by_the_actors_of_a_cluster(tmp_path: Path) -> None:
    ray = FakeRay([2, 1])
    made = crew(tmp_path, ray, MANY)
    assert sorted(task.request.prompt for task, _result in made) == sorted(f"p{number}" for number in range(12))
    assert all(isinstance(result, results.Result) for _task, result in made)
    assert [actor.done for actor in ray.actors] == [5, 5, 5]  # four each, and being prepared
    assert len(Shelf(tmp_path / "out").made()) == 12


@pytest.mark.parametrize(
    ("cpus", "cards", "cluster", "actors", "asked"),
    [
        ([8, 4], 0, {"cores": 4}, 3, {"num_cpus": 4.0}),
        ([2], 0, {"cores": 4}, 1, {"num_cpus": 2.0}),
        ([8], 2, {"cores": 4}, 2, {"num_gpus": 1.0, "num_cpus": 1.0}),
        ([8], 2, {"cores": 4, "device": "cpu"}, 2, {"num_cpus": 4.0}),
        ([64], 0, {"cores": 1}, 12, {"num_cpus": 1.0}),  # not more than tasks
        ([64], 0, {"cores": 1, "actors": 5}, 5, {"num_cpus": 1.0}),
    ],
)
def test_an_actor_for_each_card_or_for_some_cores(
    tmp_path: Path, cpus: list[int], cards: int, cluster: dict[str, Any], actors: int, asked: dict[str, float]
) -> None:
    ray = FakeRay(cpus, cards)
    crew(tmp_path, ray, MANY, **cluster)
    assert len(ray.actors) == actors
    assert ray.asked == {"max_restarts": 0, "max_task_retries": 0, **asked}


def test_actors_stay_with_their_models(tmp_path: Path, sd_folder: Path) -> None:
    text = "prompt,seed,model\n" + "".join(
        f"{kind}{number},1,{model}\n" for number in range(8) for kind, model in (("a", "starter"), ("b", sd_folder))
    )
    ray = FakeRay([2])
    crew(tmp_path, ray, text)
    assert [{name[0] for name in actor.painted[1:]} for actor in ray.actors] == [{"a"}, {"b"}]


def test_what_an_actor_had_when_it_died_is_made_by_another(tmp_path: Path) -> None:
    ray = FakeRay([2], deaths={"p0": 1, "p5": 2})
    made = crew(tmp_path, ray, MANY)
    assert len(made) == len({task.id for task, _result in made}) == 12
    assert all(isinstance(result, results.Result) for _task, result in made)
    assert len(ray.actors) == 2 + 3


def test_a_texture_that_kills_every_process_is_given_up_and_the_others_are_made(tmp_path: Path) -> None:
    ray = FakeRay([2], deaths={"p3": 99})
    made = crew(tmp_path, ray, MANY)
    wrong = [(task.request.prompt, str(error)) for task, error in made if isinstance(error, UserError)]
    assert len(made) == 12
    assert [prompt for prompt, _text in wrong] == ["p3"]
    assert "ended 5 times" in wrong[0][1]


def test_processes_that_all_end_as_they_start_end_the_batch(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="end as they start"):
        crew(tmp_path, FakeRay([2], deaths={"prepare": 99}), MANY)


def test_a_cluster_without_machines_ends_the_batch(tmp_path: Path) -> None:
    ray = FakeRay([2])
    ray.nodes()[0]["Alive"] = False
    with pytest.raises(UserError, match="no machine any more"):
        crew(tmp_path, ray, MANY)


def test_an_engine_that_cannot_be_imported_there_ends_the_batch(tmp_path: Path) -> None:
    def maker() -> making.Maker:
        raise UserError(making.ErrorKind.RUNTIME, "The worker's Python cannot load torch.")

    with pytest.raises(UserError, match="cannot load torch"):
        crew(tmp_path, FakeRay([2]), MANY, maker)


@pytest.mark.parametrize("address", ["10.0.0.5", "10.0.0.5:99999", ":6379", "here"])
def test_what_is_no_address_of_a_cluster_is_told_at_once(tmp_path: Path, address: str) -> None:
    assert run(tmp_path, "prompt,seed\noak,7\n", "--ray", address) == 1


def test_a_cluster_that_is_not_there_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    assert run(tmp_path, "prompt,seed\noak,7\n", "--ray", address) == 1
    assert f"Ray cannot be reached at {address}: Connection refused." in capsys.readouterr().err


def test_without_ray_one_sentence_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.setenv(name, "")
    assert run(tmp_path, "prompt,seed\noak,7\n", "--ray", "local") == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert f"--python {sys.executable} install ray=={on_ray.VERSION}" in said[0]
