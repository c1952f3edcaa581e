# SPDX-License-Identifier: GPL-3.0-or-later
"""Saving and reopening, libraries, hostile files."""

import shutil
from pathlib import Path

from addon.core.recipe import read_png
from tests.fake_worker import png

from .conftest import Blender


def test_fault_13_unsaved_file_keeps_all_its_textures_without_the_store(blender: Blender, tmp_path: Path) -> None:
    blender.use_fake({"step_seconds": 0.1})
    file = tmp_path / "saved.blend"
    saved = blender.run("files.make_and_save", file=str(file))
    assert len(saved) == 4
    shutil.rmtree(blender.store)
    assert blender.run("files.reopen", file=str(file)) == saved


def test_unpacked_textures_do_not_overwrite_each_other(blender: Blender, tmp_path: Path) -> None:
    file = tmp_path / "project" / "saved.blend"
    file.parent.mkdir()
    blender.run("files.make_and_save", file=str(file))
    names = blender.run("files.unpack_all", file=str(file))
    assert len(names) == 4
    recipes = {read_png(Path(name)).request.seed for name in names}
    assert len(recipes) == 4


def test_image_with_a_relative_path_is_packed_too(blender: Blender, tmp_path: Path) -> None:
    file = tmp_path / "project" / "saved.blend"
    file.parent.mkdir()
    blender.run("files.relative_paths_are_packed_too", file=str(file))


def test_painted_image_is_saved_as_painted_and_the_store_keeps_the_original(blender: Blender, tmp_path: Path) -> None:
    blender.run("files.painted_image_is_saved_as_painted", file=str(tmp_path / "saved.blend"))


def test_saving_goes_on_where_a_result_is_gone(blender: Blender, tmp_path: Path) -> None:
    blender.run("files.save_without_the_store", file=str(tmp_path / "saved.blend"), store=str(blender.store))


def test_result_that_is_gone_does_not_hold_the_others_back(blender: Blender) -> None:
    blender.run("files.delivery_without_one_of_the_results")


def test_fault_12_linked_and_overridden_materials_are_refused_by_library(blender: Blender, tmp_path: Path) -> None:
    blender.run("files.linked_materials_are_refused", library=str(tmp_path / "library.blend"))


def test_fault_30_opening_a_hostile_file_starts_connects_and_writes_nothing(
    own_blender: Blender, tmp_path: Path
) -> None:
    file, marker = tmp_path / "hostile.blend", tmp_path / "the code ran"
    own_blender.run("hostile.make", hard_exit=True, file=str(file), marker=str(marker))
    marker.unlink(missing_ok=True)  # its author's own Blender may run it
    before = _tree(own_blender.profile) + _tree(tmp_path / "project")
    own_blender.flags = ("--offline-mode", "--disable-autoexec")
    told = own_blender.run("hostile.open_and_look", hard_exit=True, file=str(file))
    assert told["seen"] == told["children"] == []
    assert _tree(own_blender.profile) + _tree(tmp_path / "project") == before
    assert not marker.exists()


def _tree(folder: Path) -> list[tuple[str, int]]:
    files = (path for path in folder.rglob("*") if "__pycache__" not in path.parts and path.is_file())
    return sorted((str(path), path.stat().st_mtime_ns) for path in files)


def test_fault_30_saving_packs_no_file_that_is_not_a_result(blender: Blender, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    secret = tmp_path / "keys" / "secret.png"
    secret.write_bytes(png(8, 8, "secret", 1, ""))
    beside = blender.data / "logs" / "engine.png"
    beside.parent.mkdir(parents=True)
    beside.write_bytes(png(8, 8, "secret", 1, ""))
    blender.run(
        "files.hostile_file_that_wants_a_secret",
        file=str(tmp_path / "hostile.blend"),
        secret=str(secret),
        theirs=str(beside),
    )
