# SPDX-License-Identifier: GPL-3.0-or-later
"""The history: read and written in the background, whole after every accident, quick with thousands of results."""

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from addon.core.history import YOUNG, Marks
from addon.core.results import PART
from addon.host import marks
from addon.host.history import History
from addon.host.store import Store

from .conftest import our_threads, until
from .test_store import publish


@pytest.fixture(params=[True, False], ids=["in the background", "at once"])
def history(request, tmp_path):
    made = History(Store(tmp_path / "store"), background=request.param)
    yield made
    made.close()
    until(lambda: not our_threads())


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def read(history):
    history.refresh()
    history.wait()
    return [entry.name for entry in history.entries]


def test_it_lists_the_store_newest_first_with_sizes(history):
    made = [publish(history.store.root, seed, created) for seed, created in [(1, 50.0), (2, 70.0), (3, 60.0)]]
    assert not history.ready
    assert read(history) == [made[1].folder.name, made[2].folder.name, made[0].folder.name]
    assert history.ready
    on_disk = sum(file.stat().st_size for folder in history.store.root.iterdir() for file in folder.iterdir())
    assert history.size == on_disk


def test_what_blender_writes_beside_an_image_is_counted_and_goes_with_it(history):
    """5.2 writes blender_tx/NAME.*.tx beside an image when it generates its texture cache, as for a render."""
    made = publish(history.store.root)
    read(history)
    before = history.size
    cache = made.folder / "blender_tx"
    for number, size in enumerate((1000, 500)):  # the second one changes the time of that folder alone
        cache.mkdir(exist_ok=True)
        (cache / f"a.png.{number}.tx").write_bytes(bytes(size))
        os.utime(made.folder, ns=(5, 5))
        os.utime(cache, ns=(number, number))
        read(history)
    assert history.size == before + 1500
    history.delete(made.folder.name)
    history.wait()
    assert list(history.store.root.iterdir()) == []


def test_an_empty_store_is_read_and_not_made(history):
    assert read(history) == []
    assert history.ready
    assert not history.store.root.exists()


def test_a_new_result_is_listed_before_the_store_is_read_and_once_after(history):
    old, new = publish(history.store.root, 1, 1.0), publish(history.store.root, 2, 2.0)
    history.add(new)
    assert [entry.name for entry in history.entries] == [new.folder.name]
    assert read(history) == [new.folder.name, old.folder.name]


def test_a_result_of_another_store_is_not_listed(history, tmp_path):
    history.add(publish(tmp_path / "elsewhere"))
    assert history.entries == ()


def test_what_happens_while_the_store_is_read_is_not_lost(store, monkeypatch):
    history = History(store, background=True)
    results = [publish(store.root, seed, 1.0 + seed) for seed in range(3)]
    go_on = threading.Event()
    find = store.find
    monkeypatch.setattr(store, "find", lambda name: (go_on.wait(10), find(name))[1])
    history.refresh()
    new = publish(store.root, 9, 9.0)
    history.add(new)
    history.entries = (*history.entries, *(replace(history.entries[0], result=result) for result in results))
    history.mark(results[0].folder.name, lambda before: Marks(True))
    history.delete(results[1].folder.name)
    go_on.set()
    history.wait()
    assert [entry.name for entry in history.entries] == [
        new.folder.name,
        results[2].folder.name,
        results[0].folder.name,
    ]
    assert history.entries[-1].marks.favourite
    history.close()
    assert marks.load(results[0].folder).favourite
    assert not results[1].folder.exists()


def test_a_favourite_is_one_still_after_a_restart(history, store):
    made = publish(store.root)
    read(history)
    history.mark(made.folder.name, lambda before: Marks(True, before.taken_by))
    assert history.entries[0].marks.favourite
    history.wait()
    assert read(History(store, background=False)) == [made.folder.name]
    again = History(store, background=False)
    read(again)
    assert again.entries[0].marks.favourite
    assert not list(store.root.glob(f"{PART}*"))


def test_marks_that_another_blender_made_are_kept(history, store):
    made = publish(store.root)
    read(history)
    marks.save(made.folder, Marks(True))
    history.mark(made.folder.name, lambda before: before.taken("/x.blend"))
    history.wait()
    assert marks.load(made.folder) == Marks(True, ("/x.blend",))
    read(history)
    assert history.entries[0].marks == Marks(True, ("/x.blend",))


def test_a_result_that_is_not_listed_yet_can_be_marked_and_found(history, store):
    made = publish(store.root)
    assert history.find(made.folder.name).result == made
    history.mark(made.folder.name, lambda before: before.taken("/x.blend"))
    history.wait()
    assert marks.load(made.folder).taken_by == ("/x.blend",)


