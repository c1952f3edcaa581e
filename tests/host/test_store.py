# SPDX-License-Identifier: GPL-3.0-or-later
"""The store: whole results are listed, broken ones left out, and nothing outside it is ever touched."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from addon.core.errors import ErrorKind, UserError
from addon.core.history import Marks
from addon.core.recipe import Recipe
from addon.core.requests.texture import TextureRequest
from addon.core.results import PART, Result, draft
from addon.host import marks
from addon.host.store import Store, adopt, user_data


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def publish(root, seed=0, created=0.0):
    recipe = Recipe(TextureRequest("mossy bricks", seed=seed), "weights")
    with draft(root, "mossy bricks", seed) as part:
        (part.folder / "base_color.png").write_bytes(b"pixels")
        return part.publish(Result(part.folder, {"base_color": "base_color.png"}, recipe, 0.5, 1.0, created))


def part_of(store, process, age=0.0):
    folder = store.root / f"{PART}{process}-0a1b2c3d"
    folder.mkdir(parents=True)
    (folder / "base_color.png").write_bytes(b"half")
    os.utime(folder, (time.time() - age,) * 2)
    return folder


def dead_process():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_results_come_newest_first(store):
    made = [publish(store.root, seed, created) for seed, created in [(1, 50.0), (2, 70.0), (3, 60.0)]]
    assert store.results() == [made[1], made[2], made[0]]


def test_a_store_that_is_not_there_is_empty(store):
    assert store.results() == []
    assert store.clean_parts() == 0
    assert not store.root.exists()


def test_a_result_is_found_by_its_folder(store):
    made = publish(store.root)
    assert store.find(made.folder.name) == made
    assert store.find("another") is None


def test_the_list_is_the_same_after_the_store_was_moved(store, tmp_path):
    made = publish(store.root)
    store.root.rename(tmp_path / "moved")
    (found,) = Store(tmp_path / "moved").results()
    assert found == replace(made, folder=tmp_path / "moved" / made.folder.name)
    assert found.path().read_bytes() == b"pixels"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "result.json").unlink(),
        lambda folder: (folder / "result.json").write_bytes(b'{"folder": "x", "fil'),
        lambda folder: (folder / "result.json").write_bytes(b"\xff\xfe\0"),
        lambda folder: (folder / "result.json").write_bytes(b"[" * 100_000),
        lambda folder: (folder / "result.json").write_bytes(b"[]"),
        lambda folder: (folder / "base_color.png").unlink(),
    ],
)
def test_a_broken_folder_is_left_out_and_logged_once(store, caplog, spoil):
    whole, broken = publish(store.root), publish(store.root)
    spoil(broken.folder)
    assert store.results() == [whole]
    assert store.results() == [whole]
    assert store.find(broken.folder.name) is None
    assert caplog.text.count(broken.folder.name) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"created": 10**400},
        {"created": float("nan")},
        {"seconds": float("inf")},
        {"files": {"base_color": "../secret.png"}},
        {"files": {"base_color": "/etc/hostname"}},
        {"files": []},
        {"files": {"base_color": "n" * 300}},
        {"recipe": {}},
        {"notes": 7},
    ],
)
def test_a_hostile_description_is_left_out(store, change):
    whole, hostile = publish(store.root), publish(store.root)
    index = hostile.folder / "result.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | change))
    (store.root / "secret.png").write_bytes(b"")
    assert store.results() == [whole]


@pytest.mark.parametrize("name", ["", ".", "..", "../store", "/", "a/b", "x\0y", "n" * 300, f"{PART}1-ab"])
def test_fault_21_names_that_lead_elsewhere_find_nothing(store, name):
    publish(store.root)
    assert store.find(name) is None


def test_fault_21_a_link_in_the_store_is_not_followed(store, tmp_path):
    elsewhere = publish(tmp_path / "elsewhere")
    store.root.mkdir()
    link = store.root / "link"
    link.symlink_to(elsewhere.folder)
    assert store.results() == []
    with pytest.raises(UserError):
        store.delete(replace(elsewhere, folder=link))
    assert elsewhere.path().is_file()


def test_a_deleted_result_is_gone_and_the_others_stay(store):
    first, second = publish(store.root), publish(store.root)
    store.delete(first)
    store.delete(first)  # gone already
    assert store.results() == [second]
    assert os.listdir(store.root) == [second.folder.name]


def test_a_result_that_cannot_be_removed_to_the_end_is_not_half_there(store, monkeypatch):
    made = publish(store.root)

    def refuse(path):
        raise PermissionError(13, "in use")

    monkeypatch.setattr("addon.host.store.shutil.rmtree", refuse)
    store.delete(made)
    assert store.results() == []
    assert store.find(made.folder.name) is None
    (left,) = os.listdir(store.root)
    assert left.startswith(f"{PART}{os.getpid()}-")


@pytest.mark.parametrize("place", ["../outside", ".", "..", "inner/result", f"{PART}1-ab"])
def test_only_results_of_the_store_are_deleted(store, tmp_path, place):
    made = publish(store.root)
    folder = store.root / place
    folder.mkdir(parents=True, exist_ok=True)
    with pytest.raises(UserError) as caught:
        store.delete(replace(made, folder=folder))
    assert caught.value.kind is ErrorKind.DISK
    assert folder.is_dir()
    assert store.results() == [made]


def test_parts_of_dead_processes_and_old_ones_are_cleaned(store):
    made = publish(store.root)
    ours = part_of(store, os.getpid())
    worker = part_of(store, 1)  # somebody's who lives
    part_of(store, dead_process())
    part_of(store, 10**12, age=0.0).rename(store.root / f"{PART}nonsense")
    part_of(store, 10**12, age=90_000.0)
    assert store.clean_parts() == 2
    assert ours.is_dir()
    assert worker.is_dir()
    assert (store.root / f"{PART}nonsense").is_dir()
    assert store.results() == [made]


def test_a_link_among_the_parts_is_removed_and_not_followed(store, tmp_path):
    (tmp_path / "precious").mkdir()
    store.root.mkdir()
    (store.root / f"{PART}{dead_process()}-ab").symlink_to(tmp_path / "precious")
    assert store.clean_parts() == 1
    assert (tmp_path / "precious").is_dir()
    assert os.listdir(store.root) == []


def test_a_store_that_cannot_be_listed_is_logged(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    assert Store(tmp_path / "file").results() == []
    assert str(tmp_path / "file") in caplog.text


def test_the_root_is_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Store(Path("here")).root == tmp_path / "here"


def published(root, count=3):
    return [publish(root, seed, created=float(seed + 1)).folder.name for seed in range(count)]


def test_results_move_from_an_older_store(tmp_path):
    names = published(tmp_path / "old")
    part = part_of(Store(tmp_path / "old"), os.getpid())
    marks.save(tmp_path / "old" / names[0], Marks(favourite=True))
    assert adopt(tmp_path / "old", tmp_path / "deep" / "new")
    store = Store(tmp_path / "deep" / "new")
    assert sorted(store.names()) == sorted(names)
    assert len(store.results()) == 3
    assert marks.load(store.root / names[0]).favourite
    assert os.listdir(tmp_path / "old") == [part.name], "what is still being made stays"
    assert not adopt(tmp_path / "old", store.root)


def test_nothing_is_made_where_there_is_no_older_store(tmp_path):
    assert not adopt(tmp_path / "old", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def other_disk(monkeypatch, old, dies_at=""):
    """As if the old store were on another disk than the new one; and the process dies at that step."""
    rename, copy = os.rename, shutil.copytree

    def renamed(source, target):
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        if dies_at == ("remove" if Path(source).parent == old else "publish"):
            raise KeyboardInterrupt
        rename(source, target)

    def copied(source, target):
        copy(source, target)
        if dies_at == "copy":
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", renamed)
    monkeypatch.setattr(shutil, "copytree", copied)


def test_results_move_to_another_disk(tmp_path, monkeypatch):
    names = published(tmp_path / "old")
    other_disk(monkeypatch, tmp_path / "old")
    assert adopt(tmp_path / "old", tmp_path / "new")
    assert sorted(os.listdir(tmp_path / "new")) == sorted(names)
    assert not (tmp_path / "old").exists()


@pytest.mark.parametrize("step", ["copy", "publish", "remove"])
def test_results_survive_a_death_while_they_move_to_another_disk(tmp_path, monkeypatch, step):
    names = published(tmp_path / "old")
    with monkeypatch.context() as patch:
        other_disk(patch, tmp_path / "old", step)
        with pytest.raises(KeyboardInterrupt):
            adopt(tmp_path / "old", tmp_path / "new")
    whole = {result.folder.name for root in ("old", "new") for result in Store(tmp_path / root).results()}
    assert whole == set(names)
    assert adopt(tmp_path / "old", tmp_path / "new")
    assert sorted(name for name in os.listdir(tmp_path / "new") if not name.startswith(PART)) == sorted(names)


def test_results_that_cannot_move_stay_and_are_told(tmp_path):
    names = published(tmp_path / "old")
    (tmp_path / "new").write_text("a file is in the way")
    with pytest.raises(UserError) as raised:
        adopt(tmp_path / "old", tmp_path / "new")
    assert raised.value.kind is ErrorKind.DISK
    assert sorted(Store(tmp_path / "old").names()) == sorted(names)


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, ".local/share/tilewright"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/tilewright"),
        ("linux", {"XDG_DATA_HOME": "relative"}, ".local/share/tilewright"),
        ("darwin", {"XDG_DATA_HOME": "/data"}, "Library/Application Support/tilewright"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/tilewright"),
        ("win32", {}, "AppData/Local/tilewright"),
    ],
)
def test_the_users_folder_is_the_systems(platform, variables, expected):
    assert user_data(platform, variables) == Path.home() / expected
