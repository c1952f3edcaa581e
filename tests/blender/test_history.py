# SPDX-License-Identifier: GPL-3.0-or-later
"""The history: what its buttons do, what saving and deleting never break, presets."""

import shutil
from pathlib import Path

import pytest

from tests.fake_worker import png

from .conftest import Blender


@pytest.mark.parametrize(
    "scenario",
    [
        "panel_shows_the_store",
        "result_is_applied_by_its_name",
        "previews_first_touch_no_material",
        "compare_shows_the_other_and_leaves_nothing",
        "try_on_restores_exactly",
        "try_on_keeps_in_one_step",
        "handler_takes_what_is_dropped_on_the_panel",
        "variations_and_another_size",
        "template_goes_around_the_prompt",
    ],
)
def test_history(blender: Blender, scenario: str) -> None:
    blender.run(f"history.{scenario}", hard_exit=True)


@pytest.mark.alone
def test_thousands_of_results_come_in_pages(blender: Blender) -> None:
    blender.run("history.many_results_come_in_pages", count=1500)


def test_settings_are_restored_from_results_images_and_files(blender: Blender, tmp_path: Path) -> None:
    blender.run("history.settings_are_restored", png=str(tmp_path / "dropped.png"))


@pytest.mark.parametrize("server", ["//server/share/model", "\\\\server\\share\\model", "/home/somebody/model"])
def test_recipe_from_somebody_else_sets_no_path(blender: Blender, server: str) -> None:
    blender.run("history.foreign_recipe_sets_no_model_path", server=server)


def test_deleting_breaks_nothing_that_the_open_file_refers_to(blender: Blender, tmp_path: Path) -> None:
    blender.run("history.delete_breaks_nothing", hard_exit=True, file=str(tmp_path / "saved.blend"))


def test_saved_files_are_remembered_with_what_they_took(blender: Blender, tmp_path: Path) -> None:
    blender.run(
        "history.saved_files_are_remembered", file=str(tmp_path / "saved.blend"), copy=str(tmp_path / "copy.blend")
    )


def test_13_results_in_no_file_are_offered_at_the_next_start_until_dismissed(blender: Blender, tmp_path: Path) -> None:
    blender.use_fake({"step_seconds": 0.05})
    _taken, *left = blender.run("history.leave_results_in_no_file", file=str(tmp_path / "saved.blend"))
    new = blender.run("history.results_in_no_file_are_offered", expected=left)
    blender.run("history.only_this_is_offered", name=new)


def test_clean_up_never_takes_what_is_in_use(blender: Blender, tmp_path: Path) -> None:
    blender.run("history.clean_up_spares_what_is_in_use", file=str(tmp_path / "saved.blend"))


def test_13_copied_textures_are_shown_on_another_machine(blender: Blender, tmp_path: Path) -> None:
    places = [tmp_path / name / "saved.blend" for name in ("first", "Ünï 中文 'x'", "copy")]
    for place in places:
        place.parent.mkdir()
    first, elsewhere, copy = map(str, places)
    told = blender.run("history.copies_go_beside_the_file", file=first, elsewhere=elsewhere, copy=copy)
    assert len(told) == 4
    shutil.rmtree(blender.store)
    for place in places:
        moved = tmp_path / "another machine"
        place.parent.rename(moved)
        opened = blender.run("history.open_and_digest", file=str(moved / "saved.blend"))
        assert len(opened) == 3, "of four the oldest was replaced twice, and is in the history"
        assert opened.items() <= told.items()
        moved.rename(place.parent)


def test_14_copying_that_fails_is_told_and_leaves_no_part(blender: Blender, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    blender.run("history.copying_that_fails_is_told", file=str(folder / "saved.blend"))
    assert sorted(path.name for path in folder.iterdir()) == ["saved.blend", "textures"]


def test_copying_overwrites_nothing_and_keeps_what_was_painted(blender: Blender, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    blender.run("history.copying_overwrites_nothing", file=str(folder / "saved.blend"))
    assert list((folder / "textures").glob(".part-*")) == []


def test_21_copying_takes_no_file_that_is_not_a_result(blender: Blender, tmp_path: Path) -> None:
    secret = tmp_path / "keys" / "secret.png"
    secret.parent.mkdir()
    secret.write_bytes(png(8, 8, "secret", 1, ""))
    (tmp_path / "project").mkdir()
    blender.run("history.hostile_paths_are_not_copied", file=str(tmp_path / "project" / "x.blend"), secret=str(secret))


def test_presets_are_read_and_not_run(blender: Blender, tmp_path: Path) -> None:
    blender.run("history.presets_are_read_and_not_run", folder=str(tmp_path))


def test_another_store_has_another_history(blender: Blender, tmp_path: Path) -> None:
    blender.run("history.another_store_has_another_history", folder=str(tmp_path / "second"))
