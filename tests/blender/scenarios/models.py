# SPDX-License-Identifier: GPL-3.0-or-later
"""Models in the preferences: listed, looked up, downloaded, checked, mended, removed. The hub is `tests.fake_hub`."""

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
from common import PACKAGE, addon, drive, generate, message_of
from drawing import Layout
from files import children
from window import _until

NAME = "somebody/tiny"


def _preferences() -> Any:
    return bpy.context.preferences.addons[PACKAGE].preferences


def _now() -> Any:
    bpy.context.preferences.system.use_online_access = True
    return addon("common.state").current.models


def _draw() -> list[str]:
    texts: list[str] = []
    addon("install.models_panel").draw_preferences(Layout(texts), _preferences())
    return texts


def from_a_search_to_a_texture(models: str) -> None:
    now = _now()
    _preferences().models = models
    assert [entry.title for entry in now.entries] == ["Starter"]
    shown = bpy.context.window_manager.tilewright_models
    shown.words = "tiny"
    assert [model.repository for model in now.found] == [NAME]
    assert [row.name for row in shown.found] == [NAME]
    assert "Look Up" not in _draw(), "its label is the operator's own"
    assert "Look a model up first." in message_of(bpy.ops.tilewright.download_model)
    assert bpy.ops.tilewright.look_up_model(repository=NAME) == {"FINISHED"}
    texts = " ".join(_draw())
    assert "Download 1 kB" in texts or "Download 2 kB" in texts, texts
    assert "apache-2.0. Commercial use: yes" in texts
    assert "GB free" in texts
    assert not Path(models).exists(), "looking changes nothing"
    assert bpy.ops.tilewright.download_model() == {"FINISHED"}
    assert "is here" in now.message
    entry = next(entry for entry in now.entries if entry.title == NAME)
    assert entry.path == Path(models) / "somebody--tiny"
    assert [row.name for row in shown.rows] == [str(entry.path) for entry in now.entries]
    shown.active = [row.name for row in shown.rows].index(str(entry.path))
    texts = " ".join(_draw())
    assert "Downloaded from the hub." in texts
    assert f"{NAME}, 0123456789ab" in texts
    offered = addon("settings.models").candidates("")
    assert [name for name, _ in offered] == ["starter", str(entry.path), "Get More Models..."]
    image = generate(prompt="red brick", model=str(entry.path))
    assert image.tilewright.model == str(entry.path)


def damage_is_found_and_mended(models: str) -> None:
    now = _now()
    _preferences().models = models
    bpy.ops.tilewright.look_up_model(repository=NAME)
    bpy.ops.tilewright.download_model()
    place = Path(models) / "somebody--tiny"
    assert bpy.ops.tilewright.verify_model(path=NAME) == {"FINISHED"}
    assert now.message == f"All files of {NAME} are as they should be."
    (place / "unet" / "config.json").write_text("{}")
    assert "unet/config.json" in message_of(lambda: bpy.ops.tilewright.verify_model(path=NAME))
    assert now.damaged == {place: ("unet/config.json",)}
    shown = bpy.context.window_manager.tilewright_models
    shown.active = [row.name for row in shown.rows].index(str(place))
    assert "Damaged: unet/config.json" in _draw()
    assert bpy.ops.tilewright.repair_model(path=NAME) == {"FINISHED"}
    assert now.damaged == {}
    assert bpy.ops.tilewright.verify_model(path=NAME) == {"FINISHED"}
    assert bpy.ops.tilewright.remove_model(path=NAME) == {"FINISHED"}
    assert not place.exists()
    assert [entry.title for entry in now.entries] == ["Starter"]
    assert "There is no model" in message_of(lambda: bpy.ops.tilewright.remove_model(path=NAME))
    assert "not downloaded by Tilewright" in message_of(lambda: bpy.ops.tilewright.remove_model(path="Starter"))


def what_is_added_stays_where_it_is(models: str, place: str) -> None:
    now = _now()
    _preferences().models = models
    shutil.copytree(place, f"{models}-elsewhere")
    place = f"{models}-elsewhere"
    assert bpy.ops.tilewright.add_model(filepath=place) == {"FINISHED"}
    assert place in [str(entry.path) for entry in now.entries]
    assert place in [name for name, _ in addon("settings.models").candidates("")]
    assert "did not download" in message_of(lambda: bpy.ops.tilewright.repair_model(path=place))
    assert bpy.ops.tilewright.remove_model(path=place) == {"FINISHED"}
    assert Path(place).is_dir()
    assert "holds no model" in message_of(lambda: bpy.ops.tilewright.add_model(filepath=str(Path(place).parent / "no")))


