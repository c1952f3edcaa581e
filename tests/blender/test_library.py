# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch's textures as an asset library: `--command tilewright library DIR FILE`."""

from pathlib import Path

from addon.core import asset_catalogs
from addon.core.prompt_files import Wish
from addon.engine.batch import making, rows
from addon.engine.batch.shelf import Shelf
from tools.bench import sleeping

from .conftest import Blender


def make_batch(folder: Path) -> Shelf:
    """Two textures whose folders have the same name."""
    table = folder / "table.csv"
    table.write_text("prompt,seed,name,maps\noak planks,7,wood/old,height roughness\nslate,7,stone/old,\n")
    shelf = Shelf(folder / "out")
    made = [
        making.make(sleeping.maker(), task, shelf)
        for task in rows.placed(rows.read(table, Wish("", 0)), shelf.is_taken)
    ]
    shelf.write_list(made)
    return shelf


def test_each_texture_is_a_material_in_a_catalog_of_its_folder(blender: Blender, tmp_path: Path) -> None:
    shelf, file = make_batch(tmp_path), tmp_path / "library" / "textures.blend"
    done = blender.command("library", str(shelf.root), str(file))
    assert done.returncode == 0, done.stderr
    assert "2 materials" in done.stdout
    seen = blender.run("library.seen", file=str(file))
    assert sorted(seen) == ["old-7", "old-7.001"]
    wood, stone = sorted(seen.values(), key=lambda one: -len(one["files"]))
    assert wood["files"] == ["old-7-height.png", "old-7-roughness.png", "old-7.png"]
    assert (wood["folders"], stone["folders"]) == (["wood"], ["stone"])
    assert stone["files"] == ["old-7.png"]
    catalogs = (file.parent / asset_catalogs.FILE).read_text(encoding="utf-8")
    for one, name in ((wood, "wood"), (stone, "stone")):
        assert one["catalog"] == asset_catalogs.find(catalogs, f"Tilewright/{name}")
        assert f":Tilewright/{name}:" in catalogs
        assert one["relative"]
        assert all(one["preview"])
        assert "Tilewright" in one["tags"]


def test_a_folder_without_a_batch_and_a_wrong_name_are_refused_in_a_sentence(blender: Blender, tmp_path: Path) -> None:
    done = blender.command("library", str(tmp_path), str(tmp_path / "a.blend"))
    assert (done.returncode, "holds no batch" in done.stderr) == (1, True)
    done = blender.command("library", str(make_batch(tmp_path).root), str(tmp_path / "a.txt"))
    assert (done.returncode, "is no name of a .blend" in done.stderr) == (1, True)
