# SPDX-License-Identifier: GPL-3.0-or-later
"""A result is whole on disk, or it is not there."""

import json
from pathlib import Path

import pytest

from addon.core.errors import ErrorKind, UserError
from addon.core.results import BASE_COLOR, PART, RECIPE_P, Result, draft, load

from .test_recipe import RECIPE


def write(root, **kwargs):
    with draft(root, "Mossy red bricks", 7) as part:
        (part.folder / "a.png").write_bytes(b"pixels")
        return part.publish(Result(part.folder, {BASE_COLOR: "a.png"}, RECIPE, 0.9, 1.5), **kwargs)


def test_a_published_result_reads_back_as_it_was(tmp_path):
    result = write(tmp_path / "new" / "store")
    assert result.folder.name.startswith("mossy-red-bricks-7-")
    assert load(result.folder) == result
    assert result.path().read_bytes() == b"pixels"


def test_all_of_a_result_is_on_disk_before_it_appears_and_its_name_before_anyone_is_told(tmp_path, monkeypatch):
    from addon.core import results

    order = []
    sync, rename = results.sync, results.os.rename
    monkeypatch.setattr(results, "sync", lambda path: (order.append(path.name), sync(path))[1])
    monkeypatch.setattr(results.os, "rename", lambda *names: (order.append("rename"), rename(*names))[1])
    write(tmp_path)
    part = order[2]
    assert part.startswith(PART)
    assert order == ["a.png", "result.json", part, "rename", tmp_path.name]


def test_a_moved_store_still_reads(tmp_path):
    result = write(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert load(tmp_path / "b" / result.folder.name).path().exists()


def test_nothing_is_left_of_a_draft_that_failed(tmp_path):
    def fail():
        with draft(tmp_path, "x", 1) as part:
            (part.folder / "a.png").write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_published_when_it_is_no_longer_wanted(tmp_path):
    assert write(tmp_path, allowed=lambda: False) is None
    assert list(tmp_path.iterdir()) == []


def test_drafts_are_marked_as_such(tmp_path):
    with draft(tmp_path, "x", 1) as part:
        assert part.folder.name.startswith(PART)


def test_fault_14_a_store_that_cannot_be_written_is_named(tmp_path):
    file = tmp_path / "file"
    file.write_text("in the way")
    with pytest.raises(UserError, match="file") as caught:
        write(file / "store")
    assert caught.value.kind is ErrorKind.DISK


def test_an_earlier_result_is_never_overwritten(tmp_path, monkeypatch):
    monkeypatch.setattr("addon.core.results.secrets.token_hex", lambda _: "same")
    first, second = write(tmp_path), write(tmp_path)
    assert first.folder != second.folder
    assert load(first.folder) == first


@pytest.mark.parametrize("name", ["../a.png", "/etc/passwd", "..", "", "b\\a.png", "C:a.png", "sub/a.png"])
def test_fault_21_names_that_lead_out_of_the_folder_are_refused(tmp_path, name):
    result = write(tmp_path)
    index = result.folder / "result.json"
    data = json.loads(index.read_text())
    data["files"]["base_color"] = name
    index.write_text(json.dumps(data))
    with pytest.raises(UserError):
        load(result.folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 3}', "nonsense", "[" * 100_000])
def test_a_broken_description_is_refused(tmp_path, text):
    result = write(tmp_path)
    (result.folder / "result.json").write_text(text)
    with pytest.raises(UserError) as caught:
        load(result.folder)
    assert caught.value.kind is ErrorKind.DISK


def test_a_result_without_its_picture_is_refused(tmp_path):
    result = write(tmp_path)
    result.path().unlink()
    with pytest.raises(UserError, match=r"a\.png"):
        load(result.folder)


@pytest.mark.parametrize(
    ("score", "p", "shows"),
    [(None, None, False), (1.1, None, False), (1.2, None, True), (1.2, "0.020", False), (1.2, "0.010", True)],
)
def test_a_failing_score_shows_a_seam_unless_random_cuts_do_as_badly(score, p, shows) -> None:
    recipe = RECIPE if p is None else RECIPE.noting({RECIPE_P: p})
    assert Result(Path("a"), {BASE_COLOR: "a.png"}, recipe, score).seam_shows is shows


@pytest.mark.parametrize("p", ["", "high", "nan"])
def test_a_strangers_p_value_is_none_or_hides_no_seam(p: str) -> None:
    assert Result(Path("a"), {BASE_COLOR: "a.png"}, RECIPE.noting({RECIPE_P: p}), 1.2).seam_shows
