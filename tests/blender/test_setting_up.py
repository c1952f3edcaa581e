# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's packages, installed, checked and removed by the extension's own buttons, from a small index."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon.core.lock import this_target
from tests.index import Index, make_engine_wheel, make_wheel, write_lock

from .conftest import Blender

ENGINE = make_engine_wheel({"phase_seconds": 0.01})
LARGE = make_wheel("boulder", files={"boulder_data.bin": os.urandom(400_000)})


@pytest.fixture
def index() -> Iterator[Index]:
    made = Index(ENGINE, LARGE)
    yield made
    made.close()


@pytest.fixture
def fresh(blender: Blender, monkeypatch: pytest.MonkeyPatch) -> Blender:
    """A Blender without an engine, whose list of packages is a small one."""
    del blender.variables["TILEWRIGHT_PYTHON"]
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_")) or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    blender.variables["PIP_CONFIG_FILE"] = os.devnull
    use_list(blender)
    return blender


def use_list(blender: Blender) -> None:
    """Put a small list into the installed package, which shares its files with others: so it is replaced."""
    list_ = blender.profile / "extensions" / "user_default" / "tilewright" / "host" / "locks" / "index.json"
    list_.unlink()
    system = this_target().partition("-")[2]  # its wheels suit every Python
    write_lock(list_, ENGINE, LARGE, targets=[f"{python}-{system}" for python in ("cp311", "cp313", "cp314")])


def test_from_nothing_to_a_texture(fresh: Blender, index: Index) -> None:
    fresh.run("setting_up.from_nothing_to_a_texture", index=index.url)
    assert (fresh.data / "environments").is_dir()
    assert len(fresh.results) == 1


def test_nothing_happens_without_a_network(fresh: Blender, tmp_path: Path) -> None:
    fresh.run("setting_up.nothing_without_a_click_or_a_network", root=str(tmp_path / "engine"))
    assert not (fresh.data / "environments").exists()


def test_a_failure_is_told_in_a_sentence(fresh: Blender) -> None:
    fresh.run("setting_up.a_failure_is_told", index="http://127.0.0.1:9/simple")


def test_environments_can_be_removed(fresh: Blender, index: Index) -> None:
    fresh.run("setting_up.environments_can_be_removed", index=index.url)


def test_everything_is_removed_but_the_textures(fresh: Blender, index: Index) -> None:
    fresh.run("setting_up.everything_is_removed", index=index.url, data=str(fresh.data), store=str(fresh.store))


def test_disabling_ends_the_installer(fresh: Blender, index: Index) -> None:
    index.faults[LARGE[0]] = ["slow"]
    fresh.run("setting_up.disabled_while_installing", index=index.url)


def test_self_test_tells_in_plain_words(blender: Blender) -> None:
    blender.run("setting_up.self_test_in_plain_words")


def test_disabling_ends_a_self_test(blender: Blender) -> None:
    blender.use_fake({"step_seconds": 5.0})
    blender.run("setting_up.disabled_in_a_self_test")


@pytest.mark.skipif(bool(os.environ.get("BLENDER")), reason="a Python that this process can reach is named")
def test_own_python_is_checked_by_running_it(blender: Blender) -> None:
    blender.variables["TILEWRIGHT_PYTHON"] = sys.executable
    blender.run("setting_up.own_python_is_checked")


def test_diagnostics_name_nobody(blender: Blender) -> None:
    blender.use_fake({"faults": [{"do": "signal", "phase": "SAMPLING", "step": 1, "prompt": "dies"}]})
    assert blender.run("setting_up.diagnostics_name_nobody", home=str(Path.home()) + "/") == []


@pytest.mark.parametrize("hand_over", [True, False])
def test_a_render_frees_the_engine_where_the_preferences_say_so(blender: Blender, hand_over: bool) -> None:
    assert blender.run("setting_up.render_frees_the_engine", hand_over=hand_over) == ["free"] * hand_over


def test_the_idle_time_reaches_the_worker(blender: Blender) -> None:
    assert blender.run("setting_up.a_change_of_idle_time_reaches_the_worker")[-1] == "180"