@pytest.mark.parametrize("name", ["..", "../outside", "/etc", "C:\\x", "a/b", ".part-1-x", "", "nothing", "x" * 5000])
def test_names_that_lead_elsewhere_find_and_change_nothing(history, tmp_path, name):
    outside = publish(tmp_path / "outside")
    publish(history.store.root)
    read(history)
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    assert history.find(name) is None
    history.mark(name, lambda marks: Marks(True))
    history.delete(name)
    history.wait()
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before
    assert outside.folder.is_dir()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"favourite": 1}', b"[" * 100_000])
def test_broken_marks_cost_the_marks_only(history, store, content):
    made = publish(store.root)
    (made.folder / "marks.json").write_bytes(content)
    assert read(history) == [made.folder.name]
    assert history.entries[0].marks == Marks()
    history.mark(made.folder.name, lambda before: Marks(True))
    history.wait()
    assert marks.load(made.folder) == Marks(True)


def test_a_deleted_result_is_gone_from_the_list_at_once_and_from_the_disk_soon(history, store):
    made = publish(store.root)
    read(history)
    history.delete(made.folder.name)
    assert history.entries == ()
    assert history.find(made.folder.name) is None
    history.wait()
    assert list(store.root.iterdir()) == []


def test_a_store_that_cannot_be_written_is_told_and_the_marks_stay_whole(history, store, monkeypatch):
    made = publish(store.root)
    marks.save(made.folder, Marks(True))
    read(history)

    def full(*arguments, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    history.mark(made.folder.name, lambda before: before.taken("/x.blend"))
    history.wait()
    assert str(store.root) in history.error.message
    assert "No space left" in history.error.message
    monkeypatch.undo()
    assert marks.load(made.folder) == Marks(True)
    assert not list(store.root.glob(f"{PART}*"))


def test_what_is_dismissed_stays_so(history, store):
    publish(store.root)
    history.dismiss(123.0)
    history.wait()
    again = History(store, background=False)
    assert len(read(again)) == 1
    assert again.dismissed == 123.0


@pytest.mark.parametrize("content", [b"", b"NaN", b"[]", b'"x"', b"\xff", b"1e999"])
def test_a_broken_time_of_dismissal_is_none(history, store, content):
    store.root.mkdir()
    (store.root / ".dismissed").write_bytes(content)
    read(history)
    assert history.ready


def test_what_could_go_is_named_and_nothing_is_removed_by_it(history, store, tmp_path):
    old = time.time() - 2 * YOUNG
    going, kept, saved = (publish(store.root, seed, old + seed) for seed in range(3))
    blend = tmp_path / "saved.blend"
    blend.write_bytes(b"BLENDER")
    history.mark(saved.folder.name, lambda before: before.taken(str(blend)))
    read(history)
    history.look_for_expendable(0, {kept.folder.name})
    history.wait()
    assert history.take_expendable() == [going.folder.name]
    assert history.take_expendable() == []
    assert going.folder.is_dir()
    blend.unlink()
    history.look_for_expendable(0, {kept.folder.name})
    history.wait()
    assert set(history.take_expendable()) == {going.folder.name, saved.folder.name}


def test_closing_writes_what_was_left_to_write(store):
    history = History(store, background=True)
    results = [publish(store.root, seed) for seed in range(30)]
    for result in results:
        history.mark(result.folder.name, lambda before: Marks(True))
    history.close()
    assert all(marks.load(result.folder).favourite for result in results)
    assert our_threads() == []


def test_no_thread_is_left_when_there_is_nothing_to_do(store):
    history = History(store, background=True)
    publish(store.root)
    read(history)
    until(lambda: not our_threads())
    read(history)
    history.close()


def test_thousands_of_results_hold_nobody_up(store):
    first = publish(store.root, 0, 1.0)
    text = json.loads((first.folder / "result.json").read_text())
    for number in range(2000):
        folder = store.root / f"copy-{number}"
        folder.mkdir()
        os.link(first.path(), folder / "base_color.png")
        (folder / "result.json").write_text(json.dumps(text | {"created": float(number + 2)}))
    history = History(store, background=True)
    slowest = 0.0
    history.refresh()
    while history.busy:
        begin = time.thread_time()  # what it takes of the thread that draws, however busy the machine is
        history.pump()
        slowest = max(slowest, time.thread_time() - begin)
        time.sleep(0.001)
    assert len(history.entries) == 2001
    assert history.entries[0].name == "copy-1999"
    assert slowest < 0.016, f"{slowest:.3f} s"
    read_again = []
    store.find = read_again.append
    assert len(read(history)) == 2001
    assert read_again == []
    history.close()
