# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables that name pictures: what a row asks for, what is refused before anything is made, what comes out."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from addon.core import results
from addon.core.errors import UserError
from addon.core.prompt_files import Wish
from addon.core.requests.guides import ControlKind
from addon.core.requests.template import Fit, Region
from addon.core.requests.texture import Size
from addon.engine import pictures
from addon.engine.batch import command, making, rows
from addon.engine.batch.rows import BadRows, Task
from addon.engine.batch.shelf import Shelf
from tests.engine import networks
from tools.bench import sleeping

RNG = np.random.default_rng(3)
RAMP = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 64, 0).repeat(3, 2)  # cut at its edges
FLAT = np.full((64, 64, 3), 90, np.uint8)
MASK = np.zeros((64, 64, 3), np.uint8)
MASK[16:40, 16:40] = 255


def save(path: Path, pixels: NDArray[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "in" / "ramp.png", RAMP)
    save(tmp_path / "in" / "flat.png", FLAT)
    save(tmp_path / "in" / "mask.png", MASK)
    return tmp_path


@pytest.fixture(scope="session")
def guide_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ControlNet for depth, one for tiles, and an IP-Adapter with its encoder."""
    folder, unet = tmp_path_factory.mktemp("batch-guides"), networks.small_unet()
    networks.control_net(unet).save_pretrained(folder / "depth")
    networks.control_net(unet, 9).save_pretrained(folder / "tile")
    networks.ip_adapter(unet, folder / "style")
    return folder


def read(folder: Path, text: str) -> list[Task]:
    file = folder / "table.csv"
    file.write_text(text, encoding="utf-8")
    return rows.read(file, Wish("", 0))


def wrong(folder: Path, text: str) -> list[str]:
    with pytest.raises(BadRows) as caught:
        read(folder, text)
    return [str(error) for error in caught.value.errors]


def test_a_row_starts_from_a_picture_beside_the_table(folder: Path) -> None:
    ramp, flat, masked, grown = (
        task.request
        for task in read(
            folder,
            "prompt,seed,template_image,strength,fit,tileable,mask,region\n"
            "moss,1,in/ramp.png,0.3,crop,,,\nmoss,1,in/flat.png,,,,,\n"
            "moss,1,in/flat.png,,,no,in/mask.png,\nmoss,1,in/flat.png,,,,,grow\n",
        )
    )
    assert ramp.template is not None
    assert flat.template is not None
    assert masked.template is not None
    assert ramp.template.source == str(folder / "in" / "ramp.png")
    assert (ramp.template.strength, ramp.template.fit, ramp.template.tileable) == (0.3, Fit.CROP, True)
    assert (flat.template.strength, flat.template.fit, flat.template.tileable) == (0.6, Fit.STRETCH, False)
    assert (masked.template.region, masked.template.mask) == (Region.MASK, str(folder / "in" / "mask.png"))
    assert masked.size == Size(64, 64)  # a part that stays has its own size
    assert grown.size == Size(128, 128)


def test_a_row_says_how_what_is_made_anew_meets_the_rest(folder: Path) -> None:
    told, plain = (
        task.request.template
        for task in read(
            folder,
            "prompt,seed,template_image,region,feather,wear_amount,cover,keep_edges\n"
            "moss,1,in/ramp.png,wear,0.1,0.7,no,yes\nmoss,1,in/ramp.png,wear,,,,\n",
        )
    )
    assert told is not None
    assert plain is not None
    assert (told.feather, told.amount, told.cover, told.keep_edges) == (0.1, 0.7, False, True)
    assert (plain.feather, plain.amount, plain.cover, plain.keep_edges) == (1 / 64, 0.5, True, False)
    (said,) = wrong(folder, "prompt,template_image,cover\nmoss,in/ramp.png,perhaps\n")
    assert "cover is 'perhaps'. Write auto, yes or no." in said


def test_a_picture_counts_by_what_it_holds_and_not_by_where_it_lies(folder: Path) -> None:
    shutil.copy(folder / "in" / "flat.png", folder / "in" / "same.png")
    text = "prompt,seed,template_image,mask\n" + "".join(
        f"moss,1,{template},{mask}\n"
        for template, mask in (
            ("in/flat.png", ""),
            ("in/same.png", ""),
            ("in/ramp.png", ""),
            ("in/flat.png", "in/mask.png"),
            ("in/flat.png", "in/flat.png"),
            ("", ""),
        )
    )
    assert [task.line for task in read(folder, text)] == [2, 4, 5, 6, 7]


def test_the_seed_of_a_row_without_one_does_not_hang_on_where_its_picture_lies(folder: Path) -> None:
    shutil.copytree(folder / "in", folder / "moved")
    ((one,), (other,)) = (read(folder, f"prompt,template_image\nmoss,{place}/flat.png\n") for place in ("in", "moved"))
    assert (one.request.seed, one.id) == (other.request.seed, other.id)


def test_a_row_is_guided_by_pictures(folder: Path, sd_folder: Path, guide_files: Path) -> None:
    text = (
        "prompt,seed,model,control,control_picture,control_kind,control_strength,control_end,control_tileable,"
        "style,style_picture,style_strength\n"
        f"moss,1,{sd_folder},{guide_files}/depth;{guide_files}/tile,in/ramp.png;in/flat.png,,0.5;,;0.8,no,"
        f"{guide_files}/style/ip-adapter.safetensors,in/flat.png,0.3\n"
    )
    (task,) = read(folder, text)
    depth, tile = task.request.guides.controls
    assert (depth.kind, depth.strength, depth.end, depth.tileable) == (ControlKind.DEPTH, 0.5, 1.0, False)
    assert (tile.kind, tile.strength, tile.end, tile.tileable) == (ControlKind.TILE, 1.0, 0.8, False)
    assert depth.picture == str(folder / "in" / "ramp.png")
    assert all((depth.fingerprint, depth.sha256, tile.fingerprint))
    style = task.request.guides.style
    assert style is not None
    assert (style.strength, bool(style.fingerprint), bool(style.sha256)) == (0.3, True, True)
    copied = folder / "elsewhere"
    shutil.copytree(guide_files, copied)
    (same,) = read(folder, text.replace(str(guide_files), str(copied)))
    assert same.id == task.id
    line = {
        "prompt": "moss",
        "seed": 1,
        "model": str(sd_folder),
        "control": [f"{guide_files}/depth", f"{guide_files}/tile"],
        "control_picture": ["in/ramp.png", "in/flat.png"],
        "control_strength": [0.5, 1],
        "control_end": [1, 0.8],
        "control_tileable": "no",
        "style": f"{guide_files}/style/ip-adapter.safetensors",
        "style_picture": "in/flat.png",
        "style_strength": 0.3,
    }
    (folder / "a.jsonl").write_text(json.dumps(line))
    assert [task.id for task in rows.read(folder / "a.jsonl", Wish("", 0))] == [task.id]


def test_every_wrong_picture_is_a_bad_row_before_anything_is_made(
    folder: Path, sd_folder: Path, guide_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "in" / "broken.png").write_bytes((folder / "in" / "ramp.png").read_bytes()[:90])
    turned = Image.fromarray(RAMP)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "in" / "turned.jpg", exif=exif)
    columns = (
        "prompt,model,template_image,mask,strength,region,fit,tileable,control,control_picture,control_strength,"
        "style,style_picture,variants"
    )
    cells = [
        ",in/gone.png,,,,,,,,,,,",
        ",in/broken.png,,,,,,,,,,,",
        ",in/turned.jpg,,,,,,,,,,,",
        ",in/flat.png,in/gone.png,,,,,,,,,,",
        ",in/flat.png,,2,,,,,,,,,",
        ",in/flat.png,,,nowhere,,,,,,,,",
        ",in/flat.png,,,,,perhaps,,,,,,",
        ",,,0.5,,,,,,,,,",  # a strength of nothing
        f"{sd_folder},,,,,,,{guide_files}/gone,in/flat.png,,,,",
        f"{sd_folder},,,,,,,{guide_files}/depth,in/gone.png,,,,",
        f"{sd_folder},,,,,,,{guide_files}/depth,,,,,",
        f"{sd_folder},,,,,,,{guide_files}/depth,in/flat.png,much,,,",
        f"{sd_folder},,,,,,,,,,{guide_files}/style/ip-adapter.safetensors,,",
        f"{sd_folder},,,,,,,,,,{guide_files}/depth,in/flat.png,",
        f",,,,,,,{guide_files}/depth,in/flat.png,,,,",  # the starter takes none
        ",,,,,,,,,,,,3",
    ]
    text = f"{columns}\n" + "".join(f"moss,{cell}\n" for cell in cells)
    said = wrong(folder, text)
    assert [line.partition(": ")[0] for line in said] == [
        f"table.csv, line {number}" for number in range(2, len(cells) + 2)
    ]
    assert all(line.partition(": ")[2] for line in said)

    def never() -> making.Maker:
        raise AssertionError("nothing is to be made")

    assert command.main([str(folder / "table.csv"), "--output", str(folder / "out")], never) == 2
    assert len(capsys.readouterr().err.splitlines()) == len(cells)
    assert not (folder / "out").exists()


def test_the_command_speaks_for_rows_without_a_picture(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "table.csv").write_text("prompt,seed,template_image\nmoss,1,\noak,1,in/ramp.png\n")
    options = ["--template-image", "in/flat.png", "--strength", "0.2", "--output", "out"]
    assert command.main(["table.csv", *options], sleeping.maker) == 0
    made = [results.load(folder / "out" / name).recipe.texture.template for name in ("moss-1", "oak-1")]
    assert [(Path(one.source).name, one.strength) for one in made if one] == [("flat.png", 0.2), ("ramp.png", 0.2)]


def test_variants_are_a_column(folder: Path) -> None:
    one, four = read(folder, "prompt,seed,size,variants\nmoss,1,64,\nmoss,1,64,4\n")
    assert (one.request.variants, four.request.variants) == (1, 4)


def test_the_real_engine_makes_what_a_row_with_pictures_asks_for(
    folder: Path, sd_folder: Path, guide_files: Path
) -> None:
    text = (
        "prompt,seed,size,steps,model,template_image,strength,mask,control,control_picture\n"
        f"moss,1,64,2,{sd_folder},in/ramp.png,0,,,\n"
        f"oak,2,64,2,{sd_folder},in/flat.png,0.8,in/mask.png,,\n"
        f"stone,3,64,2,{sd_folder},,,,{guide_files}/depth,in/ramp.png\n"
    )
    (folder / "table.csv").write_text(text)
    command_line = [str(folder / "table.csv"), "--output", str(folder / "out"), "--device", "cpu"]
    assert command.main(command_line, making.with_models) == 0
    made = {result.recipe.request.prompt: result for result in Shelf(folder / "out").made().values()}
    oak = pictures.read(made["oak"].path())
    assert (oak[MASK[..., 0] == 0] == 90).all()  # outside the mask it stays, bit for bit
    assert (oak[MASK[..., 0] > 0] != 90).any()
    assert {"template", "mask"} <= set(made["oak"].files)
    assert made["stone"].guide_pictures[0].read_bytes() == (folder / "in" / "ramp.png").read_bytes()
    asked = {task.request.prompt: task.request for task in read(folder, text)}
    for prompt, result in made.items():
        assert result.recipe.request == asked[prompt]  # the same value through the whole chain
    save(folder / "in" / "ramp.png", FLAT)  # another picture is another recipe
    left = [task for task in read(folder, text) if task.id not in Shelf(folder / "out").made()]
    assert [task.request.prompt for task in left] == ["moss", "stone"]


def test_a_picture_that_changes_after_it_was_checked_fails_alone(
    folder: Path, sd_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def maker() -> making.Maker:
        save(folder / "in" / "flat.png", RAMP)
        return making.with_models()

    (folder / "table.csv").write_text(
        f"prompt,seed,size,steps,model,template_image\nmoss,1,64,1,{sd_folder},in/flat.png\noak,2,64,1,{sd_folder},\n"
    )
    command_line = [str(folder / "table.csv"), "--output", str(folder / "out"), "--device", "cpu"]
    assert command.main(command_line, maker) == 1
    assert "Line 2: " in capsys.readouterr().err
    assert [path.name for path in (folder / "out").glob("*-*") if path.is_dir()] == ["oak-2"]


def test_a_table_of_words_alone_imports_no_torch(folder: Path) -> None:
    (folder / "table.csv").write_text("prompt,seed\nmoss,1\n")
    code = (
        "import sys; from pathlib import Path; from addon.core.prompt_files import Wish; "
        "from addon.engine.batch import rows; rows.read(Path(sys.argv[1]), Wish('', 0)); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(folder / "table.csv")], check=True)
    with pytest.raises(UserError, match="holds no prompt"):
        read(folder, "# nothing\n")
