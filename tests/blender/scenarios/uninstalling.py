# SPDX-License-Identifier: GPL-3.0-or-later
"""Uninstalling and installing, by Blender's own operators."""

import os
import time
from pathlib import Path
from typing import Any

import bpy
from common import addon, drive, finish, fresh, generate, start
from files import children
from install import install

REPOSITORY = "user_default"


def uninstall() -> None:
    repositories = [repo.module for repo in bpy.context.preferences.extensions.repos]
    bpy.ops.extensions.package_uninstall(repo_index=repositories.index(REPOSITORY), pkg_id="tilewright")
    assert not hasattr(bpy.types.Scene, "tilewright")


def uninstall_and_install_again(file: str, data: str) -> None:
    generate(prompt="outlives it")
    assert any(Path(data).iterdir())
    uninstall()
    assert not Path(data).exists(), "all else is gone"
    install(file)
    bpy.ops.tilewright.history_refresh()
    (entry,) = addon("history.browse").get().entries
    assert entry.result.recipe.request.prompt == "outlives it"
    generate(prompt="red brick")
    addon("history.browse").delete(_newest())


def _newest() -> str:
    newest = addon("history.browse").get().entries[0]
    fresh()  # the open file refers to it no more
    return str(newest.name)


def make(count: int) -> list[str]:
    return [generate(prompt=f"number {number}").tilewright.result for number in range(count)]


def move_while_a_file_shows_them(old: str, file: str) -> None:
    """As after an update in the midst of work: the open file's images are read from where their results were."""
    names = sorted(os.listdir(old))
    image = bpy.data.images.load(str(Path(old) / names[0] / "base_color.png"))
    image.tilewright.result = names[0]
    image.use_fake_user = True
    size = tuple(image.size)
    bpy.ops.tilewright.history_refresh()
    assert sorted(entry.name for entry in addon("history.browse").get().entries) == names
    assert Path(image.filepath).is_file(), image.filepath
    image.reload()
    assert tuple(image.size) == size
    bpy.ops.wm.save_as_mainfile(filepath=file)
    assert image.packed_file


def _job_with_one_done() -> Any:
    job = start(prompt="stuck in the second", count=3)
    drive(lambda: len(job.results) == 1 and job.progress.image == 1)
    assert len(children()) == 1
    return job


def install_in_a_job(file: str) -> None:
    _job_with_one_done()
    install(file)
    _until_no_child()
    generate(prompt="afterwards", count=1)
    bpy.ops.tilewright.history_refresh()
    prompts = [entry.result.recipe.request.prompt for entry in addon("history.browse").get().entries]
    assert prompts == ["afterwards", "stuck in the second"]


def uninstall_in_a_job(data: str) -> None:
    _job_with_one_done()
    uninstall()
    _until_no_child()
    assert not Path(data).exists()


def _until_no_child() -> None:
    end = time.monotonic() + 5
    while children():
        assert time.monotonic() < end, "the worker lives on"
        time.sleep(0.05)


def go_on_when_told(flag: str, go: str) -> None:
    """Another Blender replaces the extension's files meanwhile."""
    job = start(prompt="begun before", steps=50)
    drive(lambda: job.progress and job.progress.phase.name == "SAMPLING")
    Path(flag + ".part").write_text(children()[0], encoding="ascii")
    os.replace(flag + ".part", flag)
    drive(lambda: os.path.exists(go), 60)
    finish(job)
    assert job.error is None, job.error
    generate(prompt="and after")
    print("WENT WELL", flush=True)