def nothing_without_a_network() -> None:
    bpy.context.preferences.system.use_online_access = False
    for press in (bpy.ops.tilewright.look_up_model, bpy.ops.tilewright.open_model_page):
        message = message_of(lambda press=press: press(repository=NAME))
        assert "allowed online" in message or "no window" in message, message
    now = addon("common.state").current.models
    bpy.context.window_manager.tilewright_models.words = "tiny"
    assert "allowed online" in now.error.message
    assert now.search is None
    assert any("allowed online" in text for text in _draw())
    assert children() == []


def pickles_are_refused_before_anything_is_asked() -> None:
    now = _now()
    message = message_of(lambda: bpy.ops.tilewright.look_up_model(repository="dream-textures/texture-diffusion"))
    assert "pickle" in message
    assert now.looking is None


def the_way_to_more_models_is_no_model() -> None:
    settings = bpy.context.scene.tilewright
    search = addon("settings.properties")._search_models
    settings.model = "/somewhere/else"
    assert list(search(settings, bpy.context, ""))[-1][0] == "Get More Models..."
    settings.model = "Get More Models..."
    assert settings.model == "/somewhere/else"


def the_lists_of_what_can_be_had_are_drawn() -> None:
    now = _now()
    operators = addon("install.models_operators")
    operators.show_found()
    shown = bpy.context.window_manager.tilewright_models
    panel = addon("install.models_panel")
    texts: list[str] = []
    for row in shown.found:
        draw = panel.TILEWRIGHT_UL_found_models.draw_item
        draw(None, bpy.context, Layout(texts), shown, row, None, shown, "chosen")
    assert "Pattern Diffusion" in texts
    for number, row in enumerate(shown.found):
        shown.chosen = number
        told = " ".join(_draw())
        refused = addon("install.models").rows()[number][1].refused
        assert refused[:40] in told, row.name
    operators.lists().repository = "somebody/else"
    assert now.look is None
    _draw()


def disabled_in_a_download(models: str) -> None:
    """Fault 8, for downloads: nothing of them is left."""
    now = _now()
    _preferences().models = models
    bpy.ops.tilewright.look_up_model(repository=NAME)
    module = addon("install.models")
    module.download.__globals__["_watch"] = lambda: None  # as in a window, where a timer goes on
    module.download(now.look.plan)
    drive(lambda: module.tick() and now.download.progress.total > 0)
    assert children()
    bpy.ops.preferences.addon_disable(module=PACKAGE)
    assert children() == []
    assert not [thread.name for thread in threading.enumerate() if thread.name == "tilewright-hub"]
    assert not (Path(models) / "somebody--tiny").exists()
    bpy.ops.preferences.addon_enable(module=PACKAGE)


def in_a_window(models: str) -> Iterator[float]:
    """Nothing waits: the timer brings the search, the look and the download; the last item opens the preferences."""
    now = _now()
    _preferences().models = models
    settings, shown = bpy.context.scene.tilewright, bpy.context.window_manager.tilewright_models
    list(addon("settings.properties")._search_models(settings, bpy.context, ""))
    settings.model = "Get More Models..."
    assert settings.model == "starter"
    yield from _until(lambda: len(bpy.context.window_manager.windows) == 2)
    yield from _until(lambda: now.listed and now.chore is None)
    assert len(shown.rows) == 1
    assert len(shown.found) > 10, "what is worth having"
    for length in range(1, len("tiny") + 1):
        shown.words = "tiny"[:length]
        yield 0.1
    assert now.search is None, "nobody searches while somebody types"
    yield from _until(lambda: now.found_for == "tiny")
    assert [row.name for row in shown.found] == [NAME]
    assert addon("install.models").log().read_text(encoding="utf-8").count("search, ") == 1
    begin = time.monotonic()
    bpy.ops.tilewright.look_up_model(repository=NAME)
    assert time.monotonic() - begin < 0.5
    assert now.look.plan is None
    yield from _until(lambda: now.look and now.look.plan)
    bpy.ops.tilewright.download_model()
    assert now.downloading
    yield from _until(lambda: len(shown.rows) == 2)
    assert not now.error
    bpy.ops.tilewright.verify_model(path=NAME)
    yield from _until(lambda: "as they should be" in now.message)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    shown = bpy.context.window_manager.tilewright_models
    assert len(shown.rows) == 0, "Blender drops what hangs on the window manager"
    addon("install.models").want_list(is_empty=True)  # as drawing does
    yield from _until(lambda: len(shown.rows) == 2)
    yield from _until(lambda: not bpy.app.timers.is_registered(addon("install.models").tick))
